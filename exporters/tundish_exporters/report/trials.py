"""What a report says of the variants that were measured to the end and of the trials of the search before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

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
    own = next(trial for trial, variant in zip(said, measured, strict=True) if variant.name == served.name)
    yardstick = _Yardstick(served, own.speedup if own else None, floating)
    return [*variants, *(_trial(trial, yardstick) for trial in searched if trial not in said)]


@dataclass(frozen=True, slots=True)
class _Yardstick:
    """What trials of a search are held against; a search takes minutes, in which a machine changes.

    So its times are not said, but what its ratios make of the time that was measured in the end: of what is served, if
    the search tried it, so that both stand beside each other as the search had them; else of fp32.
    """

    served: Variant
    speedup: float | None
    """Of what is served, in the search."""
    floating: float | None
    """Milliseconds of fp32, in the end."""

    def milliseconds(self, speedup: float | None) -> float | None:
        if not speedup or not self.floating:
            return None
        if not self.speedup:
            return self.floating / speedup
        return self.served.latency.median_milliseconds * self.speedup / speedup

    def verdict(self, milliseconds: float | None) -> str:
        """Of a trial that passed: why it is not served."""
        if milliseconds is not None and milliseconds <= self.served.latency.median_milliseconds:
            return (
                f"It stood behind {self.served.name}, which is as fast as far as can be told, or failed on the samples "
                "that the search did not see."
            )
        return f"{self.served.name} is faster."


def _trial(trial: SearchTrial, yardstick: _Yardstick) -> Trial:
    milliseconds = yardstick.milliseconds(trial.speedup)
    reported = Trial(
        name=trial.name,
        engine=trial.engine,
        precision=trial.precision,
        recipe=trial.recipe.description,
        outcome=trial.outcome,
        reason=f"{trial.reason} {yardstick.verdict(milliseconds)}" if trial.outcome == "passed" else trial.reason,
        milliseconds=milliseconds,
        speedup=yardstick.floating / milliseconds if yardstick.floating and milliseconds else trial.speedup,
        kept_layers=trial.kept,
    )
    return with_accuracy(reported, trial.accuracy)


def report_layers(layers: Sequence[MeasuredLayer], finals: Sequence[Final]) -> list[LayerError]:
    """The errors of the layers that quantisation hurts, and which of them a variant keeps in float."""
    kept = {name for final in finals if final.contender.trial for name in final.contender.trial.kept}
    return [LayerError(layer.node, layer.operator, layer.error, layer.node in kept) for layer in layers]
