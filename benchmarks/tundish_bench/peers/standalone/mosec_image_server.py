"""An image classifier served by mosec: a POST of an image file is answered by its labels with scores, as JSON.

`SETTINGS` names the file of what the bundle's manifest says. It batches as mosec's documentation shows: up to 8, and
no longer than 10 ms for the next one, its default.
"""

# mypy: ignore-errors
# Its imports exist in the peer's environment only: what they look like in ours, if they are there, is not what runs.

from __future__ import annotations

import json
import os
from pathlib import Path

from image_classifier import ImageClassifier
from mosec import Server, Worker

SETTINGS = json.loads(Path(os.environ["SETTINGS"]).read_text(encoding="utf-8"))


class Classify(Worker):
    """One worker, in a process of its own."""

    def __init__(self):
        self.classifier = ImageClassifier(SETTINGS)

    def deserialize(self, data):
        """The body is the file."""
        return data

    def forward(self, data):
        """Answers a batch."""
        labels, scores = self.classifier.classify(data)
        return [{"label": list(row), "score": best.tolist()} for row, best in zip(labels, scores, strict=True)]


if __name__ == "__main__":
    server = Server()
    server.append_worker(Classify, num=SETTINGS["workers"], max_batch_size=8)
    server.run()
