"""ONNX Runtime reports nothing to its maker, in any process that loads it by tundish."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.bundles import write_color_network

VARIABLE = "ORT_DISABLE_TELEMETRY"

RUN = """
import sys
from pathlib import Path
import numpy as np
{first}
from tundish.engines import load_file
load_file("onnx", Path(sys.argv[1]), precision="fp32", threads=1).run(
    {{"pixel_values": np.zeros((1, 3, 4, 4), np.float32)}}
)
"""

IMPORT = """
import os, sys
import {package}
print(os.environ.get("ORT_DISABLE_TELEMETRY"), "onnxruntime" in sys.modules)
"""


def run_python(script: str, *arguments: str | Path, **variables: str) -> str:
    """In an environment that says nothing of telemetry, nor of where caches are."""
    inherited = {name: value for name, value in os.environ.items() if name not in (VARIABLE, "XDG_CACHE_HOME")}
    command = [sys.executable, "-B", "-c", script, *map(str, arguments)]
    ran = subprocess.run(command, env=inherited | variables, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def written(script: str, home: Path, network: Path, **variables: str) -> list[Path]:
    """What a process leaves in its home."""
    home.mkdir()
    run_python(script, network, HOME=str(home), **variables)
    return sorted(home.rglob("*"))


def test_an_engine_leaves_nothing_in_the_home_where_onnx_runtime_alone_would(tmp_path: Path) -> None:
    network = tmp_path / "model.onnx"
    write_color_network(network)
    assert written(RUN.format(first=""), tmp_path / "silent", network) == []
    reporting = written(RUN.format(first="import onnxruntime"), tmp_path / "reporting", network)
    if not reporting:
        pytest.skip("this ONNX Runtime has no telemetry")
    assert any("Microsoft" in str(path) for path in reporting)


# Importing a module of a package imports the package first: so the variable is set before any of its modules can load
# ONNX Runtime.
@pytest.mark.parametrize(
    "package", ["tundish", "tundish.engines.onnx", "tundish_exporters", "tundish_bench.peers.__main__"]
)
def test_the_variable_is_set_before_onnx_runtime_is_loaded(package: str) -> None:
    said, loaded = run_python(IMPORT.format(package=package)).split()
    assert said == "1"
    assert loaded == str(package == "tundish.engines.onnx")


def test_who_has_set_the_variable_has_decided() -> None:
    assert run_python(IMPORT.format(package="tundish"), **{VARIABLE: "0"}).split()[0] == "0"
