"""The recipe that leaves a transformer in fp32 and fuses its attention."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tundish.engines import Arrays
from tundish.manifest import EngineName, Precision
from tundish_exporters.progress import Progress
from tundish_exporters.quantize.fusing import fuse


@dataclass(frozen=True, kw_only=True)
class FusedRecipe:
    """The same numbers but for rounding; all of its layers are in float anyway."""

    name: ClassVar[str] = "fused"
    precision: ClassVar[Precision] = "fp32"
    engines: ClassVar[tuple[EngineName, ...]] = ("onnx",)
    description: ClassVar[str] = "attention fused by ONNX Runtime"

    def keeping(self, layers: frozenset[str]) -> FusedRecipe:  # noqa: ARG002
        """See `Recipe.keeping`."""
        return self

    def prepare(self, source: Path, destination: Path) -> None:
        """See `Recipe.prepare`."""
        fuse(source, destination)

    def write(self, prepared: Path, destination: Path, calibration: Sequence[Arrays], progress: Progress) -> None:  # noqa: ARG002  # nothing is rounded
        """See `Recipe.write`."""
        shutil.copyfile(prepared, destination)
