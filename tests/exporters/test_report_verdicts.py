"""The first screen of a report: four questions, answered by the figures; and words that a newcomer does not know."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.browser import Browser
from support.report_contents import poor_content, rich_content

from tundish_exporters.quantize.choosing import _for_convolutions, _for_products, _Kinds
from tundish_exporters.report import write_report
from tundish_exporters.report.content import ReportContent, Trial
from tundish_exporters.report.glossary import words_in
from tundish_exporters.report.verdicts import verdicts_of

QUESTIONS = ["May I ship it?", "What do I gain?", "What do I lose?", "How sure is that?"]


def content(**changes: Any) -> ReportContent:
    """That of a variant which is served, changed so."""
    rich = rich_content()
    trials = [replace(each, **changes) if each.outcome == "served" else each for each in rich.trials]
    return replace(rich, trials=tuple(trials))


def answers(of: ReportContent) -> list[str]:
    return [each.answer for each in verdicts_of(of)]


def reasons(of: ReportContent) -> list[str]:
    return [each.reason for each in verdicts_of(of)]


def test_what_passed_by_the_drop_alone_is_not_said_to_be_sure() -> None:
    said = verdicts_of(content())
    assert [each.question for each in said] == QUESTIONS
    assert [each.answer for each in said] == [
        "Yes, by what was measured", "3.08 times the speed", "0.30 points", "\N{MINUS SIGN}0.02 to +0.71 points",
    ]  # fmt: skip
    assert [each.reason for each in said] == [
        "It loses 0.30 points of accuracy, and 0.50 points were allowed. More samples could still show a larger loss.",
        "3.86 ms instead of 11.9 ms for one item on one thread, and a file of 2.4 MB instead of 9.0 MB. Both were "
        "measured on the machine below.",
        "Accuracy 0.9310 instead of 0.9340; 1 is best, and a point is 0.01. 17 of 500 answers differ from the float "
        "model's.",
        "With 500 samples, 95 of 100 such intervals hold the true loss; below 0 it is a gain. Some of this one lies "
        "over the bound of 0.50: more samples would tell.",
    ]


def test_what_is_wholly_within_the_bound_is_a_yes() -> None:
    sure = content(interval=(-0.001, 0.004), groups=40)
    assert answers(sure)[0] == "Yes"
    assert reasons(sure)[3].startswith("With 500 samples of 40 groups, 95 of 100")
    assert reasons(sure)[3].endswith("All of this one lies within the bound of 0.50.")


def test_without_labels_it_is_as_good_as_the_float_model() -> None:
    assert answers(content(metric="agreement"))[0] == "Yes, if the float model may be"
    assert "Nobody said what is right" in reasons(content(metric="cosine"))[0]


def test_a_gain_of_accuracy_is_no_loss_and_no_interval_is_said() -> None:
    assert answers(content(drop=-0.004))[2] == "Nothing: 0.40 points are gained"
    assert reasons(content(drop=-0.004))[0].startswith("It loses no accuracy, and 0.50 points were allowed.")
    assert answers(content(interval=None))[3] == "Unknown"


@pytest.mark.parametrize(
    ("others", "why"),
    [
        ((), "nothing else was tried"),
        (("failed",), "nothing that is faster was accurate enough"),
        (("slower",), "nothing that was tried is faster"),
    ],
)
def test_the_float_model_gains_and_loses_nothing_and_says_why_it_is_served(others: tuple[str, ...], why: str) -> None:
    rich = rich_content()
    floating, *rest = rich.trials
    slow = [replace(each, milliseconds=12.5) for each in rest if each.outcome == "slower"][:1]
    rivals: dict[str, list[Trial]] = {"failed": [each for each in rest if each.outcome == "failed"], "slower": slow}
    trials = (replace(floating, outcome="served"), *(each for name in others for each in rivals[name]))
    said = verdicts_of(replace(rich, trials=trials))
    assert [each.answer for each in said] == ["Yes", "Nothing", "Nothing", "Compared on 32 samples"]
    assert said[0].reason.endswith("answers 32 samples as its source does.")
    assert said[1].reason == f"It runs as it was exported: {why}."


def test_a_report_of_nothing_has_no_verdicts() -> None:
    assert verdicts_of(poor_content()) == []


def test_the_words_of_all_recipes_are_explained() -> None:
    kinds = _Kinds(convolutions=5, products=5, gemms=1, embeddings=1, attends=True, has_stem=True, has_depthwise=True)
    makers = (_for_convolutions, _for_products)
    recipes = [recipe for make in makers for narrow in (True, False) for recipe in make(kinds, narrow=narrow)]
    for recipe in recipes:
        trial = Trial(
            name=recipe.name, engine="onnx", precision=recipe.precision, recipe=recipe.description,
            outcome="passed", reason="",
        )  # fmt: skip
        assert len(words_in([trial])) >= 3, recipe.name
    plain = Trial(name="a", engine="b", precision="c", recipe="d", outcome="passed", reason="")
    assert words_in([plain]) == {}
    assert "SmoothQuant" not in words_in(rich_content().trials[:5])
    assert "SmoothQuant" in words_in(rich_content().trials)


def test_the_first_screen_answers_all_four(tmp_path: Path, browser: Browser) -> None:
    write_report(tmp_path, replace(content(), warnings=("Give more samples.", "It is served in fp32.")))
    for width, height in ((1000, 900), (400, 1100)):
        browser.open(tmp_path / "report.html", width=width)
        tiles = browser.evaluate(
            "[...document.querySelectorAll('.tiles > div')].map(tile => [tile.querySelector('dt').textContent, "
            "tile.getBoundingClientRect().right, tile.getBoundingClientRect().bottom])"
        )
        assert [question for question, _, _ in tiles] == QUESTIONS
        assert all(right <= width and bottom <= height for _, right, bottom in tiles)
        listed = browser.evaluate("document.querySelector('.warnings').innerText").splitlines()
        assert [line for line in listed if line] == [
            "What to mind", "Give more samples.", "It is served in fp32.",
        ]  # fmt: skip
        right, bottom = browser.evaluate(
            "(box => [box.right, box.bottom])(document.querySelector('.warnings').getBoundingClientRect())"
        )
        assert right <= width
        assert bottom <= height or width < 500, "on a telephone it comes next"
