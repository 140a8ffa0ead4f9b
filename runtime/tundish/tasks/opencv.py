"""OpenCV, which only the tasks of documents need: an extra of the package, loaded when such a model is."""

from __future__ import annotations

from types import ModuleType

from tundish.errors import BundleError


def load_opencv() -> ModuleType:
    """The module `cv2`; raises BundleError if it is not installed."""
    try:
        import cv2
    except ImportError:
        raise BundleError("Models of documents need OpenCV: pip install 'tundish[documents]'.") from None
    return cv2
