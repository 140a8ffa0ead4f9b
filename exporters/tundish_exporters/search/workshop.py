"""Makes the files of recipes, each when it is first needed."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from tundish.engines import Arrays
from tundish_exporters.progress import Progress
from tundish_exporters.quantize import Recipe, apply
from tundish_exporters.quantize.kernel_recipe import KernelRecipe
from tundish_exporters.quantize.sensitivity import LayerError, layer_errors

_SENSITIVITY_INPUTS = 16
"""Errors of a layer differ little from input to input."""


class Workshop:
    """Puts the files beside the float one; each has the name of its recipe."""

    def __init__(self, floating: Path, calibration: Sequence[Arrays], progress: Progress) -> None:
        self._floating = floating
        self._calibration = calibration
        self._progress = progress
        self._errors: dict[Recipe, list[LayerError]] = {}

    @property
    def directory(self) -> Path:
        """Where the files lie."""
        return self._floating.parent

    def make(self, recipe: Recipe) -> Path:
        """The file of a recipe; raises ExportError if it cannot be made."""
        path = self._path(recipe)
        if not path.exists():
            apply(recipe, self._floating, path, self._calibration, self._progress)
        return path

    def errors(self, recipe: Recipe) -> list[LayerError]:
        """Of the layers that the recipe quantises, the worst first.

        Kernels change none of them, and hide them from who compares nodes.

        Raises:
            ExportError: its file cannot be made.
            EngineError: ONNX Runtime does not take its layers beside the float ones.
        """
        if isinstance(recipe, KernelRecipe):
            recipe = recipe.recipe
        if recipe not in self._errors:
            quantised, inputs = self.make(recipe), self._calibration[:_SENSITIVITY_INPUTS]
            with tempfile.TemporaryDirectory(dir=self._floating.parent) as scratch:
                prepared = Path(scratch) / "prepared.onnx"
                recipe.prepare(self._floating, prepared, self._calibration, self._progress)
                self._errors[recipe] = layer_errors(prepared, quantised, inputs, self._progress)
        return self._errors[recipe]

    def discard(self, recipe: Recipe) -> None:
        """Removes a file that is not needed for now; it can be made again."""
        path = self._path(recipe)
        for part in path.parent.glob(f"{path.name}*"):
            part.unlink()

    def _path(self, recipe: Recipe) -> Path:
        return self._floating.with_name(f"{recipe.name}.onnx")
