"""What a comparison makes of workloads that fail, with servers and measurements that are made up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from tundish_bench.errors import BenchmarkError
from tundish_bench.peers import __main__ as command
from tundish_bench.peers import comparison
from tundish_bench.peers.comparison import Compared, Wanted, compare
from tundish_bench.reports import Figure, Report, Row
from tundish_bench.rounds import Sample

FAILING = "triton on tensors ended before it was ready; its log is tensors.log."


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The workloads whose servers do not start; all others give one row."""
    names: list[str] = []

    @contextmanager
    def targets(workload: Any, *_: Any) -> Iterator[list[Any]]:
        if workload.name in names:
            raise BenchmarkError(FAILING)
        yield []

    def measured(workload: Any, *_: Any) -> Any:
        row = Row(
            name=workload.name,
            settings={"workload": workload.name, "server": "tundish, gRPC", "callers": 1},
            figures=(Figure(name="throughput", unit="/s", better="more", repeats=(1.0, 2.0)),),
        )
        sample = Sample(items=2, cpu_milliseconds=1.0, items_per_second=2.0, other_cores=0.0)
        return comparison._Outcome(
            rows=[row], points={("tundish, gRPC", 1): [sample]}, idle_percents={"tundish": 0.1}, rounds=2
        )

    nothing = SimpleNamespace()
    for name, stand_in in {
        "install": lambda *_: {},
        "photo_repository": lambda *_: nothing,
        "review_repository": lambda *_: nothing,
        "demo_bundles": lambda *_: nothing,
        "make_workload": lambda name, *_: SimpleNamespace(name=name),
        "_targets": targets,
        "_measure": measured,
    }.items():
        monkeypatch.setattr(comparison, name, stand_in)
    return names


def compared() -> Compared:
    return compare(Wanted(workloads=("images", "tensors", "texts"), peers=[], callers=[1], minutes=5.0), Console())


def test_a_workload_that_fails_costs_no_other(failing: list[str]) -> None:
    failing.append("tensors")
    made = compared()
    assert [row.name for row in made.report.rows] == ["images", "texts"]
    assert made.report.notes[0] == f"Nothing was measured of tensors: {FAILING}"
    assert {name: str(error) for name, error in made.failures.items()} == {"tensors": FAILING}


def test_nothing_is_reported_where_all_fail(failing: list[str]) -> None:
    failing += ["images", "tensors", "texts"]
    with pytest.raises(BenchmarkError, match="ended before it was ready"):
        compared()


def test_the_command_writes_what_was_measured_and_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = Row(
        name="a",
        settings={"workload": "Images", "server": "tundish, gRPC", "callers": 1},
        figures=(Figure(name="throughput", unit="/s", better="more", repeats=(1.0,)),),
    )
    report = Report(kind="peers", title="t", method="m", rows=(row,))
    made = Compared(report=report, failures={"tensors": BenchmarkError(FAILING)})
    monkeypatch.setattr(command, "compare", lambda *_: made)
    result = CliRunner().invoke(command.app, ["--report", str(tmp_path / "figures.json")])
    assert isinstance(result.exception, BenchmarkError)
    assert str(result.exception) == f"tensors was not measured: {FAILING}"
    assert Report.model_validate_json((tmp_path / "figures.json").read_text()) == report
