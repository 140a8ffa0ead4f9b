"""What is right for a sample, as tables say it: each form is read as it is meant, and nothing else is taken for it."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tundish.manifest import ClassificationPostprocess, CtcPostprocess, TaskName
from tundish.results import Box
from tundish_exporters import DataError
from tundish_exporters.data import TruthForm, load_samples, truth_form
from tundish_exporters.truths import TrueEntity, TrueObject, Truth

TEXT = "Ada Lovelace met Charles Babbage in London."


def read(path: Path, form: TruthForm) -> Truth | None:
    (sample,) = load_samples(path, ("text",), truth=form).samples
    return sample.truth


def as_json(folder: Path, **cells: Any) -> Path:
    path = folder / "a.jsonl"
    path.write_text(json.dumps({"text": TEXT, **cells}) + "\n")
    return path


def as_csv(folder: Path, **cells: str) -> Path:
    path = folder / "a.csv"
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([["text", *cells], [TEXT, *cells.values()]])
    return path


ADA, LONDON = {"label": "PER", "start": 0, "end": 12}, {"label": "LOC", "start": 36, "end": 42, "score": 1}
CRACK = {"label": "crack", "box": [1, 2.5, 30, 40]}


@pytest.mark.parametrize(
    ("form", "column", "value", "expected"),
    [
        ("label", "label", "good", "good"),
        ("label", "label", 3, "3"),
        ("labels", "labels", ["a", "b, c"], frozenset({"a", "b, c"})),
        ("labels", "labels", [], frozenset()),
        ("labels", "labels", [0, 2], frozenset({"0", "2"})),
        ("labels", "label", "a", None),
        ("score", "score", 2, 2.0),
        ("score", "label", 0.25, 0.25),
        ("score", "label", "entailment", None),
        ("answers", "answers", ["Ada", "Ada Lovelace", "Ada"], ("Ada", "Ada Lovelace")),
        ("answers", "answers", {"text": ["Ada"], "answer_start": [0]}, ("Ada",)),
        ("answers", "answers", {"text": [], "answer_start": []}, ()),
        ("answers", "answer", "Ada", ("Ada",)),
        ("answers", "answer", "", ()),
        ("transcription", "transcription", "HEAT 42", "HEAT 42"),
        ("transcription", "transcription", "", ""),
        ("lines", "lines", ["HEAT 42", "OK"], ("HEAT 42", "OK")),
        ("entities", "entities", [ADA, LONDON], (TrueEntity("PER", 0, 12), TrueEntity("LOC", 36, 42))),
        ("entities", "entities", [], ()),
        ("objects", "objects", [CRACK], (TrueObject("crack", Box(1, 2.5, 30, 40)),)),
        ("objects", "objects", [], ()),
    ],
)
def test_each_form_is_read_of_its_column(
    form: TruthForm, column: str, value: Any, expected: Truth | None, tmp_path: Path
) -> None:
    assert read(as_json(tmp_path, **{column: value}), form) == expected


@pytest.mark.parametrize(
    ("form", "column", "cell", "expected"),
    [
        ("labels", "labels", "a, b ,c", frozenset({"a", "b", "c"})),
        ("labels", "labels", "", frozenset()),
        ("score", "score", " 2.5e0 ", 2.5),
        ("score", "score", "", None),
        ("answers", "answers", '["Ada"]', ("Ada",)),
        ("answers", "answers", '{"text": ["Ada"], "answer_start": [0]}', ("Ada",)),
        ("answers", "answer", "Ada, or so", ("Ada, or so",)),
        ("answers", "answer", "", ()),
        ("lines", "lines", '["HEAT 42", "OK"]', ("HEAT 42", "OK")),
        ("entities", "entities", json.dumps([ADA]), (TrueEntity("PER", 0, 12),)),
        ("objects", "objects", json.dumps([CRACK]), (TrueObject("crack", Box(1, 2.5, 30, 40)),)),
        ("objects", "objects", "", None),
    ],
)
def test_tables_of_texts_alone_have_lists_as_json_and_labels_with_commas(
    form: TruthForm, column: str, cell: str, expected: Truth | None, tmp_path: Path
) -> None:
    assert read(as_csv(tmp_path, **{column: cell}), form) == expected


@pytest.mark.parametrize(
    ("form", "column", "value", "reason"),
    [
        ("label", "label", ["a"], "has no label in the column 'label', but ['a']"),
        ("labels", "labels", {"a": 1}, "has no list of labels in the column 'labels', but {'a': 1}"),
        ("labels", "labels", [["a"]], "has no label in the column 'labels', but ['a']"),
        ("score", "score", "high", "has no number in the column 'score', but 'high'"),
        ("score", "score", float("nan"), "has no number in the column 'score', but nan"),
        ("score", "score", [1], "has no number in the column 'score', but [1]"),
        ("answers", "answers", "Ada", "has no list in the column 'answers', but 'Ada'"),
        ("answers", "answers", {"texts": []}, "has no list of texts in the column 'answers', but None"),
        ("answers", "answers", [1], "has no text in the column 'answers', but 1"),
        ("answers", "answer", 7, "has no text in the column 'answer', but 7"),
        ("transcription", "transcription", ["a"], "has no text in the column 'transcription', but ['a']"),
        ("entities", "entities", "[", "has no list in the column 'entities', but '['"),
        ("entities", "entities", ["PER"], "has no list of objects in the column 'entities', but ['PER']"),
        ("entities", "entities", [{"label": "PER", "start": 0}], "has no 'label', 'start' and 'end' in the entity"),
        ("entities", "entities", [{**ADA, "end": 44}], "has an entity from 0 to 44 in a text of 43 characters"),
        ("entities", "entities", [{**ADA, "start": 12}], "has an entity from 12 to 12 in a text of 43 characters"),
        ("objects", "objects", [{"label": "crack"}], "has no box of four edges, but None"),
        ("objects", "objects", [{**CRACK, "box": "1234"}], "has no box of four edges, but '1234'"),
        ("objects", "objects", [{**CRACK, "box": [30, 2, 1, 40]}], "has a box whose right or lower edge is not behind"),
        ("objects", "objects", [{"box": [1, 2, 3, 4]}], "has no label in the column 'label', but None"),
        ("mask", "mask", 3, "has no text in the column 'mask', but 3"),
    ],
)
def test_another_form_is_named_with_its_line_and_value(
    form: TruthForm, column: str, value: Any, reason: str, tmp_path: Path
) -> None:
    path = as_json(tmp_path, **{column: value})
    with pytest.raises(DataError) as raised:
        read(path, form)
    assert f"line 1 {reason}" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert read(path, "label" if column != "label" else "entities") is None, "what is not asked for is not read"


def test_a_table_that_does_not_say_what_is_right_has_samples_all_the_same(tmp_path: Path) -> None:
    assert read(as_json(tmp_path, note="x"), "entities") is None
    assert read(as_json(tmp_path, entities=None), "entities") is None


@pytest.mark.parametrize(
    ("task", "function", "form"),
    [
        ("image-classification", "softmax", "label"),
        ("text-classification", "sigmoid", "labels"),
        ("text-classification", "none", "score"),
        ("visual-question-answering", "sigmoid", "label"),
        ("token-classification", None, "entities"),
        ("object-detection", None, "objects"),
        ("image-segmentation", None, "mask"),
        ("text-ranking", None, "score"),
        ("question-answering", None, "answers"),
        ("text-recognition", None, "transcription"),
        ("document-reading", None, "lines"),
        ("fill-mask", None, "label"),
    ],
)
def test_a_model_is_held_against_the_form_of_its_answers(task: TaskName, function: Any, form: TruthForm) -> None:
    other = CtcPostprocess(characters=("a",))
    postprocess = ClassificationPostprocess(labels=("a", "b"), function=function) if function else other
    assert truth_form(task, postprocess) == form


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(st.sampled_from(["label", "start", "end", "box", "text"]), children, max_size=4)
    ),
    max_leaves=10,
)
FORMS: list[TruthForm] = ["label", "labels", "score", "answers", "transcription", "lines", "entities", "objects"]


@given(value=values, form=st.sampled_from(FORMS))
def test_any_value_is_read_or_refused(value: Any, form: TruthForm, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = as_json(tmp_path_factory.getbasetemp(), **{form: value})
    try:
        truth = read(path, form)
    except DataError as error:
        assert "line 1" in str(error)
    else:
        hash(truth)
