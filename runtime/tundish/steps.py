"""How an item goes through the steps of a composed model, each on the schedulers of its component.

A step begins as soon as its inputs are there: those that do not need each other run side by side, and the calls of a
step mix in batches with those of other items. Nothing here waits, computes or locks: what comes back from a component
is posted to the coordinator's thread, which calls all of this.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from tundish.errors import DeadlineExceededError, TundishError, answerable
from tundish.manifest import Step
from tundish.pipeline import Answer
from tundish.results import StageTimes
from tundish.scheduling.item import Item
from tundish.tasks.composed import ComposedTask, elements_of
from tundish.tasks.shared_image import SharedImage

_GONE = "The caller has gone; the rest of the steps was not run."

NO_TIME = StageTimes(0, 0, 0, 0, 1)

Ask = Callable[[Sequence[Any], float | None, int], list[Future[Answer[Any]]]]
"""Asks a component about items, with a deadline and a priority."""


class Memory:
    """The answers that a step gave last, for items that come again. For one thread."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._answers: OrderedDict[Hashable, Any] = OrderedDict()

    def find(self, item: Any) -> Any | None:
        """The answer to an item, if it is still known."""
        key = _key(item)
        if key in self._answers:
            self._answers.move_to_end(key)
        return self._answers.get(key)

    def keep(self, item: Any, answer: Any) -> None:
        """Keeps an answer, and lets go of that which was not asked for the longest."""
        if not self._capacity:
            return
        self._answers[_key(item)] = answer
        if len(self._answers) > self._capacity:
            self._answers.popitem(last=False)


def _key(item: Any) -> Hashable:
    """What makes an item the same as another; of a long text, not the text itself, of which many would be kept."""
    if isinstance(item, SharedImage):
        return item.digest
    return hashlib.sha256(item).digest() if isinstance(item, bytes) else item


@dataclass(frozen=True, slots=True)
class Plan:
    """What all items of a model have in common."""

    task: ComposedTask[Any]
    steps: Sequence[Step]
    ask: Mapping[str, Ask]
    """By the name of the component."""
    memories: Mapping[str, Memory]
    """By the name of the step."""
    post: Callable[[Callable[[], None]], None]
    """Has the coordinator's thread call something."""
    clock: Callable[[], float]
    """The dispatcher's."""


@dataclass(slots=True)
class _Calls:
    """The calls of a step."""

    items: Sequence[Any]
    answers: list[Any]
    """Of each item; None where it is not there yet."""
    futures: list[Future[Answer[Any]]] = field(default_factory=list)
    """Of those that are not there, in their order."""


class Execution:
    """One item on its way; all of it on the coordinator's thread."""

    def __init__(self, plan: Plan, item: Item, end: Callable[[Answer[Any] | TundishError], None]) -> None:
        """`end` is called once, with what became of the item."""
        self._plan = plan
        self._item = item
        self._end = end
        self._values: dict[str, Any] = {}
        self._times: dict[str, StageTimes] = {}
        """Of each value, along the way that took longest."""
        self._calls: dict[str, _Calls] = {}
        self._ended = False

    def begin(self) -> None:
        """Reads the item, and begins the steps that need nothing else."""
        self._item.future.on_abandoned = lambda: self._plan.post(self._leave)
        try:
            self._check_caller()
            self._values.update(self._plan.task.read(self._item.payload))
            waited = round((self._plan.clock() - self._item.arrived) * 1e9)
            self._times.update(dict.fromkeys(self._values, replace(NO_TIME, queue_nanoseconds=waited)))
            self._go_on()
        except Exception as error:
            self._finish(answerable(error))

    def _go_on(self) -> None:
        """Begins what has its inputs, and ends if nothing is left."""
        for step in self._plan.steps:
            if step.name not in self._calls and all(name in self._values for name in step.inputs):
                self._begin_step(step)
        if all(step.name in self._values for step in self._plan.steps):
            result = self._plan.task.join(self._values)
            self._finish(Answer(result, max(self._times.values(), key=_total)))

    def _check_caller(self) -> None:
        if self._item.abandoned:
            raise DeadlineExceededError(_GONE)

    def _leave(self) -> None:
        """The caller has gone: what waits in the queues of components is dropped."""
        self._finish(DeadlineExceededError(_GONE))

    def _begin_step(self, step: Step) -> None:
        items = _items(self._plan, step, self._values)
        memory = self._plan.memories[step.name]
        calls = _Calls(items, [memory.find(item) for item in items] if step.remembered else [None] * len(items))
        self._calls[step.name] = calls
        missing = [item for item, answer in zip(items, calls.answers, strict=True) if answer is None]
        if not missing:
            self._end_step(step, NO_TIME)
            return
        calls.futures = self._plan.ask[step.component](missing, self._item.deadline, self._item.priority)
        left = itertools.count(len(missing) - 1, -1)
        for future in calls.futures:
            future.add_done_callback(partial(self._answered, step, left))

    def _answered(self, step: Step, left: itertools.count[int], future: Future[Answer[Any]]) -> None:
        """On a thread of the component's: the last of the step's answers is news, and so is any reason not to wait."""
        is_last = not next(left)
        if is_last or self._item.abandoned or future.cancelled() or future.exception() is not None:
            self._plan.post(partial(self._hear, step))

    def _hear(self, step: Step) -> None:
        if self._ended:
            return
        calls = self._calls[step.name]
        try:
            self._check_caller()
            if failed := [each for each in calls.futures if each.done() and (each.cancelled() or each.exception())]:
                failed[0].result()
            answers = iter([future.result() for future in calls.futures])
            slowest = NO_TIME
            memory = self._plan.memories[step.name]
            for index, known in enumerate(calls.answers):
                if known is None:
                    answer = next(answers)
                    calls.answers[index] = answer.output
                    memory.keep(calls.items[index], answer.output)
                    slowest = max(slowest, answer.stage_times, key=_total)
            self._end_step(step, slowest)
            self._go_on()
        except CancelledError:
            self._finish(DeadlineExceededError("A step was dropped, since its caller has gone."))
        except Exception as error:
            self._finish(answerable(error))

    def _end_step(self, step: Step, times: StageTimes) -> None:
        answers = self._calls[step.name].answers
        self._values[step.name] = answers if step.for_each else answers[0]
        before = max((self._times[name] for name in step.inputs), key=_total)
        self._times[step.name] = _one_after_the_other(before, times)

    def _finish(self, outcome: Answer[Any] | TundishError) -> None:
        if self._ended:
            return
        self._ended = True
        self._item.future.on_abandoned = None  # which holds this
        for calls in self._calls.values():
            for future in calls.futures:
                future.cancel()
        self._end(outcome)


def _items(plan: Plan, step: Step, values: Mapping[str, Any]) -> list[Any]:
    """What the step's component is asked about."""
    if step.for_each is None:
        return [plan.task.item(step.name, [values[name] for name in step.inputs])]
    elementwise = step.elementwise(plan.steps)
    count = len(elements_of(values[step.for_each]))
    columns = [
        elements_of(values[name]) if name in elementwise else itertools.repeat(values[name], count)
        for name in step.inputs
    ]
    return [plan.task.item(step.name, row) for row in zip(*columns, strict=True)]


def _one_after_the_other(first: StageTimes, second: StageTimes) -> StageTimes:
    return replace(
        second,
        queue_nanoseconds=first.queue_nanoseconds + second.queue_nanoseconds,
        preprocess_nanoseconds=first.preprocess_nanoseconds + second.preprocess_nanoseconds,
        compute_nanoseconds=first.compute_nanoseconds + second.compute_nanoseconds,
        postprocess_nanoseconds=first.postprocess_nanoseconds + second.postprocess_nanoseconds,
    )


def _total(times: StageTimes) -> int:
    return (
        times.queue_nanoseconds
        + times.preprocess_nanoseconds
        + times.compute_nanoseconds
        + times.postprocess_nanoseconds
    )
