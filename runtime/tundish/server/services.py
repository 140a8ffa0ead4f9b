"""Binds a front's methods to the methods of a gRPC service, with a deserializer that bad bytes cannot upset.

A front knows of gRPC only where it streams. Its unary methods take a message and the time until which an answer is of
use, on `time.monotonic()`'s clock; they return a message, or raise an error of the tree. So other protocols can call
them as well.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from tundish.errors import InvalidInputError, StoppingError, answerable
from tundish.server.admission import Admission
from tundish.server.calls import Context, abort, deadline


class Malformed:
    """Stands for a request whose bytes are no message of its type, so that the front can answer it."""


def check_wellformed(request: object) -> None:
    """Raises InvalidInputError for a request that could not be parsed."""
    if isinstance(request, Malformed):
        raise InvalidInputError(
            "The request's bytes are not a message of this method; check the client's .proto files."
        )


def handler(service: ServiceDescriptor, front: object, admission: Admission) -> grpc.GenericRpcHandler[Any, Any]:
    """Serves each method of the service by the front's method of the same name; the front must have all of them."""
    return grpc.method_handlers_generic_handler(
        service.full_name,
        {method.name: _method_handler(method, getattr(front, method.name), admission) for method in service.methods},
    )


class Unregistered:
    """A server as generated code sees it, whose methods are found by their names and not registered.

    The asyncio server waits for the next call of each registered method apart, and with every call that it takes in it
    turns to all of these waits again: four methods cost each request 14 of an echo's 248 µs.
    """

    def __init__(self, server: grpc.aio.Server) -> None:
        self._server = server

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler[Any, Any]]) -> None:
        """As the server's own."""
        self._server.add_generic_rpc_handlers(tuple(handlers))

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Any]) -> None:
        """Nothing: generated code has given them by the other way as well."""


def _method_handler(
    method: Any, behaviour: Callable[..., Any], admission: Admission
) -> grpc.RpcMethodHandler[Any, Any]:
    make = grpc.stream_stream_rpc_method_handler if method.client_streaming else grpc.unary_unary_rpc_method_handler
    return make(
        behaviour if method.client_streaming else _unary(behaviour, admission),
        request_deserializer=_parser(GetMessageClass(method.input_type)),
        response_serializer=GetMessageClass(method.output_type).SerializeToString,
    )


def _unary(
    method: Callable[[Any, float | None], Awaitable[Any]], admission: Admission
) -> Callable[[Any, Context], Awaitable[Any]]:
    """Answers the errors of the tree as gRPC status."""

    async def call(request: Any, context: Context) -> Any:
        try:
            check_wellformed(request)
            return await method(request, deadline(context))
        except Exception as failure:
            error = answerable(failure)
        if isinstance(error, StoppingError):
            await admission.before_refusal()
        try:
            await abort(context, error)
        finally:
            # gRPC keeps the exception that it ends the call by, whose traceback keeps this frame: with what is named
            # here it would be a cycle, and a refused request would stay in memory until the collector comes.
            del request, context, error

    return call


def _parser(message_type: type[Message]) -> Callable[[bytes], Message | Malformed]:
    def parse(data: bytes) -> Message | Malformed:
        try:
            return message_type.FromString(data)
        except DecodeError:  # raised from here, gRPC would answer INTERNAL
            return Malformed()

    return parse
