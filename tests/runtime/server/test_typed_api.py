"""The typed API through its generated stubs, against a running server: results, streams, errors, health, reflection."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from support.bundles import LABELS
from support.calls import (
    ANSWER_SECONDS,
    Connection,
    connect,
    image_request,
    in_stream,
    status_of,
    text_request,
    top_label,
)
from support.images import COLORS, encoded
from support.server_process import ServerProcess
from support.slow_bundles import make_slow_bundle, occupy, slow_image

from tundish_proto import open_inference_pb2 as oip
from tundish_proto.v1 import inference_pb2 as typed

TYPED_SERVICE = "tundish_proto.v1.InferenceService"
OPEN_SERVICE = "inference.GRPCInferenceService"
JUNK = b"\xff\xff\xff\xff junk"


@pytest.fixture
def real(server: ServerProcess) -> Iterator[Connection]:
    """To the real models."""
    with connect(server.url) as connection:
        yield connection


@pytest.fixture
def hand_made(colors: ServerProcess) -> Iterator[Connection]:
    """To `colors`, in the versions 1 and 3."""
    with connect(colors.url) as connection:
        yield connection


def refusal(stub: Any, request: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        stub(request, timeout=ANSWER_SECONDS)
    return status_of(caught.value)


def check_times(times: typed.StageTimes, wall_nanoseconds: int) -> None:
    stages = (
        times.queue_nanoseconds,
        times.preprocess_nanoseconds,
        times.compute_nanoseconds,
        times.postprocess_nanoseconds,
    )
    assert all(stage > 0 for stage in stages), times
    assert sum(stages) < wall_nanoseconds
    assert times.batch_size == 1


def test_a_photograph_becomes_labels(real: Connection, photographs: list[Path]) -> None:
    started = time.monotonic_ns()
    response = real.typed.Predict(image_request("photo-labels", photographs[0].read_bytes(), "frame 7"))
    wall = time.monotonic_ns() - started
    assert (response.model_name, response.model_version, response.id) == ("photo-labels", "1", "frame 7")
    assert response.WhichOneof("result") == "image_classification"
    scores = [label.score for label in response.image_classification.labels]
    assert len(scores) == 5
    assert scores == sorted(scores, reverse=True)
    assert 0 < sum(scores) <= 1 + 1e-6
    check_times(response.stage_times, wall)


def test_a_text_becomes_labels(real: Connection) -> None:
    started = time.monotonic_ns()
    response = real.typed.Predict(text_request("sentiment", "a fine day", "Prüfling 7"))
    wall = time.monotonic_ns() - started
    assert (response.model_name, response.model_version, response.id) == ("sentiment", "1", "Prüfling 7")
    assert response.WhichOneof("result") == "text_classification"
    assert not response.text_classification.truncated
    labels = response.text_classification.labels
    assert {label.name for label in labels} == {"negative", "neutral", "positive"}
    assert math.isclose(sum(label.score for label in labels), 1, abs_tol=1e-6)
    check_times(response.stage_times, wall)


def test_a_text_becomes_a_vector(real: Connection) -> None:
    started = time.monotonic_ns()
    response = real.typed.Predict(text_request("minilm", "a fine day"))
    wall = time.monotonic_ns() - started
    assert (response.model_name, response.model_version, response.id) == ("minilm", "1", "")
    assert response.WhichOneof("result") == "feature_extraction"
    assert list(response.feature_extraction.shape) == [384]
    assert len(response.feature_extraction.values) == 384
    assert math.isclose(np.linalg.norm(response.feature_extraction.values), 1, abs_tol=1e-6)
    check_times(response.stage_times, wall)


@pytest.mark.parametrize("color", LABELS)
@pytest.mark.parametrize("form", ["PNG", "BMP", "WEBP"])
def test_scores_are_what_the_network_computes(hand_made: Connection, color: str, form: str) -> None:
    image = encoded(color, form) if form != "WEBP" else encoded(color, form, (64, 64))
    response = hand_made.typed.Predict(image_request("colors", image))
    logits = np.array(COLORS[color], np.float64) / 255 * 10
    expected = dict(zip(LABELS, np.exp(logits) / np.exp(logits).sum(), strict=True))
    answered = {label.name: label.score for label in response.image_classification.labels}
    # WebP as it is saved here loses a little of the colour.
    assert answered == pytest.approx(expected, abs=1e-6 if form != "WEBP" else 1e-3)
    assert top_label(response) == color


@pytest.mark.parametrize(("version", "answering"), [("", "3"), ("1", "1"), ("3", "3")])
def test_the_version_asked_for_answers_or_else_the_highest(hand_made: Connection, version: str, answering: str) -> None:
    response = hand_made.typed.Predict(image_request("colors", encoded("red"), version=version))
    assert response.model_version == answering


def test_a_stream_answers_in_the_order_of_its_requests(hand_made: Connection) -> None:
    colors = [LABELS[index * index % 3] for index in range(300)]
    requests = (image_request("colors", encoded(color), str(index)) for index, color in enumerate(colors))
    responses = list(hand_made.typed.PredictStream(in_stream(*requests)))
    assert [response.id for response in responses] == [str(index) for index in range(300)]
    assert [response.response.id for response in responses] == [str(index) for index in range(300)]
    assert [top_label(response.response) for response in responses] == colors


def test_many_streams_side_by_side_keep_their_own_answers(hand_made: Connection) -> None:
    streams = {
        color: hand_made.typed.PredictStream(
            in_stream(*(image_request("colors", encoded(color), f"{color} {index}") for index in range(50)))
        )
        for color in LABELS
    }
    for color, stream in streams.items():
        responses = list(stream)
        assert [response.id for response in responses] == [f"{color} {index}" for index in range(50)]
        assert {top_label(response.response) for response in responses} == {color}


def test_a_stream_tells_what_failed_and_goes_on(hand_made: Connection) -> None:
    requests = [
        image_request("colors", encoded("red"), "0"),
        image_request("colors", b"no image", "1"),
        image_request("colours", encoded("red"), "2"),
        image_request("colors", encoded("red"), "3", version="2"),
        text_request("colors", "red", "4"),
        typed.PredictRequest(model_name="colors", id="5"),
        image_request("colors", encoded("blue"), "6"),
    ]
    responses = list(hand_made.typed.PredictStream(in_stream(*requests)))
    assert [response.id for response in responses] == list("0123456")
    assert [response.WhichOneof("outcome") for response in responses] == ["response", *["error"] * 5, "response"]
    assert [top_label(response.response) for response in (responses[0], responses[-1])] == ["red", "blue"]
    invalid, unknown = grpc.StatusCode.INVALID_ARGUMENT.value[0], grpc.StatusCode.NOT_FOUND.value[0]
    assert [response.error.code for response in responses[1:-1]] == [invalid, unknown, unknown, invalid, invalid]
    for response, said in zip(
        responses[1:-1],
        [
            "The image is none of JPEG, PNG, BMP, WEBP",
            "There is no model 'colours'; there are colors.",
            "Model 'colors' has no version '2'; it has 1, 3.",
            "it takes image, not text",
            "The request has no input; model 'colors' takes image.",
        ],
        strict=True,
    ):
        assert said in response.error.message


@pytest.mark.parametrize(
    ("request_", "code", "said"),
    [
        (text_request("colors", "red"), "INVALID_ARGUMENT", "'colors' does image-classification: it takes image"),
        (typed.PredictRequest(model_name="colors"), "INVALID_ARGUMENT", "no input; model 'colors' takes image"),
        (image_request("colors", b""), "INVALID_ARGUMENT", "The image has no bytes"),
        (image_request("colours", encoded("red")), "NOT_FOUND", "There is no model 'colours'; there are colors."),
        (image_request("", encoded("red")), "NOT_FOUND", "There is no model ''; there are colors."),
        (image_request("colors.engine", encoded("red")), "NOT_FOUND", "There is no model 'colors.engine'"),
        (image_request("colors", encoded("red"), version="2"), "NOT_FOUND", "has no version '2'; it has 1, 3."),
        (image_request("colors", encoded("red"), version="-1"), "NOT_FOUND", "has no version '-1'"),
        (image_request("colors", encoded("red"), version="٣"), "NOT_FOUND", "has no version '٣'"),
        (image_request("colors", encoded("red"), version="9" * 5000), "NOT_FOUND", "has no version"),
    ],
)
def test_refusals_say_what_was_wrong(
    hand_made: Connection, request_: typed.PredictRequest, code: str, said: str
) -> None:
    actual, message = refusal(hand_made.typed.Predict, request_)
    assert actual.name == code
    assert said in message
    assert top_label(hand_made.typed.Predict(image_request("colors", encoded("green")))) == "green"


def test_an_image_to_a_text_model_is_refused(real: Connection) -> None:
    code, message = refusal(real.typed.Predict, image_request("sentiment", encoded("red")))
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert "'sentiment' does text-classification: it takes text, not image." in message


@pytest.mark.parametrize("method", [f"/{TYPED_SERVICE}/Predict", f"/{OPEN_SERVICE}/ModelInfer"])
@pytest.mark.parametrize(
    "junk",
    [
        JUNK,
        encoded("red"),
        image_request("colors", encoded("red")).SerializeToString()[:-1],
        b"\x0a\x02\xff\xff",  # field 1, a string of both protocols, that is not UTF-8
    ],
)
def test_bytes_that_are_no_message_are_an_invalid_argument(hand_made: Connection, method: str, junk: bytes) -> None:
    code, message = refusal(hand_made.channel.unary_unary(method), junk)
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert "not a message of this method" in message
    assert top_label(hand_made.typed.Predict(image_request("colors", encoded("green")))) == "green"


def test_bytes_that_are_no_message_answer_in_band_on_a_typed_stream(hand_made: Connection) -> None:
    good = next(in_stream(image_request("colors", encoded("blue"), "good"))).SerializeToString()
    stream = hand_made.channel.stream_stream(
        f"/{TYPED_SERVICE}/PredictStream", response_deserializer=typed.PredictStreamResponse.FromString
    )
    responses = list(stream(iter([good, JUNK, good])))
    assert [response.id for response in responses] == ["good", "", "good"]
    assert responses[1].error.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert "not a message of this method" in responses[1].error.message
    assert top_label(responses[2].response) == "blue"


def test_bytes_that_are_no_message_answer_in_band_on_a_tensor_stream(hand_made: Connection) -> None:
    request = oip.ModelInferRequest(model_name="colors", id="good")
    request.inputs.add(name="image", datatype="BYTES", shape=[1]).contents.bytes_contents.append(encoded("blue"))
    good = request.SerializeToString()
    stream = hand_made.channel.stream_stream(
        f"/{OPEN_SERVICE}/ModelStreamInfer", response_deserializer=oip.ModelStreamInferResponse.FromString
    )
    responses = list(stream(iter([good, JUNK, good])))
    assert [response.infer_response.id for response in responses] == ["good", "", "good"]
    assert ["not a message of this method" in response.error_message for response in responses] == [False, True, False]


def test_methods_that_are_not_there_are_unimplemented(hand_made: Connection) -> None:
    code, _ = refusal(hand_made.channel.unary_unary(f"/{TYPED_SERVICE}/Generate"), b"")
    assert code == grpc.StatusCode.UNIMPLEMENTED


@pytest.fixture(scope="module")
def slow_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("slow")
    make_slow_bundle(root, max_batch_size=4)
    return root


def test_requests_that_wait_together_run_together(slow_repository: Path) -> None:
    with ServerProcess(slow_repository, "--instances", "1") as process, connect(process.url) as connection:
        predict = connection.typed.Predict
        head = occupy(process, predict, 0.5)
        sent = time.monotonic_ns()
        behind = [predict.future(image_request("slow", encoded(LABELS[index % 3]))) for index in range(6)]
        responses = [call.result(ANSWER_SECONDS) for call in behind]
        wall = time.monotonic_ns() - sent
        compute = head.result(ANSWER_SECONDS).stage_times.compute_nanoseconds
    assert [top_label(response) for response in responses] == [*LABELS, *LABELS]
    assert head.result().stage_times.batch_size == 1
    assert [response.stage_times.batch_size for response in responses] == [4, 4, 4, 4, 2, 2]
    for response in responses:
        # They waited for the head, whose work had only just begun when they came.
        assert compute / 2 < response.stage_times.queue_nanoseconds < wall
        assert response.stage_times.compute_nanoseconds < compute / 2
    # A stage of a batch counts in full for each of its items.
    assert len({response.stage_times.compute_nanoseconds for response in responses[:4]}) == 1


def test_a_quick_answer_waits_for_the_slow_one_before_it_in_its_stream(tmp_path: Path) -> None:
    make_slow_bundle(tmp_path, max_batch_size=1)  # else both may come in time to share a batch
    with ServerProcess(tmp_path, "--instances", "2") as process, connect(process.url) as connection:
        pair = [image_request("slow", slow_image(0.4), "slow"), image_request("slow", encoded("blue"), "quick")]
        responses = list(connection.typed.PredictStream(in_stream(*pair)))
    assert [response.id for response in responses] == ["slow", "quick"]
    slow, quick = (response.response.stage_times for response in responses)
    # Two instances: the second did not wait for the work, only for its turn to be told.
    assert quick.batch_size == 1
    assert quick.queue_nanoseconds < slow.compute_nanoseconds / 2


def test_reflection_tells_every_service_and_message(hand_made: Connection) -> None:
    database = ProtoReflectionDescriptorDatabase(hand_made.channel)
    assert set(database.get_services()) == {
        TYPED_SERVICE,
        OPEN_SERVICE,
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    pool = DescriptorPool(database)
    typed_service = pool.FindServiceByName(TYPED_SERVICE)
    assert {method.name: (method.client_streaming, method.server_streaming) for method in typed_service.methods} == {
        "Predict": (False, False),
        "PredictStream": (True, True),
    }
    response = typed_service.methods_by_name["Predict"].output_type
    assert [field.name for field in response.oneofs_by_name["result"].fields] == [
        "image_classification",
        "text_classification",
        "feature_extraction",
        "object_detection",
        "token_classification",
        "image_segmentation",
        "text_ranking",
        "question_answering",
        "fill_mask",
        "sentence_similarity",
        "visual_question_answering",
        "document_question_answering",
        "text_detection",
        "text_recognition",
        "document_reading",
    ]
    infer = pool.FindServiceByName(OPEN_SERVICE).methods_by_name["ModelInfer"]
    assert infer.input_type.fields_by_name["raw_input_contents"].number == 7
    # Its message stands in a file that the service's file imports.
    assert "dynamic_batching" in pool.FindMessageTypeByName("inference.ModelConfig").fields_by_name
    assert "Check" in pool.FindServiceByName("grpc.health.v1.Health").methods_by_name
