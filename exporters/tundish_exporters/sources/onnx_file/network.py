"""The user's ONNX file in ONNX Runtime: what it takes, what it gives, and what it answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tundish.engines.onnx import OnnxEngine
from tundish.errors import EngineError, reason_of
from tundish.manifest import TensorSpec
from tundish.placement.machine import usable_cores
from tundish_exporters.errors import ExportError
from tundish_exporters.onnx_hints import OnnxHints
from tundish_exporters.sources.onnx_file.graph import Shape, find_layout, find_size, open_size


class Network:
    """A file that was checked, as it is."""

    def __init__(
        self,
        path: Path,
        hints: OnnxHints,
        written_size: tuple[int, int] | None,
        example_size: tuple[int, int] | None = None,
    ) -> None:
        """Loads the file, and finds the form of its images.

        Args:
            path: of the file.
            hints: what the user says of it.
            written_size: that of the images which the file names besides its graph.
            example_size: that of the images by which to look at a network which takes several; None if it must take
                one.

        Raises:
            ExportError: ONNX Runtime does not take it, it does not take one batch of colour images as float32, or it
                leaves open what form they have, and the hints do as well.
        """
        self._path = path
        try:
            self._engine = OnnxEngine(path, threads=usable_cores())
        except EngineError as error:
            raise ExportError(str(error)) from error
        image = self._image()
        self.input = image.name
        self.layout = find_layout(image.shape, hints.layout)
        said = hints.size or hints.letterbox_size
        if said is None and any(isinstance(extent, str) for extent in image.shape[1:]):
            said = written_size
        self.extents: Shape
        """Height and width of the images, each a name where the network takes several."""
        if said is None and example_size is not None:
            self.size, self.extents = open_size(image.shape, self.layout, example_size)
        else:
            self.size = self.extents = find_size(image.shape, self.layout, said)

    @property
    def takes_any_size(self) -> bool:
        """Whether the network takes images of more sizes than one."""
        return tuple(self.extents) != self.size

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """What the file says of them."""
        return self._engine.outputs

    def answer(self, images: NDArray[np.generic]) -> dict[str, NDArray[np.generic]]:
        """All outputs for a batch of images.

        Raises:
            ExportError: the network fails.
        """
        try:
            return self._engine.run({self.input: images})
        except EngineError as error:
            raise ExportError(f"{self._path} fails on an image of its own form: {reason_of(error)}") from error

    def _image(self) -> TensorSpec:
        inputs = self._engine.inputs
        if len(inputs) != 1:
            names = ", ".join(spec.name for spec in inputs)
            raise ExportError(f"{self._path} has the inputs {names}; tundish reads networks of images alone, with one.")
        (image,) = inputs
        shown = f"{image.datatype} [{', '.join(map(str, image.shape))}]"
        if image.datatype != "FP32" or len(image.shape) != 4:
            raise ExportError(
                f"{self._path} takes '{image.name}' as {shown}; tundish gives images as FP32 of four dimensions. Put a "
                "Cast or a Reshape before what reads it, and make that the graph's input."
            )
        if isinstance(image.shape[0], int) and image.shape[0] != 1:
            raise ExportError(
                f"{self._path} takes images by {image.shape[0]} at a time; export it with a batch of any size."
            )
        return image
