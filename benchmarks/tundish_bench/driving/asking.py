"""Whom to ask what, and what the answers are held against; goes to the generator's process."""

from __future__ import annotations

from dataclasses import dataclass

from tundish_bench.driving.answers import UNREADABLE, has_outputs
from tundish_bench.driving.dialects import Dialect
from tundish_bench.driving.endpoint import Endpoint, WireName
from tundish_bench.driving.outcomes import ANOTHER_ANSWER, ANSWER, DIFFERENT, MALFORMED, Outcome
from tundish_bench.driving.wire import Judge, Reply, Requests
from tundish_bench.errors import BenchmarkError

_SMALL_BYTES = 65_536
_LARGE_READ = 16
"""Reading is no server's time: of large answers, those to one request in so many are read."""


@dataclass(frozen=True, slots=True)
class Expected:
    """The answer to each request."""

    dialect: Dialect
    answers: tuple[str, ...]

    def judge(self, index: int, reply: Reply) -> Outcome:
        """Whether it is that answer; see `Judge`."""
        try:
            return ANSWER if self.dialect.answer(reply) == self.answers[index] else ANOTHER_ANSWER
        except BenchmarkError as error:
            return Outcome(DIFFERENT, str(error))


@dataclass(frozen=True, slots=True)
class WellFormed:
    """Any answer of the Open Inference Protocol that has outputs: a proxy's page of an error is none."""

    wire: WireName

    def judge(self, index: int, reply: Reply) -> Outcome:
        """Whether it is one; see `Judge`."""
        if len(reply.body) > _SMALL_BYTES and index % _LARGE_READ:
            return ANSWER
        try:
            if has_outputs(self.wire, reply):
                return ANSWER
            reason = "it has no outputs"
        except UNREADABLE as error:
            reason = f"{type(error).__name__} in reading it"
        return Outcome(MALFORMED, f"what came is no answer of the protocol: {reason}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """A server, and the requests that it is sent in turn."""

    endpoint: Endpoint
    requests: Requests
    timeout_seconds: float
    """The longest that a request may take."""
    expected: Expected | None = None
    """What the answers must be."""
    reads_form: bool = False
    """Whether answers must at least be the protocol's; else, and if none are expected, nothing is read of them."""

    @property
    def judge(self) -> Judge:
        """Of the replies."""
        if self.expected:
            return self.expected.judge
        return WellFormed(self.endpoint.wire).judge if self.reads_form else _unread


def _unread(_index: int, _reply: Reply) -> Outcome:
    return ANSWER
