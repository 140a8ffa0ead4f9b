"""A reader of documents: a text detector, a recogniser and perhaps a classifier of directions, each an ONNX file."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tundish import manifest
from tundish.results import DocumentReading, ImageClassification, TextDetection, TextRecognition
from tundish.tasks.document_reading import (
    DIRECTIONS,
    REGIONS,
    TEXTS,
    UPSIDE_DOWN,
    ReadLine,
    is_upside_down,
    read_lines,
)
from tundish.tasks.image_decoding import decode_image
from tundish.tasks.region_cutting import RegionCutter
from tundish.tasks.region_finding import in_reading_order
from tundish_exporters.composed_sources import Asked, Parts
from tundish_exporters.errors import ExportError
from tundish_exporters.onnx_hints import OnnxHints
from tundish_exporters.probes import probe_inputs
from tundish_exporters.sources import Source
from tundish_exporters.sources.frameworks import versions
from tundish_exporters.sources.onnx_file.classifier import ClassifierSource
from tundish_exporters.sources.onnx_file.reading import read_onnx
from tundish_exporters.sources.onnx_file.text_detector import TextDetectorSource
from tundish_exporters.sources.onnx_file.text_recognizer import TextRecognizerSource

_DETECTOR, _DIRECTION, _RECOGNIZER = "detector", "direction", "recognizer"
_TURNED_ABOVE = 0.9
"""RapidOCR's and PaddleOCR's threshold."""
_DIRECTION_HINTS = OnnxHints(labels=("0", UPSIDE_DOWN), size=(48, 192), resize="line", mean=0.5, std=0.5, color="bgr")
"""How RapidOCR asks PP-OCR's classifier; its file says none of it."""


class DocumentReader:
    """See `ComposedSource`."""

    task: manifest.TaskName = "document-reading"
    reads: tuple[manifest.InputName, ...] = ("image",)

    def __init__(
        self,
        detector: Path,
        recognizer: Path,
        hints: OnnxHints,
        *,
        labels: Path | None = None,
        direction: Path | None = None,
    ) -> None:
        """Reads the files; `labels` are the recogniser's characters, if it does not name them itself.

        Raises:
            ExportError: see `read_onnx`, `TextDetectorSource`, `TextRecognizerSource` and `ClassifierSource`.
        """
        try:
            self._detector = TextDetectorSource(read_onnx(detector), hints)
            self._recognizer = TextRecognizerSource(read_onnx(recognizer), OnnxHints(labels=labels))
        except ExportError as error:
            raise ExportError(f"{error} Or are the detector and the recognizer the wrong way round?") from error
        self._direction = None if direction is None else _read_direction(direction)
        self._cutter = RegionCutter()
        self._regions = cache(self._find_regions)  # each component is asked about those of the same images
        self.postprocess = manifest.LinesPostprocess(turned_above=None if direction is None else _TURNED_ABOVE)

    @property
    def components(self) -> Mapping[str, Source]:
        """See `ComposedSource.components`."""
        turning = {} if self._direction is None else {_DIRECTION: self._direction}
        return {_DETECTOR: self._detector, **turning, _RECOGNIZER: self._recognizer}

    @property
    def steps(self) -> tuple[manifest.Step, ...]:
        """See `ComposedSource.steps`."""
        found = manifest.Step(name=REGIONS, component=_DETECTOR, inputs=("image",))
        place = ("image", REGIONS)
        if self._direction is None:
            return found, manifest.Step(name=TEXTS, component=_RECOGNIZER, inputs=place, for_each=REGIONS)
        return (
            found,
            manifest.Step(name=DIRECTIONS, component=_DIRECTION, inputs=place, for_each=REGIONS),
            manifest.Step(name=TEXTS, component=_RECOGNIZER, inputs=(*place, DIRECTIONS), for_each=REGIONS),
        )

    def describe(self) -> manifest.Source:
        """See `ComposedSource.describe`; all files of all."""
        files = {name: hashed for each in self.components.values() for name, hashed in each.describe().files.items()}
        return manifest.Source(kind="onnx", files=files, frameworks=versions())

    def asked_of(self, component: str, samples: Sequence[Parts]) -> list[Asked]:
        """See `ComposedSource.asked_of`; the others are asked about what the detector finds, as PNG files."""
        images = [(place, sample["image"]) for place, sample in enumerate(samples) if "image" in sample]
        if component == _DETECTOR:
            return [Asked(image, place) for place, image in images]
        turn = self._turned if component == _RECOGNIZER else bytes
        return [Asked(turn(line), place) for place, image in images for line in self._cut(image, self._regions(image))]

    def completed(self, sample: Parts) -> Any:
        """See `ComposedSource.completed`."""
        return sample.get("image") or probe_inputs(("image",), self._detector.postprocess)[0]

    def predict(self, item: Any) -> DocumentReading:
        """See `ComposedSource.predict`; by the files as they are."""
        return DocumentReading(tuple(each.line for each in self._read(item, self._regions(item))))

    def read(self, image: bytes) -> list[ReadLine]:
        """The lines of the regions that are sure enough, in the runtime's order, and which of them are upside down."""
        threshold = self._detector.postprocess.box_threshold
        sure = [region for region in self._regions(image).regions if region.score >= threshold]
        return self._read(image, TextDetection(in_reading_order(sure)))

    def _read(self, image: bytes, regions: TextDetection) -> list[ReadLine]:
        lines = self._cut(image, regions)
        texts = [self._recognizer.predict(self._turned(line)) for line in lines]
        return read_lines(
            self.postprocess,
            regions,
            [text for text in texts if isinstance(text, TextRecognition)],
            None if self._direction is None else [self._direction_of(line) for line in lines],
        )

    def _find_regions(self, image: bytes) -> TextDetection:
        found = self._detector.predict(image)
        assert isinstance(found, TextDetection)
        return found

    def _cut(self, image: bytes, regions: TextDetection) -> list[bytes]:
        pixels = decode_image(image).pixels
        corners = (np.array(region.corners, np.float32) for region in regions.regions)
        return [_encoded(Image.fromarray(self._cutter.cut(pixels, each))) for each in corners]

    def _direction_of(self, line: bytes) -> ImageClassification:
        assert self._direction is not None  # by those who ask
        direction = self._direction.predict(line)
        assert isinstance(direction, ImageClassification)
        return direction

    def _turned(self, line: bytes) -> bytes:
        """The same line, the right way up as far as a classifier tells."""
        if self._direction is None or not is_upside_down(self.postprocess, self._direction_of(line)):
            return line
        return _encoded(Image.open(io.BytesIO(line)).transpose(Image.Transpose.ROTATE_180))


def _read_direction(path: Path) -> ClassifierSource:
    try:
        return ClassifierSource(read_onnx(path), _DIRECTION_HINTS)
    except ExportError as error:
        raise ExportError(
            f"{error} A classifier of directions has a score for lines that stand upright and one for those that stand "
            "upside down, as PP-OCR's has."
        ) from error


def _encoded(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()
