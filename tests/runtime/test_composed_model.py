"""Composed models in this process: what they answer, and how they come and go."""

from __future__ import annotations

import json
import shutil
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.bundles import make_bundle, rewrite_manifest
from support.composed_bundles import accept_components, expected_scores, make_composed_bundle
from support.images import COLORS, encoded

import tundish
from tundish.bundle import component_directory, describe_file
from tundish.cli.models import find_bundle, list_models, show, verify
from tundish.cli.tune import tune
from tundish.composed_model import ComposedModel
from tundish.errors import (
    DeadlineExceededError,
    InvalidInputError,
    ModelNotFoundError,
    ModelNotReadyError,
    TundishError,
)
from tundish.results import FeatureExtraction, ImageClassification, Result
from tundish.runtime import Runtime

TOLERANCE = 1e-5
LABELS = ("red", "green", "blue green", "nothing of these")
ANSWER_SECONDS = 10.0


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Has `towers` alone."""
    make_composed_bundle(tmp_path / "models")
    return tmp_path / "models"


@pytest.fixture
def runtime(repository: Path) -> Iterator[Runtime]:
    with tundish.open(repository, instances=1) as opened:
        yield opened


def scores(result: Result) -> dict[str, float]:
    assert isinstance(result, ImageClassification)
    assert [label.score for label in result.labels] == sorted((label.score for label in result.labels), reverse=True)
    return {label.name: label.score for label in result.labels}


def executions(runtime: Runtime, name: str) -> int:
    """How many items the engine of a model has run."""
    batches = runtime.model(name).statistics["pipeline"].snapshot().batches
    return sum(size * totals.compute.count for size, totals in batches.items())


@pytest.mark.parametrize("color", COLORS)
def test_an_image_is_compared_with_the_labels_that_come_with_it(runtime: Runtime, color: str) -> None:
    for labels in (LABELS, LABELS[1:2], LABELS[::-1]):
        prediction = runtime.predict("towers", image=encoded(color), candidate_labels=labels)
        assert scores(prediction.result) == pytest.approx(expected_scores(color, labels), abs=TOLERANCE)
        assert (prediction.model, prediction.version) == ("towers", 1)


def test_labels_with_equal_scores_keep_their_order_and_may_stand_twice(runtime: Runtime) -> None:
    labels = ["nothing", "", "red", "no more", "red"]
    result = runtime.predict("towers", image=encoded("red"), candidate_labels=labels).result
    assert isinstance(result, ImageClassification)
    assert [label.name for label in result.labels] == ["red", "red", "nothing", "", "no more"]


def test_each_component_answers_by_its_own_name(runtime: Runtime) -> None:
    image = runtime.predict("towers.image", image=encoded("red")).result
    text = runtime.predict("towers.text", text="green and blue").result
    assert isinstance(image, FeatureExtraction)
    assert isinstance(text, FeatureExtraction)
    assert image.vector.tolist() == pytest.approx([value / 255 for value in COLORS["red"]])
    assert text.vector.tolist() == [0, 1, 1]


@pytest.mark.parametrize("name", ["towers.sound", "towers.", "towers.engine", "towers.image.text", "towers..image"])
def test_an_unknown_component_is_told_those_there_are(runtime: Runtime, name: str) -> None:
    with pytest.raises(ModelNotFoundError, match=r"no component '.*'; it has 'towers\.image', 'towers\.text'\."):
        runtime.model(name)


def test_a_model_that_is_one_network_has_no_components(repository: Path) -> None:
    make_bundle(repository)
    with tundish.open(repository, instances=1) as runtime:
        with pytest.raises(ModelNotFoundError, match=r"There is no model 'colors\.image'; there are "):
            runtime.model("colors.image")
        assert [model.name for model in runtime.ready_models()] == ["colors", "towers", "towers.image", "towers.text"]


def test_what_cannot_be_answered_fails_alone(runtime: Runtime) -> None:
    model = runtime.model("towers")
    items = [
        (encoded("red"), (b"red",)),
        (b"no image", (b"red", b"green")),
        (encoded("green"), ()),
        (encoded("green"), (b"red",) * 1001),
        (encoded("green"), (b"red", b"\xff")),
        (encoded("blue"), tuple(label.encode() for label in LABELS)),
    ]
    outcomes: list[str | dict[str, float]] = []
    for future in model.submit(items):
        try:
            outcomes.append(scores(future.result(ANSWER_SECONDS).output))
        except InvalidInputError as error:
            outcomes.append(str(error))
    assert outcomes[0] == pytest.approx({"red": 1.0})
    assert "image" in outcomes[1]
    assert outcomes[2] == "An image is compared with 1 to 1000 candidate_labels, got 0."
    assert outcomes[3] == "An image is compared with 1 to 1000 candidate_labels, got 1001."
    assert "A candidate label is not UTF-8" in outcomes[4]
    assert outcomes[5] == pytest.approx(expected_scores("blue", LABELS), abs=TOLERANCE)


def test_parts_that_are_missing_or_of_another_kind_are_refused(runtime: Runtime) -> None:
    with pytest.raises(InvalidInputError, match="it takes image and candidate_labels, and got no candidate_labels"):
        runtime.predict("towers", image=encoded("red"))
    with pytest.raises(InvalidInputError, match="it takes image and candidate_labels, not text"):
        runtime.predict("towers", text="red")
    with pytest.raises(InvalidInputError, match="candidate_labels are a list, got 'red, green' alone"):
        runtime.predict("towers", image=encoded("red"), candidate_labels="red, green")


def test_a_text_that_is_remembered_is_not_asked_again(runtime: Runtime) -> None:
    for _ in range(3):
        runtime.predict("towers", image=encoded("red"), candidate_labels=LABELS)
    assert executions(runtime, "towers.text") == len(LABELS)
    assert executions(runtime, "towers.image") == 3
    runtime.predict("towers", image=encoded("red"), candidate_labels=["one more", LABELS[-1]])
    assert executions(runtime, "towers.text") == len(LABELS) + 1


def test_an_item_whose_deadline_has_passed_is_not_run(runtime: Runtime) -> None:
    item = (encoded("red"), (b"red",))
    (future,) = runtime.model("towers").submit([item], deadline=time.monotonic() - 1)
    with pytest.raises(DeadlineExceededError):
        future.result(ANSWER_SECONDS)
    assert executions(runtime, "towers.image") == 0


def test_many_labels_do_not_fill_the_queue_of_their_component(runtime: Runtime) -> None:
    labels = tuple(f"label {number}".encode() for number in range(1000))
    (future,) = runtime.model("towers").submit([(encoded("red"), labels)])
    assert len(scores(future.result(30).output)) == 1000


def asking(runtime: Runtime, stop: threading.Event, outcomes: list[dict[str, float] | TundishError]) -> None:
    number = 0
    while not stop.is_set():
        number += 1
        labels = ("red", "green", f"label {number}")
        try:
            result = runtime.predict("towers", image=encoded("red"), candidate_labels=labels, timeout=ANSWER_SECONDS)
            found = scores(result.result)
            outcomes.append({"red": found["red"], "green": found["green"]})
        except TundishError as error:
            outcomes.append(error)


def under_load(runtime: Runtime, change: Callable[[], None]) -> list[dict[str, float] | TundishError]:
    """What three callers get while something changes, and a while before and after."""
    stop = threading.Event()
    outcomes: list[dict[str, float] | TundishError] = []
    callers = [threading.Thread(target=asking, args=(runtime, stop, outcomes)) for _ in range(3)]
    for caller in callers:
        caller.start()
    try:
        for act in (change, lambda: None):
            before = len(outcomes)
            while len(outcomes) < before + 20:
                time.sleep(0.001)
            act()
    finally:
        stop.set()
        for caller in callers:
            caller.join(2 * ANSWER_SECONDS)
    assert not any(caller.is_alive() for caller in callers)
    return outcomes


def test_one_is_replaced_under_load_and_nobody_gets_a_wrong_answer(repository: Path, runtime: Runtime) -> None:
    def replace() -> None:
        shutil.rmtree(repository / "towers")
        make_composed_bundle(repository, scale=1.0)
        runtime.table.load("towers")

    outcomes = under_load(runtime, replace)
    allowed = [expected_scores("red", ("red", "green", "x"), scale) for scale in (4.0, 1.0)]
    seen = []
    for outcome in outcomes:
        assert not isinstance(outcome, TundishError)
        (which,) = [
            number for number, wanted in enumerate(allowed) if outcome["red"] == pytest.approx(wanted["red"], abs=1e-4)
        ]
        seen.append(which)
    assert set(seen) == {0, 1}
    assert seen[-1] == 1


def test_one_is_unloaded_and_loaded_under_load(runtime: Runtime) -> None:
    def change() -> None:
        runtime.table.unload("towers")
        with pytest.raises(ModelNotReadyError, match="It was unloaded"):
            runtime.model("towers.text")
        runtime.table.load("towers")

    outcomes = under_load(runtime, change)
    errors = [outcome for outcome in outcomes if isinstance(outcome, TundishError)]
    assert all(isinstance(error, ModelNotReadyError) for error in errors)
    wanted = expected_scores("red", ("red", "green", "x"))
    for outcome in outcomes:
        if not isinstance(outcome, TundishError):
            assert outcome["red"] == pytest.approx(wanted["red"], abs=TOLERANCE)
    assert not isinstance(outcomes[-1], TundishError)


def test_one_that_is_unloaded_leaves_no_thread_and_no_memory_behind(repository: Path) -> None:
    make_bundle(repository)
    with tundish.open(repository, instances=1) as runtime:
        runtime.predict("towers", image=encoded("red"), candidate_labels=LABELS)
        model = runtime.model("towers")
        assert isinstance(model, ComposedModel)
        left = [weakref.ref(part) for part in (model, *model.components.values())]
        del model
        named = [thread.name for thread in threading.enumerate() if thread.name.startswith("towers")]
        assert sorted(named) == ["towers-1-coordinator", "towers.image-1", "towers.text-1"]
        runtime.table.unload("towers")
        assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("towers")]
        assert [reference() for reference in left] == [None] * 3
        runtime.table.load("towers")
        runtime.predict("towers", image=encoded("red"), candidate_labels=LABELS)


def test_a_component_that_cannot_be_loaded_takes_the_others_with_it(repository: Path) -> None:
    bundle = make_composed_bundle(repository, "broken")
    directory = component_directory(bundle.directory, "text")
    (directory / "tokenizer.json").write_text("{}")
    rewrite_manifest(directory, assets=[describe_file(directory, "tokenizer.json").model_dump()])
    accept_components(bundle)
    with tundish.open(repository, instances=1) as runtime:
        with pytest.raises(ModelNotReadyError, match=r"'broken' is not ready\. .*components/text/tokenizer\.json"):
            runtime.model("broken.image")
        with pytest.raises(ModelNotReadyError, match=r"'broken' is not ready\. .*components/text/tokenizer\.json"):
            runtime.table.check_ready()
        assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("broken")]


def test_commands_show_what_it_is_made_of(
    repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    list_models(repository, as_json=True)
    (entry,) = json.loads(capsys.readouterr().out)
    assert entry == {
        "model": "towers",
        "version": 1,
        "task": "zero-shot-image-classification",
        "variant": "composed of image, text",
    }
    list_models(repository)
    listed = capsys.readouterr().out
    assert all(said in listed for said in ("composed of", "image, text", "verified"))
    show(repository, "towers")
    shown = capsys.readouterr().out
    for said in (
        "towers version 1, zero-shot-image",
        "each of candidate_labels",
        "the last 4",
        "towers.image, image-f",
    ):
        assert said in shown
    assert shown.count("The network is its own source.") == 3  # of the whole and of each
    show(repository, "towers.text", as_json=True)
    assert json.loads(capsys.readouterr().out)["model"] == "towers.text"
    verify(repository)
    assert capsys.readouterr().out == "towers 1: verified\n"


@pytest.mark.parametrize("name", ["towers.sound", "towers.", "towers.image.text"])
def test_commands_tell_of_an_unknown_component(repository: Path, name: str) -> None:
    with pytest.raises(ModelNotFoundError, match=r"'towers' has no component '.*'; it has image, text\."):
        find_bundle(repository, name, None)


def test_it_is_tuned_by_its_components(repository: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"is composed of others; tune towers\.image and towers\.text, each by"):
        tune(repository, "towers")
