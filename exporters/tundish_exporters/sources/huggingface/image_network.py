"""Exports a network that reads images by PyTorch alone, with those of its outputs that the runtime reads."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from tundish.manifest import ImagePreprocess
from tundish_exporters.errors import ExportError
from tundish_exporters.sources import OPSET
from tundish_exporters.sources.tracing import traceable_functions


def write_image_network(
    model: Any,
    rule: ImagePreprocess,
    path: Path,
    *,
    outputs: Mapping[str, dict[int, str]],
    example: tuple[int, int],
) -> None:
    """Writes the network from `pixel_values`; height and width are dynamic unless the rule has one size.

    It has no mask of padding: images of a batch are of one size.

    Args:
        model: of transformers.
        rule: how images become its input.
        path: of the ONNX file.
        outputs: the names of those to keep, with their dimensions that are not fixed.
        example: height and width of what it is traced with, if it takes images of any size.

    Raises:
        ExportError: PyTorch cannot export it.
    """
    free = {} if rule.has_one_size else {2: "height", 3: "width"}
    size = rule.size if rule.has_one_size else example
    pixels = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    write_network(model, {"pixel_values": pixels}, {"pixel_values": {0: "batch"} | free}, path, outputs)


def write_network(
    model: Any,
    examples: Mapping[str, torch.Tensor],
    axes: Mapping[str, dict[int, str]],
    path: Path,
    outputs: Mapping[str, dict[int, str]],
) -> None:
    """Writes the network from the inputs that the examples name.

    Args:
        model: of transformers.
        examples: what it is traced with.
        axes: their dimensions that are not fixed.
        path: of the ONNX file.
        outputs: the names of those to keep, with their dimensions that are not fixed.

    Raises:
        ExportError: PyTorch cannot export it.
    """
    with warnings.catch_warnings(), traceable_functions():
        warnings.simplefilter("ignore")  # tracer and deprecation warnings; parity is measured afterwards
        try:
            torch.onnx.export(
                _Selected(model, list(examples), list(outputs)).eval(),
                tuple(examples.values()),
                path,
                input_names=list(examples),
                output_names=list(outputs),
                dynamic_axes={**axes, **outputs},
                opset_version=OPSET,
                dynamo=False,  # as for modules
            )
        except Exception as error:  # whatever the network's own code raises
            reason = str(error).strip().split("\n")[0]
            raise ExportError(
                f"PyTorch cannot export the architecture '{model.config.model_type}': {reason}"
            ) from error


class _Selected(torch.nn.Module):
    """The network without the outputs that only training needs."""

    def __init__(self, model: Any, inputs: Sequence[str], names: Sequence[str]) -> None:
        super().__init__()
        self._model = model
        self._inputs = inputs
        self._names = names

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The inputs to the outputs, both in the order of their names."""
        outputs = self._model(**dict(zip(self._inputs, inputs, strict=True)))
        return tuple(outputs[name] for name in self._names)
