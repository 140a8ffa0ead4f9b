"""Tables in parquet: texts, paths, images in the table as Hugging Face's datasets write them, and what is right."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tundish.results import Box
from tundish_exporters import DataError
from tundish_exporters.data import load_samples, parquet
from tundish_exporters.truths import TrueEntity, TrueObject


def write(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    pq.write_table(pa.table(columns), path, **options)
    return path


def image_file(seed: int, form: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (30, 40, 3), np.uint8)).save(stream, form)
    return stream.getvalue()


def test_texts_and_labels_come_as_from_other_tables(tmp_path: Path) -> None:
    texts = [f"text {number}" for number in range(200)]
    labels = pa.array([str(number % 3) for number in range(200)]).dictionary_encode()
    path = write(tmp_path / "a.parquet", {"id": range(200), "text": texts, "label": labels, "plant": ["x"] * 200})
    samples = load_samples(path, ("text",), truth="label", slice_column="plant").samples
    assert {(sample.content[0], sample.truth, sample.slice) for sample in samples} == {
        (text, str(number % 3), "x") for number, text in enumerate(texts)
    }
    lines = tmp_path / "a.txt"
    lines.write_text("\n".join(texts))
    assert [sample.content for sample in load_samples(lines, ("text",)).samples] == [
        sample.content for sample in samples
    ], "the order is that of any other form"


def test_images_may_be_paths_or_in_the_table(tmp_path: Path) -> None:
    beside = tmp_path / "beside.jpg"
    beside.write_bytes(image_file(0, "JPEG"))
    inside = [{"bytes": image_file(1), "path": "one.png"}, {"bytes": None, "path": "beside.jpg"}]
    path = write(tmp_path / "a.parquet", {"image": inside, "label": [1, 0]})
    samples = load_samples(path, ("image",), truth="label").samples
    assert {(sample.read(), sample.truth) for sample in samples} == {(image_file(1), "1"), (beside.read_bytes(), "0")}
    assert {str(sample) for sample in samples} == {"row 1", str(beside)}
    for values in (["beside.jpg"], [beside.read_bytes()]):
        (sample,) = load_samples(write(tmp_path / "b.parquet", {"image": values}), ("image",)).samples
        assert sample.read() == beside.read_bytes()


def test_what_is_right_may_be_nested(tmp_path: Path) -> None:
    columns = {
        "text": ["Ada met Charles."],
        "question": ["Who met Charles?"],
        "context": ["Ada met Charles."],
        "labels": [["a", "b"]],
        "answers": [{"text": ["Ada"], "answer_start": [0]}],
        "entities": [[{"label": "PER", "start": 0, "end": 3}]],
        "objects": [[{"label": "x", "box": [1.0, 2.0, 3.0, 4.0]}]],
    }
    path = write(tmp_path / "a.parquet", columns)
    assert load_samples(path, ("text",), truth="labels").samples[0].truth == frozenset({"a", "b"})
    assert load_samples(path, ("question", "context"), truth="answers").samples[0].truth == ("Ada",)
    assert load_samples(path, ("text",), truth="entities").samples[0].truth == (TrueEntity("PER", 0, 3),)
    assert load_samples(path, ("text",), truth="objects").samples[0].truth == (TrueObject("x", Box(1, 2, 3, 4)),)


def test_rows_that_cannot_be_used_are_named_by_their_number(tmp_path: Path) -> None:
    images = [{"bytes": image_file(number), "path": ""} for number in range(70)]
    images[66] = {"bytes": image_file(66)[:-80], "path": ""}
    images[68] = {"bytes": b"", "path": ""}
    (warning,) = load_samples(write(tmp_path / "a.parquet", {"image": images}), ("image",)).warnings
    assert "2 of 70 samples" in warning
    assert "row 67 (The image is damaged: " in warning
    assert "row 69 has no path in the column 'image'" in warning


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"review": ["a"]}, r"must have a column 'text' in every row, got \['review'\]"),
        ({"text": pa.array([], pa.string())}, "holds no text"),
        ({"text": [1, 2]}, "row 1 has no text in the column 'text'; row 2 has"),
        ({"text": [b"a", b"b"]}, "row 1 has no text in the column 'text'; row 2 has"),
        ({"text": pa.array([None, None], pa.string())}, "row 1 has no text in the column 'text'; row 2 has"),
    ],
)
def test_a_table_without_texts_is_refused(columns: dict[str, Any], reason: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=reason):
        load_samples(write(tmp_path / "a.parquet", columns), ("text",))


def test_text_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    broken = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff")])
    with pytest.raises(DataError, match=r"a\.parquet cannot be read as \.parquet: 'utf-8' codec"):
        load_samples(write(tmp_path / "a.parquet", {"text": broken}), ("text",))


def test_a_table_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.parquet", {"text": ["x" * 10_000] * 2000}, compression="zstd")
    assert path.stat().st_size < 20_000
    monkeypatch.setattr(parquet, "MAX_TABLE_BYTES", 5_000_000)
    with pytest.raises(DataError, match=r"has over 5000000 bytes in the columns \['text'\], the limit; give a random"):
        load_samples(path, ("text",))
    other = write(tmp_path / "b.parquet", {"text": ["a", "b"], "unread": ["x" * 6_000_000] * 2})
    assert len(load_samples(other, ("text",)).samples) == 2


@given(data=st.binary(max_size=300), cut=st.integers(0, 400), place=st.integers(0, 400), value=st.integers(0, 255))
def test_any_bytes_are_read_or_refused(
    data: bytes, cut: int, place: int, value: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    whole = write(folder / "whole.parquet", {"text": ["a", "b"]}, store_schema=False).read_bytes()
    damaged = bytearray(whole)
    damaged[place % len(damaged)] = value
    for content in (data, b"PAR1" + data + b"PAR1", whole[:cut], bytes(damaged)):
        path = folder / "any.parquet"
        path.write_bytes(content)
        try:
            load_samples(path, ("text",))
        except DataError as error:
            assert str(path) in str(error)
