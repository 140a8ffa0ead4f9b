"""`tundish tune` without its face: measures every placement of a version, and keeps the best."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tundish.bundle import Bundle
from tundish.placement.availability import on_this_machine
from tundish.placement.figures import Measured, best, pareto_front
from tundish.placement.measuring import measure
from tundish.placement.samples import made_inputs, read_inputs
from tundish.placement.search import Progress, all_placements, successive_halving
from tundish.placement.store import Choice, PlacementStore
from tundish.scheduling import Cores


@dataclass(frozen=True, slots=True)
class Tuned:
    """What came of it."""

    choice: Choice
    measured: list[Measured]
    """Every placement that runs; those that were left behind early, for a short time only."""
    front: list[Measured]
    """Of these, those that no other beats in throughput without a higher p99; the lowest p99 first."""
    path: Path | None
    """Where the choice is kept; None if the repository cannot be written."""


def tune(
    repository: Path,
    bundle: Bundle,
    *,
    seconds: float,
    inputs: Path | None,
    slo_milliseconds: float | None,
    on_progress: Progress,
) -> Tuned:
    """Measures for `seconds`, loading not counted, on `inputs` (see `read_inputs`) or made ones.

    Raises:
        InvalidInputError: the inputs cannot be read.
        BundleError: the bundle does not fit its task.
        EngineError: no placement runs.
    """
    bundle = on_this_machine(bundle)
    store = PlacementStore(repository)
    items = made_inputs(bundle) if inputs is None else read_inputs(bundle, inputs)
    cores = Cores(store.machine.cores)
    try:
        finalists, measured = successive_halving(
            all_placements(bundle.manifest, store.machine.cores),
            partial(measure, bundle, items, cores),
            seconds=seconds,
            slo_milliseconds=slo_milliseconds,
            on_progress=on_progress,
        )
    finally:
        cores.close()
    choice = Choice.of(
        bundle.manifest,
        best(finalists, slo_milliseconds),
        store.machine,
        chosen_by="tune",
        inputs="made" if inputs is None else str(inputs),
        slo_milliseconds=slo_milliseconds,
    )
    return Tuned(choice, measured, pareto_front(measured), store.keep(choice))
