"""mosec and LitServe as peers: Python servers that speak HTTP, each in an environment of its own."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

from tundish.bundle import Bundle
from tundish_bench.peers.environments import installed, same_version
from tundish_bench.peers.settings import image_settings
from tundish_bench.processes import HOST, ServerProcess, free_port, http_ready

MOSEC, LITSERVE = "mosec", "litserve"

_STANDALONE = Path(__file__).with_name("standalone")


def mosec_server(cache: Path, bundle: Bundle, *, workers: int, scratch: Path, log: Path) -> ServerProcess:
    """Mosec on an image classifier, with `workers` processes of one thread each; installed below `cache` first.

    Raises:
        BenchmarkError: it cannot be installed, or the bundle asks for what the peer's model does not do.
    """
    environment = installed(cache, MOSEC, ("mosec==0.9.8", *_engine_packages()))
    port = free_port()
    command = [environment / "bin" / "python", _STANDALONE / "mosec_image_server.py"]
    arguments = ["--address", HOST, "--port", str(port), "--path", str(scratch / "mosec")]
    return ServerProcess(
        MOSEC,
        [*(str(part) for part in command), *arguments],
        port=port,
        log=log,
        environment={"SETTINGS": str(_settings(bundle, workers, scratch / "mosec.json"))},
        protocol="http",
        ready=partial(http_ready, "/"),
    )


def litserve_server(cache: Path, bundle: Bundle, *, workers: int, scratch: Path, log: Path) -> ServerProcess:
    """LitServe on an image classifier; see `mosec_server`."""
    environment = installed(cache, LITSERVE, ("litserve==0.2.19", *_engine_packages()))
    port = free_port()
    command = [environment / "bin" / "python", _STANDALONE / "litserve_image_server.py"]
    settings = _settings(bundle, workers, scratch / "litserve.json")
    return ServerProcess(
        LITSERVE,
        [str(part) for part in command],
        port=port,
        log=log,
        environment={"SETTINGS": str(settings), "PORT": str(port)},
        protocol="http-base64",
        ready=partial(http_ready, "/health"),
    )


def _engine_packages() -> tuple[str, ...]:
    """What all image servers compute with, of the versions that are installed here."""
    return tuple(map(same_version, ("numpy", "opencv-python-headless", "onnxruntime")))


def _settings(bundle: Bundle, workers: int, path: Path) -> Path:
    content = {**image_settings(bundle), "tuned": False, "workers": workers}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
