"""Servers are measured in turn, each answer is checked, and what cannot be compared is said."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tundish_bench.driving.connecting import ask_alone
from tundish_bench.driving.dialects import GRPC
from tundish_bench.driving.questions import ask_pipeline
from tundish_bench.echo import echo_server
from tundish_bench.errors import BenchmarkError
from tundish_bench.peers.measuring import Askings, Target, ask_each_alone, check_alone, idle_percents, measure
from tundish_bench.peers.timetable import Pace
from tundish_bench.peers.workloads import Workload
from tundish_bench.processes import grpc_ready
from tundish_bench.rounds import ServerSubject
from tundish_bench.watching import find_server


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Target]]:
    """One server that answers 'a label', twice."""
    with echo_server("echo", tmp_path_factory.mktemp("echo") / "log") as server:
        ours = Target(name="ours", process=server, url=server.url, dialect=GRPC, is_ours=True)
        yield [ours, replace(ours, name="theirs", is_ours=False)]


def workload_of(expected: Sequence[str], **settings: float) -> Workload:
    questions = tuple(ask_pipeline("any", "text", str(number).encode()) for number in range(len(expected)))
    return Workload(
        name="texts",
        title="Texts",
        item="text",
        repository=Path(),
        models=(),
        questions=questions,
        expected=tuple(expected),
        **settings,
    )


def test_every_server_is_measured_in_every_round_in_turn(targets: list[Target]) -> None:
    workload = workload_of(["a label"] * 4)
    askings = ask_each_alone(targets, workload)
    pace = Pace(2.0, 4, clock=time.monotonic)
    told: list[str] = []
    points = measure(targets, workload, askings, callers=[1, 3], restless=[], pace=pace, advance=told.append)
    assert set(points) == {("ours", 1), ("ours", 3), ("theirs", 1), ("theirs", 3)}
    assert {len(repeats) for repeats in points.values()} == {pace.rounds}
    first = [f"round 1 of {pace.rounds}: {name}" for name in ("ours, 1 caller", "theirs, 1 caller", "ours, 3 callers")]
    assert told[:3] == first
    assert told[4].endswith("theirs, 1 caller")  # the second round begins with the other one
    one = points["ours", 1][0]
    assert one.items_per_second > 0


def test_a_server_that_nobody_asks_does_nothing(targets: list[Target]) -> None:
    assert idle_percents([targets[0].process])[0] < 50


def test_answers_under_load_are_checked(targets: list[Target]) -> None:
    workload = workload_of(["a label"] * 2)
    pace = Pace(1.0, 1, clock=time.monotonic)
    asking = ask_alone(targets[0].url, workload.questions)
    assert asking.expected
    askings: Askings = {"ours": replace(asking, expected=replace(asking.expected, answers=("a label", "b")))}
    with pytest.raises(BenchmarkError, match=r"ours answered \d+ of \d+ questions otherwise than when asked"):
        measure(targets[:1], workload, askings, callers=[1], restless=[], pace=pace, advance=lambda _: None)


def test_a_restless_server_stands_still_while_others_are_measured(
    targets: list[Target], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with echo_server("restless", tmp_path / "log") as server:
        pid = find_server("127.0.0.1", int(server.url.split(":")[1]))
        assert pid is not None
        states = []

        def sample(*_arguments: object) -> None:
            time.sleep(0.2)  # a signal takes a moment
            states.append(psutil.Process(pid).status())

        monkeypatch.setattr(ServerSubject, "measure", sample)
        restless = Target(name="restless", process=server, url=server.url, dialect=GRPC)
        both, workload = [targets[0], restless], workload_of(["a label"])
        measure(
            both,
            workload,
            ask_each_alone(both, workload),
            callers=[1],
            restless=[server],
            pace=Pace(2.0, 2, clock=time.monotonic),
            advance=lambda _: None,
        )
        beside, asked = states[2:4]  # the first two warm up
        assert beside == psutil.STATUS_STOPPED
        assert asked != psutil.STATUS_STOPPED
        assert grpc_ready(server.url)


@pytest.mark.parametrize(("different", "refused"), [(0, False), (1, False), (2, True)])
def test_a_peer_may_differ_on_a_share_of_the_questions(targets: list[Target], different: int, refused: bool) -> None:
    workload = workload_of(["x"] * 20, peers_differ_alone=0.05)
    answers = ["y"] * different + ["x"] * (20 - different)
    if refused:
        with pytest.raises(BenchmarkError, match="theirs answers 2 of 20 questions of texts otherwise than the bundle"):
            check_alone(targets[1], answers, workload)
    else:
        check_alone(targets[1], answers, workload)


def test_tundish_may_not_differ_at_all(targets: list[Target]) -> None:
    workload = workload_of(["x"] * 20, peers_differ_alone=0.05)
    with pytest.raises(BenchmarkError, match="more than the 0 that may be"):
        check_alone(targets[0], ["y"] + ["x"] * 19, workload)
