"""Which placements are worth measuring, and how the time is spent on them: by successive halving.

Jamieson and Talwalkar, 2016: all get a short run, the better half gets one that is twice as long, and so on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from tundish.errors import EngineError, TundishError
from tundish.manifest import Manifest
from tundish.placement.figures import Figures, Measured, Measurement, ranked
from tundish.placement.placement import Placement

_LOG = logging.getLogger(__name__)

BATCH_SIZES = (1, 2, 4, 8)

_FAR_BEHIND = 2.0
"""How much longer than the fastest variant one took on the exporter's machine that a server's need not try at once."""

Measure = Callable[[Placement, float], Measurement]
"""Measures a placement for so many seconds, loading not counted; raises TundishError if it does not run."""

Progress = Callable[[float, str], None]
"""Called with the share of the time that is spent, and what is measured now."""


def silent(share: float, description: str) -> None:
    """The progress of callers that show none."""


def all_placements(manifest: Manifest, cores: int) -> list[Placement]:
    """Every variant that may be served, in every batch size that it takes, on all cores and on half of them."""
    budgets = sorted({cores, max(1, cores // 2)}, reverse=True)
    shapes = dict.fromkeys(shape for budget in budgets for shape in _shapes(budget))
    return [
        Placement(variant=variant.name, instances=instances, threads=threads, max_batch_size=size)
        for variant in manifest.servable
        for instances, threads in shapes
        for size in (BATCH_SIZES if manifest.takes_batches else (1,))
    ]


def core_placements(manifest: Manifest, cores: int) -> list[Placement]:
    """What the exporter found best of each engine, on all cores, divided in every way; without those far behind.

    The first is an instance a core of the fastest variant.
    """
    fastest: dict[str, str] = {}
    longest = _FAR_BEHIND * manifest.servable[0].latency.median_milliseconds
    for variant in manifest.servable:
        if variant.latency.median_milliseconds <= longest:
            fastest.setdefault(variant.engine, variant.name)
    return [
        Placement(
            variant=name,
            instances=instances,
            threads=threads,
            max_batch_size=manifest.serving.max_batch_size,
        )
        for name in fastest.values()
        for instances, threads in _shapes(cores)
    ]


def successive_halving(
    candidates: Sequence[Placement],
    measure: Measure,
    *,
    seconds: float,
    slo_milliseconds: float | None = None,
    on_progress: Progress = silent,
) -> tuple[list[Measured], list[Measured]]:
    """Measures for `seconds` altogether; returns the finalists, two at most, and all that could be measured.

    Each round takes the same time. It goes through its candidates once forwards and once backwards, so that a machine
    that becomes slower meanwhile is slower for all of them. A placement that does not run is logged and left out.

    Raises:
        EngineError: none runs.
    """
    runs: dict[Placement, list[Measurement]] = {candidate: [] for candidate in candidates}
    sizes = _round_sizes(len(candidates))
    left, spent = list(candidates), 0.0
    for size in sizes:
        left = [one.placement for one in ranked(_measured(runs, left), slo_milliseconds)[:size]] if spent else left
        slice_seconds = seconds / len(sizes) / len(left) / 2
        for candidate in [*left, *reversed(left)]:
            on_progress(spent / seconds, str(candidate))
            spent += slice_seconds
            if candidate not in runs:
                continue
            try:
                runs[candidate].append(measure(candidate, slice_seconds))
            except TundishError as error:
                _LOG.warning("Left out: %s. %s", candidate, error)
                del runs[candidate]
        left = [candidate for candidate in left if candidate in runs]
        if not left:
            raise EngineError("No placement of the model could be measured; the log says why.")
    on_progress(1.0, "")
    return _measured(runs, left), _measured(runs, list(runs))


def _shapes(budget: int) -> list[tuple[int, int]]:
    """Instances and threads that together take the cores."""
    powers = {1 << exponent for exponent in range(budget.bit_length())}
    return [(budget // threads, threads) for threads in sorted({*powers, budget})]


def _round_sizes(count: int) -> list[int]:
    sizes = [count]
    while sizes[-1] > 2:
        sizes.append((sizes[-1] + 1) // 2)
    return sizes


def _measured(runs: dict[Placement, list[Measurement]], among: Sequence[Placement]) -> list[Measured]:
    return [Measured(placement, Figures.of(runs[placement])) for placement in among]
