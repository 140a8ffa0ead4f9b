"""The Open Inference Protocol front: `NAME` is a model's pipeline, `NAME.engine` its bare engine."""

from tundish.server.open_inference.inference import InferenceMethods
from tundish.server.open_inference.models import ModelMethods
from tundish.server.open_inference.repository import RepositoryMethods
from tundish.server.open_inference.settings import SettingMethods
from tundish.server.open_inference.shared_memory import SharedMemoryMethods
from tundish.server.open_inference.statistics import StatisticsMethods

__all__ = ["OpenInferenceFront"]


class OpenInferenceFront(
    ModelMethods, InferenceMethods, StatisticsMethods, RepositoryMethods, SharedMemoryMethods, SettingMethods
):
    """The methods of `inference.GRPCInferenceService`, by their names on the wire."""
