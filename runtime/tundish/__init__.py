"""tundish: serves bundles, fine-tuned models that are quantised, measured and self-describing.

with tundish.open("models") as runtime:
    prediction = runtime.predict("photo-labels", image="cat.jpg")
"""

from importlib.metadata import version

from tundish.errors import TundishError
from tundish.results import (
    Box,
    DetectedObject,
    Entity,
    FeatureExtraction,
    ImageClassification,
    Label,
    ObjectDetection,
    Prediction,
    StageTimes,
    TextClassification,
    TokenClassification,
)
from tundish.runtime import Runtime, open  # noqa: A004  # tundish.open, as io.open

__version__ = version("tundish")

__all__ = [
    "Box",
    "DetectedObject",
    "Entity",
    "FeatureExtraction",
    "ImageClassification",
    "Label",
    "ObjectDetection",
    "Prediction",
    "Runtime",
    "StageTimes",
    "TextClassification",
    "TokenClassification",
    "TundishError",
    "__version__",
    "open",
]
