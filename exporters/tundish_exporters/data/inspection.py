"""Looks at each sample that is to be used: whether it can be read, and what tells it from others.

A file that is cut short shows only when it is decoded. Better now, with all of them in one sentence, than in the middle
of an evaluation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from PIL import Image

from tundish.errors import InvalidInputError
from tundish.manifest import InputName
from tundish.placement.machine import usable_cores
from tundish.tasks.image_decoding import DecodedImage, decode_image
from tundish.tasks.pages import read_page
from tundish.tasks.prompts import read_prompt
from tundish_exporters.data.faults import Fault, SampleError
from tundish_exporters.data.sample import Sample
from tundish_exporters.errors import DataError
from tundish_exporters.progress import Progress, tracked
from tundish_exporters.truths import TrueObject

DIGEST_BYTES = 16
_INDEX_MODES = ("L", "P")
"""Of PNG files with a number of one byte for each pixel."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A sample that can be used."""

    sample: Sample
    digest: bytes
    """Of what the model reads of it."""
    is_flat: bool
    """Whether an image of it has one colour alone."""


def inspect(
    entries: Sequence[Sample | Fault],
    reads: Sequence[InputName],
    *,
    limit: int | None,
    progress: Progress,
) -> tuple[list[Seen], list[Fault]]:
    """The first `limit` samples that can be used, and what cannot be among those before the last of them."""
    seen: list[Seen] = []
    faults: list[Fault] = []
    remaining = iter(entries)
    pool = ThreadPoolExecutor(usable_cores())
    each = pool.map if "image" in reads else map  # decoders release the GIL; texts take less time than a thread's turn
    try:
        while wanted := list(islice(remaining, None if limit is None else limit - len(seen))):
            looks = iter(each(partial(_look, reads), wanted))
            for _ in tracked(wanted, "look at the data", progress):
                look = next(looks)
                if isinstance(look, Fault):
                    faults.append(look)
                else:
                    seen.append(look)
    finally:
        pool.shutdown(cancel_futures=True)  # an interrupt waits for no more than what has begun
    return seen, faults


def _look(reads: Sequence[InputName], entry: Sample | Fault) -> Seen | Fault:
    if isinstance(entry, Fault):
        return entry
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    is_flat = False
    try:
        for name, part in zip(reads, entry.parts(), strict=True):
            for each in part if isinstance(part, tuple) else (part,):
                digest.update(hashlib.blake2b(each, digest_size=DIGEST_BYTES).digest())
            if name == "image":
                image = decode_image(part, cover=lambda height, width: (1, 1))  # noqa: ARG005 - as small as it goes
                is_flat = bool((image.pixels == image.pixels[0, 0]).all())
                _check_truth(entry.truth, image)
            elif name == "page":
                read_page(part)
            elif name == "prompts":
                for prompt in part:
                    read_prompt(prompt)
    except (DataError, InvalidInputError, SampleError) as error:
        return Fault(entry.name, _continued(str(error)))
    return Seen(entry, digest.digest(), is_flat)


def _continued(sentence: str) -> str:
    """A sentence of its own, as a part of another."""
    return f"({sentence.removesuffix('.')})"


def _check_truth(truth: Any, image: DecodedImage) -> None:
    if isinstance(truth, Path):
        _check_mask(truth, image)
    for each in truth if isinstance(truth, tuple) else ():
        if isinstance(each, TrueObject):
            left, top, right, bottom = each.box
            if left >= image.width or top >= image.height or right <= 0 or bottom <= 0:
                raise SampleError(
                    f"The box {list(each.box)} of '{each.label}' lies outside its {image.width} x {image.height} pixels"
                )


def _check_mask(path: Path, image: DecodedImage) -> None:
    try:
        with Image.open(path, formats=("PNG",)) as mask:
            size, mode = mask.size, mask.mode
            if size == (image.width, image.height):
                mask.load()
    except Exception as error:  # Pillow's decoders raise whatever they trip over
        raise SampleError(f"The mask {path} cannot be read: {error}") from error
    if mode not in _INDEX_MODES:
        raise SampleError(f"The mask {path} has pixels of the kind {mode}, and no index of a label for each")
    if size != (image.width, image.height):
        raise SampleError(f"The mask {path} has {size[0]} x {size[1]} pixels, its image {image.width} x {image.height}")
