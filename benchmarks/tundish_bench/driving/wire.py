"""What a load's loops need of a protocol: to send a request and to learn how it ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from tundish_bench.driving.endpoint import Endpoint

Ask = Callable[[int], Awaitable[str | None]]
"""Sends the request of this index; returns None for an answer, or what was wrong in a few words: a status and its
message. It raises nothing for what a server may do."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """The body of a POST to a model's `infer`, and its headers."""

    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Whom to ask what; goes to the generator's process."""

    endpoint: Endpoint
    model: str
    requests: Sequence[bytes] | Sequence[HttpRequest]
    """As they go over the wire, to be sent in turn: serialised `ModelInferRequest` messages by gRPC."""
    timeout_seconds: float
    """The longest that a request may take."""
