"""One load on one server: warm up until it is steady, measure some repeats, and say what makes them doubtful."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Protocol

from tundish_bench.driving.doubts import Spent, doubts
from tundish_bench.driving.figures import Repeat, load_figures, pooled_latencies, seen_in
from tundish_bench.driving.generator import TICK_SECONDS, Generator, Order, Tick
from tundish_bench.driving.records import Records, joined
from tundish_bench.driving.steadiness import WINDOW_SECONDS, Window, is_steady, window_of
from tundish_bench.errors import BenchmarkError
from tundish_bench.processes import machine_busy_seconds
from tundish_bench.reports import Figure, Row

OnProgress = Callable[[str, float], None]
"""Is told what is done now, and what share of the repeats is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long to measure."""

    repeats: int = 5
    seconds: float = 5.0
    """Of each repeat."""
    most_warm_up_seconds: float = 30.0
    """If it has not become steady by then, it is measured all the same, and that is said."""


class Meter(Protocol):
    """Measures something beside the load, over each repeat."""

    def repeat(self) -> AbstractContextManager[object]:
        """Entered when a repeat begins, left when it ends."""
        ...

    def figures(self, answered: Sequence[int]) -> Iterator[Figure]:
        """What it measured; `answered` are the requests of each repeat."""
        ...

    def notes(self) -> tuple[str, ...]:
        """Sentences about what its figures lack."""
        ...


class _Log:
    """What the generator has told so far."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self.ticks: list[Tick] = []

    def wait_until(self, moment: float) -> None:
        """Ends when it is, whatever the generator has told by then; it tells the rest later."""
        while (left := moment - time.perf_counter()) > 0:
            if (tick := self._generator.tick_within(left)) is not None:
                self.ticks.append(tick)

    def wait_for_all_until(self, moment: float) -> float:
        """Ends when the generator has told of all until then, and a little more; returns until when."""
        while not self.ticks or self.ticks[-1].at < moment:
            self.ticks.append(self._generator.tick())
        return self.ticks[-1].at

    def records(self) -> Records:
        return joined(tick.records for tick in self.ticks)

    def spent(self) -> Spent:
        """By the newest tick."""
        newest = self.ticks[-1]
        return Spent(newest.at, newest.cpu_seconds, newest.loop_seconds, machine_busy_seconds())


def measure(
    order: Order, plan: Plan, *, batch: int = 1, meters: Sequence[Meter] = (), on_progress: OnProgress | None = None
) -> Row:
    """The row of a load; `batch` items are in each request.

    Raises:
        BenchmarkError: the server answers nothing.
    """
    tell = on_progress or (lambda _what, _share: None)
    with Generator() as generator:
        generator.begin(order)
        log = _Log(generator)
        was_steady = _warm_up(log, order, plan, tell)
        repeats, spent = [], [log.spent()]
        for number in range(plan.repeats):
            tell(f"repeat {number + 1} of {plan.repeats}", number / plan.repeats)
            with _all(meters):
                begin = time.perf_counter()
                log.wait_until(begin + plan.seconds)
                repeats.append(Repeat(begin, time.perf_counter()))
            spent.append(log.spent())
        log.ticks.extend(generator.stop())
    seen = seen_in(repeats, log.records())
    answered = [int(records.answered.sum()) for records in seen.ended]
    if not any(answered):
        raise BenchmarkError(_nothing(order, log.records()))
    figures = [*load_figures(seen, batch), _client_figure(spent, repeats, answered)]
    for meter in meters:
        figures.extend(meter.figures(answered))
    return Row(
        name=order.load.name,
        figures=tuple(figures),
        histogram=pooled_latencies(seen).encoded(),
        notes=(
            *doubts(order.load, seen, log.records(), spent),
            *([] if was_steady else [f"The server was not steady after {plan.most_warm_up_seconds:g} s."]),
            *(note for meter in meters for note in meter.notes()),
        ),
    )


def _warm_up(log: _Log, order: Order, plan: Plan, tell: OnProgress) -> bool:
    """Waits until the server is steady, or for so long; returns whether it is."""
    windows: list[Window] = []
    tell("warming up", 0.0)
    began = end = log.wait_for_all_until(0.0)  # the first tick: until then, the process itself starts
    while end - began < plan.most_warm_up_seconds:
        begin, end = end, log.wait_for_all_until(end + WINDOW_SECONDS)
        records = log.records()
        if len(records) and not records.answered.any():
            raise BenchmarkError(_nothing(order, records))
        windows.append(window_of(records.between(begin, end, of=records.ended), end - begin))
        if is_steady(windows):
            return True
    return False


def _nothing(order: Order, records: Records) -> str:
    """That no request was answered, or no more, and why."""
    answered = int(records.answered.sum())
    what = f"answered {answered} requests, and then none" if answered else "answered no request"
    return f"{order.asking.endpoint} {what}: {records.commonest_error or 'it did not answer in time'}."


def _client_figure(spent: Sequence[Spent], repeats: Sequence[Repeat], answered: Sequence[int]) -> Figure:
    """By what the generator had spent when it last told, before each repeat began and before it ended."""
    values = []
    for before, after, repeat, count in zip(spent, spent[1:], repeats, answered, strict=False):
        share = (after.cpu_seconds - before.cpu_seconds) / max(after.at - before.at, TICK_SECONDS)
        values.append(1e3 * share * repeat.seconds / max(1, count))
    return Figure(name="client CPU", unit="ms", repeats=tuple(values))


@contextmanager
def _all(meters: Sequence[Meter]) -> Iterator[None]:
    with ExitStack() as stack:
        for meter in meters:
            stack.enter_context(meter.repeat())
        yield
