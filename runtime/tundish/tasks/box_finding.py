"""Finders for networks whose boxes are in pixels of their input, along its edges or turned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tundish.engines import Arrays
from tundish.errors import EngineError
from tundish.manifest import BoxPostprocess, ListedPostprocess
from tundish.results import Box, Corners, DetectedObject, Point
from tundish.tasks.image_reading import PreparedImage
from tundish.tasks.object_choosing import Chosen, load_chooser

Found = tuple[DetectedObject, ...]


class ObjectFinder(Protocol):
    """Reads the outputs of one kind of network."""

    def find(self, outputs: Arrays, images: Sequence[PreparedImage]) -> list[Found | EngineError]:
        """The objects of each image of a batch, highest score first; equal scores keep the network's order.

        An error where the engine gave NaN or an infinity.
        """
        ...


class BoxFinder:
    """Candidates, of which the best are objects, or objects that the network has chosen itself."""

    def __init__(self, rule: BoxPostprocess | ListedPostprocess) -> None:
        self._labels = rule.labels
        self._oriented = rule.box_form == "oriented"
        self._chooser = load_chooser(rule)
        self.needed = self._chooser.needed
        """The outputs that it reads."""

    def find(self, outputs: Arrays, images: Sequence[PreparedImage]) -> list[Found | EngineError]:
        """See `ObjectFinder.find`."""
        return [
            chosen if isinstance(chosen, EngineError) else self._objects(chosen, image)
            for chosen, image in zip(self._chooser.choose(outputs), images, strict=True)
        ]

    def _objects(self, chosen: Chosen, image: PreparedImage) -> Found:
        labels = [self._labels[index] for index in chosen.classes.tolist()]
        if not self._oriented:
            boxes = in_image(chosen.boxes.reshape(-1, 2, 2), image).reshape(-1, 4)
            return tuple(
                DetectedObject(label, score, Box(*box))
                for label, score, box in zip(labels, chosen.scores.tolist(), boxes.tolist(), strict=True)
            )
        corners = in_image(_corners(chosen.boxes), image)
        around = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
        return tuple(
            DetectedObject(label, score, Box(*box), _points(four))
            for label, score, box, four in zip(
                labels, chosen.scores.tolist(), around.tolist(), corners.tolist(), strict=True
            )
        )


def in_image(points: NDArray[np.float32], image: PreparedImage) -> NDArray[np.float32]:
    """`[objects, points, 2]`, x and y in pixels of the image, of those in pixels of the network's input."""
    place, (height, width) = image.window, image.size
    offset = np.array([place.left, place.top], np.float32)
    scale = np.array([width / place.resized_width, height / place.resized_height], np.float32)
    placed: NDArray[np.float32] = (points + offset) * scale
    return placed


def _corners(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """`[objects, 4, 2]` in the order of `DetectedObject.corners`, of oriented boxes `[objects, 5]`."""
    centres, halves, angles = boxes[:, :2], np.float32(0.5) * boxes[:, 2:4], boxes[:, 4]
    right = halves[:, :1] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    down = halves[:, 1:] * np.stack([-np.sin(angles), np.cos(angles)], axis=1)
    corners: NDArray[np.float32] = np.stack(
        [centres - right - down, centres + right - down, centres + right + down, centres - right + down], axis=1
    )
    return corners


def _points(corners: Sequence[Sequence[float]]) -> Corners:
    first, second, third, fourth = (Point(*corner) for corner in corners)
    return first, second, third, fourth
