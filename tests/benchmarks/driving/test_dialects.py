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

from tundish_bench.driving.asking import Expected
from tundish_bench.driving.connecting import ask_alone
from tundish_bench.driving.dialects import GRPC, GRPC_BYTES, HTTP, POST, Dialect
from tundish_bench.driving.outcomes import ANOTHER_ANSWER, ANSWER, DIFFERENT
from tundish_bench.driving.questions import Question, ask_engine, ask_pipeline
from tundish_bench.driving.wire import Reply
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
    assert GRPC.write([question]) == [request_of("labels", "image", np.array([[b"a file"]], np.object_))]
    assert question.item == b"a file"


ROW = np.arange(6, dtype=np.float32).reshape(1, 6)


def test_an_engine_is_asked_as_nvidias_client_asks() -> None:
    assert GRPC.write([ask_engine("labels", {"x": ROW})]) == [request_of("labels.engine", "x", ROW)]


def test_an_engine_may_be_asked_by_one_element_of_bytes() -> None:
    asked = GRPC_BYTES.write([ask_engine("labels", {"x": ROW})])
    assert asked == [request_of("labels.engine", "x", np.array([[ROW.tobytes()]], np.object_))]


def reply(*, datatype: str = "FP32", **outputs: bytes) -> Reply:
    """By gRPC."""
    tensors = [oip.ModelInferResponse.InferOutputTensor(name=name, datatype=datatype) for name in outputs]
    message = oip.ModelInferResponse(outputs=tensors, raw_output_contents=list(outputs.values()))
    return Reply(message.SerializeToString(), {})


LABELS = triton.serialize_byte_tensor(np.array(["first", "second"], np.object_)).item()
LOGITS = np.array([[-1, 3, 2]], np.float32)


def test_a_pipelines_answer_is_its_first_label() -> None:
    assert GRPC.answer(reply(score=b"\0" * 8, label=LABELS)) == "first"


def test_an_engines_answer_is_its_largest_logit() -> None:
    assert GRPC.answer(reply(logits=LOGITS.tobytes())) == "1"


def test_an_engine_may_answer_by_one_element_of_bytes() -> None:
    raw = triton.serialize_byte_tensor(np.array([[LOGITS.tobytes()]], np.object_)).item()
    assert GRPC_BYTES.answer(reply(datatype="BYTES", logits=raw)) == "1"


@pytest.mark.parametrize(
    ("dialect", "answer"),
    [
        (GRPC, Reply(b"no message", {})),
        (GRPC, Reply(b"", {})),
        (GRPC, reply(logits=b"123")),
        (HTTP, Reply(b'{"outputs": []}', {"inference-header-content-length": "15"})),
        (HTTP, Reply(b'{"outputs": [{"name": "x", "datatype": "FP32", "data": [1]}]}', {})),
        (POST, Reply(b"{}", {"content-type": "application/json"})),
        (POST, Reply(b"", {"content-type": "application/octet-stream"})),
    ],
)
def test_what_is_no_answer_is_none_and_not_as_expected(dialect: Dialect, answer: Reply) -> None:
    with pytest.raises(BenchmarkError, match="an answer cannot be read"):
        dialect.answer(answer)
    outcome = Expected(dialect, ("first",)).judge(0, answer)
    assert outcome.status == DIFFERENT
    assert outcome.says.startswith("an answer cannot be read")


def test_answers_are_held_against_those_of_their_questions() -> None:
    expected = Expected(GRPC, ("second", "first"))
    assert [expected.judge(index, reply(label=LABELS)) for index in (0, 1)] == [ANOTHER_ANSWER, ANSWER]


@pytest.mark.parametrize("array", [np.array([[b"a file"]], np.object_), ROW])
def test_over_http_the_request_is_that_of_nvidias_client(array: np.ndarray) -> None:
    datatype = "BYTES" if array.dtype == np.object_ else "FP32"
    tensor = triton_http.InferInput("image", list(array.shape), datatype)
    tensor.set_data_from_numpy(array)
    theirs, length = triton_http.InferenceServerClient.generate_request_body([tensor])
    (request,) = HTTP.write([Question("a/b", {"image": array})])
    assert not isinstance(request, bytes)
    assert request.path == "/v2/models/a%2Fb/infer"
    own_length = int(request.headers["Inference-Header-Content-Length"])
    assert request.body[own_length:] == theirs[length:]
    assert json.loads(request.body[:own_length])["inputs"] == json.loads(theirs[:length])["inputs"]


def test_the_same_server_answers_alike_by_grpc_and_http(server: ServerProcess, photographs: list[Path]) -> None:
    pixels = np.random.default_rng(0).normal(size=(1, 3, 224, 224)).astype(np.float32)
    questions = [
        ask_pipeline("photo-labels", "image", photographs[0].read_bytes()),
        ask_engine("photo-labels", {"pixel_values": pixels}),
    ]
    by_grpc = answers(server.url, GRPC, questions)
    assert answers(server.http_url, HTTP, questions) == by_grpc
    assert by_grpc[1].isdecimal()


def answers(url: str, dialect: Dialect, questions: list[Question]) -> tuple[str, ...]:
    asking = ask_alone(url, questions, dialect)
    assert asking.expected
    return asking.expected.answers


class Handler(BaseHTTPRequestHandler):
    """Answers with what it was sent, in JSON; an engine with numbers; refuses what says so, and to compress."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        engine = self.path.endswith(".engine")
        self.send_response(500 if body == b"refused" or self.headers["Accept-Encoding"] else 200)
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


def test_http_servers_are_asked_for_the_item() -> None:
    row = np.array([[0.5, -1, 2.5]], np.float32)
    questions = [
        ask_pipeline("any", "image", b"one"),
        ask_pipeline("other", "text", b"two"),
        ask_engine("any", {"x": row}),
    ]
    with http_server() as url:
        assert answers(url, POST, questions) == ("/any one", "/other two", "2")


def test_an_http_error_is_no_answer() -> None:
    with http_server() as url, pytest.raises(BenchmarkError, match=r"http://127\.0\.0\.1:\d+ did not answer: 500"):
        ask_alone(url, [ask_pipeline("any", "image", b"refused")], POST)


@pytest.mark.parametrize("dialect", [GRPC, POST])
def test_nobody_is_no_answer(dialect: Dialect) -> None:
    with pytest.raises(BenchmarkError, match=r"127\.0\.0\.1:1 did not answer"):
        ask_alone("127.0.0.1:1", [ask_pipeline("any", "image", b"")], dialect)
