"""Engines: loaded variants that map arrays to arrays. One file an engine kind, all behind `Engine`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tundish.bundle import Bundle
from tundish.errors import EngineError
from tundish.manifest import EngineName, ModelSpec, Precision, TensorSpec, Variant

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


@dataclass(frozen=True, slots=True)
class _Kind:
    title: str
    module: str
    """Imported when a variant asks for it. Defines `load(path, *, precision, threads)` and `computes_in(precision)`."""
    package: str
    """What the module imports."""
    extra: str
    computes_on_caller: bool
    """With one thread; else that thread is the engine's own."""


_KINDS: dict[EngineName, _Kind] = {
    "onnx": _Kind("ONNX Runtime", "tundish.engines.onnx", "onnxruntime", "cpu", computes_on_caller=True),
    "openvino": _Kind("OpenVINO", "tundish.engines.openvino", "openvino", "openvino", computes_on_caller=False),
}


def obstacle(engine: EngineName, precision: Precision) -> str | None:
    """Why such a variant cannot run here, in one sentence; None if it can.

    An engine's package is looked for and, but for bf16, not imported.
    """
    kind = _KINDS[engine]
    if find_spec(kind.package) is None:
        return f"{kind.title} is not installed; run pip install 'tundish[{kind.extra}]'."
    if precision == "bf16" and not _module(kind).computes_in(precision):
        return f"{kind.title} does not compute in bf16 on this processor; serve another variant."
    return None


def computes_on_caller(engine: EngineName, threads: int) -> bool:
    """Whether an engine of so many threads computes on the thread that calls it alone, and starts no other."""
    return threads == 1 and _KINDS[engine].computes_on_caller


def load_file(engine: EngineName, path: Path, *, precision: Precision, threads: int) -> Engine:
    """Loads a file that no manifest names, to run on `threads` threads, the caller's included.

    Raises:
        EngineError: such a variant cannot run here, or the engine does not take the file.
    """
    if reason := obstacle(engine, precision):
        raise EngineError(reason)
    load: Callable[..., Engine] = _module(_KINDS[engine]).load
    return load(path, precision=precision, threads=threads)


def load_engine(bundle: Bundle, variant: Variant, *, threads: int) -> Engine:
    """Loads a variant, as `load_file`, and holds its tensors against the manifest.

    Raises:
        EngineError: see `load_file`; or the file has other tensors than its manifest says.
    """
    path = bundle.path(variant.files[0])
    engine = load_file(variant.engine, path, precision=variant.precision, threads=threads)
    check_tensors(engine, bundle.manifest, path)
    return engine


def check_tensors(engine: Engine, spec: ModelSpec, path: Path) -> None:
    """Raises EngineError unless the engine, loaded from `path`, takes and gives the tensors of `spec`, in their order.

    Engines name dimensions by rules of their own, and know the sizes of outputs as far as they infer them.
    """
    for side, actual, said, fits in (
        ("inputs", engine.inputs, spec.inputs, _is_same),
        ("outputs", engine.outputs, spec.outputs, _may_be),
    ):
        if len(actual) != len(said) or not all(map(fits, actual, said)):
            raise EngineError(f"{path} has the {side} {actual}, its manifest says {said}; export the model again.")


def _is_same(actual: TensorSpec, said: TensorSpec) -> bool:
    return (actual.name, actual.datatype, actual.wire_shape) == (said.name, said.datatype, said.wire_shape)


def _may_be(actual: TensorSpec, said: TensorSpec) -> bool:
    return ((actual.name, actual.datatype, len(actual.shape)) == (said.name, said.datatype, len(said.shape))) and all(
        -1 in sizes or len(set(sizes)) == 1 for sizes in zip(actual.wire_shape, said.wire_shape, strict=True)
    )


def _module(kind: _Kind) -> Any:
    try:
        return import_module(kind.module)
    except ImportError as error:
        raise EngineError(f"{kind.title} cannot be imported: {error}; install 'tundish[{kind.extra}]' anew.") from error
