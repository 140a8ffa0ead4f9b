"""Exports that do not search, but for those that say how long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tundish_exporters.export_options import ExportOptions


@contextmanager
def no_search() -> Iterator[None]:
    """In this process, an export takes the most promising recipe unless it says otherwise; that is what most test."""
    with pytest.MonkeyPatch.context() as patch:
        defaults = ExportOptions.__init__.__kwdefaults__
        assert defaults is not None
        patch.setitem(defaults, "search_minutes", 0.0)
        yield
