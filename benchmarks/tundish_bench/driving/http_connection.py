"""A connection of HTTP/1.1 that does one request at a time.

A load's client takes its CPU from a server on the same machine, so it does as little as it can: requests are bytes
already, and a parser in C reads the responses. aiohttp, which does far more, takes two to three times as long.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import NamedTuple, cast

import httptools


class Response(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """By names in small letters."""
    body: bytes


class HttpConnection(asyncio.Protocol):
    """See the module; made by `connect`."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._response: asyncio.Future[Response] | None = None
        self._transport: asyncio.Transport | None = None
        self._begin()

    @classmethod
    async def connect(
        cls, host: str, port: int, timeout_seconds: float, context: ssl.SSLContext | None = None
    ) -> HttpConnection:
        """One that is open; by TLS with a context.

        Raises:
            OSError: the server cannot be reached, or does not prove who it is. A TimeoutError is one of them.
        """
        opening = asyncio.get_running_loop().create_connection(cls, host, port, ssl=context)
        _, connection = await asyncio.wait_for(opening, timeout_seconds)
        return connection

    @property
    def is_open(self) -> bool:
        """Whether it takes a request; not after the server, or an error, has closed it."""
        return self._transport is not None

    async def send(self, head: bytes, body: bytes, timeout_seconds: float) -> Response:
        """Sends a request, and waits for what comes back.

        Raises:
            OSError: the server breaks off, or takes too long, which is a TimeoutError.
            httptools.HttpParserError: what comes back is no HTTP.
        """
        assert self._transport is not None
        response = self._response = self._loop.create_future()
        timer = self._loop.call_later(timeout_seconds, self._fail, TimeoutError(f"no answer in {timeout_seconds:g} s"))
        try:
            self._transport.writelines((head, body))
            answer: Response = await response
        except BaseException:
            self.close()  # what comes of the request later must not be taken for the next one's response
            raise
        finally:
            timer.cancel()
            self._response = None
        return answer

    def close(self) -> None:
        """Closes it at once."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(error)

    def eof_received(self) -> None:
        """See `asyncio.Protocol`."""
        # Without a length or chunks, the end of the connection is the end of the body (RFC 9112, 6.3).
        if self._in_body and not self._headers.keys() & {"content-length", "transfer-encoding"}:
            self.on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._transport = None
        self._fail(exc or ConnectionResetError("the server closed the connection before it had answered"))

    def on_header(self, name: bytes, value: bytes) -> None:
        """See `httptools.HttpResponseParser`."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """See `httptools.HttpResponseParser`."""
        self._in_body = True

    def on_body(self, piece: bytes) -> None:
        """See `httptools.HttpResponseParser`."""
        self._body.append(piece)

    def on_message_complete(self) -> None:
        """See `httptools.HttpResponseParser`."""
        status, headers, body = self._parser.get_status_code(), self._headers, b"".join(self._body)
        self._begin()
        if status < 200:  # it only says that another will come
            return
        if not self._parser.should_keep_alive():
            self.close()
        if self._response is not None and not self._response.done():
            self._response.set_result(Response(status, headers, body))

    def _begin(self) -> None:
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._in_body = False

    def _fail(self, error: Exception) -> None:
        if self._response is not None and not self._response.done():
            self._response.set_exception(error)
