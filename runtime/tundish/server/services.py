"""Binds a front's methods to the methods of a gRPC service, with a deserializer that bad bytes cannot upset."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from tundish.errors import InvalidInputError


class Malformed:
    """Stands for a request whose bytes are no message of its type, so that the front can answer it."""


def check_wellformed(request: object) -> None:
    """Raises InvalidInputError for a request that could not be parsed."""
    if isinstance(request, Malformed):
        raise InvalidInputError(
            "The request's bytes are not a message of this method; check the client's .proto files."
        )


def handler(service: ServiceDescriptor, front: object) -> grpc.GenericRpcHandler[Any, Any]:
    """Serves each method of the service by the front's method of the same name; the front must have all of them."""
    return grpc.method_handlers_generic_handler(
        service.full_name,
        {method.name: _method_handler(method, getattr(front, method.name)) for method in service.methods},
    )


def _method_handler(method: Any, behaviour: Callable[..., Any]) -> grpc.RpcMethodHandler[Any, Any]:
    make = grpc.stream_stream_rpc_method_handler if method.client_streaming else grpc.unary_unary_rpc_method_handler
    return make(
        behaviour,
        request_deserializer=_parser(GetMessageClass(method.input_type)),
        response_serializer=GetMessageClass(method.output_type).SerializeToString,
    )


def _parser(message_type: type[Message]) -> Callable[[bytes], Message | Malformed]:
    def parse(data: bytes) -> Message | Malformed:
        try:
            return message_type.FromString(data)
        except DecodeError:  # raised from here, gRPC would answer INTERNAL
            return Malformed()

    return parse
