"""A metric of the maker's own: a function of answers and what is right, as plain JSON would have both."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.measuring import figures, measure

from tundish.results import (
    Box,
    DetectedObject,
    Entity,
    ImageClassification,
    Label,
    ObjectDetection,
    Result,
    TokenClassification,
)
from tundish_exporters import DataError, ExportError
from tundish_exporters.metrics.own import own_metric
from tundish_exporters.truths import TrueEntity, TrueObject, Truth


def classified(*names: str) -> list[ImageClassification]:
    return [ImageClassification((Label(name, 0.9),)) for name in names]


def first_letters(answers: list[dict[str, Any]], truths: list[str]) -> float:
    """Right if the first letter is."""
    pairs = zip(answers, truths, strict=True)
    return sum(str(answer["labels"][0]["name"])[0] == truth[0] for answer, truth in pairs) / len(answers)


def test_a_function_is_a_metric_with_an_interval() -> None:
    floating, variant = classified(*["ab", "cd"] * 50), classified(*["ax", "cx"] * 45, *["x", "x"] * 5)
    measured = measure(variant, floating, ["ay", "cy"] * 50, own_metric(first_letters))
    assert figures(measured) == ("first_letters", 0.9, 1.0, 100)
    assert measured.interval is not None
    assert 0.03 < measured.interval.low < 0.1 < measured.interval.high < 0.18
    assert measured.p_value is None
    assert measured.agreement == 0.0, "no label is the same"


LABELLED = ImageClassification((Label("a", 0.5),))


@pytest.mark.parametrize(
    ("result", "answer", "truth", "plain"),
    [
        (LABELLED, {"labels": [{"name": "a", "score": 0.5}]}, "a", "a"),
        (LABELLED, {"labels": [{"name": "a", "score": 0.5}]}, frozenset("ba"), ["a", "b"]),
        (LABELLED, {"labels": [{"name": "a", "score": 0.5}]}, 0.25, 0.25),
        (LABELLED, {"labels": [{"name": "a", "score": 0.5}]}, Path("a/b.png"), "a/b.png"),
        (
            TokenClassification((Entity("PER", 0.5, 0, 4, "Anna"),)),
            {"entities": [{"label": "PER", "score": 0.5, "start": 0, "end": 4, "text": "Anna"}]},
            (TrueEntity("PER", 0, 4),),
            [{"label": "PER", "start": 0, "end": 4}],
        ),
        (
            ObjectDetection((DetectedObject("a", 0.5, Box(0, 1, 2, 3)),)),
            {"objects": [{"label": "a", "score": 0.5, "box": {"x_min": 0, "y_min": 1, "x_max": 2, "y_max": 3}}]},
            (TrueObject("a", Box(0, 1, 2, 3)),),
            [{"label": "a", "box": {"x_min": 0, "y_min": 1, "x_max": 2, "y_max": 3}, "is_crowd": False}],
        ),
    ],
)
def test_it_is_given_what_json_has(result: Result, answer: Any, truth: Truth, plain: Any) -> None:
    given: list[Any] = []

    def keep(answers: list[dict[str, Any]], truths: list[Any]) -> float:
        given.append((answers, truths))
        return 1.0

    metric = own_metric(keep)
    assert metric.value(metric.rows([result], [truth])) == 1.0
    assert given == [([answer], [plain])]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_function_is_known_by_the_file_that_it_stands_in(here: Path) -> None:
    path = here / "changing_metrics.py"

    def code(source: str) -> str:
        path.write_text(source)
        sys.modules.pop("changing_metrics", None)
        return own_metric("changing_metrics:figure").code

    first = code("def figure(answers, truths):\n    return 1.0\n")
    assert code("def figure(answers, truths):\n    return 1.0\n") == first
    assert code("def helper():\n    return 0.5\n\n\ndef figure(answers, truths):\n    return helper()\n") != first
    assert own_metric(first_letters).code == own_metric(first_letters).code != first


def test_a_function_is_known_by_what_it_imports_from_its_directory(here: Path) -> None:
    package = here / "planted"
    (package / "parts").mkdir(parents=True)
    sources = {
        package / "__init__.py": "",
        package / "figures.py": "import json\nfrom .parts import weights\n\n\ndef figure(answers, truths):\n"
        "    from planted import late\n    return weights.WEIGHT * late.WEIGHT\n",
        package / "parts" / "__init__.py": "from ..constants import WEIGHT\n",
        package / "parts" / "weights.py": "import planted_beside.module\nWEIGHT = 0.5\n",
        package / "constants.py": "WEIGHT = 1.0\n",
        package / "late.py": "from planted import figures\nWEIGHT = 1.0\n",
        here / "planted_beside" / "module.py": "WEIGHT = 1.0\n",
    }
    bystanders = [package / "other.py", package / "parts" / "json.py", here / "numpy.py"]
    (here / "planted_beside").mkdir()
    for path, source in sources.items():
        path.write_text(source)

    def code() -> str:
        for name in [name for name in sys.modules if name.startswith("planted")]:
            del sys.modules[name]
        return own_metric("planted.figures:figure").code

    codes = {code()}
    for path in bystanders:
        path.write_text("WEIGHT = 1.0\n")
        assert code() in codes, f"{path} is not imported"
    for number, path in enumerate(sources, 2):
        path.write_text(f"{path.read_text()}# changed\n")
        codes.add(code())
        assert len(codes) == number, path
    assert code() in codes


def test_of_an_installed_module_what_it_imports_is_not_read(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = here / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    (folder / "installed.py").write_text("import installed_too\n\n\ndef figure(answers, truths):\n    return 1.0\n")
    (folder / "installed_too.py").write_text("")
    first = own_metric("installed:figure").code
    (folder / "installed_too.py").write_text("# changed\n")
    assert own_metric("installed:figure").code == first


def test_what_a_function_does_by_more_than_its_file_is_never_the_same() -> None:
    def at_least(share: float) -> Any:
        return lambda answers, truths: share * len(answers) / len(truths)

    class Weighted:
        def __call__(self, *_given: Any) -> float:
            return 1.0

    typed: dict[str, Any] = {}
    exec("def figure(answers, truths): return 1.0", typed)  # as at a prompt
    for function in (at_least(0.5), Weighted(), typed["figure"]):
        assert own_metric(function).code != own_metric(function).code


def test_a_module_in_the_working_directory_is_found(here: Path) -> None:
    (here / "my_metrics.py").write_text("def halves(answers, truths):\n    return len(answers) / 2\n")
    path = list(sys.path)
    metric = own_metric("my_metrics:halves")
    assert sys.path == path
    assert metric.name == "my_metrics:halves"
    assert metric.value(metric.rows(classified("a"), ["a"])) == 0.5


@pytest.mark.parametrize(
    ("named", "fault"),
    [
        ("nowhere_metrics:f", "cannot be imported: ModuleNotFoundError: No module named 'nowhere_metrics'"),
        ("odd_metrics:g", "cannot be imported: AttributeError: module 'odd_metrics' has no attribute 'g'"),
        ("odd_metrics:VALUE", "is no function, but 3"),
        ("bad_metrics:f", r"cannot be imported: ZeroDivisionError: division by zero"),
    ],
)
def test_what_cannot_be_imported_is_said(named: str, fault: str, here: Path) -> None:
    (here / "odd_metrics.py").write_text("VALUE = 3\n")
    (here / "bad_metrics.py").write_text("1 / 0\n")
    with pytest.raises(ExportError, match=f"^The metric '{named}' {fault}"):
        own_metric(named)


def broken(*_given: Any) -> float:
    raise KeyError("score")


def wordy(*_given: Any) -> Any:
    return "good"


def nothing(*_given: Any) -> float:
    return math.nan


@pytest.mark.parametrize(
    ("function", "fault"),
    [
        (broken, "The metric 'broken' failed: KeyError: 'score'"),
        (wordy, "The metric 'wordy' must give a number, got 'good'."),
        (nothing, "The float model's nothing on the 2 samples of the gate is nan, which nothing can be held against"),
    ],
)
def test_a_function_that_fails_is_said_in_a_sentence(function: Any, fault: str) -> None:
    with pytest.raises(DataError) as caught:
        measure(classified("a", "b"), classified("a", "c"), ["a", "b"], own_metric(function))
    assert str(caught.value).startswith(fault)


def test_a_function_that_fails_on_some_resamples_still_has_an_interval() -> None:
    def needs_both(answers: list[dict[str, Any]], truths: list[str]) -> float:
        if len(set(truths)) < 2:
            raise ValueError("one label alone")
        return first_letters(answers, truths)

    measured = measure(classified("a", "x", "a"), classified("a", "b", "a"), ["a", "b", "a"], own_metric(needs_both))
    assert measured.value == pytest.approx(2 / 3)
    assert measured.interval is not None


def test_percents_are_no_shares() -> None:
    """The gate's bound would be a hundred times as strict."""
    with pytest.raises(
        DataError, match=r"The metric '<lambda>' must give a number from 0 to 1, got 87\.5; of percents,"
    ):
        measure(classified("a"), classified("a"), ["a"], own_metric(lambda _answers, _truths: 87.5))
