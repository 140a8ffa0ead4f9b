"""Corners of boxes and regions that may be turned, as messages of the typed API and back."""

from __future__ import annotations

from collections.abc import Iterable

from tundish.results import Corners, Point
from tundish_proto.v1 import inference_pb2 as typed


def corners_to_message(corners: Corners) -> list[typed.Point]:
    """Each as a message, in their order."""
    return [typed.Point(x=x, y=y) for x, y in corners]


def corners_from_message(messages: Iterable[typed.Point]) -> Corners:
    """The inverse of `corners_to_message`; raises ValueError unless there are four."""
    first, second, third, fourth = (Point(message.x, message.y) for message in messages)
    return first, second, third, fourth
