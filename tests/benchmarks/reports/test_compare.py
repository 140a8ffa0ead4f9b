"""What a comparison of two reports calls proven: how often it is wrong, and what it finds."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console
from scipy import stats
from support.bench_reports import MACHINE, load_row, report

from tundish_bench.errors import BenchmarkError
from tundish_bench.reports import Better, Figure, Report, Row
from tundish_bench.reports.compare import Change, Comparison, compare
from tundish_bench.reports.comparison_table import cells, show_comparison

FIGURES = 20


def measured(
    draw: np.random.Generator, noise: float, changes: dict[int, float] | None = None, repeats: int = 5
) -> Report:
    """Twenty latencies and throughputs in turn, each of 100 and multiplied by what is in `changes`."""
    figures = []
    for number in range(FIGURES):
        values = 100 * (changes or {}).get(number, 1.0) * np.exp(draw.normal(0, noise, repeats))
        better: Better = "less" if number % 2 == 0 else "more"
        figures.append(Figure(name=f"f{number}", unit="ms", better=better, repeats=tuple(map(float, values))))
    return report("load", [Row(name="row", figures=tuple(figures))])


def one(before: tuple[float, ...], after: tuple[float, ...], *, unit: str = "ms", better: Better = "less") -> Change:
    reports = [
        report("load", [Row(name="row", figures=(Figure(name="f", unit=unit, better=better, repeats=values),))])
        for values in (before, after)
    ]
    (change,) = compare(*reports).changes
    return change


def proven(comparison: Comparison) -> set[str]:
    return {each.figure for each in comparison.changes if each.verdict in ("regressed", "improved")}


@pytest.mark.parametrize("noises", [(0.02, 0.02), (0.01, 0.05)])
def test_where_nothing_has_changed_no_more_than_one_comparison_in_twenty_says_otherwise(
    noises: tuple[float, float],
) -> None:
    draw, runs = np.random.default_rng(1), 150
    alarms = sum(
        bool(proven(compare(measured(draw, noises[0]), measured(draw, noises[1]), tolerance=0))) for _ in range(runs)
    )
    assert 0 < alarms <= stats.binom.ppf(0.999, runs, 0.05)


def test_a_regression_by_a_tenth_in_noise_of_two_percent_is_found_among_twenty_figures() -> None:
    draw, runs = np.random.default_rng(2), 40
    found = [
        proven(compare(measured(draw, 0.02), measured(draw, 0.02, {6: 1.10, 7: 0.90}))) & {"f6", "f7"}
        for _ in range(runs)
    ]
    assert sum(map(len, found)) >= 0.9 * 2 * runs
    comparison = compare(measured(draw, 0.02), measured(draw, 0.02, {6: 1.10, 7: 1.10}))
    verdicts = {each.figure: each.verdict for each in comparison.changes}
    assert (verdicts["f6"], verdicts["f7"]) == ("regressed", "improved")
    assert [each.figure for each in comparison.regressions] == ["f6"]


def test_four_of_five_changes_of_the_size_that_is_said_to_be_found_are_found() -> None:
    draw, runs = np.random.default_rng(3), 120
    said = [each.detectable for each in compare(measured(draw, 0.03), measured(draw, 0.03)).changes[::2]]
    assert None not in said
    size = float(np.median(np.array(said, np.float64)))
    found = [
        len(proven(compare(measured(draw, 0.03), measured(draw, 0.03, {0: 1 + size}))) & {"f0"}) for _ in range(runs)
    ]
    assert 0.65 <= np.mean(found) <= 0.92


def test_the_test_is_welchs_with_a_degree_less_and_its_correction_holms() -> None:
    draw = np.random.default_rng(4)
    before, after = measured(draw, 0.02), measured(draw, 0.04, {3: 0.8, 8: 1.1})
    comparison = compare(before, after)
    raw = []
    for each in comparison.changes:
        sides = [np.log(side.rows[0].figure(each.figure).repeats) for side in (before, after)]  # type: ignore[union-attr]
        welch = stats.ttest_ind(sides[1], sides[0], equal_var=False)
        freedom = max(welch.df - 1, 4.0)  # see the decision about reports
        raw.append(2 * stats.t.sf(abs(welch.statistic), freedom))
        error = (sides[1].mean() - sides[0].mean()) / welch.statistic
        expected_interval = stats.t.interval(0.95, freedom, loc=sides[1].mean() - sides[0].mean(), scale=abs(error))
        assert each.interval is not None
        assert each.interval == pytest.approx(tuple(np.expm1(expected_interval)))
        assert each.change == pytest.approx(np.expm1(sides[1].mean() - sides[0].mean()))
    order = np.argsort(raw)
    expected = np.empty(FIGURES)
    expected[order] = np.minimum(1, np.maximum.accumulate(np.sort(raw) * (FIGURES - np.arange(FIGURES))))
    assert [each.p for each in comparison.changes] == pytest.approx(expected)


STEADY = (100.0, 100.1, 99.9, 100.05, 99.95)


@pytest.mark.parametrize(
    ("factor", "better", "verdict"),
    [
        (1.02, "less", "unchanged"),  # proven, and nothing to act upon
        (1.04, "less", "regressed"),
        (1.04, "more", "improved"),
        (0.96, "less", "improved"),
        (0.96, "more", "regressed"),
    ],
)
def test_a_change_within_the_tolerance_is_none(factor: float, better: Better, verdict: str) -> None:
    assert one(STEADY, tuple(factor * each for each in STEADY), better=better).verdict == verdict


def test_ratios_and_their_inverses_are_judged_alike() -> None:
    before, after = (2.0, 2.1, 1.95, 2.05), (1.5, 1.55, 1.45, 1.52)
    ratio = one(before, after, unit="x", better="more")
    inverse = one(tuple(1 / each for each in before), tuple(1 / each for each in after), unit="x", better="less")
    assert ratio.verdict == inverse.verdict == "regressed"
    assert ratio.p == pytest.approx(inverse.p)
    assert 1 + ratio.change == pytest.approx(1 / (1 + inverse.change))


def test_shares_of_errors_that_are_zero_are_compared_in_points() -> None:
    none = (0.0,) * 5
    assert one(none, none, unit="%").verdict == "unchanged"
    worse = one(none, (2.0, 2.1, 1.9, 2.0, 2.05), unit="%")
    assert (worse.verdict, worse.in_unit) == ("regressed", True)
    assert worse.change == pytest.approx(2.01)
    assert one(none, (0.0, 0.0, 0.1, 0.0, 0.0), unit="%").verdict == "too uncertain to tell"


def test_what_was_measured_once_proves_nothing_and_counts_of_one_value_do() -> None:
    once = one((100.0,), (200.0,))
    assert (once.verdict, once.interval, once.p, once.detectable) == ("too uncertain to tell", None, None, None)
    assert once.change == pytest.approx(1.0)
    assert one((7.0,) * 3, (8.0,) * 3).verdict == "regressed"


def test_noise_that_hides_a_change_of_the_tolerance_is_said() -> None:
    change = one((100.0, 120.0, 80.0), (103.0, 84.0, 121.0))
    assert change.verdict == "too uncertain to tell"
    assert change.detectable is not None
    assert change.detectable > 0.3


def test_other_machines_versions_and_rows_are_said() -> None:
    machine = MACHINE.model_copy(update={"cores": 16, "packages": {"tundish": "0.2.0", "onnxruntime": "1.23"}})
    before = report("load", [load_row(1, 200), load_row(4, 200)])
    after = report("load", [load_row(4, 200, gpu=True), load_row(8, 200)], machine=machine)
    comparison = compare(before, after)
    assert comparison.notes == (
        "The machines are not the same, which may be all that changed (cores: 8 before, 16 after).",
        "tundish was 0.1.0 before and is 0.2.0 after.",
        "Only before: 1 callers, batch 1.",
        "Only after: 8 callers, batch 1.",
        "Only after: GPU memory, MB, of 4 callers, batch 1; GPU use, %, of 4 callers, batch 1; "
        "energy, J, of 4 callers, batch 1.",
    )
    assert "client CPU" not in {each.figure for each in comparison.changes}  # which has no direction


def test_another_model_or_method_is_said() -> None:
    before = report("load", [load_row(4, 200)])
    after = before.model_copy(update={"title": "another by tundish", "method": "In batches."})
    notes = compare(before, after).notes
    assert [note.partition(" Before: ")[0] for note in notes] == [
        "The titles are not the same, which may be all that changed.",
        "The methods are not the same, which may be all that changed.",
    ]
    assert notes[1].endswith("After: In batches.")
    assert compare(before, before).notes == ()


def test_reports_that_have_nothing_in_common_are_refused() -> None:
    with pytest.raises(BenchmarkError, match="kind 'load' cannot be compared with one of kind 'sweep'"):
        compare(report("load", [load_row(1, 200)]), report("sweep", [load_row(1, 200)]))
    with pytest.raises(BenchmarkError, match="no figure in common"):
        compare(report("load", [load_row(1, 200)]), report("load", [load_row(2, 200)]))


def test_changes_beyond_belief_are_said_as_factors() -> None:
    shown = [cells(one(STEADY, tuple(factor * each for each in STEADY)))[4:] for factor in (1000, 2)]
    assert shown == [("1,000 ± 1.18 x", "3.0 %"), ("+100.0 ± 0.2 %", "3.0 %")]
    assert cells(one((1.0, 90.0, 0.1), (1.0, 80.0, 0.2)))[5] == ">1,000 %"


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_shows_what_is_proven_first(width: int) -> None:
    before = report("load", [load_row(callers, 260) for callers in (4, 64)])
    comparison = compare(before, report("load", [load_row(4, 260, seed=1), load_row(64, 200, seed=1)]))
    assert Comparison.model_validate_json(comparison.model_dump_json()) == comparison
    stream = io.StringIO()
    show_comparison(Console(file=stream, width=width), comparison)
    shown = stream.getvalue()
    assert "…" not in shown
    assert shown.index("regressed") < shown.index("too uncertain")
    assert (
        f"Of {len(comparison.changes)} figures: {len(comparison.regressions)} regressed, 0 improved"
        in shown.replace("\n", " ")
    )
