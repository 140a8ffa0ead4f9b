"""What counts as an answer of the protocol: read from bytes as servers, and what stands before them, send them."""

from __future__ import annotations

import json

import pytest

from tundish_bench.driving.asking import WellFormed
from tundish_bench.driving.endpoint import WireName
from tundish_bench.driving.outcomes import ANSWER, MALFORMED
from tundish_bench.driving.wire import Reply
from tundish_proto import open_inference_pb2 as oip

OUTPUT = {"name": "y", "datatype": "FP32", "shape": [1], "data": [0.5]}
NAMED = json.dumps({"model_name": "m", "outputs": [OUTPUT]}).encode()
BINARY = json.dumps({"outputs": [{"name": "y", "parameters": {"binary_data_size": 4}}]}).encode()
MESSAGE = oip.ModelInferResponse(model_name="m")
MESSAGE.outputs.add(name="y", datatype="FP32", shape=[1])


@pytest.mark.parametrize(
    ("wire", "body", "headers"),
    [
        ("http", NAMED, {}),
        ("http", BINARY + b"\0\0\0\0", {"inference-header-content-length": str(len(BINARY))}),
        ("grpc", MESSAGE.SerializeToString(), {}),
    ],
)
def test_what_names_outputs_is_an_answer(wire: WireName, body: bytes, headers: dict[str, str]) -> None:
    assert WellFormed(wire).judge(0, Reply(body, headers)) == ANSWER


@pytest.mark.parametrize(
    ("wire", "body", "reason"),
    [
        ("http", b"<html>502 \xff</html>", "UnicodeDecodeError in reading it"),
        ("http", b"<html>502</html>", "JSONDecodeError in reading it"),
        ("http", b"[]", "TypeError in reading it"),
        ("http", b"[" * 60_000, "RecursionError in reading it"),
        ("http", b"{}", "KeyError in reading it"),
        ("http", b'{"model_name": "m", "outputs": []}', "it has no outputs"),
        ("grpc", b"", "it has no outputs"),
        ("grpc", b"\xff\xff", "DecodeError in reading it"),
    ],
)
def test_what_does_not_is_none(wire: WireName, body: bytes, reason: str) -> None:
    outcome = WellFormed(wire).judge(0, Reply(body, {}))
    assert outcome == (MALFORMED, f"what came is no answer of the protocol: {reason}")


def test_of_large_answers_some_are_read() -> None:
    judged = [WellFormed("http").judge(index, Reply(bytes(100_000), {})) for index in range(32)]
    assert [index for index, outcome in enumerate(judged) if outcome.status == MALFORMED] == [0, 16]
