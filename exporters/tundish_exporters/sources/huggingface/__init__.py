"""A Hugging Face directory: config.json, safetensors and the processor's files, or an adapter. A file for each family.

`source.py` says what a family is, and `FAMILIES` which there are.
"""

from __future__ import annotations

from pathlib import Path

from tundish.manifest import TaskName
from tundish_exporters.composed_sources import ComposedSource
from tundish_exporters.errors import ExportError
from tundish_exporters.sources.huggingface.answering import AnswerFinder
from tundish_exporters.sources.huggingface.classification import ImageClassifier, TextClassifier
from tundish_exporters.sources.huggingface.detection import Detector
from tundish_exporters.sources.huggingface.embedding import ImageEmbedder, SentenceComparer, TextEmbedder
from tundish_exporters.sources.huggingface.entities import EntityTagger
from tundish_exporters.sources.huggingface.loading import load_config
from tundish_exporters.sources.huggingface.masks import MaskFiller
from tundish_exporters.sources.huggingface.page_answering import PageAnswerFinder
from tundish_exporters.sources.huggingface.promptable import PromptableSegmenter
from tundish_exporters.sources.huggingface.ranking import TextRanker
from tundish_exporters.sources.huggingface.segmentation import Segmenter
from tundish_exporters.sources.huggingface.source import Choices, HuggingFaceSource
from tundish_exporters.sources.huggingface.towers import Towers
from tundish_exporters.sources.huggingface.visual_answering import VisualAnswerer
from tundish_exporters.sources.huggingface.zero_shot import ZeroShotClassifier

FAMILIES: dict[TaskName, type[HuggingFaceSource]] = {
    family.architecture.task: family
    for family in (
        ImageClassifier,
        TextClassifier,
        TextEmbedder,
        ImageEmbedder,
        Detector,
        EntityTagger,
        Segmenter,
        TextRanker,
        AnswerFinder,
        MaskFiller,
        SentenceComparer,
        ZeroShotClassifier,
        VisualAnswerer,
        PageAnswerFinder,
    )
}


COMPOSED_FAMILIES: dict[TaskName, type[Towers | PromptableSegmenter]] = {
    family.task: family for family in (Towers, PromptableSegmenter)
}


ARCHITECTURES = tuple(family.architecture for family in (*FAMILIES.values(), *COMPOSED_FAMILIES.values()))


def load_composed_source(directory: Path, task: TaskName, choices: Choices) -> ComposedSource:
    """The source of a directory of several networks; raises ExportError, see `HuggingFaceSource`."""
    family = COMPOSED_FAMILIES[task]
    load_config(directory, family.architecture)  # its components say what they cannot do, not what it cannot
    return family(directory, choices)


def load_source(directory: Path, task: TaskName, choices: Choices) -> HuggingFaceSource:
    """The source of a directory; raises ExportError, see `HuggingFaceSource`."""
    if task not in FAMILIES:
        raise ExportError(f"Hugging Face directories are not exported for {task}; see docs/tasks.md for what is.")
    return FAMILIES[task](directory, choices)
