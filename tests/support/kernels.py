"""Runs the kernels with an instruction set of the test's choice, which takes a process of its own."""

import os
import subprocess
import sys

import tundish_kernels


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
