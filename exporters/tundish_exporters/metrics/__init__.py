"""How right answers are, by what is known to be right: one small module for each kind of answer.

| answers | what is right | metric |
|---|---|---|
| one label, or an answer out of those a model knows | a label | accuracy |
| labels of which several may hold | a set of labels | F1 of labels |
| a score, a likeness, the value of a regression | a number | Spearman |
| a vector | a label | recall@1 |
| entities | their labels and places | F1 of entities |
| answers to a question | those that are right | F1 of answers, exact match |
| objects | their labels and boxes | mAP |
| segments | a mask of the labels' indices | mean IoU |
| a line of text | the text | exact match |
| the lines of a document | their texts | F1 of lines |

Without that, answers are held against the float model's: `tundish_exporters.agreement`, or the cosine of vectors.
"""

from __future__ import annotations

from tundish.manifest import (
    ClassificationPostprocess,
    ComposedPostprocess,
    MaskQueriesPostprocess,
    Postprocess,
    PrototypeMasksPostprocess,
    SemanticPostprocess,
    TaskName,
)
from tundish_exporters.errors import ExportError
from tundish_exporters.export_options import MetricFunction
from tundish_exporters.metrics.answers import ANSWERS_F1, EXACT_MATCH
from tundish_exporters.metrics.entities import ENTITIES_F1
from tundish_exporters.metrics.labels import ACCURACY, LABELS_F1
from tundish_exporters.metrics.metric import Metric, Rows
from tundish_exporters.metrics.objects import MEAN_AVERAGE_PRECISION
from tundish_exporters.metrics.own import own_metric
from tundish_exporters.metrics.scores import SPEARMAN
from tundish_exporters.metrics.segments import mean_iou
from tundish_exporters.metrics.texts import LINES_F1, TEXT_MATCH
from tundish_exporters.metrics.vectors import COSINE, RECALL

__all__ = [
    "ACCURACY",
    "COSINE",
    "RECALL",
    "SPEARMAN",
    "TEXT_MATCH",
    "Metric",
    "Rows",
    "choose_metric",
    "metrics_of",
]

_OF_TASKS: dict[TaskName, tuple[Metric, ...]] = {
    "feature-extraction": (RECALL,),
    "image-feature-extraction": (RECALL,),
    "object-detection": (MEAN_AVERAGE_PRECISION,),
    "token-classification": (ENTITIES_F1,),
    "text-ranking": (SPEARMAN,),
    "sentence-similarity": (SPEARMAN,),
    "question-answering": (ANSWERS_F1, EXACT_MATCH),
    "document-question-answering": (ANSWERS_F1, EXACT_MATCH),
    "text-recognition": (TEXT_MATCH,),
    "document-reading": (LINES_F1,),
    "zero-shot-image-classification": (ACCURACY,),
    "visual-question-answering": (ACCURACY,),
}
_OF_FUNCTIONS = {"softmax": ACCURACY, "sigmoid": LABELS_F1, "none": SPEARMAN}
"""Of classifiers, by what makes their scores."""


def metrics_of(task: TaskName, postprocess: Postprocess | ComposedPostprocess) -> tuple[Metric, ...]:
    """Those of a model by what is known to be right, the gate's own first; none if only agreement can be measured."""
    if isinstance(postprocess, ClassificationPostprocess) and task != "visual-question-answering":
        has_many_values = postprocess.function == "none" and len(postprocess.labels) > 1
        return () if has_many_values else (_OF_FUNCTIONS[postprocess.function],)
    if isinstance(postprocess, SemanticPostprocess | MaskQueriesPostprocess):
        return (mean_iou(postprocess.labels),)
    if isinstance(postprocess, PrototypeMasksPostprocess):
        return (mean_iou(postprocess.objects.labels),)
    return _OF_TASKS.get(task, ())


def choose_metric(
    asked: str | MetricFunction | None, task: TaskName, postprocess: Postprocess | ComposedPostprocess
) -> Metric | None:
    """The one that was asked for: by its name, or a function as `own_metric` takes it; else the first there is.

    Raises:
        ExportError: the model has no metric of that name, or there is no such function.
    """
    known = {metric.name: metric for metric in metrics_of(task, postprocess)}
    if asked is None:
        return next(iter(known.values()), None)
    if not isinstance(asked, str) or ":" in asked:
        return own_metric(asked)
    if asked not in known:
        names = "".join(f"'{name}' or " for name in known)
        raise ExportError(f"There is no metric '{asked}' for {task}; give {names}a function as module:function.")
    return known[asked]
