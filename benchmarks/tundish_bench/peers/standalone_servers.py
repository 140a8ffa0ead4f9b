"""mosec, LitServe and MLServer as peers: Python servers of `standalone`, each in an environment of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tundish_bench.peers.environments import installed, same_version
from tundish_bench.peers.settings import PeerModel
from tundish_bench.peers.tuning import Tuning
from tundish_bench.processes import HOST, ServerProcess, free_port, grpc_ready, http_ready

_STANDALONE = Path(__file__).with_name("standalone")
_TIMEOUT_SECONDS = 30
"""Of a request; mosec's own 3 seconds are few for the last of 64 callers."""
_VARIABLES = {
    "PYTHONPATH": str(_STANDALONE),
    "TOKENIZERS_PARALLELISM": "false",  # a worker for each core is busy already
}


def install_mosec(cache: Path) -> Path:
    """The peer's virtual environment, made below `cache` if it is not there yet.

    Raises:
        BenchmarkError: its packages cannot be installed.
    """
    return installed(cache, "mosec", ("mosec==0.9.8", *_shared_packages()))


def install_litserve(cache: Path) -> Path:
    """See `install_mosec`."""
    return installed(cache, "litserve", ("litserve==0.2.19", *_shared_packages()))


def install_mlserver(cache: Path) -> Path:
    """See `install_mosec`."""
    # MLServer 1.7.1 sets an event loop policy by what uvloop 0.22 no longer has.
    return installed(cache, "mlserver", ("mlserver==1.7.1", "uvloop==0.21.0", *_shared_packages()))


def mosec_server(
    environment: Path, models: Sequence[PeerModel], tuning: Tuning, *, name: str, scratch: Path, log: Path
) -> ServerProcess:
    """Mosec on models, each by a path of its name; `scratch` takes its settings and sockets."""
    port = free_port()
    folder = _folder(scratch, name)
    command = [environment / "bin" / "python", _STANDALONE / "mosec_server.py"]
    arguments = ["--address", HOST, "--port", str(port), "--path", str(folder / "sockets")]
    return ServerProcess(
        name,
        [*map(str, command), *arguments],
        port=port,
        log=log,
        environment={**_VARIABLES, "SETTINGS": str(_settings_file(models, tuning, folder))},
        ready=partial(http_ready, "/"),
    )


def litserve_server(
    environment: Path, models: Sequence[PeerModel], tuning: Tuning, *, name: str, scratch: Path, log: Path
) -> ServerProcess:
    """LitServe on models; see `mosec_server`."""
    port = free_port()
    settings = _settings_file(models, tuning, _folder(scratch, name))
    return ServerProcess(
        name,
        [str(environment / "bin" / "python"), str(_STANDALONE / "litserve_server.py")],
        port=port,
        log=log,
        environment={**_VARIABLES, "SETTINGS": str(settings), "PORT": str(port)},
        ready=partial(http_ready, "/health"),
    )


def mlserver_server(
    environment: Path, models: Sequence[PeerModel], tuning: Tuning, *, name: str, scratch: Path, log: Path
) -> ServerProcess:
    """MLServer on models, all in each process of one pool; `scratch` takes its repository."""
    port = free_port()
    folder = _folder(scratch, name)
    server = {
        "host": HOST,
        "http_port": free_port(),
        "grpc_port": port,
        "metrics_endpoint": None,
        "parallel_workers": tuning.instances,
        "environments_dir": str(folder / "environments"),
        "debug": False,
    }
    (folder / "settings.json").write_text(json.dumps(server), encoding="utf-8")
    for model in models:
        (folder / model.name).mkdir()
        content = _mlserver_model(model, tuning)
        (folder / model.name / "model-settings.json").write_text(json.dumps(content), encoding="utf-8")
    return ServerProcess(
        name,
        [str(environment / "bin" / "python"), "-m", "mlserver.cli.main", "start", str(folder)],
        port=port,
        log=log,
        environment=_VARIABLES,
        ready=grpc_ready,
    )


def _mlserver_model(model: PeerModel, tuning: Tuning) -> dict[str, Any]:
    return {
        "name": model.name,
        "implementation": "mlserver_model.Served",
        "parameters": {"extra": model.settings},
        "max_batch_size": tuning.max_batch_size,
        "max_batch_time": tuning.max_wait_milliseconds / 1e3 if tuning.max_batch_size > 1 else 0.0,
    }


def _shared_packages() -> tuple[str, ...]:
    """What all of them compute with, of the versions that are installed here."""
    return tuple(map(same_version, ("numpy", "opencv-python-headless", "onnxruntime", "tokenizers")))


def _folder(scratch: Path, name: str) -> Path:
    folder = scratch / re.sub(r"\W+", "-", name)
    folder.mkdir()
    return folder


def _settings_file(models: Sequence[PeerModel], tuning: Tuning, folder: Path) -> Path:
    content = {
        "models": {model.name: model.settings for model in models},
        "workers": tuning.instances,
        "max_batch_size": tuning.max_batch_size,
        "max_wait_milliseconds": tuning.max_wait_milliseconds,
        "timeout_seconds": _TIMEOUT_SECONDS,
    }
    path = folder / "settings.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
