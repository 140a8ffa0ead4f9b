"""What is right for a sample, as tables say it: one column for each form."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tundish.inputs import read_list
from tundish.results import Box
from tundish_exporters.data.faults import SampleError
from tundish_exporters.data.truth_forms import TruthForm
from tundish_exporters.truths import TrueEntity, TrueObject, Truth


def columns_of(form: TruthForm) -> tuple[str, ...]:
    """The columns that may hold a form; the first of them that is filled is read."""
    return tuple(_READERS[form])


def read_truth(table: Path, cells: Mapping[str, Any], form: TruthForm) -> Truth | None:
    """What is right for the sample of a row, in this form; None if the row does not say.

    Raises:
        SampleError: it is of another form.
    """
    for column, read in _READERS[form].items():
        value = cells.get(column)
        if value is None or (value == "" and column not in _MAY_BE_EMPTY):
            continue
        truth = read(value, column)
        if form == "entities":
            _check_places(truth, str(cells.get("text", "")))
        return table.parent / truth if isinstance(truth, Path) else truth
    return None


def _text(value: Any, column: str) -> str:
    if not isinstance(value, str):
        raise SampleError(f"has no text in the column '{column}', but {value!r}")
    return value


def _path(value: Any, column: str) -> Path:
    return Path(_text(value, column))


def _label(value: Any, column: str) -> str:
    """A number is a label, too: the model's by its index."""
    if not isinstance(value, str | int | float):
        raise SampleError(f"has no label in the column '{column}', but {value!r}")
    return str(value)


def _labels(value: Any, column: str) -> frozenset[str]:
    said = read_list(value) if isinstance(value, str) else value
    if not isinstance(said, list):
        raise SampleError(f"has no list of labels in the column '{column}', but {value!r}")
    return frozenset(_label(each, column) for each in said)


def _score(value: Any, column: str) -> float:
    try:
        score = float(value)
    except (TypeError, ValueError, OverflowError):
        score = math.nan
    if not math.isfinite(score):
        raise SampleError(f"has no number in the column '{column}', but {value!r}")
    return score


def _score_of_label(value: Any, column: str) -> float | None:
    """None if it is a name, which may be there for another task."""
    try:
        return _score(value, column)
    except SampleError:
        return None


def _answer(value: Any, column: str) -> tuple[str, ...]:
    """One; an empty one says that there is none."""
    answer = _text(value, column)
    return (answer,) if answer.strip() else ()


def _answers(value: Any, column: str) -> tuple[str, ...]:
    """A list of texts, or SQuAD's `{"text": [...], "answer_start": [...]}`."""
    said = _listed(value, column)
    texts = said.get("text") if isinstance(said, Mapping) else said
    return tuple(dict.fromkeys(_texts(texts, column)))


def _texts(value: Any, column: str) -> tuple[str, ...]:
    said = _listed(value, column)
    if not isinstance(said, list):
        raise SampleError(f"has no list of texts in the column '{column}', but {value!r}")
    return tuple(_text(each, column) for each in said)


def _listed(value: Any, column: str) -> Any:
    """What a table of texts alone has as JSON."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise SampleError(f"has no list in the column '{column}', but {value!r}") from None


def _records(value: Any, column: str) -> list[Mapping[str, Any]]:
    said = _listed(value, column)
    if not isinstance(said, list) or not all(isinstance(each, Mapping) for each in said):
        raise SampleError(f"has no list of objects in the column '{column}', but {value!r}")
    return said


def _entities(value: Any, column: str) -> tuple[TrueEntity, ...]:
    return tuple(_entity(each) for each in _records(value, column))


def _entity(said: Mapping[str, Any]) -> TrueEntity:
    label, start, end = said.get("label"), said.get("start"), said.get("end")
    if not isinstance(label, str) or not isinstance(start, int) or not isinstance(end, int):
        raise SampleError(f"has no 'label', 'start' and 'end' in the entity {dict(said)}")
    return TrueEntity(label, start, end)


def _check_places(entities: Any, text: str) -> None:
    for each in entities:
        if not 0 <= each.start < each.end <= len(text):
            raise SampleError(f"has an entity from {each.start} to {each.end} in a text of {len(text)} characters")


def _objects(value: Any, column: str) -> tuple[TrueObject, ...]:
    return tuple(_object(each) for each in _records(value, column))


def _object(said: Mapping[str, Any]) -> TrueObject:
    return TrueObject(_label(said.get("label"), "label"), box_of(said.get("box")))


def box_of(edges: Any) -> Box:
    """A box of its left, upper, right and lower edge in pixels; raises SampleError if there is none."""
    if not isinstance(edges, Sequence) or isinstance(edges, str) or len(edges) != len(Box._fields):
        raise SampleError(f"has no box of four edges, but {edges!r}")
    box = Box(*(_score(edge, "box") for edge in edges))
    if box.x_min >= box.x_max or box.y_min >= box.y_max:
        raise SampleError(f"has a box whose right or lower edge is not behind the other: {list(edges)}")
    return box


_READERS: dict[TruthForm, dict[str, Callable[[Any, str], Truth | None]]] = {
    "label": {"label": _label},
    "labels": {"labels": _labels},  # one label does not say that the others do not hold
    "score": {"score": _score, "label": _score_of_label},
    "answers": {"answers": _answers, "answer": _answer},
    "transcription": {"transcription": _text},
    "lines": {"lines": _texts},
    "entities": {"entities": _entities},
    "objects": {"objects": _objects},
    "mask": {"mask": _path},
}
"""How each column of a form is read."""

_MAY_BE_EMPTY = frozenset({"label", "labels", "answer", "transcription"})
"""Columns in which nothing is something: no label that holds, no answer, a line without letters."""
