"""Sequences through NVIDIA's client, against a running server whose model adds up what a sequence has brought."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
from support.calls import ANSWER_SECONDS, connect, text_request
from support.commands import call_tundish
from support.server_process import ServerProcess
from support.tensor_bundles import make_adder_bundle
from tritonclient.utils import InferenceServerException

from tundish.scheduling.batching import MAX_SEQUENCES
from tundish_proto import open_inference_pb2 as oip

QUEUED_SECONDS = 0.3
"""How long `slow-adder` holds a request back, in the hope of more."""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("adders")
    make_adder_bundle(root)
    make_adder_bundle(root, "slow-adder", max_queue_delay_microseconds=round(QUEUED_SECONDS * 1e6))
    return root


@pytest.fixture(scope="module")
def server(repository: Path) -> Iterator[ServerProcess]:
    with ServerProcess(repository) as process:
        yield process
        assert process.running, process.output
    assert "Traceback" not in process.output


@pytest.fixture
def client(server: ServerProcess) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(server.url) as connection:
        yield connection


def tensor(*values: float) -> list[triton.InferInput]:
    made = triton.InferInput("value", [len(values), 1], "FP32")
    made.set_data_from_numpy(np.array([[value] for value in values], np.float32))
    return [made]


def add(
    client: triton.InferenceServerClient,
    sequence: int | str,
    value: float,
    kind: str = "",
    model: str = "adder",
    **options: Any,
) -> float:
    """The sum of the sequence, with this value."""
    answer = client.infer(
        model,
        tensor(value),
        sequence_id=sequence,
        sequence_start="start" in kind,
        sequence_end="end" in kind,
        **options,
    )
    return float(answer.as_numpy("sum")[0, 0])


def refusal(client: triton.InferenceServerClient, *arguments: Any, **options: Any) -> tuple[str, str]:
    """Status and sentence of a step that fails."""
    with pytest.raises(InferenceServerException) as caught:
        add(client, *arguments, **options)
    return str(caught.value.status()).removeprefix("StatusCode."), str(caught.value.message())


def test_a_model_that_is_an_engine_alone_has_its_statistics_by_its_own_name(
    client: triton.InferenceServerClient,
) -> None:
    add(client, "counted", 1, "start")
    for name in ("adder", "adder.engine"):
        (found,) = client.get_inference_statistics(name).model_stats
        assert (found.name, found.version, found.inference_count > 0) == (name, "1", True)
    assert "adder" in {found.name for found in client.get_inference_statistics().model_stats}
    add(client, "counted", 1, "end")


def test_a_sequence_goes_from_start_to_end(client: triton.InferenceServerClient) -> None:
    assert add(client, 1, 5, "start") == 5
    assert add(client, 1, 6) == 11
    assert add(client, 1, 1, "start") == 1
    assert add(client, 1, 2, model="adder.engine") == 3
    assert add(client, 1, 3, "end") == 6
    status, sentence = refusal(client, 1, 4)
    assert status == "INVALID_ARGUMENT"
    assert "There is no sequence 1; begin it with sequence_start" in sentence


def test_sequences_have_numbers_or_names(client: triton.InferenceServerClient) -> None:
    names: list[int | str] = [2**63 - 1, -1, "7", "camera 7", "é" * 256]
    for index, sequence in enumerate(names):
        assert add(client, sequence, index, "start") == index
    assert add(client, "7", 1) == 3
    assert refusal(client, 7, 1)[0] == "INVALID_ARGUMENT"
    assert "at most 256 characters, got 257" in refusal(client, "x" * 257, 1, "start")[1]


@pytest.mark.parametrize("sequence", [0, ""])
def test_a_request_without_a_sequence_is_refused(client: triton.InferenceServerClient, sequence: int | str) -> None:
    status, sentence = refusal(client, sequence, 1, "start")
    assert status == "INVALID_ARGUMENT"
    assert "'adder' keeps a state for each sequence: a request needs the parameter sequence_id" in sentence


def raw_request(value: float, **parameters: oip.InferParameter) -> oip.ModelInferRequest:
    request = oip.ModelInferRequest(model_name="adder", parameters=parameters)
    request.inputs.add(name="value", datatype="FP32", shape=[1, 1]).contents.fp32_contents.append(value)
    return request


def test_parameters_of_other_clients_are_taken_or_refused(server: ServerProcess) -> None:
    largest = oip.InferParameter(uint64_param=2**64 - 1)
    yes = oip.InferParameter(bool_param=True)
    with connect(server.url) as connection:
        infer = connection.open_inference.ModelInfer
        infer(raw_request(2, sequence_id=largest, sequence_start=yes), timeout=ANSWER_SECONDS)
        response = infer(raw_request(3, sequence_id=largest, sequence_end=yes), timeout=ANSWER_SECONDS)
        assert np.frombuffer(response.raw_output_contents[0], np.float32) == 5
        for bad, sentence in (
            ({"sequence_id": yes}, "'sequence_id' must be an integer or a text, got True"),
            ({"sequence_id": largest, "sequence_start": largest}, "'sequence_start' must be a truth value, got 1844"),
        ):
            with pytest.raises(grpc.RpcError) as caught:
                infer(raw_request(1, **bad), timeout=ANSWER_SECONDS)
            assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
            assert sentence in str(caught.value.details())


def test_what_does_not_fit_a_step_is_refused(client: triton.InferenceServerClient, server: ServerProcess) -> None:
    with pytest.raises(InferenceServerException, match="A request for 'adder' must have 1 item, got 2"):
        client.infer("adder", tensor(1, 2), sequence_id=3, sequence_start=True)
    state = triton.InferInput("before", [1, 1], "FP32")
    state.set_data_from_numpy(np.ones((1, 1), np.float32))
    with pytest.raises(InferenceServerException, match=r"takes the inputs \['value'\], got \['value', 'before'\]"):
        client.infer("adder", [*tensor(1), state], sequence_id=3, sequence_start=True)
    outputs = [triton.InferRequestedOutput("after")]
    with pytest.raises(InferenceServerException, match=r"has the outputs \['sum'\], not 'after'"):
        client.infer("adder", tensor(1), sequence_id=3, sequence_start=True, outputs=outputs)
    with connect(server.url) as connection, pytest.raises(grpc.RpcError) as caught:
        connection.typed.Predict(text_request("adder", "three"), timeout=ANSWER_SECONDS)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "'adder' takes tensors, not images or texts" in str(caught.value.details())


def test_a_step_that_fails_leaves_the_sequence_as_it_was(client: triton.InferenceServerClient) -> None:
    assert add(client, 4, 1, "start") == 1
    for kind in ("", "start", "end"):
        status, sentence = refusal(client, 4, float("nan"), kind)
        assert status == "INTERNAL"
        assert "NaN for the sequence's state, which stays as it was" in sentence
    assert add(client, 4, 2) == 3


def test_steps_that_are_in_flight_together_run_in_their_order(client: triton.InferenceServerClient) -> None:
    results: queue.Queue[Any] = queue.Queue()
    client.start_stream(lambda result, error: results.put((result, error)))
    values = np.random.default_rng(1).integers(1, 9, 200).astype(float)
    values[100] = np.nan
    for index, value in enumerate(values):
        client.async_stream_infer(
            "adder", tensor(value), sequence_id=5, sequence_start=index == 0, priority=1 + index % 3
        )
    answers = [results.get(timeout=30) for _ in values]
    client.stop_stream()
    assert [error is not None for _, error in answers] == [np.isnan(value) for value in values]
    sums = [float(result.as_numpy("sum")[0, 0]) for result, error in answers if error is None]
    assert sums == np.cumsum(values[~np.isnan(values)]).tolist()


@pytest.mark.parametrize("how", ["timeout parameter", "deadline", "cancellation"])
def test_a_step_that_is_dropped_leaves_the_sequence_as_it_was(client: triton.InferenceServerClient, how: str) -> None:
    assert add(client, how, 1, "start", "slow-adder") == 1
    if how == "cancellation":
        answered: queue.Queue[Any] = queue.Queue()
        call = client.async_infer(
            "slow-adder", tensor(100), sequence_id=how, callback=lambda result, error: answered.put((result, error))
        )
        time.sleep(QUEUED_SECONDS / 3)
        call.cancel()
        assert answered.get(timeout=10)[1] is not None
    else:
        late: dict[str, Any] = (
            {"client_timeout": QUEUED_SECONDS / 3}
            if how == "deadline"
            else {"timeout": round(QUEUED_SECONDS / 3 * 1e6)}
        )
        assert refusal(client, how, 100, model="slow-adder", **late)[0] == "DEADLINE_EXCEEDED"
    assert add(client, how, 2, "end", "slow-adder") == 3


def test_unloading_ends_every_sequence(repository: Path) -> None:
    with ServerProcess(repository) as process, triton.InferenceServerClient(process.url) as own:
        assert add(own, 6, 1, "start") == 1
        own.unload_model("adder")
        own.load_model("adder")
        assert refusal(own, 6, 1)[0] == "INVALID_ARGUMENT"
        assert add(own, 6, 2, "start") == 2


def test_a_sequence_that_is_idle_ends_and_its_place_is_free(repository: Path) -> None:
    with (
        ServerProcess(repository, "--sequence-idle-seconds", "2") as process,
        triton.InferenceServerClient(process.url) as own,
    ):
        config = own.get_model_config("adder").config
        assert config.sequence_batching.max_sequence_idle_microseconds == 2_000_000
        assert add(own, "idle", 1, "start") == 1
        assert add(own, "kept", 1, "start") == 1
        for _ in range(6):
            time.sleep(0.5)
            add(own, "kept", 1)
        status, sentence = refusal(own, "idle", 1)
        assert status == "INVALID_ARGUMENT"
        assert "idle for 2 seconds has ended" in sentence
        assert add(own, "kept", 1) == 8


def test_there_are_only_so_many_sequences(repository: Path) -> None:
    with ServerProcess(repository) as process, triton.InferenceServerClient(process.url) as own:
        for sequence in range(1, MAX_SEQUENCES + 1):
            add(own, sequence, sequence, "start")
        status, sentence = refusal(own, "one more", 1, "start")
        assert status == "RESOURCE_EXHAUSTED"
        assert f"There are {MAX_SEQUENCES} sequences, as many as there may be" in sentence
        assert add(own, 9, 1, "end") == 10
        assert add(own, "one more", 1, "start") == 1


def test_the_protocol_tells_of_sequences(client: triton.InferenceServerClient) -> None:
    assert "sequence" in client.get_server_metadata().extensions
    for name in ("adder", "adder.engine"):
        config = client.get_model_config(name).config
        assert config.WhichOneof("scheduling_choice") == "sequence_batching"
        assert config.sequence_batching.max_sequence_idle_microseconds == 60_000_000
        assert config.max_batch_size == 1
        assert [(tensor.name, list(tensor.dims)) for tensor in config.input] == [("value", [1])]
        assert [(tensor.name, list(tensor.dims)) for tensor in config.output] == [("sum", [1])]
        assert client.get_model_metadata(name).platform == "onnx_engine"


def test_the_commands_show_a_model_without_a_task(repository: Path) -> None:
    listed = call_tundish("models", "list", str(repository))
    assert "adder" in listed.stdout
    assert "tensors" in listed.stdout
