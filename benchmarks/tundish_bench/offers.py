"""Requests that come whether or not the server keeps up, each with a deadline: an open loop, as cameras make it.

A caller that waits for its answer before it asks again slows down with the server, and hides what an overload does.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import grpc

from tundish_bench.asking import INFER, Question

OK = "OK"

_SEED = 0
_GRACE_SECONDS = 5.0
"""How long after its deadline a request may still be unanswered before it counts as left hanging."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one request."""

    due: float
    """When it was to be sent, in seconds after the first."""
    late: float
    """By how many seconds it was sent later: the client was busy."""
    seconds: float
    """From sending it to its answer or status."""
    status: str
    """The name of its gRPC status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferReport:
    """What an offer saw."""

    outcomes: tuple[Outcome, ...]
    client_cpu_seconds: float

    def of_status(self, status: str) -> list[Outcome]:
        """Those that ended so."""
        return [outcome for outcome in self.outcomes if outcome.status == status]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What to offer to whom: requests in a Poisson process, always the same one."""

    url: str
    per_second: float
    seconds: float
    deadline_seconds: float
    """Of each request."""

    async def run(self, questions: Sequence[Question]) -> OfferReport:
        """Sends each request when it is due, the questions in turn; returns when every one has its outcome."""
        async with grpc.aio.insecure_channel(self.url) as channel:
            infer: Any = channel.unary_unary(INFER, request_serializer=None, response_deserializer=None)
            cpu_before, began = time.process_time(), time.perf_counter()

            async def send(due: float, question: Question) -> Outcome:
                sent = time.perf_counter() - began
                status = OK
                try:
                    await asyncio.wait_for(
                        infer(question.message, timeout=self.deadline_seconds), self.deadline_seconds + _GRACE_SECONDS
                    )
                except grpc.RpcError as error:
                    status = error.code().name
                except TimeoutError:
                    status = "left hanging"
                return Outcome(due, sent - due, time.perf_counter() - began - sent, status)

            sending = []
            for index, due in enumerate(arrivals(self.per_second, self.seconds)):
                # Also when it is late: without a turn for the loop, answers would wait for the sending.
                await asyncio.sleep(max(0.0, began + due - time.perf_counter()))
                sending.append(asyncio.ensure_future(send(due, questions[index % len(questions)])))
            outcomes = await asyncio.gather(*sending)
            return OfferReport(outcomes=tuple(outcomes), client_cpu_seconds=time.process_time() - cpu_before)


def arrivals(per_second: float, seconds: float) -> list[float]:
    """The moments of a Poisson process, always the same ones, in seconds."""
    draw = random.Random(_SEED)
    moments = []
    moment = draw.expovariate(per_second)
    while moment < seconds:
        moments.append(moment)
        moment += draw.expovariate(per_second)
    return moments
