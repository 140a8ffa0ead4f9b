"""COCO's annotations: images are found where COCO and labelling tools put them, and boxes are those of pycocotools."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pycocotools.coco import COCO

from tundish.results import Box
from tundish_exporters import DataError
from tundish_exporters.data import load_samples
from tundish_exporters.truths import TrueObject

SIZE = (64, 48)


def save_image(path: Path, shade: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", SIZE, (shade, 2, 3))
    image.putpixel((0, 0), (255, 255, 255))
    image.save(path)
    return path


def annotation(number: int, image: Any, category: Any, box: Any, **more: Any) -> dict[str, Any]:
    return {"id": number, "image_id": image, "category_id": category, "bbox": box, "iscrowd": 0, "area": 1, **more}


CONTENT: dict[str, Any] = {
    "info": {"year": 2017},
    "images": [
        {"id": 7, "file_name": "a.png", "width": 64, "height": 48},
        {"id": 9, "file_name": "b.png", "width": 64, "height": 48},
        {"id": 11, "file_name": "c.png", "width": 64, "height": 48},
    ],
    "annotations": [
        annotation(1, 7, 3, [10, 20.5, 30, 7.25]),
        annotation(2, 9, 90, [0, 0, 64, 48], iscrowd=1, segmentation={"counts": [0, 3072], "size": [48, 64]}),
        annotation(3, 7, 90, [1, 2, 3, 4], segmentation=[[1, 2, 4, 2, 4, 6]]),
        annotation(4, 1234, 3, [1, 2, 3, 4]),
    ],
    "categories": [{"id": 3, "name": "crack", "supercategory": "fault"}, {"id": 90, "name": "dent"}],
}


def write(path: Path, content: Any = CONTENT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def write_images(folder: Path) -> None:
    for shade, name in enumerate("abc"):
        save_image(folder / f"{name}.png", shade)


@pytest.mark.parametrize(
    ("annotations", "images"),
    [
        ("_annotations.coco.json", "."),
        ("result.json", "images"),
        ("annotations/instances_val2017.json", "val2017"),
        ("annotations/instances_val2017.json", "images/val2017"),
        ("annotations/labels.json", "."),
        ("val2017.json", "val2017"),
    ],
)
def test_images_are_found_where_tools_put_them(annotations: str, images: str, tmp_path: Path) -> None:
    path = write(tmp_path / annotations)
    write_images(tmp_path / images)
    loaded = load_samples(path, ("image",), truth="objects")
    assert loaded.warnings == ()
    assert {sample.content[0].resolve(): sample.truth for sample in loaded.samples} == {
        (tmp_path / images / "a.png").resolve(): (
            TrueObject("crack", Box(10, 20.5, 40, 27.75)),
            TrueObject("dent", Box(1, 2, 4, 6)),
        ),
        (tmp_path / images / "b.png").resolve(): (TrueObject("dent", Box(0, 0, 64, 48), is_crowd=True),),
        (tmp_path / images / "c.png").resolve(): (),
    }


def test_objects_are_those_that_pycocotools_reads(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json")
    write_images(tmp_path)
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(path))
    names = {number: category["name"] for number, category in coco.cats.items()}
    for sample in load_samples(path, ("image",), truth="objects").samples:
        (number,) = [each for each, image in coco.imgs.items() if image["file_name"] == sample.name]
        expected = coco.loadAnns(coco.getAnnIds(imgIds=[number]))
        assert isinstance(sample.truth, tuple)
        assert len(sample.truth) == len(expected)
        for found, said in zip(sample.truth, expected, strict=True):
            assert isinstance(found, TrueObject)
            assert (found.label, found.is_crowd) == (names[said["category_id"]], bool(said["iscrowd"]))
            left, top, width, height = said["bbox"]
            assert found.box == (left, top, left + width, top + height)


def test_calibration_leaves_the_objects_unread(tmp_path: Path) -> None:
    write_images(tmp_path)
    assert {sample.truth for sample in load_samples(write(tmp_path / "a.json"), ("image",)).samples} == {None}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"images": [{"id": 7, "file_name": "lost.png"}]},
            r"lost\.png is neither beside the annotations nor in a folder 'images' or 'a'",
        ),
        ({"images": [{"id": 7}]}, "None has no 'file_name'"),
        ({"images": [{"file_name": "a.png"}]}, r"one of its 'images' without 'id': \{'file_name': 'a\.png'\}"),
        ({"images": {}}, "is no file of COCO's annotations: it has no list 'images' of objects"),
        ({"annotations": [3]}, "it has no list 'annotations' of objects"),
        ({"categories": None}, "it has no list 'categories' of objects"),
        ({"annotations": [{"id": 1}]}, "one of its 'annotations' without 'image_id'"),
        (
            {"annotations": [annotation(1, 7, 4, [1, 2, 3, 4])]},
            r"a\.png has an object of the category 4, which has no name",
        ),
        ({"annotations": [annotation(1, 7, [], [1, 2, 3, 4])]}, r"of the category \[\], which has no name"),
        ({"annotations": [annotation(1, 7, 3, [1, 2, 3])]}, r"a\.png has no 'bbox' of four numbers, but \[1, 2, 3\]"),
        ({"annotations": [annotation(1, 7, 3, [1, 2, "3", 4])]}, "a.png has no 'bbox' of four numbers"),
        (
            {"annotations": [annotation(1, 7, 3, [1, 2, -3, 4])]},
            r"a\.png has a box whose right or lower edge is not beh",
        ),
        (
            {"annotations": [annotation(1, 7, 3, [65, 2, 3, 4])]},
            r"a\.png \(The box .* of 'crack' lies outside its 64 x 48",
        ),
    ],
)
def test_what_is_not_as_coco_has_it_is_named(changes: dict[str, Any], reason: str, tmp_path: Path) -> None:
    one = {**CONTENT, "images": CONTENT["images"][:1]}
    save_image(tmp_path / "a.png")
    with pytest.raises(DataError, match=reason) as raised:
        load_samples(write(tmp_path / "a.json", one | changes), ("image",), truth="objects")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("content", ["[]", "{", "[" * 100_000, '{"images": []}', "null", '"\\ud800"', "9" * 5000])
def test_another_json_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(DataError, match=r"a\.json "):
        load_samples(path, ("image",), truth="objects")


leaves = st.none() | st.integers(0, 3) | st.floats() | st.sampled_from(["a.png", "crack", ""])
records = st.dictionaries(
    st.sampled_from(["id", "file_name", "image_id", "category_id", "bbox", "iscrowd", "name"]),
    leaves | st.lists(leaves, max_size=4),
)


@given(
    content=st.fixed_dictionaries(
        {name: st.lists(records, max_size=3) | leaves for name in ("images", "annotations", "categories")}
    )
)
def test_any_lists_are_read_or_refused(content: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp()
    save_image(folder / "a.png")
    with contextlib.suppress(DataError):
        load_samples(write(folder / "any.json", content), ("image",), truth="objects")
