"""The benchmark of quantisation: which rows it runs, by which seed, and what is left when one of them fails."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from support.networks import COLOR_INPUTS, COLOR_POSTPROCESS, COLOR_PREPROCESS, ColorNetwork, write_color_images
from typer.testing import CliRunner, Result

from tundish_bench.quantisation import __main__ as benchmark
from tundish_bench.quantisation.rows import Row
from tundish_exporters import export_module
from tundish_exporters.export_options import ExportSettings
from tundish_exporters.exporting import Exported
from tundish_exporters.progress import Progress


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, ExportSettings]]:
    """Three rows in the place of the real ones, of which the first fails; what each was run with."""
    calls: list[tuple[str, int, ExportSettings]] = []

    def export(name: str, directory: Path, seed: int, settings: ExportSettings, progress: Progress) -> Exported:
        calls.append((name, seed, settings))
        if name == "broken":
            raise RuntimeError("planted in [row]")
        return export_module(
            ColorNetwork(),
            COLOR_INPUTS,
            task="image-classification",
            preprocess=COLOR_PREPROCESS,
            postprocess=COLOR_POSTPROCESS,
            name=name,
            repository=directory,
            progress=progress,
            **(settings | {"evaluation": write_color_images(directory / "images")}),
        )

    def row(name: str) -> Row:
        return Row(name, f"the row {name}", 0.25, 3.5, lambda *given: export(name, *given))

    monkeypatch.setattr(benchmark, "ROWS", tuple(map(row, ("broken", "first", "second"))))
    return calls


def run(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(benchmark.main)
    return CliRunner().invoke(app, [*arguments, "--search-minutes", "0"], env={"COLUMNS": "200"})


def test_a_row_that_fails_does_not_lose_the_others(ran: list[tuple[str, int, ExportSettings]]) -> None:
    ended = run("--seed", "5")
    assert ended.exit_code == 1
    assert "RuntimeError: planted in [row]" in ended.output
    assert [call[:2] for call in ran] == [("broken", 5), ("first", 5), ("second", 5)]
    assert ran[0][2] == {"search_minutes": 0.0, "max_drop": 0.25}
    table = ended.output[ended.output.rindex("at most") :]
    lines = [line.split("│")[1:3] for line in table.splitlines() if "the row" in line]
    assert [name.strip() for name, _ in lines] == ["the row broken", "the row first", "the row second"]
    assert [served.strip() == "failed" for _, served in lines] == [True, False, False]


def test_rows_that_are_named_are_run_alone(ran: list[tuple[str, int, ExportSettings]]) -> None:
    assert run("--only", "second", "--only", "first").exit_code == 0
    assert [call[:2] for call in ran] == [("first", 0), ("second", 0)]


def test_a_row_that_is_not_there_is_refused(ran: list[tuple[str, int, ExportSettings]]) -> None:
    ended = run("--only", "first", "--only", "third")
    assert ended.exit_code == 2
    assert "There is no row 'third'; there are broken, first, second." in ended.output
    assert ran == []
