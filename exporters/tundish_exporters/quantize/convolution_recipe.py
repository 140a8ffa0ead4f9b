"""Recipes of which tundish's own kernels compute convolutions."""

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
from tundish_exporters.quantize.kernel_recipe import KernelRecipe
from tundish_exporters.quantize.kernels import use_kernels
from tundish_exporters.quantize.recipe import one_sentence
from tundish_exporters.quantize.static import StaticRecipe


@dataclass(frozen=True, kw_only=True)
class ConvolutionKernelRecipe(KernelRecipe[StaticRecipe]):
    """A static recipe's network whose convolutions are kernels, bit for bit: stem and depthwise ones.

    The figures stand in docs/decisions/2026-11-28-convolution-kernels.md and 2026-11-28-dense-convolutions.md.
    """

    dense: bool = False
    """Whether they compute those that read all channels, too."""

    @property
    def name(self) -> str:
        """See `Recipe.name`."""
        return f"{self.recipe.name}-{'dense-' if self.dense else ''}kernels"

    @property
    def description(self) -> str:
        """See `Recipe.description`."""
        computed = "convolutions" if self.dense else "depthwise convolutions and stem"
        return f"{self.recipe.description}, {computed} by tundish's kernels"

    def write(self, prepared: Path, destination: Path, calibration: Sequence[Arrays], progress: Progress) -> None:
        """See `Recipe.write`; ExportError if kernels compute none of its layers."""
        with tempfile.TemporaryDirectory(dir=destination.parent) as scratch:
            stock = Path(scratch) / destination.name
            self.recipe.write(prepared, stock, calibration, progress)
            with one_sentence("using kernels"):
                model = onnx.load(stock)
                if not use_kernels(model, dense=self.dense):
                    raise ExportError("No convolution reads and gives integers in a way that a kernel computes.")
                ONNXModel(model).save_model_to_file(destination, False)
