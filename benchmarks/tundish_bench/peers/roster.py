"""Who is compared: each peer's name, how it is installed and started, and what it does best with on each workload."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tundish_bench.errors import BenchmarkError
from tundish_bench.peers.settings import PeerModel
from tundish_bench.peers.standalone_servers import (
    install_litserve,
    install_mlserver,
    install_mosec,
    litserve_server,
    mlserver_server,
    mosec_server,
)
from tundish_bench.peers.triton import install_triton, triton_server
from tundish_bench.peers.tuning import Tuning
from tundish_bench.peers.workloads import WorkloadName
from tundish_bench.processes import ServerProcess


class Serve(Protocol):
    """How a peer is started."""

    def __call__(
        self, environment: Path, models: Sequence[PeerModel], tuning: Tuning, *, name: str, scratch: Path, log: Path
    ) -> ServerProcess:
        """The server, not started yet."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Another server."""

    name: str
    version: str
    """With what it runs, for people."""
    install: Callable[[Path], Path]
    """Makes its environment below a cache if it is not there, and returns it."""
    serve: Serve
    batches: Mapping[WorkloadName, int]
    """The largest batch that serves it best; where none is named, it does best without."""

    def tuning(self, workload: WorkloadName, cores: int) -> Tuning:
        """An instance of one thread for each core, as all servers have, and its own batches."""
        return Tuning(instances=cores, max_batch_size=self.batches.get(workload, 1))


PEERS = {
    peer.name: peer
    for peer in (
        Peer(
            name="triton",
            version="tritonserver 2.51 with its Python backend, from nvidia-pytriton 0.7.0",
            install=install_triton,
            serve=triton_server,
            batches={},
        ),
        Peer(name="mosec", version="mosec 0.9.8", install=install_mosec, serve=mosec_server, batches={}),
        Peer(name="litserve", version="LitServe 0.2.19", install=install_litserve, serve=litserve_server, batches={}),
        Peer(name="mlserver", version="MLServer 1.7.1", install=install_mlserver, serve=mlserver_server, batches={}),
    )
}


def peer_of(name: str) -> Peer:
    """The peer of this name.

    Raises:
        BenchmarkError: there is none.
    """
    if name not in PEERS:
        raise BenchmarkError(f"There is no peer '{name}'; choose of {', '.join(PEERS)}.")
    return PEERS[name]
