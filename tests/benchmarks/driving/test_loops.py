"""The loops, with answers that the test gives."""

from __future__ import annotations

import asyncio
import itertools

import numpy as np
import pytest

from tundish_bench.driving import loops
from tundish_bench.driving.load import Closed, Open
from tundish_bench.driving.loops import Notebook, OpenLoop, run_closed
from tundish_bench.driving.outcomes import ANSWER, DIFFERENT, NOT_WAITED_FOR, Outcome
from tundish_bench.driving.records import Records


async def run_open(load: Open, seconds: float, answer_after: float | None, grace: float) -> Records:
    """The records of a load whose requests are all answered so long after there was no more room; or never."""
    answer = asyncio.Event()

    async def ask(_index: int) -> Outcome:
        await answer.wait()
        return ANSWER

    notebook, stop = Notebook(), asyncio.Event()
    running = asyncio.ensure_future(OpenLoop(load, itertools.count(), 1.0, ask, 3, notebook).run(stop))
    while len(notebook.under_way) < loops.MOST_UNDER_WAY:
        await asyncio.sleep(0.001)
    if answer_after is not None:
        asyncio.get_running_loop().call_later(answer_after, answer.set)
    await asyncio.sleep(seconds)
    stop.set()
    try:
        await asyncio.wait_for(running, grace)
    except TimeoutError:
        notebook.give_up()
    return notebook.take()


async def test_what_there_is_no_room_for_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "MOST_UNDER_WAY", 5)
    records = await run_open(Open(100.0, is_poisson=False), 1.0, None, 0.2)
    assert 90 <= len(records) <= 130
    assert not records.answered.any()
    assert records.was_given_up.all()
    assert set(records.errors) == {NOT_WAITED_FOR.says}
    # Those that had to wait for room have waited since they were due.
    assert np.ptp(np.diff(np.sort(records.due))) < 1e-6
    assert np.all(records.latencies[:-30] > 0.2)


async def test_what_waits_for_room_is_sent_when_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "MOST_UNDER_WAY", 5)
    records = await run_open(Open(100.0, is_poisson=False), 1.0, 0.5, 5.0)
    assert records.answered.all()
    late = records.sent - records.due
    assert np.count_nonzero(late > 0.2) >= 15
    assert np.all(records.sent >= records.due)


async def test_a_closed_loop_has_as_many_under_way_as_callers_and_pauses_after_an_error() -> None:
    under_way, most, asked = 0, 0, []

    async def ask(index: int) -> Outcome:
        nonlocal under_way, most
        under_way, most = under_way + 1, max(most, under_way + 1)
        asked.append(index)
        await asyncio.sleep(0.01)
        under_way -= 1
        return Outcome(503, "refused") if index == 0 else ANSWER

    notebook, stop = Notebook(), asyncio.Event()
    asyncio.get_running_loop().call_later(0.3, stop.set)
    await run_closed(Closed(4), ask, 3, notebook, stop)
    records = notebook.take()
    assert most == 4
    assert len(records) == len(asked)
    assert set(asked) == {0, 1, 2}
    assert records.errors["refused"] == asked.count(0) == np.count_nonzero(~records.answered)
    assert len(notebook.take()) == 0


async def test_an_open_loop_of_one_block_sends_what_belongs_to_it_and_ends() -> None:
    async def ask(index: int) -> Outcome:
        return ANSWER if index else Outcome(DIFFERENT)

    load, notebook, stop = Open(200.0), Notebook(), asyncio.Event()
    await asyncio.wait_for(OpenLoop(load, range(1), 0.5, ask, 4, notebook).run(stop), 30)
    assert stop.is_set()
    records = notebook.take()
    assert records.answered.all()
    assert np.count_nonzero(records.differs) == 25  # each fourth
    np.testing.assert_allclose(np.diff(records.due), np.diff(load.due(0, 0.5)), atol=1e-6)
