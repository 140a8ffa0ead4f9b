"""The GPU's benchmark, on the stand-in for the driver: that it works, as its times mean nothing there."""

import subprocess
import sys
from pathlib import Path

import pytest
from support.cuda_driver import needs_kernels, run_with_driver

from tundish_bench.reports.model import read_report
from tundish_kernels import cuda
from tundish_kernels.cuda import __all__ as operators

BENCHMARK = [sys.executable, "-m", "tundish_bench.cuda"]


@needs_kernels
def test_every_operator_is_in_the_table_beside_a_copy(simt_build: Path, tmp_path: Path) -> None:
    file = tmp_path / "cuda.json"
    said = run_with_driver([*BENCHMARK, "--small", "--rounds", "2", "--report", str(file)], simt_build / "fake_driver")
    assert all(heading in said for heading in ("GB/s", "share of", "launch"))
    report = read_report(file)
    assert report.title == "operators on a GPU, stand-in"
    for name in operators:
        if name.endswith("_into"):
            assert any(row.name.startswith(name.removesuffix("_into") + " ") for row in report.rows), name
    for row in report.rows:
        assert row.name.split()[0] in said
        for figure in row.figures:
            assert min(figure.repeats) > 0, (row.name, figure.name)
        assert [figure.name for figure in row.figures] == ["time", "moved", "bandwidth", "share of copy", "to launch"]


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
