"""The scheduler drives its instances, answers every item once, and survives what they do."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tundish.errors import EngineError, InvalidInputError, ModelNotReadyError, StoppingError, TundishError
from tundish.pipeline import Answer, Entry, Prepared
from tundish.results import StageTimes
from tundish.scheduling import Batching, Cores, Scheduler

TIMES = StageTimes(0, 1, 2, 3, 1)


class Echo(Entry[Any]):
    """Answers each item with itself; strings beginning with "bad" fail, "crash" breaks the whole batch."""

    def __init__(self) -> None:
        self.batches: list[list[Any]] = []
        self.open = threading.Event()
        self.open.set()

    def prepare(self, payload: Any) -> Prepared:
        if str(payload).startswith("bad to read"):
            raise InvalidInputError(payload)
        return Prepared(payload, 7, length=len(str(payload)))

    def run(self, batch: Sequence[Prepared]) -> list[Answer[Any] | TundishError]:
        self.open.wait(10)
        items = [prepared.value for prepared in batch]
        self.batches.append(items)
        if "crash" in items:
            raise ZeroDivisionError("a fault of the server's own")
        return [InvalidInputError(item) if str(item).startswith("bad") else Answer(item, TIMES) for item in items]


def outputs(futures: Sequence[Future[Any]]) -> list[Any]:
    return [future.result(10).output for future in futures]


@pytest.fixture(scope="module", autouse=True)
def cores() -> Iterator[Cores]:
    made = Cores(3)
    CORES.append(made)
    yield made
    made.close()


CORES: list[Cores] = []


def scheduler(*echoes: Echo, run_limit_seconds: float = 60, **batching: Any) -> Scheduler:
    """An instance for each; whatever replaces one takes the last of them again."""
    settings = Batching(**{"max_batch_size": 4, "max_queue_size": 1000, **batching})
    left = list(echoes)
    return Scheduler(
        "test",
        settings,
        lambda count: [
            dict.fromkeys(("pipeline", "engine"), left.pop(0) if len(left) > 1 else left[0]) for _ in range(count)
        ],
        CORES[-1],
        instances=len(echoes),
        run_limit_seconds=run_limit_seconds,
    )


def test_answers_and_counts_the_time_in_the_queue() -> None:
    echo = Echo()
    target = scheduler(echo)
    (future,) = target.submit("pipeline", ["item"])
    answer = future.result(10)
    assert answer.output == "item"
    assert answer.stage_times.queue_nanoseconds > 0
    assert answer.stage_times.compute_nanoseconds == 2
    target.close()


class SlowToPrepare(Echo):
    """Takes a fifth of a second to read an item."""

    def prepare(self, payload: Any) -> Prepared:
        started = time.monotonic_ns()
        time.sleep(0.2)
        return Prepared(payload, time.monotonic_ns() - started, length=1)


@pytest.mark.parametrize("by_length", [False, True])
def test_what_is_done_for_an_item_before_its_batch_is_no_waiting(by_length: bool) -> None:
    target = scheduler(SlowToPrepare(), by_length=by_length)
    (future,) = target.submit("pipeline", ["item"])
    assert 0 < future.result(10).stage_times.queue_nanoseconds < 0.15e9
    target.close()


def test_one_bad_item_fails_alone() -> None:
    echo = Echo()
    echo.open.clear()
    target = scheduler(echo)
    futures = target.submit("pipeline", ["first", "a", "bad", "b"])
    echo.open.set()
    assert futures[0].result(10).output == "first"
    assert futures[1].result(10).output == "a"
    with pytest.raises(InvalidInputError):
        futures[2].result(10)
    assert futures[3].result(10).output == "b"
    target.close()


@pytest.mark.parametrize("by_length", [False, True])
def test_an_item_that_cannot_be_prepared_fails_alone(by_length: bool) -> None:
    target = scheduler(Echo(), by_length=by_length)
    good, bad, fine = target.submit("pipeline", ["good", "bad to read", "fine"])
    assert outputs([good, fine]) == ["good", "fine"]
    with pytest.raises(InvalidInputError):
        bad.result(10)
    target.close()


def test_items_with_lengths_are_batched_with_their_like() -> None:
    echo = Echo()
    echo.open.clear()
    target = scheduler(echo, by_length=True, max_batch_size=8)
    futures = target.submit("pipeline", ["x" * 200])
    futures += target.submit("pipeline", ["x" * length for length in (5, 50, 5, 50, 5)])
    echo.open.set()
    outputs(futures)
    target.close()
    assert sorted(len(batch) for batch in echo.batches if len(batch[0]) < 200) == [2, 3]


def test_an_instance_survives_a_fault_of_its_own_and_tells_the_callers() -> None:
    target = scheduler(Echo(), max_batch_size=1)
    (future,) = target.submit("pipeline", ["crash"])
    with pytest.raises(EngineError, match="ZeroDivisionError"):
        future.result(10)
    assert outputs(target.submit("pipeline", ["after"])) == ["after"]
    target.close()


def test_a_cancelled_item_never_reaches_an_instance() -> None:
    echo = Echo()
    echo.open.clear()
    target = scheduler(echo, max_batch_size=1)
    first, second, third = (target.submit("pipeline", [name])[0] for name in ("first", "second", "third"))
    assert second.cancel()
    echo.open.set()
    assert outputs([first, third]) == ["first", "third"]
    target.close()
    assert ["second"] not in echo.batches


def test_closing_answers_what_was_accepted_and_refuses_the_rest() -> None:
    echo = Echo()
    echo.open.clear()
    target = scheduler(echo)
    futures = target.submit("pipeline", list(range(20)))
    closer = threading.Thread(target=target.close)
    closer.start()
    while True:
        try:
            futures += target.submit("pipeline", ["more"])
        except StoppingError:
            break
    echo.open.set()
    closer.join(10)
    assert not closer.is_alive()
    assert all(future.done() for future in futures)
    assert outputs(futures)[:20] == list(range(20))


def test_instances_work_side_by_side() -> None:
    both_run = threading.Barrier(2)

    class Meeting(Echo):
        def run(self, batch: Sequence[Prepared]) -> list[Answer[Any] | TundishError]:
            both_run.wait(10)
            return super().run(batch)

    target = scheduler(Meeting(), Meeting(), max_batch_size=1)
    assert outputs(target.submit("pipeline", ["a", "b"])) == ["a", "b"]
    target.close()


class Hanging(Echo):
    """Hangs on "hang", until it is told that the test is over."""

    def __init__(self) -> None:
        super().__init__()
        self.over = threading.Event()

    def run(self, batch: Sequence[Prepared]) -> list[Answer[Any] | TundishError]:
        if any(prepared.value == "hang" for prepared in batch):
            self.over.wait(60)
        return super().run(batch)


def test_an_instance_that_hangs_is_replaced_and_its_callers_are_told() -> None:
    hanging = Hanging()
    target = scheduler(hanging, run_limit_seconds=0.2, max_batch_size=1)
    hangs, after = target.submit("pipeline", ["hang", "after"])
    with pytest.raises(EngineError, match=r"'test' gave no answer within 0\.2 seconds; its instance was replaced"):
        hangs.result(10)
    assert outputs([after]) == ["after"]
    hanging.over.set()  # the old thread comes back, to nobody
    assert outputs(target.submit("pipeline", ["again"])) == ["again"]
    target.close()


def test_a_model_whose_only_instance_cannot_be_replaced_says_so() -> None:
    hanging = Hanging()
    engines: list[Echo] = [hanging]

    def load(count: int) -> list[dict[Any, Echo]]:
        if not engines:
            raise EngineError("the file is gone")
        return [dict.fromkeys(("pipeline", "engine"), engines.pop()) for _ in range(count)]

    settings = Batching(max_batch_size=1)
    target = Scheduler("test", settings, load, CORES[-1], instances=1, run_limit_seconds=0.2)
    hangs, waits = target.submit("pipeline", ["hang", "waits"])
    with pytest.raises(EngineError):
        hangs.result(10)
    with pytest.raises(ModelNotReadyError, match="'test' has no instance left: the file is gone"):
        waits.result(10)
    with pytest.raises(ModelNotReadyError):
        target.submit("pipeline", ["more"])
    hanging.over.set()
    target.close()


def test_an_instance_that_comes_back_is_waited_for_where_another_cannot() -> None:
    hanging, both_away, returning = [Hanging(), Hanging()], threading.Event(), threading.Event()
    loads = 0

    def load(_: int) -> list[dict[Any, Echo]]:
        nonlocal loads
        loads += 1
        if loads == 2:
            both_away.wait(10)
            raise EngineError("the file was being written")
        if loads == 3:
            both_away.set()
            returning.wait(10)
            return [dict.fromkeys(("pipeline", "engine"), Echo())]
        return [dict.fromkeys(("pipeline", "engine"), each) for each in hanging]

    target = Scheduler("test", Batching(max_batch_size=1), load, CORES[-1], instances=2, run_limit_seconds=0.2)
    *hangs, waits = target.submit("pipeline", ["hang", "hang", "waits"])
    for future in hangs:
        with pytest.raises(EngineError):
            future.result(10)
    both_away.wait(10)
    time.sleep(0.1)  # by now the other load has failed, and would have taken the model away
    returning.set()
    assert outputs([waits]) == ["waits"]
    for each in hanging:
        each.over.set()
    target.close()


def test_a_limit_of_any_length_leaves_the_others_watched() -> None:
    patient, hanging = Echo(), Hanging()
    patient.open.clear()
    endless = scheduler(patient, run_limit_seconds=1e12)
    (future,) = endless.submit("pipeline", ["patient"])
    watched = scheduler(hanging, run_limit_seconds=0.2)
    with pytest.raises(EngineError, match="gave no answer"):
        watched.submit("pipeline", ["hang"])[0].result(10)
    patient.open.set()
    assert outputs([future]) == ["patient"]
    hanging.over.set()
    for target in (endless, watched):
        target.close()


def test_models_together_never_compute_on_more_threads_than_there_are_cores() -> None:
    computing, most = 0, 0
    lock = threading.Lock()

    class Counting(Echo):
        def run(self, batch: Sequence[Prepared]) -> list[Answer[Any] | TundishError]:
            nonlocal computing, most
            with lock:
                computing += 1
                most = max(most, computing)
            time.sleep(0.002)
            with lock:
                computing -= 1
            return super().run(batch)

    targets = [scheduler(*(Counting() for _ in range(3)), max_batch_size=1) for _ in range(3)]
    futures = [future for target in targets for future in target.submit("pipeline", range(30))]
    outputs(futures)
    for target in targets:
        target.close()
    assert most == CORES[-1].dispatcher.cores


@settings(max_examples=40, deadline=None)
@given(
    plan=st.lists(
        st.tuples(st.sampled_from(["good", "bad", "crash"]), st.sampled_from(["pipeline", "engine"]), st.booleans()),
        max_size=60,
    ),
    instances=st.integers(1, 3),
    max_batch_size=st.integers(1, 5),
)
def test_every_item_is_answered_once_whatever_happens(
    plan: list[tuple[str, Any, bool]], instances: int, max_batch_size: int
) -> None:
    echoes = [Echo() for _ in range(instances)]
    target = scheduler(*echoes, max_batch_size=max_batch_size)
    answered: list[str] = []
    futures = []
    for index, (kind, entry, cancel) in enumerate(plan):
        payload = kind if kind == "crash" else f"{kind} {index}"
        (future,) = target.submit(entry, [payload])
        future.add_done_callback(functools.partial(lambda name, _: answered.append(name), payload))
        futures.append((future, payload, cancel and future.cancel()))
    target.close()
    assert len(answered) == len(plan)
    ran = [item for echo in echoes for batch in echo.batches for item in batch]
    for future, payload, cancelled in futures:
        assert future.done()
        assert future.cancelled() == cancelled
        if payload != "crash":
            assert ran.count(payload) == (0 if cancelled else 1)
    assert all(len(batch) <= max_batch_size for echo in echoes for batch in echo.batches)
