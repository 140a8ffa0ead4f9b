"""What a composed bundle answers in this process, by the runtime's own scheduler and coordinator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

from tundish.bundle import Bundle, ComposedBundle
from tundish.composed_model import ComposedModel
from tundish.engine_model import EngineModel
from tundish.errors import TundishError
from tundish.model import MAX_ITEMS_PER_REQUEST
from tundish.placement.availability import on_this_machine
from tundish.placement.machine import usable_cores
from tundish.placement.placement import Placement
from tundish.results import Result
from tundish.scheduling import RUN_LIMIT_SECONDS, SEQUENCE_IDLE_SECONDS, Cores
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
def _loaded(bundle: ComposedBundle, precision: Served) -> Iterator[ComposedModel]:
    cores = Cores(usable_cores())
    components: dict[str, EngineModel] = {}
    try:
        for name, component in bundle.components.items():
            components[name] = EngineModel(
                component,
                cores,
                placement=_placement(on_this_machine(component), precision),
                run_limit_seconds=RUN_LIMIT_SECONDS,
                sequence_idle_seconds=SEQUENCE_IDLE_SECONDS,
            )
        model = ComposedModel(bundle, components, cores)
    except BaseException:
        for loaded in components.values():
            loaded.close()
        cores.close()
        raise
    try:
        yield model
    finally:
        model.close()
        cores.close()


def _placement(bundle: Bundle, precision: Served) -> Placement:
    servable = bundle.manifest.servable
    chosen = servable[0] if precision == "fastest" else next(each for each in servable if each.precision == precision)
    return Placement(variant=chosen.name, instances=usable_cores(), threads=1, max_batch_size=1)
