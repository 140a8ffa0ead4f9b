"""Questions and answers of the benchmarks, held against NVIDIA's client and a plain HTTP server."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import numpy as np
import pytest
import tritonclient.grpc as triton

from tundish_bench.asking import Protocol, answer_of, ask_alone, ask_engine, ask_pipeline
from tundish_bench.errors import BenchmarkError
from tundish_proto import open_inference_pb2 as oip


def request_of(model: str, name: str, array: np.ndarray) -> bytes:
    """What NVIDIA's client sends."""
    datatype = "BYTES" if array.dtype == np.object_ else triton.np_to_triton_dtype(array.dtype)
    tensor = triton.InferInput(name, list(array.shape), datatype)
    tensor.set_data_from_numpy(array)
    return oip.ModelInferRequest(
        model_name=model,
        inputs=[oip.ModelInferRequest.InferInputTensor(name=name, datatype=datatype, shape=array.shape)],
        raw_input_contents=[tensor._get_content()],
    ).SerializeToString(deterministic=True)


def test_a_pipeline_is_asked_as_nvidias_client_asks() -> None:
    question = ask_pipeline("labels", "image", b"a file")
    assert question.message == request_of("labels", "image", np.array([[b"a file"]], np.object_))
    assert question.body == b"a file"


def test_an_engine_is_asked_as_nvidias_client_asks() -> None:
    array = np.arange(6, dtype=np.float32).reshape(1, 6)
    assert ask_engine("labels", {"x": array}).message == request_of("labels.engine", "x", array)


def response(**outputs: bytes) -> oip.ModelInferResponse:
    tensors = [oip.ModelInferResponse.InferOutputTensor(name=name) for name in outputs]
    return oip.ModelInferResponse(outputs=tensors, raw_output_contents=list(outputs.values()))


def test_a_pipelines_answer_is_its_first_label() -> None:
    labels = triton.serialize_byte_tensor(np.array(["first", "second"], np.object_)).item()
    assert answer_of(response(score=b"\0" * 8, label=labels)) == "first"


def test_an_engines_answer_is_its_largest_logit() -> None:
    assert answer_of(response(logits=np.array([[-1, 3, 2]], np.float32).tobytes())) == "1"


class Handler(BaseHTTPRequestHandler):
    """Answers with what it was sent; refuses what says so."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Content-Type"] == "application/json":
            body = base64.b64decode(json.loads(body)["image_data"])
        self.send_response(500 if body == b"refused" else 200)
        self.end_headers()
        self.wfile.write(json.dumps({"label": [f"{self.path} {body.decode()}"]}).encode())

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def http_server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("protocol", ["http", "http-base64"])
async def test_http_servers_are_asked_for_the_item(protocol: Protocol) -> None:
    questions = [ask_pipeline("any", "image", item) for item in (b"one", b"two")]
    with http_server() as url:
        assert await ask_alone(url, protocol, questions) == ("/inference one", "/inference two")


async def test_an_http_error_is_no_answer() -> None:
    with http_server() as url, pytest.raises(BenchmarkError, match="did not answer: 500"):
        await ask_alone(url, "http", [ask_pipeline("any", "image", b"refused")])


async def test_nobody_is_no_answer() -> None:
    with pytest.raises(BenchmarkError, match=r"127\.0\.0\.1:1 did not answer"):
        await ask_alone("127.0.0.1:1", "http", [ask_pipeline("any", "image", b"")])
