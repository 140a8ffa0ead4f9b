"""The first convolution of a network of images in integers: what pixels it reads, and in which form."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import onnx

from tundish.engines import Arrays
from tundish_exporters.quantize.biases import with_biases
from tundish_exporters.quantize.pixels import WholePixels, find_grid, use_whole_pixels
from tundish_exporters.quantize.ranges import Range, range_of_input
from tundish_exporters.quantize.stem import Stem, find_stem, widen

StemForm = Literal["float", "plain", "blocks"]
"""Of the first convolution: left in float; in integers as it is, which OpenVINO has a way for; or reading several
columns as one, which is how ONNX Runtime's integers take few channels."""


@dataclass(frozen=True, slots=True)
class FirstLayer:
    """In integers, from `in_integers` on; the graph is quantised between that and `finish`."""

    form: StemForm
    stem: Stem
    whole: WholePixels | None

    @property
    def node(self) -> str:
        """The name of the convolution."""
        return self.stem.node

    def range(self, inputs: Sequence[Arrays]) -> tuple[str, Range]:
        """The tensor that it reads, and the values it may have; of what pixels may be, nothing is an outlier."""
        if self.whole is not None:
            return self.whole.tensor, self.whole.range
        return self.stem.input, range_of_input(inputs, self.stem.input)

    def finish(self, graph: onnx.GraphProto) -> None:
        """Of the graph in Q/DQ form."""
        if self.whole is not None:
            self.whole.finish(graph)
        if self.form == "blocks":
            widen(graph, self.stem)


def in_integers(
    graph: onnx.GraphProto, form: StemForm, kept: Collection[str], inputs: Sequence[Arrays]
) -> FirstLayer | None:
    """Changes a float graph so that its first convolution reads whole pixels; None if that is to stay in float.

    So it does where it is among those kept, or is no layer that `find_stem` finds.
    """
    stem = None if form == "float" else find_stem(graph)
    if stem is None or stem.node in kept:
        return None
    grid = find_grid(inputs, stem.input)
    convolution = next(node for node in graph.node if node.name == stem.node)
    whole = use_whole_pixels(graph, convolution, grid) if grid and with_biases(graph, [convolution]) else None
    return FirstLayer(form, stem, whole)
