"""From records to figures, against NumPy."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st

from tundish_bench.driving.doubts import Spent, doubts
from tundish_bench.driving.figures import Repeat, Seen, load_figures, pooled_latencies, seen_in
from tundish_bench.driving.histogram import Latencies
from tundish_bench.driving.load import Closed, Open
from tundish_bench.driving.outcomes import ANSWERED, DIFFERENT, GIVEN_UP
from tundish_bench.driving.records import Records, joined
from tundish_bench.driving.steadiness import Window, is_steady
from tundish_bench.reports import Figure


def records_of(due: list[float], latencies: list[float], errors: Counter[str] | None = None) -> Records:
    """All answered."""
    moments = np.asarray(due, np.float64)
    good = np.full(len(due), ANSWERED, np.int16)
    return Records(moments, moments, moments + np.asarray(latencies), good, errors or Counter())


def figures_by_name(seen: Seen, batch: int = 1) -> dict[str, Figure]:
    return {figure.name: figure for figure in load_figures(seen, batch)}


def quiet(seconds: float, *, loop: float = 0.1, cpu: float = 0.1, machine: float = 0.2) -> list[Spent]:
    """What was spent in so many seconds, as shares of a core's time."""
    return [Spent(0, 0, 0, 0), Spent(seconds, cpu * seconds, loop * seconds, machine * seconds)]


@settings(deadline=None)
@given(st.lists(st.floats(1e-5, 100), min_size=1, max_size=300), st.sampled_from([50.0, 90.0, 99.0, 99.9]))
def test_percentiles_are_those_of_numpy_to_three_digits(seconds: list[float], percent: float) -> None:
    latencies = Latencies(np.asarray(seconds))
    expected = 1e3 * float(np.percentile(seconds, percent, method="inverted_cdf"))
    assert latencies.percentile(percent) == pytest.approx(expected, rel=2e-3, abs=2e-3)
    assert len(latencies) == len(seconds)
    assert latencies.mean_milliseconds == pytest.approx(1e3 * np.mean(seconds))


def test_the_histogram_is_one_that_others_read() -> None:
    again = HdrHistogram.decode(Latencies(np.asarray([0.001, 0.002, 0.25])).encoded())
    assert again.get_total_count() == 3
    assert again.get_value_at_percentile(100) == pytest.approx(250_000, rel=1e-3)


def test_throughput_counts_ends_and_latency_counts_what_was_due() -> None:
    # Due in the first second, answered in the second: the stall of a server at work on nothing else.
    records = records_of([0.1, 0.9, 1.5], [0.1, 0.7, 0.1])
    figures = figures_by_name(seen_in([Repeat(0, 1), Repeat(1, 2)], records), batch=4)
    assert figures["throughput"].repeats == (1.0, 2.0)
    assert figures["items"].repeats == (4.0, 8.0)
    assert figures["mean"].repeats == pytest.approx((400.0, 100.0))
    assert figures["errors"].repeats == (0.0, 0.0)


def test_a_percentile_that_few_latencies_cannot_say_is_of_all_or_left_out() -> None:
    few = seen_in([Repeat(0, 1), Repeat(1, 2)], records_of(list(np.linspace(0, 1.99, 60)), [0.01] * 60))
    assert set(figures_by_name(few)) == {"throughput", "mean", "p50", "p90", "p95", "errors"}
    assert len(figures_by_name(few)["p90"].repeats) == 1
    many = seen_in([Repeat(0, 1), Repeat(1, 2)], records_of(list(np.linspace(0, 1.99, 2200)), [0.01] * 2200))
    figures = figures_by_name(many)
    assert len(figures["p99"].repeats) == 2
    assert len(figures["p99.9"].repeats) == 1


def test_errors_are_counted_and_have_no_latency_but_those_given_up_have_one() -> None:
    moments = np.asarray([0.0, 0.1, 0.2, 0.3])
    status = np.asarray([ANSWERED, DIFFERENT, 14, GIVEN_UP], np.int16)
    ended = moments + np.asarray([0.1, 0.1, 0.001, 9.0])
    seen = seen_in([Repeat(0, 1)], Records(moments, moments, ended, status))
    assert figures_by_name(seen)["errors"].repeats == (50.0,)
    assert len(pooled_latencies(seen)) == 3
    assert pooled_latencies(seen).percentile(100) == pytest.approx(9000, rel=1e-3)


def test_records_are_joined_in_order() -> None:
    parts = [records_of([0.0], [1.0], Counter(a=1)), records_of([2.0], [0.5], Counter(a=2, b=1))]
    both = joined(parts)
    assert list(both.latencies) == [1.0, 0.5]
    assert both.errors == Counter(a=3, b=1)
    assert len(joined([])) == 0


def test_a_server_that_does_not_keep_up_is_called_saturated() -> None:
    due = list(np.arange(0, 10, 0.01))
    falling_behind = records_of(due, [0.1 + moment * 0.5 for moment in due])
    seen = seen_in([Repeat(0, 5), Repeat(5, 10)], falling_behind)
    [note] = doubts(Open(100.0), seen, falling_behind, quiet(10))
    assert note.startswith("The server is saturated: 100/s were offered, it answered ")
    keeping_up = records_of(due, [0.1] * len(due))
    assert not list(doubts(Open(100.0), seen_in(seen.repeats, keeping_up), keeping_up, quiet(10)))


def test_a_late_or_busy_generator_is_named() -> None:
    due = np.arange(0, 10, 0.01)
    late = Records(due, due + 0.002, due + 0.012, np.full(len(due), ANSWERED, np.int16))
    seen = seen_in([Repeat(0, 10)], late)
    [note] = doubts(Open(100.0), seen, late, quiet(10))
    assert note.startswith("The load generator was late: 1 % of the requests were sent over 2 ms after they were due")
    [note] = doubts(Closed(4), seen, late, quiet(10, loop=0.95))
    assert note == "The load generator is itself the bottleneck: its thread was busy 95% of the time."


def test_failures_are_told_with_the_commonest() -> None:
    records = records_of([0.0, 1.0], [0.1, 0.1], Counter({"503: busy.": 3, "TimeoutError: ": 1}))
    told, paused = doubts(Closed(1), seen_in([Repeat(0, 2)], records), records, quiet(2))
    assert told.endswith("requests failed, warm-up and end included; most often: 503: busy.")
    assert paused.startswith("A caller pauses for 10 ms after a failure")


def test_what_grpc_itself_cancels_is_explained() -> None:
    records = records_of([0.0, 1.0], [0.1, 0.1], Counter({"CANCELLED: CANCELLED": 3}))
    notes = list(doubts(Open(1), seen_in([Repeat(0, 2)], records), records, quiet(2)))
    assert notes[-1].startswith("A gRPC server says CANCELLED, in no more words, of requests that came while it had")


@pytest.mark.parametrize(
    ("rates", "medians", "steady"),
    [
        ([100, 101, 99], [10, 10, 10], True),
        ([50, 100, 101, 99], [20, 10, 10, 10], True),
        ([100, 200, 99], [10, 10, 10], False),
        ([1000, 1010, 990], [10, 14, 10], False),
        ([100, 101], [10, 10], False),
        ([100, 0, 100], [10, float("nan"), 10], False),
        ([5, 8, 4], [10, 11, 10], True),  # so few differ by chance
        ([20, 24, 30], [50, 42, 33], False),  # not so that it gets faster and faster
        ([20, 21, 20], [50, 48, 46], True),
    ],
)
def test_steady_is_what_stays_as_it_is(rates: list[int], medians: list[float], steady: bool) -> None:
    windows = [Window(rate, float(rate), median) for rate, median in zip(rates, medians, strict=True)]
    assert is_steady(windows) is steady
