"""The recipe for transformers: int8 weights per channel, uint8 activations whose range each run finds for itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

from tundish.engines import Arrays
from tundish.manifest import EngineName, Precision
from tundish_exporters.progress import Progress
from tundish_exporters.quantize.preparing import prepare
from tundish_exporters.quantize.recipe import describe_keeping, name_keeping, one_sentence


@dataclass(frozen=True, kw_only=True)
class DynamicRecipe:
    """Matrix products, and embeddings if they are to be; needs no calibration."""

    narrow: bool = False
    """Weights of 7 bits, for processors that add products in 16 bits."""
    embeddings: bool = True
    kept: frozenset[str] = frozenset()

    precision: Precision = "int8"
    engines: tuple[EngineName, ...] = ("onnx",)
    """OpenVINO computes it as floats, more slowly than the float graph."""

    @property
    def name(self) -> str:
        """See `Recipe.name`."""
        name = f"dynamic-u8s{7 if self.narrow else 8}{'' if self.embeddings else '-float-embeddings'}"
        return name_keeping(name, self.kept)

    @property
    def description(self) -> str:
        """See `Recipe.description`."""
        weights = f"dynamic, weights {'7 bits' if self.narrow else 'int8'} per channel"
        return describe_keeping(weights if self.embeddings else f"{weights}, embeddings in float", self.kept)

    def keeping(self, layers: frozenset[str]) -> DynamicRecipe:
        """See `Recipe.keeping`."""
        return replace(self, kept=self.kept | layers)

    def prepare(self, source: Path, destination: Path) -> None:
        """See `Recipe.prepare`."""
        prepare(source, destination)

    def write(self, prepared: Path, destination: Path, calibration: Sequence[Arrays], progress: Progress) -> None:  # noqa: ARG002  # each run finds its own ranges
        """See `Recipe.write`."""
        progress("quantise", 0, 1)
        with one_sentence("dynamic quantisation"):
            quantize_dynamic(
                prepared,
                destination,
                op_types_to_quantize=["MatMul", "Gemm", *(["Gather"] if self.embeddings else [])],
                per_channel=True,
                reduce_range=self.narrow,
                weight_type=QuantType.QInt8,
                nodes_to_exclude=sorted(self.kept),
                # Types that shape inference cannot find are those of float activations.
                extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
            )
        progress("quantise", 1, 1)
