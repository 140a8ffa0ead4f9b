"""How servers are asked: by which protocol, in what form, and what of their answers is compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from tundish_bench.driving.answers import UNREADABLE, read_binary, read_message, read_post
from tundish_bench.driving.endpoint import WireName
from tundish_bench.driving.questions import Question
from tundish_bench.driving.requests import grpc_bytes_requests, grpc_requests, http_requests, post_requests
from tundish_bench.driving.wire import Reply, Requests
from tundish_bench.errors import BenchmarkError


@dataclass(frozen=True, slots=True)
class Dialect:
    """One way to ask."""

    wire: WireName
    write: Callable[[Sequence[Question]], Requests]
    read: Callable[[Reply], str]

    def answer(self, reply: Reply) -> str:
        """What is compared of a reply.

        Raises:
            BenchmarkError: it holds nothing of the kind.
        """
        try:
            return self.read(reply)
        except UNREADABLE as error:
            raise BenchmarkError(f"an answer cannot be read: {type(error).__name__}: {error}") from None


GRPC = Dialect("grpc", grpc_requests, read_message)
"""The Open Inference Protocol by gRPC."""
GRPC_BYTES = Dialect("grpc", grpc_bytes_requests, read_message)
"""The same with each tensor of numbers as one element of BYTES, both ways."""
HTTP = Dialect("http", partial(http_requests, binary=True), read_binary)
"""The same protocol by HTTP, with binary data."""
POST = Dialect("http", post_requests, read_post)
"""A POST of the item to the model's name, answered by JSON with a list `label` or, of a bare engine, by its first
output's numbers."""
