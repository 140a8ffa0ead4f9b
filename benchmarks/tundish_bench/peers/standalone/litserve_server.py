"""Models served by LitServe: a POST of an item to `/MODEL` is answered by its labels with scores, as JSON.

By itself, LitServe reads bodies of JSON and forms, so that files come in base64. It hands FastAPI the type that
`decode_request` asks for, and so can have the body as it is. A bare network's item is its float32, and so is the
answer. `SETTINGS` names the file of what is to be served, and how.
"""

# mypy: ignore-errors
# Its imports exist in the peer's environment only: what they look like in ours, if they are there, is not what runs.

import json
import os
from pathlib import Path
from typing import Annotated

import litserve
from fastapi import Depends, Request, Response
from served_models import http_answers, load_model


async def body_of(request: Request) -> bytes:
    """The body as it is."""
    return await request.body()


class Serve(litserve.LitAPI):
    """What each worker, a process of its own, does."""

    def __init__(self, settings, **options):
        super().__init__(**options)
        self.settings = settings

    def setup(self, device):  # noqa: ARG002  # the name is LitServe's
        """Loads the model."""
        self.model = load_model(self.settings)

    def decode_request(self, request: Annotated[bytes, Depends(body_of)]):
        """The item, which is the body."""
        return request

    def batch(self, inputs):
        """The items as they are: they are stacked when they are decoded."""
        return inputs

    def predict(self, x):
        """Answers a batch; where there are none, LitServe hands over the item itself."""
        return http_answers(self.model, x) if self.max_batch_size > 1 else http_answers(self.model, [x])[0]

    def unbatch(self, output):
        """The answers one by one."""
        return output

    def encode_response(self, output):
        """The answer as it is."""
        return Response(output, media_type="application/octet-stream") if isinstance(output, bytes) else output


if __name__ == "__main__":
    SETTINGS = json.loads(Path(os.environ["SETTINGS"]).read_text(encoding="utf-8"))
    apis = [
        Serve(
            settings,
            max_batch_size=SETTINGS["max_batch_size"],
            batch_timeout=SETTINGS["max_wait_milliseconds"] / 1e3,
            api_path=f"/{name}",
        )
        for name, settings in SETTINGS["models"].items()
    ]
    server = litserve.LitServer(
        apis, accelerator="cpu", workers_per_device=SETTINGS["workers"], timeout=SETTINGS["timeout_seconds"]
    )
    server.run(host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning", generate_client_file=False)
