"""tundish: serves bundles, fine-tuned models that are quantised, measured and self-describing.

with tundish.open("models") as runtime:
    prediction = runtime.predict("photo-labels", image="cat.jpg")
"""

from importlib.metadata import version

from tundish.errors import TundishError
from tundish.results import (
    Box,
    DetectedObject,
    FeatureExtraction,
    ImageClassification,
    Label,
    ObjectDetection,
    Prediction,
    StageTimes,
    TextClassification,
)
from tundish.runtime import Runtime, open  # noqa: A004  # tundish.open, as io.open

__version__ = version("tundish")

__all__ = [
    "Box",
    "DetectedObject",
    "FeatureExtraction",
    "ImageClassification",
    "Label",
    "ObjectDetection",
    "Prediction",
    "Runtime",
    "StageTimes",
    "TextClassification",
    "TundishError",
    "__version__",
    "open",
]
