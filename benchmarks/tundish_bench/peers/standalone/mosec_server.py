"""Models served by mosec: a POST of an item to `/MODEL` is answered by its labels with scores, as JSON.

A bare network's item is its float32, and so is the answer. `SETTINGS` names the file of what is to be served, and how.
"""

# mypy: ignore-errors
# Its imports exist in the peer's environment only: what they look like in ours, if they are there, is not what runs.

from __future__ import annotations

import json
import os
from pathlib import Path

from mosec import Runtime, Server, Worker
from served_models import http_answers, load_model

SETTINGS = json.loads(Path(os.environ["SETTINGS"]).read_text(encoding="utf-8"))


class Classify(Worker):
    """One worker, in a process of its own; `MODEL` there names what it serves."""

    def __init__(self):
        self.model = load_model(SETTINGS["models"][os.environ["MODEL"]])
        self.batched = SETTINGS["max_batch_size"] > 1

    def deserialize(self, data):
        """The body is the item."""
        return data

    def forward(self, data):
        """Answers a batch; where there are none, mosec hands over the item itself."""
        return http_answers(self.model, data) if self.batched else http_answers(self.model, [data])[0]


class Compute(Classify):
    """The same for a bare network."""

    resp_mime_type = "application/octet-stream"

    def serialize(self, data):
        """The answer is the body."""
        return data


def runtime_of(name, settings):
    """The workers of a model, and how they batch."""
    return Runtime(
        Compute if settings["reads"] == "tensor" else Classify,
        num=SETTINGS["workers"],
        max_batch_size=SETTINGS["max_batch_size"],
        max_wait_time=SETTINGS["max_wait_milliseconds"],
        timeout=SETTINGS["timeout_seconds"],
        env=[{"MODEL": name}] * SETTINGS["workers"],
    )


if __name__ == "__main__":
    server = Server()
    server.register_runtime({f"/{name}": [runtime_of(name, each)] for name, each in SETTINGS["models"].items()})
    server.run()
