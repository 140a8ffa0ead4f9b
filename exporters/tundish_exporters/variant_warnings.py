"""What the owner of a model should know of its variants: what does not pass, and what the gate's data cannot show."""

from __future__ import annotations

from collections.abc import Sequence

from tundish.cli.rendering import interval_points, points, samples_of
from tundish.manifest import Variant
from tundish_exporters.export_data import ExportData
from tundish_exporters.export_options import ExportOptions
from tundish_exporters.gate import unit_of, units_to_tell


def variant_warnings(variants: Sequence[Variant], data: ExportData, options: ExportOptions) -> list[str]:
    """In sentences, what to mind of the variants that were measured to the end on these data."""
    warnings = []
    if data.gate is None:
        untried = "" if options.precision == "fp32" else "int8 was not tried and "
        warnings.append(f"No data was given, so {untried}parity was checked on made-up inputs.")
    measured = [variant.accuracy for variant in variants if variant.accuracy is not None]
    if not all(accuracy.reference for accuracy in measured):
        warnings.append(
            "The float model is right on none of the labelled samples, so the gate proves nothing: do the labels of "
            "the evaluation data mean what the model's do?"
        )
    warnings += [
        f"{variant.name} does not pass the gate and will not be served: {variant.gate.reason}"
        for variant in variants
        if not variant.gate.passed
    ]
    return [*warnings, *_doubts(variants)]


def _doubts(variants: Sequence[Variant]) -> list[str]:
    """Of the first that passed, that its drop may lie beyond the bound for all that the gate's data show."""
    for variant in variants:
        accuracy, bound = variant.accuracy, variant.gate.max_drop
        interval = accuracy.interval if accuracy else None
        if accuracy is None or interval is None or variant.precision == "fp32" or not variant.gate.passed:
            continue
        count = units_to_tell(accuracy, bound)
        if interval.high > bound and count is not None:
            return [
                f"The gate's {samples_of(accuracy)} cannot tell whether {variant.name} loses more than "
                f"{points(bound)} points: the interval of its drop is {interval_points(interval)}. About {count:,} "
                f"{unit_of(accuracy)} would; pass more with --evaluation or --calibration, and demand it with "
                "--confidence 0.95."
            ]
    return []
