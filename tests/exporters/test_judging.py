"""The samples that a judge judges on: halves of them, their order, and what ends it early."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.networks import COLOR_INPUTS, COLOR_POSTPROCESS, COLOR_PREPROCESS, ColorNetwork, write_color_images

from tundish_exporters import DataError, export_module
from tundish_exporters.data import Sample
from tundish_exporters.export_data import GateData
from tundish_exporters.metrics import ACCURACY, TEXT_MATCH


def samples(count: int) -> list[Sample]:
    return [Sample((f"text {number}",), None) for number in range(count)]


@given(st.lists(st.sampled_from("abc"), min_size=2, max_size=50))
def test_halves_share_no_sample_and_every_label(labels: list[str]) -> None:
    data = GateData(samples(len(labels)), [*labels], ACCURACY)
    halves = data.halves()
    assert data.halves() == halves, "the same every time"
    names = [[str(sample) for sample in half.samples] for half in halves]
    assert sorted(names[0] + names[1]) == sorted(str(sample) for sample in data.samples)
    assert abs(len(names[0]) - len(names[1])) <= 1
    counts = []
    for half in halves:
        assert half.metric is ACCURACY
        assert half.truths == [labels[int(str(sample).split()[1])] for sample in half.samples], "each keeps its own"
        counts.append(Counter(half.truths))
    assert all(abs(counts[0][label] - counts[1][label]) <= 1 for label in labels)


def test_without_labels_halves_are_drawn_blindly() -> None:
    first, second = GateData(samples(101)).halves()
    assert (first.truths, second.truths) == (None, None)
    assert {len(first.samples), len(second.samples)} == {50, 51}
    assert [str(sample) for sample in first.samples] != [f"text {number}" for number in range(0, 101, 2)]


def test_one_sample_has_no_halves() -> None:
    with pytest.raises(DataError, match="One sample cannot both choose a variant and judge it"):
        GateData(samples(1)).halves()


def test_texts_of_lines_are_no_labels() -> None:
    assert GateData(samples(2), ["a", "b"], ACCURACY).labels == ["a", "b"]
    assert GateData(samples(2), ["a", "b"], TEXT_MATCH).labels is None
    assert GateData(samples(2), [1.0, 2.0], ACCURACY).labels is None


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The samples that have been read, in their order."""
    names: list[str] = []
    before = Sample.read

    def counted(sample: Sample) -> Any:
        names.append(str(sample))
        return before(sample)

    monkeypatch.setattr(Sample, "read", counted)
    return names


def test_ctrl_c_ends_an_evaluation_at_once(tmp_path: Path, read: list[str]) -> None:
    images = write_color_images(tmp_path / "images", each=40)

    def interrupt(description: str, done: int, _total: int, _note: str = "", /) -> None:
        if description.startswith("evaluate") and done == 1:
            raise KeyboardInterrupt

    calibration = write_color_images(tmp_path / "calibration", each=1)
    with pytest.raises(KeyboardInterrupt):
        export_module(
            ColorNetwork(outlier=False),
            COLOR_INPUTS,
            task="image-classification",
            preprocess=COLOR_PREPROCESS,
            postprocess=COLOR_POSTPROCESS,
            name="colors",
            repository=tmp_path / "models",
            calibration=calibration,
            evaluation=images,
            progress=interrupt,
        )
    evaluated = [name for name in read if "calibration" not in name]
    assert 1 <= len(evaluated) < 60, "of 120"
    assert not (tmp_path / "models" / "colors").exists()
