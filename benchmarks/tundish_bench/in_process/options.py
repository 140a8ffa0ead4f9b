"""What `tundish bench --engines` may be told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tundish.placement.machine import usable_cores
from tundish_bench.errors import BenchmarkError


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """Which variants are measured, and how long."""

    version: int | None = None
    """Of the model; None is the highest."""
    variants: tuple[str, ...] = ()
    """By name; none are all that may be served."""
    baseline: str | None = None
    """The variant that speeds are divided by; None is ONNX Runtime's in fp32."""
    batch_sizes: tuple[int, ...] = (1,)
    threads: int | None = None
    """Of each engine, the caller's included; None is one for each core."""
    inputs: Path | None = None
    """A directory of images, a file with a text a line, or an .npz file of rows of tensors; None is made up."""
    rounds: int = 10
    """Repeats, which intervals are taken over."""
    seconds: float = 0.5
    """Of the baseline's calls in a round, with all that comes before its engine; the others make as many calls."""
    loads: int = 3
    """How often each variant is loaded in a process of its own."""

    def check(self) -> None:
        """Raises BenchmarkError if a number is not possible."""
        for name, value, least in (
            ("rounds", self.rounds, 2),
            ("loads", self.loads, 1),
            *(("batch size", size, 1) for size in self.batch_sizes),
        ):
            if value < least:
                raise BenchmarkError(f"The {name} must be {least} or more, got {value}.")
        if not 0 < self.seconds < 3600:
            raise BenchmarkError(
                f"The seconds of a round must be more than 0 and less than 3600, got {self.seconds:g}."
            )
        if not self.batch_sizes or len(set(self.batch_sizes)) < len(self.batch_sizes):
            raise BenchmarkError(f"Give each batch size once, got {list(self.batch_sizes)}.")
        # More would wait for each other, and whatever is measured so is not the engine.
        if not 1 <= self.thread_count <= usable_cores():
            raise BenchmarkError(
                f"The threads must be 1 to {usable_cores()}, the cores that this process may use, got {self.threads}."
            )

    @property
    def thread_count(self) -> int:
        """Of each engine."""
        return usable_cores() if self.threads is None else self.threads
