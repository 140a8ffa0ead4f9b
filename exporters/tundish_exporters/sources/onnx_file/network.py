"""The user's ONNX file in ONNX Runtime: what it takes, what it gives, and what it answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tundish.engines.onnx import OnnxEngine
from tundish.errors import EngineError
from tundish.manifest import TensorSpec
from tundish.placement.machine import usable_cores
from tundish_exporters.errors import ExportError
from tundish_exporters.onnx_hints import OnnxHints
from tundish_exporters.sources.onnx_file.graph import find_layout, find_size
from tundish_exporters.sources.onnx_file.reading import first_line


class Network:
    """A file that was checked, as it is."""

    def __init__(self, path: Path, hints: OnnxHints) -> None:
        """Loads the file, and finds the form of its images.

        Raises:
            ExportError: ONNX Runtime does not take it, it does not take one batch of colour images as float32, or it
                leaves open what form they have, and the hints do as well.
        """
        self._path = path
        try:
            self._engine = OnnxEngine(path, threads=usable_cores())
        except EngineError as error:
            raise ExportError(first_line(error)) from error
        image = self._image()
        self.input = image.name
        self.layout = find_layout(image.shape, hints.layout)
        self.size = find_size(image.shape, self.layout, hints.size)
        self.output = ""
        """The name of the output that has a number for each label."""
        self.is_flat = True
        """Whether that output is `[batch, labels]`, and has no dimensions of one behind."""

    def find_scores(self, image: NDArray[np.float32], labels: int) -> None:
        """Finds the output that has a number for each label, by what the network answers to an image.

        The first of several is taken.

        Raises:
            ExportError: there is none, or the network fails.
        """
        rows = {name: array for name, array in self._answer(image).items() if _is_row(array)}
        fitting = [name for name, array in rows.items() if array.size == labels]
        if not fitting:
            raise ExportError(self._misfit(rows, labels))
        self.output = fitting[0]
        self.is_flat = rows[self.output].ndim == 2

    @property
    def other_outputs(self) -> list[str]:
        """Those that are not read."""
        return [spec.name for spec in self._engine.outputs if spec.name != self.output]

    def run(self, images: NDArray[np.generic]) -> NDArray[np.float32]:
        """The found output for a batch of images, `[batch, labels]`."""
        output = self._answer(images)[self.output].astype(np.float32)
        return output.reshape(len(output), -1)

    def _image(self) -> TensorSpec:
        inputs = self._engine.inputs
        if len(inputs) != 1:
            names = ", ".join(spec.name for spec in inputs)
            raise ExportError(f"{self._path} has the inputs {names}; an image classifier has one.")
        (image,) = inputs
        shown = f"{image.datatype} [{', '.join(map(str, image.shape))}]"
        if image.datatype != "FP32" or len(image.shape) != 4:
            raise ExportError(
                f"{self._path} takes '{image.name}' as {shown}; an image classifier takes FP32 of four dimensions."
            )
        if isinstance(image.shape[0], int) and image.shape[0] != 1:
            raise ExportError(
                f"{self._path} takes images by {image.shape[0]} at a time; export it with a batch of any size."
            )
        return image

    def _answer(self, images: NDArray[np.generic]) -> dict[str, NDArray[np.generic]]:
        try:
            return self._engine.run({self.input: images})
        except EngineError as error:
            raise ExportError(f"{self._path} fails on an image of its own form: {first_line(error)}") from error

    def _misfit(self, rows: dict[str, NDArray[np.generic]], labels: int) -> str:
        if not rows:
            given = "; ".join(f"{spec.name} {spec.datatype} {list(spec.shape)}" for spec in self._engine.outputs)
            return f"{self._path} gives no score for each label, but {given}."
        name, row = next(iter(rows.items()))
        if row.size == 1:
            return f"{self._path} gives one score, '{name}', and {labels} labels are named; name the one that it is of."
        return f"{self._path} gives {row.size} scores, '{name}', and {labels} labels are named; name each of them once."


def _is_row(array: NDArray[np.generic]) -> bool:
    """Whether an output for one image is a number for each label."""
    return array.dtype == np.float32 and array.ndim >= 2 and array.shape[0] == 1 and array.size == array.shape[1]
