"""Places a version that is being loaded: as it was chosen before, or by measuring for a few seconds."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path

from tundish.bundle import Bundle
from tundish.errors import TundishError
from tundish.manifest import Manifest
from tundish.memory import give_back_memory
from tundish.placement.availability import on_this_machine
from tundish.placement.figures import Measurement, best
from tundish.placement.machine import other_work
from tundish.placement.measuring import measure
from tundish.placement.placement import Placement, unmeasured
from tundish.placement.samples import made_inputs
from tundish.placement.search import core_placements, successive_halving
from tundish.placement.store import Choice, PlacementStore
from tundish.scheduling import Cores

MEASURED_SECONDS = 2.0
"""What a version costs when it is loaded for the first time, its loading not counted."""

MOST_SECONDS = 20.0
"""A model whose every placement takes so long to run each instance's first batches that a server would start late is
not measured either; and one that was not measured in this time is not measured to the end."""

QUICK_MILLISECONDS = 1.0
"""A model whose item takes less, by the exporter's measurement, is not measured: it is no engine that keeps it busy."""

CLEARLY_BETTER = 1.1
"""By which another placement must be faster than an instance a core of the fastest variant; a short run cannot tell
less, and what other work on the machine makes seem better for a moment would be kept."""

_LOG = logging.getLogger(__name__)


class _TooLongError(Exception):
    """Measuring is given up."""


class Placer:
    """Places the versions of a repository on this process's cores."""

    def __init__(self, repository: Path, cores: Cores, *, instances: int | None) -> None:
        """With `instances`, nothing is looked up or measured: each version gets so many, of one thread each."""
        self._cores = cores
        self._instances = instances
        self._store = PlacementStore(repository)

    def place(self, bundle: Bundle) -> Placement:
        """Says in the log what was chosen, and why.

        Raises:
            BundleError: the bundle does not fit its task.
            EngineError: none of its variants can run here.
        """
        # A choice is of a machine with the same engines, so that its variant runs here.
        if self._instances is None and (choice := self._store.find(bundle.manifest)):
            _log(choice)
            return choice.placement
        bundle = on_this_machine(bundle)
        manifest = bundle.manifest
        if self._instances is not None:
            return unmeasured(manifest, self._instances)
        plain = unmeasured(manifest, self._store.machine.cores)
        candidates = core_placements(manifest, self._store.machine.cores)
        if (
            not manifest.takes_items
            or len(candidates) == 1
            or manifest.servable[0].latency.median_milliseconds < QUICK_MILLISECONDS
        ):
            return plain
        if _measuring_seconds(manifest, candidates) > MOST_SECONDS:
            _LOG.info(
                "'%s' version %d is not measured, which would take long: `tundish tune` does it.",
                manifest.model,
                manifest.version,
            )
            return plain
        if (share := other_work()) is not None:
            _LOG.info(
                "'%s' version %d is not measured, as other work takes %.0f %% of the cores: `tundish tune` does it "
                "on a quiet machine, or the next start.",
                manifest.model,
                manifest.version,
                100 * share,
            )
            return plain
        _LOG.info("'%s' version %d is measured for %g seconds.", manifest.model, manifest.version, MEASURED_SECONDS)
        try:
            choice = self._measured(bundle, candidates)
        except TundishError as error:
            _LOG.warning("'%s' version %d could not be measured. %s", manifest.model, manifest.version, error)
            return plain
        except _TooLongError:
            _LOG.warning(
                "'%s' version %d could not be measured in %g seconds: `tundish tune` does it, or the next start.",
                manifest.model,
                manifest.version,
                MOST_SECONDS,
            )
            return plain
        finally:
            give_back_memory()
        _log(choice)
        self._store.keep(choice)
        return choice.placement

    def _measured(self, bundle: Bundle, candidates: list[Placement]) -> Choice:
        items = made_inputs(bundle)
        give_up = time.monotonic() + MOST_SECONDS

        def measure_in_time(placement: Placement, seconds: float) -> Measurement:
            if time.monotonic() > give_up:
                raise _TooLongError
            return measure(bundle, items, self._cores, placement, seconds)

        finalists, measured = successive_halving(candidates, measure_in_time, seconds=MEASURED_SECONDS)
        found = best(finalists, None)
        usual = next((each for each in measured if each.placement == candidates[0]), found)
        if found.figures.items_per_second < CLEARLY_BETTER * usual.figures.items_per_second:
            found = usual
        return Choice.of(bundle.manifest, found, self._store.machine, chosen_by="first load")


def _measuring_seconds(manifest: Manifest, candidates: Sequence[Placement]) -> float:
    """About how long the candidates take for the two batches of each instance that are the least there is."""
    milliseconds = {variant.name: variant.latency.median_milliseconds for variant in manifest.servable}
    return sum(2 * each.max_batch_size * milliseconds[each.variant] for each in candidates) * 1e-3


def _log(choice: Choice) -> None:
    _LOG.info(
        "'%s' version %d is placed as %s: %.1f items a second with a p99 of %.1f ms, measured by %s on %s.",
        choice.model,
        choice.version,
        choice.placement,
        choice.figures.items_per_second,
        choice.figures.p99_milliseconds,
        "the first load" if choice.chosen_by == "first load" else "`tundish tune`",
        f"{choice.chosen_at:%Y-%m-%d}",
    )
