"""Fuzzes the decoding of image files: python fuzz_images.py CORPUS -max_total_time=600 (see `make fuzz`).

Any bytes either decode to what Pillow reads of them, or are refused by the two errors that callers catch. Coverage
guides atheris through our Python code and Pillow's; the decoders' native code is not instrumented, but a crash of it
ends the run.
"""

from __future__ import annotations

import contextlib
import io
import sys
import warnings
from pathlib import Path
from typing import Any

import atheris
import numpy as np
from PIL import Image, ImageOps

with atheris.instrument_imports(include=["tundish", "tundish_kernels", "PIL"]):
    from PIL import BmpImagePlugin, ExifTags, JpegImagePlugin, PngImagePlugin, WebPImagePlugin  # noqa: F401

    from tundish.errors import InvalidInputError
    from tundish.tasks.image_decoding import decode_image
    from tundish_kernels import decode_jpeg, jpeg_size

MAX_PIXELS = 1_000_000
"""Of an image in this run: what a header claims must not slow the fuzzer down."""

COVER = (16, 16)


def check(data: bytes) -> None:
    """One input of the fuzzer's."""
    with contextlib.suppress(ValueError):
        height, width = jpeg_size(data, cover=COVER)
        if height * width <= MAX_PIXELS:
            assert decode_jpeg(data, cover=COVER).shape == (height, width, 3)
    try:
        image = decode_image(data, max_pixels=MAX_PIXELS)
    except InvalidInputError:
        return
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
    assert (image.height, image.width) == expected.shape[:2]
    assert np.array_equal(image.pixels, expected), "other pixels than Pillow's"


def write_seeds(corpus: Path) -> None:
    """A small image of each format and kind, which the fuzzer begins with."""
    corpus.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 256, (23, 37, 4), np.uint8)
    picture = Image.fromarray(noise, "RGBA")
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    variants: list[dict[str, Any]] = [{}, {"exif": exif}, {"progressive": True}, {"optimize": True}]
    kinds = [(form, mode) for form in ("JPEG", "PNG", "BMP", "WEBP") for mode in ("RGB", "L", "RGBA", "CMYK", "P")]
    for form, mode in kinds:
        for number, options in enumerate(variants):
            with contextlib.suppress(OSError):  # the format cannot hold the mode
                picture.convert(mode).save(corpus / f"{form}-{mode}-{number}", form, **options)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    write_seeds(Path(sys.argv[1]))
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()
