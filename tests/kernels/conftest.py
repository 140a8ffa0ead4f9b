"""What several tests of the kernels build once."""

import shutil
import subprocess
from pathlib import Path

import pytest
from support.once import made_once

from tundish_kernels import cuda

SIMT = Path(__file__).parent / "simt"


@pytest.fixture(scope="session")
def simt_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the drivers of the shim, built from simt/."""
    if shutil.which("cmake") is None or shutil.which("g++") is None:
        pytest.skip("needs cmake and g++ on the path")

    def build(folder: Path) -> None:
        configure = ["cmake", "-S", str(SIMT), "-B", str(folder), "-DCMAKE_CXX_COMPILER=g++"]
        for command in (configure, ["cmake", "--build", str(folder), "--parallel", "2"]):
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            assert result.returncode == 0, result.stdout + result.stderr

    return made_once(tmp_path_factory, "simt", build)


@pytest.fixture(scope="session")
def device() -> cuda.Device:
    """The GPU of the tests that are marked `gpu`."""
    return cuda.Device()


@pytest.fixture(scope="session")
def workspace(device: cuda.Device) -> cuda.Workspace:
    """Enough for the tables of any of their calls."""
    return cuda.Workspace(device, 1 << 20)
