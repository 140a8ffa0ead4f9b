"""Instances that hold all cores keep to a core each, by the kernel's own word."""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from support.slow_bundles import make_slow_bundle, slow_image

import tundish
from tundish.errors import TundishError
from tundish.pipeline import Answer, Entry, Prepared
from tundish.results import StageTimes
from tundish.scheduling import Batching, Cores, Scheduler

USABLE = sorted(os.sched_getaffinity(0))


@pytest.fixture
def cores() -> Iterator[Cores]:
    made = Cores(len(USABLE))
    yield made
    made.close()


def pinned(cores: Cores, *wishes: int | None) -> list[set[int]]:
    """Where a thread may run after each wish."""

    def follow() -> list[set[int]]:
        places = []
        for wish in wishes:
            cores.pin(wish)
            places.append(os.sched_getaffinity(0))
        return places

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(follow).result()


def test_a_thread_is_pinned_to_a_core_and_let_go(cores: Cores) -> None:
    last = len(USABLE) - 1
    assert pinned(cores, 0, last, None) == [{USABLE[0]}, {USABLE[last]}, set(USABLE)]
    assert os.sched_getaffinity(0) == set(USABLE)  # the calling thread's


def test_threads_are_not_pinned_where_the_budget_is_not_all_that_the_process_may_use() -> None:
    cores = Cores(len(USABLE) + 1)
    assert pinned(cores, 0, None) == [set(USABLE)] * 2
    cores.close()


def test_a_kernel_that_refuses_is_asked_no_more(
    cores: Cores, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked = []

    def refuse(_thread: int, processors: Sequence[int]) -> None:
        asked.append(processors)
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    with caplog.at_level(logging.WARNING):
        assert pinned(cores, 0, None, 0) == [set(USABLE)] * 3
    assert asked == [[USABLE[0]]]
    assert caplog.messages == ["Threads are no longer pinned to cores: Invalid argument."]


class Meeting(Entry[Any]):
    """Notes where it may run, once all instances are at work."""

    def __init__(self, together: threading.Barrier) -> None:
        self._together = together

    def prepare(self, payload: Any) -> Prepared:
        return Prepared(payload, 0)

    def run(self, batch: Sequence[Prepared]) -> list[Answer[Any] | TundishError]:
        self._together.wait(10)
        return [Answer(os.sched_getaffinity(0), StageTimes(0, 0, 0, 0, 1)) for _ in batch]


@pytest.mark.parametrize("pinnable", [True, False])
def test_instances_on_all_cores_keep_to_one_each(cores: Cores, pinnable: bool) -> None:
    together = threading.Barrier(len(USABLE))
    target = Scheduler(
        "test",
        Batching(max_batch_size=1),
        lambda count: [dict.fromkeys(("pipeline", "engine"), Meeting(together)) for _ in range(count)],
        cores,
        instances=len(USABLE),
        pinnable=pinnable,
    )
    futures = target.submit("pipeline", range(8 * len(USABLE)))
    places = [future.result(10).output for future in futures]
    target.close()
    # The first round begins while cores are free; in the next ones instances follow each other without a gap.
    if pinnable:
        assert {frozenset(place) for place in places[-4 * len(USABLE) :]} <= {frozenset({core}) for core in USABLE}
    else:
        assert all(place == set(USABLE) for place in places)


class Niceness(Entry[Any]):
    """Notes how nice its thread is."""

    def prepare(self, payload: Any) -> Prepared:
        return Prepared(payload, 0)

    def run(self, batch: Sequence[Prepared]) -> list[Answer[Any] | TundishError]:
        return [Answer(os.getpriority(os.PRIO_PROCESS, 0), StageTimes(0, 0, 0, 0, 1)) for _ in batch]


@pytest.mark.parametrize("nicer", [0, 5])
def test_instances_give_way_to_the_threads_that_answer(cores: Cores, nicer: int) -> None:
    """To those that start them, whose niceness may be another than the process's."""
    own = os.getpriority(os.PRIO_PROCESS, 0)

    def niceness() -> int:
        os.nice(nicer)
        target = Scheduler(
            "test",
            Batching(max_batch_size=1),
            lambda count: [dict.fromkeys(("pipeline", "engine"), Niceness()) for _ in range(count)],
            cores,
            instances=1,
        )
        (future,) = target.submit("pipeline", [0])
        found = future.result(10).output
        target.close()
        return int(found)

    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(niceness).result() == min(own + nicer + 2, 19)
    assert os.getpriority(os.PRIO_PROCESS, 0) == own


def test_a_served_model_keeps_its_instances_apart_while_they_fill_all_cores(tmp_path: Path) -> None:
    make_slow_bundle(tmp_path)
    with tundish.open(tmp_path, instances=len(USABLE)) as runtime, ThreadPoolExecutor(3 * len(USABLE)) as callers:
        image = slow_image(0.1)
        asked = [callers.submit(runtime.predict, "slow", image=image) for _ in range(6 * len(USABLE))]
        instances = [thread for thread in threading.enumerate() if thread.name == "slow-1"]
        assert len(instances) == len(USABLE)
        seen = set()
        while not all(future.done() for future in asked):
            seen |= {frozenset(os.sched_getaffinity(thread.native_id or 0)) for thread in instances}
            time.sleep(0.01)
    assert {frozenset({core}) for core in USABLE} <= seen
