"""The tasks there are, by name."""

from __future__ import annotations

from typing import Any

from tundish.bundle import Bundle
from tundish.tasks import Task
from tundish.tasks.feature_extraction import FeatureExtractionTask
from tundish.tasks.image_classification import ImageClassificationTask
from tundish.tasks.text_classification import TextClassificationTask

TASKS: dict[str, type[Task[Any, Any]]] = {
    task.name: task for task in (ImageClassificationTask, TextClassificationTask, FeatureExtractionTask)
}


def load_task(bundle: Bundle) -> Task[Any, Any]:
    """The bundle's task, ready to pre- and post-process; raises BundleError if the bundle does not fit it."""
    return TASKS[bundle.manifest.task](bundle)
