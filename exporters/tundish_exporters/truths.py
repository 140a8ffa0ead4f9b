"""What is right for a sample, as labelled data say it: one form for each kind of answer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tundish.results import Box


@dataclass(frozen=True, slots=True)
class TrueEntity:
    """A stretch of a text, `[start, end)` in characters."""

    label: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class TrueObject:
    """An object of an image, its box in pixels of that image."""

    label: str
    box: Box
    is_crowd: bool = False
    """A box around many, which costs nothing whether it is found or not, as COCO's `iscrowd`."""


Truth = str | float | frozenset[str] | tuple[str, ...] | tuple[TrueEntity, ...] | tuple[TrueObject, ...] | Path
"""By what the model answers with:

| answer | truth |
|---|---|
| one label, a text read from a line | a string |
| labels of which several may hold | a set of strings |
| a score, a likeness of two texts | a number |
| an answer found in a text or on a page | the answers that are right, as strings; none if there is no answer |
| the lines of a document | their texts |
| entities, objects | a tuple of them |
| what each pixel shows | the path of a PNG whose pixels are indices of the labels; 255 for none |
"""
