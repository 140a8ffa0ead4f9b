"""How sure a drop is, as the gate's table shows it; also of bundles from before it was measured."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from support.bundles import make_bundle

from tundish.bundle import Bundle, read_single_bundle, write_manifest
from tundish.cli.rendering import interval_points, percent, points, slices_table, variants_table
from tundish.manifest import Accuracy, Interval, Manifest

BEFORE = {"metric": "accuracy", "value": 0.754, "reference": 0.756, "samples": 1000}
"""As bundles had it that have no intervals."""
NOW = BEFORE | {
    "interval": {"low": -0.0078, "high": 0.0121, "confidence": 0.95},
    "lost": 12,
    "gained": 10,
    "p_value": 0.832,
    "agreement": 0.978,
}


def with_accuracy(bundle: Bundle, accuracy: dict[str, Any]) -> Manifest:
    """As it is read from a file that says so, and of the accuracy no more."""
    content = bundle.manifest.model_dump(mode="json")
    content["variants"][0] |= {"precision": "int8", "name": "onnx-int8-cpu", "accuracy": accuracy}
    del content["variants"][0]["gate"]["confidence"]
    return Manifest.model_validate(content)


def shown(table: Any) -> list[str]:
    console = Console(file=io.StringIO(), width=80)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return make_bundle(tmp_path / "models", "model")


def test_below_the_drop_stands_its_interval_and_below_the_accuracy_the_agreement(bundle: Bundle) -> None:
    lines = shown(variants_table(with_accuracy(bundle, NOW)))
    cells = [[cell.strip() for cell in line.split("│")[1:4]] for line in lines if line.startswith("│")]
    assert cells == [["onnx-int8-cpu", "0.7540", "+0.20 points"], ["", "0.9780", "-0.78 to 1.21"]]
    headings = [[cell.strip() for cell in line.split("┃")[2:4]] for line in lines if line.startswith("┃")]
    assert headings == [["accuracy", "drop"], ["agreement", "95 % interval"]]
    assert any("accuracy on 1,000 samples" in line for line in lines)


def test_a_bundle_without_intervals_is_shown_without(bundle: Bundle) -> None:
    lines = shown(variants_table(with_accuracy(bundle, BEFORE)))
    (cells,) = [[cell.strip() for cell in line.split("│")[1:4]] for line in lines if line.startswith("│")]
    assert cells == ["onnx-int8-cpu", "0.7540", "+0.20 points"]
    assert not any("interval" in line or "agreement" in line for line in lines)


def test_a_bundle_from_before_loads_and_one_of_now_comes_back_as_it_was(bundle: Bundle) -> None:
    for accuracy in (BEFORE, NOW):
        manifest = with_accuracy(bundle, accuracy)
        write_manifest(bundle.directory, manifest)
        read = read_single_bundle(bundle.directory).manifest.variants[0].accuracy
        assert read == Accuracy.model_validate(accuracy)
        assert read.model_dump(exclude_defaults=True) == accuracy


def test_slices_have_intervals_below_their_drops(bundle: Bundle) -> None:
    part = {"name": "north", "value": 0.9, "reference": 0.95, "samples": 40}
    interval = {"low": -0.01, "high": 0.12, "confidence": 0.95}
    table = slices_table(
        with_accuracy(bundle, NOW | {"slices": [part, part | {"name": "south", "interval": interval}]})
    )
    cells = [[cell.strip() for cell in line.split("│")[1:5]] for line in shown(table) if line.startswith("│")]
    assert cells == [
        ["north", "40", "0.9500", "+5.00 points"],
        ["south", "40", "0.9500", "+5.00 points"],
        ["", "", "", "-1.00 to 12.00"],
    ]


def test_shares_are_said_in_points_and_percent() -> None:
    assert points(-0.00001) == "0.00"
    assert interval_points(Interval(low=-0.004, high=0.008, confidence=0.9)) == "-0.40 to 0.80"
    assert [percent(share) for share in (0.95, 0.999, 0.9)] == ["95 %", "99.9 %", "90 %"]
