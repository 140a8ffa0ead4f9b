"""The recipe for transformers: int8 weights per channel, uint8 activations whose range each run finds for itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

from tundish.engines import Arrays
from tundish.manifest import EngineName, Precision
from tundish_exporters.progress import Progress
from tundish_exporters.quantize.fusing import fuse
from tundish_exporters.quantize.preparing import prepare
from tundish_exporters.quantize.recipe import describe_keeping, name_keeping, one_sentence
from tundish_exporters.quantize.smoothing import smooth

EMBEDDINGS = ("Gather", "EmbedLayerNormalization")


@dataclass(frozen=True, kw_only=True)
class DynamicRecipe:
    """Matrix products, and embeddings if they are to be; needs calibration only to smooth."""

    narrow: bool = False
    """Weights of 7 bits, for processors that add products in 16 bits."""
    embeddings: bool = True
    smoothing: float | None = None
    """How much of the activations' outliers goes to the weights of matrix products; see `smooth`."""
    fused: bool = False
    """Whether attention is fused by ONNX Runtime first, and quantised as a whole."""
    kept: frozenset[str] = frozenset()

    precision: ClassVar[Precision] = "int8"
    engines: ClassVar[tuple[EngineName, ...]] = ("onnx",)
    """OpenVINO computes it as floats, more slowly than the float graph."""

    @property
    def name(self) -> str:
        """See `Recipe.name`."""
        parts = [
            *(["fused"] if self.fused else []),
            f"dynamic-u8s{7 if self.narrow else 8}",
            *([] if self.embeddings else ["float-embeddings"]),
            *([] if self.smoothing is None else [f"smooth-{self.smoothing}"]),
        ]
        return name_keeping("-".join(parts), self.kept)

    @property
    def description(self) -> str:
        """See `Recipe.description`."""
        parts = [
            "dynamic",
            f"weights {'7 bits' if self.narrow else 'int8'} per channel",
            *([] if self.embeddings else ["embeddings in float"]),
            *([] if self.smoothing is None else [f"SmoothQuant {self.smoothing}"]),
            *(["attention fused"] if self.fused else []),
        ]
        return describe_keeping(", ".join(parts), self.kept)

    def keeping(self, layers: frozenset[str]) -> DynamicRecipe:
        """See `Recipe.keeping`."""
        return replace(self, kept=self.kept | layers)

    def prepare(self, source: Path, destination: Path, calibration: Sequence[Arrays], progress: Progress) -> None:
        """See `Recipe.prepare`."""
        if self.fused:
            fuse(source, destination)
        else:
            prepare(source, destination)
        if self.smoothing is not None:
            with one_sentence("smoothing"):
                smooth(destination, calibration, progress, strength=self.smoothing)

    def write(self, prepared: Path, destination: Path, calibration: Sequence[Arrays], progress: Progress) -> None:  # noqa: ARG002  # ranges are found by each run
        """See `Recipe.write`."""
        progress("quantise", 0, 1)
        with one_sentence("dynamic quantisation"):
            quantise(
                prepared, destination, ["MatMul", "Gemm", "Attention", *(EMBEDDINGS if self.embeddings else [])], self
            )
        progress("quantise", 1, 1)


def quantise(source: Path, destination: Path, operators: Sequence[str], recipe: DynamicRecipe) -> None:
    """Writes a graph with the weights of these operators in integers, as a recipe has them."""
    quantize_dynamic(
        source,
        destination,
        op_types_to_quantize=list(operators),
        per_channel=True,
        reduce_range=recipe.narrow,
        weight_type=QuantType.QInt8,
        nodes_to_exclude=sorted(recipe.kept),
        # Types that shape inference cannot find are those of float activations.
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
    )
