"""Folders of images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tundish_exporters.data.faults import Fault
from tundish_exporters.data.sample import Sample
from tundish_exporters.data.truth_forms import TruthForm

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})


def read_folder(path: Path, truth: TruthForm | None) -> Iterator[Sample | Fault]:
    """The images of a folder, searched in depth; each may lie in a folder that is named by its label."""
    labelled = truth in ("label", "labels")
    for file in sorted(path.rglob("*")):
        if file.suffix.lower() in IMAGE_SUFFIXES and file.is_file():
            label = file.parent.name if labelled and file.parent != path else None
            yield Sample((file,), label, name=str(file.relative_to(path)))
