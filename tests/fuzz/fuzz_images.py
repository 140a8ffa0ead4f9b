"""Fuzzes the decoding of image files: python fuzz_images.py CORPUS -max_total_time=600 (see `make fuzz`).

Any bytes either decode to what Pillow reads of them, or are refused by the two errors that callers catch. Coverage
guides atheris through our Python code and Pillow's; the decoders' native code is not instrumented, but a crash of it
ends the run.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import sys
import warnings
from pathlib import Path
from typing import Any

import atheris
import numpy as np
from PIL import Image, ImageOps

with atheris.instrument_imports(include=["PIL"]):
    from PIL import BmpImagePlugin, ExifTags, JpegImagePlugin, PngImagePlugin, WebPImagePlugin  # noqa: F401

from tundish.errors import InvalidInputError
from tundish.tasks import image_decoding
from tundish.tasks.image_decoding import decode_image
from tundish_kernels import _decode_jpeg, _jpeg_scans, decode_jpeg, decode_jpeg_into, jpeg_size

MAX_PIXELS = 1_000_000
"""Of an image in this run: what a header claims must not slow the fuzzer down."""

_ANY_STEP = 1e6

_XMP = '<x:xmpmeta><rdf:RDF><rdf:Description tiff:Orientation="{}"/></rdf:RDF></x:xmpmeta>'


def check(data: bytes) -> None:
    """One input of the fuzzer's."""
    cover = (1 + len(data) % 41, 1 + sum(data[-2:]) % 41)
    with contextlib.suppress(ValueError):
        height, width = jpeg_size(data, cover=cover)
        if height * width <= MAX_PIXELS:
            pixels = decode_jpeg(data, cover=cover)
            assert pixels.shape == (height, width, 3)
            again = np.empty_like(pixels)
            decode_jpeg_into(again, data, cover=cover)
            assert np.array_equal(again, pixels)
            with contextlib.suppress(ValueError):
                assert decode_jpeg(data, cover=cover, coarsest_step=_ANY_STEP).shape == pixels.shape
    try:
        image = decode_image(data, max_pixels=MAX_PIXELS)
    except InvalidInputError:
        return
    reduced = decode_image(data, max_pixels=MAX_PIXELS, cover=lambda *_: cover)
    assert (reduced.height, reduced.width) == (image.height, image.width)
    assert all(
        least >= min(size) for least, *size in zip(reduced.pixels.shape, image.pixels.shape, cover, strict=False)
    )
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
    for orientation in range(1, 9):
        exif[ExifTags.Base.Orientation] = orientation
        picture.convert("RGB").save(corpus / f"exif-{orientation}", "JPEG", exif=exif)
        picture.convert("RGB").save(corpus / f"xmp-{orientation}", "JPEG", xmp=_XMP.format(orientation).encode())


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    write_seeds(Path(sys.argv[1]))
    # By hand, because coverage of what an editable installation imports is lost.
    modules = (_decode_jpeg, _jpeg_scans, image_decoding)
    for function in filter(inspect.isfunction, (value for module in modules for value in vars(module).values())):
        atheris.instrument_func(function)
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()
