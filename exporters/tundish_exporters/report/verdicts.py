"""What somebody asks first who has to decide: may it be served, what is gained, what is lost, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tundish.cli.rendering import file_size
from tundish_exporters.report.content import Comparison, ReportContent, Trial
from tundish_exporters.report.wording import points, quantity, samples_in_words, share, why_float

_BY_THE_FLOAT_MODEL = ("agreement", "cosine")


@dataclass(frozen=True, slots=True)
class Verdict:
    """One of the four questions, with its answer in a few words and the figures behind it."""

    question: str
    answer: str
    reason: str


def verdicts_of(content: ReportContent) -> list[Verdict]:
    """All four; none if nothing is served."""
    served = next((trial for trial in content.trials if trial.outcome == "served"), None)
    if served is None:
        return []
    answers = [
        _permission(served, content.max_drop, content.parity.samples),
        _gain(served, content.trials),
        _loss(served, content.comparison),
        _sureness(served, content.max_drop, content.parity.samples),
    ]
    questions = ("May I ship it?", "What do I gain?", "What do I lose?", "How sure is that?")
    return [Verdict(question, *said) for question, said in zip(questions, answers, strict=True)]


def _permission(served: Trial, bound: float | None, compared: int) -> tuple[str, str]:
    if served.drop is None or bound is None or served.precision == "fp32":
        return (
            "Yes",
            f"It computes in 32-bit floats, as it was trained, and answers {compared} samples as its source does.",
        )
    loses = f"{share(served.drop)} points of" if round(served.drop, 4) > 0 else "no"
    allowed = f"It loses {loses} {served.metric}, and {share(bound)} points were allowed."
    if served.metric in _BY_THE_FLOAT_MODEL:
        return (
            "Yes, if the float model may be",
            f"{allowed} Nobody said what is right: it was held against the float model's own answers.",
        )
    if served.interval is not None and served.interval[1] > bound:
        return "Yes, by what was measured", f"{allowed} More samples could still show a larger loss."
    return "Yes", allowed


def _gain(served: Trial, trials: Sequence[Trial]) -> tuple[str, str]:
    floating = next((each for each in trials if each.precision == "fp32" and each.engine == "onnx"), None)
    if floating is None or floating is served or served.milliseconds is None or floating.milliseconds is None:
        rivals = [trial for trial in trials if trial is not served]
        return "Nothing", f"It runs as it was exported: {why_float(served, rivals)}."
    times = f"{quantity(served.milliseconds)} ms instead of {quantity(floating.milliseconds)} ms"
    sizes = ""
    if served.bytes and floating.bytes and served.bytes != floating.bytes:
        sizes = f", and a file of {file_size(served.bytes)} instead of {file_size(floating.bytes)}"
    return (
        f"{floating.milliseconds / served.milliseconds:.2f} times the speed",
        f"{times} for one item on one thread{sizes}. Both were measured on the machine below.",
    )


def _loss(served: Trial, comparison: Comparison | None) -> tuple[str, str]:
    if served.drop is None or served.value is None or served.reference is None or served.precision == "fp32":
        return "Nothing", "Its answers are those of its source, but for rounding."
    lost = f"{share(abs(served.drop))} points"
    answer = lost if round(100 * served.drop, 2) >= 0 else f"Nothing: {lost} are gained"
    figures = f"{served.metric} {served.value:.4f} instead of {served.reference:.4f}; 1 is best, and a point is 0.01."
    changed = ""
    if comparison is not None and comparison.is_served and not comparison.gradual:
        changed = f" {comparison.changed:,} of {comparison.samples:,} answers differ from the float model's."
    return answer, figures[:1].upper() + figures[1:] + changed


def _sureness(served: Trial, bound: float | None, compared: int) -> tuple[str, str]:
    if served.drop is None or served.samples is None or served.precision == "fp32":
        return f"Compared on {compared} samples", "Of the loss there is nothing to be unsure of: floats stay floats."
    samples = samples_in_words(served.samples, served.groups)
    if served.interval is None:
        return "Unknown", f"It was measured on {samples}, and what these say of others cannot be told."
    low, high = served.interval
    said = (
        f"With {samples}, {100 * served.confidence:g} of 100 such intervals hold the true loss; below 0 it is a gain."
    )
    if bound is not None and high > bound:
        said += f" Some of this one lies over the bound of {share(bound)}: more samples would tell."
    elif bound is not None:
        said += f" All of this one lies within the bound of {share(bound)}."
    return f"{points(low)} to {points(high)} points", said
