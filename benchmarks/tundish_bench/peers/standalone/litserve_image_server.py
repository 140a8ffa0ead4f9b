"""An image classifier served by LitServe: a POST of an image file is answered by its labels with scores, as JSON.

The file comes in base64, as LitServe's own `ImageInput` has it: the body of a request must be JSON. `SETTINGS` names
the file of what the bundle's manifest says. It batches as LitServe's documentation shows, up to 8; but it waits no
longer than 10 ms for the next one, where that shows 100.
"""

# mypy: ignore-errors
# Its imports exist in the peer's environment only: what they look like in ours, if they are there, is not what runs.

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import litserve
from image_classifier import ImageClassifier

SETTINGS = json.loads(Path(os.environ["SETTINGS"]).read_text(encoding="utf-8"))


class Classify(litserve.LitAPI):
    """What each worker, a process of its own, does."""

    def setup(self, device):  # noqa: ARG002  # the name is LitServe's
        """Loads the model."""
        self.classifier = ImageClassifier(SETTINGS)

    def decode_request(self, request):
        """The file."""
        return base64.b64decode(request["image_data"])

    def batch(self, inputs):
        """The files as they are: they are stacked when they are decoded."""
        return inputs

    def predict(self, x):
        """Answers a batch."""
        labels, scores = self.classifier.classify(x)
        return [{"label": list(row), "score": best.tolist()} for row, best in zip(labels, scores, strict=True)]

    def unbatch(self, output):
        """The answers one by one."""
        return output

    def encode_response(self, output):
        """The answer as it is."""
        return output


if __name__ == "__main__":
    api = Classify(max_batch_size=8, batch_timeout=0.01, api_path="/inference")
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=SETTINGS["workers"])
    server.run(host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning", generate_client_file=False)
