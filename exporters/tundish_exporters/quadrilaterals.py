"""How much boxes have in common that may be turned, in plain NumPy: corners of parallelograms."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Numbers = NDArray[np.float64]

_SLACK = 1e-3
"""Of circles, so that rounding leaves out no pair."""
_ROUNDING = 1e-9
"""Of a product of lengths, relative to them, within which a point lies on an edge."""


def oriented_corners(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """`[boxes, 4, 2]`, of centre x, centre y, width, height and the angle from the x axis to the y axis.

    Clockwise in an image, from the box's own upper left.
    """
    cosines, sines = np.cos(boxes[:, 4:]), np.sin(boxes[:, 4:])
    across = boxes[:, 2:3] * np.array([-0.5, 0.5, 0.5, -0.5], np.float32)
    down = boxes[:, 3:4] * np.array([-0.5, -0.5, 0.5, 0.5], np.float32)
    x = boxes[:, :1] + cosines * across - sines * down
    y = boxes[:, 1:2] + sines * across + cosines * down
    corners: NDArray[np.float32] = np.stack([x, y], axis=2)
    return corners


def overlaps(one: ArrayLike, others: ArrayLike) -> Numbers:
    """Intersection over union of `[4, 2]` with each of `[boxes, 4, 2]`, all parallelograms.

    0 where either is empty or inside out.
    """
    first, rest = np.asarray(one), np.asarray(others)
    found = np.zeros(len(rest))
    near = _near(first, rest)
    second = rest[near].astype(np.float64)
    if len(second):
        repeated = np.broadcast_to(first.astype(np.float64), second.shape)
        area, areas = _areas(repeated), _areas(second)
        shared = np.where((area > 0) & (areas > 0), _shared(repeated, second), 0)
        found[near] = np.divide(shared, area + areas - shared, out=np.zeros_like(shared), where=shared > 0)
    return found


def _near(one: NDArray[np.floating], others: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Whether circles around the boxes, by their longer diagonals, have a point in common; most pairs have none."""
    x, y = (one[0] + one[2] - others[:, 0] - others[:, 2]).T / 2
    radius, radii = (
        np.maximum(*(np.hypot(*(box[..., place, :] - box[..., place + 2, :]).T) for place in (0, 1))) / 2
        for box in (one, others)
    )
    near: NDArray[np.bool_] = np.hypot(x, y) <= (radius + radii) * (1 + _SLACK)
    return near


def _areas(polygons: Numbers) -> Numbers:
    """Of `[polygons, corners, 2]`, clockwise in an image; below 0 the other way round."""
    areas: Numbers = _cross(polygons, np.roll(polygons, -1, axis=1)).sum(axis=1) / 2
    return areas


def _shared(first: Numbers, second: Numbers) -> Numbers:
    """The areas of the intersections: of the corners that lie in the other one, and of where edges cross."""
    crossings, do_cross = _crossings(first, second)
    points = np.concatenate([first, second, crossings], axis=1)
    valid = np.concatenate([_inside(first, second), _inside(second, first), do_cross], axis=1)
    count = valid.sum(axis=1)
    some = np.take_along_axis(points, valid.argmax(axis=1)[:, np.newaxis, np.newaxis], axis=1)
    points = np.where(valid[..., np.newaxis], points, some)  # once more one that is there, which adds nothing
    middle = (points * valid[..., np.newaxis]).sum(axis=1) / np.maximum(count, 1)[:, np.newaxis]
    around = points - middle[:, np.newaxis]
    order = np.argsort(np.arctan2(around[..., 1], around[..., 0]), axis=1)
    return np.where(count > 2, _areas(np.take_along_axis(around, order[..., np.newaxis], axis=1)), 0.0)


def _inside(points: Numbers, polygons: Numbers) -> NDArray[np.bool_]:
    """`[polygons, points]`, whether each point lies in its polygon, or on its edge."""
    edges = np.roll(polygons, -1, axis=1) - polygons
    from_corners = points[:, :, np.newaxis] - polygons[:, np.newaxis]
    lengths = np.abs(edges).sum(axis=2)[:, np.newaxis] * np.abs(from_corners).sum(axis=3)
    inside: NDArray[np.bool_] = (_cross(edges[:, np.newaxis], from_corners) >= -_ROUNDING * lengths).all(axis=2)
    return inside


def _crossings(first: Numbers, second: Numbers) -> tuple[Numbers, NDArray[np.bool_]]:
    """`[pairs, 16, 2]`, where each edge of one crosses each of the other, and whether it does."""
    begins, others = first[:, :, np.newaxis], second[:, np.newaxis]
    along, along_others = (np.roll(corners, -1, axis=1) - corners for corners in (first, second))
    edges, other_edges = along[:, :, np.newaxis], along_others[:, np.newaxis]
    turned = _cross(edges, other_edges)
    with np.errstate(divide="ignore", invalid="ignore"):  # of parallel edges
        shares = _cross(others - begins, other_edges) / turned
        other_shares = _cross(others - begins, edges) / turned
    do_cross = (turned != 0) & (shares >= 0) & (shares <= 1) & (other_shares >= 0) & (other_shares <= 1)
    points = begins + np.where(do_cross, shares, 0)[..., np.newaxis] * edges
    return points.reshape(len(first), -1, 2), do_cross.reshape(len(first), -1)


def _cross(first: Numbers, second: Numbers) -> Numbers:
    product: Numbers = first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]
    return product
