"""Servers measured side by side on one workload: in each round each of them, under each number of callers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from tundish_bench.driving.asking import Asking
from tundish_bench.driving.connecting import ask_alone
from tundish_bench.driving.dialects import Dialect
from tundish_bench.driving.generator import Generator
from tundish_bench.errors import BenchmarkError
from tundish_bench.peers.timetable import Pace
from tundish_bench.peers.workloads import Workload
from tundish_bench.processes import ServerProcess
from tundish_bench.rounds import Sample, ServerSubject
from tundish_bench.watching import Family

_WARM_UP_SECONDS = 1.0
_SETTLE_SECONDS = 1.0
_IDLE_SECONDS = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A server as it is asked in one way."""

    name: str
    """No two of a comparison are the same."""
    process: ServerProcess
    url: str
    dialect: Dialect
    is_ours: bool = False

    @property
    def by_http(self) -> bool:
        """Whether it is compared with what is asked by HTTP, or else by gRPC."""
        return self.dialect.wire == "http"


Points = dict[tuple[str, int], list[Sample]]
"""By the target's name and the callers: of each round."""

Askings = dict[str, Asking]
"""By the target's name: what it is asked, and the answers that it gave alone."""


def ask_each_alone(targets: Sequence[Target], workload: Workload) -> Askings:
    """Asks all of them, which warms them up, too.

    Raises:
        BenchmarkError: one of them answers otherwise than the bundle does in this process.
    """
    askings = {}
    for target in targets:
        asking = ask_alone(target.url, workload.questions, target.dialect)
        assert asking.expected is not None
        check_alone(target, asking.expected.answers, workload)
        askings[target.name] = asking
    return askings


def check_alone(target: Target, answers: Sequence[str], workload: Workload) -> None:
    """Raises BenchmarkError if too many of the answers are others than the bundle's."""
    different = sum(one != other for one, other in zip(answers, workload.expected, strict=True))
    allowed = 0.0 if target.is_ours else workload.peers_differ_alone * len(answers)
    if different > allowed:
        raise BenchmarkError(
            f"{target.name} answers {different} of {len(answers)} questions of {workload.name} otherwise than the "
            f"bundle in this process, more than the {allowed:.0f} that may be; it does not serve the same model."
        )


def idle_percents(processes: Sequence[ServerProcess]) -> list[float]:
    """The share of a core that each server takes while nobody asks any.

    The lesser of two spans: who waits busily does so in both, who only finishes its start or its last answer does not.
    """
    time.sleep(_SETTLE_SECONDS)
    spans = [_idle_span(processes) for _ in range(2)]
    return [min(percents) for percents in zip(*spans, strict=True)]


def _idle_span(processes: Sequence[ServerProcess]) -> list[float]:
    families, began = [Family(process.pid) for process in processes], time.perf_counter()
    time.sleep(_IDLE_SECONDS)
    seconds = time.perf_counter() - began
    for family in families:
        family.look()
    return [100 * family.cpu_seconds() / seconds for family in families]


def measure(
    targets: Sequence[Target],
    workload: Workload,
    askings: Askings,
    *,
    callers: Sequence[int],
    restless: Sequence[ServerProcess],
    pace: Pace,
    advance: Callable[[str], None],
) -> Points:
    """All rounds; `advance` is told of each load before it begins. The `restless` stand still while others are loaded.

    Raises:
        BenchmarkError: a server gave a wrong answer, or none.
    """
    points: Points = {(target.name, count): [] for target in targets for count in callers}
    with Generator() as generator:

        def subject(target: Target, count: int) -> ServerSubject:
            asking, share = askings[target.name], workload.differ_loaded
            return ServerSubject(
                target.process, generator, asking, callers=count, different_share=share, name=target.name
            )

        for target in targets:
            subject(target, max(callers)).measure(_WARM_UP_SECONDS)
        for number in range(pace.rounds):
            for count in callers:
                for target in targets[:: 1 if number % 2 == 0 else -1]:
                    advance(f"round {number + 1} of {pace.rounds}: {target.name}, {callers_in_words(count)}")
                    seconds = pace.next_seconds()
                    with ExitStack() as stack:
                        for process in restless:
                            if process is not target.process:
                                stack.enter_context(process.paused())
                        sample = subject(target, count).measure(seconds)
                    pace.done()
                    points[target.name, count].append(sample)
    return points


def callers_in_words(count: int) -> str:
    """With the noun."""
    return f"{count} caller" + "s" * (count > 1)
