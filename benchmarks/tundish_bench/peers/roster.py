"""Who is compared: each peer's name, how it is installed and started, and what it does best with on each workload."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from tundish_bench.driving.dialects import GRPC, GRPC_BYTES, POST, Dialect
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
from tundish_bench.peers.workloads import WORKLOADS, WorkloadName
from tundish_bench.processes import ServerProcess

_MOST_BATCHED = 64


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
    dialect: Dialect
    """How it is asked."""
    batches: Mapping[WorkloadName, int]
    """The largest batch that serves it best; where none is named, it does best without."""

    def tuning(self, workload: WorkloadName, cores: int) -> Tuning:
        """An instance of one thread for each core, as all servers have, and its own batches."""
        return Tuning(instances=cores, max_batch_size=self.batches.get(workload, 1))


# CPU milliseconds of a request, interleaved, at 16 callers on two cores, batched up to 1, 4 and 8: images with triton
# 17.7, 17.1, 17.6, mosec 17.5, 16.1, 18.1, LitServe 19.8, 18.5, 21.0, MLServer 20.2, 19.5, 20.0 (and 5 % fewer images/s
# with 4); tensors 11.2, 11.4, 11.2 and 12.2, 12.7, 12.5 and 27.4, 25.1, 30.0 and 16.9, 17.1, 18.8, nowhere with more
# tensors/s; texts with triton 24 one by one and 72 up to 8, since it pads them to the longest, as all peers do.
_IMAGES_BY_FOUR: dict[WorkloadName, int] = {"images": 4}

PEERS = {
    peer.name: peer
    for peer in (
        Peer(
            name="triton",
            version="tritonserver 2.51 with its Python backend, from nvidia-pytriton 0.7.0",
            install=install_triton,
            serve=triton_server,
            dialect=GRPC,
            batches=_IMAGES_BY_FOUR,
        ),
        Peer(
            name="mosec",
            version="mosec 0.9.8",
            install=install_mosec,
            serve=mosec_server,
            dialect=POST,
            batches=_IMAGES_BY_FOUR,
        ),
        Peer(
            name="litserve",
            version="LitServe 0.2.19",
            install=install_litserve,
            serve=litserve_server,
            dialect=POST,
            batches=_IMAGES_BY_FOUR,
        ),
        Peer(
            name="mlserver",
            version="MLServer 1.7.1",
            install=install_mlserver,
            serve=mlserver_server,
            dialect=GRPC_BYTES,
            batches={},
        ),
    )
}


def peer_of(said: str) -> Peer:
    """The peer of this name; `NAME:8` is one that batches up to 8 on every workload, to see what is best.

    Raises:
        BenchmarkError: there is none.
    """
    name, colon, size = said.partition(":")
    if name not in PEERS:
        raise BenchmarkError(f"There is no peer '{name}'; choose of {', '.join(PEERS)}.")
    if not colon:
        return PEERS[name]
    if not size.isdecimal() or not 1 <= int(size) <= _MOST_BATCHED:
        raise BenchmarkError(f"'{said}' says no size of batches; give {name}:N with N from 1 to {_MOST_BATCHED}.")
    return replace(PEERS[name], name=f"{name}:{int(size)}", batches=dict.fromkeys(WORKLOADS, int(size)))
