"""Where a server listens: how an address is written, tried, and said to be taken."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tundish.errors import AddressError


def written(host: str, port: int) -> str:
    """As URLs have it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def bound_socket(host: str, port: int) -> socket.socket:
    """A TCP socket that has the address; an OSError says why it cannot be had."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    bound = socket.socket(family, kind, protocol)
    try:
        # A port is free also while connections of its last owner fade.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound


@contextmanager
def explaining(host: str, port: int, option: str) -> Iterator[None]:
    """Around an attempt to listen; raises AddressError if it fails, naming the option that chooses another port."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        raise AddressError(
            f"{written(host, port)} cannot be listened on: {getattr(error, 'strerror', None) or error}; "
            f"choose another with {option} or --host."
        ) from error


def check_addresses(host: str, *, grpc_port: int, http_port: int) -> None:
    """Tries to listen on both, and lets go of them: what cannot be had is said before models are loaded.

    Raises:
        AddressError: an address cannot be listened on, or is one for both.
    """
    with ExitStack() as tried:
        for port, option in ((grpc_port, "--grpc-port"), (http_port, "--http-port")):
            with explaining(host, port, option):
                tried.enter_context(bound_socket(host, port)).listen()  # until then another may have it as well
