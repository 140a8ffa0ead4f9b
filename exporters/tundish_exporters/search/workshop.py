"""Makes the files of recipes, each when it is first needed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from pathlib import Path

from tundish.engines import Arrays
from tundish_exporters.progress import Progress
from tundish_exporters.quantize.recipe import Recipe
from tundish_exporters.quantize.sensitivity import LayerError, layer_errors

_SENSITIVITY_INPUTS = 16
"""Errors of a layer differ little from input to input."""


class Workshop:
    """Files in a directory of its own."""

    def __init__(self, floating: Path, directory: Path, calibration: Sequence[Arrays], progress: Progress) -> None:
        self._floating = floating
        self._directory = directory
        self._calibration = calibration
        self._progress = progress
        self._made: dict[Recipe, Path] = {}
        self._prepared: dict[Recipe, Path] = {}
        self._numbers = count()

    def make(self, recipe: Recipe) -> Path:
        """The file of a recipe; raises ExportError if it cannot be made."""
        if recipe not in self._made:
            path = self._directory / f"{next(self._numbers)}.onnx"
            recipe.write(self._prepare(recipe), path, self._calibration, self._progress)
            self._made[recipe] = path
        return self._made[recipe]

    def errors(self, recipe: Recipe) -> list[LayerError]:
        """Of the layers that the recipe quantises, the worst first."""
        inputs = self._calibration[:_SENSITIVITY_INPUTS]
        return layer_errors(self._prepare(recipe), self.make(recipe), inputs, self._progress)

    def discard(self, recipe: Recipe) -> None:
        """Forgets a file that is not needed for now."""
        path = self._made.pop(recipe, None)
        if path is not None:
            for part in path.parent.glob(f"{path.name}*"):
                part.unlink()

    def _prepare(self, recipe: Recipe) -> Path:
        """The graph that a recipe names its layers in; recipes that differ in these alone share it."""
        whole = recipe.keeping(frozenset())
        if whole not in self._prepared:
            path = self._directory / f"{next(self._numbers)}-prepared.onnx"
            whole.prepare(self._floating, path)
            self._prepared[whole] = path
        return self._prepared[whole]
