"""Models of a runtime in this process, as what they are."""

from __future__ import annotations

from tundish.engine_model import EngineModel
from tundish.runtime import Runtime


def engine_model(runtime: Runtime, name: str) -> EngineModel:
    """The newest version of a model that is one network."""
    model = runtime.model(name)
    assert isinstance(model, EngineModel)
    return model
