"""The instrument of the servers' benchmarks, on subjects whose figures are known."""

from __future__ import annotations

import json
import runpy
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from tundish_bench.driving.asking import Asking
from tundish_bench.driving.connecting import ask_alone
from tundish_bench.driving.generator import Generator
from tundish_bench.driving.questions import ask_pipeline
from tundish_bench.echo import echo_server
from tundish_bench.errors import BenchmarkError
from tundish_bench.floor import Floor
from tundish_bench.processes import ServerProcess
from tundish_bench.report import Comparison, Goal, figures_of, show_comparisons, show_table, write_json
from tundish_bench.rounds import Rounds, Sample, ServerSubject, cpu, measure_rounds, speed


def sample(cpu_milliseconds: float = 1.0, items_per_second: float = 100.0, **others: float) -> Sample:
    values = {"items": 10, "other_cores": 0.0, **others}
    return Sample(cpu_milliseconds=cpu_milliseconds, items_per_second=items_per_second, **values)  # type: ignore[arg-type]


class Noted:
    """A subject that notes when it is measured."""

    def __init__(self, name: str, notes: list[str]) -> None:
        self.name, self._notes = name, notes

    def measure(self, seconds: float) -> Sample:
        self._notes.append(f"{self.name} {seconds:g}")
        return sample()


class Letters:
    """A worker that answers each item with a letter, and is wrong about the items named."""

    def __init__(self, batch_size: int = 1, wrong: Sequence[int] = ()) -> None:
        self.batch_size, self._wrong = batch_size, wrong
        self.batches: list[list[int]] = []

    def answers(self, turns: Sequence[int]) -> list[str]:
        self.batches.append(list(turns))
        time.sleep(0.001)
        alone = len(self.batches) <= 4  # as the floor asks before it measures
        return ["wrong" if turn in self._wrong and not alone else "abcd"[turn] for turn in turns]


def test_every_other_round_goes_backwards_after_a_short_warm_up() -> None:
    notes: list[str] = []
    measured = measure_rounds([Noted("a", notes), Noted("b", notes)], rounds=3, seconds=2, console=Console(quiet=True))
    assert notes == ["a 1", "b 1", "a 2", "b 2", "b 2", "a 2", "a 2", "b 2"]
    assert measured.names == ("a", "b")
    assert len(measured) == 3


def test_ratios_are_of_rounds_and_the_best_is_that_of_the_medians() -> None:
    measured = Rounds(
        [
            {"ours": sample(1.0, 300), "one": sample(2.0, 100), "other": sample(4.0, 900)},
            {"ours": sample(3.0, 300), "one": sample(2.0, 200), "other": sample(4.0, 100)},
            {"ours": sample(6.0, 300), "one": sample(2.0, 300), "other": sample(4.0, 100)},
        ]
    )
    assert measured.ratios("ours", "one", cpu) == [0.5, 1.5, 3.0]
    assert measured.ratios("ours", "one", speed) == [3.0, 1.5, 1.0]
    assert measured.best(["one", "other"]) == "one"


def test_a_floor_goes_through_all_items_in_batches_and_each_worker_begins_elsewhere() -> None:
    workers = [Letters(batch_size=3), Letters(batch_size=3)]
    figures = Floor("floor", workers, 4).measure(0.1)
    assert workers[0].batches[:6] == [[0], [1], [2], [3], [0, 1, 2], [3, 0, 1]]
    assert workers[1].batches[:2] == [[2, 3, 0], [1, 2, 3]]
    assert figures.items == 3 * (len(workers[0].batches) - 4 + len(workers[1].batches))
    assert figures.p50_milliseconds is None  # a batch's time is nobody's


def test_a_floor_that_answers_one_by_one_has_percentiles() -> None:
    figures = Floor("floor", [Letters()], 4).measure(0.1)
    assert figures.p50_milliseconds is not None
    assert figures.p50_milliseconds >= 1.0  # what the worker sleeps
    assert figures.items_per_second <= 1000.0


def test_a_floor_that_answers_otherwise_than_alone_is_not_measured() -> None:
    with pytest.raises(BenchmarkError, match="floor answered an item otherwise"):
        Floor("floor", [Letters(wrong=[2])], 4).measure(0.1)


@pytest.mark.parametrize(
    ("goal", "values", "met"),
    [
        (Goal(bound=1.0), [0.5, 1.0, 9.0], True),
        (Goal(bound=1.0), [0.5, 0.9, 9.0], False),
        (Goal(bound=1.0, at_most=True), [0.5, 1.0, 9.0], True),
        (Goal(bound=1.0, at_most=True), [0.5, 1.1, 9.0], False),
    ],
)
def test_a_goal_is_met_by_the_median(goal: Goal, values: list[float], met: bool) -> None:
    assert Comparison("ours / theirs", values, goal).met is met


def test_what_is_shown_and_written(tmp_path: Path) -> None:
    measured = Rounds([{"ours": sample(p50_milliseconds=2.5)}, {"ours": sample(cpu_milliseconds=3.0)}])
    console = Console(width=100, record=True, quiet=False, file=(tmp_path / "shown").open("w"))
    show_table(console, measured, what="nothing", item="thing")
    show_comparisons(console, [Comparison("ours / theirs", [1.0, 2.0], Goal(bound=2.0))])
    shown = console.export_text()
    console.file.close()
    assert "2.00 (1.00 - 3.00)" in shown
    assert "things/s" in shown
    assert "ours / theirs: 1.500 (1.000 - 2.000); the goal of at least 2 is missed." in shown
    write_json(tmp_path / "figures.json", {"rounds": figures_of(measured)})
    rounds = json.loads((tmp_path / "figures.json").read_text())["rounds"]
    assert [each["ours"]["cpu_milliseconds"] for each in rounds] == [1.0, 3.0]


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with echo_server("echo", tmp_path_factory.mktemp("echo") / "log") as server:
        yield server


@pytest.fixture
def asking(echo: ServerProcess) -> Asking:
    return ask_alone(echo.url, [ask_pipeline("any", "text", text) for text in (b"one", b"another")])


def test_a_server_is_measured_under_load_again_and_again(echo: ServerProcess, asking: Asking) -> None:
    assert echo.seconds_to_ready > 0.0
    with Generator() as generator:
        subject = ServerSubject(echo, generator, asking, callers=3)
        subject.measure(0.2)
        figures = subject.measure(0.5)
    assert subject.answers == ("a label", "a label")
    assert figures.items >= 3
    assert figures.different == 0
    assert figures.client_cpu_milliseconds is not None
    assert figures.client_cpu_milliseconds > 0.0
    assert 0.0 < figures.items_per_second <= figures.items / 0.5  # it takes its time at least
    assert figures.p50_milliseconds is not None
    assert figures.p99_milliseconds is not None
    assert 0.0 < figures.p50_milliseconds <= figures.p99_milliseconds
    assert figures.memory_megabytes is not None
    assert 1 < figures.memory_megabytes < 1000


@pytest.mark.parametrize(("share", "refused"), [(0.5, False), (0.4, True)])
def test_answers_that_differ_are_counted(echo: ServerProcess, asking: Asking, share: float, refused: bool) -> None:
    assert asking.expected
    half = replace(asking, expected=replace(asking.expected, answers=("a label", "another")))
    with Generator() as generator:
        subject = ServerSubject(echo, generator, half, callers=2, different_share=share)
        if refused:
            with pytest.raises(BenchmarkError, match=r"echo answered (\d+) of \d+ questions otherwise than when asked"):
                subject.measure(0.3)
        else:
            # The first of two is right; whoever is asked last may be either.
            figures = subject.measure(0.3)
            assert figures.different == figures.items // 2


def test_a_server_that_ends_meanwhile_is_not_measured(tmp_path: Path) -> None:
    with echo_server("mortal", tmp_path / "log") as server, Generator() as generator:
        subject = ServerSubject(server, generator, ask_alone(server.url, [ask_pipeline("any", "text", b"")]), callers=1)
        subject.measure(0.1)
        timer = threading.Timer(0.2, psutil.Process(server.pid).kill)
        timer.start()
        with pytest.raises(BenchmarkError, match=r"mortal did not answer \d+ of \d+ questions: UNAVAILABLE: "):
            subject.measure(0.5)
        timer.join()


def test_a_server_that_ends_is_said_with_its_log(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no')"]
    with (
        pytest.raises(BenchmarkError, match="nothing ended before it was ready"),
        ServerProcess("nothing", command, port=1, log=tmp_path / "log"),
    ):
        pass
    assert "no" in (tmp_path / "log").read_text()


@pytest.mark.parametrize("module", ["image_server", "text_server", "tensor_server"])
def test_the_commands_say_what_they_measure(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As `python -m` runs them, but in this process."""
    name = f"tundish_bench.{module}"
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # which typer sets
    monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(name, run_name="__main__")
    assert ended.value.code == 0
    assert "--rounds" in capsys.readouterr().out
