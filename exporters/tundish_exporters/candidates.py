"""A variant that was made, before it is measured and judged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tundish.engines.onnx import OnnxEngine
from tundish.manifest import Precision


@dataclass(frozen=True, slots=True)
class Candidate:
    """One ONNX file that may become a variant."""

    precision: Precision
    path: Path
    recipe: str

    @property
    def name(self) -> str:
        """Of the variant in the manifest."""
        return f"onnx-{self.precision}-cpu"

    def engine(self, *, threads: int) -> OnnxEngine:
        """The candidate, loaded."""
        return OnnxEngine(self.path, threads=threads)
