"""What an engine may do wrong, against a running server: it costs the request that it happens to, and no other."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
from support.bundles import make_bundle, write_network_that_fails_on_blue
from support.calls import ANSWER_SECONDS, Connection, connect, image_request, in_stream, status_of, top_label
from support.images import encoded
from support.server_process import ServerProcess
from tritonclient.utils import InferenceServerException

ROUNDS = 20
"""Requests sent at once, of each colour."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """`colors`, which gives NaN for blue images, and waits long enough for more that its batches are mixed."""
    root = tmp_path_factory.mktemp("nan")
    make_bundle(root, write_network=write_network_that_fails_on_blue, max_queue_delay_microseconds=20_000)
    with ServerProcess(root, "--instances", "1") as process:
        yield process
        assert process.running, process.output
    assert "Traceback" not in process.output


@pytest.fixture
def connection(server: ServerProcess) -> Iterator[Connection]:
    with connect(server.url) as made:
        yield made


def test_an_answer_of_nan_fails_alone_in_its_batch(connection: Connection) -> None:
    colors = ["red", "blue", "green"] * ROUNDS
    calls = [
        connection.typed.Predict.future(image_request("colors", encoded(color)), timeout=ANSWER_SECONDS)
        for color in colors
    ]
    batch_sizes = []
    for color, call in zip(colors, calls, strict=True):
        if color == "blue":
            code, details = status_of(call)
            assert code == grpc.StatusCode.INTERNAL
            assert "The engine gave NaN or an infinity where scores belong" in details
        else:
            assert top_label(call.result()) == color
            batch_sizes.append(call.result().stage_times.batch_size)
    assert max(batch_sizes) > 1


def test_a_stream_goes_on_after_an_answer_of_nan(connection: Connection) -> None:
    requests = in_stream(*(image_request("colors", encoded(color)) for color in ("red", "blue", "green")))
    red, blue, green = connection.typed.PredictStream(requests, timeout=ANSWER_SECONDS)
    assert (top_label(red.response), top_label(green.response)) == ("red", "green")
    assert blue.error.code == grpc.StatusCode.INTERNAL.value[0]


def test_the_bare_engine_answers_what_the_network_gave(server: ServerProcess) -> None:
    with triton.InferenceServerClient(server.url) as client:
        pixels = np.zeros((1, 3, 4, 4), np.float32)
        pixels[:, 2] = 1
        tensor = triton.InferInput("pixel_values", list(pixels.shape), "FP32")
        tensor.set_data_from_numpy(pixels)
        assert np.isnan(client.infer("colors.engine", [tensor]).as_numpy("logits")).all()
        images = triton.InferInput("image", [2, 1], "BYTES")
        images.set_data_from_numpy(np.array([[encoded("red")], [encoded("blue")]], np.object_))
        with pytest.raises(InferenceServerException, match=r"image\[1\]: The engine gave NaN") as caught:
            client.infer("colors", [images])
        assert caught.value.status() == "StatusCode.INTERNAL"
