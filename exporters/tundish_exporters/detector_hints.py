"""What a user says of a detector's ONNX file that neither its graph nor its answers show."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal, get_args

from tundish_exporters.errors import ExportError

BoxForm = Literal["centre", "corners", "corners-yx", "oriented", "offsets", "distances", "darknet", "yolov5", "priors"]
BoxUnit = Literal["pixels", "shares"]
Background = Literal["first", "last", "none"]
Suppression = Literal["inside", "outside"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorHints:
    """How a detector's outputs become objects; what is None is found from what it answers to made images."""

    threshold: float | None = None
    """The score that an object must be above; None is 0.25, that of YOLO's own scripts. A region of text must have at
    least this score; None is 0.5, as in RapidOCR."""
    iou: float = 0.45
    """The intersection over union with a better one above which an object is dropped."""
    class_agnostic: bool = False
    """Whether a better object drops one of another label, too."""
    nms: Suppression | None = None
    """Whether the network has dropped objects that overlap itself."""
    box_form: BoxForm | None = None
    """What the four numbers of a box are: `centre` (x, y, width, height), `corners` (x_min, y_min, x_max, y_max),
    `corners-yx` (y first), `oriented` (as `centre`, and behind the labels an angle in radians from the x axis to the y
    axis), or still undecoded, of a cell of a grid: `offsets` (YOLOX), `distances` to the edges, or with anchors, as
    `darknet` (v3 and v4), `yolov5` (v5 and v7) or `priors` (RetinaFace) decodes them."""
    box_unit: BoxUnit | None = None
    """Of boxes that are decoded: pixels of the network's input, or shares of it."""
    anchors: tuple[float, ...] | None = None
    """Width and height of each in pixels, those of the finest grid first: as Darknet's configuration lists them. None
    takes those of the family, if the grids are its."""
    background: Background | None = None
    """Where the class that stands for nothing is among the scores."""

    def __post_init__(self) -> None:
        if self.threshold is not None and not 0 <= self.threshold < 1:
            raise ExportError(f"A threshold is a score from 0 to below 1, got {self.threshold}.")
        if not 0 <= self.iou <= 1:
            raise ExportError(f"An intersection over union is from 0 to 1, got {self.iou}.")
        for name, known in _CHOICES.items():
            value = getattr(self, name)
            if value is not None and value not in known:
                raise ExportError(f"There is no {name} '{value}'; there are {', '.join(known)}.")
        if self.anchors is not None and (not self.anchors or len(self.anchors) % 2 or min(self.anchors) <= 0):
            raise ExportError(
                f"Anchors are widths and heights in pixels, got {len(self.anchors)} numbers, the smallest of them "
                f"{min(self.anchors, default=0):g}."
            )

    @property
    def said(self) -> list[str]:
        """The names of the fields that are not as they are by default."""
        return [each.name for each in fields(self) if getattr(self, each.name) != each.default]


_CHOICES = {
    "nms": get_args(Suppression),
    "box_form": get_args(BoxForm),
    "box_unit": get_args(BoxUnit),
    "background": get_args(Background),
}
