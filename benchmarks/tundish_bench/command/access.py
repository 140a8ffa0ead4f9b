"""Options by which a server is trusted, and lets requests in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import typer

from tundish_bench.driving.endpoint import Header

_MOST_BYTES = 2**20
_NAME = re.compile(r"[a-z0-9_.-]+")
"""Of gRPC's metadata, in which HTTP's usual names are."""
_NOT_THE_USERS = re.compile(r"content-.*|grpc-.*|.*-bin|transfer-encoding|connection|te|user-agent")
"""They say what a request is, or by whom, or are bytes."""


def read_authorities(path: Path | None) -> str | None:
    """What a file of certificates says, if one is given; raises `typer.BadParameter` if it cannot be read."""
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise typer.BadParameter(f"--ca takes up to {_MOST_BYTES >> 20} MB of certificates; '{path}' has more.")
        return content.decode("ascii")
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"--ca cannot be read: {error}.") from None


def read_headers(texts: Sequence[str]) -> tuple[Header, ...]:
    """Names in small letters, with their values; raises `typer.BadParameter`, which quotes no value."""
    headers = []
    for text in texts:
        name, colon, value = text.partition(":")
        name, value = name.strip().lower(), value.strip()
        if not colon or not _NAME.fullmatch(name) or not value.isascii() or not value.isprintable():
            raise typer.BadParameter("--header must be as NAME:VALUE in ASCII, as --header 'authorization:Bearer ...'.")
        if _NOT_THE_USERS.fullmatch(name):
            raise typer.BadParameter(f"--header {name} is for the client alone to say; leave it out.")
        headers.append((name, value))
    return tuple(headers)
