"""Variants that were made, before they are measured and judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tundish.engines import Arrays, Engine, check_tensors, load_file, obstacle
from tundish.errors import EngineError
from tundish.manifest import EngineName, ModelSpec, Precision


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


def openvino_candidates(made: Sequence[Candidate], *, bf16: bool) -> list[Candidate]:
    """The same files by OpenVINO, and with `bf16` the fp32 one in bf16 too; what it cannot run here is left out."""
    rounded = [
        replace(candidate, precision="bf16", recipe=f"{candidate.recipe}, computed in bf16")
        for candidate in made
        if candidate.precision == "fp32" and bf16
    ]
    return [
        replace(candidate, engine="openvino")
        for candidate in (*made, *rounded)
        if obstacle("openvino", candidate.precision) is None
    ]


def load_for_latency(
    candidates: Sequence[Candidate], spec: ModelSpec, sample: Arrays
) -> tuple[dict[Candidate, Engine], list[str]]:
    """Engines of one thread, and a warning for each candidate that has none.

    ONNX Runtime must take what was exported for it. OpenVINO may lack an operator or a datatype of the network; that
    costs the network its variants by OpenVINO.

    Raises:
        EngineError: ONNX Runtime does not take a file, or fails on the sample.
    """
    engines, warnings = {}, []
    for candidate in candidates:
        try:
            engine = candidate.load(threads=1)
            check_tensors(engine, spec, candidate.path)
            engine.run(sample)
        except EngineError as error:
            if candidate.engine == "onnx":
                raise
            warnings.append(f"There is no {candidate.name}: {error}")
        else:
            engines[candidate] = engine
    return engines, warnings
