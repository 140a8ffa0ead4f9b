"""A model for Triton's Python backend: image files or texts in, labels with scores out; or tensors in and out.

Triton runs a copy of this file in the peer's own environment, which has no tundish; beside the copy lie those of the
files that it imports, and its settings. What Triton hands over together, by dynamic batching, is one run of the engine.
"""

# mypy: ignore-errors
# Its imports exist in the peer's environment only: what they look like in ours, if they are there, is not what runs.

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb_utils
from served_models import load_model


class TritonPythonModel:
    """One instance, in a process of its own; Triton calls it by these methods."""

    def initialize(self, args):
        """Loads the model."""
        folder = Path(args["model_repository"]) / args["model_version"]
        settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
        if "labels" in settings:
            settings["labels"] = [label.encode() for label in settings["labels"]]
        self.input, self.outputs = settings["input_tensor"], settings["output_tensors"]
        self.model = load_model(settings)

    def execute(self, requests):
        """Answers the requests that Triton hands over together."""
        parts = [pb_utils.get_input_tensor_by_name(request, self.input).as_numpy() for request in requests]
        items = [item for part in parts for item in (part.ravel() if part.dtype == np.object_ else part)]
        outputs = self.model.run(items)
        ends = np.cumsum([len(part) for part in parts])[:-1]
        split = [np.split(output, ends) for output in outputs]
        return [
            pb_utils.InferenceResponse([pb_utils.Tensor(*pair) for pair in zip(self.outputs, rows, strict=True)])
            for rows in zip(*split, strict=True)
        ]
