"""Every failure arrives as the class that the server raised, at both clients, also in streams, and at the command."""

from __future__ import annotations

import asyncio
import json
import queue
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import pytest
from support.bundles import SIZE, make_bundle
from support.calls import ANSWER_SECONDS, connect
from support.commands import call_tundish
from support.images import encoded
from support.server_process import ServerProcess, wait_until
from support.slow_bundles import full_queue, make_slow_bundle, occupy, slow_image

from tundish.client import AsyncClient, Client
from tundish.errors import (
    ConnectionFailedError,
    DeadlineExceededError,
    EngineError,
    InvalidInputError,
    ModelNotFoundError,
    ModelNotReadyError,
    QueueFullError,
    StoppingError,
    TundishError,
)
from tundish.inputs import Inputs
from tundish.results import Prediction

RED = encoded("red")
LONG_ENOUGH_SECONDS = 1.0
"""For both clients to be refused by a full queue."""


@pytest.fixture(scope="module")
def half_broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Serves `colors`, and not `broken`, whose network differs from its hash."""
    root = tmp_path_factory.mktemp("half-broken")
    make_bundle(root)
    path = make_bundle(root, "broken").path("model.onnx")
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with ServerProcess(root) as process:
        yield process
        assert process.running, process.output


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Serves `slow` with one instance and the shortest queue there is."""
    root = tmp_path_factory.mktemp("crowded")
    make_slow_bundle(root, max_queue_size=1)
    with ServerProcess(root, "--instances", "1") as process:
        yield process
        assert process.running, process.output


Ask = Callable[[Any], Any]
"""Asks either client for something."""


async def raised_by_both(url: str, ask: Ask) -> list[TundishError]:
    """What the question raises at the blocking client, and at the asyncio client."""
    errors = []
    with Client(url) as blocking, pytest.raises(TundishError) as caught:
        ask(blocking)
    errors.append(caught.value)
    async with AsyncClient(url) as awaiting:
        with pytest.raises(TundishError) as caught:
            await ask(awaiting)
    errors.append(caught.value)
    return errors


async def outcomes_of_both(url: str, model: str, **item: Unpack[Inputs]) -> list[Prediction | TundishError]:
    """The one outcome of a stream of one item, at the blocking client and at the asyncio client."""

    async def drawn() -> AsyncIterator[Inputs]:
        yield item

    with Client(url) as blocking:
        outcomes = list(blocking.predict_stream(model, [item]))
    async with AsyncClient(url) as awaiting:
        outcomes += [outcome async for outcome in awaiting.predict_stream(model, drawn())]
    return outcomes


@pytest.mark.parametrize(
    ("kind", "said", "ask"),
    [
        (InvalidInputError, "it takes image, not text", lambda client: client.predict("colors", text="red")),
        (InvalidInputError, "none of JPEG", lambda client: client.predict("colors", image=b"no image")),
        (
            InvalidInputError,
            "must have the shape [batch, 3, 4, 4], got [1, 3]",
            lambda client: client.infer("colors.engine", {"pixel_values": np.zeros((1, 3), np.float32)}),
        ),
        (
            InvalidInputError,
            "unknown datatype 'complex64'",
            lambda client: client.infer("colors.engine", {"pixel_values": np.zeros((1, 3, SIZE, SIZE), np.complex64)}),
        ),
        (ModelNotFoundError, "there are broken, colors", lambda client: client.predict("colours", image=RED)),
        (ModelNotFoundError, "it has 1", lambda client: client.predict("colors", image=RED, version=2)),
        (ModelNotReadyError, "model.onnx", lambda client: client.predict("broken", image=RED)),
        (
            ModelNotReadyError,
            "model.onnx",
            lambda client: client.infer("broken.engine", {"pixel_values": np.zeros((1, 3, SIZE, SIZE), np.float32)}),
        ),
    ],
)
async def test_an_error_has_the_class_that_the_server_raised(
    half_broken: ServerProcess, kind: type[TundishError], said: str, ask: Ask
) -> None:
    for error in await raised_by_both(half_broken.url, ask):
        assert type(error) is kind
        assert said in str(error)


async def test_an_engine_that_fails_is_an_engine_error(server: ServerProcess) -> None:
    ids = np.full((1, 4), 10_000_000)
    inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    for error in await raised_by_both(server.url, lambda client: client.infer("minilm.engine", inputs)):
        assert type(error) is EngineError
        assert str(error).startswith("row 0: The engine failed: ")
        assert "\n" not in str(error)


async def test_a_full_queue_says_when_to_try_again(crowded: ServerProcess) -> None:
    with full_queue(crowded, LONG_ENOUGH_SECONDS):
        errors = await raised_by_both(crowded.url, lambda client: client.predict("slow", image=RED))
    for error in errors:
        assert isinstance(error, QueueFullError)
        assert "The queue holds 64 of at most 64 items, 1 more do not fit" in str(error)
        assert error.retry_after_seconds > 0


@pytest.mark.parametrize("timeout", [0, 1e-6, 0.05])
async def test_no_answer_within_the_timeout_is_a_deadline(crowded: ServerProcess, timeout: float) -> None:
    started = time.monotonic()
    question: dict[str, Any] = {"image": slow_image(0.3), "timeout": timeout}
    for error in await raised_by_both(crowded.url, lambda client: client.predict("slow", **question)):
        assert type(error) is DeadlineExceededError
    assert time.monotonic() - started < 10


async def test_the_timeout_of_the_client_holds_for_calls_without_one(crowded: ServerProcess) -> None:
    with Client(crowded.url, timeout=0.05) as blocking, pytest.raises(DeadlineExceededError):
        blocking.predict("slow", image=slow_image(0.3))
    async with AsyncClient(crowded.url, timeout=0.05) as awaiting:
        with pytest.raises(DeadlineExceededError):
            await awaiting.predict("slow", image=slow_image(0.3))
        assert (await awaiting.predict("slow", image=RED, timeout=30)).model == "slow"


async def test_a_stream_beyond_its_timeout_is_a_deadline(crowded: ServerProcess) -> None:
    with Client(crowded.url) as blocking, pytest.raises(DeadlineExceededError):
        list(blocking.predict_stream("slow", [{"image": slow_image(0.3)}], timeout=0.05))

    async def images() -> AsyncIterator[Inputs]:
        yield {"image": slow_image(0.3)}

    async with AsyncClient(crowded.url) as awaiting:
        with pytest.raises(DeadlineExceededError):
            _ = [outcome async for outcome in awaiting.predict_stream("slow", images(), timeout=0.05)]


async def test_a_server_that_stops_says_so_while_it_finishes(tmp_path: Path) -> None:
    make_slow_bundle(tmp_path)
    with ServerProcess(tmp_path, "--instances", "1") as process:
        with connect(process.url) as connection:
            head = occupy(process, connection.typed.Predict, LONG_ENOUGH_SECONDS)
            process.signal()
            wait_until(lambda: "Stopping: " in process.output)
            for error in await raised_by_both(process.url, lambda client: client.predict("slow", image=RED)):
                assert type(error) is StoppingError
            assert not head.done()
            assert head.result(ANSWER_SECONDS).model_name == "slow"
        assert process.wait() == 0


# Streams


async def test_errors_in_a_stream_have_the_class_that_the_server_raised(half_broken: ServerProcess) -> None:
    for outcome in await outcomes_of_both(half_broken.url, "colours", image=RED):
        assert type(outcome) is ModelNotFoundError
    for outcome in await outcomes_of_both(half_broken.url, "colors", text="red"):
        assert type(outcome) is InvalidInputError


async def test_a_model_that_is_not_ready_is_told_by_its_class_in_a_stream_too(half_broken: ServerProcess) -> None:
    for outcome in await outcomes_of_both(half_broken.url, "broken", image=RED):
        assert "model.onnx" in str(outcome)
        assert type(outcome) is ModelNotReadyError


async def test_a_full_queue_is_told_by_its_class_in_a_stream_too(crowded: ServerProcess) -> None:
    with full_queue(crowded, LONG_ENOUGH_SECONDS):
        outcomes = await outcomes_of_both(crowded.url, "slow", image=RED)
    for outcome in outcomes:
        assert "The queue holds 64 of at most 64 items" in str(outcome)
        assert type(outcome) is QueueFullError


def faulty() -> Iterator[Inputs]:
    yield {"image": RED}
    raise ZeroDivisionError("a fault of the caller's own")


def test_a_fault_in_the_callers_own_iterator_reaches_the_caller(half_broken: ServerProcess) -> None:
    with Client(half_broken.url) as client, pytest.raises(ZeroDivisionError, match="a fault of the caller's own"):
        list(client.predict_stream("colors", faulty()))


async def test_a_fault_in_the_callers_own_asynchronous_iterator_reaches_the_caller(
    half_broken: ServerProcess,
) -> None:
    async def drawn() -> AsyncIterator[Inputs]:
        for item in faulty():
            yield item

    outcomes = []
    async with AsyncClient(half_broken.url) as client:
        try:
            outcomes += [outcome async for outcome in client.predict_stream("colors", drawn())]
        except asyncio.CancelledError:
            pytest.fail("the caller's task was told that it is cancelled")
        except ZeroDivisionError:
            return
    pytest.fail(f"the stream ended as if nothing had been wrong, with {outcomes}")


def test_a_stream_to_a_server_that_stops_says_that_it_stops(tmp_path: Path) -> None:
    make_bundle(tmp_path)
    images: queue.Queue[Inputs | None] = queue.Queue()
    images.put({"image": RED})
    with ServerProcess(tmp_path) as process, Client(process.url) as client:
        stream = client.predict_stream("colors", iter(images.get, None))
        assert isinstance(next(stream), Prediction)
        process.signal()
        with pytest.raises(StoppingError, match="open the stream again"):
            next(stream)
        images.put(None)
        assert process.wait() == 0


async def test_an_asynchronous_stream_to_a_server_that_stops_says_that_it_stops(tmp_path: Path) -> None:
    make_bundle(tmp_path)
    never = asyncio.Event()

    async def images() -> AsyncIterator[Inputs]:
        yield {"image": RED}
        await never.wait()

    with ServerProcess(tmp_path) as process:
        async with AsyncClient(process.url) as client:
            stream = client.predict_stream("colors", images())
            assert isinstance(await anext(stream), Prediction)
            process.signal()
            with pytest.raises(StoppingError, match="open the stream again"):
                await anext(stream)
        assert process.wait() == 0


# Connections


@pytest.fixture
def closed_url() -> Iterator[str]:
    """An address at which nothing listens, and which nobody else gets meanwhile."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{unused.getsockname()[1]}"


async def test_no_server_is_a_failed_connection_that_names_the_address(closed_url: str) -> None:
    questions: list[Ask] = [
        lambda client: client.predict("colors", image=RED),
        lambda client: client.infer("colors.engine", {"pixel_values": np.zeros((1, 3, SIZE, SIZE), np.float32)}),
    ]
    for question in questions:
        for error in await raised_by_both(closed_url, question):
            assert type(error) is ConnectionFailedError
            assert f"No server answers at {closed_url}; start one with `tundish serve`" in str(error)


async def test_no_server_is_a_failed_connection_for_a_stream_too(closed_url: str) -> None:
    with Client(closed_url) as blocking, pytest.raises(ConnectionFailedError, match=closed_url):
        list(blocking.predict_stream("colors", [{"image": RED}]))

    async def images() -> AsyncIterator[Inputs]:
        yield {"image": RED}

    async with AsyncClient(closed_url) as awaiting:
        with pytest.raises(ConnectionFailedError, match=closed_url):
            _ = [outcome async for outcome in awaiting.predict_stream("colors", images())]


def test_a_server_that_dies_under_a_request_is_a_failed_connection(tmp_path: Path) -> None:
    make_slow_bundle(tmp_path)
    caught: list[TundishError] = []

    def ask() -> None:
        try:
            client.predict("slow", image=slow_image(2))
        except TundishError as error:
            caught.append(error)

    with ServerProcess(tmp_path) as process, Client(process.url) as client:
        client.predict("slow", image=RED)
        before = process.cpu_seconds()
        asking = threading.Thread(target=ask)
        asking.start()
        wait_until(lambda: process.cpu_seconds() > before + 0.04)
        process.signal(signal.SIGKILL)
        asking.join(30)
        assert process.wait() == -signal.SIGKILL
    assert [type(error) for error in caught] == [ConnectionFailedError]


# The command


def infer(server: ServerProcess, *arguments: str | Path) -> tuple[int, str, str]:
    ran = call_tundish("infer", *arguments, "--url", server.url)
    return ran.returncode, ran.stdout, ran.stderr


def test_the_command_goes_on_after_a_bad_input_and_fails_at_the_end(half_broken: ServerProcess, tmp_path: Path) -> None:
    (tmp_path / "red.png").write_bytes(RED)
    (tmp_path / "bad.png").write_bytes(b"no image")
    images = [f"--image={tmp_path / name}.png" for name in ("red", "bad", "red")]
    code, output, errors = infer(half_broken, "colors", *images, "--json")
    lines = [json.loads(line) for line in output.splitlines()]
    assert (code, errors) == (1, "")
    assert [line["input"] for line in lines] == [image.removeprefix("--image=") for image in images]
    assert [line["labels"][0]["name"] for line in (lines[0], lines[2])] == ["red", "red"]
    assert lines[1]["status"] == "INVALID_ARGUMENT"
    assert "none of JPEG" in lines[1]["error"]


def test_the_command_says_the_status_of_a_model_that_is_not_ready(half_broken: ServerProcess) -> None:
    code, output, _ = infer(half_broken, "broken", "--text=red", "--json")
    assert code == 1
    (line,) = map(json.loads, output.splitlines())
    assert "model.onnx" in line["error"]
    assert line["status"] == "UNAVAILABLE"


def test_the_command_shows_the_brackets_of_a_shape(half_broken: ServerProcess, tmp_path: Path) -> None:
    np.savez(tmp_path / "wrong.npz", pixel_values=np.zeros((1, 3), np.float32))
    code, output, errors = infer(half_broken, "colors.engine", "--tensors", tmp_path / "wrong.npz")
    assert (code, output) == (1, "")
    assert errors == "error: Input 'pixel_values' must have the shape [batch, 3, 4, 4], got [1, 3].\n"


def test_the_command_takes_brackets_in_an_error_for_text_and_not_for_markup(
    half_broken: ServerProcess, tmp_path: Path
) -> None:
    path = tmp_path / "[bold]a[" / "b].png"
    code, output, errors = infer(half_broken, "colors", "--image", path)
    assert (code, output) == (1, "")
    assert errors == f"error: The image {path} cannot be read: No such file or directory.\n"


def test_the_command_says_that_no_server_answers_in_one_sentence(closed_url: str) -> None:
    ran = call_tundish("infer", "colors", "--text", "red", "--url", closed_url)
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert ran.stderr.startswith(f"error: No server answers at {closed_url}; start one with `tundish serve`.")
    assert len(ran.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--text=a", "--tensors=b.npz"],
        ["--text=a", "--text=b", "--text=c", "--text-pair=d", "--text-pair=e"],
        ["--text=a", "--unknown"],
        ["--text=a", "--timeout=0"],
    ],
)
def test_a_wrong_use_of_the_command_is_exit_code_2(arguments: list[str]) -> None:
    ran = call_tundish("infer", "colors", *arguments)
    assert ran.returncode == 2
    assert "Usage: " in ran.stderr
    assert "Traceback" not in ran.stderr
