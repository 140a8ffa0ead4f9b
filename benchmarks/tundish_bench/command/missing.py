"""What the command says where the packages that it needs are not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tundish.errors import TundishError


@contextmanager
def needing_extra() -> Iterator[None]:
    """Raises TundishError instead of ImportError."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("tundish"):
            raise
        raise TundishError(
            f"tundish bench needs {error.name}, which is not installed; pip install 'tundish[bench,export]'."
        ) from None
