"""The instrument on a server whose delays are known: all loads at once, each with a generator of its own.

What a busy machine adds to the delays is the server's truth, too; what it adds to the generator is little beside them.
"""

from __future__ import annotations

import json
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from support.delayed_server import ENDS_AFTER, FAIL_EVERY, PERIOD, SECONDS, SILENT, STALL

from tundish_bench.driving.contents import Wanted
from tundish_bench.driving.endpoint import Endpoint, WireName
from tundish_bench.driving.load import Closed, Load, Open
from tundish_bench.driving.measuring import Plan
from tundish_bench.driving.session import open_session
from tundish_bench.errors import BenchmarkError
from tundish_bench.processes import free_port
from tundish_bench.reports import Row

CALLERS = 8
PLAN = Plan(repeats=2, seconds=PERIOD, most_warm_up_seconds=3.0)
"""A repeat has one stall in it, wherever it begins."""

LOADS: dict[str, tuple[WireName, Load]] = {
    "fixed-closed": ("grpc", Closed(CALLERS)),
    "fixed-open": ("http", Open(20.0, is_poisson=False)),
    "bimodal-closed": ("http", Closed(CALLERS)),
    "bimodal-open": ("grpc", Open(20.0)),
    "stalling-closed": ("grpc", Closed(2)),
    "stalling-open": ("grpc", Open(30.0, is_poisson=False)),
    "narrow-open": ("grpc", Open(5.0)),
    "failing-closed": ("http", Closed(2)),
}
"""By the name of the model."""


@dataclass(frozen=True)
class Measured:
    """What the instrument says of a load, and the server."""

    row: Row
    truth: list[float]

    def value(self, name: str) -> float:
        figure = self.row.figure(name)
        assert figure is not None, f"no {name} among {[each.name for each in self.row.figures]}"
        return figure.value

    def true_percentile(self, percent: float) -> float:
        return 1e3 * float(np.percentile(self.truth, percent, method="inverted_cdf"))


@pytest.fixture(scope="module")
def measured(endpoints: dict[WireName, Endpoint]) -> dict[str, Measured]:
    def measure(model: str, wire: WireName, load: Load) -> Measured:
        row = open_session(endpoints[wire], model, Wanted(), timeout_seconds=30.0).measure(load, PLAN)
        with urllib.request.urlopen(f"{endpoints['http']}/truth/{model}") as response:
            return Measured(row, json.load(response))

    with ThreadPoolExecutor(len(LOADS)) as threads:
        running = {model: threads.submit(measure, model, *load) for model, load in LOADS.items()}
        return {model: future.result() for model, future in running.items()}


@pytest.mark.parametrize("model", ["fixed-closed", "fixed-open"])
def test_a_fixed_delay_is_what_is_reported(measured: dict[str, Measured], model: str) -> None:
    for percent in (50, 90):
        assert measured[model].value(f"p{percent}") == pytest.approx(measured[model].true_percentile(percent), rel=0.05)
    assert measured[model].value("mean") == pytest.approx(1e3 * np.mean(measured[model].truth), rel=0.05)
    assert measured[model].value("errors") == 0


def test_a_closed_loop_asks_as_often_as_its_callers_are_answered(measured: dict[str, Measured]) -> None:
    expected = CALLERS / np.mean(measured["fixed-closed"].truth)
    assert measured["fixed-closed"].value("throughput") == pytest.approx(expected, rel=0.05)


def test_an_offered_rate_is_held(measured: dict[str, Measured]) -> None:
    assert measured["fixed-open"].value("throughput") == pytest.approx(20.0, rel=0.01)


@pytest.mark.parametrize("model", ["bimodal-closed", "bimodal-open"])
def test_both_modes_are_seen_where_they_are(measured: dict[str, Measured], model: str) -> None:
    for percent in (50, 95):
        assert measured[model].value(f"p{percent}") == pytest.approx(measured[model].true_percentile(percent), rel=0.05)
    assert measured[model].value("p95") > 3 * measured[model].value("p50")


def test_an_open_loop_feels_all_of_a_stall(measured: dict[str, Measured]) -> None:
    """All that are due during a stall wait for its end, not only the few that were under way when it began."""
    moments = np.linspace(0, PERIOD, 100_000, endpoint=False)
    ready = (moments + SECONDS) % PERIOD
    latencies = SECONDS + np.where(ready < STALL, STALL - ready, 0)
    for percent in (80, 90, 95):
        expected = 1e3 * float(np.percentile(latencies, percent))
        histogram = HdrHistogram.decode(measured["stalling-open"].row.histogram)
        assert histogram.get_value_at_percentile(percent) / 1e3 == pytest.approx(expected, rel=0.05)
    assert measured["stalling-open"].value("mean") == pytest.approx(1e3 * latencies.mean(), rel=0.1)


def test_a_closed_loop_feels_a_stall_once_for_each_caller(measured: dict[str, Measured]) -> None:
    closed = measured["stalling-closed"]
    assert closed.value("p50") == pytest.approx(closed.true_percentile(50), rel=0.05)
    assert closed.value("mean") < measured["stalling-open"].value("mean")


def test_saturation_is_said(measured: dict[str, Measured]) -> None:
    saturated = measured["narrow-open"]
    [note] = [note for note in saturated.row.notes if note.startswith("The server is saturated: ")]
    assert "more waited at the end than at the beginning" in note
    assert saturated.value("throughput") < 1 / SECONDS * 1.05
    assert saturated.value("p50") > 2e3 * SECONDS
    assert not [note for note in measured["fixed-open"].row.notes if "saturated" in note]


def test_failures_are_counted_and_their_reason_is_told(measured: dict[str, Measured]) -> None:
    failing = measured["failing-closed"]
    assert failing.value("errors") == pytest.approx(100 / FAIL_EVERY, abs=6)
    assert any("503" in note and "It is refused" in note for note in failing.row.notes)


def test_what_the_server_spends_is_known(measured: dict[str, Measured]) -> None:
    assert 0 < measured["fixed-closed"].value("server CPU") < 1e3 * SECONDS
    assert measured["fixed-closed"].value("server memory") > 10


def test_a_server_that_answers_no_more_is_told_from_one_that_never_did(endpoints: dict[WireName, Endpoint]) -> None:
    session = open_session(endpoints["http"], "ending", Wanted(), timeout_seconds=5.0)
    with pytest.raises(BenchmarkError, match=rf"answered {ENDS_AFTER} requests, and then none: .*It is refused"):
        session.measure(Closed(1), Plan(repeats=2, seconds=1.0, most_warm_up_seconds=1.5), lambda _what, _share: None)


@pytest.mark.parametrize("wire", ["grpc", "http"])
def test_a_server_that_refuses_everything_ends_the_load(endpoints: dict[WireName, Endpoint], wire: WireName) -> None:
    session = open_session(endpoints[wire], "refusing", Wanted(), timeout_seconds=5.0)
    with pytest.raises(BenchmarkError, match=r"answered no request: .*It is refused"):
        session.measure(Closed(2), PLAN)


def test_a_server_that_is_not_there_is_one_sentence() -> None:
    nobody = Endpoint("http", "127.0.0.1", free_port())
    with pytest.raises(BenchmarkError, match=r"does not say what 'm' takes: Connection refused\.$"):
        open_session(nobody, "m", Wanted(), timeout_seconds=5.0)


def test_a_model_that_does_not_say_what_it_takes_is_told(endpoints: dict[WireName, Endpoint]) -> None:
    with pytest.raises(BenchmarkError, match=r"delayed 1 does not say what 'fixed-silent' takes; give --shape"):
        open_session(endpoints["grpc"], SILENT, Wanted(), timeout_seconds=5.0)
    wanted = Wanted(shapes={"x": (2,)}, datatypes={"x": "FP32"})
    assert len(open_session(endpoints["grpc"], SILENT, wanted, timeout_seconds=5.0).asking.requests) > 1
