"""From bundles to models that answer: each network is placed on this machine's cores."""

from __future__ import annotations

from collections.abc import Callable

from tundish.bundle import AnyBundle, Bundle
from tundish.composed_model import ComposedModel
from tundish.engine_model import EngineModel
from tundish.model import Model
from tundish.placement.placement import Placement
from tundish.scheduling import RUN_LIMIT_SECONDS, SEQUENCE_IDLE_SECONDS, Cores


class Loader:
    """Loads bundles onto the cores of this process."""

    def __init__(
        self,
        cores: Cores,
        place: Callable[[Bundle], Placement],
        *,
        run_limit_seconds: float = RUN_LIMIT_SECONDS,
        sequence_idle_seconds: float = SEQUENCE_IDLE_SECONDS,
    ) -> None:
        """`place` says how a network runs, and may raise what `load` raises; for the limits see `EngineModel`."""
        self._cores = cores
        self._place = place
        self._run_limit_seconds = run_limit_seconds
        self._sequence_idle_seconds = sequence_idle_seconds

    def load(self, bundle: AnyBundle) -> Model:
        """A model that answers.

        Raises:
            BundleError: the bundle does not fit its task.
            EngineError: no engine here takes a variant of it.
        """
        if isinstance(bundle, Bundle):
            return self._load_engine(bundle)
        components: dict[str, EngineModel] = {}
        try:
            for name, component in bundle.components.items():
                components[name] = self._load_engine(component)
            return ComposedModel(bundle, components, self._cores)
        except BaseException:
            for loaded in components.values():
                loaded.close()
            raise

    def _load_engine(self, bundle: Bundle) -> EngineModel:
        return EngineModel(
            bundle,
            self._cores,
            placement=self._place(bundle),
            run_limit_seconds=self._run_limit_seconds,
            sequence_idle_seconds=self._sequence_idle_seconds,
        )
