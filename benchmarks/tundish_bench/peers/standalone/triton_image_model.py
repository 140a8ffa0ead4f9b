"""An image classifier for Triton's Python backend: image files in, labels with scores out.

Triton runs a copy of this file in the peer's own environment, which has no tundish; beside the copy lie those of
`image_classifier.py` and of its settings. Tuned, what Triton hands over together is one run of the engine.
"""

# mypy: ignore-errors
# Its imports exist in the peer's environment only: what they look like in ours, if they are there, is not what runs.

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb_utils
from image_classifier import ImageClassifier


class TritonPythonModel:
    """One instance, in a process of its own; Triton calls it by these methods."""

    def initialize(self, args):
        """Loads the model."""
        folder = Path(args["model_repository"]) / args["model_version"]
        settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
        self.tuned = settings["tuned"]
        settings["labels"] = [label.encode() for label in settings["labels"]]
        self.classifier = ImageClassifier(settings)

    def execute(self, requests):
        """Answers the requests that Triton hands over together: tuned, by one run of the engine, else by one each."""
        parts = [pb_utils.get_input_tensor_by_name(request, "image").as_numpy().ravel() for request in requests]
        if not self.tuned:
            return [response for part in parts for response in self.answer([part])]
        return self.answer(parts)

    def answer(self, parts):
        """A response for each part, an array of files."""
        labels, scores = self.classifier.classify([file for part in parts for file in part])
        ends = np.cumsum([len(part) for part in parts])[:-1]
        return [
            pb_utils.InferenceResponse([pb_utils.Tensor("label", rows), pb_utils.Tensor("score", row_scores)])
            for rows, row_scores in zip(np.split(labels, ends), np.split(scores, ends), strict=True)
        ]
