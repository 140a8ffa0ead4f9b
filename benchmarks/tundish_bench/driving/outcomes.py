"""How a request ended: as a number, of which a column is made, and in words."""

from __future__ import annotations

from typing import NamedTuple

import grpc

ANSWERED, DIFFERENT, GIVEN_UP, UNREACHED, MALFORMED = 0, -1, -2, -3, -4
"""It was answered, by gRPC's own number; otherwise than expected; the load had ended, and the answer was waited for no
longer; by HTTP, no status came; what came is no answer of the protocol. Other numbers are gRPC's codes, and from 100 on
HTTP's statuses."""


class Outcome(NamedTuple):
    """Of one request."""

    status: int
    says: str = ""
    """What was wrong, in a few words: a status and its message; nothing of an answer."""


ANSWER = Outcome(ANSWERED)
ANOTHER_ANSWER = Outcome(DIFFERENT)
NOT_WAITED_FOR = Outcome(GIVEN_UP, "no answer had come when the load had ended")

_NAMES = {
    **{code.value[0]: code.name for code in grpc.StatusCode},
    DIFFERENT: "answered otherwise",
    GIVEN_UP: "left hanging",
    UNREACHED: "not reached",
    MALFORMED: "no answer",
}


def status_name(status: int) -> str:
    """A gRPC code's own name, an HTTP status' number, or words."""
    return _NAMES.get(status, str(status))
