"""tundish: serves bundles, fine-tuned models that are quantised, measured and self-describing.

with tundish.open("models") as runtime:
    prediction = runtime.predict("photo-labels", image="cat.jpg")
"""

import os
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
    TextDetection,
    TextRanking,
    TextRecognition,
    TextRegion,
    TokenClassification,
)
from tundish.runtime import Runtime, open  # noqa: A004  # tundish.open, as io.open

# ONNX Runtime reports to Microsoft from when it is loaded, unasked, and leaves a number of this machine in ~/.cache. It
# asks this variable alone; nothing above loads it, and all that does imports this package first. Who has set it has
# decided otherwise.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

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
    "TextDetection",
    "TextRanking",
    "TextRecognition",
    "TextRegion",
    "TokenClassification",
    "TundishError",
    "__version__",
    "open",
]
