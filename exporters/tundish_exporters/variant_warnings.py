"""What the owner of a model should know of its variants: what does not pass, and what the gate's data cannot show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tundish.cli.rendering import interval_points, percent, points, samples_of
from tundish.manifest import Accuracy, Variant
from tundish_exporters.export_data import ExportData
from tundish_exporters.export_options import ExportOptions
from tundish_exporters.gate import unit_of, units_to_tell
from tundish_exporters.metrics import ACCURACY


def variant_warnings(
    variants: Sequence[Variant], served: Variant, data: ExportData, options: ExportOptions
) -> list[str]:
    """In sentences, what to mind of the variants that were measured to the end on these data."""
    warnings = []
    if data.gate is None:
        untried = "" if options.precision == "fp32" else "int8 was not tried and "
        warnings.append(f"No data was given, so {untried}parity was checked on made-up inputs.")
    warnings += _guesses(variants, data)
    warnings += [_refusal(variant, data) for variant in variants if not variant.gate.passed]
    return [*warnings, *_doubts(served, data)]


def _refusal(variant: Variant, data: ExportData) -> str:
    said = f"{variant.name} does not pass the gate and will not be served: {variant.gate.reason}"
    accuracy, gate = variant.accuracy, variant.gate
    if accuracy is None or gate.confidence is None or units_to_tell(accuracy, gate.max_drop) is None:
        return said
    return f"{said} A search takes half of what is given for itself." if _is_half(accuracy, data) else said


def _is_half(accuracy: Accuracy, data: ExportData) -> bool:
    """Whether a search had the rest of the samples."""
    return data.gate is not None and accuracy.samples < len(data.gate.samples)


def _guesses(variants: Sequence[Variant], data: ExportData) -> list[str]:
    """That the float model is right no more often than whoever always gives the commonest answer."""
    figure = next((each.accuracy.reference for each in variants if each.accuracy is not None), None)
    labels = data.gate.labels if data.gate is not None else None
    asks = "do the labels of the evaluation data mean what the model's do?"
    if figure == 0:
        return [f"The float model is right on none of the labelled samples, so the gate proves nothing: {asks}"]
    if figure is None or not labels or data.gate is None or data.gate.metric is not ACCURACY:
        return []
    commonest, count = Counter(labels).most_common(1)[0]
    share = count / len(labels)
    if len(set(labels)) == 1 or figure > share:
        return []
    return [
        f"The float model is right on {percent(figure)} of the labelled samples, no more than '{commonest}' for each "
        f"would be ({percent(share)}), so the gate proves little: {asks}"
    ]


def _doubts(served: Variant, data: ExportData) -> list[str]:
    """That the drop of what is served may lie beyond the bound for all that the gate's data show."""
    accuracy, bound = served.accuracy, served.gate.max_drop
    if accuracy is None or served.precision == "fp32":
        return []
    interval = accuracy.interval
    if interval is None:
        return [
            f"How sure the drop of {served.name} is was not found: the metric '{accuracy.metric}' takes too long to be "
            f"measured on hundreds of draws of the {unit_of(accuracy)}, or is no number on most, or there is but one."
        ]
    if interval.high <= bound:
        return []
    count = units_to_tell(accuracy, bound)
    if count is None:
        return []
    more = "pass more"
    if _is_half(accuracy, data):
        more = f"a search takes half of what is given for itself, so pass about {2 * count:,}"
    return [
        f"The gate's {samples_of(accuracy)} cannot tell whether {served.name} loses more than {points(bound)} points: "
        f"the interval of its drop is {interval_points(interval)}. About {count:,} {unit_of(accuracy)} would; {more} "
        "with --evaluation or --calibration, and demand it with --confidence 0.95."
    ]
