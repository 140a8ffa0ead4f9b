"""`tundish tune` as a process, and a server that does as it found."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import tritonclient.grpc as triton
from support.bundles import make_bundle
from support.commands import call_tundish
from support.images import encoded
from support.server_process import ServerProcess, wait_until
from support.slow_bundles import LONGEST_SECONDS, make_slow_bundle, slow_image


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "models"
    make_bundle(root)
    make_bundle(root, version=2)
    return root


def tune(repository: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    ran = call_tundish("tune", repository, "colors", "--minutes", "0.01", *arguments)
    assert ran.returncode == 0, ran.stderr
    return ran


def served(repository: Path, version: str) -> Any:
    """What the server says, and how, of a version that it answers by."""
    with ServerProcess(repository) as process:
        with triton.InferenceServerClient(process.url) as client:
            found = client.get_model_config("colors", version).config
            image = triton.InferInput("image", [1, 1], "BYTES")
            image.set_data_from_numpy(np.array([[encoded("blue")]], np.object_))
            assert client.infer("colors", [image], version).as_numpy("label")[0, 0] == b"blue"
        return found, process.output


def test_it_measures_shows_and_keeps(repository: Path) -> None:
    ran = tune(repository)
    (path,) = (repository / ".tundish" / "placements").glob("*/*.json")
    assert path.name == "colors.2.json", "the highest version"
    choice = json.loads(path.read_text())
    assert choice["chosen_by"] == "tune"
    assert choice["inputs"] == "made"
    assert "→ onnx-fp32-cpu" in ran.stdout
    assert "chosen" in ran.stdout, "the plot's legend"
    assert f"kept in {path}." in ran.stdout
    assert "items/s" in ran.stdout

    shown = call_tundish("models", "show", repository, "colors").stdout
    assert f"{choice['figures']['items_per_second']:.1f} items a second" in shown
    assert "not placed yet" in call_tundish("models", "show", repository, "colors", "--version", "1").stdout


def test_other_work_on_the_machine_is_said(repository: Path) -> None:
    burning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in os.sched_getaffinity(0)]
    try:
        ran = tune(repository, "--json")
    finally:
        for each in burning:
            each.kill()
            each.wait()
    assert "warning: Other work takes" in ran.stderr
    assert json.loads(ran.stdout)["path"]


def test_ctrl_c_is_one_sentence_and_keeps_nothing(tmp_path: Path) -> None:
    """While an engine is at work, which the end of the interpreter would abort."""
    make_slow_bundle(tmp_path)
    white = tmp_path / "images"
    white.mkdir()
    (white / "white.png").write_bytes(slow_image(LONGEST_SECONDS))
    command = [sys.executable, "-c", INTERRUPTED, "tune", str(tmp_path), "slow", "--inputs", str(white)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        wait_until(lambda: psutil.Process(process.pid).cpu_times().user > 6, 60)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert said.splitlines()[-1] == "Interrupted: nothing of it is kept, and `serve` places 'slow' as it did before."
    assert not list(tmp_path.glob(".tundish/placements/*/*"))


INTERRUPTED = """
import signal
from tundish.cli import main

signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs tests may have told them to ignore it
main()
"""


def test_json_is_for_programs(repository: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "red.png").write_bytes(encoded("red"))
    said = json.loads(tune(repository, "--json", "--version", "1", "--inputs", photos, "--slo-ms", "1000").stdout)
    choice = said["choice"]
    assert (choice["version"], choice["inputs"], choice["slo_milliseconds"]) == (1, str(photos), 1000.0)
    assert said["path"] == str(next((repository / ".tundish").rglob("colors.1.json")))
    placements = [one["placement"] for one in said["measured"]]
    assert choice["placement"] in placements
    assert {one["max_batch_size"] for one in placements} == {1, 2, 4, 8}
    figures = [(one["figures"]["items_per_second"], one["figures"]["p99_milliseconds"]) for one in said["measured"]]
    front = [(one["figures"]["items_per_second"], one["figures"]["p99_milliseconds"]) for one in said["front"]]
    assert set(front) == {
        (rate, p99)
        for rate, p99 in figures
        if not any(r >= rate and p <= p99 and (r, p) != (rate, p99) for r, p in figures)
    }


def test_an_objective_that_nothing_keeps_is_said(repository: Path) -> None:
    assert "No placement kept its p99 under 0.001 ms" in tune(repository, "--slo-ms", "0.001").stdout


def test_a_server_does_as_it_was_tuned(repository: Path) -> None:
    tune(repository)
    path = next((repository / ".tundish").rglob("colors.2.json"))
    choice = json.loads(path.read_text())
    # Something that no default gives.
    choice["placement"] |= {"instances": 1, "threads": 1, "max_batch_size": 7}
    path.write_text(json.dumps(choice))
    found, output = served(repository, "2")
    assert [group.count for group in found.instance_group] == [1]
    assert list(found.dynamic_batching.preferred_batch_size) == [7]
    assert "placed as onnx-fp32-cpu, 1 instance of 1 thread, batches up to 7" in output
    assert "measured by `tundish tune` on" in output

    path.write_text("{")
    found, output = served(repository, "2")
    assert list(found.dynamic_batching.preferred_batch_size) == [4]
    assert f"{path} is passed over" in output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["unknown"], "holds no model 'unknown'; `tundish models list` shows what there is."),
        (["colors", "--version", "9"], "holds no model 'colors' version 9"),
        (["colors", "--inputs", "nowhere"], "nowhere must be a directory of images: No such file or directory."),
    ],
)
def test_a_failure_is_one_sentence(repository: Path, arguments: list[str], said: str) -> None:
    ran = call_tundish("tune", repository, *arguments)
    assert ran.returncode == 1
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not (repository / ".tundish").exists()


@pytest.mark.parametrize("minutes", ["inf", "nan", "0", "1e9"])
def test_what_would_never_end_is_a_wrong_use(repository: Path, minutes: str) -> None:
    ran = call_tundish("tune", repository, "colors", "--minutes", minutes)
    assert ran.returncode == 2
    assert "Invalid value for '--minutes'" in ran.stderr


def test_the_runtime_plots_without_colours_where_there_is_no_terminal(repository: Path) -> None:
    assert "\x1b" not in tune(repository).stdout


def test_serving_does_not_load_what_plots() -> None:
    code = "import sys, tundish.cli; sys.exit('plotext' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
