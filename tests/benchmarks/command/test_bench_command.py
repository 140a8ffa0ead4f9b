"""`tundish bench`, as people and programs use it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import psutil
import pytest
import typer
from support import delayed_server
from support.bundles import make_bundle
from typer.testing import CliRunner

from tundish_bench.command import bench
from tundish_bench.driving.endpoint import Endpoint, WireName
from tundish_bench.errors import BenchmarkError
from tundish_bench.processes import free_port
from tundish_bench.reports import Figure, Report, Row
from tundish_bench.reports.model import read_report

QUICK = ["--repeats", "2", "--seconds", "1", "--warm-up-seconds", "1"]


def run(*arguments: str, code: int = 0) -> str:
    app = typer.Typer()
    app.command()(bench)
    outcome = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "120"})
    if outcome.exception is not None and not isinstance(outcome.exception, SystemExit):
        raise outcome.exception
    assert outcome.exit_code == code, outcome.output
    return outcome.stdout if "--json" in arguments else outcome.output


def test_a_load_is_shown_and_written(endpoints: dict[WireName, Endpoint], tmp_path: Path) -> None:
    files = [tmp_path / f"report.{suffix}" for suffix in ("json", "csv", "html", "svg", "png")]
    written = [part for file in files for part in ("--report", str(file))]
    said = run(str(endpoints["http"]), "fixed-command", "--callers", "2", "--rate", "10", *QUICK, *written)
    for words in (
        "1 of 2: 2 callers",
        "2 of 2: 10/s",
        "fixed-command by delayed 1",
        "2 callers",
        "10/s",
        "throughput",
        "p50",
        "CPU",
    ):
        assert words in said
    report = read_report(files[0])
    assert [row.name for row in report.rows] == ["2 callers", "10/s"]
    assert all(row.figure("server CPU") for row in report.rows)
    assert [row.settings for row in report.rows] == [{"callers": 2}, {"rate": 10.0}]
    assert all(file.stat().st_size > 500 for file in files)


def test_a_sweep_has_a_knee_and_says_what_no_rate_keeps(endpoints: dict[WireName, Endpoint]) -> None:
    options = ["--sweep", "--callers", "1,4", "--slo-ms", "5", "--json", *QUICK]
    report = Report.model_validate_json(run(str(endpoints["grpc"]), "fixed-sweep", *options))
    assert report.kind == "sweep"
    assert [row.settings for row in report.rows] == [{"callers": 1}, {"callers": 4}]
    assert report.knee in [row.name for row in report.rows]
    assert report.slo_milliseconds == 5.0
    assert report.notes[0].startswith(f"The knee is at {report.knee}")
    assert ("no more were tried" in report.notes[0]) == (report.knee == "4 callers")
    assert report.highest == ()
    assert report.notes[1:] == ("No rate keeps p99 under 5 ms.",)


def test_what_speaks_no_http_is_said(endpoints: dict[WireName, Endpoint]) -> None:
    with pytest.raises(BenchmarkError, match="what listens there does not speak HTTP"):
        run(f"http://{endpoints['grpc'].address}", "fixed", *QUICK)


def test_a_server_that_ends_leaves_what_was_measured(tmp_path: Path) -> None:
    ports = [free_port(), free_port()]
    command = [sys.executable, str(Path(delayed_server.__file__)), *map(str, ports)]
    url, file = f"http://127.0.0.1:{ports[1]}", tmp_path / "report.json"
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        server.stdout.readline()
        # In the second load, as one caller alone is not answered so often.
        killer = threading.Thread(target=_kill_at, args=(server, f"{url}/truth/fixed", 60))
        killer.start()
        with pytest.raises(BenchmarkError, match=r"^It ended at 30 callers: "):
            run(url, "fixed", "--callers", "1,30", *QUICK, "--report", str(file))
        killer.join()
    report = read_report(file)
    assert [row.name for row in report.rows] == ["1 caller"]
    assert report.notes[0].startswith("It ended at 30 callers: ")


def _kill_at(server: subprocess.Popen[str], truth: str, requests: int) -> None:
    while True:
        with urllib.request.urlopen(truth) as response:
            if len(json.load(response)) >= requests:
                server.kill()
                return
        time.sleep(0.02)


def report_of(values: tuple[float, ...], path: Path) -> str:
    figure = Figure(name="p50", unit="ms", better="less", repeats=values)
    report = Report(kind="load", title="m", method="Made up.", rows=(Row(name="1 caller", figures=(figure,)),))
    path.write_text(report.model_dump_json(), encoding="utf-8")
    return str(path)


def test_a_proven_regression_is_exit_code_1(tmp_path: Path) -> None:
    before = report_of((10.0, 10.1, 9.9, 10.0, 10.05), tmp_path / "before.json")
    worse = report_of((12.0, 12.1, 11.9, 12.0, 12.05), tmp_path / "worse.json")
    assert "p50" in run(before, worse, "--compare", code=1)
    assert "p50" in run(worse, before, "--compare")
    changes = json.loads(run(before, worse, "--compare", "--json", code=1))["changes"]
    assert [change["verdict"] for change in changes] == ["regressed"]


def test_a_change_within_the_tolerance_that_is_given_is_no_regression(tmp_path: Path) -> None:
    before = report_of((10.0, 10.1, 9.9, 10.0, 10.05), tmp_path / "before.json")
    worse = report_of((12.0, 12.1, 11.9, 12.0, 12.05), tmp_path / "worse.json")
    assert "A change counts from 25 % on" in run(before, worse, "--compare", "--tolerance", "25")
    assert "regressed" in run(before, worse, "--compare", "--tolerance", "19", code=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sweep", "--engines"], "--sweep and --engines are two things"),
        (["--slo-ms", "5"], "--slo-ms is looked for by --sweep"),
        (["--even"], "--even is of an open loop; give --rate"),
        (["--batch", ""], "--batch must be a number of items, got nothing"),
        (["--batch", "1,2"], "--batch takes several with --sweep alone"),
        (["--sweep", "--rate", "5"], "leave --rate out"),
        (["--callers", "0"], "--callers must be whole numbers above 0"),
        (["--callers", "5000"], "--callers must be at most 4096"),
        (["--rate", "x"], "--rate must be numbers above 0"),
        (["--shape", "224"], "--shape must be as NAME:3,224,224 or NAME:FP32:3,224,224, got"),
        (["--wire", "tcp"], "--wire must be grpc or http"),
        (["--rate", "1e9"], "--rate must be at most 100,000"),
        (["--rate", "0.01"], "--rate 0.01 sends nothing in 5 s; give --seconds 100"),
        (["--tolerance", "5"], "--tolerance is what --compare allows; add it"),
        (["--threads", "2"], "--threads says nothing to a load"),
        (["--compare", "--report", "x.json"], "--report says nothing to --compare"),
        (["--engines", "--rate", "5"], "--rate says nothing to --engines"),
        (["--engines"], "--engines takes a repository, got 'grpc://127.0.0.1:9'"),
        (["--ca", "no-such.pem"], "--ca cannot be read"),
        (["--header", "a secret"], "--header must be as NAME:VALUE in ASCII"),
        (["--header", "a b:secret"], "--header must be as NAME:VALUE in ASCII"),
        (["--header", "Content-Length:3"], "--header content-length is for the client alone to say"),
    ],
)
def test_options_that_do_not_fit_are_usage_errors(options: list[str], message: str) -> None:
    said = " ".join(run("grpc://127.0.0.1:9", "m", *options, code=2).replace("│", " ").split())
    assert message in said
    assert "secret" not in said


def test_what_lets_in_is_for_a_running_server(tmp_path: Path) -> None:
    for option in (["--header", "a:b"], ["--ca", __file__]):
        assert "are for a server's URL" in run(str(tmp_path), "m", *option, code=2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["./nowhere", "m"], "nowhere is no directory"),
        (["ftp://host:1", "m"], "is by 'ftp', which is not spoken here"),
        (["grpc://127.0.0.1:9", "m", "--instances", "2"], "--instances takes a repository to serve"),
        (["grpc://127.0.0.1:9", "m", "--wire", "http"], "says its protocol itself"),
        (["grpc://127.0.0.1:9", "m", "--report", "x.pdf"], "x.pdf"),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BenchmarkError, match=message):
        run(*arguments)


def test_what_cannot_be_compared_is_no_regression(tmp_path: Path) -> None:
    before = report_of((10.0, 10.1, 9.9, 10.0, 10.05), tmp_path / "before.json")
    assert "nowhere.json cannot be read" in " ".join(run(before, "nowhere.json", "--compare", code=2).split())


def test_an_interrupted_measurement_keeps_the_loads_that_are_whole(
    endpoints: dict[WireName, Endpoint], tmp_path: Path
) -> None:
    options = ["--callers", "1,2", "--report", str(tmp_path / "report.json"), *QUICK]
    command = [sys.executable, "-m", "tundish", "bench", str(endpoints["http"]), "fixed-interrupted", *options]
    # What a shell runs in the background ignores interrupts, and hands that on to what it starts.
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, usual)
    with process:
        assert process.stderr is not None
        while "2 of 2" not in (line := process.stderr.readline()):
            assert line
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    assert process.returncode == 1
    assert "error: It was interrupted at 2 callers; the loads before it are whole." in said
    assert [row.name for row in read_report(tmp_path / "report.json").rows] == ["1 caller"]


def test_a_repository_s_server_ends_with_a_measurement_that_is_terminated(tmp_path: Path) -> None:
    make_bundle(tmp_path)
    command = [sys.executable, "-m", "tundish", "bench", str(tmp_path), "colors", "--seconds", "30"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as bench:
        server: psutil.Process | None = None
        while server is None:
            server = next((each for each in psutil.Process(bench.pid).children() if "serve" in each.cmdline()), None)
            assert bench.poll() is None
            time.sleep(0.05)
        bench.terminate()
        assert bench.wait(60) == 128 + signal.SIGTERM
    assert not server.is_running() or server.status() == psutil.STATUS_ZOMBIE


def test_the_command_itself_loads_nothing_that_the_extra_brings() -> None:
    script = (
        "import sys, tundish_bench.command\n"
        "print([name for name in ('aiohttp', 'hdrh', 'matplotlib', 'psutil', 'scipy', 'torch') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
