"""Programs that find the stand-in for the NVIDIA driver, or none, instead of this machine's driver."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tundish_kernels.cuda import _device

needs_kernels = pytest.mark.skipif(not _device._FATBIN.is_file(), reason="this build has no CUDA kernels")


def run_with_driver(
    command: list[str], library: Path, settings: Mapping[str, str] | None = None, *, code: int = 0
) -> str:
    """Runs a command that must end with this code, and returns what it said.

    The folder `library` has the libcuda.so.1 that it finds; settings are further variables of its environment.
    """
    tests = str(Path(__file__).parents[1])
    environment = {**os.environ, "LD_LIBRARY_PATH": str(library), "PYTHONPATH": tests, **(settings or {})}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    said = result.stdout + result.stderr
    assert result.returncode == code, said
    return (said if code else result.stdout).strip()
