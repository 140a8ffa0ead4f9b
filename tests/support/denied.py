"""Directories that cannot be read, also by the superuser, as whom tests may run."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest


def deny(patch: pytest.MonkeyPatch, denied: Path) -> None:
    """From here on, listing this directory fails in this process as it does where its reader lacks the permission."""
    listing = Path.iterdir

    def iterdir(path: Path) -> Iterator[Path]:
        if path == denied:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return listing(path)

    patch.setattr(Path, "iterdir", iterdir)
