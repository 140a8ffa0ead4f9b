"""From the label scores of a text's tokens to its entities, as transformers' pipeline joins them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tundish.manifest import Aggregation
from tundish.results import Entity

OUTSIDE = "O"
"""The label of what is no entity."""

_BEGIN, _INSIDE = "B-", "I-"


@dataclass(frozen=True, slots=True)
class _Piece:
    """A token or a word, with the label that it got."""

    label: str
    score: np.float32
    start: int
    end: int

    @property
    def tag(self) -> str:
        """What its label has behind its prefix."""
        return self.label.removeprefix(_BEGIN) if self.label.startswith(_BEGIN) else self.label.removeprefix(_INSIDE)

    def continues(self, before: _Piece) -> bool:
        """Whether it belongs to the entity of the piece before; a label without a prefix always may."""
        return self.tag == before.tag and not self.label.startswith(_BEGIN)


def find_entities(
    scores: NDArray[np.float32],
    spans: NDArray[np.int64],
    continues: NDArray[np.bool_],
    *,
    text: str,
    labels: Sequence[str],
    aggregation: Aggregation,
) -> tuple[Entity, ...]:
    """The entities of a text, in its order.

    Args:
        scores: `[tokens, labels]`, the softmax of each token of the text; none of those around it.
        spans: `[tokens, 2]`, start and end of each in the text's characters.
        continues: `[tokens]`, whether it continues the word of the token before.
        text: the text itself.
        labels: the names of the scores.
        aggregation: how tokens become entities, see `EntityPostprocess`.
    """
    words = [slice(index, index + 1) for index in range(len(scores))]
    if aggregation in ("first", "average", "max"):
        words = _words(continues)
    pieces = []
    for word in words:
        index, score = _labelled(scores[word], aggregation)
        start, end = int(spans[word.start, 0]), int(spans[word.stop - 1, 1])
        pieces.append(_Piece(labels[index], score, start, end))
    if aggregation == "none":
        return tuple(_entity(piece.label, [piece], text) for piece in pieces if piece.label != OUTSIDE)
    named = [(_name(group[0]), group) for group in _groups(pieces)]
    return tuple(_entity(name, group, text) for name, group in named if name != OUTSIDE)


def _words(continues: NDArray[np.bool_]) -> list[slice]:
    """The tokens of each word; the first token begins one whatever it is."""
    starts = [index for index, inside in enumerate(continues.tolist()) if index == 0 or not inside]
    return [slice(start, stop) for start, stop in pairwise([*starts, len(continues)])]


def _labelled(scores: NDArray[np.float32], aggregation: Aggregation) -> tuple[int, np.float32]:
    """The label of a word with the scores `[tokens, labels]`, and its score; the first of equal ones."""
    if aggregation == "average":
        chosen = scores.mean(axis=0)
    elif aggregation == "max":
        chosen = scores[scores.max(axis=1).argmax()]
    else:
        chosen = scores[0]
    index = int(chosen.argmax())
    return index, chosen[index]


def _groups(pieces: Sequence[_Piece]) -> list[list[_Piece]]:
    groups: list[list[_Piece]] = []
    for piece in pieces:
        if groups and piece.continues(groups[-1][-1]):
            groups[-1].append(piece)
        else:
            groups.append([piece])
    return groups


def _name(piece: _Piece) -> str:
    """What stands behind the first hyphen, whatever is before: transformers asks for less here than to join pieces."""
    return piece.label.split("-", 1)[-1]


def _entity(label: str, group: Sequence[_Piece], text: str) -> Entity:
    score = float(np.mean([piece.score for piece in group], dtype=np.float32))
    start, end = group[0].start, group[-1].end
    return Entity(label, score, start, end, text[start:end])
