"""Binds a front's methods to the methods of a gRPC service, with a deserializer that bad bytes cannot upset.

A front knows of gRPC only where it streams. Its unary methods take a message and the time until which an answer is of
use, on `time.monotonic()`'s clock; they return a message, or raise an error of the tree. So other protocols can call
them as well.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, TypeAlias

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from tundish.errors import InvalidInputError, StoppingError
from tundish.server import grpc_core as core
from tundish.server.admission import Admission

Handler: TypeAlias = "grpc.GenericRpcHandler[Any, Any]"


MALFORMED = "The request's bytes are not a message of this method; check the client's .proto files."


class Malformed:
    """Stands for a request whose bytes are no message of its type, so that the front can answer it."""


def check_wellformed(request: object) -> None:
    """Raises InvalidInputError for a request that could not be parsed."""
    if isinstance(request, Malformed):
        raise InvalidInputError(MALFORMED)


@dataclass(frozen=True, slots=True)
class Unary:
    """A method that takes one message and answers one, from bytes to bytes."""

    parse: Callable[[bytes | None], Any]
    call: Callable[[Any, float | None], Coroutine[Any, Any, Any]]
    """Takes what was parsed, and the time until which an answer is of use; for `Answering`."""
    serialize: Callable[[Any], bytes]


Parsers = Mapping[str, Callable[[bytes], Any]]
"""By a method's name, what reads its requests' bytes, where that is not the message's own `FromString`.

They raise DecodeError for bytes that are no message.
"""


def unary_methods(
    service: ServiceDescriptor, front: object, admission: Admission, parsers: Parsers
) -> Iterator[tuple[str, Unary]]:
    """The service's methods of one message each way, by their paths: the front's methods of the same names."""
    for method in service.methods:
        if not method.client_streaming:
            yield (
                f"/{service.full_name}/{method.name}",
                Unary(
                    parse=_parser(method, parsers),
                    call=_unary(getattr(front, method.name), admission),
                    serialize=GetMessageClass(method.output_type).SerializeToString,
                ),
            )


def streams(service: ServiceDescriptor, front: object, parsers: Parsers) -> Handler:
    """The service's methods of streams, each by the front's method of the same name."""
    return grpc.method_handlers_generic_handler(
        service.full_name,
        {
            method.name: grpc.stream_stream_rpc_method_handler(
                getattr(front, method.name),
                request_deserializer=_parser(method, parsers),
                response_serializer=GetMessageClass(method.output_type).SerializeToString,
            )
            for method in service.methods
            if method.client_streaming
        },
    )


class Handlers:
    """Handlers of services, to which generated code adds as to a server."""

    def __init__(self, *handlers: Handler) -> None:
        self._handlers = list(handlers)

    def find(self, path: str, metadata: core.Metadata) -> Any:
        """The first handler of the method, a `grpc.RpcMethodHandler`; None if there is none."""
        details: Any = SimpleNamespace(method=path, invocation_metadata=metadata)
        found = (handler.service(details) for handler in self._handlers)
        return next((method for method in found if method is not None), None)

    def add_generic_rpc_handlers(self, handlers: Sequence[Handler]) -> None:
        """As a server's own."""
        self._handlers += handlers

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Any]) -> None:
        """Nothing: generated code has given them by the other way as well."""


def _unary(
    method: Callable[[Any, float | None], Awaitable[Any]], admission: Admission
) -> Callable[[Any, float | None], Coroutine[Any, Any, Any]]:
    async def call(request: Any, until: float | None) -> Any:
        try:
            check_wellformed(request)
            return await method(request, until)
        except StoppingError:
            await admission.before_refusal()
            raise

    return call


def _parser(method: Any, parsers: Parsers) -> Callable[[bytes | None], Any]:
    read = parsers.get(method.name) or GetMessageClass(method.input_type).FromString

    def parse(data: bytes | None) -> Any:
        try:
            return Malformed() if data is None else read(data)
        except DecodeError:
            return Malformed()

    return parse
