"""tundish: serves bundles, fine-tuned models that are quantised, measured and self-describing.

with tundish.open("models") as runtime:
    prediction = runtime.predict("photo-labels", image="cat.jpg")
"""

from importlib.metadata import version

from tundish.errors import TundishError
from tundish.results import (
    Entity,
    FeatureExtraction,
    ImageClassification,
    Label,
    Prediction,
    StageTimes,
    TextClassification,
    TokenClassification,
)
from tundish.runtime import Runtime, open  # noqa: A004  # tundish.open, as io.open

__version__ = version("tundish")

__all__ = [
    "Entity",
    "FeatureExtraction",
    "ImageClassification",
    "Label",
    "Prediction",
    "Runtime",
    "StageTimes",
    "TextClassification",
    "TokenClassification",
    "TundishError",
    "__version__",
    "open",
]
