"""The recipe that halves a file: weights and arithmetic in fp16, inputs and outputs as they were."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import onnx
from onnxruntime.transformers.float16 import convert_float_to_float16

from tundish.engines import Arrays
from tundish.manifest import EngineName, Precision
from tundish_exporters.progress import Progress
from tundish_exporters.quantize.preparing import name_nodes, prepare
from tundish_exporters.quantize.recipe import describe_keeping, name_keeping, one_sentence


@dataclass(frozen=True, kw_only=True)
class HalfRecipe:
    """Needs no calibration. A processor without fp16 computes it in fp32, of weights in fp16."""

    kept: frozenset[str] = frozenset()

    precision: ClassVar[Precision] = "fp16"
    engines: ClassVar[tuple[EngineName, ...]] = ("onnx", "openvino")

    @property
    def name(self) -> str:
        """See `Recipe.name`."""
        return name_keeping("fp16", self.kept)

    @property
    def description(self) -> str:
        """See `Recipe.description`."""
        return describe_keeping("weights in fp16, inputs and outputs in fp32", self.kept)

    def keeping(self, layers: frozenset[str]) -> HalfRecipe:
        """See `Recipe.keeping`."""
        return replace(self, kept=self.kept | layers)

    def prepare(self, source: Path, destination: Path, calibration: Sequence[Arrays], progress: Progress) -> None:  # noqa: ARG002  # folded alone
        """See `Recipe.prepare`."""
        prepare(source, destination)

    def write(self, prepared: Path, destination: Path, calibration: Sequence[Arrays], progress: Progress) -> None:  # noqa: ARG002  # values keep their places
        """See `Recipe.write`."""
        progress("convert to fp16", 0, 1)
        with one_sentence("conversion to fp16"), warnings.catch_warnings():
            # Values beyond fp16, such as those that attention masks by, become its largest; the gate sees what comes
            # of it.
            warnings.simplefilter("ignore")
            model = convert_float_to_float16(onnx.load(prepared), keep_io_types=True, node_block_list=sorted(self.kept))
            name_nodes(model.graph)
            onnx.save(model, destination)
        progress("convert to fp16", 1, 1)
