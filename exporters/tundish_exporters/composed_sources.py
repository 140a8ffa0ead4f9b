"""Composed sources: models of several networks, each of which is exported as a component of one bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from tundish import manifest
from tundish.results import Result
from tundish.tasks import Item
from tundish_exporters.sources import Source

Parts = Mapping[manifest.InputName, Any]
"""What one sample has of what the model reads."""


class Asked(NamedTuple):
    """What a component is asked about for samples of the whole."""

    item: Item
    sample: int | None
    """The place of the one that it is asked for; None if several may ask the same, which is then asked once."""


class ComposedSource(Protocol):
    """A model of several networks that can be exported, and asked."""

    @property
    def task(self) -> manifest.TaskName:
        """What it does."""
        ...

    @property
    def reads(self) -> tuple[manifest.InputName, ...]:
        """The parts of an item, in their order."""
        ...

    @property
    def components(self) -> Mapping[str, Source]:
        """The networks by their names, in the order in which they are exported."""
        ...

    @property
    def steps(self) -> tuple[manifest.Step, ...]:
        """How an item goes through them."""
        ...

    @property
    def postprocess(self) -> manifest.ComposedPostprocess:
        """How the values of the steps become a result."""
        ...

    def describe(self) -> manifest.Source:
        """What the manifest says of the source."""
        ...

    def asked_of(self, component: str, samples: Sequence[Parts]) -> list[Asked]:
        """What a component is asked about for samples, but for those that lack a part which it needs."""
        ...

    def completed(self, sample: Parts) -> Item:
        """The item of a sample, with made-up parts where it lacks some."""
        ...

    def predict(self, item: Item) -> Result:
        """The typed result of one item by the source's own pipeline."""
        ...
