"""NVIDIA's tritonserver as a peer: its own binary and Python backend, from the wheel of nvidia-pytriton.

The binary runs bare, without pytriton's proxies: a model repository, a `model.py`, and loopback gRPC. The wheel has
the Python backend alone, not the one of ONNX Runtime, so that bare networks run in Python, too.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from tundish_bench.errors import BenchmarkError
from tundish_bench.peers.environments import PYTHON, installed, same_version, site_packages
from tundish_bench.peers.settings import PeerModel
from tundish_bench.peers.triton_models import write_triton_model
from tundish_bench.peers.tuning import Tuning
from tundish_bench.processes import HOST, ServerProcess, free_port

_PACKAGES = (
    "nvidia-pytriton==0.7.0",  # carries tritonserver and its Python backend
    "numpy==1.26.4",  # the backend's binding cannot read arrays of NumPy 2
    "opencv-python-headless==4.11.0.86",  # the last that takes NumPy 1
)


def install_triton(cache: Path) -> Path:
    """The peer's virtual environment, made below `cache` if it is not there yet.

    Raises:
        BenchmarkError: its packages cannot be installed.
    """
    # The engine of both servers must be the same, or the benchmark would compare engines.
    packages = (*_PACKAGES, same_version("tokenizers"), same_version("onnxruntime"))
    return installed(cache, "triton", packages, _lay_out_backend)


def triton_server(
    environment: Path, models: Sequence[PeerModel], tuning: Tuning, *, name: str, scratch: Path, log: Path
) -> ServerProcess:
    """Triton on models, which are written to a folder of the server's name below `scratch`.

    A batch is what waits when an instance is free: Triton does not wait for more.
    """
    repository = scratch / re.sub(r"\W+", "-", name)  # the backend crashes at paths with a comma or a space
    for model in models:
        write_triton_model(model, repository, max_batch_size=tuning.max_batch_size, instances=tuning.instances)
    packages = site_packages(environment)
    port = free_port()
    command = [
        str(packages / "pytriton" / "tritonserver" / "bin" / "tritonserver"),
        f"--model-repository={repository}",
        f"--backend-directory={environment / 'backends'}",
        f"--grpc-address={HOST}",
        f"--grpc-port={port}",
        "--allow-http=false",
        "--allow-metrics=false",
    ]
    libraries = [packages / "nvidia_pytriton.libs", Path(sys.base_prefix) / "lib"]  # the second has libpython
    variables = {
        "LD_LIBRARY_PATH": os.pathsep.join(map(str, libraries)),
        # The Python that the backend embeds reads no PYTHONPATH; it takes the environment of the first python3 on PATH.
        "PATH": os.pathsep.join([str(environment / "bin"), os.environ.get("PATH", os.defpath)]),
        "TOKENIZERS_PARALLELISM": "false",  # an instance for each core is busy already
    }
    return ServerProcess(name, command, port=port, log=log, environment=variables)


def _lay_out_backend(environment: Path) -> None:
    """Puts the backend and its stub for this Python into one folder, where a bare tritonserver looks for them."""
    triton = site_packages(environment) / "pytriton" / "tritonserver"
    backend = environment / "backends" / "python"
    shutil.copytree(triton / "backends" / "python", backend)
    stub = triton / "python_backend_stubs" / PYTHON / "triton_python_backend_stub"
    if not stub.is_file():
        raise BenchmarkError(f"{_PACKAGES[0]} has no Python backend for Python {PYTHON}; use Python 3.11 or 3.12.")
    shutil.copy(stub, backend)
    for path in (backend / stub.name, triton / "bin" / "tritonserver"):
        path.chmod(0o755)
