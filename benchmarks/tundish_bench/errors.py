"""The errors that benchmarks add to the runtime's tree."""

from __future__ import annotations

from tundish.errors import TundishError


class BenchmarkError(TundishError):
    """A figure cannot be measured, or what was measured is not a true answer; nothing is reported."""
