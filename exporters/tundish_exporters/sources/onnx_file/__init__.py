"""A ready ONNX file of an image classifier, from whichever exporter; answered for by ONNX Runtime and Pillow.

The oracle is the user's file as it is. What is exported has a batch of any size, perhaps another opset, and one output.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from PIL import Image

from tundish import manifest
from tundish.engines import Arrays
from tundish.engines.onnx import OnnxEngine
from tundish.errors import EngineError
from tundish.results import ImageClassification, Label, Result
from tundish_exporters.errors import ExportError
from tundish_exporters.onnx_hints import OnnxHints
from tundish_exporters.sources.frameworks import versions
from tundish_exporters.sources.onnx_file.graph import (
    free_name,
    input_shape,
    last_function,
    modern,
    with_free_reshapes,
    with_interface,
)
from tundish_exporters.sources.onnx_file.labels import read_labels
from tundish_exporters.sources.onnx_file.network import Network
from tundish_exporters.sources.onnx_file.reading import read_onnx
from tundish_exporters.sources.pillow_images import processed_image

_PROBES = 3
"""Images on which it is looked at what the network does."""
_ROUNDING = 1e-3
"""By which the scores of a softmax may miss a sum of one, and a row of a batch the same row alone."""


class OnnxSource:
    """See `Source`."""

    def __init__(self, path: Path, task: manifest.TaskName, hints: OnnxHints) -> None:
        """Reads the file, and looks at what its network takes and gives.

        Raises:
            ExportError: see `read_onnx` and `Network`; or the task is another, or hints are missing or wrong.
        """
        if task != "image-classification":
            raise ExportError(
                f"tundish reads image classifiers from ONNX files, not models for {task}; export those from their "
                "Hugging Face directory."
            )
        self.task: manifest.TaskName = task
        self._hints = hints
        self._file = read_onnx(path)
        labels = read_labels(hints, path, self._file.model)
        self._network = Network(path, hints)
        self._image_rule = hints.image_rule(self._network.layout, self._network.size)
        self.preprocess: manifest.ImagePreprocess | manifest.TextPreprocess = self._image_rule
        images = [processed_image(self._image_rule, _probe(number)) for number in range(_PROBES)]
        self._network.find_scores(images[0], len(labels))
        output = self._network.output
        self._output_written = output if self._network.is_flat else free_name(self._file.model.graph, output)
        self._probes = [(image, self._network.run(image)) for image in images]
        self._labelling = manifest.ClassificationPostprocess(labels=labels, **self._function(len(labels)))
        self.postprocess: manifest.ClassificationPostprocess | manifest.PoolingPostprocess = self._labelling

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was taken for granted, in sentences."""
        said = []
        if not self._hints.says_how_to_normalize:
            said.append(
                "Nothing says how the network's inputs are normalised, so pixels are divided by 255 and no more; if it "
                "was trained otherwise, pass --mean, --std or --scale."
            )
        if others := self._network.other_outputs:
            said.append(f"The network's output '{self._network.output}' is taken, and not {', '.join(others)}.")
        return tuple(said)

    def describe(self) -> manifest.Source:
        """See `Source.describe`; the file is hashed, and those of its weights and labels."""
        files = dict(self._file.hashes)
        if file := self._hints.labels_file:
            files[file.name] = hashlib.sha256(file.read_bytes()).hexdigest()
        return manifest.Source(kind="onnx", files=files, frameworks=versions())

    def write_onnx(self, path: Path) -> None:
        """See `Source.write_onnx`; a network that answers only one image at a time rightly keeps its batch of one."""
        for model, batch in self._forms():
            onnx.save(model, path)
            if self._answers_alike(path, batch):
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
        return {self._output_written: self._network.run(inputs[self._network.input])}

    def predict(self, data: bytes) -> Result:
        """See `Source.predict`."""
        rule = self._labelling
        (row,) = self._network.run(processed_image(self._image_rule, data)).astype(np.float64)
        scores = row if rule.in_network else _SCORES[rule.function](row)
        order = np.argsort(-scores, kind="stable").tolist()
        return ImageClassification(tuple(Label(rule.labels[index], float(scores[index])) for index in order))

    def _function(self, count: int) -> dict[str, Any]:
        """What makes scores of the outputs, and whether the network has done it already."""
        found = last_function(self._file.model.graph, self._network.output)
        if found is None and all(_are_shares(row) for _, rows in self._probes for row in rows):
            found = "softmax"
        said = self._hints.activation
        if said in ("softmax", "sigmoid"):
            if found is not None:
                raise ExportError(f"{self._file.path} ends in a {found} already; leave --activation {said} out.")
            return {"function": said, "in_network": False}
        one_holds = found or ("softmax" if count > 1 else "sigmoid")
        return {"function": one_holds, "in_network": found is not None or said == "none"}

    def _forms(self) -> Iterator[tuple[onnx.ModelProto, int]]:
        """The network in the forms in which it may be served, best first, and in what batches to try each."""
        network, count = self._network, len(self._labelling.labels)
        plain = modern(self._file.model)

        def form(batch: int | str) -> onnx.ModelProto:
            shape = input_shape(network.layout, network.size, batch)
            return with_interface(plain, (network.input, shape), (network.output, self._output_written), count)

        batched = form("batch")
        yield batched, _PROBES
        yield with_free_reshapes(batched), _PROBES
        yield form(1), 1

    def _answers_alike(self, path: Path, batch: int) -> bool:
        """Whether the network in `path` answers the probes, so many at a time, as the user's does one by one."""
        try:
            engine = OnnxEngine(path, threads=1)
            for first in range(0, _PROBES, batch):
                images, expected = zip(*self._probes[first : first + batch], strict=True)
                (rows,) = engine.run({self._network.input: np.concatenate(images)}).values()
                if not _are_alike(rows, np.concatenate(expected)):
                    return False
        except EngineError:
            return False
        return True


def _probe(number: int) -> bytes:
    """A small image of coloured spots, of which a resize makes large ones."""
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(number).integers(0, 256, (7, 6, 3), np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def _are_shares(scores: NDArray[np.float32]) -> bool:
    """Whether several scores are what a softmax gives."""
    return len(scores) > 1 and bool((scores >= 0).all()) and abs(float(scores.sum()) - 1) < _ROUNDING


def _are_alike(actual: NDArray[np.generic], expected: NDArray[np.float32]) -> bool:
    tolerance = _ROUNDING * float(np.abs(expected).max())
    return actual.shape == expected.shape and bool(np.allclose(actual, expected, rtol=0, atol=tolerance))


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers: NDArray[np.float64] = np.exp(logits - logits.max())
    scores: NDArray[np.float64] = powers / powers.sum()
    return scores


def _sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    scores: NDArray[np.float64] = 0.5 * (1 + np.tanh(logits / 2))
    return scores


_SCORES = {"softmax": _softmax, "sigmoid": _sigmoid}
