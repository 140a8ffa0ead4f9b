"""Runs the kernels with an instruction set of the test's choice, which takes a process of its own."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

import tundish_kernels

_SESSIONS = """
import hashlib, numpy as np, onnxruntime, tundish_kernels
for number in range({count}):
    options = onnxruntime.SessionOptions()
    options.register_custom_ops_library(str(tundish_kernels.onnxruntime_library()))
    session = onnxruntime.InferenceSession(f"{folder}/{{number}}.onnx", options)
    (made,) = session.run(None, {{"x": np.load(f"{folder}/{{number}}.npy")}})
    print(made.shape, hashlib.sha256(made.tobytes()).hexdigest())
"""


def run_with_isa(isa: str, script: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TUNDISH_KERNELS_ISA": isa}
    return subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)


def outputs_by_isa(script: str) -> dict[str, str]:
    """What the script prints, on each instruction set of this machine; a digest of many outputs, for example."""
    outputs = {}
    for isa in tundish_kernels.available_isas():
        result = run_with_isa(isa, script)
        assert result.returncode == 0, result.stderr
        outputs[isa] = result.stdout
    return outputs


def check_isas(cases: Sequence[tuple[onnx.ModelProto, NDArray[Any], NDArray[Any]]], folder: Path) -> None:
    """Holds what graphs make of `x` on each instruction set against what they shall make of it, bit for bit."""
    expected = []
    for number, (model, given, made) in enumerate(cases):
        onnx.save(model, folder / f"{number}.onnx")
        np.save(folder / f"{number}.npy", given)
        expected.append(f"{made.shape} {hashlib.sha256(made.tobytes()).hexdigest()}")
    for isa, output in outputs_by_isa(_SESSIONS.format(count=len(cases), folder=folder)).items():
        assert output.splitlines() == expected, isa
