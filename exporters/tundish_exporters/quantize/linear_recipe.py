"""Recipes of which tundish's own kernels compute a transformer's layers."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnxruntime.quantization.onnx_model import ONNXModel

from tundish.engines import Arrays
from tundish_exporters.errors import ExportError
from tundish_exporters.progress import Progress
from tundish_exporters.quantize.dynamic import EMBEDDINGS, DynamicRecipe, quantise
from tundish_exporters.quantize.kernel_recipe import KernelRecipe
from tundish_exporters.quantize.linears import use_linear_kernels
from tundish_exporters.quantize.recipe import one_sentence


@dataclass(frozen=True, kw_only=True)
class LinearKernelRecipe(KernelRecipe[DynamicRecipe]):
    """A dynamic recipe's network whose products, attention and what is around them are kernels.

    The figures stand in docs/decisions/2026-11-28-transformer-kernels.md.
    """

    @property
    def description(self) -> str:
        """See `Recipe.description`."""
        return f"{self.recipe.description}, ranges per token, by tundish's kernels"

    def write(self, prepared: Path, destination: Path, calibration: Sequence[Arrays], progress: Progress) -> None:  # noqa: ARG002  # ranges are found by each run
        """See `Recipe.write`; ExportError if kernels compute none of its layers."""
        progress("quantise", 0, 1)
        with tempfile.TemporaryDirectory(dir=destination.parent) as scratch, one_sentence("using kernels"):
            model = onnx.load(prepared)
            if not use_linear_kernels(model, self.recipe.kept):
                raise ExportError("No product by constant weights is one that a kernel computes.")
            file = Path(scratch) / destination.name
            ONNXModel(model).save_model_to_file(file, False)
            # Attention of a form that the kernel has not becomes ONNX Runtime's in integers.
            quantise(file, destination, ["Attention", *(EMBEDDINGS if self.recipe.embeddings else [])], self.recipe)
        progress("quantise", 1, 1)
