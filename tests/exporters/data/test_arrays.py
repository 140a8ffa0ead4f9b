"""Samples in NumPy's `.npz`: an array for each part and for what is right; nothing that needs pickles."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tundish.tasks.image_decoding import decode_image
from tundish_exporters import DataError
from tundish_exporters.data import arrays, load_samples

PIXELS: NDArray[np.uint8] = np.random.default_rng(1).integers(0, 256, (5, 6, 7, 3), np.uint8)


def write(path: Path, **content: Any) -> Path:
    np.savez(path, **content)
    return path


def test_images_come_as_the_pixels_that_they_were(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz", image=PIXELS, label=np.array(["a", "b", "c", "a", "b"]), unread=np.zeros(3))
    samples = load_samples(path, ("image",), truth="label").samples
    assert len(samples) == 5
    for sample in samples:
        number = int(str(sample).removeprefix("row ")) - 1
        data: Any = sample.read()
        np.testing.assert_array_equal(decode_image(data).pixels, PIXELS[number])
        assert sample.truth == "abcab"[number]


def test_texts_and_what_is_right_come_as_from_other_tables(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.npz",
        text=np.array(["one", "two"]),
        label=np.array([1, 0]),
        score=np.array([0.5, 2], np.float32),
        labels=np.array([["a", "b"], ["b", "c"]]),
    )

    def read(form: Any) -> dict[Any, Any]:
        return {sample.content[0]: sample.truth for sample in load_samples(path, ("text",), truth=form).samples}

    assert read("label") == {"one": "1", "two": "0"}
    assert read("score") == {"one": 0.5, "two": 2.0}
    assert read("labels") == {"one": frozenset("ab"), "two": frozenset("bc")}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"pixels": PIXELS}, r"must have a column 'image' in every row, got \['pixels'\]"),
        (
            {"image": PIXELS, "label": np.zeros(4)},
            r"as many samples in each array, got the shapes \{'image': \[5, 6, 7",
        ),
        ({"image": np.uint8(3)}, r"must have as many samples in each array, got the shapes \{'image': \[\]\}"),
        ({"image": PIXELS[..., 0]}, r"no \[height, width, 3\] uint8 pixels in 'image', but \[6, 7\] uint8"),
        ({"image": PIXELS / 255}, r"no \[height, width, 3\] uint8 pixels in 'image', but \[6, 7, 3\] float64"),
        ({"image": PIXELS[:, :0]}, r"no \[height, width, 3\] uint8 pixels in 'image', but \[0, 7, 3\] uint8"),
        ({"image": PIXELS[:0]}, "holds no image"),
        ({"image": np.array([{}, {}], object)}, r"cannot be read as \.npz without pickles: "),
    ],
)
def test_what_is_no_array_of_samples_is_named(content: dict[str, Any], reason: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=reason) as raised:
        load_samples(write(tmp_path / "a.npz", **content), ("image",), truth="label")
    assert "\n" not in str(raised.value)


def test_arrays_that_unpack_to_too_much_are_refused_before_they_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, image=np.zeros((100, 100, 100, 3), np.uint8))
    assert path.stat().st_size < 10_000
    monkeypatch.setattr(arrays, "MAX_TABLE_BYTES", 1_000_000)
    with pytest.raises(DataError, match=r"unpacks to 3000128 bytes, the limit is 1000000; give fewer"):
        load_samples(path, ("image",))


def test_a_header_that_says_more_than_is_there_is_refused(tmp_path: Path) -> None:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": (10**14, 9, 9, 3)})
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("image.npy", stream.getvalue())
    with pytest.raises(DataError, match=r"cannot be read as \.npz without pickles: "):
        load_samples(path, ("image",))


@given(data=st.binary(max_size=200), cut=st.integers(0, 1000), place=st.integers(0, 1000), value=st.integers(0, 255))
def test_any_bytes_are_read_or_refused(
    data: bytes, cut: int, place: int, value: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    whole = write(folder / "whole.npz", text=np.array(["a", "b"])).read_bytes()
    damaged = bytearray(whole)
    damaged[place % len(damaged)] = value
    for content in (data, b"PK\3\4" + data, whole[:cut], bytes(damaged)):
        path = folder / "any.npz"
        path.write_bytes(content)
        try:
            load_samples(path, ("text",))
        except DataError as error:
            assert str(path) in str(error)
