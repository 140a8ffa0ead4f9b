"""The drivers of the operators, sanitize_OP.cpp, under the address and undefined-behaviour sanitizers, and on aarch64.

Of that machine the compiler and the emulator suffice: Debian's g++-aarch64-linux-gnu and qemu-user.
"""

import functools
import re
import shutil
import subprocess
from pathlib import Path

import pytest

KERNELS = Path(__file__).parents[2] / "kernels"
DRIVERS = sorted(path.stem for path in Path(__file__).parent.glob("sanitize_*.cpp"))


AARCH64_COMPILER = "aarch64-linux-gnu-g++"
AARCH64_EMULATOR = "qemu-aarch64"

pytestmark = pytest.mark.timeout(900)  # the first waits for the build, beside which other tests run


@functools.cache
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
    run("cmake", "-S", KERNELS, "-B", folder, "-DTUNDISH_PYTHON=OFF", "-DTUNDISH_CUDA=OFF", "-DTUNDISH_SANITIZE=ON")
    run("cmake", "--build", folder, "--parallel", "2")
    return folder


@pytest.fixture(scope="module")
def aarch64_drivers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that they are built in for aarch64, whose NEON is compared with the plain loops there."""
    missing = [tool for tool in ("cmake", AARCH64_COMPILER, AARCH64_EMULATOR) if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"needs {' and '.join(missing)} on the path")
    folder = tmp_path_factory.mktemp("aarch64")
    run(
        *("cmake", "-S", KERNELS, "-B", folder, "-DTUNDISH_PYTHON=OFF", "-DTUNDISH_CUDA=OFF", "-DTUNDISH_DRIVERS=ON"),
        "-DCMAKE_CXX_FLAGS_RELEASE=-O1 -DNDEBUG",  # of all but the loops, which have their own -O3
        *("-DCMAKE_SYSTEM_NAME=Linux", "-DCMAKE_SYSTEM_PROCESSOR=aarch64", "-DCMAKE_EXE_LINKER_FLAGS=-static"),
        f"-DCMAKE_CXX_COMPILER={AARCH64_COMPILER}",
    )
    run("cmake", "--build", folder, "--parallel", "2")
    return folder


@pytest.mark.parametrize("driver", DRIVERS)
def test_sanitizers_find_nothing(drivers: Path, driver: str) -> None:
    assert run(drivers / driver).startswith("ok: ")


@pytest.mark.parametrize("driver", DRIVERS)
def test_aarch64_gives_the_same_bytes(drivers: Path, aarch64_drivers: Path, driver: str) -> None:
    assert run(AARCH64_EMULATOR, aarch64_drivers / driver) == run(drivers / driver)


def test_every_operator_has_a_driver() -> None:
    listed = re.findall(r"set\((?:engine_)?operators\s+([^)]+)\)", (KERNELS / "CMakeLists.txt").read_text())
    assert len(listed) == 2
    assert sorted(f"sanitize_{operator}" for operators in listed for operator in operators.split()) == DRIVERS
