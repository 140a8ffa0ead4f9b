"""Whom to ask, and how: host, port, protocol, and what a server behind TLS wants besides."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from tundish_bench.errors import BenchmarkError

WireName = Literal["grpc", "http"]
Header = tuple[str, str]
"""A name in small letters, and its value."""

_WIRES: dict[str, WireName] = {"grpc": "grpc", "grpcs": "grpc", "http": "http", "https": "http"}
_FORM = "give grpc://HOST:PORT, http://HOST:PORT, grpcs:// or https:// for TLS, or HOST:PORT for gRPC"


@dataclass(frozen=True, slots=True)
class Tls:
    """Encrypted, and the server proves who it is."""

    authorities: str | None = None
    """Certificates of those who may vouch for it, as PEM; those that come with the system, or with gRPC, if None."""

    @property
    def context(self) -> ssl.SSLContext:
        """For a connection of HTTP."""
        return ssl.create_default_context(cadata=self.authorities)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server that listens."""

    wire: WireName
    host: str
    port: int
    tls: Tls | None = None
    """None in plain text."""
    headers: tuple[Header, ...] = field(default=(), repr=False)
    """Of each request, such as what lets it in; metadata by gRPC."""

    @property
    def address(self) -> str:
        """As a channel or a URL takes it: 'host:port', an IPv6 address in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.wire}{'s' if self.tls else ''}://{self.address}"


def parse_endpoint(text: str, *, authorities: str | None = None, headers: Sequence[Header] = ()) -> Endpoint:
    """Reads a URL; `authorities` are certificates as PEM, of those who may vouch for a server by TLS.

    Raises:
        BenchmarkError: it is none, has a path, or is of another protocol; or certificates are none, or for nothing.
    """
    parts = urlsplit(text if "://" in text else f"grpc://{text}")
    try:
        port = parts.port
    except ValueError:
        port = None
    if parts.scheme not in _WIRES:
        raise BenchmarkError(f"'{text}' is by '{parts.scheme}', which is not spoken here; {_FORM}.")
    if not parts.hostname or not port or parts.path.strip("/") or parts.query or parts.username is not None:
        raise BenchmarkError(f"'{text}' is no address of a server, nor a directory of models; {_FORM}.")
    tls = Tls(authorities) if parts.scheme.endswith("s") else None
    if authorities is not None:
        _check_authorities(text, tls, authorities)
    return Endpoint(_WIRES[parts.scheme], parts.hostname, port, tls, tuple(headers))


def _check_authorities(text: str, tls: Tls | None, authorities: str) -> None:
    if tls is None:
        raise BenchmarkError(f"'{text}' is in plain text, and certificates are for grpcs:// and https://.")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=authorities)
    except (ssl.SSLError, ValueError) as error:
        raise BenchmarkError(f"The certificates are not readable as PEM: {error}.") from None
