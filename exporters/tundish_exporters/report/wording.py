"""The sentences and figures of a report."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

from tundish_exporters.report.content import Trial

PRECISIONS = {
    "fp32": "32-bit floats",
    "fp16": "16-bit floats",
    "bf16": "bfloat16, floats of 16 bits",
    "int8": "8-bit integers",
    "int4": "4-bit integers",
}
_ENGINES = {"onnx": "ONNX Runtime", "openvino": "OpenVINO"}


def headline(model: str, trials: Sequence[Trial]) -> str:
    """What is served, how much faster than the float model, and at what accuracy."""
    served = next((trial for trial in trials if trial.outcome == "served"), None)
    if served is None:
        return f"{model} was exported."
    how = f"{PRECISIONS.get(served.precision, served.precision)} ({served.precision}) by {engine_name(served.engine)}"
    said = f"{model} is served in {how}"
    if served.precision == "fp32" and served.engine == "onnx":
        return f"{said}, as it was exported: {why_float(served, [trial for trial in trials if trial is not served])}."
    return f"{said}: {speed(served)}, {accuracy(served)}."


def why_float(served: Trial, rivals: Sequence[Trial]) -> str:
    """Why nothing else is served, as a part of a sentence."""
    if not rivals:
        return "nothing else was tried"
    times = [rival.milliseconds for rival in rivals if rival.milliseconds is not None]
    if served.milliseconds is not None and not any(time < served.milliseconds for time in times):
        return "nothing that was tried is faster"
    return "nothing that is faster was accurate enough"


def engine_name(engine: str) -> str:
    """As its makers write it."""
    return _ENGINES.get(engine, engine)


def speed(trial: Trial) -> str:
    """How fast it is, beside the float model."""
    if trial.speedup is None:
        return "of unknown speed beside the float model"
    return f"{trial.speedup:.2f} times as fast as the float model"


def accuracy(trial: Trial) -> str:
    """What it loses to the float model, and on how many samples that was seen."""
    if trial.value is None or trial.drop is None or trial.samples is None:
        return "with answers equal to its source's"
    samples = f"on {samples_in_words(trial.samples, trial.groups)}"
    if trial.metric == "agreement":
        said = f"with the float model's answer {samples} in {100 * trial.value:.2f}\N{NO-BREAK SPACE}% of cases"
    elif trial.metric == "cosine":
        said = f"with vectors whose mean cosine to the float model's is {trial.value:.4f} {samples}"
    elif not (change := round(100 * trial.drop, 2)):
        said = f"with the {trial.metric} of the float model {samples}"
    else:
        more_or_less = "less" if change > 0 else "more"
        said = f"with {abs(change):.2f} points {more_or_less} {trial.metric} than the float model {samples}"
    return f"{said}{interval(trial)}"


def samples_in_words(samples: int, groups: int | None) -> str:
    """How many there are, and of how many groups if they belong together."""
    said = f"{samples:,} {'sample' if samples == 1 else 'samples'}"
    return said if groups is None else f"{said} of {groups:,} {'group' if groups == 1 else 'groups'}"


def interval(trial: Trial) -> str:
    """In brackets, behind a sentence; empty if it is not known."""
    if trial.interval is None:
        return ""
    low, high = trial.interval
    return (
        f" ({100 * trial.confidence:g}\N{NO-BREAK SPACE}% interval of the loss: {points(low)} to {points(high)} points)"
    )


def points(share: float) -> str:
    """A share in points with its sign, rounded to a hundredth."""
    return signed(100 * share, 2)


def share(value: float) -> str:
    """A share in points without a sign, rounded to a hundredth."""
    return f"{100 * value:.2f}"


def signed(value: float, digits: int) -> str:
    """A number with its sign; a minus that is one, and none before a zero."""
    if not math.isfinite(value):
        return "not a number"
    return f"{round(value, digits) + 0.0:+.{digits}f}".replace("-", "\N{MINUS SIGN}")


def sentence(said: str) -> str:
    """With a capital letter, and a full stop."""
    return f"{said[:1].upper()}{said[1:].rstrip('.')}.".replace(" %", "\N{NO-BREAK SPACE}%") if said else ""


def short(text: str, most: int) -> str:
    """A name of at most so many characters, with its middle left out: names of nodes differ at both ends."""
    if len(text) <= most:
        return text
    head = (most - 1) // 2
    return f"{text[:head]}…{text[len(text) - (most - 1 - head) :]}"


def quantity(value: float) -> str:
    """Three digits that count."""
    if not math.isfinite(value):
        return "not a number"
    said = f"{value:#.3g}".rstrip(".") if value else "0"
    return said.replace("-", "\N{MINUS SIGN}")


def difference(value: float) -> str:
    """Of what should be equal: its order of magnitude."""
    return f"{value:.1e}".replace("-", "\N{MINUS SIGN}") if value else "none"


def tensor_names(names: Sequence[str]) -> dict[str, str]:
    """Names without the path that all of them begin with, and without what ONNX's exporters put behind them."""
    folders = [name.split("/")[:-1] for name in names]
    common = len(os.path.commonprefix(folders)) if len(names) > 1 else 0  # noqa: RUF071  # of parts, not characters
    return {name: "/".join(name.split("/")[common:]).removesuffix("_output_0") for name in names}
