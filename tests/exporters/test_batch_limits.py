"""Batch limits, from times that are known and from engines that are real."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from numpy.typing import NDArray

from tundish_exporters.batch_limits import BATCH_SIZES, BatchLimits, BatchTimes, batch_groups, best_limits

MILLISECONDS = st.floats(0.1, 100)


class Words:
    """A task whose items are as long as their bytes."""

    def prepare(self, data: bytes) -> bytes:
        return data

    def length(self, item: bytes) -> int:
        return len(item)

    def shape(self, item: bytes) -> tuple[int, ...]:  # noqa: ARG002
        return ()

    def collate(self, items: list[bytes]) -> dict[str, NDArray[np.uint8]]:
        return {"ids": np.stack([np.frombuffer(item, np.uint8) for item in items])}


class Pictures(Words):
    """A task whose items are all alike."""

    def length(self, item: bytes) -> int:  # noqa: ARG002
        return 0


def times(length: int, **by_size: float) -> BatchTimes:
    return BatchTimes(length, {int(size[1:]): milliseconds for size, milliseconds in by_size.items()})


def test_the_size_with_the_least_time_an_item_is_chosen_and_a_larger_one_if_it_costs_no_more() -> None:
    assert best_limits([times(0, x1=10, x2=8, x4=9, x8=12)]) == BatchLimits(2, None)
    assert best_limits([times(0, x1=10, x2=8, x4=8.2, x8=12)]) == BatchLimits(4, None)
    assert best_limits([times(0, x1=8, x2=9, x4=9, x8=9)]) == BatchLimits(1, None)


def test_short_texts_are_batched_and_long_ones_are_not() -> None:
    short = times(8, x1=4.1, x2=2.9, x4=2.3, x8=2.0)
    middle = times(35, x1=10.7, x2=9.8, x4=9.4, x8=9.2)
    long = times(64, x1=13.5, x2=12.7, x4=12.8, x8=16.0)
    assert best_limits([short, middle, long]) == BatchLimits(8, 280)
    assert best_limits([short, times(200, x1=40, x2=50, x4=50, x8=50)]) == BatchLimits(8, 200)


def test_texts_that_gain_nothing_run_alone_without_a_limit_of_tokens() -> None:
    assert best_limits([times(64, x1=10, x2=11, x4=12, x8=13)]) == BatchLimits(1, None)


@given(
    st.dictionaries(st.integers(1, 512), st.tuples(*[MILLISECONDS] * len(BATCH_SIZES)), min_size=1, max_size=5),
)
def test_no_other_limits_would_cost_much_less(groups: Mapping[int, tuple[float, ...]]) -> None:
    measured = [BatchTimes(length, dict(zip(BATCH_SIZES, each, strict=True))) for length, each in groups.items()]

    def cost(size: int, tokens: int) -> float:
        total = 0.0
        for each in measured:
            largest = 1
            for candidate in BATCH_SIZES:
                if candidate <= size and candidate * each.length <= tokens:
                    largest = candidate
            total += each.milliseconds_per_item[largest]
        return total

    chosen = best_limits(measured)
    assert chosen.tokens or chosen.size == 1
    others = [cost(size, tokens) for size in BATCH_SIZES for tokens in range(0, 512 * 8 + 1, 32)]
    assert cost(chosen.size, chosen.tokens or 0) <= 1.03 * min(others) + 1e-9


def test_texts_are_measured_from_the_short_to_the_long_each_with_its_copies() -> None:
    task: Any = Words()
    groups = batch_groups(task, [b"x" * length for length in range(1, 101)])
    assert [group.length for group in groups] == [11, 31, 51, 71, 91]
    assert groups[1].batch(4)["ids"].shape == (4, 31)
    assert [group.length for group in batch_groups(task, [b"one", b"two", b"six"])] == [3]


def test_images_are_measured_in_random_batches() -> None:
    task: Any = Pictures()
    (group,) = batch_groups(task, [b"a", b"b", b"c"])
    assert group.length == 0
    seen = np.concatenate([group.batch(8)["ids"] for _ in range(8)])
    assert seen.shape == (64, 1)
    assert set(seen.flat) == set(b"abc")


@pytest.mark.parametrize("size", BATCH_SIZES)
def test_a_group_makes_batches_of_any_size(size: int) -> None:
    task: Any = Pictures()
    (group,) = batch_groups(task, [b"a"])
    assert len(group.batch(size)["ids"]) == size


def test_images_of_several_shapes_are_measured_in_the_commonest() -> None:
    class Framed(Pictures):
        """A task whose items have a shape each: their length."""

        def shape(self, item: bytes) -> tuple[int, ...]:
            return (len(item),)

    task: Any = Framed()
    (group,) = batch_groups(task, [b"a", b"bb", b"cc", b"ddd"])
    assert group.length == 0
    for size in (1, 8):
        assert group.batch(size)["ids"].shape == (size, 2)
