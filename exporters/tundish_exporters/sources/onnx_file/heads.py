"""How a detector's outputs are read: where its boxes and scores stand, and what makes pixels and scores of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tundish_exporters.detector_hints import Background, BoxForm, BoxUnit
from tundish_exporters.onnx_hints import Activation

Form = Literal["corners", "centre", "oriented"]

VARIANCES = np.float32(0.1), np.float32(0.2)
"""By which the places and the sizes that are learnt of priors are divided."""
HALF = np.float32(0.5)
"""Of a cell, to its centre."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """Columns of an output of the network, as `[batch, rows, columns]`; see `Head.candidates_last` for the other form.

    The output is reshaped to `split`, transposed by `order`, reshaped to `rows`, and cut; each if it is given. In a
    shape, 0 is the extent that the output has, and -1 whatever is left.
    """

    output: str
    columns: tuple[int, int]
    split: tuple[int, ...] | None = None
    order: tuple[int, ...] | None = None
    rows: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Level:
    """A grid of cells over the image, each with some candidates."""

    stride: int
    """Pixels from one cell to the next."""
    height: int
    width: int
    """Of the grid, in cells."""
    each: int
    """Candidates of a cell."""
    anchors_first: bool
    """Whether all cells' first candidates come before all their second ones."""

    @property
    def cells(self) -> NDArray[np.float32]:
        """X and y of the cell of each candidate, `[candidates, 2]`."""
        y, x = np.indices((self.height, self.width), np.float32).reshape(2, -1)
        cells = np.stack([x, y], axis=1)
        return np.tile(cells, (self.each, 1)) if self.anchors_first else np.repeat(cells, self.each, axis=0)

    def spread(self, anchors: NDArray[np.float32]) -> NDArray[np.float32]:
        """The anchor of each candidate, `[candidates, 2]`, of `[each, 2]`."""
        cells = self.height * self.width
        return np.repeat(anchors, cells, axis=0) if self.anchors_first else np.tile(anchors, (cells, 1))


def levels_of(size: tuple[int, int], strides: Sequence[int], each: int, *, anchors_first: bool) -> tuple[Level, ...]:
    """The grids of these strides over an image of `size`."""
    return tuple(
        Level(stride, ceil(size[0] / stride), ceil(size[1] / stride), each, anchors_first) for stride in strides
    )


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Of the candidates of all levels, float32."""

    cells: NDArray[np.float32]
    """`[candidates, 2]`: x and y, in cells."""
    strides: NDArray[np.float32]
    """`[candidates, 1]`, in pixels."""
    anchors: NDArray[np.float32] | None
    """`[candidates, 2]`: width and height in pixels."""

    @classmethod
    def of(cls, levels: Sequence[Level], anchors: NDArray[np.float32] | None) -> Grid:
        """`anchors` are `[levels, each, 2]`."""
        cells = [level.cells for level in levels]
        strides = [np.full((len(each), 1), level.stride) for level, each in zip(levels, cells, strict=True)]
        spread = None
        if anchors is not None:
            spread = np.concatenate([level.spread(each) for level, each in zip(levels, anchors, strict=True)])
        return cls(np.concatenate(cells), np.concatenate(strides).astype(np.float32), spread)


@dataclass(frozen=True, slots=True)
class Letterbox:
    """What images lie on that a kind of network is commonly trained with."""

    padding: int
    placement: Literal["centre", "top-left"]


YOLO = Letterbox(114, "centre")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where candidates stand, by the outputs' shapes; the tuples have an element for each level, or one for all."""

    boxes: tuple[Numbers, ...]
    scores: tuple[Numbers, ...]
    objectness: tuple[Numbers, ...] = ()
    """Of one column, by which the scores are multiplied."""
    root_of_product: bool = False
    """Whether a score is the square root of that product."""
    more: tuple[Numbers, ...] = ()
    """What stands behind the labels and is read: an angle, or the weights of a mask's prototypes."""
    candidates_last: bool = False
    """Whether all of these are `[batch, columns, rows]`, and neither split nor transposed."""
    levels: tuple[Level, ...] = ()
    """Those that the shapes show; a single output may have some in a row."""
    form: BoxForm | None = None
    """What networks of this layout give; None if that is seen from the numbers alone."""
    background: Background = "none"
    letterbox: Letterbox | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Head:
    """Candidates, which are suppressed afterwards."""

    layout: Layout
    form: BoxForm
    unit: BoxUnit
    size: tuple[int, int]
    """Height and width of the network's input."""
    activation: Activation
    """What makes scores of the numbers of the labels, and of those of the background, which is cut off then. Unless it
    is `none`, a sigmoid makes the objectness and the places within cells."""
    background: Background
    grid: Grid | None = None
    """Of the forms that are not decoded."""

    @property
    def box_form(self) -> Form:
        """Of the boxes when they are decoded."""
        if self.form == "oriented":
            return "oriented"
        return "corners" if self.form in ("corners", "corners-yx", "distances") else "centre"

    @property
    def unit_scale(self) -> NDArray[np.float32]:
        """By which the four numbers of decoded boxes become pixels."""
        return _unit_scale(self.unit, self.size)

    @property
    def labels(self) -> slice:
        """Where those of the labels stand among the scores."""
        return {"first": slice(1, None), "last": slice(0, -1), "none": slice(0, None)}[self.background]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedHead:
    """Objects that the network has chosen itself."""

    boxes: Numbers
    scores: Numbers
    classes: Numbers
    """The last two have one column."""
    count: str | None = None
    """The output that says how many of the rows are objects."""
    more: Numbers | None = None
    """See `Layout.more`."""
    form: Literal["corners", "corners-yx", "oriented"] = "corners"
    unit: BoxUnit = "pixels"
    size: tuple[int, int]
    first_class: int = 0
    """The class of the first label."""
    letterbox: Letterbox | None = None

    @property
    def unit_scale(self) -> NDArray[np.float32]:
        """By which the four numbers of boxes become pixels."""
        return _unit_scale(self.unit, self.size)


def _unit_scale(unit: BoxUnit, size: tuple[int, int]) -> NDArray[np.float32]:
    height, width = size if unit == "shares" else (1, 1)
    return np.array([width, height, width, height], np.float32)
