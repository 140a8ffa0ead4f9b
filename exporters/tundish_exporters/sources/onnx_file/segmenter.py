"""An ONNX file of YOLO's instances: objects, each with the weights of prototypes, whose sum is its mask."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tundish import manifest
from tundish.engines import Arrays
from tundish.masks import Mask
from tundish.results import ImageSegmentation, Result, Segment
from tundish_exporters.errors import ExportError
from tundish_exporters.sources.onnx_file.head_reading import Floats, gather, gather_all
from tundish_exporters.sources.onnx_file.heads import Layout, ListedHead
from tundish_exporters.sources.onnx_file.interpolation import shares
from tundish_exporters.sources.onnx_file.layouts import find_layout_with_more
from tundish_exporters.sources.onnx_file.object_source import ObjectSource
from tundish_exporters.sources.onnx_file.seen import Seen
from tundish_exporters.sources.pillow_images import Placing, image_size, place_in_image, processed_image


class SegmenterSource(ObjectSource):
    """See `Source`."""

    task = "image-segmentation"
    tasks = frozenset({"", "segment"})

    @property
    def postprocess(self) -> manifest.PrototypeMasksPostprocess:
        """See `Source.postprocess`."""
        return manifest.PrototypeMasksPostprocess(objects=self._rule)

    def predict(self, data: bytes) -> Result:
        """See `Source.predict`."""
        outputs = self._read(self._network.answer(processed_image(self._image_rule, data)))
        to_image, size = place_in_image(self._image_rule, data), image_size(data)
        weights = outputs["coefficients"][0]
        if isinstance(self._rule, manifest.BoxPostprocess) and self._rule.candidates_last:
            weights = weights.T
        objects = list(self._located(outputs))
        sums = np.tensordot(weights[[located.place for located in objects]], outputs["prototypes"][0], 1)
        segments = []
        for located, logits in zip(objects, sums, strict=True):
            pixels = self._pixels(logits, located.box, to_image, size)
            if pixels.any():
                segments.append(Segment(self._labels[located.label], located.score, Mask.of(pixels)))
        return ImageSegmentation(tuple(sorted(segments, key=lambda found: -(found.score or 0))))

    def _pixels(self, logits: Floats, box: Floats, to_image: Placing, size: tuple[int, int]) -> NDArray[np.bool_]:
        """`[height, width]`, whether a pixel's interpolated logit is above 0 and its centre lies in the box."""
        corners, unit = (
            np.array([to_image(*point) for point in points]) for points in (box.tolist(), ((0, 0), (1, 1)))
        )
        lines, sides = [], []
        for axis, count in enumerate(logits.shape):  # y before x, which points have the other way
            (origin, one), (least, most) = unit[:, 1 - axis], corners[:, 1 - axis]
            centres = np.arange(size[axis]) + 0.5
            lines.append(np.flatnonzero((centres >= least) & (centres < most)))
            cells = (centres[lines[-1]] - origin) / (one - origin) * count / self._network.size[axis] - 0.5
            sides.append(shares(cells, count))
        near_y, near_x = (side.any(axis=0) for side in sides)
        pixels = np.zeros(size, np.bool_)
        pixels[np.ix_(*lines)] = sides[0][:, near_y] @ logits[np.ix_(near_y, near_x)] @ sides[1][:, near_x].T > 0
        return pixels

    def _read(self, answer: Arrays) -> dict[str, Floats]:
        outputs, head = super()._read(answer), self._head
        assert self.prototypes is not None  # found with the layout
        if isinstance(head, ListedHead):
            assert head.more is not None  # the weights
            weights = gather(head.more, answer)
        else:
            last = head.layout.candidates_last
            weights = gather_all(head.layout.more, answer, candidates_last=last)
            weights = weights.swapaxes(1, 2) if last else weights
        return outputs | {"coefficients": weights, "prototypes": answer[self.prototypes].astype(np.float32)}

    def _find_layout(self, seen: Seen) -> Layout | ListedHead | None:
        """With as many numbers behind the labels as another output has prototypes.

        Raises:
            ExportError: those do not lie evenly over the network's input, or the user says that boxes are turned.
        """
        if self._says_oriented:
            raise ExportError("Masks are cut at boxes along the image's edges; leave the box form oriented out.")
        for name, array in seen.outputs:
            if array.ndim != 4 or len(array) != 1:
                continue
            found = find_layout_with_more(replace(seen, more=array.shape[1], oriented=False))
            if found is None:
                continue
            (height, width), cells = seen.size, array.shape[2:]
            if height * cells[1] != width * cells[0] or cells[0] > height:
                raise ExportError(
                    f"{self._file.path} gives prototypes '{name}' of {cells[0]} by {cells[1]} cells, which do not lie "
                    f"evenly over its input of {height} by {width} pixels; export it for images of one size."
                )
            self.prototypes = name
            return found
        return None

    def _misfit(self) -> str:
        labels = len(self._labels)
        given = "; ".join(f"'{name}' {list(array.shape)}" for name, array in self._answers[0].items())
        return (
            f"{self._file.path} gives {given}, in which there are no prototypes [batch, prototypes, height, width] "
            f"beside boxes of {labels} labels and as many weights, such as [batch, {4 + labels} + prototypes, "
            f"candidates], [batch, candidates, {5 + labels} + prototypes] or [batch, objects, 6 + prototypes]; name as "
            "many labels as the network has (--labels); of other segmenters, maps of labels alone are read."
        )
