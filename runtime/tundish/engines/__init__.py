"""Engines: loaded variants that map arrays to arrays. One file an engine kind, all behind `Engine`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tundish.bundle import Bundle
from tundish.manifest import TensorSpec, Variant

Arrays = Mapping[str, NDArray[np.generic]]
"""Tensors by name; the first dimension is the batch."""


class Engine(Protocol):
    """A loaded variant. One thread at a time may use it."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def run(self, inputs: Arrays) -> dict[str, NDArray[np.generic]]:
        """Runs one batch; blocks, with the GIL released. The caller owns both the inputs and the outputs.

        Raises:
            EngineError: the engine refuses these inputs.
        """
        ...

    def another(self) -> Engine:
        """An engine of the same variant for one more thread; with the same weights in memory where that costs no time.

        Raises:
            EngineError: it cannot be loaded again.
        """
        ...


_KINDS = {"onnx": "tundish.engines.onnx"}
"""Engine kind to the module that defines `load`; imported when a bundle asks for it."""


def load_engine(bundle: Bundle, variant: Variant, *, threads: int) -> Engine:
    """Loads a variant to run on `threads` threads, the caller's included.

    Raises:
        EngineError: the engine's package is not installed, or does not take the file.
    """
    load: Callable[..., Any] = import_module(_KINDS[variant.engine]).load
    engine: Engine = load(bundle, variant, threads=threads)
    return engine
