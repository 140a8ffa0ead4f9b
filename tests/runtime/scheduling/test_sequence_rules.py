"""The rules of sequences, on a clock that stands still: each by the number that `sequences.py` gives it."""

from __future__ import annotations

from typing import Any

import pytest
from support.dispatching import Stage

from tundish.errors import DeadlineExceededError, InvalidInputError, QueueFullError
from tundish.scheduling.dispatcher import Lane
from tundish.scheduling.item import Item, Step


class Sequenced:
    """A model on a stage, whose items are steps; a step's state is the tuple of the payloads before it."""

    def __init__(self, instances: int = 1, **batching: Any) -> None:
        self.stage = Stage(cores=instances)
        self.lane: Lane = self.stage.lane(instances=instances, **batching)

    def submit(self, sequence: int | str, payload: object, kind: str = "", **options: Any) -> Item:
        """A step whose `kind` has "start" and "end" in it, or not."""
        step = Step(sequence=sequence, start="start" in kind, end="end" in kind)
        (item,) = self.stage.submit(self.lane, payload, entry="engine", step=step, **options)
        return item

    def finish(self, index: int = 0, **options: Any) -> None:
        self.stage.finish(self.lane, index, **options)

    def began(self, sequence: int | str, payload: object, kind: str = "", **options: Any) -> Item:
        """A step that an instance has taken up."""
        item = self.submit(sequence, payload, kind, **options)
        assert payload in self.running[-1]
        return item

    def ran(self, sequence: int | str, payload: object, kind: str = "", **options: Any) -> object:
        """Runs one step alone; the state it began with."""
        item = self.began(sequence, payload, kind, **options)
        self.finish()
        assert item.future.result(0) == payload
        return state(item)

    @property
    def running(self) -> list[list[Any]]:
        return self.stage.running(self.lane)

    def __len__(self) -> int:
        return len(self.lane.queue.sequences)


def state(item: Item) -> object:
    assert item.step
    return item.step.state


def test_1_items_of_one_sequence_run_one_after_the_other() -> None:
    model = Sequenced(instances=2)
    items = [model.submit(7, 0, "start"), model.submit(7, 1), model.submit(7, 2)]
    for index in range(3):
        assert model.running == [[index]]
        model.finish([instance.work is not None for instance in model.stage.instances[model.lane]].index(True))
    assert [state(item) for item in items] == [None, (0,), (0, 1)]
    assert model.running == []


def test_1_items_of_several_sequences_share_a_batch() -> None:
    model = Sequenced()
    model.submit("head", "head", "start")
    for payload in ("a0", "a1", "b0", "c0", "b1"):
        model.submit(payload[0], payload, "start" if payload[1] == "0" else "")
    model.finish()
    assert model.running == [["a0", "b0", "c0"]]
    model.finish()
    assert model.running == [["a1", "b1"]]


def test_1_an_urgent_item_does_not_overtake_its_own_sequence() -> None:
    model = Sequenced(max_batch_size=1)
    model.submit("head", "head", "start")
    model.submit(7, "first", "start", priority=3)
    second = model.submit(7, "second", priority=1)
    model.finish()
    assert model.running == [["first"]]
    model.finish()
    assert model.running == [["second"]]
    assert state(second) == ("first",)


def test_1_a_turn_comes_to_its_place_in_the_order_of_arrival() -> None:
    model = Sequenced(max_batch_size=1)
    model.submit(7, "first", "start")
    model.submit(7, "second")
    model.submit(8, "later", "start")
    model.finish()
    assert model.running == [["second"]]


@pytest.mark.parametrize("how", ["cancelled", "late"])
def test_1_the_turn_passes_over_an_item_that_is_dropped(how: str) -> None:
    model = Sequenced()
    model.submit("head", "head", "start")
    model.submit(7, 0, "start")
    dropped = model.submit(7, "dropped", deadline=1.0 if how == "late" else None)
    after = model.submit(7, 2)
    if how == "cancelled":
        dropped.future.cancel()
    model.finish(after=1.0)
    model.finish()
    assert model.running == [[2]]
    assert state(after) == (0,)
    if how == "late":
        assert isinstance(dropped.future.exception(0), DeadlineExceededError)


def test_1_items_that_wait_for_their_turn_fill_the_queue_and_the_dead_among_them_do_not() -> None:
    model = Sequenced(max_queue_size=2)
    model.submit(7, 0, "start")
    first, _ = model.submit(7, 1), model.submit(7, 2)
    with pytest.raises(QueueFullError, match="holds 2 of at most 2 items"):
        model.submit(7, 3)
    first.future.cancel()
    last = model.submit(7, 3)
    for _ in range(3):
        model.finish()
    assert state(last) == (0, 2)
    assert model.running == []


def test_2_a_start_begins_anew() -> None:
    model = Sequenced()
    assert model.ran(7, 0, "start") is None
    assert model.ran(7, 1) == (0,)
    assert model.ran(7, 2, "start") is None
    assert model.ran(7, 3) == (2,)


def test_2_an_item_that_fails_leaves_the_state_as_it_was() -> None:
    model = Sequenced()
    model.ran(7, 0, "start")
    for kind in ("", "start", "end", "start end"):
        model.began(7, "bad", kind)
        model.finish(failing=True)
    assert model.ran(7, 1) == (0,)


def test_2_an_item_that_is_abandoned_while_it_runs_leaves_the_state_as_it_was() -> None:
    model = Sequenced()
    model.ran(7, 0, "start")
    item = model.began(7, "abandoned")
    assert not item.future.cancel()
    model.finish()
    assert model.ran(7, 1) == (0,)


def test_2_an_instance_that_is_given_up_leaves_the_state_as_it_was() -> None:
    stage = Stage(cores=1)
    lane = stage.lane(run_limit_seconds=10)
    stage.submit(lane, 0, step=Step(sequence=7, start=True))
    stage.finish(lane)
    stage.submit(lane, "hangs", step=Step(sequence=7))
    (hanging,) = stage.instances[lane]
    (after,) = stage.submit(lane, 1, step=Step(sequence=7))
    assert hanging.work
    stage.now = 10
    hanging.work.items[0].step.state_after = ("too late",)  # type: ignore[union-attr]
    stage.dispatcher.tick()
    stage.add_instance(lane)
    assert stage.running(lane) == [[1]]
    assert state(after) == (0,)
    assert not stage.dispatcher.finish(lane, hanging)
    stage.finish(lane, 1)
    (last,) = stage.submit(lane, 2, step=Step(sequence=7))
    assert state(last) == (0, 1)


def test_3_an_end_forgets_the_sequence() -> None:
    model = Sequenced()
    model.ran(7, 0, "start")
    assert model.ran(7, 1, "end") == (0,)
    assert len(model) == 0
    assert model.ran(7, 2, "start end") is None
    assert len(model) == 0


def test_3_a_sequence_is_forgotten_when_it_has_been_idle() -> None:
    model = Sequenced(sequence_idle_seconds=60.0)
    model.ran(7, 0, "start")
    model.stage.now = 30
    model.ran(8, 0, "start")
    assert model.ran(7, 1) == (0,)
    assert model.stage.dispatcher.tick() == pytest.approx(60)
    model.stage.now = 89.9
    model.stage.dispatcher.tick()
    assert len(model) == 2
    model.stage.now = 90
    assert model.stage.dispatcher.tick() is None
    assert len(model) == 0


def test_3_a_sequence_whose_items_wait_or_run_is_not_idle() -> None:
    model = Sequenced(sequence_idle_seconds=1.0)
    model.ran(7, 0, "start")
    model.began(7, 1)
    model.submit(7, 2)
    model.finish(after=100.0)
    assert model.running == [[2]]
    model.finish(after=100.0)
    assert model.ran(7, 3) == (0, 1, 2)


def test_4_a_sequence_that_is_not_there_must_be_started() -> None:
    model = Sequenced(sequence_idle_seconds=60.0)
    with pytest.raises(InvalidInputError, match=r"There is no sequence 7; begin it with sequence_start"):
        model.submit(7, 0)
    model.ran(7, 0, "start")
    with pytest.raises(InvalidInputError, match="There is no sequence '7'"):
        model.submit("7", 0)
    model.stage.now = 60
    with pytest.raises(InvalidInputError, match="idle for 60 seconds has ended"):
        model.submit(7, 1)
    assert len(model) == 0


@pytest.mark.parametrize("kind", ["start", "start end"])
def test_4_what_follows_a_start_that_failed_or_an_end_is_refused_when_its_turn_comes(kind: str) -> None:
    model = Sequenced()
    model.began(7, 0, kind)
    followers = [model.submit(7, 1), model.submit(7, 2)]
    again, after = model.submit(7, 3, "start"), model.submit(7, 4)
    model.finish(failing=kind == "start")
    for item in followers:
        assert isinstance(item.future.exception(0), InvalidInputError)
    assert model.running == [[3]]
    assert state(again) is None
    model.finish()
    assert state(after) == (3,)


def test_4_there_are_only_so_many_sequences() -> None:
    model = Sequenced(max_sequences=2, sequence_idle_seconds=60.0)
    model.ran(1, 0, "start")
    model.stage.now = 10
    model.ran(2, 0, "start")
    with pytest.raises(QueueFullError, match="There are 2 sequences, as many as there may be") as caught:
        model.submit(3, 0, "start")
    assert caught.value.retry_after_seconds == pytest.approx(50)
    model.ran(1, 1, "start")  # is one of them
    model.ran(2, 1, "end")
    model.ran(3, 0, "start")
    assert len(model) == 2


def test_4_sequences_that_never_came_to_be_are_none() -> None:
    model = Sequenced(max_sequences=1)
    for name in range(5):
        model.began(name, "bad", "start")
        model.finish(failing=True)
        assert len(model) == 0


def test_items_without_steps_do_as_before_beside_those_with() -> None:
    model = Sequenced()
    model.began(7, 0, "start")
    model.submit(7, 1)
    model.stage.submit(model.lane, "plain", entry="engine")
    model.finish()
    assert model.running == [[1, "plain"]]


def test_a_closed_queue_runs_what_waits_for_its_turn() -> None:
    model = Sequenced()
    items = [model.submit(7, 0, "start"), model.submit(7, 1), model.submit(7, 2)]
    model.stage.dispatcher.close(model.lane)
    for _ in range(3):
        assert not model.lane.drained.is_set()
        model.finish()
    assert model.lane.drained.is_set()
    assert [item.future.result(0) for item in items] == [0, 1, 2]
    assert state(items[2]) == (0, 1)


def test_a_model_that_is_removed_refuses_what_waits_for_its_turn() -> None:
    model = Sequenced()
    model.began(7, 0, "start")
    waits = model.submit(7, 1)
    model.stage.dispatcher.remove(model.lane, InvalidInputError("gone"))
    assert isinstance(waits.future.exception(0), InvalidInputError)
    assert len(model) == 0
