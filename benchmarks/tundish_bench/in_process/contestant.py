"""A variant that is measured: its engine alone, and the floor of a request, which is all that must come before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tundish.bundle import Bundle
from tundish.datatypes import NUMPY_DTYPES
from tundish.engines import Arrays, load_engine
from tundish.errors import TundishError
from tundish.manifest import Variant
from tundish.pipeline import stacked
from tundish.results import Result
from tundish.tasks.registry import load_task

_MOST_BYTES = 256_000_000
"""Of batches that lie ready for the engine, of one variant."""


class Answered(NamedTuple):
    """What became of an item."""

    outputs: dict[str, NDArray[np.generic]]
    """The engine's."""
    result: Result | None
    """None of a model that takes tensors, and gives no more."""


class Contestant:
    """A loaded variant; for one thread at a time."""

    def __init__(self, bundle: Bundle, variant: Variant, *, threads: int) -> None:
        """Raises EngineError if the engine does not take the variant."""
        manifest = bundle.manifest
        self.variant = variant
        self.task = load_task(manifest.of_variant(variant), bundle.directory) if manifest.takes_items else None
        self.engine = load_engine(bundle, variant, threads=threads)
        self._states = {state.input: state.batch_axis for state in manifest.state}
        self._batches: list[list[Any]] = []
        self._ready: list[Arrays] = []

    @property
    def name(self) -> str:
        """The variant's."""
        return self.variant.name

    def take(self, batches: Sequence[Sequence[Any]]) -> int:
        """Makes these batches of items ready, or as many of the first as fit into memory, and returns how many."""
        self._batches, self._ready = [], []
        held = 0
        for items in batches:
            arrays = self.prepared(items)
            held += sum(array.nbytes for array in arrays.values())
            if self._ready and held > _MOST_BYTES:
                break
            self._batches.append(list(items))
            self._ready.append(arrays)
        return len(self._ready)

    def keep(self, count: int) -> None:
        """Only the first so many batches, since another variant has no more."""
        del self._batches[count:], self._ready[count:]

    def run(self, turn: int) -> dict[str, NDArray[np.generic]]:
        """The engine alone, on a batch that lies ready."""
        return self.engine.run(self._ready[turn % len(self._ready)])

    def run_whole(self, turn: int) -> dict[str, NDArray[np.generic]]:
        """The floor: decoding, pre-processing and the engine on the same batch, and nothing else."""
        return self.engine.run(self.prepared(self._batches[turn % len(self._batches)]))

    def prepared(self, items: Sequence[Any]) -> Arrays:
        """The engine's inputs for a batch."""
        if self.task is not None:
            return self.task.collate([self.task.prepare(item) for item in items])
        return stacked(self.engine, items) | self._beginning(len(items))

    def answer(self, item: Any) -> Answered:
        """For an item alone.

        Raises:
            TundishError: the engine fails, or gives no numbers.
        """
        if self.task is None:
            return Answered(self.engine.run(self.prepared([item])), None)
        value = self.task.prepare(item)
        outputs = self.engine.run(self.task.collate([value]))
        (result,) = self.task.finish(outputs, [value])
        if isinstance(result, TundishError):
            raise result
        return Answered(outputs, result)

    def _beginning(self, rows: int) -> dict[str, NDArray[np.generic]]:
        """What a sequence begins with: states of zeros."""
        return {
            spec.name: np.zeros(
                [rows if axis == self._states[spec.name] else int(size) for axis, size in enumerate(spec.shape)],
                NUMPY_DTYPES[spec.datatype],
            )
            for spec in self.engine.inputs
            if spec.name in self._states
        }
