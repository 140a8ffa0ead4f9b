"""Reports in terminals."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from support.bench_reports import engines_report, load_report, load_row, report, sweep_report

from tundish_bench.reports import Figure, Report, Row
from tundish_bench.reports.table import headings, notes_of, show_report
from tundish_bench.reports.wording import percent, readable, shortened, with_interval


def shown(shown_report: Report, width: int) -> str:
    stream = io.StringIO()
    show_report(Console(file=stream, width=width), shown_report)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0, "0"), (0.0123456, "0.0123"), (0.99951, "1.00"), (4.567, "4.57"), (99.96, "100"), (268.4, "268"),
        (12345.6, "12,346"), (-4.567, "\N{MINUS SIGN}4.57"), (1.23e-6, "1.23e\N{MINUS SIGN}06"),
        (float("inf"), "not a number"),
    ],
)  # fmt: skip
def test_three_digits_count(value: float, said: str) -> None:
    assert readable(value) == said


@pytest.mark.parametrize(
    ("repeats", "said"),
    [
        ((268.0, 270.0, 266.0), "268 ± 5"),
        ((2.0, 2.1, 1.9), "2.00 ± 0.25"),
        ((268.0, 268.1, 267.9), "268 ± 0.2"),
        ((268.0, 268.0), "268"),
        ((268.0,), "268"),
    ],
)
def test_a_figure_is_said_with_half_of_its_interval(repeats: tuple[float, ...], said: str) -> None:
    assert with_interval(Figure(name="p50", unit="ms", repeats=repeats)) == said


def test_changes_and_long_names() -> None:
    assert [percent(0.0312), percent(-0.12), percent(-0.0004)] == ["+3.1 %", "\N{MINUS SIGN}12.0 %", "+0.0 %"]
    assert shortened("abcdefgh", 8) == "abcdefgh"
    assert shortened("abcdefghij", 7) == "abc…hij"


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize(
    "made", [load_report(gpu=True), sweep_report(), engines_report(), report("load", [load_row(4, 99)])]
)
def test_every_figure_of_every_row_is_readable_at_any_width(made: Report, width: int) -> None:
    text = shown(made, width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for row in made.rows:
        for figure in row.figures:
            assert with_interval(figure) in text, (row.name, figure.name)
    for note in notes_of(made):
        assert f"note: {note}" in text.replace("\n", " ")


def test_rows_are_named_where_settings_do_not_tell_them_apart() -> None:
    figures = (Figure(name="time", unit="ms", repeats=(1.0,)),)
    alike = report("load", [Row(name=name, settings={"callers": 4}, figures=figures) for name in ("one", "other")])
    assert "other" in shown(alike, 80)
    assert "4 callers, batch 1" not in shown(sweep_report(), 80)


def test_a_figure_that_only_some_rows_have_has_a_column() -> None:
    rows = [load_row(1, 99), load_row(2, 99, gpu=True)]
    made = report("load", rows)
    assert [heading.name for heading in headings(made)] == [figure.name for figure in rows[1].figures]
    assert "energy" not in shown(report("load", rows[:1]), 80)


def test_a_note_of_several_rows_is_said_once() -> None:
    rows = [load_row(callers, 99).model_copy(update={"notes": ("It is saturated.",)}) for callers in (1, 2)]
    assert notes_of(report("load", rows, notes=("All.",))) == (
        "All.",
        "1 callers, batch 1, 2 callers, batch 1: It is saturated.",
    )


def test_names_are_no_markup() -> None:
    figures = (Figure(name="[b]f[/b]", unit="[x]", repeats=(1.0,)),)
    text = shown(report("load", [Row(name="[red]a[/]", figures=figures)], title="[/] title"), 80)
    assert all(said in text for said in ("[red]a[/]", "[b]f[/b]", "[x]", "[/] title"))
