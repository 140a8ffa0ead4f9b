"""An ONNX file of a text detector as PP-OCR's: a probability for each pixel (differentiable binarisation, DB)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tundish.engines import Arrays
from tundish.manifest import EdgeRangeResize, TextRegionPostprocess
from tundish.results import Result, TextDetection
from tundish_exporters.errors import ExportError
from tundish_exporters.onnx_hints import OnnxHints
from tundish_exporters.sources.onnx_file.documents import DocumentSource
from tundish_exporters.sources.onnx_file.graph import Ending
from tundish_exporters.sources.onnx_file.reading import OnnxFile
from tundish_exporters.sources.onnx_file.text_regions import read_regions
from tundish_exporters.sources.pillow_images import image_size, processed_image

_RESIZE = EdgeRangeResize(shortest=736, longest=2000, enlarged=5888, multiple_of=32)
"""RapidOCR's limits; it enlarges strips that are up to eight times as long as wide, and pads what is longer."""


class TextDetectorSource(DocumentSource):
    """See `Source`."""

    task = "text-detection"
    example_size = (96, 160)

    def __init__(self, file: OnnxFile, hints: OnnxHints) -> None:
        """See `DocumentSource`; raises ExportError also if no output is a map of probabilities."""
        self._refuse(hints, but="threshold")
        super().__init__(file, hints)
        self._output = self._find_map()
        if self._network.takes_any_size:
            self._image_rule = self._rule_for(_RESIZE)
        threshold = hints.detector.threshold
        self._rule = TextRegionPostprocess() if threshold is None else TextRegionPostprocess(box_threshold=threshold)

    @property
    def postprocess(self) -> TextRegionPostprocess:
        """See `Source.postprocess`."""
        return self._rule

    def predict(self, data: bytes) -> Result:
        """See `Source.predict`."""
        (row,) = self._read(self._network.answer(processed_image(self._image_rule, data))).values()
        return TextDetection(tuple(read_regions(self._rule, row[0, 0], image_size(data))))

    def _read_labels(self) -> tuple[str, ...]:
        return ()

    def _read(self, answer: Arrays) -> dict[str, NDArray[np.float32]]:
        return {self._output: answer[self._output].astype(np.float32, copy=False)}

    @property
    def _ending(self) -> Ending:
        return Ending({self._output: [1, *self._network.extents]})

    def _find_map(self) -> str:
        """The output that has a number from 0 to 1 for each pixel of the network's input."""
        shape = (1, 1, *self._network.size)
        for name, array in self._answers[0].items():
            numbers = [answer[name] for answer in self._answers]
            if array.shape == shape and all(each.min() >= 0 and each.max() <= 1 for each in numbers):
                return name
        given = "; ".join(f"'{name}' {list(array.shape)}" for name, array in self._answers[0].items())
        raise ExportError(
            f"{self._file.path} gives {given} for an image of {shape[2]} by {shape[3]} pixels, in which there is no "
            f"map of probabilities {list(shape)}; export the network with its sigmoid, as PP-OCR's detectors are."
        )
