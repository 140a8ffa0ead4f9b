"""OpenCV, which only the tasks of documents need: an extra of the package, loaded when such a model is."""

from __future__ import annotations

from types import ModuleType

from tundish.errors import BundleError


def load_opencv() -> ModuleType:
    """The module `cv2`, which computes on its caller's thread alone; raises BundleError if it is not installed.

    Its threads would take cores that the dispatcher has given to others, and be confined to the one that their first
    caller is pinned to. This holds for the whole process.
    """
    try:
        import cv2
    except ImportError:
        raise BundleError("Models of documents need OpenCV: pip install 'tundish[documents]'.") from None
    cv2.setNumThreads(1)
    return cv2
