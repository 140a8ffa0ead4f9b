"""What no model can read fails alone: the server goes on, and the good requests of the same batches are answered."""

from __future__ import annotations

import random
import re
import shutil
import struct
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from numpy.typing import NDArray
from support.calls import ANSWER_SECONDS, Connection, connect, image_request, in_stream, status_of, text_request
from support.images import encoded
from support.server_process import ServerProcess

from tundish.bundle import Bundle, publish_bundle, read_single_bundle, staged_bundle
from tundish.manifest import Serving
from tundish_proto import open_inference_pb2 as oip
from tundish_proto.v1 import inference_pb2 as typed

ROUNDS = 20
"""Good and bad requests sent at once, of each."""

LINE = "The cat sat on the mat, and was not moved. "


@pytest.fixture(scope="module")
def server(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Serves the real models in batches up to four, whatever the exporter measured to be best on this machine.

    Whatever the requests have wrong is their callers' fault, and theirs to hear of: its log holds no traceback.
    """
    root = tmp_path_factory.mktemp("batching")
    for path in sorted(repository.glob("[!.]*")):
        republish(read_single_bundle(path / "1"), root, Serving(max_batch_size=4))
    with ServerProcess(root, "--instances", "1") as process:  # nothing is measured first
        yield process
        assert process.running, process.output
    assert "Traceback" not in process.output


def republish(bundle: Bundle, repository: Path, serving: Serving) -> None:
    with staged_bundle(repository, bundle.manifest.model) as staging:
        for file in bundle.manifest.files:
            shutil.copy(bundle.path(file), staging / file.path)
        publish_bundle(staging, bundle.manifest.model_copy(update={"serving": serving}))


@pytest.fixture
def real(server: ServerProcess) -> Iterator[Connection]:
    """To the real models."""
    with connect(server.url) as connection:
        yield connection


def oip_request(model: str, *tensors: tuple[str, str, Sequence[int], bytes]) -> oip.ModelInferRequest:
    """A request of raw tensors: name, datatype, shape and content of each."""
    request = oip.ModelInferRequest(model_name=model)
    for name, datatype, shape, raw in tensors:
        request.inputs.add(name=name, datatype=datatype, shape=shape)
        request.raw_input_contents.append(raw)
    return request


def oip_bytes(model: str, name: str, *items: bytes) -> oip.ModelInferRequest:
    content = b"".join(struct.pack("<I", len(item)) + item for item in items)
    return oip_request(model, (name, "BYTES", [len(items)], content))


def token_request(*rows: Sequence[int]) -> oip.ModelInferRequest:
    ids = np.array(rows, np.int64)
    tensors = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    return oip_request(
        "minilm.engine", *((name, "INT64", array.shape, array.tobytes()) for name, array in tensors.items())
    )


def hidden_states(response: oip.ModelInferResponse) -> NDArray[np.float32]:
    return np.frombuffer(response.raw_output_contents[0], np.float32).reshape(tuple(response.outputs[0].shape))


def side_by_side(good: tuple[Any, Any], bad: tuple[Any, Any]) -> tuple[list[Any], list[Any]]:
    """Sends a good and a bad request in turn, all at once; returns the calls when all have ended."""
    calls: tuple[list[Any], list[Any]] = ([], [])
    for _ in range(ROUNDS):
        for kept, (stub, request) in zip(calls, (good, bad), strict=True):
            kept.append(stub.future(request, timeout=ANSWER_SECONDS))
    for call in (*calls[0], *calls[1]):
        call.exception()
    return calls


def check_only_the_bad_failed(good: list[Any], bad: list[Any], code: str, said: str) -> None:
    assert {status_of(call) for call in good} == {(grpc.StatusCode.OK, "")}
    ((actual, message),) = {status_of(call) for call in bad}
    assert actual.name == code, message
    assert re.search(said, message), message


def check_shared_batches(good: list[Any]) -> None:
    """Batches take what came one behind the other: two good ones of one batch had a bad one between them."""
    assert max(call.result().stage_times.batch_size for call in good) > 1


def scores_of(response: typed.PredictResponse) -> dict[str, float]:
    return {label.name: label.score for label in response.image_classification.labels}


def broken_images(photograph: bytes) -> dict[str, tuple[bytes, str]]:
    """Content, and what is said of it."""
    shuffled = bytearray(photograph)
    random.Random(1).shuffle(shuffled)
    enormous = bytearray(photograph)
    frame = next(re.finditer(b"\xff[\xc0\xc2]\0", photograph)).start()  # of a baseline or a progressive JPEG
    enormous[frame + 5 : frame + 9] = struct.pack(">HH", 65_000, 65_000)
    return {
        "not an image": (b"%PDF-1.7 is no image", "none of JPEG, PNG, BMP, WEBP; it begins with 25 50 44 46"),
        "shuffled": (bytes(shuffled), "none of JPEG"),
        "truncated": (photograph[: len(photograph) // 2], "damaged"),
        "header only": (photograph[:frame], "damaged|none of"),
        "empty": (b"", "The image has no bytes"),
        "one byte": (b"\xff", "none of JPEG"),
        "enormous": (bytes(enormous), "65000 x 65000 pixels, the limit is 100000000"),
    }


@pytest.mark.parametrize("name", broken_images(encoded("red", "JPEG", (64, 64))))
def test_a_broken_image_fails_alone(real: Connection, photographs: list[Path], name: str) -> None:
    photograph = photographs[0].read_bytes()
    broken, said = broken_images(photograph)[name]
    predict = real.typed.Predict
    alone = predict(image_request("photo-labels", photograph))
    good, bad = side_by_side(
        (predict, image_request("photo-labels", photograph)), (predict, image_request("photo-labels", broken))
    )
    check_only_the_bad_failed(good, bad, "INVALID_ARGUMENT", said)
    check_shared_batches(good)
    for call in good:
        assert scores_of(call.result()) == pytest.approx(scores_of(alone), abs=1e-3)


def test_broken_images_in_a_stream_fail_alone(real: Connection, photographs: list[Path]) -> None:
    photograph = photographs[0].read_bytes()
    images = [photograph]
    for broken, _ in broken_images(photograph).values():
        images += [broken, photograph]
    requests = in_stream(*(image_request("photo-labels", image) for image in images))
    outcomes = [response.WhichOneof("outcome") for response in real.typed.PredictStream(requests)]
    assert outcomes == ["response" if image is photograph else "error" for image in images]


def test_a_header_of_65000_by_65000_pixels_costs_neither_time_nor_memory(
    server: ServerProcess, real: Connection, photographs: list[Path]
) -> None:
    def peak_bytes() -> int:
        status = Path(f"/proc/{server.pid}/status").read_text()
        (kilobytes,) = re.findall(r"VmHWM:\s+(\d+) kB", status)
        return int(kilobytes) * 1024

    enormous, _ = broken_images(photographs[0].read_bytes())["enormous"]
    before = peak_bytes()
    started = time.monotonic()
    calls = [real.typed.Predict.future(image_request("photo-labels", enormous)) for _ in range(4)]
    assert [call.code() for call in calls] == [grpc.StatusCode.INVALID_ARGUMENT] * 4
    assert time.monotonic() - started < 1
    # Four such images unpack to 50 GB.
    assert peak_bytes() - before < 200e6


def test_text_that_is_not_utf8_fails_alone(real: Connection) -> None:
    good, bad = side_by_side(
        (real.typed.Predict, text_request("minilm", LINE * 5)),
        (real.open_inference.ModelInfer, oip_bytes("minilm", "text", "Grüße".encode("latin-1"))),
    )
    check_only_the_bad_failed(good, bad, "INVALID_ARGUMENT", r"text\[0\]: The text is not UTF-8: byte 0xfc at")
    check_shared_batches(good)


def test_one_bad_text_of_a_request_is_named(real: Connection) -> None:
    request = oip_bytes("sentiment", "text", b"good", b"good", b"\xf0\x9f", b"good")
    with pytest.raises(grpc.RpcError) as caught:
        real.open_inference.ModelInfer(request)
    assert status_of(caught.value)[1].startswith("text[2]: The text is not UTF-8: byte 0xf0 at position 0")


@pytest.mark.parametrize("model", ["minilm", "sentiment"])
def test_a_megabyte_of_text_is_truncated_and_says_so(real: Connection, model: str) -> None:
    long = LINE * (2**20 // len(LINE))
    answers = [
        real.typed.Predict(text_request(model, text), timeout=ANSWER_SECONDS) for text in (long, long[: 2**15], LINE)
    ]
    results = [getattr(answer, answer.WhichOneof("result")) for answer in answers]
    assert [result.truncated for result in results] == [True, True, False]
    # What is beyond the limit has no say.
    assert results[0].SerializeToString() == results[1].SerializeToString()


def test_over_four_megabytes_of_text_are_refused_untouched(real: Connection) -> None:
    started = time.monotonic()
    with pytest.raises(grpc.RpcError) as caught:
        real.typed.Predict(text_request("minilm", LINE * (2**23 // len(LINE))), timeout=ANSWER_SECONDS)
    code, message = status_of(caught.value)
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert "the limit is 4194304" in message
    assert time.monotonic() - started < 1


def test_a_token_that_the_model_does_not_have_fails_alone(real: Connection) -> None:
    infer = real.open_inference.ModelInfer
    rows = np.random.default_rng(3).integers(1000, 20_000, (2, 32)).tolist()
    beyond = [*rows[0][:-1], 10_000_000]
    alone = hidden_states(infer(token_request(rows[0])))
    good, bad = side_by_side((infer, token_request(rows[0])), (infer, token_request(beyond)))
    check_only_the_bad_failed(good, bad, "INTERNAL", "row 0: The engine failed: .*indices element out of data bounds")
    for call in good:
        np.testing.assert_allclose(hidden_states(call.result()), alone, rtol=0, atol=1e-4)
    with pytest.raises(grpc.RpcError, match="row 1: The engine failed"):
        infer(token_request(rows[0], beyond, rows[1]))


def pixels(name: str = "pixel_values", datatype: str = "FP32", shape: Sequence[int] = (1, 3, 224, 224)) -> Any:
    size = {"FP32": 4, "INT64": 8, "UINT8": 1, "FLOAT": 4}[datatype]
    return name, datatype, shape, bytes(int(np.prod(shape)) * size)


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ([pixels("pixels")], r"takes the inputs \['pixel_values'\], got \['pixels'\]"),
        ([], r"takes the inputs \['pixel_values'\], got \[\]"),
        ([pixels(datatype="INT64")], "must be FP32, got INT64"),
        ([pixels(datatype="FLOAT")], "unknown datatype 'FLOAT'"),
        ([pixels(shape=(1, 3, 224, 225))], r"must have the shape \[batch, 3, 224, 224\], got \[1, 3, 224, 225\]"),
        ([pixels(shape=(3, 224, 224))], r"must have the shape \[batch, 3, 224, 224\], got \[3, 224, 224\]"),
        ([(*pixels()[:3], bytes(17))], "must have 602112 bytes, got 17"),
        ([(*pixels()[:3], bytes(602_113))], "must have 602112 bytes, got 602113"),
        ([("pixel_values", "FP32", [-1, 3, 224, 224], b"")], "negative size"),
        ([("pixel_values", "FP32", [2**62, 3, 224, 224], b"")], "must have [0-9]+ bytes, got 0"),
        ([("pixel_values", "FP32", [0, 2**62, 2**62], b"")], "shape"),
        ([("pixel_values", "FP32", [1] * 65, bytes(4))], "shape"),
    ],
)
def test_wrong_tensors_fail_alone(real: Connection, tensors: list[Any], said: str) -> None:
    infer = real.open_inference.ModelInfer
    good, bad = side_by_side(
        (infer, oip_request("photo-labels.engine", pixels())), (infer, oip_request("photo-labels.engine", *tensors))
    )
    check_only_the_bad_failed(good, bad, "INVALID_ARGUMENT", said)


def test_wrong_tensors_in_a_stream_fail_alone(real: Connection) -> None:
    good = oip_request("photo-labels.engine", pixels())
    unshapely = oip_request("photo-labels.engine", ("pixel_values", "FP32", [1] * 65, bytes(4)))
    short = oip_request("photo-labels.engine", (*pixels()[:3], bytes(17)))
    responses = list(real.open_inference.ModelStreamInfer(iter([good, short, unshapely, good])))
    assert [bool(response.error_message) for response in responses] == [False, True, True, False]


def test_more_elements_than_the_shape_says_fail_alone(real: Connection) -> None:
    infer = real.open_inference.ModelInfer
    pair = struct.pack("<I", 1) + b"a" + struct.pack("<I", 1) + b"b"
    good, bad = side_by_side(
        (infer, oip_bytes("sentiment", "text", b"good")),
        (infer, oip_request("sentiment", ("text", "BYTES", [1], pair))),
    )
    check_only_the_bad_failed(good, bad, "INVALID_ARGUMENT", r"of shape \[1\] must have 1 elements, got 2")


@pytest.mark.parametrize(
    ("model", "version", "said"),
    [
        ("nobody", "", "There is no model 'nobody'; there are minilm, photo-labels, sentiment."),
        ("sentiment", "7", "Model 'sentiment' has no version '7'; it has 1."),
        ("sentiment", "latest", "Model 'sentiment' has no version 'latest'; it has 1."),
        ("sentiment", "01234" * 1000, "Model 'sentiment' has no version"),
    ],
)
def test_unknown_models_and_versions_fail_alone(real: Connection, model: str, version: str, said: str) -> None:
    predict = real.typed.Predict
    good, bad = side_by_side(
        (predict, text_request("sentiment", "good")), (predict, text_request(model, "good", version=version))
    )
    check_only_the_bad_failed(good, bad, "NOT_FOUND", said)


def test_an_unknown_model_in_a_stream_fails_alone(real: Connection) -> None:
    requests = [
        text_request("sentiment", "good"),
        text_request("sentiment", "good", version="9" * 5000),
        text_request("nobody", "good"),
        text_request("sentiment", "good"),
    ]
    responses = list(real.typed.PredictStream(in_stream(*requests)))
    not_found = grpc.StatusCode.NOT_FOUND.value[0]
    assert [response.error.code for response in responses] == [0, not_found, not_found, 0]


def test_an_error_is_never_too_long_for_its_status_to_arrive(real: Connection) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        real.typed.Predict(text_request("nobody" * 5000, "good"))
    code, message = status_of(caught.value)
    assert code == grpc.StatusCode.NOT_FOUND
    assert message.startswith("There is no model 'nobody")
