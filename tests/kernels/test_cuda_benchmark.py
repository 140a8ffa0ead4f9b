"""The GPU's benchmark, on the stand-in for the driver: that it works, as its times mean nothing there."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.cuda_driver import needs_kernels, run_with_driver

from tundish_kernels import cuda
from tundish_kernels.cuda import __all__ as operators

BENCHMARK = [sys.executable, "-m", "tundish_bench.cuda"]


@needs_kernels
def test_every_operator_is_in_the_table_beside_a_copy(simt_build: Path, tmp_path: Path) -> None:
    file = tmp_path / "cuda.json"
    said = run_with_driver([*BENCHMARK, "--small", "--rounds", "2", "--json", str(file)], simt_build / "fake_driver")
    heading = said.index("of a copy")
    assert said.index("operator") < said.index("GB/s") < heading
    cases = json.loads(file.read_text())["cases"]
    for name in operators:
        if name.endswith("_into"):
            assert any(case["name"].startswith(name.removesuffix("_into") + " ") for case in cases), name
    for case in cases:
        assert case["name"] in said[heading:]
        assert len(case["operator_seconds"]) == len(case["copy_seconds"]) == 2
        assert case["share_of_copy"] > 0
        assert case["bytes_moved"] > 0


@needs_kernels
def test_a_name_that_no_case_has_is_a_usage_error(simt_build: Path) -> None:
    said = run_with_driver([*BENCHMARK, "--small", "--only", "nothing"], simt_build / "fake_driver", code=2)
    assert "no case's name contains 'nothing'" in said.replace("\n", " ")


@pytest.mark.skipif(cuda.available(), reason="this machine has a GPU")
def test_without_a_gpu_it_says_why() -> None:
    result = subprocess.run(BENCHMARK, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.strip() == f"error: {cuda.reason()}"
    assert result.stdout == ""
