"""NVIDIA's tritonserver as a peer: its own binary and Python backend, from the wheel of nvidia-pytriton.

The binary runs bare, without pytriton's proxies: a model repository, a `model.py`, and loopback gRPC.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from importlib.metadata import version
from pathlib import Path

from tundish.bundle import Bundle
from tundish.manifest import ClassificationPostprocess, ImagePreprocess, ShortestEdgeResize
from tundish_bench.errors import BenchmarkError
from tundish_bench.processes import HOST, ServerProcess, free_port

_PACKAGES = (
    "nvidia-pytriton==0.7.0",  # carries tritonserver and its Python backend
    "numpy==1.26.4",  # the backend's binding cannot read arrays of NumPy 2
    "opencv-python-headless==4.11.0.86",  # the last that takes NumPy 1
)
_MODEL_SOURCE = Path(__file__).with_name("triton_image_model.py")
_CONFIG = """\
name: "{name}"
backend: "python"
max_batch_size: 4
input [ {{ name: "image" data_type: TYPE_STRING dims: [ 1 ] }} ]
output [
  {{ name: "label" data_type: TYPE_STRING dims: [ {top_k} ] }},
  {{ name: "score" data_type: TYPE_FP32 dims: [ {top_k} ] }}
]
instance_group [ {{ count: {instances} kind: KIND_CPU }} ]
"""
_DYNAMIC_BATCHING = "dynamic_batching { }\n"
"""With up to 4 it cost Triton the least CPU an image on two cores, of no batching and batches up to 2, 4 and 8."""


def install_triton(cache: Path) -> Path:
    """The peer's virtual environment, made below `cache` if it is not there yet.

    Raises:
        BenchmarkError: its packages cannot be installed.
    """
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    # The engine of both servers must be the same, or the benchmark would compare engines.
    packages = (*_PACKAGES, f"onnxruntime=={version('onnxruntime')}")
    target = cache / "peers" / "-".join(["triton", f"python{python}", *(item.split("==")[1] for item in packages)])
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".installing-") as scratch:
        environment = Path(scratch) / "environment"
        venv.create(environment, with_pip=False, symlinks=True)
        _install(environment, packages)
        _lay_out_backend(environment, python)
        # Only now, so that an interrupted installation is never taken for a whole one.
        environment.rename(target)
    return target


def triton_server(
    environment: Path, bundle: Bundle, *, tuned: bool, instances: int, scratch: Path, log: Path
) -> ServerProcess:
    """Triton on the bundle's model, with `instances` processes of one thread each; its models go below `scratch`.

    `tuned` batches requests and spares work; without it, the model is written as one does at first.

    Raises:
        BenchmarkError: the bundle asks for what the peer's model does not do.
    """
    repository = scratch / ("triton-tuned-models" if tuned else "triton-models")
    _write_model(repository, bundle, instances, tuned)
    packages = _site_packages(environment)
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
    }
    return ServerProcess("Triton, tuned" if tuned else "Triton", command, port=port, log=log, environment=variables)


def _install(environment: Path, packages: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python"), "install"]
    options = ["--quiet", "--disable-pip-version-check", "--only-binary=:all:"]
    outcome = subprocess.run(  # noqa: S603  # the arguments are this file's own
        [*command, *options, *packages], capture_output=True, text=True, check=False
    )
    if outcome.returncode != 0:
        errors = [line for line in outcome.stderr.splitlines() if line.startswith("ERROR")] or ["pip failed"]
        raise BenchmarkError(f"The peer {packages[0]} cannot be installed: {errors[-1]}; check the connection.")


def _lay_out_backend(environment: Path, python: str) -> None:
    """Puts the backend and its stub for this Python into one folder, where a bare tritonserver looks for them."""
    triton = _site_packages(environment) / "pytriton" / "tritonserver"
    backend = environment / "backends" / "python"
    shutil.copytree(triton / "backends" / "python", backend)
    stub = triton / "python_backend_stubs" / python / "triton_python_backend_stub"
    if not stub.is_file():
        raise BenchmarkError(f"{_PACKAGES[0]} has no Python backend for Python {python}; use Python 3.11 or 3.12.")
    shutil.copy(stub, backend)
    for path in (backend / stub.name, triton / "bin" / "tritonserver"):
        path.chmod(0o755)


def _site_packages(environment: Path) -> Path:
    return Path(sysconfig.get_path("purelib", vars={"base": str(environment), "platbase": str(environment)}))


def _write_model(repository: Path, bundle: Bundle, instances: int, tuned: bool) -> None:
    manifest = bundle.manifest
    rule, labelling = manifest.preprocess, manifest.postprocess
    if (
        not isinstance(rule, ImagePreprocess)
        or not isinstance(rule.resize, ShortestEdgeResize)
        or rule.crop is None
        or rule.interpolation != "bilinear"
        or not isinstance(labelling, ClassificationPostprocess)
        or labelling.function != "softmax"
    ):
        raise BenchmarkError(f"{bundle.directory} is not prepared as the peer's model prepares images; export it anew.")
    settings = {
        "model": str(bundle.path(manifest.servable[0].files[0]).resolve()),
        "input": manifest.inputs[0].name,
        "output": manifest.outputs[0].name,
        "shortest_edge": rule.resize.length,
        "crop": rule.crop,
        "rescale": rule.rescale,
        "mean": rule.mean,
        "std": rule.std,
        "labels": labelling.labels,
        "top_k": labelling.top_k,
        "tuned": tuned,
    }
    folder = repository / manifest.model / "1"
    folder.mkdir(parents=True)
    shutil.copyfile(_MODEL_SOURCE, folder / "model.py")
    (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    config = _CONFIG.format(name=manifest.model, top_k=labelling.top_k, instances=instances)
    (folder.parent / "config.pbtxt").write_text(config + _DYNAMIC_BATCHING * tuned, encoding="utf-8")
