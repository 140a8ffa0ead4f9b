"""What a report says of the variants that were measured to the end and of the trials of the search before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tundish.manifest import Variant
from tundish_exporters.candidates import FLOAT_NAME
from tundish_exporters.finals import Final
from tundish_exporters.quantize.sensitivity import LayerError as MeasuredLayer
from tundish_exporters.report.collecting import trials_of, with_accuracy
from tundish_exporters.report.content import LayerError, Trial
from tundish_exporters.search.trial import Trial as SearchTrial


def report_trials(
    finals: Sequence[Final], measured: Sequence[Variant], served: Variant, searched: Sequence[SearchTrial]
) -> list[Trial]:
    """The variants first, with the figures of the data that no search saw; then what else was tried.

    Args:
        finals: what was measured to the end.
        measured: the variants of these, in their order.
        served: the fastest that passed.
        searched: all trials of the search; those of finals are not said twice.
    """
    variants = [
        replace(trial, kept_layers=final.contender.trial.kept if final.contender.trial else ())
        for trial, final in zip(trials_of(measured, served), finals, strict=True)
    ]
    said = [final.contender.trial for final in finals]
    floating = next((each.latency.median_milliseconds for each in measured if each.name == FLOAT_NAME), None)
    return [*variants, *(_trial(trial, served, floating) for trial in searched if trial not in said)]


def _trial(trial: SearchTrial, served: Variant, floating: float | None) -> Trial:
    """A search takes minutes, in which a machine changes: its ratios stand beside the variants, its times do not."""
    reason = f"{trial.reason} {served.name} is faster." if trial.outcome == "passed" else trial.reason
    reported = Trial(
        name=trial.name,
        engine=trial.engine,
        precision=trial.precision,
        recipe=trial.recipe.description,
        outcome=trial.outcome,
        reason=reason,
        milliseconds=floating / trial.speedup if floating and trial.speedup else None,
        speedup=trial.speedup,
        kept_layers=trial.kept,
    )
    return with_accuracy(reported, trial.accuracy)


def report_layers(layers: Sequence[MeasuredLayer], finals: Sequence[Final]) -> list[LayerError]:
    """The errors of the layers that quantisation hurts, and which of them a variant keeps in float."""
    kept = {name for final in finals if final.contender.trial for name in final.contender.trial.kept}
    return [LayerError(layer.node, layer.operator, layer.error, layer.node in kept) for layer in layers]
