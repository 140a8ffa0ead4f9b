"""Files and rows that cannot be used: a few are named and left out, more are an error; and what else data warn of."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tundish_exporters import DataError
from tundish_exporters.data import LoadedData, load_samples, warnings_of
from tundish_exporters.data.faults import Fault, left_out

PATH = Path("data")


@pytest.mark.parametrize(("faulty", "count"), [(1, 2), (1, 20), (2, 21), (2, 40), (5, 100)])
def test_one_in_twenty_rounded_up_may_be_left_out(faulty: int, count: int) -> None:
    faults = [Fault(f"line {number}", "is odd") for number in range(1, faulty + 2)]
    (warning,) = left_out(PATH, faults[:-1], count)
    assert warning.startswith(f"{faulty} of {count} samples of data cannot be used and w")
    with pytest.raises(DataError, match=rf"{faulty + 1} of {count} samples of data cannot be used, and at most 5% may"):
        left_out(PATH, faults, count)


def test_not_all_may_be_left_out() -> None:
    with pytest.raises(DataError, match="1 of 1 samples of data cannot be used"):
        left_out(PATH, [Fault("line 1", "is odd")], 1)
    assert left_out(PATH, [], 1) == ()


def test_the_first_are_named_and_the_others_counted() -> None:
    faults = [Fault(f"line {number}", "is\nodd" + "!" * 500) for number in (12, 3, 4, 100, 9, 8, 11)]
    (warning,) = left_out(PATH, faults, 1000)
    places = [warning.index(f"line {number} is odd!!") for number in (3, 4, 8, 9, 11)]
    assert places == sorted(places)
    assert "line 12" not in warning
    assert warning.endswith("!! …; and 2 more.")
    assert len(warning) < 1500


def save(path: Path, seed: int) -> Path:
    """An image of noise, 40 x 30 pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (30, 40, 3), np.uint8)).save(path)
    return path


def test_images_that_cannot_be_decoded_are_left_out_by_name(tmp_path: Path) -> None:
    for number in range(58):
        save(tmp_path / "crack" / f"{number}.png", number)
    whole = save(tmp_path / "sound" / "short.jpg", 99)
    whole.write_bytes(whole.read_bytes()[:-200])
    (tmp_path / "sound" / "empty.png").touch()
    (tmp_path / "sound" / "page.bmp").write_bytes(b"<html>")
    loaded = load_samples(tmp_path, ("image",), truth="label")
    assert len(loaded.samples) == 58
    (warning,) = loaded.warnings
    assert warning.startswith(
        f"3 of 61 samples of {tmp_path} cannot be used and were left out: sound/page.bmp (The ima"
    )
    assert "sound/empty.png (The image has no bytes); " in warning
    assert "sound/short.jpg (The image is damaged: image file is truncated" in warning
    for number in range(2):
        (tmp_path / "crack" / f"broken{number}.webp").touch()
    with pytest.raises(DataError, match=rf"5 of 63 samples of {tmp_path} cannot be used, and at most 5% may be"):
        load_samples(tmp_path, ("image",), truth="label")


def test_of_what_is_not_used_nothing_is_looked_at(tmp_path: Path) -> None:
    for number in range(40):
        save(tmp_path / f"{number}.png", number)
    first = load_samples(tmp_path, ("image",), limit=10).samples
    used = {sample.content[0] for sample in first}
    for path in set(tmp_path.iterdir()) - used:
        path.write_bytes(b"broken")
    loaded = load_samples(tmp_path, ("image",), limit=10)
    assert (loaded.samples, loaded.warnings) == (first, ())
    first[0].content[0].write_bytes(b"broken")
    with pytest.raises(DataError, match="of 40 samples"):
        load_samples(tmp_path, ("image",), limit=10)


def test_a_limit_is_filled_up_where_some_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"text": f"text {number}"}) + "\n" for number in range(100)))
    (dropped, *others) = load_samples(path, ("text",), limit=11).samples
    path.write_text(path.read_text().replace(f'"{dropped.content[0]}"', '" "'))
    loaded = load_samples(path, ("text",), limit=10)
    assert loaded.samples == others
    assert loaded.warnings[0].startswith(f"1 of 11 samples of {path} cannot be used and was left out: {dropped.name} ")


def test_samples_without_a_label_among_others_are_left_out(tmp_path: Path) -> None:
    for number in range(5):
        save(tmp_path / "crack" / f"{number}.png", number)
    save(tmp_path / "top.png", 9)
    loaded = load_samples(tmp_path, ("image",), truth="label")
    assert {sample.truth for sample in loaded.samples} == {"crack"}
    assert "top.png does not say what is right, as others do" in loaded.warnings[0]
    assert len(load_samples(tmp_path, ("image",)).samples) == 6


# Masks and boxes must lie on their images


def save_mask(path: Path, array: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(array, np.uint8)).save(path)
    return path


def test_a_folder_of_images_may_have_one_of_masks_beside_it(tmp_path: Path) -> None:
    for number, name in enumerate(("a.jpg", "deep/b.png")):
        save(tmp_path / "images" / name, number)
        save_mask((tmp_path / "masks" / name).with_suffix(".png"), np.full((30, 40), number))
    save_mask(tmp_path / "masks" / "of-nothing.png", np.zeros((1, 1)))
    loaded = load_samples(tmp_path, ("image",), truth="mask")
    assert {sample.content[0].name: sample.truth for sample in loaded.samples} == {
        "a.jpg": tmp_path / "masks" / "a.png",
        "b.png": tmp_path / "masks" / "deep" / "b.png",
    }
    calibration = load_samples(tmp_path, ("image",)).samples
    assert {sample.content[0].parent.name for sample in calibration} == {"images", "deep"}
    assert {sample.truth for sample in calibration} == {None}


@pytest.mark.parametrize(
    ("mask", "reason"),
    [
        (None, r"a\.png has no mask .*masks/a\.png"),
        (np.zeros((30, 41)), r"a\.png \(The mask .*masks/a\.png has 41 x 30 pixels, its image 40 x 30\)"),
        (np.zeros((30, 40, 3)), r"has pixels of the kind RGB, and no index of a label for each"),
        (b"no image", r"The mask .*a\.png cannot be read: cannot identify"),
    ],
)
def test_a_mask_that_does_not_fit_its_image_is_named(mask: Any, reason: str, tmp_path: Path) -> None:
    save(tmp_path / "images" / "a.png", 1)
    (tmp_path / "masks").mkdir()
    if isinstance(mask, bytes):
        (tmp_path / "masks" / "a.png").write_bytes(mask)
    elif mask is not None:
        save_mask(tmp_path / "masks" / "a.png", mask)
    with pytest.raises(DataError, match=reason):
        load_samples(tmp_path, ("image",), truth="mask")


def test_masks_and_boxes_of_a_table_are_held_against_the_image(tmp_path: Path) -> None:
    save(tmp_path / "a.png", 1)
    mask = save_mask(tmp_path / "marked" / "a.png", np.ones((30, 40)))
    path = tmp_path / "a.jsonl"

    def load(**cells: Any) -> Any:
        path.write_text(json.dumps({"image": "a.png", **cells}) + "\n")
        (sample,) = load_samples(path, ("image",), truth="mask" if "mask" in cells else "objects").samples
        return sample.truth

    assert load(mask="marked/a.png") == mask
    assert load(objects=[{"label": "x", "box": [-5, 0, 50, 10]}])[0].box == (-5, 0, 50, 10)
    with pytest.raises(DataError, match=r"line 1 \(The box \[41.0, 0.0, 50.0, 10.0\] of 'x' lies outside its 40 x 30"):
        load(objects=[{"label": "x", "box": [41, 0, 50, 10]}])


# Warnings


def texts(folder: Path, name: str, rows: Sequence[tuple[str, str]]) -> LoadedData:
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows))
    return load_samples(path, ("text",), truth="label")


def test_enough_samples_that_differ_are_worth_no_word(tmp_path: Path) -> None:
    calibration = texts(tmp_path, "calibration", [(f"c{number}", "a") for number in range(16)])
    evaluation = texts(tmp_path, "evaluation", [(f"e{number}", "ab"[number % 2]) for number in range(20)])
    assert warnings_of(calibration, evaluation) == ()
    assert warnings_of(None, None) == ()


def test_few_samples_are_said(tmp_path: Path) -> None:
    few = texts(tmp_path, "few", [(f"c{number}", "ab"[number % 2]) for number in range(15)])
    assert [warning.removeprefix(f"{few.path} has 15 samples to ")[:9] for warning in warnings_of(few, None)] == [
        "calibrate"
    ]
    (warning,) = warnings_of(None, few)
    assert warning.startswith(f"{few.path} has 15 samples to evaluate on, of which one is 7% of the accuracy;")


def test_copies_and_one_answer_for_all_are_said(tmp_path: Path) -> None:
    copies = texts(tmp_path, "copies", [(f"c{number % 15}", "a") for number in range(30)])
    assert warnings_of(copies, None) == (f"Only 15 of the 30 samples of {copies.path} differ; leave copies out.",)
    same, answer = warnings_of(None, copies)
    assert same.startswith("Only 15 of the 30 samples")
    assert answer.startswith(f"The same is right for all 30 samples of {copies.path}: 'a'; give samples of all")


def test_samples_that_are_calibrated_on_and_judged_by_are_counted(tmp_path: Path) -> None:
    calibration = texts(tmp_path, "calibration", [(f"{number}", "a") for number in range(16)])
    evaluation = texts(tmp_path, "evaluation", [(f"{number + 13}", "ab"[number % 2]) for number in range(20)])
    assert warnings_of(calibration, evaluation) == (
        f"3 of the 16 samples to calibrate on are also in {evaluation.path}, whose accuracy that flatters; "
        "keep the two apart.",
    )


def test_images_of_one_colour_are_said(tmp_path: Path) -> None:
    for number in range(20):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / f"{number}.png")
    loaded = load_samples(tmp_path, ("image",))
    assert warnings_of(loaded, None) == (f"20 of the 20 samples of {tmp_path} are of one colour; give real images.",)
    stream = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 10, 99)).save(stream, "JPEG")
    (tmp_path / "one.jpg").write_bytes(stream.getvalue())
    assert warnings_of(load_samples(tmp_path, ("image",)), None)[0].startswith("21 of the 21 samples")
    for number in range(22):
        save(tmp_path / f"noise-{number}.png", number)
    assert warnings_of(load_samples(tmp_path, ("image",)), None) == ()
