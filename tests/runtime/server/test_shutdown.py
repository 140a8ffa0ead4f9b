"""What a server finishes, refuses and drops: when it stops, when callers lose interest, when it has too much to do."""

from __future__ import annotations

import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from support.bundles import LABELS, make_bundle
from support.calls import (
    ANSWER_SECONDS,
    Connection,
    connect,
    image_request,
    in_stream,
    status_of,
    top_label,
    trailing_metadata,
)
from support.images import encoded
from support.server_process import ServerProcess, handling_of_hangups, wait_until
from support.slow_bundles import full_queue, make_slow_bundle, occupy, slow_image

from tundish import Prediction, TundishError
from tundish.client import Client
from tundish.errors import ConnectionFailedError, StoppingError
from tundish.model import MAX_ITEMS_PER_REQUEST
from tundish_proto import open_inference_pb2 as oip
from tundish_proto.v1 import inference_pb2 as typed

HEAD_SECONDS = 0.5
"""How long the instance is at work while a test queues requests behind it."""


@pytest.fixture(scope="module")
def slow_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`slow`, which runs one image at a time, and queues 64."""
    root = tmp_path_factory.mktemp("slow")
    make_slow_bundle(root, max_queue_size=1)
    return root


@pytest.fixture
def stopping(slow_repository: Path) -> Iterator[ServerProcess]:
    """Serves `slow` with one instance; the test stops it."""
    with handling_of_hangups(signal.SIG_DFL), ServerProcess(slow_repository, "--instances", "1") as process:
        yield process


@pytest.fixture(scope="module")
def lasting(slow_repository: Path) -> Iterator[ServerProcess]:
    """Serves `slow` with one instance, whatever its callers do."""
    with ServerProcess(slow_repository, "--instances", "1") as process:
        yield process
        assert process.running, process.output
        assert "Traceback" not in process.output
    assert process.wait() == 0


class OpenStream:
    """A PredictStream that stays open: requests are sent one by one."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._requests: queue.Queue[typed.PredictStreamRequest | None] = queue.Queue()
        self._sent = threading.Event()
        self.responses: Any = connection.typed.PredictStream(self._draw())

    def _draw(self) -> Iterator[typed.PredictStreamRequest]:
        """gRPC draws the next request when it has sent the one before it."""
        while True:
            if self._requests.empty():
                self._sent.set()
            if (request := self._requests.get()) is None:
                return
            yield request

    def send(self, *requests: typed.PredictRequest) -> None:
        """Returns when the server has them."""
        self._sent.clear()
        for request in in_stream(*requests):
            self._requests.put(request)
        assert self._sent.wait(ANSWER_SECONDS)
        wait_for_reading(self._connection)

    def close(self) -> None:
        self._requests.put(None)


def wait_for_reading(connection: Connection) -> None:
    """Returns when the server has taken up what came before on this connection: it answers calls that came behind."""
    for _ in range(5):
        connection.open_inference.ServerLive(oip.ServerLiveRequest(), timeout=ANSWER_SECONDS)


def wait_until_refusing(url: str) -> None:
    """Asks for a model that there is not, on new connections, until the answer is that nothing is answered any more."""

    def refused() -> bool:
        with connect(url) as connection:
            call = connection.typed.Predict.future(image_request("nobody", b""), timeout=ANSWER_SECONDS)
            assert call.code() in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNAVAILABLE)
            return bool(call.code() == grpc.StatusCode.UNAVAILABLE)

    wait_until(refused)


# Stopping


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stopping_server_answers_what_it_accepted_and_refuses_the_rest(
    stopping: ServerProcess, number: signal.Signals
) -> None:
    with connect(stopping.url) as connection:
        predict = connection.typed.Predict
        accepted = [occupy(stopping, predict, HEAD_SECONDS)]
        accepted += [predict.future(image_request("slow", encoded(color))) for color in LABELS]
        crowd = oip.ModelInferRequest(model_name="slow")
        crowd.inputs.add(name="image", datatype="BYTES", shape=[2]).contents.bytes_contents.extend(
            [encoded("green"), slow_image(0.1)]
        )
        tensors = connection.open_inference.ModelInfer.future(crowd)
        wait_for_reading(connection)
        stopping.signal(number)
        wait_until_refusing(stopping.url)
        assert not accepted[0].done()
        assert [top_label(call.result(ANSWER_SECONDS)) for call in accepted[1:]] == list(LABELS)
        assert accepted[0].code() == grpc.StatusCode.OK
        assert len(tensors.result(ANSWER_SECONDS).raw_output_contents) == 2
        assert stopping.wait() == 0
        with pytest.raises(grpc.RpcError) as caught:
            predict(image_request("slow", encoded("red")), timeout=ANSWER_SECONDS)
        assert status_of(caught.value)[0] == grpc.StatusCode.UNAVAILABLE
    assert "Stopping: no new requests; finishing those accepted." in stopping.output
    assert "Traceback" not in stopping.output


def test_callers_that_ask_all_the_while_are_answered_or_told_that_it_stops(tmp_path: Path) -> None:
    make_bundle(tmp_path)
    ended = threading.Event()
    outcomes: list[type[Any]] = []

    def ask(url: str) -> None:
        with Client(url) as client:
            while not ended.is_set():
                try:
                    outcomes.append(type(client.predict("colors", image=encoded("red"))))
                except TundishError as error:
                    outcomes.append(type(error))

    with ServerProcess(tmp_path) as process:
        callers = [threading.Thread(target=ask, args=(process.url,)) for _ in range(12)]
        for caller in callers:
            caller.start()
        wait_until(lambda: outcomes.count(Prediction) > 100)
        assert process.stop() == 0
        ended.set()
        for caller in callers:
            caller.join(ANSWER_SECONDS)
    assert set(outcomes) <= {Prediction, StoppingError, ConnectionFailedError}
    assert len(set(outcomes)) > 1


def test_a_stopping_server_answers_what_its_streams_have_sent(stopping: ServerProcess) -> None:
    with connect(stopping.url) as connection:
        occupy(stopping, connection.typed.Predict, HEAD_SECONDS)
        stream = OpenStream(connection)
        stream.send(image_request("colours", b"", "refused at once"))
        assert next(stream.responses).id == "refused at once"
        stream.send(*(image_request("slow", encoded(color), color) for color in LABELS))
        stopping.signal()
        responses = [next(stream.responses) for _ in LABELS]
        assert [(response.id, top_label(response.response)) for response in responses] == [
            (color, color) for color in LABELS
        ]
        with pytest.raises(grpc.RpcError):
            next(stream.responses)
        stream.close()
        assert stream.responses.code() == grpc.StatusCode.UNAVAILABLE
        assert trailing_metadata(stream.responses)["tundish-error"] == "StoppingError"
    assert stopping.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_idle_streams_and_watches_do_not_hold_a_server_up(tmp_path: Path, number: signal.Signals) -> None:
    make_bundle(tmp_path)
    with ServerProcess(tmp_path) as process, connect(process.url) as connection:
        predicting = OpenStream(connection)
        predicting.send(image_request("colors", encoded("red")))
        assert top_label(next(predicting.responses).response) == "red"
        unused = OpenStream(connection)
        tensors: queue.Queue[oip.ModelInferRequest | None] = queue.Queue()
        inferring = connection.open_inference.ModelStreamInfer(iter(tensors.get, None))
        health = health_pb2_grpc.HealthStub(connection.channel)
        watch = health.Watch(health_pb2.HealthCheckRequest())
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING

        started = time.monotonic()
        process.signal(number)
        assert process.wait() == 0
        assert time.monotonic() - started < 2

        assert [message.status for message in watch] == [health_pb2.HealthCheckResponse.NOT_SERVING]
        for stream in (predicting.responses, unused.responses, inferring):
            with pytest.raises(grpc.RpcError):
                next(stream)
            assert stream.code() == grpc.StatusCode.UNAVAILABLE
        assert trailing_metadata(predicting.responses)["tundish-error"] == "StoppingError"
        predicting.close()
        unused.close()
        tensors.put(None)
    assert "Traceback" not in process.output


def test_a_server_without_work_stops_at_once(tmp_path: Path) -> None:
    make_bundle(tmp_path)
    with ServerProcess(tmp_path) as process:
        started = time.monotonic()
        assert process.stop() == 0
        assert time.monotonic() - started < 2


def test_a_second_signal_does_not_cut_the_first_one_short(stopping: ServerProcess) -> None:
    with connect(stopping.url) as connection:
        call = occupy(stopping, connection.typed.Predict, HEAD_SECONDS)
        stopping.signal(signal.SIGTERM)
        wait_until_refusing(stopping.url)
        stopping.signal(signal.SIGTERM)
        stopping.signal(signal.SIGINT)
        assert call.result(ANSWER_SECONDS).model_name == "slow"
    assert stopping.wait() == 0


# Deadlines and cancelling


def queue_seconds(call: Any) -> float:
    return float(call.result(ANSWER_SECONDS).stage_times.queue_nanoseconds * 1e-9)


def compute_seconds(call: Any) -> float:
    return float(call.result(ANSWER_SECONDS).stage_times.compute_nanoseconds * 1e-9)


def test_work_whose_deadline_passes_in_the_queue_is_never_run(lasting: ServerProcess) -> None:
    with connect(lasting.url) as connection:
        predict = connection.typed.Predict
        head = occupy(lasting, predict, HEAD_SECONDS)
        late = [predict.future(image_request("slow", slow_image(1)), timeout=0.05) for _ in range(10)]
        behind = predict.future(image_request("slow", encoded("blue")))
        assert top_label(behind.result(ANSWER_SECONDS)) == "blue"
        # Any of the ten would have taken twice as long as the head.
        assert queue_seconds(behind) < 1.5 * compute_seconds(head)
        # Those that something was ahead of were told at once that they would be late.
        refused = (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED)
        assert all(call.code() in refused for call in late)


def test_a_timeout_that_passes_in_the_queue_is_told_at_once(lasting: ServerProcess) -> None:
    request = oip.ModelInferRequest(model_name="slow", id="late")
    request.inputs.add(name="image", datatype="BYTES", shape=[1]).contents.bytes_contents.append(slow_image(1))
    request.parameters["timeout"].int64_param = 50_000
    with connect(lasting.url) as connection:
        head = occupy(lasting, connection.typed.Predict, HEAD_SECONDS)
        late = connection.open_inference.ModelInfer.future(request)
        behind = connection.typed.Predict.future(image_request("slow", encoded("blue")))
        assert late.exception(ANSWER_SECONDS) is not None
        assert not head.done()
        assert status_of(late) == (
            grpc.StatusCode.DEADLINE_EXCEEDED,
            "The deadline passed before the answer was there.",
        )
        assert trailing_metadata(late)["tundish-error"] == "DeadlineExceededError"
        assert queue_seconds(behind) < 1.5 * compute_seconds(head)


def test_cancelled_calls_are_dropped(lasting: ServerProcess) -> None:
    with connect(lasting.url) as connection:
        predict = connection.typed.Predict
        head = occupy(lasting, predict, HEAD_SECONDS)
        calls = [predict.future(image_request("slow", slow_image(1))) for _ in range(30)]
        behind = predict.future(image_request("slow", encoded("green")))
        wait_for_reading(connection)
        for call in calls:
            call.cancel()
        assert top_label(behind.result(ANSWER_SECONDS)) == "green"
        assert queue_seconds(behind) < 1.5 * compute_seconds(head)


def test_requests_of_a_cancelled_stream_are_dropped(lasting: ServerProcess) -> None:
    with connect(lasting.url) as connection:
        head = occupy(lasting, connection.typed.Predict, HEAD_SECONDS)
        stream = connection.typed.PredictStream(in_stream(*[image_request("slow", slow_image(1))] * 12))
        wait_for_reading(connection)
        behind = connection.typed.Predict.future(image_request("slow", encoded("green")))
        stream.cancel()
        assert top_label(behind.result(ANSWER_SECONDS)) == "green"
        assert queue_seconds(behind) < 1.5 * compute_seconds(head)


def test_cancelled_calls_leave_room_in_the_queue(lasting: ServerProcess) -> None:
    with connect(lasting.url) as connection:
        predict = connection.typed.Predict
        occupy(lasting, predict, 2 * HEAD_SECONDS)
        crowd = [predict.future(image_request("slow", slow_image(1))) for _ in range(MAX_ITEMS_PER_REQUEST)]
        wait_for_reading(connection)
        for call in crowd:
            call.cancel()
        behind: list[Any] = []

        def admitted() -> bool:
            call = predict.future(image_request("slow", encoded("green")))
            refused = call.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
            behind.append(call)
            return not refused

        wait_until(admitted)
        # They will never run, so nobody is turned away because of them: it waited for the instance in the queue.
        assert queue_seconds(behind[-1]) > HEAD_SECONDS / 2


# Too much to do


def test_a_full_queue_refuses_at_once_and_says_when_to_try_again(lasting: ServerProcess) -> None:
    with connect(lasting.url) as connection, full_queue(lasting, HEAD_SECONDS):
        with pytest.raises(grpc.RpcError) as caught:
            connection.typed.Predict(image_request("slow", encoded("red")), timeout=ANSWER_SECONDS)
        code, message = status_of(caught.value)
        assert code == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert message == "The queue holds 64 of at most 64 items, 1 more do not fit; try again later."
        metadata = trailing_metadata(caught.value)
        assert metadata["tundish-error"] == "QueueFullError"
        # Half of the queue, at a mean time of an item between those of a quick and of a slow one.
        assert 1 <= int(metadata["grpc-retry-pushback-ms"]) <= 60_000
        (response,) = connection.typed.PredictStream(in_stream(image_request("slow", encoded("red"), "full")))
        assert (response.id, response.error.code) == ("full", grpc.StatusCode.RESOURCE_EXHAUSTED.value[0])
    with connect(lasting.url) as connection:
        assert top_label(connection.typed.Predict(image_request("slow", encoded("red")))) == "red"


def test_a_request_that_does_not_fit_whole_is_refused_whole(lasting: ServerProcess) -> None:
    with connect(lasting.url) as connection:
        predict = connection.typed.Predict
        head = occupy(lasting, predict, HEAD_SECONDS)
        first = predict.future(image_request("slow", encoded("red")))
        crowd = oip.ModelInferRequest(model_name="slow")
        tensor = crowd.inputs.add(name="image", datatype="BYTES", shape=[MAX_ITEMS_PER_REQUEST])
        tensor.contents.bytes_contents.extend([slow_image(1)] * MAX_ITEMS_PER_REQUEST)
        wait_for_reading(connection)
        with pytest.raises(grpc.RpcError) as caught:
            connection.open_inference.ModelInfer(crowd, timeout=ANSWER_SECONDS)
        assert status_of(caught.value)[0] == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert not head.done()
        # None of the crowd's items stands in the queue.
        after = predict.future(image_request("slow", encoded("blue")))
        assert [top_label(call.result(ANSWER_SECONDS)) for call in (first, after)] == ["red", "blue"]
        assert queue_seconds(after) < 1.5 * compute_seconds(head)


# Callers that die

ENDLESS_CALLER = """
import itertools, sys
import grpc
from tundish_proto.v1 import inference_pb2 as typed
from tundish_proto.v1.inference_pb2_grpc import InferenceServiceStub

url, image = sys.argv[1], bytes.fromhex(sys.argv[2])
request = typed.PredictStreamRequest(request=typed.PredictRequest(model_name="slow", image=image))
for response in InferenceServiceStub(grpc.insecure_channel(url)).PredictStream(itertools.repeat(request)):
    print(response.WhichOneof("outcome"), flush=True)
"""


def test_a_caller_that_is_killed_in_its_stream_leaves_the_server_serving(lasting: ServerProcess) -> None:
    command = [sys.executable, "-c", ENDLESS_CALLER, lasting.url, slow_image(0.3).hex()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as caller:
        assert caller.stdout is not None
        assert [caller.stdout.readline() for _ in range(3)] == ["response\n"] * 3
        caller.send_signal(signal.SIGKILL)
        caller.wait(ANSWER_SECONDS)
    with connect(lasting.url) as connection:
        behind = connection.typed.Predict.future(image_request("slow", encoded("green")))
        assert top_label(behind.result(ANSWER_SECONDS)) == "green"
        # The stream had 16 images in flight, which take 5 seconds together.
        assert queue_seconds(behind) < 2


def test_a_full_queue_refuses_before_a_tensor_is_read(lasting: ServerProcess) -> None:
    unreadable = oip.ModelInferRequest(model_name="slow")
    unreadable.inputs.add(name="image", datatype="BYTES", shape=[1])
    unreadable.raw_input_contents.append(b"\xff\xff\xff\xff")
    with connect(lasting.url) as connection:
        infer = connection.open_inference.ModelInfer
        with full_queue(lasting, HEAD_SECONDS), pytest.raises(grpc.RpcError) as refused:
            infer(unreadable, timeout=ANSWER_SECONDS)
        assert status_of(refused.value)[0] == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert trailing_metadata(refused.value)["tundish-error"] == "QueueFullError"
        with pytest.raises(grpc.RpcError) as read:
            infer(unreadable, timeout=ANSWER_SECONDS)
        assert status_of(read.value)[0] == grpc.StatusCode.INVALID_ARGUMENT
