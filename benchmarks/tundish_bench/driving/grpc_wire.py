"""The Open Inference Protocol by gRPC."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc

from tundish_bench.driving.asking import Asking
from tundish_bench.driving.endpoint import Endpoint, Tls
from tundish_bench.driving.outcomes import Outcome
from tundish_bench.driving.wire import Ask, Judge, Reply

INFER = "/inference.GRPCInferenceService/ModelInfer"

_SIZES = (("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1))
_OWN_CONNECTION = (*_SIZES, ("grpc.use_local_subchannel_pool", 1))
"""Channels to one server share a connection otherwise."""

_CALLERS_A_CONNECTION = 8
"""About as many as NVIDIA's clients let share one."""


@asynccontextmanager
async def connect(asking: Asking, judge: Judge, callers: int) -> AsyncIterator[Ask]:
    """Connections for so many callers at a time."""
    endpoint = asking.endpoint
    channels = [_channel(endpoint) for _ in range(-(-callers // _CALLERS_A_CONNECTION))]
    calls: list[Any] = [
        channel.unary_unary(INFER, request_serializer=None, response_deserializer=None) for channel in channels
    ]
    turns = itertools.cycle(calls)
    timeout = asking.timeout_seconds

    async def ask(index: int) -> Outcome:
        try:
            message = await next(turns)(asking.requests[index], timeout=timeout, metadata=endpoint.headers)
        except grpc.RpcError as error:
            code = error.code()
            return Outcome(code.value[0], f"{code.name}: {error.details()}")
        return judge(index, Reply(message, {}))

    try:
        yield ask
    finally:
        for channel in channels:
            await channel.close(None)


def credentials(tls: Tls) -> grpc.ChannelCredentials:
    """What a channel takes to connect so."""
    return grpc.ssl_channel_credentials(tls.authorities.encode() if tls.authorities else None)


def _channel(endpoint: Endpoint) -> grpc.aio.Channel:
    if endpoint.tls:
        return grpc.aio.secure_channel(endpoint.address, credentials(endpoint.tls), options=_OWN_CONNECTION)
    return grpc.aio.insecure_channel(endpoint.address, options=_OWN_CONNECTION)
