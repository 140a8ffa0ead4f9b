"""NVIDIA's compute-sanitizer over the tests marked `gpu`: memory errors, races and wrong barriers on a real GPU."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.cuda_driver import needs_kernels, run_with_driver

from tundish_kernels import cuda

TESTS = sorted(str(path) for path in Path(__file__).parent.glob("test_cuda_*.py"))
FOUND_SOMETHING = 70


def compute_sanitizer() -> str | None:
    """Of the path, or of the CUDA toolkit's own folder."""
    home = os.environ.get("CUDA_HOME", "/usr/local/cuda")
    return shutil.which("compute-sanitizer", path=os.pathsep.join([os.environ["PATH"], f"{home}/bin"]))


def command(program: str, tool: str, *options: str) -> list[str]:
    """The sanitizer's exit code is its own if it found something, otherwise that of the tests."""
    sanitizer = [program, "--tool", tool, "--error-exitcode", str(FOUND_SOMETHING), *options]
    return [*sanitizer, sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider", *TESTS]


@pytest.mark.gpu
@pytest.mark.skipif(not cuda.available(), reason=cuda.reason() or "")
@pytest.mark.skipif(compute_sanitizer() is None, reason="compute-sanitizer is not on the path nor in CUDA_HOME")
@pytest.mark.timeout(3600)  # each access is checked
@pytest.mark.parametrize("tool", ["memcheck", "racecheck", "synccheck"])
def test_sanitizer_finds_nothing(tool: str) -> None:
    program = compute_sanitizer()
    assert program is not None
    # Errors that the driver returns are those that the tests ask for.
    options = ["--report-api-errors", "no"] if tool == "memcheck" else []
    result = subprocess.run(command(program, tool, *options), capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "passed" in result.stdout


@needs_kernels
@pytest.mark.parametrize("code", [0, FOUND_SOMETHING])
def test_the_test_itself_runs_with_stand_ins(simt_build: Path, tmp_path: Path, code: int) -> None:
    """A program in the place of the sanitizer that runs nothing, and ends as if it had."""
    program = tmp_path / "compute-sanitizer"
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/log\necho 1 passed\nexit {code}\n')
    program.chmod(0o755)
    tests = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider", __file__]
    path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
    said = run_with_driver(tests, simt_build / "fake_driver", {"PATH": path}, code=1 if code else 0)
    assert ("3 failed" if code else "3 passed") in said
    calls = (tmp_path / "log").read_text().splitlines()
    assert [call.split()[1] for call in calls] == ["memcheck", "racecheck", "synccheck"]
    assert all(call.endswith(" ".join(TESTS)) for call in calls)
