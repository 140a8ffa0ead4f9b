"""What a composed bundle answers in this process, by the runtime's own scheduler and coordinator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

from tundish.bundle import Bundle, ComposedBundle
from tundish.errors import TundishError
from tundish.loading import Loader
from tundish.model import MAX_ITEMS_PER_REQUEST, Model
from tundish.placement.availability import on_this_machine
from tundish.placement.machine import usable_cores
from tundish.placement.placement import Placement
from tundish.results import Result
from tundish.scheduling import Cores
from tundish.tasks import Item
from tundish_exporters.errors import DataError

Served = Literal["fp32", "fastest"]


def answer_all(bundle: ComposedBundle, items: Sequence[Item], *, precision: Served) -> list[Result]:
    """The answer to each item; each alone, since dynamic ranges depend on what else is in a batch.

    Raises:
        DataError: an item cannot be answered.
    """
    answers: list[Result] = []
    with _loaded(bundle, precision) as model:
        for first in range(0, len(items), MAX_ITEMS_PER_REQUEST):
            futures = model.submit(items[first : first + MAX_ITEMS_PER_REQUEST])
            for number, future in enumerate(futures, first):
                try:
                    answers.append(future.result().output)
                except TundishError as error:
                    raise DataError(f"Sample {number} cannot be answered: {error}") from error
    return answers


@contextmanager
def _loaded(bundle: ComposedBundle, precision: Served) -> Iterator[Model]:
    cores = Cores(usable_cores())
    try:
        model = Loader(cores, lambda component: _placement(on_this_machine(component), precision)).load(bundle)
        try:
            yield model
        finally:
            model.close()
    finally:
        cores.close()


def _placement(bundle: Bundle, precision: Served) -> Placement:
    servable = bundle.manifest.servable
    chosen = servable[0] if precision == "fastest" else next(each for each in servable if each.precision == precision)
    return Placement(variant=chosen.name, instances=usable_cores(), threads=1, max_batch_size=1)
