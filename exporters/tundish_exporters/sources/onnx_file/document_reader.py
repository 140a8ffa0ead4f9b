"""A reader of documents: a text detector and a text recogniser, each an ONNX file."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tundish import manifest
from tundish.results import DocumentReading, TextDetection, TextRecognition
from tundish.tasks.document_reading import REGIONS, TEXTS, joined
from tundish.tasks.image_decoding import decode_image
from tundish.tasks.region_cutting import RegionCutter
from tundish_exporters.composed_sources import Asked, Parts
from tundish_exporters.errors import ExportError
from tundish_exporters.onnx_hints import OnnxHints
from tundish_exporters.probes import probe_inputs
from tundish_exporters.sources import Source
from tundish_exporters.sources.frameworks import versions
from tundish_exporters.sources.onnx_file.reading import read_onnx
from tundish_exporters.sources.onnx_file.text_detector import TextDetectorSource
from tundish_exporters.sources.onnx_file.text_recognizer import TextRecognizerSource

_DETECTOR, _RECOGNIZER = "detector", "recognizer"


class DocumentReader:
    """See `ComposedSource`."""

    task: manifest.TaskName = "document-reading"
    reads: tuple[manifest.InputName, ...] = ("image",)
    steps = (
        manifest.Step(name=REGIONS, component=_DETECTOR, inputs=("image",)),
        manifest.Step(name=TEXTS, component=_RECOGNIZER, inputs=("image", REGIONS), for_each=REGIONS),
    )

    def __init__(self, detector: Path, recognizer: Path, hints: OnnxHints, labels: Path | None) -> None:
        """Reads both files; `labels` are the recogniser's characters, if it does not name them itself.

        Raises:
            ExportError: see `read_onnx`, `TextDetectorSource` and `TextRecognizerSource`.
        """
        try:
            self._detector = TextDetectorSource(read_onnx(detector), hints)
            self._recognizer = TextRecognizerSource(read_onnx(recognizer), OnnxHints(labels=labels))
        except ExportError as error:
            raise ExportError(f"{error} Or are the detector and the recognizer the wrong way round?") from error
        self._cutter = RegionCutter()
        self.postprocess = manifest.LinesPostprocess()

    @property
    def components(self) -> Mapping[str, Source]:
        """See `ComposedSource.components`."""
        return {_DETECTOR: self._detector, _RECOGNIZER: self._recognizer}

    def describe(self) -> manifest.Source:
        """See `ComposedSource.describe`; all files of both."""
        files = {**self._detector.describe().files, **self._recognizer.describe().files}
        return manifest.Source(kind="onnx", files=files, frameworks=versions())

    def asked_of(self, component: str, samples: Sequence[Parts]) -> list[Asked]:
        """See `ComposedSource.asked_of`; the recogniser is asked about what the detector finds, as PNG files."""
        images = [(place, sample["image"]) for place, sample in enumerate(samples) if "image" in sample]
        if component == _DETECTOR:
            return [Asked(image, place) for place, image in images]
        return [Asked(line, place) for place, image in images for line in self._cut(image, self._regions(image))]

    def completed(self, sample: Parts) -> Any:
        """See `ComposedSource.completed`."""
        return sample.get("image") or probe_inputs(("image",), self._detector.postprocess)[0]

    def predict(self, item: Any) -> DocumentReading:
        """See `ComposedSource.predict`; by both files as they are."""
        regions = self._regions(item)
        texts = [self._recognizer.predict(line) for line in self._cut(item, regions)]
        return joined(self.postprocess, regions, [text for text in texts if isinstance(text, TextRecognition)])

    def _regions(self, image: bytes) -> TextDetection:
        found = self._detector.predict(image)
        assert isinstance(found, TextDetection)
        return found

    def _cut(self, image: bytes, regions: TextDetection) -> list[bytes]:
        pixels = decode_image(image).pixels
        corners = (np.array(region.corners, np.float32) for region in regions.regions)
        return [_encoded(self._cutter.cut(pixels, each)) for each in corners]


def _encoded(pixels: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()
