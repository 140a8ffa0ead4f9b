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
    FilledToken,
    FillMask,
    FoundAnswer,
    ImageClassification,
    Label,
    ObjectDetection,
    Point,
    Prediction,
    QuestionAnswering,
    SentenceSimilarity,
    StageTimes,
    TextClassification,
    TextRanking,
    TokenClassification,
)
from tundish.runtime import Runtime, open  # noqa: A004  # tundish.open, as io.open

__version__ = version("tundish")

__all__ = [
    "Box",
    "DetectedObject",
    "Entity",
    "FeatureExtraction",
    "FillMask",
    "FilledToken",
    "FoundAnswer",
    "ImageClassification",
    "Label",
    "ObjectDetection",
    "Point",
    "Prediction",
    "QuestionAnswering",
    "Runtime",
    "SentenceSimilarity",
    "StageTimes",
    "TextClassification",
    "TextRanking",
    "TokenClassification",
    "TundishError",
    "__version__",
    "open",
]
