"""Bodies of requests and responses: bounded in size and time, compressed as the client has it."""

from __future__ import annotations

import asyncio
import gzip
import zlib

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tundish.errors import InvalidInputError

BODY_SECONDS = 60.0
"""How long a body may take to arrive."""

_WINDOW_BITS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
"""What zlib calls each content coding that is taken."""

_SMALLEST_COMPRESSED = 1024
"""In bytes; below that, compression gains nothing."""

_LARGE = 1 << 16
"""In bytes; what takes zlib longer than others should wait for is done on another thread."""


async def read_body(request: Request, limit: int) -> bytes:
    """The request's body as it was before its client compressed it; of at most `limit` bytes both ways.

    Raises:
        HTTPException: it is too large, comes too slowly, or is compressed in a way that is not known.
        InvalidInputError: it is not compressed as its header says.
    """
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("identity", *_WINDOW_BITS):
        raise HTTPException(415, f"The content encoding '{coding}' is not taken; send gzip, deflate or neither.")
    declared = request.headers.get("content-length", "")
    # Said before the body comes: a client that waits for `100 Continue` then need not send it.
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for piece in request.stream():
                size += len(piece)
                if size > limit:
                    raise _too_large(limit)
                pieces.append(piece)
    except TimeoutError:
        raise HTTPException(408, f"The request's body did not arrive within {BODY_SECONDS:g} seconds.") from None
    body = b"".join(pieces)
    if coding == "identity":
        return body
    return await _off_loop(size, _decompress, body, coding, limit)


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


def _decompress(body: bytes, coding: str, limit: int) -> bytes:
    stream = zlib.decompressobj(_WINDOW_BITS[coding])
    try:
        data = stream.decompress(body, limit + 1)
    except zlib.error as error:
        raise InvalidInputError(f"The request's body is not {coding}, as its header says: {error}.") from None
    if len(data) > limit:
        raise _too_large(limit)
    if not stream.eof or stream.unused_data:
        raise InvalidInputError(f"The request's body does not end where its {coding} stream ends.")
    return data


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
