"""NVIDIA's client, unmodified, against a running server: the surface of the Open Inference Protocol."""

from __future__ import annotations

import queue
import re
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from numpy.typing import NDArray
from support.bundles import LABELS, SIZE
from support.images import encoded
from support.server_process import ServerProcess
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException


def image_input(*images: bytes, shape: list[int] | None = None) -> triton.InferInput:
    tensor = triton.InferInput("image", shape or [len(images), 1], "BYTES")
    tensor.set_data_from_numpy(np.array(images, np.object_).reshape(shape or [len(images), 1]))
    return tensor


def pixel_input(*rows: tuple[float, float, float], name: str = "pixel_values") -> triton.InferInput:
    array = np.array(rows, np.float32)[:, :, np.newaxis, np.newaxis].repeat(SIZE, 2).repeat(SIZE, 3)
    tensor = triton.InferInput(name, list(array.shape), "FP32")
    tensor.set_data_from_numpy(array)
    return tensor


def status_of(call: Any, *arguments: Any, **keywords: Any) -> tuple[str, str]:
    with pytest.raises(InferenceServerException) as caught:
        call(*arguments, **keywords)
    return caught.value.status().removeprefix("StatusCode."), caught.value.message()


def top(response: Any) -> list[str]:
    labels: NDArray[Any] = response.as_numpy("label")
    return [label.decode() for label in labels[:, 0]]


def test_live_ready_and_metadata(client: triton.InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    metadata = client.get_server_metadata(as_json=True)
    assert metadata["name"] == "tundish"
    assert "statistics" in metadata["extensions"]
    assert "system_shared_memory" not in metadata["extensions"]  # which must be switched on


@pytest.mark.parametrize(
    ("name", "version", "ready"),
    [
        ("colors", "", True),
        ("colors", "1", True),
        ("colors", "3", True),
        ("colors.engine", "3", True),
        ("colors", "2", False),
        ("colors", "three", False),
        ("colours", "", False),
    ],
)
def test_model_ready(client: triton.InferenceServerClient, name: str, version: str, ready: bool) -> None:
    assert client.is_model_ready(name, version) == ready


def test_the_pipeline_describes_itself(client: triton.InferenceServerClient) -> None:
    metadata = client.get_model_metadata("colors", as_json=True)
    assert metadata["versions"] == ["1", "3"]
    assert metadata["inputs"] == [{"name": "image", "datatype": "BYTES", "shape": ["-1", "1"]}]
    assert metadata["outputs"] == [
        {"name": "label", "datatype": "BYTES", "shape": ["-1", "3"]},
        {"name": "score", "datatype": "FP32", "shape": ["-1", "3"]},
    ]


def test_the_engine_describes_itself(client: triton.InferenceServerClient) -> None:
    metadata = client.get_model_metadata("colors.engine", as_json=True)
    assert metadata["name"] == "colors.engine"
    assert metadata["inputs"] == [{"name": "pixel_values", "datatype": "FP32", "shape": ["-1", "3", "4", "4"]}]
    assert metadata["outputs"] == [{"name": "logits", "datatype": "FP32", "shape": ["-1", "3"]}]


@pytest.mark.parametrize("name", ["colors", "colors.engine"])
def test_configuration_agrees_with_metadata(client: triton.InferenceServerClient, name: str) -> None:
    config = client.get_model_config(name).config
    metadata = client.get_model_metadata(name)
    assert config.name == name
    assert config.max_batch_size > 1
    assert config.HasField("dynamic_batching")
    for configured, described in (
        *zip(config.input, metadata.inputs, strict=True),
        *zip(config.output, metadata.outputs, strict=True),
    ):
        assert configured.name == described.name
        assert [-1, *configured.dims] == list(described.shape)


def test_images_become_labels(client: triton.InferenceServerClient) -> None:
    response = client.infer("colors", [image_input(encoded("green"), encoded("blue", "JPEG"))], request_id="7")
    assert top(response) == ["green", "blue"]
    scores = response.as_numpy("score")
    assert scores.shape == (2, 3)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores.sum(1), 1, rtol=1e-6)
    assert response.get_response().id == "7"
    assert response.get_response().model_version == "3"


def test_one_dimensional_images_are_taken_too(client: triton.InferenceServerClient) -> None:
    assert top(client.infer("colors", [image_input(encoded("red"), shape=[1])])) == ["red"]


def test_more_items_than_an_engine_runs_at_once(client: triton.InferenceServerClient) -> None:
    colors = [LABELS[index % 3] for index in range(30)]
    assert top(client.infer("colors", [image_input(*map(encoded, colors))])) == colors


def test_the_engine_takes_raw_tensors(client: triton.InferenceServerClient) -> None:
    response = client.infer("colors.engine", [pixel_input((1, 2, 3), (6, 5, 4))], "1")
    np.testing.assert_allclose(response.as_numpy("logits"), [[10, 20, 30], [60, 50, 40]], rtol=1e-6)
    assert response.get_response().model_version == "1"


def test_the_engine_takes_typed_contents(colors: ServerProcess) -> None:
    request = service_pb2.ModelInferRequest(model_name="colors.engine")
    tensor = request.inputs.add(name="pixel_values", datatype="FP32", shape=[1, 3, SIZE, SIZE])
    tensor.contents.fp32_contents.extend([value for value in (1.0, 2.0, 3.0) for _ in range(SIZE * SIZE)])
    with grpc.insecure_channel(colors.url) as channel:
        response = service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer(request)
    np.testing.assert_allclose(np.frombuffer(response.raw_output_contents[0], np.float32), [10, 20, 30], rtol=1e-6)


def test_only_the_outputs_that_are_asked_for_come_in_that_order(client: triton.InferenceServerClient) -> None:
    wanted = [triton.InferRequestedOutput(name) for name in ("score", "label")]
    response = client.infer("colors", [image_input(encoded("red"))], outputs=wanted)
    assert [output.name for output in response.get_response().outputs] == ["score", "label"]
    assert top(response) == ["red"]
    alone = client.infer("colors", [image_input(encoded("red"))], outputs=wanted[:1])
    assert [output.name for output in alone.get_response().outputs] == ["score"]


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_compressed_messages(client: triton.InferenceServerClient, algorithm: str) -> None:
    response = client.infer("colors", [image_input(encoded("blue"))], compression_algorithm=algorithm)
    assert top(response) == ["blue"]


def test_callbacks(client: triton.InferenceServerClient) -> None:
    answers: queue.Queue[tuple[Any, Any]] = queue.Queue()
    for color in LABELS:
        client.async_infer("colors", [image_input(encoded(color))], lambda result, error: answers.put((result, error)))
    outcomes = [answers.get(timeout=10) for _ in LABELS]
    assert [error for _, error in outcomes] == [None] * 3
    assert sorted(label for result, _ in outcomes for label in top(result)) == sorted(LABELS)


def test_a_stream_answers_in_order_and_survives_errors(client: triton.InferenceServerClient) -> None:
    answers: queue.Queue[tuple[Any, Any]] = queue.Queue()
    client.start_stream(lambda result, error: answers.put((result, error)))
    images = [encoded("red"), b"no image", encoded("green"), encoded("blue")]
    for index, image in enumerate(images):
        client.async_stream_infer("colors", [image_input(image)], request_id=str(index))
    outcomes = [answers.get(timeout=10) for _ in images]
    client.stop_stream()
    assert [top(result) if result else None for result, _ in outcomes] == [["red"], None, ["green"], ["blue"]]
    assert [result.get_response().id for result, _ in outcomes if result] == ["0", "2", "3"]
    assert "image[0]: The image is none of JPEG" in str(outcomes[1][1])


def test_a_stream_says_which_response_is_final_if_asked(client: triton.InferenceServerClient) -> None:
    answers: queue.Queue[tuple[Any, Any]] = queue.Queue()
    client.start_stream(lambda result, error: answers.put((result, error)))
    client.async_stream_infer("colors", [image_input(encoded("red"))], enable_empty_final_response=True)
    result, error = answers.get(timeout=10)
    client.stop_stream()
    assert error is None
    assert result.get_response().parameters["triton_final_response"].bool_param


def test_reserved_parameters_are_accepted(client: triton.InferenceServerClient) -> None:
    response = client.infer(
        "colors",
        [image_input(encoded("red"))],
        priority=1,
        timeout=10_000_000,
        parameters={"customer": "line 4"},
    )
    assert top(response) == ["red"]


async def test_the_asyncio_client(colors: ServerProcess) -> None:
    async with triton_aio.InferenceServerClient(colors.url) as client:
        assert await client.is_server_ready()
        assert (await client.get_model_metadata("colors")).name == "colors"
        assert top(await client.infer("colors", [image_input(encoded("green"))])) == ["green"]

        async def requests() -> Any:
            for color in LABELS:
                yield {"model_name": "colors", "inputs": [image_input(encoded(color))]}

        answers = [(result, error) async for result, error in client.stream_infer(requests())]
        assert [error for _, error in answers] == [None] * 3
        assert [label for result, _ in answers for label in top(result)] == list(LABELS)


@pytest.mark.parametrize(
    ("name", "version", "code", "message"),
    [
        ("colours", "", "NOT_FOUND", "There is no model 'colours'; there are colors."),
        ("colors", "2", "NOT_FOUND", "Model 'colors' has no version '2'; it has 1, 3."),
        ("colors.engines", "", "NOT_FOUND", "There is no model 'colors.engines'; there are colors."),
    ],
)
def test_unknown_models_and_versions(
    client: triton.InferenceServerClient, name: str, version: str, code: str, message: str
) -> None:
    assert status_of(client.infer, name, [image_input(encoded("red"))], version) == (code, message)
    assert status_of(client.get_model_metadata, name, version) == (code, message)
    assert status_of(client.get_model_config, name, version) == (code, message)


def wrong_inputs() -> list[tuple[str, list[triton.InferInput], str]]:
    integers = triton.InferInput("pixel_values", [1, 3, SIZE, SIZE], "INT64")
    integers.set_data_from_numpy(np.zeros((1, 3, SIZE, SIZE), np.int64))
    wide = triton.InferInput("pixel_values", [1, 3, SIZE, SIZE + 1], "FP32")
    wide.set_data_from_numpy(np.zeros((1, 3, SIZE, SIZE + 1), np.float32))
    flat = triton.InferInput("pixel_values", [3], "FP32")
    flat.set_data_from_numpy(np.zeros(3, np.float32))
    empty = triton.InferInput("pixel_values", [0, 3, SIZE, SIZE], "FP32")
    empty.set_data_from_numpy(np.zeros((0, 3, SIZE, SIZE), np.float32))
    short = pixel_input((1, 2, 3))
    short._raw_content = short._raw_content[:-1]
    crowd = pixel_input(*[(0, 0, 0)] * 65)
    numbers = triton.InferInput("image", [1, 1], "FP32")
    numbers.set_data_from_numpy(np.zeros((1, 1), np.float32))
    square = image_input(*[encoded("red")] * 4, shape=[2, 2])
    torn = image_input(encoded("red"))
    torn._raw_content = torn._raw_content[:-1]
    return [
        (
            "colors.engine",
            [pixel_input((1, 2, 3), name="pixels")],
            r"takes the inputs \['pixel_values'\], got \['pixels'\]",
        ),
        ("colors.engine", [], r"takes the inputs \['pixel_values'\], got \[\]"),
        ("colors.engine", [pixel_input((1, 2, 3))] * 2, "'pixel_values' stands twice"),
        ("colors.engine", [integers], "'pixel_values' must be FP32, got INT64"),
        ("colors.engine", [wide], r"must have the shape \[batch, 3, 4, 4\], got \[1, 3, 4, 5\]"),
        ("colors.engine", [flat], r"must have the shape \[batch, 3, 4, 4\], got \[3\]"),
        ("colors.engine", [empty], r"must have the shape \[batch, 3, 4, 4\], got \[0, 3, 4, 4\]"),
        ("colors.engine", [short], r"must have 192 bytes, got 191"),
        ("colors.engine", [crowd], "must have 1 to 64 items, got 65"),
        ("colors", [pixel_input((1, 2, 3))], r"takes the inputs \['image'\], got \['pixel_values'\]"),
        ("colors", [numbers], "'image' must be BYTES, got FP32"),
        ("colors", [square], r"'image' must have the shape \[batch, 1\] or \[batch\], got \[2, 2\]"),
        ("colors", [torn], "'image' ends within element 0"),
        ("colors", [image_input(encoded("red"), b"", encoded("blue"))], r"image\[1\]: The image has no bytes"),
        ("colors", [image_input(b"junk")], r"image\[0\]: The image is none of JPEG, PNG, BMP, WEBP"),
    ]


@pytest.mark.parametrize(("name", "inputs", "message"), wrong_inputs())
def test_wrong_inputs_are_told_what_was_expected(
    client: triton.InferenceServerClient, name: str, inputs: list[triton.InferInput], message: str
) -> None:
    code, said = status_of(client.infer, name, inputs)
    assert code == "INVALID_ARGUMENT"
    assert re.search(message, said), said
    assert top(client.infer("colors", [image_input(encoded("red"))])) == ["red"]


def test_unknown_outputs_are_told_those_there_are(client: triton.InferenceServerClient) -> None:
    code, message = status_of(
        client.infer, "colors", [image_input(encoded("red"))], outputs=[triton.InferRequestedOutput("labels")]
    )
    assert (code, message) == ("INVALID_ARGUMENT", "'colors' has the outputs ['label', 'score'], not 'labels'.")


def test_a_request_whose_timeout_has_passed_is_not_run(client: triton.InferenceServerClient) -> None:
    code, message = status_of(client.infer, "colors", [image_input(encoded("red"))], timeout=1)
    assert code == "DEADLINE_EXCEEDED"
    assert "deadline passed" in message
