"""Writes a network as ONNX by PyTorch alone, with those of its outputs that the runtime reads."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from tundish.errors import reason_of
from tundish_exporters.errors import ExportError
from tundish_exporters.sources import OPSET
from tundish_exporters.sources.tracing import plain_functions, traceable_functions

Axes = Mapping[str, dict[int, str]]
"""The dimensions of tensors that are not fixed, by the names of the tensors."""


def write_network(
    network: Any, path: Path, *, examples: Mapping[str, torch.Tensor], inputs: Axes, outputs: Axes
) -> None:
    """Writes the network from the inputs to the outputs, in their order.

    Args:
        network: a module of transformers, or one around it with its `config`; gives its outputs by their names.
        path: of the ONNX file.
        examples: what it is traced with, by the names of the inputs.
        inputs: those of its arguments that become inputs.
        outputs: those of its outputs to keep.

    Raises:
        ExportError: PyTorch cannot export it.
    """
    with warnings.catch_warnings(), traceable_functions(), plain_functions():
        warnings.simplefilter("ignore")  # tracer and deprecation warnings; parity is measured afterwards
        try:
            torch.onnx.export(
                _Selected(network, list(inputs), list(outputs)).eval(),
                tuple(examples[name] for name in inputs),
                path,
                input_names=list(inputs),
                output_names=list(outputs),
                dynamic_axes={**inputs, **outputs},
                opset_version=OPSET,
                dynamo=False,  # as for modules
            )
        except Exception as error:  # whatever the network's own code raises
            raise ExportError(
                f"PyTorch cannot export the architecture '{network.config.model_type}': {reason_of(error)}"
            ) from error


class _Selected(torch.nn.Module):
    """The network without the outputs that only training needs."""

    def __init__(self, network: Any, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        super().__init__()
        self._network = network
        self._inputs = inputs
        self._outputs = outputs

    def forward(self, *arguments: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Arguments and outputs in the order of their names."""
        outputs = self._network(**dict(zip(self._inputs, arguments, strict=True)))
        return tuple(outputs[name] for name in self._outputs)
