"""The drivers of the operators, sanitize_OP.cpp, under the address and undefined-behaviour sanitizers."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

KERNELS = Path(__file__).parents[2] / "kernels"
DRIVERS = sorted(path.stem for path in Path(__file__).parent.glob("sanitize_*.cpp"))


def run(*command: str | Path) -> str:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def drivers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that they are built in."""
    if shutil.which("cmake") is None or shutil.which("c++") is None:
        pytest.skip("needs cmake and a C++ compiler on the path")
    folder = tmp_path_factory.mktemp("sanitized")
    run("cmake", "-S", KERNELS, "-B", folder, "-DTUNDISH_PYTHON=OFF", "-DTUNDISH_SANITIZE=ON")
    run("cmake", "--build", folder, "--parallel", "2")
    return folder


@pytest.mark.parametrize("driver", DRIVERS)
def test_sanitizers_find_nothing(drivers: Path, driver: str) -> None:
    assert run(drivers / driver).startswith("ok: ")


def test_every_operator_has_a_driver() -> None:
    listed = re.search(r"set\(operators\s+([^)]+)\)", (KERNELS / "CMakeLists.txt").read_text())
    assert listed
    assert [f"sanitize_{operator}" for operator in listed[1].split()] == DRIVERS
