"""What the command is told is checked before anything is installed or started."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tundish_bench.errors import BenchmarkError
from tundish_bench.peers.__main__ import app
from tundish_bench.peers.roster import PEERS, peer_of
from tundish_bench.reports import Figure, Report, Row


def refused(*arguments: str) -> str:
    """The sentence."""
    error = CliRunner().invoke(app, arguments).exception
    assert isinstance(error, BenchmarkError)
    return str(error)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--workload", "video"], "There is no workload 'video'; choose of images, tensors, texts, four-models."),
        (["--peer", "nginx"], "There is no peer 'nginx'; choose of triton, mosec, litserve, mlserver."),
        (["--peer", "mosec:0"], "'mosec:0' says no size of batches; give mosec:N with N from 1 to 64."),
        (["--minutes", "1"], "1 minutes are too few for 96 points on 4 workloads; give at least"),
        (["--report", "figures.xlsx"], "figures.xlsx says no form of report; give a name that ends in .md or .json."),
        (["--report", "/nowhere/a.md"], "there is no directory /nowhere; make it first."),
        (["install", "nginx"], "There is no peer 'nginx'"),
        (["document", "/nowhere/a.json"], "/nowhere/a.json cannot be read"),
    ],
)
def test_wrong_arguments_are_said_in_a_sentence(arguments: list[str], said: str) -> None:
    assert said in refused(*arguments)


@pytest.mark.parametrize("arguments", [["--minutes", "21"], ["--callers", "0"], ["--nothing"]])
def test_what_no_option_takes_is_a_usage_error(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, arguments).exit_code == 2


def test_a_document_is_written_anew_with_other_reasons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings: dict[str, str | int | float] = {"workload": "Images", "server": "tundish", "callers": 1}
    row = Row(name="a", settings=settings, figures=(Figure(name="p50", unit="ms", repeats=(1.0,)),))
    report = Report(kind="peers", title="t", method="m", rows=(row,))
    Path("figures.json").write_text(report.model_dump_json())
    command = ["document", "figures.json", "--report", "page.md"]
    assert "docs/benchmarks/reasons.md cannot be read" in refused(*command)
    Path("docs/benchmarks").mkdir(parents=True)
    Path("docs/benchmarks/reasons.md").write_text("Because.")
    assert CliRunner().invoke(app, command).exit_code == 0
    assert "Because." in Path("page.md").read_text()
    Path("figures.json").write_text(report.model_copy(update={"kind": "load"}).model_dump_json())
    assert "is of a benchmark of load, not of peers" in refused(*command)


def test_a_peer_may_be_told_its_batches() -> None:
    told = peer_of("triton:8")
    assert told.name == "triton:8"
    assert told.tuning("texts", 2).max_batch_size == 8
    assert told.tuning("texts", 2).instances == 2
    assert peer_of("triton") is PEERS["triton"]
