"""What a server does with a repository that is broken in part or whole, and with an address that it cannot have."""

from __future__ import annotations

import itertools
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from support.bundles import make_bundle
from support.calls import Connection, connect, image_request, status_of, top_label
from support.commands import COMMAND_SECONDS, call_tundish, run_tundish
from support.http_calls import get
from support.images import encoded
from support.server_process import STOP_SECONDS, ServerProcess, handling_of_hangups

from tundish.bundle import MANIFEST_NAME, describe_file, publish_bundle, staged_bundle
from tundish_proto import open_inference_pb2 as oip

LOG_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (INFO|ERROR) ")


ANY_PORTS = ("--grpc-port", "0", "--http-port", "0")


def flip_a_byte(directory: Path) -> str:
    path = directory / "model.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    return f"{path} does not match its SHA-256 in the manifest; copy it again."


def remove_a_file(directory: Path) -> str:
    (directory / "model.onnx").unlink()
    return f"{directory / 'model.onnx'} is missing, its manifest names it; copy the bundle again."


def shorten_a_file(directory: Path) -> str:
    path = directory / "model.onnx"
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-1])
    return f"{path} has {size - 1} bytes, its manifest says {size}; copy it again."


def remove_the_manifest(directory: Path) -> str:
    (directory / MANIFEST_NAME).unlink()
    return f"{directory / MANIFEST_NAME} is missing, so {directory} is not a bundle."


def flip_a_byte_of_the_manifest(directory: Path) -> str:
    path = directory / MANIFEST_NAME
    path.write_text(path.read_text().replace('"red"', '"rod"'))
    return f"{path} does not match its own digest; export the model again."


def make_it_newer(directory: Path) -> str:
    path = directory / MANIFEST_NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format_version": 3, "invented": True}))
    return f"{path} has format version 3, this tundish reads up to 2; update tundish."


def give_it_an_unknown_task(directory: Path) -> str:
    path = directory / MANIFEST_NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | {"task": "mind-reading"}))
    return f"{path} has the unknown task 'mind-reading'; this tundish knows image-classification, "


def rename_it(directory: Path) -> str:
    shutil.copytree(directory.parents[1] / "colors" / "1", directory, dirs_exist_ok=True)
    return f"{directory} holds version 1 of 'colors'; move it to the directory of that name."


DAMAGES: list[Callable[[Path], str]] = [
    flip_a_byte,
    remove_a_file,
    shorten_a_file,
    remove_the_manifest,
    flip_a_byte_of_the_manifest,
    make_it_newer,
    give_it_an_unknown_task,
    rename_it,
]
"""Each damages a bundle, and returns what is to be said of it."""


@pytest.fixture(scope="module")
def reasons() -> dict[str, str]:
    """What is to be said of each broken model."""
    return {}


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory, reasons: dict[str, str]) -> Iterator[ServerProcess]:
    """Serves `colors` from a repository that holds a broken model of each kind beside it."""
    root = tmp_path_factory.mktemp("damaged")
    make_bundle(root)
    for damage in DAMAGES:
        name = damage.__name__
        reasons[name] = damage(make_bundle(root, name).directory)
    with ServerProcess(root) as process:
        yield process
        assert process.running, process.output


@pytest.fixture
def connection(damaged: ServerProcess) -> Iterator[Connection]:
    with connect(damaged.url) as connected:
        yield connected


def model_ready(connection: Connection, name: str, version: str = "") -> bool:
    return bool(connection.open_inference.ModelReady(oip.ModelReadyRequest(name=name, version=version)).ready)


def server_ready(connection: Connection) -> bool:
    return bool(connection.open_inference.ServerReady(oip.ServerReadyRequest()).ready)


def refusal(stub: Any, request: Any) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as caught:
        stub(request)
    code, message = status_of(caught.value)
    return code.name, message


def test_a_good_model_beside_broken_ones_is_served(connection: Connection) -> None:
    assert model_ready(connection, "colors")
    assert top_label(connection.typed.Predict(image_request("colors", encoded("green")))) == "green"


def test_a_server_that_cannot_serve_all_is_live_but_not_ready(connection: Connection) -> None:
    assert connection.open_inference.ServerLive(oip.ServerLiveRequest()).live
    assert not server_ready(connection)


def test_who_is_not_ready_over_http_names_each_model_that_does_not_answer(
    damaged: ServerProcess, reasons: dict[str, str]
) -> None:
    answer = get(damaged.http_url, "/v2/health/ready")
    assert answer.status == 503
    first = min(reasons)
    assert answer.error.startswith(f"Model '{first}' is not ready. {reasons[first]}")
    assert "'colors'" not in answer.error


@pytest.mark.parametrize("name", [damage.__name__ for damage in DAMAGES])
def test_a_broken_model_is_unavailable_and_its_file_is_named(
    connection: Connection, reasons: dict[str, str], name: str
) -> None:
    reason = reasons[name]
    for version, title in (("", f"Model '{name}'"), ("1", f"Model '{name}' version 1")):
        assert not model_ready(connection, name, version)
        assert not model_ready(connection, f"{name}.engine", version)
        answers = [
            refusal(connection.typed.Predict, image_request(name, encoded("red"), version=version)),
            refusal(
                connection.open_inference.ModelInfer,
                oip.ModelInferRequest(model_name=f"{name}.engine", model_version=version),
            ),
            refusal(connection.open_inference.ModelMetadata, oip.ModelMetadataRequest(name=name, version=version)),
            refusal(connection.open_inference.ModelConfig, oip.ModelConfigRequest(name=name, version=version)),
        ]
        for code, message in answers:
            assert code == "UNAVAILABLE"
            assert message.startswith(f"{title} is not ready. {reason}")
    assert refusal(connection.typed.Predict, image_request(name, encoded("red"), version="2"))[0] == "NOT_FOUND"


@pytest.mark.parametrize("name", [damage.__name__ for damage in DAMAGES])
def test_the_log_names_each_broken_model_once(damaged: ServerProcess, reasons: dict[str, str], name: str) -> None:
    lines = [line for line in damaged.output.splitlines() if f"'{name}'" in line and "ERROR" in line]
    assert len(lines) == 1
    assert f"Model '{name}' version 1 is not served: {reasons[name]}" in lines[0]


def test_a_broken_highest_version_leaves_the_one_below_it_answering(tmp_path: Path) -> None:
    make_bundle(tmp_path)
    flip_a_byte(make_bundle(tmp_path, version=2).directory)
    with ServerProcess(tmp_path) as process, connect(process.url) as connection:
        assert connection.typed.Predict(image_request("colors", encoded("red"))).model_version == "1"
        code, message = refusal(connection.typed.Predict, image_request("colors", encoded("red"), version="2"))
        assert code == "UNAVAILABLE"
        assert "2/model.onnx does not match" in message
        assert (model_ready(connection, "colors"), model_ready(connection, "colors", "2")) == (True, False)
        metadata = connection.open_inference.ModelMetadata(oip.ModelMetadataRequest(name="colors"))
        assert list(metadata.versions) == ["1"]
        assert server_ready(connection)
        assert get(process.http_url, "/v2/health/ready").json == {"ready": True}


def make_garbage_bundle(repository: Path, scratch: Path) -> Path:
    """Publishes `garbage`: every hash is right, but its network is none. Returns the file that is to blame."""
    template = make_bundle(scratch, "garbage").manifest
    with staged_bundle(repository, "garbage") as staging:
        (staging / "model.onnx").write_bytes(b"no network")
        (variant,) = template.variants
        variant = variant.model_copy(update={"files": (describe_file(staging, "model.onnx"),)})
        bundle = publish_bundle(staging, template.model_copy(update={"variants": (variant,)}))
    return bundle.path("model.onnx")


def test_a_network_that_the_engine_refuses_is_told_as_any_other_damage(tmp_path: Path) -> None:
    make_bundle(tmp_path / "served")
    path = make_garbage_bundle(tmp_path / "served", tmp_path / "scratch")
    with ServerProcess(tmp_path / "served") as process, connect(process.url) as connection:
        assert model_ready(connection, "colors")
        code, message = refusal(connection.typed.Predict, image_request("garbage", encoded("red")))
    assert code == "UNAVAILABLE"
    assert f"ONNX Runtime does not take {path}" in message


def messages_of(ran: subprocess.CompletedProcess[str]) -> list[str]:
    """What a failed start says beside its log."""
    assert ran.stdout == ""
    return [line for line in ran.stderr.splitlines() if not LOG_LINE.match(line)]


def check_one_sentence(ran: subprocess.CompletedProcess[str], *said: str) -> None:
    assert ran.returncode == 1, ran.stderr
    (message,) = messages_of(ran)
    assert message.startswith("error: ")
    for part in said:
        assert part in message


@pytest.mark.parametrize("damage", [flip_a_byte, remove_the_manifest, make_it_newer])
def test_nothing_but_a_broken_model_is_exit_code_1(tmp_path: Path, damage: Callable[[Path], str]) -> None:
    reason = damage(make_bundle(tmp_path).directory)
    check_one_sentence(call_tundish("serve", tmp_path, *ANY_PORTS), "can be served", reason)


@pytest.mark.parametrize(("taken", "free"), [("--grpc-port", "--http-port"), ("--http-port", "--grpc-port")])
def test_a_port_in_use_is_exit_code_1_before_models_are_loaded(tmp_path: Path, taken: str, free: str) -> None:
    make_bundle(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ran = run_tundish("serve", tmp_path, taken, str(port), free, "0")
    check_one_sentence(ran, f"127.0.0.1:{port} cannot be listened on", f"choose another with {taken} or --host")
    assert "colors" not in ran.stderr


def test_a_port_for_both_is_exit_code_1(tmp_path: Path) -> None:
    make_bundle(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    ran = call_tundish("serve", tmp_path, "--grpc-port", str(port), "--http-port", str(port))
    check_one_sentence(ran, f"127.0.0.1:{port} cannot be listened on", "choose another with --http-port or --host")


def test_two_servers_do_not_share_a_port(tmp_path: Path) -> None:
    make_bundle(tmp_path)
    with ServerProcess(tmp_path) as first:
        ran = run_tundish("serve", tmp_path, "--grpc-port", first.url.rpartition(":")[2], "--http-port", "0")
        check_one_sentence(ran, "cannot be listened on")
        with connect(first.url) as connection:
            assert top_label(connection.typed.Predict(image_request("colors", encoded("red")))) == "red"


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_of_another_machine_is_exit_code_1(tmp_path: Path, host: str) -> None:
    make_bundle(tmp_path)
    ran = run_tundish("serve", tmp_path, "--grpc-port", "0", "--host", host)
    check_one_sentence(ran, f"{host}:0 cannot be listened on")
    assert "colors" not in ran.stderr, "models are loaded later"


def test_too_few_open_files_are_exit_code_1(tmp_path: Path) -> None:
    make_bundle(tmp_path)
    limited = ["sh", "-c", 'ulimit -n 24 && exec "$0" "$@"', sys.executable, "-m", "tundish", "serve", str(tmp_path)]
    ran = subprocess.run([*limited, *ANY_PORTS], capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False)
    check_one_sentence(ran, "needs 64 open files at least", "may have 24", "ulimit -n")


def test_a_soft_limit_of_open_files_is_raised(tmp_path: Path) -> None:
    make_bundle(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard > 256, "this machine allows too few for the test"
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        with ServerProcess(tmp_path) as process:
            assert resource.prlimit(process.pid, resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_missing_repository_is_exit_code_1(tmp_path: Path) -> None:
    path = tmp_path / "nowhere"
    check_one_sentence(
        call_tundish("serve", path, *ANY_PORTS), f"The repository {path} is not a directory", "tundish export"
    )


def test_a_repository_that_is_a_file_is_exit_code_1(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    check_one_sentence(call_tundish("serve", path, *ANY_PORTS), f"The repository {path} is not a directory")


def test_an_empty_repository_is_exit_code_1(tmp_path: Path) -> None:
    (tmp_path / "colors" / "latest").mkdir(parents=True)
    check_one_sentence(
        call_tundish("serve", tmp_path, *ANY_PORTS), f"{tmp_path} holds no <model>/<version>/bundle.json"
    )


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--unknown-option"], "--unknown-option"),
        (["--grpc-port", "99999"], "--grpc-port"),
        (["--grpc-port", "-1"], "--grpc-port"),
        (["--grpc-port", "http"], "--grpc-port"),
        (["--http-port", "65536"], "--http-port"),
        (["--max-http-body-megabytes", "0"], "--max-http-body-megabytes"),
        (["--instances", "0"], "--instances"),
        (["another"], "another"),
    ],
)
def test_a_wrong_use_is_exit_code_2(tmp_path: Path, arguments: list[str], named: str) -> None:
    ran = call_tundish("serve", tmp_path, *arguments)
    assert ran.returncode == 2
    usage, _, message = ran.stderr.partition("Error")
    assert usage.startswith("Usage: ")
    assert named in message
    assert "Traceback" not in ran.stderr
    assert ran.stdout == ""


def test_no_repository_is_exit_code_2() -> None:
    ran = call_tundish("serve")
    assert ran.returncode == 2
    assert "Missing argument" in ran.stderr


@pytest.fixture(params=["a full disk", "a reader who has gone"])
def useless_output(request: pytest.FixtureRequest) -> Iterator[int]:
    """A file descriptor that nothing can be written to."""
    if request.param == "a full disk":
        descriptor = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, descriptor = os.pipe()
        os.close(reader)
    yield descriptor
    os.close(descriptor)


def test_a_server_whose_announcement_nobody_takes_serves(tmp_path: Path, useless_output: int) -> None:
    make_bundle(tmp_path)
    command = [sys.executable, "-m", "tundish", "serve", str(tmp_path), "--grpc-port", "0", "--http-port", "0"]
    with subprocess.Popen(command, stdout=useless_output, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            (line,) = itertools.islice((line for line in process.stderr if "WARNING" in line), 1)
            said = re.search(r"HTTP on (\S+)\. Standard output does not take this line: ", line)
            assert said is not None, line
            assert get(said[1], "/v2/health/ready").status == 200
            process.terminate()
            assert process.wait(STOP_SECONDS) == 0
            assert "Traceback" not in process.stderr.read()
        finally:
            process.kill()  # if it still runs


def test_a_server_whose_terminal_may_close_goes_on(tmp_path: Path) -> None:
    make_bundle(tmp_path)
    with handling_of_hangups(signal.SIG_IGN), ServerProcess(tmp_path) as process, connect(process.url) as connection:
        process.signal(signal.SIGHUP)
        for _ in range(10):
            assert top_label(connection.typed.Predict(image_request("colors", encoded("red")))) == "red"
