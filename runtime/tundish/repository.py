"""Finds the bundles of a repository: `<repository>/<model>/<version>/bundle.json`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tundish.bundle import AnyBundle, read_bundle, versions_in
from tundish.errors import BundleError, RepositoryError
from tundish.manifest.terms import MODEL_NAME

UNKNOWN = 0
"""Stands for the versions of a model whose directory cannot be read; none has this number."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A version that lies in a repository: a verified bundle, or the reason why it is none."""

    model: str
    version: int
    """`UNKNOWN` of a model whose directory cannot be read."""
    content: AnyBundle | BundleError


def scan(repository: Path) -> Iterator[Entry]:
    """Reads and verifies every version of every model, one at a time, by name and version.

    Raises:
        RepositoryError: the directory is not there, cannot be read, or holds no version of any model.
    """
    found = False
    for name in _names_in(repository):
        try:
            for entry in scan_model(repository, name):
                found = True
                yield entry
        except BundleError as error:
            if re.match(MODEL_NAME, name):  # which `lost+found` is not
                found = True
                yield Entry(name, UNKNOWN, error)
    if not found:
        raise RepositoryError(
            f"The repository {repository} holds no <model>/<version>/bundle.json; "
            "write a bundle into it with `tundish export`."
        )


def scan_model(repository: Path, model: str) -> Iterator[Entry]:
    """Reads and verifies every version of one model, by version; nothing if there is none of that name.

    Raises:
        BundleError: its directory cannot be read.
    """
    directory = repository / model
    # A name comes from whoever asks: it may point elsewhere.
    if model.startswith(".") or directory.parent != repository or "/" in model:
        return
    for version in versions_in(directory):
        yield Entry(model, version, _read(directory / str(version), model, version))


def _names_in(repository: Path) -> list[str]:
    try:
        if not repository.is_dir():
            raise RepositoryError(
                f"The repository {repository} is not a directory; write a bundle into it with `tundish export`."
            )
        return sorted(path.name for path in repository.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise RepositoryError(f"The repository {repository} cannot be read: {error.strerror}.") from error


def _read(directory: Path, model: str, version: int) -> AnyBundle | BundleError:
    try:
        bundle = read_bundle(directory)
        said = bundle.manifest
        # Requests name the directory; a renamed one would answer as something it is not.
        if (said.model, said.version) != (model, version):
            raise BundleError(
                f"{directory} holds version {said.version} of '{said.model}'; move it to the directory of that name."
            )
        if "." in model:
            raise BundleError(
                f"{directory} is a component of another bundle; put the whole of that into the repository."
            )
    except BundleError as error:
        return error
    return bundle
