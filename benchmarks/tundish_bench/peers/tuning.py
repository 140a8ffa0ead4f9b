"""How a peer runs a model: what is set the same for all, and what each does best with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """Of one peer on one workload."""

    instances: int
    """Processes of each model, each with an engine of one thread; of a pool that all models share, its size."""
    max_batch_size: int = 1
    """Items of one run of the engine; with 1, the peer does not batch."""
    max_wait_milliseconds: int = 1
    """How long a batch waits for its next item, where the peer waits at all."""
