"""Which form of what is right a model's answers are held against."""

from __future__ import annotations

from typing import Literal

from tundish.manifest import ClassificationPostprocess, ComposedPostprocess, Postprocess, TaskName

TruthForm = Literal["label", "labels", "score", "answers", "transcription", "lines", "entities", "objects", "mask"]
"""Each is the name of the column that holds it in a table; see `tundish_exporters.data`."""

_OF_TASKS: dict[TaskName, TruthForm] = {
    "token-classification": "entities",
    "object-detection": "objects",
    "image-segmentation": "mask",
    "text-ranking": "score",
    "sentence-similarity": "score",
    "question-answering": "answers",
    "document-question-answering": "answers",
    "text-recognition": "transcription",
    "document-reading": "lines",
    "visual-question-answering": "label",
}
_OF_FUNCTIONS: dict[str, TruthForm] = {"softmax": "label", "sigmoid": "labels", "none": "score"}
"""What made the scores of a classifier says what an answer is."""


def truth_form(task: TaskName, postprocess: Postprocess | ComposedPostprocess) -> TruthForm:
    """The form of what is right for a model's answers; a label where no other is known."""
    if task in _OF_TASKS:
        return _OF_TASKS[task]
    if isinstance(postprocess, ClassificationPostprocess):
        return _OF_FUNCTIONS[postprocess.function]
    return "label"
