"""What all ONNX files have in common: they are answered for by ONNX Runtime and Pillow.

The oracle is the user's file as it is. What is exported has a batch of any size, perhaps another opset, and the outputs
that its task reads.
"""

from __future__ import annotations

import hashlib
import io
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import onnx
from numpy.typing import NDArray
from PIL import Image

from tundish import manifest
from tundish.engines import Arrays
from tundish.engines.onnx import OnnxEngine
from tundish.errors import EngineError
from tundish.results import Result
from tundish_exporters.errors import ExportError
from tundish_exporters.onnx_hints import OnnxHints
from tundish_exporters.sources.frameworks import versions
from tundish_exporters.sources.onnx_file.graph import (
    Ending,
    Shape,
    input_shape,
    modern,
    with_free_reshapes,
    with_interface,
)
from tundish_exporters.sources.onnx_file.labels import read_labels
from tundish_exporters.sources.onnx_file.metadata import Metadata
from tundish_exporters.sources.onnx_file.network import Network
from tundish_exporters.sources.onnx_file.reading import OnnxFile
from tundish_exporters.sources.pillow_images import processed_image

_PROBES = 3
"""Images on which it is looked at what the network does."""
ROUNDING = 1e-3
"""By which the scores of a softmax may miss a sum of one, and a row of a batch the same row alone."""


class OnnxSource(ABC):
    """See `Source`."""

    task: manifest.TaskName
    example_size: ClassVar[tuple[int, int] | None] = None
    """Of images by which to look at a network that takes several sizes; None if it must take one."""

    def __init__(self, file: OnnxFile, hints: OnnxHints) -> None:
        """Loads the network, and asks it what it makes of a few images.

        Raises:
            ExportError: see `Network`; or hints are missing or wrong.
        """
        self._hints = hints
        self._file = file
        self._metadata = Metadata.of(self._file.model)
        self._labels = self._read_labels()
        self._network = Network(file.path, hints, self._metadata.image_size, self.example_size)
        height, width = self._network.size
        self._image_rule = self._rule_for(manifest.StretchResize(height=height, width=width))
        self._images = [processed_image(self._image_rule, _probe(number)) for number in range(_PROBES)]
        self._answers = [self._network.answer(image) for image in self._images]

    def _read_labels(self) -> tuple[str, ...]:
        """What the network's scores are of."""
        return read_labels(self._hints, self._file.path, self._file.model)

    @property
    def preprocess(self) -> manifest.Preprocess:
        """See `Source.preprocess`."""
        return self._image_rule

    @property
    @abstractmethod
    def postprocess(self) -> manifest.Postprocess:
        """See `Source.postprocess`."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """See `Source.warnings`."""
        if self._hints.says_how_to_normalize or self._metadata.is_of_yolo:
            return ()
        return (
            "Nothing says how the network's inputs are normalised, so pixels are divided by 255 and no more; if it was "
            "trained otherwise, pass --mean, --std or --scale.",
        )

    def describe(self) -> manifest.Source:
        """See `Source.describe`; the file is hashed, and those of its weights and labels."""
        files = dict(self._file.hashes)
        if file := self._hints.labels_file:
            files[file.name] = hashlib.sha256(file.read_bytes()).hexdigest()
        return manifest.Source(kind="onnx", files=files, frameworks=versions())

    def write_onnx(self, path: Path) -> None:
        """See `Source.write_onnx`; a network that answers only one image at a time rightly keeps its batch of one."""
        expected = [self._read(answer) for answer in self._answers]
        for model, batch in self._forms():
            onnx.save(model, path)
            if self._answers_alike(path, batch, expected):
                return
        raise ExportError(
            f"{self._file.path} does not answer the same image alike each time, or not in the opset to which it was "
            "converted; export it in inference mode, with opset 13 or newer."
        )

    def write_assets(self, directory: Path) -> list[str]:  # noqa: ARG002  # there are none
        """See `Source.write_assets`."""
        return []

    def processed(self, data: bytes) -> Arrays:
        """See `Source.processed`."""
        return {self._network.input: processed_image(self._image_rule, data)}

    def network(self, inputs: Arrays) -> Arrays:
        """See `Source.network`."""
        return self._read(self._network.answer(inputs[self._network.input]))

    @abstractmethod
    def predict(self, data: bytes) -> Result:
        """See `Source.predict`."""

    @abstractmethod
    def _read(self, answer: Arrays) -> Arrays:
        """The outputs that are served, by what the file answers."""

    @property
    @abstractmethod
    def _ending(self) -> Ending:
        """What makes these outputs in the graph."""

    @property
    def _extents(self) -> Shape:
        """Height and width of the images that the served network takes."""
        return self._network.extents

    @property
    def _may_batch(self) -> bool:
        """Whether answers have a dimension for the images of a batch."""
        return True

    def _rule_for(self, default: manifest.Resize) -> manifest.ImagePreprocess:
        return self._hints.image_rule(self._network.layout, self._network.size, default)

    def _forms(self) -> Iterator[tuple[onnx.ModelProto, int]]:
        """The network in the forms in which it may be served, best first, and in what batches to try each."""
        network, ending = self._network, self._ending
        plain = modern(self._file.model)

        def form(batch: int | str) -> onnx.ModelProto:
            return with_interface(plain, (network.input, input_shape(network.layout, self._extents, batch)), ending)

        if self._may_batch:
            batched = form("batch")
            yield batched, _PROBES
            yield with_free_reshapes(batched), _PROBES
        yield form(1), 1

    def _answers_alike(self, path: Path, batch: int, expected: list[Arrays]) -> bool:
        """Whether the network in `path` answers the probes, so many at a time, as the user's does one by one."""
        try:
            engine = OnnxEngine(path, threads=1)
            for first in range(0, _PROBES, batch):
                images, wanted = self._images[first : first + batch], expected[first : first + batch]
                answer = engine.run({self._network.input: np.concatenate(images)})
                if not all(_are_alike(rows, [each[name] for each in wanted]) for name, rows in answer.items()):
                    return False
        except EngineError:
            return False
        return True


def _probe(number: int) -> bytes:
    """A small image of coloured spots, of which a resize makes large ones."""
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(number).integers(0, 256, (7, 6, 3), np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def _are_alike(actual: NDArray[np.generic], rows: list[NDArray[np.generic]]) -> bool:
    if len({row.shape for row in rows}) > 1:
        return False
    expected = np.concatenate(rows)
    tolerance = ROUNDING * float(np.abs(expected).max(initial=0.0))
    return actual.shape == expected.shape and bool(np.allclose(actual, expected, rtol=0, atol=tolerance))
