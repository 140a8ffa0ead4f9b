"""Variants that were made, before they are measured and judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tundish.engines import Engine, load_file, obstacle
from tundish.manifest import EngineName, Precision
from tundish_exporters.quantize import Recipe

ENGINES: tuple[EngineName, ...] = ("onnx", "openvino")
FLOAT_NAME = "onnx-fp32-cpu"
"""Of the variant that all others are held against."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One ONNX file with an engine that runs it, which together may become a variant."""

    engine: EngineName
    precision: Precision
    path: Path
    recipe: str

    @property
    def name(self) -> str:
        """Of the variant in the manifest."""
        return f"{self.engine}-{self.precision}-cpu"

    def load(self, *, threads: int) -> Engine:
        """The candidate, loaded."""
        return load_file(self.engine, self.path, precision=self.precision, threads=threads)


def installed_engines(recipe: Recipe) -> list[EngineName]:
    """Those that can gain by a recipe and are here."""
    return [engine for engine in recipe.engines if obstacle(engine, recipe.precision) is None]


def openvino_floats(floating: Candidate, precisions: Sequence[Precision]) -> list[Candidate]:
    """The fp32 file by OpenVINO in fp32 and in bf16, of these precisions; what it cannot run here is left out."""
    rounded = replace(floating, precision="bf16", recipe=f"{floating.recipe}, computed in bf16")
    return [
        replace(candidate, engine="openvino")
        for candidate in (floating, rounded)
        if candidate.precision in precisions and obstacle("openvino", candidate.precision) is None
    ]
