"""Plain JSON over HTTP, as one types it; what is wrong with a request costs no other, and is said in one sentence."""

from __future__ import annotations

import gzip
import json
import re
import resource
import socket
import struct
import time
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from support.bundles import SIZE, make_bundle
from support.http_calls import Answer, ask, get, open_socket, post, until_closed
from support.images import encoded
from support.server_process import ServerProcess, wait_until

from tundish.client import Client

PIPELINE = "/v2/models/colors/infer"
ENGINE = "/v2/models/colors.engine/infer"
RED = [1.0] * 16 + [0.0] * 32
MEGABYTE = 2**20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Takes bodies up to a megabyte. Whatever comes, it goes on, and its log holds no traceback."""
    repository = tmp_path_factory.mktemp("colors")
    make_bundle(repository)
    with ServerProcess(repository, "--max-http-body-megabytes", "1") as process:
        yield process
        assert process.running, process.output
    assert process.wait() == 0
    assert "Traceback" not in process.output


@pytest.fixture
def url(server: ServerProcess) -> Iterator[str]:
    """The server answers as before once the test is over."""
    yield server.http_url
    assert post(server.http_url, ENGINE, pixels()).json["outputs"][0]["data"] == [10, 0, 0]


def pixels(data: Any = RED, datatype: str = "FP32", shape: Any = (1, 3, SIZE, SIZE), **more: Any) -> dict[str, Any]:
    tensor = {"name": "pixel_values", "datatype": datatype, "shape": shape, "data": data, **more}
    return {"inputs": [{name: value for name, value in tensor.items() if value is not None}]}


def with_binary(request: dict[str, Any], *tensors: bytes) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a request whose tensors come behind its JSON."""
    header = json.dumps(request).encode()
    return header + b"".join(tensors), {"Inference-Header-Content-Length": str(len(header))}


def image_request(*images: bytes) -> tuple[bytes, dict[str, str]]:
    content = b"".join(struct.pack("<I", len(image)) + image for image in images)
    tensor = {"name": "image", "datatype": "BYTES", "shape": [len(images)]}
    return with_binary({"inputs": [{**tensor, "parameters": {"binary_data_size": len(content)}}]}, content)


# What is answered


def test_an_answer_has_the_date_also_after_a_while_without_requests(url: str) -> None:
    for _ in range(2):
        time.sleep(1.1)
        answered = parsedate_to_datetime(get(url, "/v2/health/live").headers["date"]).timestamp()
        assert -2 < answered - time.time() <= 0


@pytest.mark.parametrize("padding", range(5))
def test_binary_numbers_may_begin_at_any_byte_of_the_body(url: str, padding: int) -> None:
    content = struct.pack("<48f", *RED)
    request = pixels(None, parameters={"binary_data_size": len(content)})
    answer = post(url, ENGINE, *with_binary({**request, "id": "a" * padding}, content))
    assert answer.json["outputs"][0]["data"] == [10.0, 0.0, 0.0]


@pytest.mark.parametrize("data", [RED, [[RED]], [[[RED[:4]] * 4] + [[RED[-4:]] * 4] * 2]])
def test_json_tensors_are_flat_or_nested(url: str, data: Any) -> None:
    answer = post(url, ENGINE, {**pixels(data), "id": "a"})
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json == {
        "model_name": "colors.engine",
        "model_version": "1",
        "id": "a",
        "outputs": [{"name": "logits", "datatype": "FP32", "shape": [1, 3], "data": [10.0, 0.0, 0.0]}],
    }


def test_images_come_as_binary_data_and_labels_go_as_json(url: str) -> None:
    answer = post(url, PIPELINE, *image_request(encoded("green"), encoded("blue")))
    labels, scores = answer.json["outputs"]
    assert labels["data"][0] == "green"
    assert labels["data"][3] == "blue"
    assert sum(scores["data"]) == pytest.approx(2)


def test_a_body_that_is_one_image_and_nothing_else(url: str) -> None:
    answer = post(url, PIPELINE, encoded("green"), {"Inference-Header-Content-Length": "0"})
    assert answer.json["outputs"][0]["data"][0] == "green"
    raw = struct.pack("<48f", *RED)
    answer = post(url, "/v2/models/colors.engine/versions/1/infer", raw, {"Inference-Header-Content-Length": "0"})
    assert answer.json["outputs"][0]["data"] == [10, 0, 0]


def test_binary_outputs_follow_the_json(url: str) -> None:
    answer = post(url, ENGINE, {**pixels(), "parameters": {"binary_data_output": True}})
    size = int(answer.headers["inference-header-content-length"])
    (output,) = json.loads(answer.body[:size])["outputs"]
    assert output["parameters"] == {"binary_data_size": 12}
    assert struct.unpack("<3f", answer.body[size:]) == pytest.approx((10, 0, 0))


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip", "gzip"),
        ("deflate", "deflate"),
        ("gzip, deflate, br", "gzip"),
        ("gzip;q=0.2, deflate;q=0.5", "deflate"),
        ("br", None),
        ("gzip;q=0", None),
        ("gzip;q=high", None),
        ("", None),
    ],
)
def test_a_large_answer_is_compressed_as_it_is_accepted(url: str, accepted: str, coding: str | None) -> None:
    body, headers = image_request(*[encoded("red")] * 60)
    answer = post(url, PIPELINE, body, {**headers, "Accept-Encoding": accepted})
    assert answer.headers.get("content-encoding") == coding
    decode: Any = {"gzip": gzip.decompress, "deflate": zlib.decompress, None: bytes}[coding]
    assert json.loads(decode(answer.body))["outputs"][0]["data"][::3] == ["red"] * 60


def test_a_body_in_chunks(url: str) -> None:
    body = json.dumps(pixels()).encode()
    answer = ask(url, "POST", ENGINE, [body[:10], body[10:]], {"Content-Encoding": "identity"})
    assert answer.json["outputs"][0]["data"] == [10, 0, 0]


def test_readiness_is_told_with_a_reason(url: str) -> None:
    assert get(url, "/v2/health/live").json == {"live": True}
    assert get(url, "/v2/health/ready").status == 200
    assert get(url, "/v2/models/colors/ready").status == 200
    answer = get(url, "/v2/models/colors/versions/7/ready")
    assert (answer.status, answer.error) == (404, "Model 'colors' has no version '7'; it has 1.")


# What is refused


def refused(answer: Answer, status: int, said: str) -> None:
    assert answer.status == status, answer.body
    assert re.search(said, answer.error), answer.error


def nested(depth: int) -> bytes:
    return b'{"inputs": [{"name": "pixel_values", "datatype": "FP32", "shape": [1], "data": ' + b"[" * depth


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "inputs: Field required"),
        (b"{}", "inputs: Field required"),
        (b"red", "Invalid JSON"),
        (b"[]", "should be an object"),
        (b"null", "should be an object"),
        (b'{"inputs": [', "Invalid JSON"),
        (b'\xff\xfe{"inputs": []}', "Invalid JSON"),
        (b'{"inputs": [], "id": "\\ud800"}', "Invalid JSON"),
        (b'{"inputs": [], "id": 7}', "at id: .*valid string"),
        (b'{"inputs": {}}', "at inputs: .*valid array"),
        (nested(60_000), "recursion limit"),
        (b"[" * 60_000, "recursion limit"),
        (b'{"a":' * 60_000, "recursion limit"),
        (b"[" * 500_000, "more than 65536 lists and objects; send tensors flat"),
        (nested(1) + b"[0]," * 100_000 + b"]}]}", "more than 65536 lists"),
        (b'{"inputs": [], "parameters": {"timeout": ' + b"9" * 100_000 + b"}}", "Invalid JSON|64 bits"),
        (b'{"inputs": [], "parameters": {"timeout": 18446744073709551616}}', "'timeout' must be .* of 64 bits"),
        (b'{"inputs": [], "parameters": {"timeout": [1]}}', "'timeout' must be"),
        (b'{"inputs": [], "parameters": {"timeout": -1}}', "'timeout' must not be negative"),
        (b'{"inputs": [], "parameters": {"timeout": null}}', "'timeout' must be"),
        (b'{"inputs": [], "parameters": {"timeout": "1000"}}', "'timeout' must be an integer, got '1000'"),
        (b'{"inputs": [], "parameters": {"timeout": true}}', "'timeout' must be an integer, got True"),
        (b'{"inputs": [], "parameters": {"timeout": 0.5}}', "'timeout' must be an integer, got 0.5"),
        (b'{"inputs": [], "parameters": {"priority": "1"}}', "'priority' must be an integer, got '1'"),
    ],
)
def test_malformed_json_is_refused(url: str, body: bytes, said: str) -> None:
    refused(post(url, ENGINE, body), 400, said)


@pytest.mark.parametrize(
    ("request_json", "said"),
    [
        (pixels(RED[:-1]), r"must have 48 elements, got 47"),
        (pixels([RED[:24], RED[24:-1]]), "lists of like lengths"),
        (pixels([*RED[:-1], float("nan")]), "has a value|have a value outside FP32|Invalid JSON"),
        (pixels([*RED[:-1], float("inf")]), "have a value outside FP32|Invalid JSON"),
        (pixels([*RED[:-1], 1e39]), "have a value outside FP32"),
        (pixels([*RED[:-1], 10**400]), "must be numbers|outside FP32"),
        (pixels([*RED[:-1], "1"]), "must be numbers"),
        (pixels([*RED[:-1], None]), "must be numbers"),
        (pixels([*RED[:-1], {}]), "must be numbers"),
        (pixels([True] * 48), "must be numbers"),
        (pixels([*RED[:-1], True]), "must be numbers"),
        (pixels([*[1] * 47, True], "INT64"), "must be integers"),
        (pixels([*[1] * 47, 2**64], "UINT64"), "have a value outside UINT64"),
        (pixels(["x" * 100_000, *[""] * 5_000]), "must have 48 elements, got 5001"),
        (pixels(["x" * 100_000, *[""] * 47]), "must be numbers"),
        (pixels([[RED[:24]], RED[24:]]), "lists of like lengths|must have 48 elements"),
        (pixels("AAAA"), r"at inputs\.0\.data: .*valid array"),
        (pixels(None), "has neither data nor the parameter binary_data_size"),
        (pixels([1] * 48, "UINT8"), "must be FP32, got UINT8"),
        (pixels([256] * 48, "UINT8"), "have a value outside UINT8"),
        (pixels([-1] * 48, "UINT64"), "have a value outside UINT64|must be integers"),
        (pixels([1.5] * 48, "INT64"), "must be integers"),
        (pixels([2**63] * 48, "INT64"), "have a value outside INT64"),
        (pixels([1] * 48, "BOOL"), "must be true or false"),
        (pixels([1] * 48, "BYTES"), "must be texts"),
        (pixels(["a"] * 48, "BYTES"), "must be FP32, got BYTES"),
        (pixels(datatype="FLOAT"), "unknown datatype 'FLOAT'"),
        (pixels(shape=[-1, 3, 4, 4]), "negative size"),
        (pixels(shape=[2**62, 3, 4, 4]), "must have .* elements, got 48"),
        (pixels(shape=[2**63, 3, 4, 4]), r"at inputs\.0\.shape\.0"),
        (pixels(shape=[1, 3, 4, 4.0]), r"at inputs\.0\.shape\.3: .*valid integer"),
        (pixels(shape=[]), "must have 1 elements, got 48"),
        (pixels(parameters={"binary_data_size": 192}), "only 0 bytes are left"),
        (pixels(parameters={"binary_data_size": -1}), "must be a number of bytes, got -1"),
        (pixels(parameters={"binary_data_size": True}), "must be a number of bytes"),
        (
            {**pixels(), "parameters": {"binary_data_output": "yes"}},
            "'binary_data_output' must be a truth value, got 'yes'",
        ),
        (
            {**pixels(), "outputs": [{"name": "logits", "parameters": {"binary_data": 1}}]},
            "'binary_data' must be a truth value, got 1",
        ),
        (
            pixels(parameters={"shared_memory_region": "none", "shared_memory_byte_size": 8}),
            "There is no region 'none'",
        ),
        ({**pixels(), "outputs": [{"name": "label"}]}, r"has the outputs \['logits'\], not 'label'"),
        ({"inputs": [*pixels()["inputs"], *pixels()["inputs"]]}, "stands twice"),
        ({**pixels(), "outputs": [{"name": "logits"}] * 3}, "'logits' stands 3 times"),
        (pixels([""], "BYTES", [2**16 + 1]), "more than 65536 elements; send fewer"),
    ],
)
def test_wrong_tensors_are_told_what_was_expected(url: str, request_json: Any, said: str) -> None:
    refused(post(url, ENGINE, request_json), 400, said)


@pytest.mark.parametrize("length", ["-1", "nine", "1000000", "9" * 5000, "", "1.5", "+5", "٣"])
def test_a_wrong_length_of_the_json_is_refused(url: str, length: str) -> None:
    headers = {"Inference-Header-Content-Length": length.encode().decode("latin-1")}
    refused(post(url, ENGINE, pixels(), headers), 400, "must be a number up to|cannot be read")


def test_binary_data_must_be_as_long_as_it_is_said_to_be(url: str) -> None:
    request = pixels(None, parameters={"binary_data_size": 192})
    for raw in (bytes(191), bytes(193)):
        body, headers = with_binary(request, raw)
        refused(post(url, ENGINE, body, headers), 400, "only 191 bytes are left|1 bytes more")
    refused(post(url, PIPELINE, b"", {"Inference-Header-Content-Length": "0"}), 400, "has no bytes")


def test_an_image_is_no_text(url: str) -> None:
    request = {"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": ["red"]}]}
    refused(post(url, PIPELINE, request), 400, r"image\[0\]: The image is none of JPEG")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v2/models", 404),
        ("GET", "/v2/models/colors/nothing", 404),
        ("GET", "/v2/models/colors%2f..%2f..", 404),
        ("GET", "/v2/models/%ff%00", 404),
        ("GET", PIPELINE, 405),
        ("DELETE", "/v2/models/colors", 405),
        ("POST", "/metrics", 405),
        ("PROPFIND", "/v2", 405),
    ],
)
def test_paths_and_methods_that_there_are_not(url: str, method: str, path: str, status: int) -> None:
    refused(ask(url, method, path), status, "Not Found|Method Not Allowed|There is no model")


def test_too_large_a_body_is_refused(url: str) -> None:
    said = "larger than 1048576 bytes; send less, or raise --max-http-body-megabytes"
    refused(post(url, ENGINE, bytes(MEGABYTE + 1)), 413, said)
    refused(ask(url, "POST", ENGINE, [bytes(MEGABYTE // 2)] * 3), 413, said)
    bomb = gzip.compress(bytes(200 * MEGABYTE), 1)
    assert len(bomb) < MEGABYTE
    refused(post(url, ENGINE, bomb, {"Content-Encoding": "gzip"}), 413, said)


def test_json_has_a_lower_limit_than_images(colors: ServerProcess) -> None:
    five = 5 * MEGABYTE
    refused(post(colors.http_url, ENGINE, pixels([0.5] * MEGABYTE)), 413, "larger than 4194304 bytes; send tensors as")
    refused(post(colors.http_url, PIPELINE, bytes(five), {"Inference-Header-Content-Length": "0"}), 400, "none of JPEG")


def test_texts_that_are_more_than_their_shape_says_are_not_looked_through(url: str) -> None:
    tensor = {"name": "image", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": 2**19}}
    body, headers = with_binary({"inputs": [tensor]}, bytes(2**19))
    refused(post(url, "/v2/models/colors/infer", body, headers), 400, "must have 1 elements, got 2")


def test_numbers_of_64_bits_are_all_taken(url: str) -> None:
    """One above 2**63 beside one below it is a float to NumPy."""
    refused(post(url, ENGINE, pixels([*[1] * 47, 2**63], "UINT64")), 400, "must be FP32, got UINT64")


def test_a_classification_is_a_count(url: str) -> None:
    request = pixels() | {"outputs": [{"name": "logits", "parameters": {"classification": "2"}}]}
    refused(post(url, ENGINE, request), 400, "'classification' must be an integer, got '2'")


def announce(url: str, size: int, *more: str) -> socket.socket:
    """A connection on which the head of a request has been sent, but nothing of its body."""
    connection = open_socket(url)
    lines = (f"POST {ENGINE} HTTP/1.1", f"Host: {url}", f"Content-Length: {size}", *more, "", "")
    connection.sendall("\r\n".join(lines).encode())
    return connection


def has_room(url: str) -> bool:
    """Whether a body of a few bytes would be read now; it takes no room itself."""
    with announce(url, 5, "Expect: 100-continue") as connection:
        return connection.recv(1 << 16).startswith(b"HTTP/1.1 100 ")


def test_all_bodies_together_are_bounded(url: str) -> None:
    with ExitStack() as connections:
        for _ in range(4):  # as many of the largest as there is room for, each but for its last byte
            connection = connections.enter_context(announce(url, MEGABYTE))
            connection.sendall(bytes(MEGABYTE - 1))
        wait_until(lambda: not has_room(url))
        bodies = {"identity": bytes(5), "gzip": gzip.compress(b"12345"), "deflate": zlib.compress(bytes(1000))}
        for coding, body in bodies.items():
            answer = ask(url, "POST", ENGINE, body, {"Content-Encoding": coding})
            refused(answer, 503, "no room for the body beside those of other requests; try again later")
            assert answer.headers["retry-after"] == "1"
        refused(ask(url, "POST", ENGINE, [bytes(3)] * 2), 503, "no room")
        assert get(url, "/v2/health/ready").status == 200
        connection.sendall(b" ")
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 400 ")  # it was read: a megabyte of nothing
        assert post(url, ENGINE, pixels()).status == 200
    wait_until(lambda: post(url, ENGINE, bytes(MEGABYTE)).status == 400)


def test_clients_that_hang_up_while_they_are_answered_are_no_fault_of_the_server(url: str) -> None:
    """The server's log, which is looked at when all is done, holds no traceback of them."""
    for pause in (0, 0.0005) * 50:
        with open_socket(url) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.sendall(f"GET /v2/health/live HTTP/1.1\r\nHost: {url}\r\n\r\n".encode() * 20)
            time.sleep(pause)
    assert get(url, "/v2/health/live").status == 200


def test_rubbish_behind_a_refused_body_is_not_the_servers_fault(url: str) -> None:
    with open_socket(url) as connection:
        head = f"POST {ENGINE} HTTP/1.1\r\nHost: {url}\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head.encode() + b"200000\r\n" + bytes(0x200000) + b"\r\n")
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 413 ")
        connection.sendall(b"rubbish\r\n")
        until_closed(connection)


def test_a_client_that_waits_need_not_send_what_is_too_large(url: str) -> None:
    with open_socket(url) as connection:
        head = f"POST {ENGINE} HTTP/1.1\r\nHost: {url}\r\nContent-Length: 9000000000\r\nExpect: 100-continue\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 413 ")


GZIPPED = gzip.compress(b"{}", mtime=0)
"""The same at any time, for the names of tests are made of it."""


@pytest.mark.parametrize(
    ("coding", "body", "status", "said"),
    [
        ("gzip", b"{}", 400, "is not gzip, as its header says"),
        ("deflate", GZIPPED, 400, "is not deflate, as its header says"),
        ("gzip", GZIPPED[:-4], 400, "does not end where its gzip stream ends"),
        ("gzip", GZIPPED + b"more", 400, "does not end where its gzip stream ends"),
        ("br", b"{}", 415, "send gzip, deflate or neither"),
        ("gzip, gzip", b"{}", 415, "send gzip, deflate or neither"),
    ],
)
def test_wrong_compression_is_refused(url: str, coding: str, body: bytes, status: int, said: str) -> None:
    refused(post(url, ENGINE, body, {"Content-Encoding": coding}), status, said)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /v2\r\n\r\n",
        b"GET /v2 HTTP/1.1\r\n\r\n",  # no host
        b"GET /v2 HTTP/1.1\r\nHost: a\r\n" + b"Name: " + b"x" * 200_000 + b"\r\n\r\n",
        b"GET /v2 HTTP/1.1\r\nHost: a\r\n" + b"Name: x\r\n" * 20_000 + b"\r\n",
        b"GET /" + b"x" * 200_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /v2/repository/index HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST /v2/repository/index HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /v2/repository/index HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
    ],
)
def test_what_is_not_http_is_hung_up_on(url: str, sent: bytes) -> None:
    with open_socket(url) as connection:
        try:
            connection.sendall(sent)
        except (BrokenPipeError, ConnectionResetError):
            return
        answer = until_closed(connection)
        assert re.match(rb"HTTP/1.1 40[04] ", answer) or not answer


def test_a_body_shorter_than_its_length_is_no_request(url: str) -> None:
    body = json.dumps(pixels()).encode()
    with open_socket(url) as connection:
        head = f"POST {ENGINE} HTTP/1.1\r\nHost: {url}\r\nContent-Length: {len(body) + 10}\r\n\r\n"
        connection.sendall(head.encode() + body)
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)


def test_what_follows_a_body_is_the_next_request(url: str) -> None:
    with open_socket(url) as connection:
        head = f"POST /v2/repository/index HTTP/1.1\r\nHost: {url}\r\nContent-Length: 2\r\n\r\n"
        connection.sendall(head.encode() + b"{}rubbish\r\n\r\n")
        answer = until_closed(connection)
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"200", b"400"]


def test_a_hundred_slow_clients_keep_nobody_waiting(url: str) -> None:
    connections = [open_socket(url) for _ in range(100)]
    try:
        for index, connection in enumerate(connections):
            head = f"POST {ENGINE} HTTP/1.1\r\nHost: {url}\r\nContent-Length: 500000\r\n\r\n{{"
            connection.sendall(head.encode() if index % 2 else head[:30].encode())
        started = time.monotonic()
        assert post(url, ENGINE, pixels()).status == 200
        assert time.monotonic() - started < 2
    finally:
        for connection in connections:
            connection.close()


def test_a_thousand_idle_connections_keep_nobody_out(tmp_path: Path) -> None:
    make_bundle(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))  # what a server is usually given
        with ServerProcess(tmp_path) as process, ExitStack() as idle, Client(process.url) as client:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            for _ in range(1100):
                idle.enter_context(open_socket(process.http_url))
            for _ in range(10):
                assert post(process.http_url, ENGINE, pixels()).status == 200
                assert client.predict("colors", image=encoded("red"), timeout=5).model == "colors"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_nothing_of_the_repository_is_reachable_by_path(url: str, tmp_path: Path) -> None:
    for path in ("/../../etc/passwd", f"/{tmp_path}", "/v2/models/..%2f..%2fetc%2fpasswd"):
        assert get(url, path).status == 404
