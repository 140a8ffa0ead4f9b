"""Whom to ask what, and what the answers are held against; goes to the generator's process."""

from __future__ import annotations

from dataclasses import dataclass

from tundish_bench.driving.dialects import Dialect
from tundish_bench.driving.endpoint import Endpoint
from tundish_bench.driving.outcomes import ANOTHER_ANSWER, ANSWER, DIFFERENT, Outcome
from tundish_bench.driving.wire import Judge, Reply, Requests
from tundish_bench.errors import BenchmarkError


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """A server, and the requests that it is sent in turn."""

    endpoint: Endpoint
    requests: Requests
    timeout_seconds: float
    """The longest that a request may take."""
    expected: Expected | None = None
    """Without it, answers are not read, because reading is no server's time."""

    @property
    def judge(self) -> Judge:
        """Of the replies."""
        return self.expected.judge if self.expected else _unread


def _unread(_index: int, _reply: Reply) -> Outcome:
    return ANSWER
