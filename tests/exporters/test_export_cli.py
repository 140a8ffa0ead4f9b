"""`tundish export` as people and scripts run it: with an exit code, output, and a repository behind it."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from support.commands import call_tundish
from support.model_families import bert, save_family, save_resnet_that_int8_breaks
from support.server_process import wait_until

from tundish.bundle import read_single_bundle, versions_in
from tundish_exporters import export_huggingface

SECONDS = 120.0

ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"} | {"COLUMNS": "300"}
"""As a user has it: that nothing is fetched is the command's business."""


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "tundish", "export", *map(str, arguments)]


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=SECONDS, check=False, env=ENVIRONMENT
    )


def contents(directory: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in directory.rglob("*")}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory, minilm_directory: Path) -> Path:
    """A text classifier that can be exported."""
    return save_family(tmp_path_factory.mktemp("texts") / "model", bert(minilm_directory))


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image classifier that int8 breaks."""
    return save_resnet_that_int8_breaks(tmp_path_factory.mktemp("fragile") / "model")


def test_an_export_shows_its_table_and_warnings_and_writes_what_its_source_was(
    tmp_path: Path, fragile: Path, small_images: Path
) -> None:
    (fragile / ".cache").mkdir()
    (fragile / ".cache" / "leftover").write_text("not of the model")
    repository = tmp_path / "models"
    outcome = run(
        fragile, "--task", "image-classification", "--name", "parts", "--repository", repository,
        "--calibration", small_images, "--search-minutes", "0",
    )  # fmt: skip
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stderr == ""
    assert f"parts version 1: {repository / 'parts' / '1'}" in outcome.stdout
    rows = {line.split()[1]: line for line in outcome.stdout.splitlines() if line.startswith("│")}
    assert "+0.00 points" in rows["onnx-fp32-cpu"]
    assert "passed" in rows["onnx-fp32-cpu"]
    assert "not kept" in rows["onnx-int8-cpu"]
    assert "failed" in rows["onnx-int8-cpu"]
    assert "warning: onnx-int8-cpu does not pass the gate and will not be served: agreement 0." in outcome.stdout
    assert f"Serve it with: tundish serve {repository}" in outcome.stdout

    bundle = read_single_bundle(repository / "parts" / "1")
    manifest = bundle.manifest
    assert {file.path: (file.sha256, file.bytes) for file in manifest.files} == {
        path.name: (sha256(path), path.stat().st_size)
        for path in bundle.directory.iterdir()
        if path.name != "bundle.json"
    }
    assert manifest.source.kind == "huggingface"
    assert manifest.source.files == {
        name: sha256(fragile / name) for name in ("config.json", "model.safetensors", "preprocessor_config.json")
    }
    assert {"torch", "transformers", "optimum-onnx", "onnx", "onnxruntime", "tundish"} <= set(
        manifest.source.frameworks
    )
    assert manifest.source.frameworks == {package: version(package) for package in manifest.source.frameworks}

    report = json.loads(bundle.path("report.json").read_text())
    assert report["parity"]["samples"] == 12
    assert report["parity"]["scores"] <= 1e-3
    (batches,) = report["batches"]
    assert batches["length"] == 0
    assert set(batches["milliseconds_per_item"]) == {"1", "2", "4", "8"}
    assert all(milliseconds > 0 for milliseconds in batches["milliseconds_per_item"].values())
    assert report["environment"]["cores"] == len(os.sched_getaffinity(0))

    before = contents(repository)
    outcome = call_tundish(
        "export", fragile, "--task", "image-classification", "--name", "parts", "--repository", repository,
        "--calibration", small_images, "--search-minutes", "0", "--precision", "int8", "--confidence", "0.9",
    )  # fmt: skip
    assert outcome.returncode == 1
    (line,) = outcome.stderr.splitlines()
    assert line.startswith("error: int8 does not pass the gate: agreement 0.")
    assert "points, 90 % interval " in line
    assert line.endswith("over the bound of 0.50. Nothing was written.")
    assert contents(repository) == before


@pytest.mark.parametrize(("own", "expected"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")])
def test_threads_do_not_spin_unless_the_user_wants_it(own: dict[str, str], expected: str) -> None:
    """Set before PyTorch is imported, after which OpenMP no longer asks."""
    code = (
        "import os, sys\n"
        "from tundish_exporters.cli import loading_frameworks\n"
        "assert 'torch' not in sys.modules\n"
        "with loading_frameworks():\n"
        "    import torch\n"
        "    print(os.environ['OMP_WAIT_POLICY'])\n"
    )
    unset = {name: value for name, value in ENVIRONMENT.items() if name != "OMP_WAIT_POLICY"}
    outcome = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=SECONDS, check=False, env=unset | own
    )
    assert outcome.stdout == f"{expected}\n", outcome.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "mind-reading", "--name", "m"], "'mind-reading' is not one of 'image-classification'"),
        (["--task", "text-classification", "--name", "m", "--max-drop", "7"], "Invalid value for '--max-drop'"),
        (["--task", "text-classification", "--name", "m", "--max-drop", "much"], "Invalid value for '--max-drop'"),
        (
            ["--task", "text-classification", "--name", "m", "--precision", "int3"],
            "'int3' is not one of 'auto'",
        ),
        (["--task", "text-classification"], "Missing option '--name'"),
        (["--name", "m"], "Missing option '--task'"),
    ],
)
def test_a_usage_error_exits_with_2(arguments: list[str], message: str, tmp_path: Path, texts: Path) -> None:
    outcome = call_tundish("export", texts, "--repository", tmp_path / "models", *arguments)
    assert outcome.returncode == 2
    assert message in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert not (tmp_path / "models").exists()


def test_a_metric_that_is_not_there_is_one_sentence(tmp_path: Path, texts: Path) -> None:
    outcome = call_tundish(
        "export", texts, "--task", "text-classification", "--name", "m", "--repository", tmp_path / "models",
        "--metric", "nowhere_metrics:f",
    )  # fmt: skip
    assert outcome.returncode == 1
    assert outcome.stderr == (
        "error: The metric 'nowhere_metrics:f' cannot be imported: ModuleNotFoundError: No module named "
        "'nowhere_metrics'.\n"
    )


def test_a_failure_exits_with_1_and_one_sentence(tmp_path: Path) -> None:
    source = tmp_path / "nowhere"
    outcome = call_tundish(
        "export", source, "--task", "text-classification", "--name", "m", "--repository", tmp_path / "models"
    )
    assert outcome.returncode == 1
    said = f"There is no directory {source}; models are not fetched by name, download it first."
    assert outcome.stderr == f"error: {said}\n"
    assert not (tmp_path / "models").exists()


def interrupted(source: Path, repository: Path, number: signal.Signals) -> tuple[int, str]:
    """Exit code and error output of an export that got a signal while it built its bundle."""
    # So many that evaluating them outlasts the signal's way, however busy the machine is.
    calibration = repository.with_name("texts.txt")
    calibration.write_text("".join(f"a film of {number} minutes\n" for number in range(20_000)), encoding="utf-8")
    arguments: list[str | Path] = ["--task", "text-classification", "--name", "m", "--repository", repository]
    process = subprocess.Popen(
        command(source, *arguments, "--search-minutes", "0", "--calibration", calibration),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        # Whoever runs the tests in the background may have told them, and so their children, to ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        wait_until(lambda: process.poll() is not None or list(repository.glob("m/.staging-*/*")), SECONDS)
        assert process.poll() is None, "the export ended before it could be interrupted"
        process.send_signal(number)
        _, errors = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
        process.wait()
    return process.returncode, errors


def test_an_interrupted_export_leaves_nothing(tmp_path: Path, texts: Path) -> None:
    code, errors = interrupted(texts, tmp_path / "models", signal.SIGINT)
    assert code == 130
    assert errors.rstrip().endswith("Interrupted: nothing was exported.")
    assert "Traceback" not in errors
    assert not (tmp_path / "models").exists()


def test_a_killed_export_leaves_no_version_and_the_next_one_cleans_up(tmp_path: Path, texts: Path) -> None:
    repository = tmp_path / "models"
    code, _ = interrupted(texts, repository, signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert list(repository.glob("m/.staging-*"))
    assert versions_in(repository / "m") == []
    exported = export_huggingface(texts, task="text-classification", name="m", repository=repository)
    assert [path.name for path in (repository / "m").iterdir()] == ["1"]
    assert exported.bundle.manifest.version == 1


def test_brackets_in_what_was_asked_for_are_said_as_they_are(tmp_path: Path) -> None:
    source = tmp_path / "parts[bold][/parts]"
    source.mkdir(parents=True)
    outcome = call_tundish(
        "export", source, "--task", "text-classification", "--name", "m", "--repository", tmp_path / "models"
    )
    assert outcome.returncode == 1
    assert outcome.stderr == f"error: {source} is not a Hugging Face model: it has no config.json.\n"
