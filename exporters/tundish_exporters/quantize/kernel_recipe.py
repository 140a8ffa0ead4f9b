"""What recipes have in common of which tundish's own kernels compute layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from tundish.engines import Arrays
from tundish.manifest import EngineName, Precision
from tundish_exporters.progress import Progress
from tundish_exporters.quantize.recipe import Recipe

RecipeT = TypeVar("RecipeT", bound=Recipe)


@dataclass(frozen=True, kw_only=True)
class KernelRecipe(Generic[RecipeT]):
    """Another recipe's network, some of whose layers are kernels.

    Its file asks for the operators of `tundish_kernels.onnxruntime_library()`, which tundish's engine has loaded. Those
    that derive from this write it and describe it.
    """

    recipe: RecipeT

    @property
    def name(self) -> str:
        """See `Recipe.name`."""
        return f"{self.recipe.name}-kernels"

    @property
    def precision(self) -> Precision:
        """See `Recipe.precision`."""
        return self.recipe.precision

    @property
    def engines(self) -> tuple[EngineName, ...]:
        """See `Recipe.engines`."""
        return ("onnx",)

    def keeping(self, layers: frozenset[str]) -> Self:
        """See `Recipe.keeping`."""
        kept: Any = self.recipe.keeping(layers)
        return replace(self, recipe=kept)

    def prepare(self, source: Path, destination: Path, calibration: Sequence[Arrays], progress: Progress) -> None:
        """See `Recipe.prepare`."""
        self.recipe.prepare(source, destination, calibration, progress)
