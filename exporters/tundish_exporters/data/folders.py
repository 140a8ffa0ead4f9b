"""Folders of images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tundish_exporters.data.faults import Fault
from tundish_exporters.data.sample import Sample
from tundish_exporters.data.truth_forms import TruthForm

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})


def read_folder(path: Path, truth: TruthForm | None) -> Iterator[Sample | Fault]:
    """The images of a folder, searched in depth.

    Each may lie in a folder that is named by its label. If there are folders `images` and `masks`, the images are those
    of the one, and each has a mask of its name in the other.
    """
    images, masks = path / "images", path / "masks"
    if images.is_dir() and masks.is_dir():
        for file in _images(images):
            name = file.relative_to(images)
            mask = (masks / name).with_suffix(".png")
            if truth == "mask" and not mask.is_file():
                yield Fault(str(name), f"has no mask {mask}")
            else:
                yield Sample((file,), mask if truth == "mask" else None, name=str(name))
        return
    for file in _images(path):
        label = file.parent.name if truth == "label" and file.parent != path else None
        yield Sample((file,), label, name=str(file.relative_to(path)))


def _images(path: Path) -> list[Path]:
    return [file for file in sorted(path.rglob("*")) if file.suffix.lower() in IMAGE_SUFFIXES and file.is_file()]
