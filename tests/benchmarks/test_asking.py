"""Questions and answers of the benchmarks, held against NVIDIA's client and a plain HTTP server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import tritonclient.grpc as triton
import tritonclient.http as triton_http
from support.server_process import ServerProcess

from tundish_bench.asking import answer_of, ask_alone, ask_engine, ask_pipeline, v2_http_of
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


def test_an_engine_may_answer_by_one_element_of_bytes() -> None:
    logits = np.array([-1, 3, 2], np.float32).tobytes()
    raw = triton.serialize_byte_tensor(np.array([[logits]], np.object_)).item()
    tensor = oip.ModelInferResponse.InferOutputTensor(name="logits", datatype="BYTES")
    assert answer_of(oip.ModelInferResponse(outputs=[tensor], raw_output_contents=[raw])) == "1"


def test_an_engine_may_be_asked_by_one_element_of_bytes() -> None:
    array = np.arange(6, dtype=np.float32).reshape(1, 6)
    asked = ask_engine("labels", {"x": array}).grpc("grpc-bytes")
    assert asked == request_of("labels.engine", "x", np.array([[array.tobytes()]], np.object_))


@pytest.mark.parametrize("array", [np.array([[b"a file"]], np.object_), np.arange(6, dtype=np.float32).reshape(1, 6)])
def test_over_http_the_request_is_that_of_nvidias_client(array: np.ndarray) -> None:
    datatype = "BYTES" if array.dtype == np.object_ else "FP32"
    tensor = triton_http.InferInput("image", list(array.shape), datatype)
    tensor.set_data_from_numpy(array)
    theirs, length = triton_http.InferenceServerClient.generate_request_body([tensor])
    question = ask_pipeline("any", "image", b"a file") if datatype == "BYTES" else ask_engine("any", {"image": array})
    headers, ours = v2_http_of(question)
    own_length = int(headers["Inference-Header-Content-Length"])
    assert ours[own_length:] == theirs[length:]
    assert json.loads(ours[:own_length])["inputs"] == json.loads(theirs[:length])["inputs"]


async def test_the_same_server_answers_alike_by_grpc_and_http(server: ServerProcess, photographs: list[Path]) -> None:
    pixels = np.random.default_rng(0).normal(size=(1, 3, 224, 224)).astype(np.float32)
    questions = [
        ask_pipeline("photo-labels", "image", photographs[0].read_bytes()),
        ask_engine("photo-labels", {"pixel_values": pixels}),
    ]
    by_grpc = await ask_alone(server.url, "grpc", questions)
    assert await ask_alone(server.http_url, "v2-http", questions) == by_grpc
    assert by_grpc[1].isdecimal()


class Handler(BaseHTTPRequestHandler):
    """Answers with what it was sent, in JSON; an engine with numbers; refuses what says so."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        engine = self.path.endswith(".engine")
        self.send_response(500 if body == b"refused" else 200)
        self.send_header("Content-Type", "application/octet-stream" if engine else "application/json")
        self.end_headers()
        self.wfile.write(body if engine else json.dumps({"label": [f"{self.path} {body.decode()}"]}).encode())

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


async def test_http_servers_are_asked_for_the_item() -> None:
    row = np.array([[0.5, -1, 2.5]], np.float32)
    questions = [
        ask_pipeline("any", "image", b"one"),
        ask_pipeline("other", "text", b"two"),
        ask_engine("any", {"x": row}),
    ]
    with http_server() as url:
        assert await ask_alone(url, "http", questions) == ("/any one", "/other two", "2")


async def test_an_http_error_is_no_answer() -> None:
    with http_server() as url, pytest.raises(BenchmarkError, match="did not answer: 500"):
        await ask_alone(url, "http", [ask_pipeline("any", "image", b"refused")])


async def test_nobody_is_no_answer() -> None:
    with pytest.raises(BenchmarkError, match=r"127\.0\.0\.1:1 did not answer"):
        await ask_alone("127.0.0.1:1", "http", [ask_pipeline("any", "image", b"")])
