"""What a way to make a smaller or faster file of a float graph is, whichever it is."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from tundish.engines import Arrays
from tundish.errors import reason_of
from tundish.manifest import EngineName, Precision
from tundish_exporters.errors import ExportError
from tundish_exporters.progress import Progress


class Recipe(Protocol):
    """A value: two recipes that are equal write the same bytes of the same file and the same calibration inputs."""

    @property
    def name(self) -> str:
        """Short, and unlike that of any other recipe."""
        ...

    @property
    def precision(self) -> Precision:
        """What most of the network is computed in, or kept in."""
        ...

    @property
    def engines(self) -> tuple[EngineName, ...]:
        """Those that can gain by it."""
        ...

    @property
    def description(self) -> str:
        """One line, for people."""
        ...

    def keeping(self, layers: frozenset[str]) -> Recipe:
        """The same, with these nodes of the prepared graph left in float as well."""
        ...

    def prepare(self, source: Path, destination: Path, calibration: Sequence[Arrays], progress: Progress) -> None:
        """Writes the float graph that `write` takes: folded, perhaps fused or scaled, each node with a name of its own.

        Raises:
            ExportError: the graph cannot be read, or is too large, or there are no calibration inputs where it takes
                some.
        """
        ...

    def write(self, prepared: Path, destination: Path, calibration: Sequence[Arrays], progress: Progress) -> None:
        """Writes the file of this recipe from what `prepare` wrote.

        Raises:
            ExportError: the graph cannot be written so, or there are no calibration inputs where it takes some.
        """
        ...


def apply(recipe: Recipe, source: Path, destination: Path, calibration: Sequence[Arrays], progress: Progress) -> None:
    """Writes the file that a recipe makes of a float graph, whole or not at all; raises ExportError as its steps do."""
    with tempfile.TemporaryDirectory(dir=destination.parent) as scratch:
        prepared, written = Path(scratch) / "prepared.onnx", Path(scratch) / destination.name
        recipe.prepare(source, prepared, calibration, progress)
        recipe.write(prepared, written, calibration, progress)
        written.replace(destination)


def name_keeping(name: str, layers: frozenset[str]) -> str:
    """A recipe's name where these layers stay in float; other layers, another name."""
    if not layers:
        return name
    digest = hashlib.sha256("\n".join(sorted(layers)).encode()).hexdigest()
    return f"{name}-keeping-{len(layers)}-{digest[:6]}"


def describe_keeping(description: str, layers: frozenset[str]) -> str:
    """A recipe's description where these layers stay in float."""
    if not layers:
        return description
    return f"{description}, {len(layers)} {'layer' if len(layers) == 1 else 'layers'} in float"


@contextmanager
def one_sentence(doing: str) -> Iterator[None]:
    """Raises what the libraries raise as an ExportError: `doing` failed, and in a line why.

    What they log besides, such as advice to do what was done, is for nobody who exports a model.
    """
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    except ExportError:
        raise
    except Exception as error:  # theirs have no common base but Exception
        raise ExportError(f"{doing[0].upper()}{doing[1:]} failed: {reason_of(error)}") from error
    finally:
        logging.disable(before)
