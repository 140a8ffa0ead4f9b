"""Images and their objects as COCO has them: an annotations `.json`, and image files near it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tundish.results import Box
from tundish_exporters.data.faults import Fault, SampleError
from tundish_exporters.data.sample import Sample
from tundish_exporters.data.tables import check_size
from tundish_exporters.data.truth_columns import box_of
from tundish_exporters.data.truth_forms import TruthForm
from tundish_exporters.errors import DataError
from tundish_exporters.truths import TrueObject

MAX_JSON_BYTES = 512 * 1024**2
"""COCO's largest, of 118,000 images, has 470 MB and takes several GB of memory."""
_SET = "instances_"
"""What COCO puts before the name of a set of images, as in `instances_val2017.json`."""

_Record = Mapping[str, Any]


def read_coco(path: Path, truth: TruthForm | None) -> Iterator[Sample | Fault]:
    """The images that the file lists, with their objects if those are asked for; an image may have none.

    An image is where its `file_name` says: beside the file or in the folder above, there itself or in a folder `images`
    or of the set's name (`val2017` of `instances_val2017.json`).

    Raises:
        DataError: it cannot be read, or its lists are not COCO's.
    """
    content = _content(path)
    images, annotations = _records(path, content, "images"), _records(path, content, "annotations")
    categories = {
        _id(path, "categories", each, "id"): each.get("name") for each in _records(path, content, "categories")
    }
    of_images: dict[int | str, list[_Record]] = {}
    for annotation in annotations:
        of_images.setdefault(_id(path, "annotations", annotation, "image_id"), []).append(annotation)
    folders = _folders(path)
    for image in images:
        number, name = _id(path, "images", image, "id"), image.get("file_name")
        try:
            file = _file(folders, name)
            objects = (
                tuple(_object(each, categories) for each in of_images.get(number, ())) if truth == "objects" else None
            )
        except SampleError as error:
            yield Fault(str(name), str(error))
        else:
            yield Sample((file,), objects, name=str(name))


def _content(path: Path) -> _Record:
    try:
        check_size(path, MAX_JSON_BYTES)
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read as COCO's JSON: {error}.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error
    if not isinstance(content, Mapping):
        raise DataError(f"{path} is no file of COCO's annotations, which is an object with a list 'images'.")
    return content


def _records(path: Path, content: _Record, name: str) -> Sequence[_Record]:
    records = content.get(name)
    if not isinstance(records, list) or not all(isinstance(each, Mapping) for each in records):
        raise DataError(f"{path} is no file of COCO's annotations: it has no list '{name}' of objects.")
    return records


def _id(path: Path, name: str, record: _Record, key: str) -> int | str:
    value = record.get(key)
    if not isinstance(value, int | str):
        raise DataError(f"{path} has one of its '{name}' without '{key}': {str(dict(record))[:200]}.")
    return value


def _folders(path: Path) -> list[Path]:
    name = path.stem.removeprefix(_SET)
    return [
        root / folder for root in (path.parent, path.parent.parent) for folder in ("", "images", name, f"images/{name}")
    ]


def _file(folders: Sequence[Path], name: Any) -> Path:
    if not isinstance(name, str) or not name or "\0" in name:
        raise SampleError("has no 'file_name'")
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    raise SampleError(f"is neither beside the annotations nor in a folder '{folders[1].name}' or '{folders[2].name}'")


def _object(annotation: _Record, labels: Mapping[int | str, Any]) -> TrueObject:
    category = annotation.get("category_id")
    label = labels.get(category) if isinstance(category, int | str) else None
    if not isinstance(label, str):
        raise SampleError(f"has an object of the category {category!r}, which has no name")
    return TrueObject(label, _box(annotation.get("bbox")), bool(annotation.get("iscrowd")))


def _box(said: Any) -> Box:
    """From COCO's left, upper edge, width and height."""
    try:
        left, top, width, height = said
        return box_of([left, top, left + width, top + height])
    except (TypeError, ValueError, OverflowError):
        raise SampleError(f"has no 'bbox' of four numbers, but {said!r}") from None
