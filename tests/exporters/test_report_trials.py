"""What a report says of what a search tried, beside what was measured in the end."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from tundish.manifest import BundleFile, Gate, Latency, Precision, Variant
from tundish_exporters.finals import Final
from tundish_exporters.report.content import Trial
from tundish_exporters.report.trials import report_trials
from tundish_exporters.search.trial import Trial as SearchTrial


def variant(precision: Precision, milliseconds: float) -> Variant:
    return Variant(
        name=f"onnx-{precision}-cpu", engine="onnx", precision=precision, device="cpu", recipe="",
        files=(BundleFile(path="a.onnx", bytes=1, sha256="0" * 64),), accuracy=None,
        latency=Latency(median_milliseconds=milliseconds, p90_milliseconds=milliseconds, batch_size=1, runs=1),
        gate=Gate(passed=True, max_drop=0.005, reason="It passed."),
    )  # fmt: skip


def searched(name: str, speedup: float) -> SearchTrial:
    recipe = SimpleNamespace(name=name, description=name, precision="int8")
    return SearchTrial(cast("Any", recipe), "onnx", "passed", "It passed.", speedup=speedup)


def reported(served_speedup: float | None, other_speedup: float) -> Trial:
    """The trial that is not served; in the end fp32 takes 10 ms, and what is served 5."""
    floating, served = variant("fp32", 10.0), variant("int8", 5.0)
    own = None if served_speedup is None else searched("own", served_speedup)
    finals = [cast("Final", SimpleNamespace(contender=SimpleNamespace(trial=each))) for each in (None, own)]
    trials = [*([own] if own else []), searched("other", other_speedup)]
    said = report_trials(finals, [floating, served], served, trials)
    assert [each.name for each in said] == ["onnx-fp32-cpu", "onnx-int8-cpu", "other by onnx"]
    return said[-1]


@pytest.mark.parametrize(
    ("other", "milliseconds", "said"),
    [(2.5, 5.0 * 3.0 / 2.5, "onnx-int8-cpu is faster."), (3.6, 5.0 * 3.0 / 3.6, "It stood behind onnx-int8-cpu, ")],
    ids=["slower", "faster"],
)
def test_a_trial_stands_beside_what_is_served_as_the_search_had_them(
    other: float, milliseconds: float, said: str
) -> None:
    """The search saw 3 times fp32's speed of what has twice in the end."""
    trial = reported(3.0, other)
    assert trial.milliseconds == pytest.approx(milliseconds)
    assert trial.speedup == pytest.approx(10.0 / milliseconds)
    assert trial.reason.startswith(f"It passed. {said}")
    assert (milliseconds > 5.0) == ("is faster." in trial.reason)


def test_what_no_search_tried_leaves_trials_beside_fp32() -> None:
    trial = reported(None, 2.5)
    assert (trial.milliseconds, trial.speedup) == (4.0, 2.5)
