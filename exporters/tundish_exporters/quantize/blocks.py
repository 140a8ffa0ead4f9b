"""Recipes that keep weights in blocks of few bits, each with a scale of its own; activations stay in float."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import onnx

from tundish.engines import Arrays
from tundish.manifest import EngineName, Precision
from tundish_exporters.progress import Progress
from tundish_exporters.quantize.block_products import Bits, BlockProducts
from tundish_exporters.quantize.preparing import prepare
from tundish_exporters.quantize.recipe import describe_keeping, name_keeping, one_sentence


@dataclass(frozen=True, kw_only=True)
class BlockRecipe:
    """Weights of matrix products; needs no calibration. ONNX Runtime multiplies them as they are."""

    bits: Bits
    block: int = 32
    """Weights that share a scale, a power of two from 16; the smaller, the more exact and the larger the file."""
    kept: frozenset[str] = frozenset()

    engines: ClassVar[tuple[EngineName, ...]] = ("onnx",)
    """OpenVINO takes it, too, and is no faster by it."""

    @property
    def precision(self) -> Precision:
        """See `Recipe.precision`."""
        return "int4" if self.bits == 4 else "int8"

    @property
    def name(self) -> str:
        """See `Recipe.name`."""
        return name_keeping(f"weights-int{self.bits}-block{self.block}", self.kept)

    @property
    def description(self) -> str:
        """See `Recipe.description`."""
        return describe_keeping(f"weights alone, int{self.bits} in blocks of {self.block}", self.kept)

    def keeping(self, layers: frozenset[str]) -> BlockRecipe:
        """See `Recipe.keeping`."""
        return replace(self, kept=self.kept | layers)

    def prepare(self, source: Path, destination: Path, calibration: Sequence[Arrays], progress: Progress) -> None:  # noqa: ARG002  # folded alone
        """See `Recipe.prepare`."""
        prepare(source, destination)

    def write(self, prepared: Path, destination: Path, calibration: Sequence[Arrays], progress: Progress) -> None:  # noqa: ARG002  # weights alone
        """See `Recipe.write`."""
        progress("quantise", 0, 1)
        with one_sentence("quantisation of weights"):
            model = onnx.load(prepared)
            self._quantize(model)
            onnx.save(model, destination)
        progress("quantise", 1, 1)

    def _quantize(self, model: onnx.ModelProto) -> None:
        products = BlockProducts(model, self.bits, self.block)
        for node in model.graph.node:
            if node.op_type == "MatMul" and node.name not in self.kept:
                products.replace(node)
        products.finish()
