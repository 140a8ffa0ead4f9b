"""What optimum traces a network with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from optimum.utils import DummyVisionInputGenerator


@contextmanager
def examples_of(height: int, width: int) -> Iterator[None]:
    """Images of this size, until the context is left; not for several threads at a time.

    optimum takes the configuration's size, or 64 pixels where that has none, whatever the processor crops to; what
    tracing freezes is then wrong for the images that come.
    """
    make = DummyVisionInputGenerator.__init__

    def make_of_size(self: Any, *arguments: Any, **settings: Any) -> None:
        make(self, *arguments, **settings)
        self.image_size = self.height, self.width = height, width

    setattr(DummyVisionInputGenerator, "__init__", make_of_size)  # noqa: B010  # which types do not allow
    try:
        yield
    finally:
        setattr(DummyVisionInputGenerator, "__init__", make)  # noqa: B010
