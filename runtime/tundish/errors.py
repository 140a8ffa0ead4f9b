"""Every error that tundish raises for its callers.

    TundishError
    ├── BundleError             a bundle cannot be read, or does not match its hashes
    ├── RepositoryError         a repository is missing, empty or holds nothing that can be served
    ├── InvalidInputError       a request asks for something the model does not take
    ├── ModelNotFoundError      no such model or version
    ├── ModelNotReadyError      the version is there but cannot answer: it is loading, unloading or broken
    ├── QueueFullError          the model's queue is full; carries when to try again
    ├── DeadlineExceededError   the deadline passed before the work began; it was not run
    ├── StoppingError           the server is stopping and takes no new work
    ├── UnsupportedError        the server does not do this, by what it is or how it was started
    ├── EngineError             the engine failed on this input
    ├── ConnectionFailedError   no server answers at the address
    └── AddressError            the server cannot listen on the address

Each class knows its gRPC status code. Fronts translate them in one place; nothing else catches them.
"""

from __future__ import annotations

import logging
from typing import ClassVar

import grpc

_LOG = logging.getLogger(__name__)

ERROR_METADATA_KEY = "tundish-error"
"""Trailing metadata by which a server names the class of an error; several classes share a status code."""


PUSHBACK_METADATA_KEY = "grpc-retry-pushback-ms"
"""Trailing metadata by which gRPC servers say when to try again."""

_LONGEST_REASON = 300
"""Characters of what a library says; where it was raised comes last, and what to do about it before."""


class TundishError(Exception):
    """Base of all errors; its text is one sentence that says what was wrong and what to do."""

    status: ClassVar[grpc.StatusCode] = grpc.StatusCode.INTERNAL


class BundleError(TundishError):
    """A bundle cannot be read, or a file does not match its hash; names the file."""

    status = grpc.StatusCode.FAILED_PRECONDITION


class RepositoryError(TundishError):
    """A repository is missing, empty, or holds nothing that can be served."""

    status = grpc.StatusCode.FAILED_PRECONDITION


class InvalidInputError(TundishError):
    """A request asks for something that the model does not take; says what was expected and what came."""

    status = grpc.StatusCode.INVALID_ARGUMENT


class ModelNotFoundError(TundishError):
    """No such model or version; names those there are."""

    status = grpc.StatusCode.NOT_FOUND


class ModelNotReadyError(TundishError):
    """The version is there but cannot answer; says why."""

    status = grpc.StatusCode.UNAVAILABLE


class QueueFullError(TundishError):
    """The model's queue is full. `retry_after_seconds` is when it should have drained by half."""

    status = grpc.StatusCode.RESOURCE_EXHAUSTED

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class DeadlineExceededError(TundishError):
    """The deadline passed before the work began, so it was never run."""

    status = grpc.StatusCode.DEADLINE_EXCEEDED


class StoppingError(TundishError):
    """The server is stopping and takes no new work."""

    status = grpc.StatusCode.UNAVAILABLE


class UnsupportedError(TundishError):
    """The server does not do this: it lacks what it takes, or was not told to."""

    status = grpc.StatusCode.UNIMPLEMENTED


class EngineError(TundishError):
    """The engine failed on this input."""

    status = grpc.StatusCode.INTERNAL


class ConnectionFailedError(TundishError):
    """No server answers at the address."""

    status = grpc.StatusCode.UNAVAILABLE


class AddressError(TundishError):
    """The server cannot listen on the address."""

    status = grpc.StatusCode.UNAVAILABLE


def reason_of(error: BaseException) -> str:
    """What a library's error says, in one line of at most 300 characters; its class if it says nothing."""
    said = " ".join(str(error).split()) or type(error).__name__
    if len(said) <= _LONGEST_REASON:
        return said
    ellipsis = " …"
    return said[: _LONGEST_REASON - len(ellipsis)].rsplit(" ", maxsplit=1)[0] + ellipsis


def answerable(error: Exception) -> TundishError:
    """The error as its caller may see it; a fault of the server's own goes to the log, with its traceback.

    An error of the tree loses its traceback: that keeps all that its frames name, a request, its image and often the
    error itself, until the collector of cycles comes.
    """
    if isinstance(error, TundishError):
        link: BaseException | None = error
        while link is not None:
            link.__traceback__ = None
            link = link.__cause__ or link.__context__
        return error
    _LOG.error("A request failed by a fault of the server's own.", exc_info=error)
    return EngineError(f"The server failed on this request: {type(error).__name__}.")
