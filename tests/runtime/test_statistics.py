"""What is counted, and that a snapshot is of one moment."""

from __future__ import annotations

import asyncio

import pytest

from tundish.errors import DeadlineExceededError
from tundish.pipeline import Answer
from tundish.results import StageTimes
from tundish.statistics import BUCKET_SECONDS, Histogram, Statistics


def times(milliseconds: int, batch_size: int = 1) -> StageTimes:
    nanoseconds = milliseconds * 1_000_000
    return StageTimes(nanoseconds, 2 * nanoseconds, 3 * nanoseconds, 4 * nanoseconds, batch_size)


def test_a_request_counts_once_and_its_items_each() -> None:
    statistics = Statistics()
    with statistics.request() as answers:
        answers += [Answer("a", times(1)), Answer("b", times(3))]
    figures = statistics.snapshot()
    assert (figures.succeeded.count, figures.failed.count, figures.items) == (1, 0, 2)
    assert [figures.stages[stage].nanoseconds for stage in figures.stages] == [4e6, 8e6, 12e6, 16e6]
    assert all(sum(histogram.counts) == 2 for histogram in figures.stages.values())
    assert {stage: total.count for stage, total in figures.longest.items()} == dict.fromkeys(figures.stages, 1)
    assert [total.nanoseconds for total in figures.longest.values()] == [3e6, 6e6, 9e6, 12e6]
    assert figures.last_answer_seconds > 1.7e9


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (DeadlineExceededError("late"), "DEADLINE_EXCEEDED"),
        (asyncio.CancelledError(), "CANCELLED"),
        (ZeroDivisionError(), "INTERNAL"),
    ],
)
def test_a_request_that_fails_is_counted_by_its_status(error: BaseException, status: str) -> None:
    statistics = Statistics()
    with pytest.raises(type(error)), statistics.request():
        raise error
    figures = statistics.snapshot()
    assert (figures.succeeded.count, figures.failed.count, figures.items) == (0, 1, 0)
    assert figures.failures == {status: 1}


def test_batches_are_counted_by_their_size() -> None:
    statistics = Statistics()
    for size in (1, 4, 4):
        statistics.add_batch(times(2, size))
    figures = statistics.snapshot()
    assert figures.batch_count == 3
    assert {size: totals.compute.count for size, totals in figures.batches.items()} == {1: 1, 4: 2}
    assert figures.batches[4].compute.nanoseconds == 12e6


def test_a_duration_is_in_the_first_bucket_that_it_does_not_exceed() -> None:
    histogram = Histogram()
    for seconds in (*BUCKET_SECONDS, 100.0, 0.0):
        histogram.add(round(seconds * 1e9))
    assert histogram.counts == [2] + [1] * len(BUCKET_SECONDS)


def test_a_snapshot_does_not_change() -> None:
    statistics = Statistics()
    before = statistics.snapshot()
    statistics.add_batch(times(1))
    with statistics.request() as answers:
        answers.append(Answer("a", times(1)))
    assert before.batches == {}
    assert before.items == 0
    assert sum(before.stages["queue"].counts) == 0
