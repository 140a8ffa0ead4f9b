"""Accuracy told apart by a column: what is measured of a slice, what the gate makes of it, and where it is shown."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.model_families import bert, save_family, save_resnet_that_int8_breaks

import tundish
from tundish.bundle import Bundle, read_single_bundle
from tundish.cli.models import show
from tundish.engines import load_engine
from tundish.manifest import Accuracy, SliceAccuracy
from tundish.pipeline import Answer, Pipeline, run_batch
from tundish.results import FeatureExtraction, ImageClassification, Label, TextClassification
from tundish.tasks.registry import load_task
from tundish_exporters import ExportError, export_huggingface
from tundish_exporters.data import load_samples
from tundish_exporters.errors import DataError
from tundish_exporters.gate import judge
from tundish_exporters.gauge import Gauge
from tundish_exporters.metrics import ACCURACY
from tundish_exporters.slices import measure_slices

NAMES = st.sampled_from(("a", "b", "c"))


def classified(names: Sequence[str]) -> list[ImageClassification]:
    return [ImageClassification((Label(name, 0.9),)) for name in names]


@given(st.lists(st.tuples(NAMES, NAMES, NAMES, st.sampled_from(("day", "night", "dawn"))), min_size=1))
def test_a_slice_has_the_accuracy_of_its_samples(rows: list[tuple[str, str, str, str]]) -> None:
    ours, floats, labels, groups = zip(*rows, strict=True)
    gauge = Gauge(classified(floats), labels, ACCURACY)
    slices = measure_slices(gauge.compare(classified(ours)), groups)
    assert [each.name for each in slices] == sorted(set(groups))
    for each in slices:
        members = [row for row in rows if row[3] == each.name]
        assert each.samples == len(members)
        assert each.value == pytest.approx(sum(row[0] == row[2] for row in members) / len(members))
        assert each.reference == pytest.approx(sum(row[1] == row[2] for row in members) / len(members))


def test_without_labels_a_slice_has_its_agreement() -> None:
    slices = measure_slices(Gauge(classified("abb")).compare(classified("aab")), ["x", "x", "y"])
    assert [(each.name, each.value, each.reference) for each in slices] == [("x", 0.5, 1.0), ("y", 1.0, 1.0)]


def test_a_slice_of_what_is_not_counted_has_the_interval_of_its_samples_alone() -> None:
    draw = np.random.default_rng(5)
    floats, ours = ([FeatureExtraction(vector) for vector in draw.normal(1, 0.2, (40, 8))] for _ in range(2))
    groups = ["day" if index % 4 else "night" for index in range(40)]
    comparison = Gauge(floats).compare(ours)
    slices = {each.name: each for each in measure_slices(comparison, groups)}
    for name, part in slices.items():
        members = [index for index, group in enumerate(groups) if group == name]
        alone = Gauge([floats[i] for i in members]).compare([ours[i] for i in members]).accuracy()
        assert part.interval == alone.interval
        assert part.interval is not None
        assert part.interval.low <= alone.reference - alone.value <= part.interval.high
    assert [each.interval for each in measure_slices(comparison, groups, seconds=0.0)] == [None, None]


def sliced(*slices: tuple[str, float, int]) -> Accuracy:
    """An accuracy that has lost nothing over all; each slice with what it has lost, and its samples."""
    parts = tuple(SliceAccuracy(name=name, value=0.9 - drop, reference=0.9, samples=n) for name, drop, n in slices)
    return Accuracy(metric="accuracy", value=0.9, reference=0.9, samples=1000, slices=parts)


def test_the_worst_slice_is_held_to_its_bound() -> None:
    accuracy = sliced(("day", -0.03, 500), ("night", 0.04, 480))
    assert judge(accuracy, 0.005).passed, "slices are not bounded unless that is asked for"
    assert judge(accuracy, 0.005, 0.04).passed
    verdict = judge(accuracy, 0.005, 0.02)
    assert not verdict.passed
    assert verdict.max_slice_drop == 0.02
    assert verdict.reason == (
        "accuracy 0.9000 against 0.9000 on 1,000 samples: a drop of 0.00 points, within the bound of 0.50. The worst "
        "slice, 'night', has 0.8600 against 0.9000 on 480 samples: a drop of 4.00 points, over the bound of 2.00."
    )


def test_a_slice_of_a_few_samples_is_shown_but_not_bounded() -> None:
    verdict = judge(sliced(("day", 0.0, 20), ("night", 0.5, 19)), 0.005, 0.02)
    assert verdict.passed
    assert verdict.reason.endswith("Slices with fewer than 20 samples are not bounded: 1 of them.")


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl"])
def test_a_column_of_a_table_gives_the_slices(suffix: str, tmp_path: Path) -> None:
    rows = [{"text": f"text {number}", "label": "x", "plant": str(number % 2)} for number in range(4)]
    path = write_table(tmp_path / f"data{suffix}", rows)
    samples = load_samples(path, ("text",), slice_column="plant").samples
    assert {(sample.content[0], sample.slice) for sample in samples} == {(row["text"], row["plant"]) for row in rows}
    with pytest.raises(DataError, match=r"must have a column 'line' in every row, got \['text', 'label'"):
        load_samples(path, ("text",), slice_column="line")


def test_data_without_columns_cannot_be_sliced(tmp_path: Path) -> None:
    (tmp_path / "data.txt").write_text("one\n")
    with pytest.raises(DataError, match=r"data\.txt has no columns, and so no 'plant' to slice by"):
        load_samples(tmp_path / "data.txt", ("text",), slice_column="plant")
    with pytest.raises(DataError, match="has no columns"):
        load_samples(tmp_path, ("image",), slice_column="plant")


def write_table(path: Path, rows: Sequence[dict[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        if path.suffix == ".jsonl":
            stream.writelines(json.dumps(row) + "\n" for row in rows)
        else:
            table = csv.DictWriter(stream, list(rows[0]), delimiter="\t" if path.suffix == ".tsv" else ",")
            table.writeheader()
            table.writerows(rows)
    return path


# From an export to a model card


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, minilm_directory: Path) -> Path:
    directory = save_family(tmp_path_factory.mktemp("sliced") / "model", bert(minilm_directory))
    (directory / "README.md").write_text("---\nlicense: cc-by-4.0\n---\n# A classifier\n")
    return directory


@pytest.fixture(scope="module")
def rows(source: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """Texts of two plants, each with the label that the float model gives it."""
    repository = tmp_path_factory.mktemp("float")
    export_huggingface(source, task="text-classification", name="float", repository=repository, precision="fp32")
    texts = [f"Roller {number} of strand {number % 7} runs {'hot' if number % 3 else 'cold'}." for number in range(60)]
    with tundish.open(repository, instances=1) as runtime:
        results = [runtime.predict("float", text=text).result for text in texts]
    labels = [result.labels[0].name for result in results if isinstance(result, TextClassification)]
    return [
        {"text": text, "label": label, "plant": "[north]" if number < 40 else "south"}
        for number, (text, label) in enumerate(zip(texts, labels, strict=True))
    ]


def right_by(bundle: Bundle, rows: Sequence[dict[str, str]], column: str) -> dict[str, float]:
    """Of each value of the column, the share of rows that the int8 variant gets right, one by one."""
    (variant,) = [each for each in bundle.manifest.servable if each.name == "onnx-int8-cpu"]
    pipeline = Pipeline(load_task(bundle.manifest, bundle.directory), load_engine(bundle, variant, threads=1))
    hits: dict[str, list[bool]] = {}
    for row in rows:
        (answer,) = run_batch(pipeline, [row["text"].encode()])
        assert isinstance(answer, Answer)
        assert isinstance(answer.output, TextClassification)
        hits.setdefault(row[column], []).append(answer.output.labels[0].name == row["label"])
    return {name: sum(each) / len(each) for name, each in hits.items()}


def test_an_export_measures_slices_and_labels_and_the_card_shows_them(
    source: Path, rows: list[dict[str, str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = export_huggingface(
        source,
        task="text-classification",
        name="rollers",
        repository=tmp_path / "models",
        evaluation=write_table(tmp_path / "held-out.csv", rows),
        max_drop=1.0,
        slice_column="plant",
        intended_use="To sort reports of the night shift; not to judge people.",
    ).bundle
    (variant,) = [each for each in bundle.manifest.variants if each.name == "onnx-int8-cpu"]
    assert variant.accuracy is not None
    assert {each.name: each.value for each in variant.accuracy.slices} == right_by(bundle, rows, "plant")
    assert [(each.samples, each.reference) for each in variant.accuracy.slices] == [(40, 1.0), (20, 1.0)]
    by_label = json.loads(bundle.path("report.json").read_text())["labels"]["onnx-int8-cpu"]
    assert {each["name"]: each["value"] for each in by_label} == right_by(bundle, rows, "label")

    assert bundle.manifest.source.license == "cc-by-4.0"
    assert read_single_bundle(bundle.directory).manifest == bundle.manifest
    capsys.readouterr()
    show(tmp_path / "models", "rollers")
    shown = capsys.readouterr().out
    assert "license: cc-by-4.0\n" in shown
    assert "intended use: To sort reports of the night shift; not to judge people.\n" in shown
    assert f"model.safetensors {bundle.manifest.source.files['model.safetensors'][:12]}" in shown
    (north,) = [line for line in shown.splitlines() if "[north]" in line]
    assert [cell.strip() for cell in north.split("│")[1:4]] == ["[north]", "40", "1.0000"]


def test_a_slice_that_loses_too_much_is_refused(tmp_path: Path, small_images: Path) -> None:
    fragile = save_resnet_that_int8_breaks(tmp_path / "fragile")
    rows = [{"image": str(path), "line": "left"} for path in sorted(small_images.iterdir()) * 2]
    with pytest.raises(ExportError, match=r"int8 does not pass the gate: agreement .* The worst slice, 'left', has"):
        export_huggingface(
            fragile,
            task="image-classification",
            name="parts",
            repository=tmp_path / "models",
            precision="int8",
            calibration=write_table(tmp_path / "images.csv", rows),
            max_drop=1.0,
            slice_column="line",
            max_slice_drop=0.005,
        )
    assert not (tmp_path / "models").exists()


def test_a_bound_of_slices_needs_slices(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="say by which column"):
        export_huggingface(
            source, task="text-classification", name="x", repository=tmp_path / "models", max_slice_drop=0.1
        )
    with pytest.raises(ExportError, match="There are no data with a column 'plant'"):
        export_huggingface(
            source, task="text-classification", name="x", repository=tmp_path / "models", slice_column="plant"
        )


def test_more_slices_than_anybody_reads_are_refused(source: Path, tmp_path: Path) -> None:
    rows = [{"text": "x", "label": "crack", "plant": str(number)} for number in range(101)]
    with pytest.raises(ExportError, match=r"has 101 values in its column 'plant', more than the 100 slices"):
        export_huggingface(
            source,
            task="text-classification",
            name="x",
            repository=tmp_path / "models",
            evaluation=write_table(tmp_path / "many.jsonl", rows),
            slice_column="plant",
        )
