"""Connections to servers, and questions asked by one, without a load."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from tundish_bench.driving import grpc_wire, http_wire
from tundish_bench.driving.asking import Asking, Expected
from tundish_bench.driving.dialects import GRPC, Dialect
from tundish_bench.driving.endpoint import parse_endpoint
from tundish_bench.driving.outcomes import ANSWER, Outcome
from tundish_bench.driving.questions import Question
from tundish_bench.driving.wire import Ask, Judge, Reply
from tundish_bench.errors import BenchmarkError

_ANSWER_SECONDS = 30.0
"""The longest that any answer may take."""


def connect(asking: Asking, judge: Judge, callers: int) -> AbstractAsyncContextManager[Ask]:
    """Connections for so many callers at a time, who get of each reply what the judge says."""
    wire = grpc_wire.connect if asking.endpoint.wire == "grpc" else http_wire.connect
    return wire(asking, judge, callers)


def ask_alone(address: str, questions: Sequence[Question], dialect: Dialect = GRPC) -> Asking:
    """Asks the server at `address` (host:port) one question after the other; what is returned expects its answers.

    Raises:
        BenchmarkError: one was not answered.
    """
    endpoint = parse_endpoint(f"{dialect.wire}://{address}")
    asking = Asking(endpoint=endpoint, requests=dialect.write(questions), timeout_seconds=_ANSWER_SECONDS)
    return replace(asking, expected=Expected(dialect, asyncio.run(_answers(asking, dialect))))


async def _answers(asking: Asking, dialect: Dialect) -> tuple[str, ...]:
    answers = []

    def note(_index: int, reply: Reply) -> Outcome:
        answers.append(dialect.answer(reply))
        return ANSWER

    async with connect(asking, note, callers=1) as ask:
        for index in range(len(asking.requests)):
            if reason := (await ask(index)).says.rstrip("."):
                raise BenchmarkError(f"The server at {asking.endpoint} did not answer: {reason}; see its log.")
    return tuple(answers)
