"""Samples that belong together: no half of a search shares a group, and intervals are taken over groups."""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.measuring import measure
from support.networks import COLOR_INPUTS, COLOR_POSTPROCESS, COLOR_PREPROCESS, ColorNetwork, write_color_images

from tundish.manifest import Accuracy
from tundish.results import ImageClassification, Label, Result
from tundish_exporters import DataError, ExportError, composing, export_module, statistics
from tundish_exporters.comparison import Comparison
from tundish_exporters.composed_data import ComposedData
from tundish_exporters.data import Sample, load_samples
from tundish_exporters.errors import TooFewError
from tundish_exporters.export_data import GateData
from tundish_exporters.export_options import ExportOptions
from tundish_exporters.exporting import Exported
from tundish_exporters.gate import judge, units_to_tell
from tundish_exporters.metrics import ACCURACY, SPEARMAN
from tundish_exporters.progress import silent
from tundish_exporters.search import searching, stopwatch
from tundish_exporters.slices import measure_slices


def gate_data(groups: list[str], labels: list[str] | None = None) -> GateData:
    samples = [Sample((f"text {number}",), group=group) for number, group in enumerate(groups)]
    return GateData(samples) if labels is None else GateData(samples, [*labels], ACCURACY)


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("xy")), min_size=2, max_size=60))
def test_halves_share_no_group(drawn: list[tuple[str, str]]) -> None:
    groups = [group for group, _ in drawn]
    data = gate_data(groups, [label for _, label in drawn])
    if len(set(groups)) == 1:
        with pytest.raises(TooFewError, match=rf"^All {len(groups)} samples belong to the group '{groups[0]}'"):
            data.halves()
        return
    first, second = data.halves()
    assert data.halves() == (first, second), "the same every time"
    assert not set(first.groups or ()) & set(second.groups or ())
    assert len(first.samples) + len(second.samples) == len(groups)
    largest = max(Counter(groups).values())
    assert abs(len(first.samples) - len(second.samples)) <= 3 * largest


def test_halves_of_groups_have_nearly_as_many_samples_of_each_label() -> None:
    generator = np.random.default_rng(2)
    groups = [f"{number}" for number in generator.integers(0, 40, 600)]
    labels = ["rare" if int(group) < 8 else "common" for group in groups]
    counts = [Counter(half.labels) for half in gate_data(groups, labels).halves()]
    assert abs(counts[0]["rare"] - counts[1]["rare"]) <= 20
    assert abs(counts[0]["common"] - counts[1]["common"]) <= 20


# Intervals


def compared(
    lost: NDArray[np.bool_], gained: NDArray[np.bool_], groups: list[str] | None, confidence: float = 0.95
) -> Comparison:
    """Of labels: what the float model alone has right, and what the variant alone."""
    return Comparison(ACCURACY, ~lost, ~gained, confidence, groups=groups)


def drawn_in_groups(generator: np.random.Generator, groups: int, each: int) -> tuple[NDArray[np.bool_], ...]:
    """Of two models that are as good as each other: in a fifth of the groups most is lost, in one gained."""
    fate = generator.random(groups).repeat(each)
    differs = generator.random(groups * each) < 0.8
    return (fate < 0.2) & differs, (fate > 0.8) & differs


@pytest.fixture
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough to tell widths apart."""
    monkeypatch.setattr(statistics, "RESAMPLES", 250)


@pytest.mark.usefixtures("few_resamples")
def test_intervals_over_groups_hold_the_truth_where_those_over_samples_do_not() -> None:
    generator = np.random.default_rng(12)
    count, each, rounds = 60, 5, 80
    names = [str(group) for group in np.arange(count).repeat(each)]
    held: Counter[str] = Counter()
    for _ in range(rounds):
        lost, gained = drawn_in_groups(generator, count, each)
        for way, groups in (("samples", None), ("groups", names)):
            interval = compared(lost, gained, groups).accuracy().interval
            assert interval is not None
            held[way] += interval.low <= 0 <= interval.high
    assert held["groups"] >= 0.87 * rounds
    assert held["samples"] <= 0.75 * rounds


def test_an_interval_over_groups_is_as_wide_as_the_error_of_their_sums_says() -> None:
    """Of groups of one size, the drop is the mean of theirs: its standard error is known."""
    generator = np.random.default_rng(4)
    lost, gained = drawn_in_groups(generator, 200, 6)
    drops = (lost.astype(float) - gained).reshape(200, 6).mean(1)
    accuracy = compared(lost, gained, [str(group) for group in np.arange(200).repeat(6)]).accuracy()
    error = drops.std() / np.sqrt(200)
    assert accuracy.interval is not None
    assert accuracy.interval.low == pytest.approx(drops.mean() - 1.97 * error, abs=error / 4)
    assert accuracy.interval.high == pytest.approx(drops.mean() + 1.97 * error, abs=error / 4)
    assert (accuracy.samples, accuracy.groups, accuracy.p_value) == (1200, 200, None)
    assert (accuracy.lost, accuracy.gained) == (int(lost.sum()), int(gained.sum()))


def test_groups_of_one_sample_say_at_most_what_samples_do() -> None:
    lost, gained = np.arange(300) < 3, np.arange(300) == 5
    alone = compared(lost, gained, None).accuracy().interval
    grouped = compared(lost, gained, [str(index) for index in range(300)]).accuracy().interval
    assert alone is not None
    assert grouped is not None
    assert grouped.low <= alone.low
    assert alone.high <= grouped.high
    assert grouped.high - grouped.low < 1.3 * (alone.high - alone.low)


def test_one_group_has_no_interval_and_no_confidence() -> None:
    lost = np.arange(50) < 1
    accuracy = compared(lost, lost & False, ["camera"] * 50).accuracy()
    assert (accuracy.interval, accuracy.groups) == (None, 1)
    assert not judge(accuracy, 0.1, confidence=0.95).passed


def test_where_no_group_differs_it_is_as_wide_as_groups_are_few() -> None:
    none = np.zeros(400, bool)
    accuracy = compared(none, none, [str(index // 20) for index in range(400)]).accuracy()
    assert accuracy.interval is not None
    assert accuracy.interval.high == pytest.approx(1 - 0.025 ** (1 / 20))


def test_a_slice_of_groups_has_the_interval_of_its_own_groups() -> None:
    """Of groups of one size, the drop is the mean of theirs: its standard error is known."""
    generator = np.random.default_rng(9)
    lost, gained = drawn_in_groups(generator, 120, 6)
    names = [str(group) for group in np.arange(120).repeat(6)]
    slices = [("night" if int(name) < 80 else "day") if name != "119" else "dusk" for name in names]
    single = {part.name: part.interval for part in measure_slices(compared(lost, gained, None), slices)}
    for part in measure_slices(compared(lost, gained, names), slices):
        members = np.array(slices) == part.name
        drops = (lost.astype(float) - gained)[members].reshape(-1, 6).mean(1)
        assert (part.samples, part.groups) == (members.sum(), len(drops))
        if part.name == "dusk":
            assert part.interval is None, "of one group nothing can be told"
            continue
        error, alone = drops.std() / np.sqrt(len(drops)), single[part.name]
        assert part.interval is not None
        assert part.interval.low == pytest.approx(drops.mean() - 2 * error, abs=error / 3)
        assert part.interval.high == pytest.approx(drops.mean() + 2 * error, abs=error / 3)
        assert alone is not None
        assert alone.high - alone.low < 0.7 * (part.interval.high - part.interval.low)


def test_a_group_in_two_slices_counts_in_each_with_what_it_has_there() -> None:
    lost = np.arange(40) % 8 == 0
    names = [str(index % 8) for index in range(40)]
    slices = ["first" if index < 16 else "second" for index in range(40)]
    parts = measure_slices(compared(lost, lost & False, names), slices)
    assert [(part.samples, part.groups, part.value) for part in parts] == [(16, 8, 7 / 8), (24, 8, 7 / 8)]


def test_sums_of_groups_are_resampled_as_their_samples_are() -> None:
    generator = np.random.default_rng(3)
    sizes = generator.integers(1, 30, 50)
    drops = np.array([generator.integers(-size, size + 1) for size in sizes], float)
    one_by_one = statistics.bootstrap_bounds(lambda chosen: float(drops[chosen].sum() / sizes[chosen].sum()), 50, 0.95)
    assert one_by_one is not None
    assert statistics.bootstrap_share_bounds(drops, sizes, 0.95) == pytest.approx(one_by_one, abs=0.02)


def test_the_sentence_has_groups_and_so_has_how_many_would_do() -> None:
    lost = np.arange(400) < 20
    accuracy = compared(lost, lost & False, [str(index // 20) for index in range(400)]).accuracy()
    reason = judge(accuracy, 0.06, confidence=0.95).reason
    assert "on 400 samples of 20 groups: a drop of 5.00 points" in reason
    count = units_to_tell(accuracy, 0.06)
    assert count is not None
    assert count > 1000
    assert f"about {count:,} groups would be." in reason


@pytest.mark.usefixtures("few_resamples")
def test_other_metrics_are_resampled_by_group_too() -> None:
    generator = np.random.default_rng(8)
    truths = [float(value) for value in generator.normal(size=120)]
    noise = generator.normal(0, 0.4, 12).repeat(10)
    floating, variant = (
        [ImageClassification((Label("score", truth + extra),)) for truth, extra in zip(truths, extras, strict=True)]
        for extras in (np.zeros(120), noise)
    )
    accuracies: list[Accuracy] = [
        measure(variant, floating, truths, SPEARMAN, function="none", groups=groups)
        for groups in (None, [str(index // 10) for index in range(120)])
    ]
    widths = [each.interval.high - each.interval.low for each in accuracies if each.interval]
    assert accuracies[0].value == accuracies[1].value
    assert widths[1] > 1.2 * widths[0]


# From the data to the report


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    return sorted(write_color_images(tmp_path / "images", each=8).rglob("*.png"))


def write_table(path: Path, images: list[Path], groups: list[str]) -> Path:
    with path.open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["image", "label", "camera", "shift"])
        rows = zip(images, groups, strict=True)
        table.writerows((image, image.parent.name, group, f"shift {group[-1] > '2'}") for image, group in rows)
    return path


def export(evaluation: Path, **options: Any) -> Exported:
    return export_module(
        ColorNetwork().eval(),
        COLOR_INPUTS,
        task="image-classification",
        preprocess=COLOR_PREPROCESS,
        postprocess=COLOR_POSTPROCESS,
        name="colors",
        repository=evaluation.parent / "models",
        evaluation=evaluation,
        **options,
    )


def test_the_halves_of_a_search_and_the_report_know_the_groups(
    tmp_path: Path, images: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "_LEAST_GAIN", 0.0)
    monkeypatch.setattr(stopwatch, "_RUNS", 5)
    table = write_table(tmp_path / "data.csv", images, [f"run {index % 6}" for index in range(len(images))])
    exported = export(table, group_column="camera", slice_column="shift", search_minutes=1)
    searched = [trial.accuracy for trial in exported.trials if trial.accuracy is not None]
    assert {(each.samples, each.groups) for each in searched} == {(12, 3)}
    measured = [variant.accuracy for variant in exported.bundle.manifest.variants]
    assert {(each.samples, each.groups) for each in measured if each} == {(12, 3)}
    assert any(
        warning == f"The 24 samples of {table} are of 6 groups, which say little of others; give 20 or more."
        for warning in exported.warnings
    )
    report = json.loads((exported.bundle.directory / "report.json").read_text())
    assert {trial["groups"] for trial in report["trials"] if trial["samples"]} == {3}
    parts = [part for variant in report["slices"].items() if "fp32" not in variant[0] for part in variant[1]]
    assert {part["samples"] // part["groups"] for part in parts} == {4}
    assert {(part["groups"] == 1, part["interval"] is None) for part in parts} <= {(True, True), (False, False)}
    assert any(part["interval"] for part in parts)
    page = (exported.bundle.directory / "report.html").read_text()
    assert "points lost, and the interval of that" in page
    assert "12 samples of 3 groups" in page
    assert "was measured by the search, on one half of the samples" in page


def test_a_model_of_several_networks_is_judged_by_slices_and_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four of five nights are answered wrongly, which a mean over all days and nights hides."""
    slices = ["night" if number < 25 else "day" for number in range(1000)]

    def answer_all(_bundle: Any, items: list[int], *, precision: str) -> list[Result]:
        wrong = [precision == "fastest" and item < 20 for item in items]
        return [ImageClassification((Label("blue" if each else "red", 0.9),)) for each in wrong]

    monkeypatch.setattr(composing, "answer_all", answer_all)
    component = SimpleNamespace(manifest=SimpleNamespace(servable=[SimpleNamespace(precision="int8")]))
    assembly: Any = SimpleNamespace(bundle=lambda: SimpleNamespace(components={"image": component}))
    items: Any = list(range(1000))
    data = ComposedData([], [], [], items, slices=slices, groups=[str(number // 5) for number in items])
    options = ExportOptions(name="m", repository=tmp_path, max_drop=0.03)
    assert composing._judge(assembly, data, options, silent)[1].passed
    bounded = replace(options, slice_column="shift", max_slice_drop=0.1)
    accuracy, verdict = composing._judge(assembly, data, bounded, silent)
    assert not verdict.passed
    assert "The worst slice, 'night', has 0.2000 against 1.0000 on 25 samples of 5 groups" in verdict.reason
    assert accuracy is not None
    assert (accuracy.groups, [part.groups for part in accuracy.slices]) == (200, [195, 5])


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_every_table_may_have_a_column_of_groups(form: str, tmp_path: Path) -> None:
    rows = [{"text": f"text {number}", "label": "a", "author": number % 3} for number in range(9)]
    path = tmp_path / f"data.{form}"
    if form == "csv":
        path.write_text("text,label,author\n" + "".join(f"{row['text']},a,{row['author']}\n" for row in rows))
    elif form == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(rows), path)
    loaded = load_samples(path, ("text",), truth="label", group_column="author")
    assert {each.content[0]: each.group for each in loaded.samples} == {
        f"text {number}": str(number % 3) for number in range(9)
    }


def test_a_sample_without_a_group_cannot_be_used(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("text,author\n" + "".join(f"text {number},{number}\n" for number in range(30)) + "text,\n")
    (warning,) = load_samples(path, ("text",), group_column="author").warnings
    assert "line 32 has nothing in the column 'author'" in warning


def test_groups_that_are_not_there_are_refused(tmp_path: Path, images: list[Path]) -> None:
    with pytest.raises(DataError, match=r"images has no columns, and so no 'camera' to group by; give a \.csv"):
        export(images[0].parents[1], group_column="camera")
    table = write_table(tmp_path / "data.csv", images, ["run"] * len(images))
    with pytest.raises(DataError, match=r"must have a column 'lens' in every row"):
        export(table, group_column="lens")
    with pytest.raises(ExportError, match=r"There are no data with a column 'camera'; pass --evaluation"):
        export_module(
            ColorNetwork(),
            COLOR_INPUTS,
            task="image-classification",
            preprocess=COLOR_PREPROCESS,
            postprocess=COLOR_POSTPROCESS,
            name="colors",
            repository=tmp_path / "models",
            group_column="camera",
        )
