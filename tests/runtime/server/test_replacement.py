"""A request that has found a model just before it was replaced is answered by its successor, at every front."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.bundles import make_bundle
from support.calls import image_request, in_stream, stream_of, tensor_request, top_label
from support.images import encoded

import tundish
from tundish.errors import StoppingError
from tundish.model import Model
from tundish.runtime import Runtime
from tundish.server.admission import Admission
from tundish.server.open_inference.inference import InferenceMethods
from tundish.server.open_inference.requests import parse_request
from tundish.server.shared_memory import SharedMemory
from tundish.server.typed import TypedFront
from tundish.server.waiting import on_loop
from tundish_proto import open_inference_pb2 as oip
from tundish_proto.v1 import inference_pb2 as typed

IMAGE = encoded("red")
ASKED = parse_request(tensor_request("colors", IMAGE).SerializeToString())
CONTEXT: Any = SimpleNamespace(time_remaining=lambda: None, invocation_metadata=tuple)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("replaced")
    make_bundle(root)
    return root


@pytest.fixture(scope="module")
def replaced(repository: Path) -> Model:
    """One that is closed."""
    with tundish.open(repository, instances=1) as runtime:
        return runtime.model("colors")


@pytest.fixture
def runtime(repository: Path, replaced: Model, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    """Whose first request finds the model that is closed by the time it asks."""
    with tundish.open(repository, instances=1) as made:
        found = [replaced, made.model("colors")]
        monkeypatch.setattr(made, "model", lambda *_: found.pop(0) if len(found) > 1 else found[0])
        yield made


def first_label(response: oip.ModelInferResponse) -> bytes:
    labels = response.raw_output_contents[[output.name for output in response.outputs].index("label")]
    return labels[4 : 4 + int.from_bytes(labels[:4], "little")]


def test_in_process(runtime: Runtime) -> None:
    assert runtime.predict("colors", image=IMAGE).result.labels[0].name == "red"  # type: ignore[union-attr]


def test_typed(runtime: Runtime) -> None:
    front = TypedFront(runtime, Admission())
    response = asyncio.run(on_loop(front.Predict(image_request("colors", IMAGE), None)))
    assert top_label(response) == "red"


def test_typed_on_a_stream(runtime: Runtime) -> None:
    (message,) = in_stream(image_request("colors", IMAGE))

    async def ask() -> typed.PredictStreamResponse:
        return await anext(TypedFront(runtime, Admission()).PredictStream(stream_of(message), CONTEXT))

    assert top_label(asyncio.run(ask()).response) == "red"


def test_open_inference(runtime: Runtime) -> None:
    front = InferenceMethods(runtime, Admission(), SharedMemory(enabled=False))
    assert first_label(asyncio.run(on_loop(front.ModelInfer(ASKED, None)))) == b"red"


def test_open_inference_on_a_stream(runtime: Runtime) -> None:
    async def ask() -> oip.ModelStreamInferResponse:
        front = InferenceMethods(runtime, Admission(), SharedMemory(enabled=False))
        return await anext(front.ModelStreamInfer(stream_of(ASKED), CONTEXT))

    assert first_label(asyncio.run(ask()).infer_response) == b"red"


def test_one_that_nothing_replaces_is_asked_no_further(
    runtime: Runtime, replaced: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "model", lambda *_: replaced)
    with pytest.raises(StoppingError):
        runtime.predict("colors", image=IMAGE)
