"""Plain HTTP, as curl speaks it, through Python's own client or a bare socket."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from support.calls import ANSWER_SECONDS


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """By lower-case names."""
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The sentence of an error; nothing else is in its body."""
        ((name, sentence),) = self.json.items()
        assert name == "error"
        return str(sentence)


def ask(
    address: str,
    method: str,
    path: str,
    body: bytes | Iterable[bytes] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """One request on a connection of its own; pieces of a body are sent in chunks."""
    connection = http.client.HTTPConnection(address, timeout=ANSWER_SECONDS)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        named = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, named, response.read())
    finally:
        connection.close()


def get(address: str, path: str, headers: Mapping[str, str] | None = None) -> Answer:
    return ask(address, "GET", path, headers=headers)


def post(address: str, path: str, value: Any, headers: Mapping[str, str] | None = None) -> Answer:
    """Sends bytes as they are, anything else as JSON."""
    return ask(address, "POST", path, value if isinstance(value, bytes) else json.dumps(value).encode(), headers)


def open_socket(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), ANSWER_SECONDS)


def until_closed(connection: socket.socket) -> bytes:
    """What the server sends until it closes the connection."""
    pieces = []
    try:
        while piece := connection.recv(1 << 16):
            pieces.append(piece)
    except ConnectionResetError:
        pass  # it closed without reading everything
    return b"".join(pieces)
