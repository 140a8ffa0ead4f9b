"""Sources: what the exporter reads. One file a kind of source, all behind `Source`.

A source is also its own oracle: it answers with the float network in its own framework and by its own processor, and
the exported model is held against those answers stage by stage.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from tundish import manifest
from tundish.engines import Arrays
from tundish.results import Result

OPSET = 17
"""Of the exported graphs: LayerNormalization became one operator in it."""


class Source(Protocol):
    """A fine-tuned model that can be exported, and asked."""

    @property
    def task(self) -> manifest.TaskName:
        """What it was trained for."""
        ...

    @property
    def preprocess(self) -> manifest.Preprocess:
        """How an image or a text becomes its inputs."""
        ...

    @property
    def postprocess(self) -> manifest.Postprocess:
        """How its outputs become a result."""
        ...

    @property
    def warnings(self) -> Sequence[str]:
        """What was taken for granted, in sentences."""
        ...

    def describe(self) -> manifest.Source:
        """What the manifest says of the source."""
        ...

    def write_onnx(self, path: Path) -> None:
        """Writes the float network, with a dynamic batch dimension; raises ExportError if it cannot be exported."""
        ...

    def write_assets(self, directory: Path) -> list[str]:
        """Writes the files that the task needs besides the network, and returns their names."""
        ...

    def processed(self, item: Any) -> Arrays:
        """The network's inputs for one `Item` of the parts that it reads, made by the source's own processor."""
        ...

    def network(self, inputs: Arrays) -> Arrays:
        """The float network's outputs, in the exported graph's names and order."""
        ...

    def predict(self, item: Any) -> Result:
        """The typed result of one item by the source's own pipeline, with at least the labels that a bundle lists.

        Objects are all there, whatever their score, and segments as far as they have a pixel.
        """
        ...
