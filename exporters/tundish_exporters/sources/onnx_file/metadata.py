"""What Ultralytics' exporters write into an ONNX file beside its graph."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from math import prod

import onnx

ORIENTED = "obb"
"""The task of boxes that are turned."""
_MASK = 32
"""Numbers of a mask."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """None, or empty, where the file does not say it in a form that can be read."""

    task: str = ""
    """`detect`, `segment`, `pose`, `obb` and the like."""
    more: int = 0
    """How many numbers a candidate has behind those of its labels: of a mask, of key points, or an angle."""
    image_size: tuple[int, int] | None = None
    """Height and width."""
    is_of_yolo: bool = False
    """Whether the exporter is one of those, so that images are read as YOLO reads them."""

    @classmethod
    def of(cls, model: onnx.ModelProto) -> Metadata:
        """Reads literals alone."""
        written = {entry.key: entry.value for entry in model.metadata_props}
        task = written.get("task", "")
        more = 0
        if task == "segment":
            more = _MASK
        elif task == "pose":
            more = prod(_pair(written.get("kpt_shape", "")) or (0,))
        elif task == ORIENTED:
            more = 1
        is_of_yolo = {"names", "stride"} <= written.keys()
        return cls(task, more, _pair(written.get("imgsz", "")), is_of_yolo)


def _pair(text: str) -> tuple[int, int] | None:
    try:
        first, second = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    return (first, second) if isinstance(first, int) and isinstance(second, int) and min(first, second) > 0 else None
