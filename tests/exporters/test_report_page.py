"""The report's page in a real browser: its plots are drawn, nothing is fetched, and what it quotes stays text."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from support.browser import Browser, Visit
from support.networks import COLOR_INPUTS, COLOR_PREPROCESS, COLORS, ColorNetwork, write_color_images
from support.report_contents import poor_content, rich_content

from tundish.bundle import Bundle
from tundish.manifest import ClassificationPostprocess
from tundish_exporters import export_module
from tundish_exporters.report import PAGE_NAME, write_report

HOSTILE = "<img src=x onerror=alert(1)>\"'&{{7*7}}"
"""What a label, a folder or a model card may hold; as a folder, it may have no slash."""
HOSTILE_TEXT = f"</title></style></svg><script>alert(1)</script><a href='https://example.com'>{HOSTILE}"
LABELS = tuple(f"{color} {HOSTILE}" for color in COLORS)

PLOTS = """[...document.querySelectorAll("svg.plot")].map(svg => {
  const box = element => (({x, y, width, height}) => [x + scrollX, y + scrollY, width, height])(
    element.getBoundingClientRect());
  const shapes = [...svg.querySelectorAll("rect, circle, path, line")];
  return {title: svg.querySelector("title").textContent, box: box(svg),
          drawn: shapes.filter(shape => shape.getTotalLength() > 0).length, shapes: shapes.length,
          texts: [...svg.querySelectorAll("text")].map(text => [text.textContent, ...box(text)])};
})"""
ELEMENTS = """Object.entries([...document.querySelectorAll("*")].reduce(
  (counts, {tagName}) => ({...counts, [tagName]: 1 + (counts[tagName] || 0)}), {})).sort()"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Of a network whose int8 form takes most colours for another, which the bound allows; all names are hostile."""
    directory = tmp_path_factory.mktemp("report")
    images = write_color_images(directory / "images")
    for color, label in zip(COLORS, LABELS, strict=True):
        (images / color).rename(images / label)
    return export_module(
        ColorNetwork(outlier=True),
        COLOR_INPUTS,
        task="image-classification",
        preprocess=COLOR_PREPROCESS,
        postprocess=ClassificationPostprocess(labels=LABELS, function="softmax"),
        name="colors",
        repository=directory / "models",
        evaluation=images,
        max_drop=0.67,
        license=HOSTILE_TEXT,
        intended_use=HOSTILE_TEXT,
    ).bundle


def assert_harmless(visit: Visit, browser: Browser) -> None:
    page, *others = visit.requests
    assert page.startswith("file://")
    assert all(request.startswith("data:image/jpeg;base64,") for request in others)
    assert visit.complaints == []
    assert browser.evaluate("document.scripts.length") == 0
    assert browser.evaluate("[...document.querySelectorAll('[src]')].every(({src}) => src.startsWith('data:'))")
    assert browser.evaluate("document.querySelectorAll('[href]').length") == 0


INJECTED = """(() => {
  const script = document.createElement("script"), picture = document.createElement("img");
  script.textContent = "window.ran = true";
  picture.src = "http://127.0.0.1:9/tracker.png";
  document.body.append(script, picture);
  return window.ran === undefined;
})()"""


def test_the_report_of_an_export_is_drawn_and_harmless(exported: Bundle, browser: Browser) -> None:
    assert_harmless(browser.open(exported.path(PAGE_NAME)), browser)
    sections = browser.evaluate("[...document.querySelectorAll('section')].map(section => section.id)")
    assert sections == [
        "trials", "changes", "accuracy-by-label", "activations", "stages", "batches", "parity", "environment",
    ]  # fmt: skip
    assert_drawn(browser, plots=1 + 2 + 1)  # trials; the two tensors that are quantised; stages
    (confused,) = browser.evaluate("[...document.querySelectorAll('.confusion tbody')].map(each => each.innerText)")
    assert all(label in confused for label in LABELS)
    assert (
        browser.evaluate("[...document.images].map(image => [image.naturalWidth, image.naturalHeight])")
        == [[24, 20]] * 8
    )
    text = browser.evaluate("document.body.innerText")
    assert HOSTILE_TEXT in text
    assert "8 of them, 66.7\N{NO-BREAK SPACE}%, got another answer" in text


def test_its_policy_stops_what_would_get_into_the_page(exported: Bundle, browser: Browser) -> None:
    visit = browser.open(exported.path(PAGE_NAME))
    assert browser.evaluate(INJECTED)
    browser.screenshot()
    assert len(visit.complaints) == 2
    assert all("violates the following Content Security Policy" in complaint for complaint in visit.complaints)


@pytest.mark.parametrize(("width", "scheme"), [(1000, "light"), (1000, "dark"), (400, "light")])
def test_all_that_a_report_may_hold_is_drawn_in_each_theme_and_width(
    width: int, scheme: Literal["light", "dark"], tmp_path: Path, browser: Browser
) -> None:
    write_report(tmp_path, rich_content())
    assert_harmless(browser.open(tmp_path / PAGE_NAME, width=width, scheme=scheme), browser)
    assert_drawn(browser, plots=1 + 1 + 24 + 1)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    paper = np.asarray(browser.screenshot())[0, 0]
    assert (paper.mean() < 64) == (scheme == "dark")


def test_a_report_of_next_to_nothing_says_that_the_model_equals_its_source(tmp_path: Path, browser: Browser) -> None:
    write_report(tmp_path, poor_content())
    assert_harmless(browser.open(tmp_path / PAGE_NAME), browser)
    assert browser.evaluate("[...document.querySelectorAll('section')].map(section => section.id)") == [
        "parity", "environment",
    ]  # fmt: skip
    assert_drawn(browser, plots=0)


def test_whatever_a_report_quotes_its_page_is_built_alike(tmp_path: Path, browser: Browser) -> None:
    built = []
    for name, content in (("plain", rich_content()), ("hostile", quoting(rich_content(), HOSTILE_TEXT))):
        (tmp_path / name).mkdir()
        write_report(tmp_path / name, content)
        assert_harmless(browser.open(tmp_path / name / PAGE_NAME), browser)
        built.append(browser.evaluate(ELEMENTS))
    assert built[0] == built[1]


def quoting(value: Any, text: str) -> Any:
    """The same with the text behind each string, but for those that are no one's words."""
    if isinstance(value, str):
        return value if value.startswith("data:") else value + text
    if isinstance(value, tuple | list):
        return (
            type(value)(*(quoting(each, text) for each in value))
            if hasattr(value, "_fields")
            else type(value)(quoting(each, text) for each in value)
        )
    if isinstance(value, dict):
        return {quoting(key, text): quoting(each, text) for key, each in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        names = [each.name for each in fields(value) if each.name not in ("outcome", "precision", "engine")]
        return replace(value, **{name: quoting(getattr(value, name), text) for name in names})
    return value


def assert_drawn(browser: Browser, *, plots: int) -> None:
    """Each plot has a place, lines and areas in it that are not all of one colour, and texts that cover no other."""
    found = browser.evaluate(PLOTS)
    assert len(found) == plots
    pixels = np.asarray(browser.screenshot()).astype(int)
    for plot in found:
        left, top, width, height = map(round, plot["box"])
        assert width >= 200, plot["title"]
        assert height >= 80, plot["title"]
        assert plot["shapes"] >= plot["drawn"] >= 3, plot["title"]
        area = pixels[top : top + height, left : left + width].reshape(-1, 3)
        inked = (np.abs(area - np.median(area, axis=0)).sum(axis=1) > 24).mean()
        assert inked > 0.005, f"{plot['title']} is blank"
        for first, second in combinations(plot["texts"], 2):
            assert common(first[1:], second[1:]) < 12, f"{first[0]} and {second[0]} cover each other"


def common(first: list[float], second: list[float]) -> float:
    """Square pixels of two boxes."""
    across = min(first[0] + first[2], second[0] + second[2]) - max(first[0], second[0])
    upward = min(first[1] + first[3], second[1] + second[3]) - max(first[1], second[1])
    return max(across, 0.0) * max(upward, 0.0)
