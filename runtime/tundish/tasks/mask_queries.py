"""From a set of queries, each with a label and a mask, to the segments of an image, as transformers' processors do it.

What they do on float masks of all queries at the image's size is done here on one mask at a time, by `upsample_argmax`
where that interpolates, so that memory holds a few bytes a pixel, however many queries there are.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tundish.manifest import MaskQueriesPostprocess
from tundish.masks import Mask
from tundish.results import Segment
from tundish.tasks.activations import sigmoid, softmax
from tundish.tasks.label_maps import best_of, label_segments

Floats = NDArray[np.float32]
Size = tuple[int, int]
"""Height and width in pixels."""

_NO_PIXELS = np.float32(1e-6)
"""Added to a count of pixels, so that it can be divided by."""


def segments_of_queries(logits: Floats, masks: Floats, rule: MaskQueriesPostprocess, size: Size) -> tuple[Segment, ...]:
    """The segments of one image, highest score first; of `semantic`, in the order of the labels and without scores.

    Args:
        logits: `[queries, labels + 1]`, finite.
        masks: `[queries, height, width]`, logits of the pixels, finite.
        rule: what becomes of them.
        size: of the image.
    """
    shares = softmax(logits)
    if rule.subtask == "semantic":
        return _semantic(shares, masks, rule, size)
    found = (
        _panoptic(shares, masks, rule, size) if rule.subtask == "panoptic" else _instances(shares, masks, rule, size)
    )
    return tuple(sorted(found, key=lambda segment: -(segment.score or 0.0)))


def _semantic(shares: Floats, masks: Floats, rule: MaskQueriesPostprocess, size: Size) -> tuple[Segment, ...]:
    """A pixel's score of a label: over the queries, the sum of how likely they have the label and the pixel."""
    pixels = sigmoid(_resized(masks, rule))
    scores = shares[:, :-1].T @ pixels.reshape(len(pixels), -1)
    return label_segments(scores.reshape(-1, *pixels.shape[1:]), rule.labels, size)


def _panoptic(shares: Floats, masks: Floats, rule: MaskQueriesPostprocess, size: Size) -> list[Segment]:
    """Each pixel goes to the query that is the surest of it; one that gets too little of its whole mask is left out."""
    labels, best = shares.argmax(axis=1), shares.max(axis=1)
    kept = np.flatnonzero((labels < len(rule.labels)) & (best > rule.threshold))
    if not kept.size:
        return []
    weighted = sigmoid(_resized(masks[kept], rule)) * best[kept, np.newaxis, np.newaxis]
    owners = best_of(weighted, size)
    segments = []
    for place, query in enumerate(kept.tolist()):
        mine = owners == place
        area = np.count_nonzero(mine)
        whole = area and _count_from(weighted[place], rule.mask_threshold, size)
        # As transformers' processor has it: a share in float32, which is above 0.8 where it is four fifths.
        if whole and float(np.float32(area) / np.float32(whole)) > rule.overlap_threshold:
            segments.append(Segment(rule.labels[labels[query]], float(best[query]), Mask.of(mine)))
    return segments


def _count_from(values: Floats, threshold: float, size: Size) -> int:
    """At how many pixels of an image of this size `[height, width]` values, interpolated, are the threshold or more."""
    # Of equals the first wins.
    above = best_of(np.stack([values, np.full_like(values, threshold)]), size)
    return above.size - int(np.count_nonzero(above))


class _Candidate(NamedTuple):
    """A query with one of its labels."""

    query: int
    label: int
    share: np.float32


def _instances(shares: Floats, masks: Floats, rule: MaskQueriesPostprocess, size: Size) -> list[Segment]:
    """The likeliest labels of all queries; where instances overlap, the one with the less likely label is in front."""
    chosen, scores = [], []
    owners = np.zeros(size, np.min_scalar_type(len(masks)))
    for candidate in _likeliest(shares, rule):
        pixels = _resized(masks[candidate.query : candidate.query + 1], rule)[0]
        inside = pixels > 0
        score = candidate.share * (sigmoid(pixels[inside]).sum() / (np.count_nonzero(inside) + _NO_PIXELS))
        mine = _enlarged(inside, size)
        if score >= rule.threshold and mine.any():
            chosen.append(candidate)
            scores.append(float(score))
            owners[mine] = len(chosen)
    return [
        Segment(rule.labels[candidate.label], score, Mask.of(owners == number))
        for number, (candidate, score) in enumerate(zip(chosen, scores, strict=True), start=1)
    ]


def _likeliest(shares: Floats, rule: MaskQueriesPostprocess) -> list[_Candidate]:
    """As many as there are queries, the likeliest first, but for those that cannot reach the threshold."""
    labels = len(rule.labels)
    flat = shares[:, :-1].ravel()
    order = np.argsort(-flat, kind="stable")[: len(shares)]
    return [
        _Candidate(int(place) // labels, int(place) % labels, flat[place])
        for place in order
        if flat[place] >= rule.threshold
    ]


def _resized(masks: Floats, rule: MaskQueriesPostprocess) -> Floats:
    """`[count, height, width]` logits at the size that the rule says, interpolated bilinearly as PyTorch does it."""
    if rule.mask_size is None or masks.shape[1:] == rule.mask_size:
        return masks
    return _interpolated(_interpolated(masks, 2, rule.mask_size[1]), 1, rule.mask_size[0])


def _interpolated(masks: Floats, axis: int, resized: int) -> Floats:
    """Along one axis, pixels' centres aligned; element by element, since a product of matrices takes all cores."""
    count = masks.shape[axis]
    places = np.maximum((np.arange(resized) + 0.5) * (count / resized) - 0.5, 0)
    before = np.minimum(places.astype(np.intp), count - 1)
    after = np.minimum(before + 1, count - 1)
    shape = [resized if each == axis else 1 for each in range(masks.ndim)]
    shares = (places - before).astype(np.float32).reshape(shape)
    interpolated: Floats = masks.take(before, axis) * (1 - shares) + masks.take(after, axis) * shares
    return interpolated


def _enlarged(mask: NDArray[np.bool_], size: Size) -> NDArray[np.bool_]:
    """A mask at an image's size, each pixel that of the mask which it lies in, by PyTorch's arithmetic."""
    rows, columns = (_nearest(count, wanted) for count, wanted in zip(mask.shape, size, strict=True))
    return mask[rows][:, columns]


def _nearest(count: int, resized: int) -> NDArray[np.intp]:
    places = np.arange(resized, dtype=np.float32) * (np.float32(count) / np.float32(resized))
    return np.minimum(places.astype(np.intp), count - 1)
