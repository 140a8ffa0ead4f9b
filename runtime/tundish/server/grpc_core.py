"""What is used of gRPC's core: `grpc._cython.cygrpc`, on which `grpc.server` and `grpc.aio` stand.

It is not documented, and nobody promises that it stays; it has been the same from grpcio 1.66 to 1.85 at least.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc
from grpc._cython import cygrpc  # type: ignore[attr-defined]  # the stubs know of what is public alone

Event = Any
"""Has its `tag`, here always what is to be called with it; whether it is a `success`; its call's `batch_operations`."""

Call = Any
"""Has `start_server_batch(operations, tag)`, for any thread; without operations, the event comes at once."""

Metadata = Sequence[tuple[str, str]]

Status = tuple[grpc.StatusCode, str, Metadata]
"""The code, the details and the trailing metadata."""

OK: Status = (grpc.StatusCode.OK, "", ())
CANCELLED: Status = (grpc.StatusCode.CANCELLED, "The call was cancelled.", ())

CompletionQueue = cygrpc.CompletionQueue
Server = cygrpc.Server

_NO_FLAGS = 0
_BEGINNING = cygrpc.SendInitialMetadataOperation(None, _NO_FLAGS)


def watch_end(call: Call, tag: Any) -> None:
    """Has the call's end told, for `was_cancelled`."""
    call.start_server_batch((cygrpc.ReceiveCloseOnServerOperation(_NO_FLAGS),), tag)


def was_cancelled(event: Event) -> bool:
    """Whether a call has ended before its answer: by its caller, by its deadline, or with the connection."""
    return bool(event.batch_operations[0].cancelled())


def receive(call: Call, tag: Any) -> None:
    """Has the call's next message told, for `received`."""
    call.start_server_batch((cygrpc.ReceiveMessageOperation(_NO_FLAGS),), tag)


def received(event: Event) -> bytes | None:
    """The message; None if there is none any more."""
    message: bytes | None = event.batch_operations[0].message()
    return message


def send(
    call: Call,
    tag: Any,
    *,
    first: bool,
    message: bytes | None = None,
    status: Status | None = None,
) -> None:
    """Sends a message, or the status that ends the call, or both; `first` if nothing has been sent before.

    It does no harm to send to a caller that has gone: the event is no `success` then.
    """
    operations = [_BEGINNING] if first else []
    if message is not None:
        operations.append(cygrpc.SendMessageOperation(message, _NO_FLAGS))
    if status is not None:
        code, details, metadata = status
        text = details.encode(errors="replace")
        operations.append(cygrpc.SendStatusFromServerOperation(metadata, code.value[0], text, _NO_FLAGS))
    call.start_server_batch(operations, tag)


def ignore(_event: Event) -> None:
    """As a tag, of what was sent: it has left, or its caller has gone."""
