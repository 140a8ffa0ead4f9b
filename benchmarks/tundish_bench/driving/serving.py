"""The server that is loaded: one that runs, or tundish's own, started on a repository for as long as it takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tundish_bench.driving.cores import without_the_generators
from tundish_bench.driving.endpoint import Endpoint, Header, WireName, parse_endpoint
from tundish_bench.errors import BenchmarkError
from tundish_bench.processes import HOST, free_port, tundish_server
from tundish_exporters.demo.assets import default_cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What the user named."""

    place: str
    """A URL, or the directory of a repository."""
    wire: WireName | None = None
    """By which a repository's server is asked; gRPC unless it is said. A URL says it itself."""

    authorities: str | None = None
    """Of a URL's server; see `parse_endpoint`."""
    headers: tuple[Header, ...] = ()
    """For a URL's server; see `Endpoint`."""

    @property
    def repository(self) -> Path | None:
        """The directory, if it is one: whatever looks like a path or is there."""
        path = Path(self.place)
        return path if path.is_dir() or "/" in self.place.partition("://")[0] else None

    @contextmanager
    def served(self, instances: int | None = None) -> Iterator[Endpoint]:
        """Whom to ask; inside the context, it runs.

        Raises:
            BenchmarkError: the URL is none, the server does not start, or `instances` cannot be had of one that runs.
        """
        if self.repository is None:
            endpoint = parse_endpoint(self.place, authorities=self.authorities, headers=self.headers)
            if instances is not None:
                raise BenchmarkError(f"{endpoint} runs as it was started; --instances takes a repository to serve.")
            if self.wire not in (None, endpoint.wire):
                raise BenchmarkError(f"{endpoint} says its protocol itself; leave --wire {self.wire} out.")
            yield endpoint
            return
        if not self.repository.is_dir():
            raise BenchmarkError(f"{self.repository} is no directory; name a repository, or a URL as grpc://HOST:PORT.")
        logs = default_cache() / "benchmarks"
        logs.mkdir(parents=True, exist_ok=True)
        http_port = free_port()
        server = tundish_server(
            self.repository, log=logs / "bench-server.log", instances=instances, http_port=http_port
        )
        with ExitStack() as stack:
            with without_the_generators():
                stack.enter_context(server)
            if self.wire == "http":
                yield Endpoint("http", HOST, http_port)
            else:
                yield parse_endpoint(server.url)
