"""What stands in a JPEG file (ITU-T T.81, annex B), and which scans of a progressive one tell nothing but last bits.

A progressive file sends its coefficients in several scans. Where it sends them by successive approximation (annex G),
the last scan of a component adds the last bit of each of its AC coefficients, which is a third of the file and of
what it takes to decode. Without that scan the file is a valid one of steps twice as large.
"""

import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np

START_OF_SCAN = 0xDA
APPLICATION_1 = 0xE1
_QUANTISATION_TABLES = 0xDB
_PROGRESSIVE_FRAME = 0xC2
_WITHOUT_LENGTH = frozenset((0x01, *range(0xD0, 0xDA)))

_FIRST_TABLE = 12
"""Where a frame's segment names the quantisation table of its first component."""
_MOST_SEGMENTS = 1000
"""Of a file's head; one with more is not looked at any further, as a million of four bytes would take seconds."""

# Coded data hold no 0xFF but before a zero or a restart's marker, so that these are found without parsing them.
_SCAN_OF_ONE = b"\xff\xda\x00\x08\x01"
_LAST_BITS = re.compile(rb"\xff\xda\x00\x08\x01..[\x01-\x3f].\x10", re.DOTALL)
"""A scan of one component's AC coefficients, from the bit before the last to the last."""
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_END_OF_IMAGE = b"\xff\xd9"


class Segment(NamedTuple):
    """A marker and its parameters."""

    marker: int
    begin: int
    """Where the marker's 0xFF stands."""
    end: int
    """Behind the parameters; behind those of a scan its coded data follow."""


class LastBits(NamedTuple):
    """The scans of a file that hold the last bits of AC coefficients and nothing else."""

    step: float
    """The mean quantisation step of the file's first component, which is its brightness."""
    scans: tuple[tuple[int, int], ...]
    """Where each begins and ends in the file, in their order."""


def count_scans(data: bytes) -> int:
    """See `jpeg_scans`."""
    octets = np.frombuffer(data, np.uint8)
    return int(np.count_nonzero((octets[:-1] == 0xFF) & (octets[1:] == START_OF_SCAN)))


def head_segments(data: bytes) -> Iterator[Segment]:
    """The segments up to the first scan's, or up to what is none or is cut short; a thousand at most."""
    return islice(_segments(data), _MOST_SEGMENTS)


def _segments(data: bytes) -> Iterator[Segment]:
    position = 2
    while position + 2 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        end = position + 2
        if marker not in _WITHOUT_LENGTH:
            end += int.from_bytes(data[end : end + 2])
        if end > len(data):
            return
        yield Segment(marker, position, end)
        if marker == START_OF_SCAN:
            return
        position = end


def find_last_bits(data: bytes) -> LastBits | None:
    """Finds the scans of last bits.

    None if there are none, as in a file that is not progressive; also if the file is cut short or is otherwise not as
    it should be, which is for a decoder to tell.
    """
    steps: dict[int, float] = {}
    table = -1
    for marker, begin, end in head_segments(data):
        if marker == _QUANTISATION_TABLES:
            steps |= _mean_steps(data[begin + 4 : end])
        elif marker == _PROGRESSIVE_FRAME and end > begin + _FIRST_TABLE:
            table = data[begin + _FIRST_TABLE]
        elif marker == START_OF_SCAN:
            scans = _last_bit_scans(data, begin) if table in steps else ()
            return LastBits(steps[table], scans) if scans else None
    return None


def without(data: bytes, spans: tuple[tuple[int, int], ...]) -> bytes:
    """The bytes that lie in none of these spans, which are in order."""
    edges = [0, *(edge for span in spans for edge in span), len(data)]
    return b"".join(data[begin:end] for begin, end in zip(edges[::2], edges[1::2], strict=True))


def _mean_steps(tables: bytes) -> dict[int, float]:
    """By its number, the mean of each whole quantisation table of a segment."""
    means = {}
    while tables:
        wide, number = divmod(tables[0], 16)
        values = tables[1 : 129 if wide else 65]
        if len(values) < (128 if wide else 64):
            break
        means[number] = (sum(values[::2]) * 256 + sum(values[1::2]) if wide else sum(values)) / 64
        tables = tables[1 + len(values) :]
    return means


def _last_bit_scans(data: bytes, position: int) -> tuple[tuple[int, int], ...]:
    """From the first scan's position on; none if the last of them does not end or the image does not."""
    scans = []
    while (position := data.find(_SCAN_OF_ONE, position)) >= 0:
        begin, position = position, position + len(_SCAN_OF_ONE)
        if scan := _LAST_BITS.match(data, begin):
            marker = _MARKER.search(data, scan.end())
            if marker is None:
                return ()
            position = marker.start()
            scans.append((begin, position))
    return tuple(scans) if scans and data.find(_END_OF_IMAGE, scans[-1][1]) >= 0 else ()
