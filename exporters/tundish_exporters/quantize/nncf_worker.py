"""A process that quantises by nncf: python -m … PREPARED DESTINATION INPUTS SETTINGS, the last as JSON.

In a process of its own, because nncf reports its use to Google Analytics unasked, replaces the class of all loggers and
draws bars of its own. What it reports by is hidden here; it has a substitute for that.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from tundish.engines import Arrays


def main() -> None:
    """Reads what `write_inputs` wrote; SETTINGS has `transformer` and `kept`, names of nodes that stay in float."""
    prepared, destination, inputs, settings = sys.argv[1:]
    model = onnx.load(prepared)
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # Python's way to say that it is not there
    import nncf

    asked = json.loads(settings)
    arrays = read_inputs(Path(inputs))
    quantised = nncf.quantize(
        model,
        nncf.Dataset(arrays),
        subset_size=len(arrays),
        model_type=nncf.ModelType.TRANSFORMER if asked["transformer"] else None,
        # A table of embeddings would be made float again on every call, the whole of it.
        ignored_scope=nncf.IgnoredScope(names=asked["kept"], types=["Gather"], validate=False),
        # Of convolutions, biases are corrected afterwards; see `NncfRecipe`.
        advanced_parameters=nncf.AdvancedQuantizationParameters(disable_bias_correction=not asked["transformer"]),
    )
    onnx.save(quantised, destination)


def write_inputs(path: Path, inputs: Sequence[Arrays]) -> None:
    """An `.npz` file with the arrays of all inputs."""
    named: dict[str, Any] = {
        f"{index}/{name}": array for index, each in enumerate(inputs) for name, array in each.items()
    }
    np.savez(path, **named)


def read_inputs(path: Path) -> list[dict[str, Any]]:
    """What `write_inputs` was given."""
    inputs: dict[int, dict[str, Any]] = {}
    with np.load(path) as archive:
        for key in archive.files:
            index, name = key.split("/", 1)
            inputs.setdefault(int(index), {})[name] = archive[key]
    return [inputs[index] for index in sorted(inputs)]


if __name__ == "__main__":
    main()
