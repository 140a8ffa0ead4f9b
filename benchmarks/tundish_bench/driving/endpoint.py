"""Whom to ask: host, port and protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from tundish_bench.errors import BenchmarkError

WireName = Literal["grpc", "http"]

_FORM = "give grpc://HOST:PORT, http://HOST:PORT, or HOST:PORT for gRPC"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server that listens, in plain text."""

    wire: WireName
    host: str
    port: int

    @property
    def address(self) -> str:
        """As a channel or a URL takes it: 'host:port', an IPv6 address in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.wire}://{self.address}"


def parse_endpoint(text: str) -> Endpoint:
    """Reads a URL.

    Raises:
        BenchmarkError: it is none, has a path, or asks for TLS or another protocol.
    """
    parts = urlsplit(text if "://" in text else f"grpc://{text}")
    try:
        port = parts.port
    except ValueError:
        port = None
    if parts.scheme not in ("grpc", "http"):
        raise BenchmarkError(f"'{text}' is by '{parts.scheme}', which is not spoken here; {_FORM}.")
    if not parts.hostname or not port or parts.path.strip("/") or parts.query or parts.username is not None:
        raise BenchmarkError(f"'{text}' is no address of a server; {_FORM}.")
    return Endpoint("grpc" if parts.scheme == "grpc" else "http", parts.hostname, port)
