"""silero-vad on many interleaved sequences, against ONNX Runtime with one at a time, whose state is kept here."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import tritonclient.grpc as triton
from numpy.typing import NDArray
from support.server_process import ServerProcess
from support.tensor_bundles import chunks, make_silero_bundle, silero_network, speech
from tritonclient.utils import InferenceServerException

SEQUENCES = 20
SECONDS = 1.5

Recording = tuple[int, list[NDArray[np.float32]]]
"""Sampling rate, and chunks."""


@pytest.fixture(scope="module")
def network(asset_cache: Path) -> Path:
    return silero_network(asset_cache)


@pytest.fixture(scope="module")
def server(network: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    root = tmp_path_factory.mktemp("vad")
    # It waits for more, so that batches do not depend on how fast this machine is.
    make_silero_bundle(root, network, max_queue_delay_microseconds=2_000)
    with ServerProcess(root, "--instances", "1") as process:
        yield process
        assert process.running, process.output


@pytest.fixture
def client(server: ServerProcess) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(server.url) as connection:
        yield connection


@pytest.fixture(scope="module")
def recordings() -> list[Recording]:
    """Of two sampling rates, which cannot share a batch."""
    rates = [16_000] * (SEQUENCES // 2) + [8_000] * (SEQUENCES // 2)
    return [(rate, chunks(speech(seed, SECONDS, rate), rate)) for seed, rate in enumerate(rates)]


@pytest.fixture(scope="module")
def expected(network: Path, recordings: list[Recording]) -> list[list[float]]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
    probabilities: list[list[float]] = []
    for rate, parts in recordings:
        state = np.zeros((2, 1, 128), np.float32)
        probabilities.append([])
        for part in parts:
            output, state = session.run(None, {"input": part, "state": state, "sr": np.array(rate)})
            probabilities[-1].append(float(output[0, 0]))
    # Speech and pauses are told apart, so that a wrong state would show.
    assert all(max(row) > 0.6 > 0.2 > min(row) for row in probabilities)
    return probabilities


def tensors(part: NDArray[np.float32], rate: int) -> list[triton.InferInput]:
    audio = triton.InferInput("input", list(part.shape), "FP32")
    audio.set_data_from_numpy(part)
    sampling_rate = triton.InferInput("sr", [1], "INT64")
    sampling_rate.set_data_from_numpy(np.array([rate]))
    return [audio, sampling_rate]


def place(index: int, count: int) -> dict[str, bool]:
    return {"sequence_start": index == 0, "sequence_end": index == count - 1}


def test_sequences_of_many_callers_are_each_their_own(
    client: triton.InferenceServerClient, recordings: list[Recording], expected: list[list[float]]
) -> None:
    def detect(number: int) -> list[float]:
        rate, parts = recordings[number]
        answers = (
            client.infer("vad", tensors(part, rate), sequence_id=number + 1, **place(index, len(parts)))
            for index, part in enumerate(parts)
        )
        return [float(answer.as_numpy("output")[0, 0]) for answer in answers]

    with ThreadPoolExecutor(SEQUENCES) as callers:
        actual = list(callers.map(detect, range(SEQUENCES)))
    for row, wanted in zip(actual, expected, strict=True):
        np.testing.assert_allclose(row, wanted, rtol=0, atol=1e-5)


def test_sequences_on_one_stream_are_each_their_own_and_share_batches(
    client: triton.InferenceServerClient, recordings: list[Recording], expected: list[list[float]]
) -> None:
    results: queue.Queue[Any] = queue.Queue()
    before = statistics(client)
    client.start_stream(lambda result, error: results.put((result, error)))
    sent = 0
    for index in range(max(len(parts) for _, parts in recordings)):
        for number, (rate, parts) in enumerate(recordings):
            if index < len(parts):
                client.async_stream_infer(
                    "vad.engine",
                    tensors(parts[index], rate),
                    request_id=f"{number} {index}",
                    sequence_id=f"caller {number}",
                    **place(index, len(parts)),
                )
                sent += 1
    actual = [[np.nan] * len(parts) for _, parts in recordings]
    for _ in range(sent):
        result, error = results.get(timeout=30)
        assert error is None
        number, index = map(int, result.get_response().id.split())
        actual[number][index] = float(result.as_numpy("output")[0, 0])
    client.stop_stream()
    for row, wanted in zip(actual, expected, strict=True):
        np.testing.assert_allclose(row, wanted, rtol=0, atol=1e-5)
    after = statistics(client)
    assert after.inference_count - before.inference_count == sent
    assert after.execution_count - before.execution_count < sent / 2


def statistics(client: triton.InferenceServerClient) -> Any:
    (found,) = client.get_inference_statistics("vad.engine").model_stats
    return found


def test_its_tensors_are_told_without_the_state(client: triton.InferenceServerClient) -> None:
    for name in ("vad", "vad.engine"):
        metadata = client.get_model_metadata(name)
        assert [(tensor.name, tensor.datatype, list(tensor.shape)) for tensor in metadata.inputs] == [
            ("input", "FP32", [-1, -1]),
            ("sr", "INT64", [-1, 1]),
        ]
        assert [(tensor.name, tensor.datatype, list(tensor.shape)) for tensor in metadata.outputs] == [
            ("output", "FP32", [-1, 1])
        ]


def test_a_number_for_each_row_may_come_with_a_second_dimension_as_it_is_advertised(
    client: triton.InferenceServerClient,
) -> None:
    audio, rate = tensors(np.zeros((1, 512), np.float32), 16_000)
    answers = []
    for shape in ([1], [1, 1]):
        rate.set_shape(shape)
        answers.append(client.infer("vad", [audio, rate], sequence_id=7, sequence_start=True, sequence_end=True))
    np.testing.assert_array_equal(answers[0].as_numpy("output"), answers[1].as_numpy("output"))
    rate.set_shape([1, 1, 1])
    with pytest.raises(InferenceServerException, match=r"must have the shape \[dim0=1\], got \[1, 1, 1\]"):
        client.infer("vad", [audio, rate], sequence_id=7, sequence_start=True)
