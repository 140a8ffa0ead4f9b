"""An ONNX file of a semantic segmenter: one of its outputs says of each pixel what it shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tundish import manifest
from tundish.engines import Arrays
from tundish.masks import Mask
from tundish.results import ImageSegmentation, Result, Segment
from tundish.tasks.image_geometry import window
from tundish_exporters.errors import ExportError
from tundish_exporters.onnx_hints import OnnxHints
from tundish_exporters.sources.onnx_file.graph import Ending, last_function
from tundish_exporters.sources.onnx_file.interpolation import shares
from tundish_exporters.sources.onnx_file.onnx_source import OnnxSource
from tundish_exporters.sources.onnx_file.pixel_map import INDICES, LOGITS, Floats, PixelMap, find_map
from tundish_exporters.sources.onnx_file.reading import OnnxFile
from tundish_exporters.sources.pillow_images import image_size, processed_image
from tundish_kernels import Window

_BACKGROUND = "background"
_READ_AS = {
    "scores": "scores of {} labels",
    "logit": "a logit of '{last}'",
    "share": "a share of '{last}'",
    "indices": "the index of one of {} labels",
}


class MapSegmenterSource(OnnxSource):
    """See `Source`."""

    task = "image-segmentation"

    def __init__(self, file: OnnxFile, hints: OnnxHints) -> None:
        """See `OnnxSource`; raises ExportError also if no output is a map of pixels, or hints do not fit it."""
        super().__init__(file, hints)
        if said := hints.detector.said:
            flags = ", ".join(f"--{name.replace('_', '-')}" for name in said)
            raise ExportError(
                f"{file.path} is read as a network that labels pixels, to which no {flags} belong; leave them out."
            )
        is_letterboxed = isinstance(self._image_rule.resize, manifest.LetterboxResize)
        if not is_letterboxed and (self._image_rule.resize != self._stretched or self._image_rule.crop is not None):
            raise ExportError(
                f"The maps of {file.path} are laid over the whole image, so images must be stretched to its size or "
                f"letterboxed; leave --resize {hints.resize} out."
            )
        self._map = self._find_map()
        if is_letterboxed and self._map.kind != "indices":
            self._map = replace(self._map, size=self._network.size)
        if len(self._labels) == 1:
            self._labels = (_BACKGROUND, *self._labels)
        self._check_indices()

    @property
    def postprocess(self) -> manifest.SemanticPostprocess | manifest.PixelIndexPostprocess:
        """See `Source.postprocess`."""
        if self._map.kind == "indices":
            return manifest.PixelIndexPostprocess(labels=self._labels)
        return manifest.SemanticPostprocess(labels=self._labels)

    @property
    def warnings(self) -> tuple[str, ...]:
        """See `OnnxSource.warnings`."""
        name, labels = self._map.output, self._labels
        shape = list(self._answers[0][name].shape)
        read_as = _READ_AS[self._map.kind].format(len(labels), last=labels[-1])
        return (f"The network's output is read as {read_as} for each pixel: '{name}' {shape}.", *super().warnings)

    def predict(self, data: bytes) -> Result:
        """See `Source.predict`."""
        outputs = self._read(self._network.answer(processed_image(self._image_rule, data)))
        size = image_size(data)
        place = window(self._image_rule, *size)
        if LOGITS in outputs:
            best = _best(self._of_image(outputs[LOGITS][0], place), size)
        else:
            best = _nearest(outputs[INDICES][0], size, place, self._network.size)
        present = [index for index in np.unique(best).tolist() if 0 <= index < len(self._labels)]
        return ImageSegmentation(tuple(Segment(self._labels[index], None, Mask.of(best == index)) for index in present))

    def _of_image(self, logits: Floats, place: Window) -> Floats:
        """Without those of the padding."""
        if self._map.size is None:
            return logits
        inside = logits[:, -place.top :, -place.left :]
        return inside[:, : place.resized_height, : place.resized_width]

    def _read(self, answer: Arrays) -> dict[str, Floats]:
        return self._map.read(answer)

    @property
    def _ending(self) -> Ending:
        integers = [spec.name for spec in self._network.outputs if spec.datatype != "FP32"]
        return self._map.ending(self._answers[0], integers)

    @property
    def _stretched(self) -> manifest.StretchResize:
        height, width = self._network.size
        return manifest.StretchResize(height=height, width=width)

    def _find_map(self) -> PixelMap:
        labels = len(self._labels)
        found = find_map(self._answers[0], labels, channels_last=self._network.layout == "nhwc")
        if found is None:
            given = "; ".join(f"'{name}' {list(array.shape)}" for name, array in self._answers[0].items())
            raise ExportError(
                f"{self._file.path} gives {given}, in which there is no map of {labels} labels, such as "
                f"[batch, {labels}, height, width], or [batch, height, width] of integers; name each label once, the "
                "background included (--labels)."
            )
        said = self._hints.activation
        if found.kind != "logit":
            if said is not None:
                raise ExportError(
                    "A pixel has the label of its highest score, whatever makes scores of the outputs; leave "
                    f"--activation {said} out."
                )
            return found
        return replace(found, kind="share") if self._gives_shares(found.output) else found

    def _gives_shares(self, output: str) -> bool:
        """Whether a map of one label is of numbers from 0 to 1, and not of logits."""
        said = self._hints.activation
        if said == "softmax":
            raise ExportError(f"{self._file.path} gives one number a pixel, to which no --activation softmax belongs.")
        inside = last_function(self._file.model.graph, output) == "sigmoid"
        if inside and said == "sigmoid":
            raise ExportError(f"{self._file.path} ends in a sigmoid already; leave --activation sigmoid out.")
        if inside or said is not None:
            return inside or said == "none"
        return all(answer[output].min() >= 0 and answer[output].max() <= 1 for answer in self._answers)

    def _check_indices(self) -> None:
        """Raises ExportError if the network labels a pixel of a made image by a label that nobody has named."""
        if self._map.kind != "indices":
            return
        greatest = max(int(answer[self._map.output].max()) for answer in self._answers)
        if greatest >= len(self._labels):
            raise ExportError(
                f"{self._file.path} labels pixels by numbers up to {greatest} at least, and {len(self._labels)} labels "
                "are named; name each of them once, the background included (--labels)."
            )


def _best(logits: Floats, size: tuple[int, int]) -> NDArray[np.int32]:
    """The index of the highest logit, of equal ones the first, at each pixel of an image of this height and width."""
    sides = [
        shares((np.arange(pixels) + 0.5) / pixels * count - 0.5, count)
        for pixels, count in zip(size, logits.shape[1:], strict=True)
    ]
    best, highest = np.zeros(size, np.int32), np.full(size, -np.inf, np.float32)
    for index, of_label in enumerate(logits):  # one by one, because all of them at the image's size are gigabytes
        values = sides[0] @ of_label @ sides[1].T
        is_higher = values > highest
        best[is_higher], highest[is_higher] = index, values[is_higher]
    return best


def _nearest(indices: Floats, size: tuple[int, int], place: Window, seen: tuple[int, int]) -> NDArray[np.int32]:
    """The index at each pixel of an image of this height and width: of the cell in which the pixel's centre lies."""
    resized, offsets = (place.resized_height, place.resized_width), (place.top, place.left)
    rows, columns = (
        np.searchsorted(
            2 * pixels * edge * np.arange(1, count),
            count * ((2 * np.arange(pixels) + 1) * extent - 2 * pixels * offset),
            side="right",
        )
        for pixels, count, extent, offset, edge in zip(size, indices.shape, resized, offsets, seen, strict=True)
    )
    return indices.astype(np.int32)[np.ix_(rows, columns)]
