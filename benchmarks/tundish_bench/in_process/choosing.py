"""Which variants are measured, and what they are held against."""

from __future__ import annotations

from dataclasses import dataclass

from tundish.manifest import Manifest, Variant
from tundish.placement.availability import obstacles
from tundish_bench.errors import BenchmarkError
from tundish_bench.in_process.options import EngineOptions


@dataclass(frozen=True, slots=True)
class Choice:
    """Of the variants that run here."""

    variants: tuple[Variant, ...]
    """The baseline first, then the others in the order of the bundle's own figures."""
    reference: Variant
    """What answers must agree with: ONNX Runtime's in fp32, which the gate held them against, else the baseline."""
    left_out: tuple[str, ...]
    """Sentences: which do not run here, and why."""


def choose(manifest: Manifest, options: EngineOptions) -> Choice:
    """What was asked for.

    Raises:
        BenchmarkError: there is no such variant that may be served, or the baseline does not run here.
    """
    servable = {variant.name: variant for variant in manifest.servable}
    reasons = obstacles(manifest)
    for name in (*options.variants, *([options.baseline] if options.baseline else [])):
        if name not in servable:
            raise BenchmarkError(
                f"'{manifest.model}' has no variant '{name}' that may be served; it has {', '.join(servable)}."
            )
    floating = next(
        (each for each in servable.values() if (each.engine, each.precision) == ("onnx", "fp32")),
        None,
    )
    if floating is not None and floating.name in reasons:
        floating = None
    baseline = servable[options.baseline] if options.baseline else floating
    if baseline is None:
        raise BenchmarkError(
            f"'{manifest.model}' has no fp32 variant by ONNX Runtime that runs here; name what to compare with by "
            f"--baseline: {', '.join(servable)}."
        )
    if baseline.name in reasons:
        raise BenchmarkError(f"The baseline {baseline.name} does not run here: {reasons[baseline.name]}")
    wanted = options.variants or tuple(servable)
    others = [each for each in servable.values() if each.name in wanted and each != baseline]
    return Choice(
        variants=(baseline, *(each for each in others if each.name not in reasons)),
        reference=floating or baseline,
        left_out=tuple(f"{each.name} is left out: {reasons[each.name]}" for each in others if each.name in reasons),
    )
