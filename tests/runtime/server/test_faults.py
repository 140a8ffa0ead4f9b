"""Callers that vanish, dawdle, crowd or talk nonsense, and engines that hang: what it costs the others is nothing."""

from __future__ import annotations

import random
import resource
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest
from support.bundles import make_bundle
from support.calls import ANSWER_SECONDS, connect, image_request, in_stream, status_of, top_label
from support.images import encoded
from support.server_process import ServerProcess
from support.slow_bundles import make_slow_bundle, slow_image

from tundish_bench.driving.asking import Asking
from tundish_bench.driving.endpoint import parse_endpoint
from tundish_bench.driving.generator import Generator, Order
from tundish_bench.driving.load import Open
from tundish_bench.driving.outcomes import ANSWERED
from tundish_bench.driving.questions import ask_pipeline
from tundish_bench.driving.requests import grpc_requests
from tundish_bench.overload import LATE, REFUSED, check_adds_up
from tundish_proto import open_inference_pb2 as oip
from tundish_proto.v1 import inference_pb2 as typed

IDLE_CONNECTIONS = 1000
WARM_UP_REQUESTS = 14_000
REQUESTS_A_LOOK = 2_000
REQUESTS = 45_000
MAX_BYTES_A_REQUEST = 16
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"

STREAMING_CALLER = """
import sys
from tundish.client import Client
url, image, count = sys.argv[1], open(sys.argv[2], "rb").read(), int(sys.argv[3])
with Client(url) as client:
    for _ in client.predict_stream("slow", [{"image": image}] * count):
        print("answered", flush=True)
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`colors`, which is quick, and `slow`, which runs one image at a time."""
    root = tmp_path_factory.mktemp("faults")
    make_bundle(root)
    make_slow_bundle(root)
    return root


@pytest.fixture(scope="module")
def server(repository: Path) -> Iterator[ServerProcess]:
    """With one instance of each; no fault may end it, or leave a traceback."""
    with ServerProcess(repository, "--instances", "1") as process:
        yield process
        assert process.running, process.output
        assert "Traceback" not in process.output
    assert process.wait() == 0


def answers(process: ServerProcess, model: str = "colors") -> bool:
    """Whether a caller like any other gets the right answer."""
    with connect(process.url) as connection:
        response = connection.typed.Predict(image_request(model, encoded("green")), timeout=ANSWER_SECONDS)
    return top_label(response) == "green"


def run_count(process: ServerProcess, model: str) -> int:
    """How many items the model's engine has answered or worked on."""
    with connect(process.url) as connection:
        statistics = connection.open_inference.ModelStatistics(oip.ModelStatisticsRequest(name=model))
    return sum(batch.batch_size * batch.compute_infer.count for batch in statistics.model_stats[0].batch_stats)


def outcomes(process: ServerProcess, model: str) -> tuple[int, int]:
    """How many requests for the model have been answered, and how many have failed."""
    with connect(process.url) as connection:
        statistics = connection.open_inference.ModelStatistics(oip.ModelStatisticsRequest(name=model))
    counts = statistics.model_stats[0].inference_stats
    return counts.success.count, counts.fail.count


def test_twice_the_capacity_is_answered_or_refused_and_nothing_is_lost(server: ServerProcess) -> None:
    """How fast, `tundish_bench.overload` measures."""
    name, seconds = "slow", 0.02
    requests = grpc_requests([ask_pipeline(name, "image", slow_image(seconds))])
    asking = Asking(endpoint=parse_endpoint(server.url), requests=requests, timeout_seconds=0.5)
    before = outcomes(server, name)
    with Generator() as generator:
        load = Open(2 / seconds)
        records = generator.run(Order(asking=asking, load=load, block_seconds=4.0, ends_itself=True)).records
    after = outcomes(server, name)
    check_adds_up(records, succeeded=after[0] - before[0], failed=after[1] - before[1])
    ended = Counter(records.status.tolist())
    assert ended.keys() <= {ANSWERED, REFUSED, LATE}
    assert len(records) == 4 * 2 / seconds
    assert ended[ANSWERED] > 0 < ended[REFUSED]
    assert answers(server, name)


def test_a_caller_killed_in_the_middle_of_a_stream_leaves_no_work_behind(server: ServerProcess, tmp_path: Path) -> None:
    image = tmp_path / "image.png"
    image.write_bytes(slow_image(0.2))
    before = run_count(server, "slow")
    command = [sys.executable, "-c", STREAMING_CALLER, server.url, str(image), "200"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as caller:
        assert caller.stdout is not None
        assert caller.stdout.readline() == "answered\n"
        caller.kill()
    assert answers(server, "slow")
    ran = run_count(server, "slow") - before
    # What it was at, and what it began before the server knew; of the sixteen that were under way, most were dropped.
    assert ran < 12
    assert run_count(server, "slow") - before == ran


def test_a_caller_that_does_not_read_is_not_worked_for(server: ServerProcess) -> None:
    count = 50_000
    drawn = 0

    def requests() -> Iterator[typed.PredictStreamRequest]:
        nonlocal drawn
        for request in in_stream(*[image_request("colors", encoded("red"), request_id="x" * 200)] * count):
            drawn += 1
            yield request

    before = run_count(server, "colors")
    with connect(server.url) as connection:
        stream = connection.typed.PredictStream(requests())
        assert top_label(next(stream).response) == "red"
        seen = -1
        while seen < drawn:  # until the transport takes no more
            seen = drawn
            time.sleep(0.5)
        assert answers(server)
        assert seen < count / 2
        assert run_count(server, "colors") - before < count / 2
        stream.cancel()
    assert answers(server)


def test_a_thousand_idle_connections_cost_nobody_an_answer(server: ServerProcess) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    host, port = server.url.rsplit(":", 1)
    with ExitStack() as connections:
        for index in range(IDLE_CONNECTIONS):
            connection = connections.enter_context(socket.create_connection((host, int(port))))
            if index % 2:
                connection.sendall(PREFACE + SETTINGS)
        assert answers(server)
    assert answers(server)


NONSENSE = {
    "nothing": b"",
    "http1": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "preface, then noise": PREFACE + random.Random(1).randbytes(5000),
    "a frame longer than allowed": PREFACE + SETTINGS + b"\xff\xff\xff\x00\x00\x00\x00\x00\x01",
    "data on a stream that is not open": PREFACE + SETTINGS + b"\x00\x00\x04\x00\x01\x00\x00\x00\x05abcd",
    "headers that do not decompress": PREFACE + SETTINGS + b"\x00\x00\x04\x01\x05\x00\x00\x00\x01\xff\xff\xff\xff",
    "settings that contradict": PREFACE + b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x04\xff\xff\xff\xff",
    "pings without end": PREFACE + SETTINGS + b"\x00\x00\x08\x06\x00\x00\x00\x00\x0012345678" * 5000,
    "resets without end": PREFACE + SETTINGS + b"\x00\x00\x04\x03\x00\x00\x00\x00\x01\x00\x00\x00\x08" * 5000,
    "noise": random.Random(2).randbytes(100_000),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_on_the_wire_costs_only_its_connection(server: ServerProcess, name: str) -> None:
    host, port = server.url.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        try:
            connection.sendall(NONSENSE[name])
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
        except OSError:
            pass  # the server closed it first
    assert answers(server)


@pytest.mark.parametrize("size", [1, 7, 100, 5000])
def test_bytes_that_are_no_message_are_refused(server: ServerProcess, size: int) -> None:
    with connect(server.url) as connection:
        for method in ("/inference.GRPCInferenceService/ModelInfer", "/tundish_proto.v1.InferenceService/Predict"):
            call = connection.channel.unary_unary(method).future(b"\xff" * size, timeout=ANSWER_SECONDS)
            assert call.exception() is not None
            assert call.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert answers(server)


def test_twice_the_load_that_it_can_take_wastes_no_work(server: ServerProcess) -> None:
    seconds, deadline, each = 6.0, 0.5, 0.02
    image = slow_image(each)
    before = run_count(server, "slow")
    with connect(server.url) as connection:
        predict = connection.typed.Predict
        for _ in range(20):  # it learns what an image takes
            predict(image_request("slow", image), timeout=ANSWER_SECONDS)
        began = time.monotonic()
        for _ in range(20):
            predict(image_request("slow", image), timeout=ANSWER_SECONDS)
        pause = (time.monotonic() - began) / 20 / 2
        calls, began = [], time.monotonic()
        for number in range(int(seconds / pause)):
            time.sleep(max(0.0, began + number * pause - time.monotonic()))
            calls.append(predict.future(image_request("slow", image), timeout=deadline))
        codes = Counter(call.code() for call in calls)
    assert set(codes) <= {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.DEADLINE_EXCEEDED}
    answered = codes[grpc.StatusCode.OK]
    assert answered > len(calls) / 4  # half of them could be
    # What is begun too late is work for nothing; those that would be late were told so before they waited.
    assert codes[grpc.StatusCode.DEADLINE_EXCEEDED] < len(calls) / 10
    assert run_count(server, "slow") - before - 40 < 1.2 * answered


def test_an_engine_that_hangs_is_replaced(repository: Path) -> None:
    with ServerProcess(repository, "--instances", "1", "--run-limit-seconds", "0.5") as process:
        with connect(process.url) as connection:
            predict = connection.typed.Predict
            assert top_label(predict(image_request("slow", encoded("red")), timeout=ANSWER_SECONDS)) == "red"
            hangs = predict.future(image_request("slow", slow_image(2)), timeout=ANSWER_SECONDS)
            assert hangs.exception() is not None
            code, message = status_of(hangs)
            assert code == grpc.StatusCode.INTERNAL
            assert "'slow-1' gave no answer within 0.5 seconds; its instance was replaced" in message
            assert top_label(predict(image_request("slow", encoded("blue")), timeout=ANSWER_SECONDS)) == "blue"
        assert "is replaced" in process.output
    assert process.wait() == 0


@pytest.mark.timeout(900)  # other tests run beside it
def test_memory_is_flat(repository: Path) -> None:
    """What is resident comes and goes by a quarter of a megabyte: the lowest of three looks is taken.

    After the warm-up it still gains half a megabyte, and nothing more in 400,000 requests; a leak of 24 bytes shows.
    """
    with ServerProcess(repository) as process:
        ask_often(process, WARM_UP_REQUESTS)
        before = max(resident_after(process, REQUESTS_A_LOOK) for _ in range(3))
        ask_often(process, REQUESTS)
        after = min(resident_after(process, REQUESTS_A_LOOK) for _ in range(3))
    assert after - before < MAX_BYTES_A_REQUEST * (REQUESTS + REQUESTS_A_LOOK)
    assert process.wait() == 0


def resident_after(process: ServerProcess, count: int) -> int:
    ask_often(process, count)
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def ask_often(process: ServerProcess, count: int) -> None:
    """Asks so often, on a few streams at once, and holds every answer against what it must be."""
    colors = ("red", "green", "blue")
    requests = tuple(in_stream(*[image_request("colors", encoded(color)) for color in colors]))
    streams = 8

    def ask(wrong: list[str]) -> None:
        asked = (requests[index % 3] for index in range(count // streams))
        with connect(process.url) as connection:
            for index, response in enumerate(connection.typed.PredictStream(asked)):
                if top_label(response.response) != colors[index % 3]:
                    wrong.append(str(response))
            if index + 1 != count // streams:
                wrong.append(f"{index + 1} answers")

    wrong: list[str] = []
    threads = [threading.Thread(target=ask, args=(wrong,)) for _ in range(streams)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
