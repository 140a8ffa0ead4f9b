"""What a load's loops need of a protocol: to send a request and to learn how it ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tundish_bench.driving.outcomes import Outcome

Ask = Callable[[int], Awaitable[Outcome]]
"""Sends the request of this index, and returns how it ended. It raises nothing for what a server may do."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """The path and the body of a POST, and its headers."""

    path: str
    body: bytes
    headers: Mapping[str, str]


Requests = Sequence[bytes] | Sequence[HttpRequest]
"""As they go over the wire: serialised `ModelInferRequest` messages by gRPC."""


class Reply(NamedTuple):
    """What came back: the body of an HTTP status 200 with its headers, or a `ModelInferResponse` message."""

    body: bytes
    headers: Mapping[str, str]
    """By names in small letters; none by gRPC."""


Judge = Callable[[int, Reply], Outcome]
"""What the reply to the request of this index is."""
