"""How items go through steps, with components that answer when the test says so, in any order, or fail."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.images import encoded

from tundish.errors import DeadlineExceededError, EngineError, InvalidInputError, QueueFullError, TundishError
from tundish.manifest import Step
from tundish.pipeline import Answer
from tundish.results import Point, StageTimes, TextDetection, TextRegion
from tundish.scheduling.item import Item
from tundish.steps import Execution, Memory, Plan
from tundish.tasks.composed import elements_of, item_of
from tundish.tasks.shared_image import ImageRegion, SharedImage

TIMES = StageTimes(1, 1, 1, 1, 1)


class Call:
    """What a component was asked, and has not yet answered."""

    def __init__(self, step: str, item: Any, deadline: float | None, priority: int) -> None:
        self.step = step
        self.item = item
        self.deadline = deadline
        self.priority = priority
        self.future: Future[Answer[Any]] = Future()

    def answer(self, outcome: Any = None, times: StageTimes = TIMES) -> None:
        """Answers with what the component says of the item, or with an error; not if nobody listens any more."""
        if not self.future.set_running_or_notify_cancel():
            return
        if isinstance(outcome, Exception):
            self.future.set_exception(outcome)
        else:
            self.future.set_result(Answer(said(self.step, self.item) if outcome is None else outcome, times))


def said(component: str, item: Any) -> str:
    """What the component of each step answers: itself, and what it was asked."""
    return f"{component}({item})"


class ValuesTask:
    """Items are the values themselves, and so are results."""

    def read(self, item: Mapping[str, Any]) -> dict[str, Any]:
        if isinstance(item, Exception):
            raise item
        return dict(item)

    def item(self, step: str, values: Sequence[Any]) -> Any:
        if step == "told":
            return "told", *values
        return item_of(values)

    def join(self, values: Mapping[str, Any]) -> Any:
        if "join fails" in values.values():
            raise ZeroDivisionError
        return dict(values)


class Scene:
    """Steps, each with a component of its own name, and a coordinator that does what was posted when it is told to."""

    def __init__(self, *steps: Step) -> None:
        self.now = 0.0
        self.calls: list[Call] = []
        """In the order in which they were made."""
        self.posted: deque[Callable[[], None]] = deque()
        self.refusal: Exception | None = None
        task: Any = ValuesTask()
        self.plan = Plan(
            task=task,
            steps=steps,
            ask={step.component: partial(self._ask, step.component) for step in steps},
            memories={step.name: Memory(step.remembered) for step in steps},
            post=self.posted.append,
            clock=lambda: self.now,
        )

    def begin(self, values: Any, *, deadline: float | None = None, priority: int = 2) -> Run:
        """An item sets out; it has arrived just now."""
        item = Item(entry="pipeline", payload=values, deadline=deadline, priority=priority, arrived=self.now)
        item.begin()
        run = Run(self, item)
        Execution(self.plan, item, run.outcomes.append).begin()
        return run

    def settle(self) -> None:
        """Does what was posted."""
        while self.posted:
            self.posted.popleft()()

    def waiting(self, step: str | None = None) -> list[Call]:
        """Calls that are not answered, in the order in which they were made."""
        return [call for call in self.calls if not call.future.done() and step in (None, call.step)]

    def answer(self, step: str, outcome: Any = None, times: StageTimes = TIMES) -> None:
        """Answers the first call of a step that waits."""
        self.waiting(step)[0].answer(outcome, times)
        self.settle()

    def _ask(
        self, component: str, items: Sequence[Any], deadline: float | None, priority: int
    ) -> list[Future[Answer[Any]]]:
        if self.refusal:
            raise self.refusal
        calls = [Call(component, item, deadline, priority) for item in items]
        self.calls += calls
        return [call.future for call in calls]


class Run:
    """What becomes of an item."""

    def __init__(self, scene: Scene, item: Item) -> None:
        self._scene = scene
        self.item = item
        self.outcomes: list[Answer[Any] | TundishError] = []

    @property
    def ended(self) -> bool:
        return bool(self.outcomes)

    @property
    def answer(self) -> Answer[Any]:
        (outcome,) = self.outcomes
        assert isinstance(outcome, Answer), outcome
        return outcome

    @property
    def values(self) -> Any:
        return self.answer.output

    @property
    def error(self) -> TundishError:
        (outcome,) = self.outcomes
        assert isinstance(outcome, TundishError)
        return outcome


def step(name: str, *inputs: str, **settings: Any) -> Step:
    """Calls the component of its name."""
    return Step(name=name, component=name, inputs=inputs, **settings)


def test_steps_without_a_common_input_begin_side_by_side_and_others_when_both_are_there() -> None:
    scene = Scene(step("left", "x"), step("right", "y"), step("both", "left", "right"))
    run = scene.begin({"x": 1, "y": 2})
    assert [call.step for call in scene.calls] == ["left", "right"]
    scene.answer("right")
    assert not scene.waiting("both")
    scene.answer("left")
    (call,) = scene.waiting()
    assert (call.step, call.item) == ("both", ("left(1)", "right(2)"))
    scene.answer("both")
    assert run.values["both"] == "both(('left(1)', 'right(2)'))"


def test_the_deadline_and_the_priority_of_an_item_go_with_each_of_its_calls() -> None:
    scene = Scene(step("first", "x"), step("second", "first"))
    scene.begin({"x": 1}, deadline=7.0, priority=3)
    scene.answer("first")
    assert [(call.deadline, call.priority) for call in scene.calls] == [(7.0, 3), (7.0, 3)]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_each_element_is_asked_about_and_the_answers_keep_its_place(count: int) -> None:
    scene = Scene(step("each", "all", "x", for_each="all"), step("after", "each", for_each="each"))
    run = scene.begin({"all": tuple(range(count)), "x": "x"})
    assert [call.item for call in scene.waiting("each")] == [(number, "x") for number in range(count)]
    for call in reversed(scene.waiting("each")):
        assert not scene.waiting("after")
        call.answer()
        scene.settle()
    for call in reversed(scene.waiting("after")):
        call.answer()
        scene.settle()
    assert run.values["after"] == [f"after(each(({number}, 'x')))" for number in range(count)]


def test_what_was_made_of_each_element_goes_along_with_it() -> None:
    scene = Scene(
        step("before", "x"),
        step("each", "all", for_each="all"),
        step("others", "those", for_each="those"),
        step("after", "before", "each", "all", "others", for_each="all"),
    )
    scene.begin({"all": (1, 2), "x": "x", "those": (5, 6, 7)})
    while scene.waiting() and not scene.waiting("after"):
        scene.waiting()[-1].answer()
        scene.settle()
    others = ["others(5)", "others(6)", "others(7)"]
    assert [call.item for call in scene.waiting("after")] == [
        ("before(x)", "each(1)", 1, others),
        ("before(x)", "each(2)", 2, others),
    ]


def test_the_task_says_what_a_step_is_asked_about() -> None:
    scene = Scene(step("told", "all", "x", for_each="all"), step("alone", "x"))
    scene.begin({"all": (1, 2), "x": "x"})
    assert [call.item for call in scene.calls] == [("told", 1, "x"), ("told", 2, "x"), "x"]


def test_an_item_that_cannot_be_read_fails_without_a_call() -> None:
    scene = Scene(step("only", "x"))
    assert isinstance(scene.begin(InvalidInputError("unreadable")).error, InvalidInputError)
    assert "TypeError" in str(scene.begin(TypeError("a fault of its own")).error)
    assert not scene.calls


def test_an_error_of_a_component_is_the_items_and_drops_what_waits() -> None:
    scene = Scene(step("each", "all", for_each="all"), step("other", "x"), step("after", "each", "other"))
    failing, fine = scene.begin({"all": (1, 2), "x": 3}), scene.begin({"all": (4,), "x": 5})
    dropped = scene.waiting()[1:3]
    scene.answer("each", EngineError("broken"))
    assert str(failing.error) == "broken"
    assert all(call.future.cancelled() for call in dropped)
    for call in scene.waiting():
        call.answer()
    scene.settle()
    scene.answer("after")
    assert fine.values["after"] == "after((['each(4)'], 'other(5)'))"
    assert len(failing.outcomes) == 1


def test_two_errors_are_one() -> None:
    scene = Scene(step("left", "x"), step("right", "x"))
    run = scene.begin({"x": 1})
    left, right = scene.waiting()
    left.answer(EngineError("left"))
    right.answer(EngineError("right"))
    scene.settle()
    assert str(run.error) == "left"


def test_a_component_that_refuses_ends_the_item_and_drops_what_it_had_begun() -> None:
    scene = Scene(step("first", "x"), step("other", "x"), step("second", "first"))
    run = scene.begin({"x": 1})
    scene.refusal = QueueFullError("no room", retry_after_seconds=1)
    scene.answer("first")
    assert run.error is scene.refusal
    assert scene.calls[1].future.cancelled()


def test_a_call_that_another_has_cancelled_ends_the_item() -> None:
    scene = Scene(step("only", "x"))
    run = scene.begin({"x": 1})
    scene.calls[0].future.cancel()
    scene.settle()
    assert isinstance(run.error, DeadlineExceededError)


def test_a_fault_of_the_join_is_an_error_of_the_tree() -> None:
    scene = Scene(step("only", "x"))
    run = scene.begin({"x": "join fails"})
    scene.answer("only")
    assert "ZeroDivisionError" in str(run.error)


def test_nothing_more_is_run_for_a_caller_that_has_gone() -> None:
    scene = Scene(step("each", "all", for_each="all"), step("after", "each"))
    run = scene.begin({"all": (1, 2, 3)})
    run.item.future.cancel()
    scene.answer("each")  # the first of three
    assert "The caller has gone" in str(run.error)
    assert [call.future.cancelled() for call in scene.calls] == [False, True, True]


def test_what_waits_is_dropped_as_soon_as_the_caller_has_gone() -> None:
    scene = Scene(step("first", "x"), step("second", "x"))
    run = scene.begin({"x": "a"})
    run.item.future.cancel()
    scene.settle()
    assert isinstance(run.error, DeadlineExceededError)
    assert [call.future.cancelled() for call in scene.calls] == [True, True]


def test_nothing_at_all_is_run_for_a_caller_that_has_gone_before() -> None:
    scene = Scene(step("only", "x"))
    item = Item(entry="pipeline", payload={"x": 1}, priority=2)
    item.begin()
    item.future.cancel()
    outcomes: list[Any] = []
    Execution(scene.plan, item, outcomes.append).begin()
    assert isinstance(outcomes[0], DeadlineExceededError)
    assert not scene.calls


def test_what_is_remembered_is_not_asked_again() -> None:
    scene = Scene(step("each", "all", for_each="all", remembered=2))
    first = scene.begin({"all": (b"a", b"b")})
    for call in scene.waiting():
        call.answer()
    scene.settle()
    second = scene.begin({"all": (b"c", b"b")})
    (call,) = scene.waiting()
    assert call.item == b"c"
    scene.answer("each")
    assert second.values["each"] == ["each(b'c')", "each(b'b')"]
    assert scene.begin({"all": (b"b", b"c")}).values["each"] == ["each(b'b')", "each(b'c')"]  # without a call
    scene.begin({"all": (b"a",)})
    assert [call.item for call in scene.waiting()] == [b"a"]  # two are kept, and it was not asked for the longest
    assert first.values["each"] == ["each(b'a')", "each(b'b')"]


def test_an_error_is_not_remembered() -> None:
    scene = Scene(step("only", "x", remembered=5))
    scene.begin({"x": b"a"})
    scene.answer("only", EngineError("once"))
    run = scene.begin({"x": b"a"})
    scene.answer("only")
    assert run.values["only"] == "only(b'a')"


@given(st.integers(0, 4), st.lists(st.tuples(st.booleans(), st.integers(0, 6)), max_size=40))
def test_a_memory_keeps_those_used_last(capacity: int, uses: list[tuple[bool, int]]) -> None:
    memory, used = Memory(capacity), list[int]()
    for is_kept, number in uses:
        known = number in used
        assert (memory.find(str(number).encode()) == number) == known
        if is_kept:
            memory.keep(str(number).encode(), number)
        if known or is_kept:
            used = [number, *(other for other in used if other != number)][:capacity]


def test_an_image_is_known_by_its_content() -> None:
    memory = Memory(1)
    memory.keep(SharedImage(encoded("red")), "red")
    assert memory.find(SharedImage(encoded("red"))) == "red"
    assert memory.find(SharedImage(encoded("blue"))) is None


def test_the_times_are_those_of_the_longest_way() -> None:
    scene = Scene(step("each", "all", for_each="all"), step("short", "x"), step("last", "each", "short"))
    run = scene.begin({"all": (1, 2), "x": 3})
    scene.answer("each", times=StageTimes(1, 2, 3, 4, 8))
    scene.answer("each", times=StageTimes(10, 20, 30, 40, 8))
    scene.answer("short", times=StageTimes(20, 20, 20, 20, 1))
    scene.answer("last", times=StageTimes(100, 200, 300, 400, 2))
    assert run.answer.stage_times == StageTimes(110, 220, 330, 440, 2)


def test_the_time_that_an_item_waited_for_its_place_is_time_in_the_queue() -> None:
    scene = Scene(step("only", "x"))
    item = Item(entry="pipeline", payload={"x": 1}, priority=2, arrived=1.0)
    item.begin()
    scene.now = 1.5
    outcomes: list[Any] = []
    Execution(scene.plan, item, outcomes.append).begin()
    scene.answer("only")
    assert outcomes[0].stage_times == StageTimes(500_000_001, 1, 1, 1, 1)


def test_what_is_remembered_takes_no_time() -> None:
    scene = Scene(step("first", "x", remembered=1), step("second", "first"))
    scene.begin({"x": b"a"})
    scene.answer("first")
    run = scene.begin({"x": b"a"})
    for call in scene.waiting():
        call.answer(times=StageTimes(0, 0, 5, 0, 3))
    scene.settle()
    assert run.answer.stage_times == StageTimes(0, 0, 5, 0, 3)


REGION = TextRegion((Point(0, 0), Point(4, 0), Point(4, 4), Point(0, 4)), 0.5)


def test_an_image_and_a_place_in_it_are_a_region() -> None:
    image = SharedImage(encoded("red"))
    region = item_of([image, REGION])
    assert isinstance(region, ImageRegion)
    assert region.image is image
    assert region.corners.tolist() == [[0, 0], [4, 0], [4, 4], [0, 4]]
    assert region.corners.dtype == np.float32
    assert item_of([image]) is image
    assert item_of([image, "a text"]) == (image, "a text")


def test_the_elements_of_a_detection_are_its_regions() -> None:
    assert elements_of(TextDetection((REGION,))) == (REGION,)
    assert elements_of(("a", "b")) == ("a", "b")


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[Step], dict[str, bool]]:
    """Steps of which each takes what is there, and whether each value that is given is a list."""
    lists = {f"given{number}": draw(st.booleans()) for number in range(draw(st.integers(1, 3)))}
    given_lists = dict(lists)
    steps = []
    for number in range(draw(st.integers(1, 6))):
        inputs = draw(st.lists(st.sampled_from(sorted(lists)), min_size=1, max_size=3, unique=True))
        through = draw(st.sampled_from([None, *(name for name in inputs if lists[name])]))
        # Lists cannot be looked up; what goes through one takes its elements.
        plain = all(not lists[name] or name == through for name in inputs)
        remembered = draw(st.sampled_from([0, 0, 1, 50])) if plain else 0
        steps.append(step(f"step{number}", *inputs, for_each=through, remembered=remembered))
        lists[f"step{number}"] = through is not None
    return steps, given_lists


def evaluated(steps: Sequence[Step], values: Mapping[str, Any], name: str) -> Any:
    """What a value must be: its step applied to its inputs, which are found in the same way."""
    if name in values:
        return values[name]
    (made,) = (each for each in steps if each.name == name)
    inputs = {each: evaluated(steps, values, each) for each in made.inputs}

    def applied(**elements: Any) -> str:
        parts = [{**inputs, **elements}[each] for each in made.inputs]
        return said(made.component, parts[0] if len(parts) == 1 else tuple(parts))

    if made.for_each is None:
        return applied()
    siblings = [each.name for each in steps if each.for_each == made.for_each and each.name in inputs]
    along = [made.for_each, *siblings]
    return [applied(**{each: inputs[each][place] for each in along}) for place in range(len(inputs[made.for_each]))]


@settings(max_examples=150, deadline=None)
@given(
    graph=graphs(),
    lengths=st.lists(st.integers(0, 3), min_size=1, max_size=4),
    seed=st.integers(0, 2**32),
    failures=st.sampled_from([0.0, 0.0, 0.1]),
    leaving=st.sampled_from([0.0, 0.0, 0.1]),
)
def test_whatever_comes_first_each_item_ends_once_and_as_its_graph_says(
    graph: tuple[list[Step], dict[str, bool]], lengths: list[int], seed: int, failures: float, leaving: float
) -> None:
    steps, lists = graph
    draw = random.Random(seed)
    scene = Scene(*steps)
    items = [
        {
            name: tuple(f"{name}.{draw.randrange(3)}" for _ in range(length)) if is_list else f"{name}.{length}"
            for name, is_list in lists.items()
        }
        for length in lengths
    ]
    setting_out = list(items)
    runs: list[Run] = []
    gone: list[Run] = []
    failed = False
    while setting_out or scene.posted or scene.waiting():
        if runs and draw.random() < leaving:
            gone.append(draw.choice(runs))
            gone[-1].item.future.cancel()
        ready = [bool(setting_out), bool(scene.posted), bool(scene.waiting())]
        match draw.choice([number for number, is_ready in enumerate(ready) if is_ready]):
            case 0:
                runs.append(scene.begin(setting_out.pop(0)))
            case 1:
                scene.posted.popleft()()
            case _:
                fails = draw.random() < failures
                failed |= fails
                draw.choice(scene.waiting()).answer(EngineError("chance") if fails else None)
    for values, run in zip(items, runs, strict=True):
        (outcome,) = run.outcomes
        if isinstance(outcome, TundishError):
            assert run in gone if isinstance(outcome, DeadlineExceededError) else failed
            continue
        assert outcome.output == values | {each.name: evaluated(steps, values, each.name) for each in steps}


@settings(max_examples=60, deadline=None)
@given(graph=graphs(), seed=st.integers(0, 2**32))
def test_a_step_begins_as_soon_as_its_inputs_are_there_and_no_sooner(
    graph: tuple[list[Step], dict[str, bool]], seed: int
) -> None:
    steps, lists = graph
    draw = random.Random(seed)
    scene = Scene(*steps)
    run = scene.begin({name: ("a", "b") if is_list else "a" for name, is_list in lists.items()})
    while not run.ended:
        begun = {call.step for call in scene.calls}
        made = {name for name in begun if not scene.waiting(name)} | set(lists)
        assert begun == {each.name for each in steps if made.issuperset(each.inputs)}
        draw.choice(scene.waiting()).answer()
        scene.settle()
