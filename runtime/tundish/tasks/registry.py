"""The tasks there are, by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tundish.bundle import ComposedBundle
from tundish.errors import BundleError
from tundish.manifest import ModelSpec
from tundish.tasks import Task
from tundish.tasks.composed import ComposedTask
from tundish.tasks.document_question_answering import DocumentQuestionAnsweringTask
from tundish.tasks.document_reading import DocumentReadingTask
from tundish.tasks.feature_extraction import FeatureExtractionTask
from tundish.tasks.fill_mask import FillMaskTask
from tundish.tasks.image_classification import ImageClassificationTask, ZeroShotImageClassificationTask
from tundish.tasks.image_feature_extraction import ImageFeatureExtractionTask
from tundish.tasks.image_segmentation import ImageSegmentationTask
from tundish.tasks.object_detection import ObjectDetectionTask
from tundish.tasks.prompted_segmentation import PromptableSegmentationTask, PromptedSegmentationTask
from tundish.tasks.question_answering import QuestionAnsweringTask
from tundish.tasks.read_page_answering import ReadPageAnsweringTask
from tundish.tasks.sentence_similarity import SentenceSimilarityTask
from tundish.tasks.text_classification import TextClassificationTask
from tundish.tasks.text_detection import TextDetectionTask
from tundish.tasks.text_ranking import TextRankingTask
from tundish.tasks.text_recognition import TextRecognitionTask
from tundish.tasks.token_classification import TokenClassificationTask
from tundish.tasks.visual_question_answering import VisualQuestionAnsweringTask
from tundish.tasks.zero_shot import RequestedLabelsTask

TASKS: dict[str, type[Task[Any, Any]]] = {
    task.name: task
    for task in (
        ImageClassificationTask,
        TextClassificationTask,
        FeatureExtractionTask,
        ImageFeatureExtractionTask,
        ZeroShotImageClassificationTask,
        ObjectDetectionTask,
        TokenClassificationTask,
        ImageSegmentationTask,
        TextRankingTask,
        QuestionAnsweringTask,
        FillMaskTask,
        SentenceSimilarityTask,
        PromptedSegmentationTask,
        TextDetectionTask,
        TextRecognitionTask,
        VisualQuestionAnsweringTask,
        DocumentQuestionAnsweringTask,
    )
}

COMPOSED_TASKS: dict[str, type[ComposedTask[Any]]] = {
    task.name: task
    for task in (RequestedLabelsTask, PromptableSegmentationTask, DocumentReadingTask, ReadPageAnsweringTask)
}


def load_task(spec: ModelSpec, directory: Path) -> Task[Any, Any]:
    """The model's task, ready to pre- and post-process; raises BundleError if the bundle does not fit it."""
    task, rule = TASKS[spec.task], spec.preprocess
    if rule is not None and rule.reads not in task.reads:
        raise BundleError(f"{directory} reads {' and '.join(rule.reads)}, which no model for {task.name} does.")
    return task(spec, directory)


def load_composed_task(bundle: ComposedBundle) -> ComposedTask[Any]:
    """The same of a composed model."""
    manifest = bundle.manifest
    task = COMPOSED_TASKS.get(manifest.task)
    if task is None or manifest.reads not in task.reads:
        raise BundleError(
            f"{bundle.directory} is composed and reads {' and '.join(manifest.reads)}, which no such model for "
            f"{manifest.task} does."
        )
    return task(manifest, {name: component.manifest for name, component in bundle.components.items()})
