"""Bodies of requests and responses: bounded in size and time, compressed as the client has it."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tundish.errors import InvalidInputError

BODY_SECONDS = 60.0
"""How long a body may take to arrive."""

_WINDOW_BITS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
"""What zlib calls each content coding that is taken."""

_STEP = 1 << 20
"""In bytes: so much is decompressed at a time, and takes room before more is."""

_SMALLEST_COMPRESSED = 1024
"""In bytes; below that, compression gains nothing."""

_LARGE = 1 << 16
"""In bytes; what takes zlib longer than others should wait for is done on another thread."""


BODIES_AT_A_TIME = 4
"""How many of the largest bodies the server has room for at a time; smaller ones share that room."""


class Bodies:
    """The bodies of all requests that are being read or worked on: each bounded, and all together. For one loop.

    What has arrived counts, not what is announced: whoever sends nothing takes no room from others.
    """

    def __init__(self, largest: int) -> None:
        """A body may have `largest` bytes."""
        self.largest = largest
        self.left = BODIES_AT_A_TIME * largest
        """In bytes."""

    @asynccontextmanager
    async def read(self, request: Request, limit: int) -> AsyncIterator[bytes]:
        """The request's body as it was before its client compressed it; of at most `limit` bytes both ways.

        Its room is free for others when the context ends.

        Raises:
            HTTPException: it is too large, comes too slowly, finds no room, or is compressed in an unknown way.
            InvalidInputError: it is not compressed as its header says.
        """
        share = _Share(self)
        try:
            yield await _read(request, limit, share)
        finally:
            share.resize(0)


class _Share:
    """The room that one body takes."""

    def __init__(self, bodies: Bodies) -> None:
        self._bodies = bodies
        self.size = 0

    @property
    def largest(self) -> int:
        """What it could grow to now."""
        return self.size + self._bodies.left

    def resize(self, size: int) -> None:
        """Takes room, or gives it back.

        Raises:
            HTTPException: there is not so much.
        """
        if size > self.largest:
            raise _no_room()
        self._bodies.left -= size - self.size
        self.size = size


async def _read(request: Request, limit: int, share: _Share) -> bytes:
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("identity", *_WINDOW_BITS):
        raise HTTPException(415, f"The content encoding '{coding}' is not taken; send gzip, deflate or neither.")
    declared = request.headers.get("content-length", "")
    # Said before the body comes: a client that waits for `100 Continue` then need not send it.
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)
    if declared.isdecimal() and int(declared) > share.largest:
        raise _no_room()
    pieces: list[bytes] = []
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for piece in request.stream():
                if share.size + len(piece) > limit:
                    raise _too_large(limit)
                share.resize(share.size + len(piece))
                pieces.append(piece)
    except TimeoutError:
        raise HTTPException(408, f"The request's body did not arrive within {BODY_SECONDS:g} seconds.") from None
    body = b"".join(pieces)
    if coding == "identity":
        return body
    plain = await _decompressed(body, coding, limit, share)
    share.resize(len(plain))
    return plain


async def _decompressed(body: bytes, coding: str, limit: int, share: _Share) -> bytes:
    stream = zlib.decompressobj(_WINDOW_BITS[coding])
    pieces: list[bytes] = []
    left, size = body, 0
    while not stream.eof:
        try:
            piece = await _off_loop(len(left) + size, stream.decompress, left, _STEP)
        except zlib.error as error:
            raise InvalidInputError(f"The request's body is not {coding}, as its header says: {error}.") from None
        size, left = size + len(piece), stream.unconsumed_tail
        if size > limit:
            raise _too_large(limit)
        if not piece and not left:
            break
        share.resize(len(body) + size)
        pieces.append(piece)
    if not stream.eof or stream.unused_data:
        raise InvalidInputError(f"The request's body does not end where its {coding} stream ends.")
    return b"".join(pieces)


async def compress(request: Request, response: Response) -> None:
    """Compresses the response's body as the request's `Accept-Encoding` prefers, if that is worth it."""
    coding = _preferred(request.headers.get("accept-encoding", ""))
    size = len(response.body)
    if coding is None or size < _SMALLEST_COMPRESSED:
        return
    response.body = await _off_loop(size, _compress, bytes(response.body), coding)
    response.headers["Content-Encoding"] = coding
    response.headers["Vary"] = "Accept-Encoding"
    response.headers["Content-Length"] = str(len(response.body))


async def _off_loop(size: int, function: object, *arguments: object) -> bytes:
    assert callable(function)
    done = await asyncio.to_thread(function, *arguments) if size > _LARGE else function(*arguments)
    assert isinstance(done, bytes)
    return done


def _compress(body: bytes, coding: str) -> bytes:
    # Tensors gain little from more effort.
    return gzip.compress(body, 1) if coding == "gzip" else zlib.compress(body, 1)


def _preferred(accepted: str) -> str | None:
    """The coding of the header that has the highest quality and that there is; the first of several."""
    best, best_quality = None, 0.0
    for part in accepted.split(","):
        coding, _, parameters = part.partition(";")
        name, _, value = parameters.strip().partition("=")
        try:
            quality = float(value) if name == "q" else 1.0
        except ValueError:
            continue
        if coding.strip().lower() in _WINDOW_BITS and quality > best_quality:
            best, best_quality = coding.strip().lower(), quality
    return best


def _too_large(limit: int) -> HTTPException:
    return HTTPException(
        413, f"The request's body is larger than {limit} bytes; send less, or raise --max-http-body-megabytes."
    )


def _no_room() -> HTTPException:
    return HTTPException(
        503,
        "The server has no room for the body beside those of other requests; try again later.",
        {"Retry-After": "1"},
    )
