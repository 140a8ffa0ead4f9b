"""The pixels of a segment, run-length encoded: as results hold them, as the wire carries them, and as pictures."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tundish_kernels import run_length_decode, run_length_encode

MAX_EDGE = 65_535
"""Of a mask, in pixels; what `run_length_encode` takes."""


@dataclass(frozen=True, slots=True)
class Mask:
    """Which pixels of an image belong to a segment, in COCO's form.

    `{"size": mask.size, "counts": mask.counts}` is what `pycocotools` decodes; `tundish_kernels.run_length_encode` says
    what the text means. It has a few bytes for each edge that a column of pixels crosses, whatever the image's size.
    """

    size: tuple[int, int]
    """Height and width of the image as people see it: of its file, the right way up."""
    counts: bytes
    """The compressed run lengths, ASCII."""

    @classmethod
    def of(cls, pixels: NDArray[np.bool_]) -> Mask:
        """The mask of `[height, width]` pixels, up to `MAX_EDGE` each way, C-contiguous."""
        height, width = pixels.shape
        return cls((height, width), run_length_encode(pixels[np.newaxis])[0])

    def to_array(self) -> NDArray[np.bool_]:
        """`[height, width]`, true where the segment is; raises ValueError if the counts are not of this size."""
        mask: NDArray[np.bool_] = run_length_decode([self.counts], self.size)[0]
        return mask

    def to_png(self) -> bytes:
        """A black and white PNG file of the image's size, white where the segment is; raises as `to_array`."""
        stream = io.BytesIO()
        Image.fromarray(self.to_array()).save(stream, "PNG")
        return stream.getvalue()
