"""What is answered: messages as JSON, errors with their HTTP status, and nothing to who has gone."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from tundish.errors import StoppingError, TundishError, answerable
from tundish.server.calls import retry_after_milliseconds, shortened

_STATUS = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.INTERNAL: 500,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}
"""The HTTP status of each status that an error of the tree has."""

_CLIENT_GONE = 499
"""Nobody reads it; the number is nginx's."""

Endpoint = Callable[[Request], Awaitable[Response]]
AnswerT = TypeVar("AnswerT")


def json_response(value: Any, status: int = 200) -> Response:
    """A value as JSON."""
    return Response(to_json(value), status, media_type="application/json")


def answering(endpoint: Endpoint) -> Endpoint:
    """Makes an endpoint answer errors as JSON."""

    async def call(request: Request) -> Response:
        try:
            return await endpoint(request)
        except HTTPException as error:
            return http_error(request, error)
        except ClientDisconnect:
            return Response(status_code=_CLIENT_GONE)
        except asyncio.CancelledError:
            # uvicorn cancels what has not ended long after the server was told to stop: a body that does not come.
            return _error(StoppingError("The server is stopping; ask another one."))
        except Exception as error:
            return _error(answerable(error))

    return call


def http_error(_request: Request, error: Exception) -> Response:
    """An error that HTTP itself knows: no such path, no such method, a body that is too large."""
    assert isinstance(error, HTTPException)
    response = json_response({"error": error.detail}, error.status_code)
    response.headers.update(error.headers or {})
    return response


def _error(error: TundishError) -> Response:
    response = json_response({"error": shortened(error)}, _STATUS[error.status])
    if pushback := retry_after_milliseconds(error):
        response.headers["Retry-After"] = str(math.ceil(pushback / 1e3))
    return response


def outcome(error: TundishError | HTTPException) -> grpc.StatusCode:
    """The gRPC status by which a request that ended so is counted."""
    if isinstance(error, TundishError):
        return error.status
    return grpc.StatusCode.UNAVAILABLE if error.status_code == 503 else grpc.StatusCode.INVALID_ARGUMENT


async def unless_gone(request: Request, work: Awaitable[AnswerT]) -> AnswerT:
    """The result of the work, which is cancelled if the client goes away first. The request's body must be read.

    The work is done by the task that asks for it: one of its own would cost the loop two more turns.

    Raises:
        ClientDisconnect: the client has gone.
    """
    asking = asyncio.current_task()
    assert asking is not None
    gone = False

    async def watch() -> None:
        nonlocal gone
        while (await request.receive())["type"] != "http.disconnect":
            pass
        gone = True
        asking.cancel()

    watching = asyncio.ensure_future(watch())
    try:
        return await work
    except asyncio.CancelledError:
        if gone and not asking.uncancel():
            raise ClientDisconnect from None
        raise
    finally:
        watching.cancel()


def as_json(message: Message) -> dict[str, Any]:
    """A message's fields by their names, also those that have their default value; integers of 64 bits as numbers.

    protobuf's own JSON has those as text, which clients of the REST form do not expect.
    """
    return {
        field.name: _field(field, getattr(message, field.name))
        for field in message.DESCRIPTOR.fields
        if not field.has_presence or message.HasField(field.name)
    }


def _field(field: Any, value: Any) -> Any:
    if field.message_type and field.message_type.GetOptions().map_entry:
        values = field.message_type.fields_by_name["value"]
        return {key: _single(values, item) for key, item in sorted(value.items())}
    if field.is_repeated:
        return [_single(field, item) for item in value]
    return _single(field, value)


def _single(field: Any, value: Any) -> Any:
    if field.message_type:
        return as_json(value)
    return field.enum_type.values_by_number[value].name if field.enum_type else value
