"""The tasks there are, by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tundish.errors import BundleError
from tundish.manifest import ModelSpec
from tundish.tasks import Task
from tundish.tasks.document_question_answering import DocumentQuestionAnsweringTask
from tundish.tasks.feature_extraction import FeatureExtractionTask
from tundish.tasks.fill_mask import FillMaskTask
from tundish.tasks.image_classification import ImageClassificationTask, ZeroShotImageClassificationTask
from tundish.tasks.image_feature_extraction import ImageFeatureExtractionTask
from tundish.tasks.image_segmentation import ImageSegmentationTask
from tundish.tasks.object_detection import ObjectDetectionTask
from tundish.tasks.question_answering import QuestionAnsweringTask
from tundish.tasks.sentence_similarity import SentenceSimilarityTask
from tundish.tasks.text_classification import TextClassificationTask
from tundish.tasks.text_ranking import TextRankingTask
from tundish.tasks.token_classification import TokenClassificationTask
from tundish.tasks.visual_question_answering import VisualQuestionAnsweringTask

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
        VisualQuestionAnsweringTask,
        DocumentQuestionAnsweringTask,
    )
}


def load_task(spec: ModelSpec, directory: Path) -> Task[Any, Any]:
    """The model's task, ready to pre- and post-process; raises BundleError if the bundle does not fit it."""
    task, rule = TASKS[spec.task], spec.preprocess
    if rule is not None and rule.reads not in task.reads:
        raise BundleError(f"{directory} reads {' and '.join(rule.reads)}, which no model for {task.name} does.")
    return task(spec, directory)
