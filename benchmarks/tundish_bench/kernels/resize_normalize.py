"""resize_normalize against OpenCV and NumPy, as a competent user writes it.

The classifier's answers are compared with Pillow's, the detector's with the baseline's: OpenCV rounds weights to 11
bits, so that a pixel may differ by one. A third of 1920 x 1080 needs no weights at all; the other sizes show what
happens otherwise. The baseline of an output of integers converts nothing to floats.

1600 x 900 to uint8 HWC misses its goal: 2.4 with AVX2. OpenCV's resizing, four fifths of the baseline, is vectorised
code of the same arithmetic, and what is left to save is the passes around it. Of the operator's 280 µs, reading the two
thirds of the frame that are needed and writing the output take 120, 30 are the call from Python; the rest goes to 12.7
instructions for each pixel of the output, of which the processor already does four a cycle. The goal allows eight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tundish_bench.errors import BenchmarkError
from tundish_bench.kernels.images import photograph, to_nv12
from tundish_bench.kernels.timing import Case
from tundish_kernels import ImageOutput, PixelFormat, Quantization, Window, resize_normalize_into

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_GREY = 114

Pixels = NDArray[np.uint8]


def cases() -> Iterator[Case]:
    """The photograph of an image classifier, and a camera's frames for a detector."""
    yield _classifier(512, 256, 224)
    floats = ImageOutput()
    yield _detector(1080, 1920, "bgr", floats, goal=2.5)
    yield _detector(1080, 1920, "bgr", ImageOutput(dtype="uint8", layout="hwc"), goal=3.5)
    yield _detector(1080, 1920, "bgr", ImageOutput(dtype="uint8"), goal=3.5)
    yield _detector(1080, 1920, "bgr", ImageOutput(dtype="float16"), goal=2.5)
    yield _detector(1080, 1920, "bgr", ImageOutput(dtype="int8", quantization=Quantization(1 / 255, -128)), goal=3.5)
    yield _detector(720, 1280, "bgr", floats, goal=2.5)
    yield _detector(900, 1600, "bgr", floats, goal=2.5)
    yield _detector(900, 1600, "bgr", ImageOutput(dtype="uint8", layout="hwc"), goal=3.5)
    yield _detector(1080, 1920, "nv12", floats, goal=3.5)
    yield _detector(900, 1600, "nv12", floats, goal=3.5)
    yield _detector(1080, 1920, "bgr", floats, antialias=True, goal=1.0)


def _classifier(source: int, resized: int, size: int) -> Case:
    image = photograph(source, source)
    window = Window.stretch((resized, resized)).centre_crop((size, size))
    destination = np.empty((1, 3, size, size), np.float32)

    def operator() -> None:
        resize_normalize_into(destination, [image], [window], filter="bilinear", scale=1 / 255, mean=_MEAN, std=_STD)

    mean, std = np.array(_MEAN, np.float32), np.array(_STD, np.float32)

    def baseline() -> NDArray[np.float32]:
        # Halving, OpenCV's linear filter averages all four pixels: no other is better or faster.
        small = cv2.resize(image, (resized, resized), interpolation=cv2.INTER_LINEAR)
        crop = small[window.top : window.top + size, window.left : window.left + size]
        normalized = (crop.astype(np.float32) / 255 - mean) / std
        return np.ascontiguousarray(normalized.transpose(2, 0, 1))

    def check() -> None:
        operator()
        picture = Image.fromarray(image).resize((resized, resized), Image.Resampling.BILINEAR)
        crop = np.asarray(picture)[window.top : window.top + size, window.left : window.left + size]
        expected = ((crop / 255 - np.array(_MEAN)) / np.array(_STD)).transpose(2, 0, 1)
        if not np.allclose(destination[0], expected, rtol=0, atol=1e-5):
            raise BenchmarkError("resize_normalize differs from Pillow.")

    return Case(
        name=f"resize_normalize {source}² → {size}² float32",
        operator=operator,
        baseline=baseline,
        baseline_name="cv2 + NumPy",
        bytes_moved=image.nbytes + destination.nbytes,
        goal=5.0,
        check=check,
    )


def _detector(
    height: int, width: int, pixels: PixelFormat, output: ImageOutput, *, goal: float, antialias: bool = False
) -> Case:
    """A letterbox of 640 x 640 with values from 0 to 1, or pixels where the output is integers without a scale."""
    size = 640
    bgr = photograph(height, width)
    frame = to_nv12(bgr) if pixels == "nv12" else bgr
    window = Window.letterbox((height, width), (size, size))
    raw = output.dtype == "uint8" and output.quantization is None
    scale = 1.0 if raw else 1 / 255
    destination = np.empty(output.shape(1, size, size), output.dtype)

    def operator() -> None:
        resize_normalize_into(
            destination,
            [frame],
            [window],
            format=pixels,
            filter="bilinear",
            antialias=antialias,
            scale=scale,
            pad=_GREY,
            output=output,
        )

    finish = _FINISH[output.dtype if not raw else f"raw {output.layout}"]

    def baseline() -> NDArray[np.generic]:
        source = cv2.cvtColor(frame, cv2.COLOR_YUV2RGB_NV12) if pixels == "nv12" else frame
        small = cv2.resize(source, (window.resized_width, window.resized_height), interpolation=cv2.INTER_LINEAR)
        top, left = -window.top, -window.left
        below, right = size - window.resized_height - top, size - window.resized_width - left
        canvas = cv2.copyMakeBorder(small, top, below, left, right, cv2.BORDER_CONSTANT, value=(_GREY,) * 3)
        rgb = canvas if pixels == "nv12" else cv2.cvtColor(canvas, cv2.COLOR_BGR2RGB)
        return finish(np.asarray(rgb, np.uint8))

    def check() -> None:
        operator()
        step = 1 if output.dtype in ("uint8", "int8") else 1 / 255
        difference = np.abs(destination[0].astype(np.float64) - baseline().astype(np.float64))
        # Antialiasing smooths the photograph's noise away, which the baseline cannot.
        if not antialias and difference.max() > 1.01 * step:
            raise BenchmarkError("resize_normalize differs from OpenCV by more than one.")

    name = f"{height}p {pixels} → {size}² {output.dtype} {output.layout}"
    return Case(
        name=f"resize_normalize {name}{' antialiased' if antialias else ''}",
        operator=operator,
        baseline=baseline,
        baseline_name="cv2 + NumPy",
        bytes_moved=frame.nbytes + destination.nbytes,
        goal=goal,
        check=check,
    )


def _planar(pixels: Pixels) -> NDArray[np.float32]:
    return np.ascontiguousarray((pixels.astype(np.float32) / 255).transpose(2, 0, 1))


_FINISH: dict[str, Callable[[Pixels], NDArray[np.generic]]] = {
    "float32": _planar,
    "float16": lambda pixels: _planar(pixels).astype(np.float16),
    # A scale of 1 / 255 and a zero point of -128 make subtracting 128 of it, which a competent user sees.
    "int8": lambda pixels: np.ascontiguousarray((pixels ^ 0x80).view(np.int8).transpose(2, 0, 1)),
    "raw hwc": lambda pixels: pixels,
    "raw chw": lambda pixels: np.ascontiguousarray(pixels.transpose(2, 0, 1)),
}
"""What comes after the letterbox, by the output's type."""
