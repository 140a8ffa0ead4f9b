"""Keeps what a search has measured, so that the same search goes on where it was stopped.

    <repository>/.tundish/search/<hash of all that a measurement depends on>.json

A file may be deleted at any time; its trial is then measured anew.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from tundish.engines import Arrays
from tundish.files import write_at_once
from tundish.manifest import Accuracy, EngineName
from tundish.placement.machine import this_machine
from tundish_exporters.data import Sample
from tundish_exporters.quantize.recipe import Recipe
from tundish_exporters.search.stopwatch import Pace

_LOG = logging.getLogger(__name__)

_MAX_BYTES = 256 * 2**10
_PACKAGES = ("nncf", "onnx")
"""What a recipe's file depends on besides what the machine counts."""
_RECIPES = "recipes 7"
"""Raised when a recipe writes other files than before under its name."""


class Measured(BaseModel):
    """Of one recipe by one engine."""

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")

    recipe: str
    engine: EngineName
    pace: Pace | None
    """None if it was not raced, because it cannot be made or loaded."""
    accuracy: Accuracy | None = None
    """None if it was not judged."""
    fault: str | None = None
    """Why no more can be measured of it, in a sentence; None if it can."""


class TrialCache:
    """Never raises: what cannot be read or written is done without."""

    def __init__(self, directory: Path, what: str) -> None:
        """`what` is a hash of all that trials of this search have in common; see `common_hash`."""
        self._directory = directory
        self._what = what

    def find(self, recipe: Recipe, engine: EngineName) -> Measured | None:
        """What an earlier search measured of just this."""
        path = self._path(recipe, engine)
        try:
            if not path.is_file() or path.stat().st_size > _MAX_BYTES:
                return None
            measured = Measured.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            _LOG.warning("%s is passed over: %s.", path, type(error).__name__)
            return None
        return measured if (measured.recipe, measured.engine) == (recipe.name, engine) else None

    def keep(self, recipe: Recipe, measured: Measured) -> None:
        """Keeps it for the next search."""
        path = self._path(recipe, measured.engine)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_at_once(path, measured.model_dump_json(indent=2) + "\n")
        except OSError as error:
            _LOG.warning("A trial is not kept for the next search: %s cannot be written (%s).", path, error.strerror)

    def _path(self, recipe: Recipe, engine: EngineName) -> Path:
        text = json.dumps([self._what, recipe.name, engine])
        return self._directory / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"


def common_hash(floating: Path, inputs: Sequence[Arrays], samples: Sequence[Sample], *others: str) -> str:
    """Of the float file, the calibration inputs, what is judged on, this machine, and what else the caller names.

    The file does not say all of a model: its rules, such as a threshold, are the caller's to name.
    """
    digest = hashlib.sha256()
    for path in sorted(floating.parent.glob(f"{floating.name}*")):
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    for arrays in inputs:
        for name, array in sorted(arrays.items()):
            digest.update(f"{name} {array.dtype} {array.shape}".encode())
            digest.update(array.tobytes())
    for sample in samples:
        digest.update(repr((sample.truth, sample.slice, sample.group)).encode())
        for part in sample.parts():
            content = part if isinstance(part, bytes) else repr(part).encode()
            digest.update(f"{len(content)} ".encode())
            digest.update(content)
    versions = [f"{package} {version(package)}" for package in _PACKAGES]
    digest.update(json.dumps([this_machine().fingerprint, *versions, _RECIPES, *others]).encode())
    return digest.hexdigest()
