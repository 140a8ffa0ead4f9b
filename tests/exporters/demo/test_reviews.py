"""The demo's text model: reviews that are split fairly, and a directory that transformers can use."""

from __future__ import annotations

import bz2
import csv
import io
from pathlib import Path
from typing import Any

import pytest
import transformers
from safetensors.torch import load_file

from tundish_exporters.data import label_indices, load_samples
from tundish_exporters.demo.assets import REVIEWS, fetch
from tundish_exporters.demo.reviews import (
    LABELS,
    FineTunedReviews,
    Review,
    fine_tune_reviews,
    load_reviews,
    split_by_film,
)
from tundish_exporters.progress import silent

TRAINING_REVIEWS = 64


@pytest.fixture(scope="module")
def reviews(asset_cache: Path) -> list[Review]:
    return load_reviews(fetch(REVIEWS, asset_cache))


def letters(text: str) -> str:
    """What is left of a text without case, punctuation and spaces."""
    return "".join(character for character in text.lower() if character.isascii() and character.isalnum())


def test_the_corpus_has_thousands_of_reviews_of_both_kinds(reviews: list[Review]) -> None:
    assert len(reviews) > 8000
    assert {review.label for review in reviews} == {"rotten", "fresh"}
    assert all(review.text and review.film for review in reviews)


def test_snippets_that_differ_in_punctuation_or_case_alone_are_there_once_and_plots_not_at_all(tmp_path: Path) -> None:
    rows = [
        ("Great fun!", "fresh", "Ran"),
        ("great  fun", "fresh", "Jaws"),
        (" ... Great, fun? ", "rotten", "Ran"),
        ("Great fun, twice", "fresh", "Ran"),
        ("A king divides his realm.", "plot", "Ran"),
    ]
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([("text", "category", "movie_name"), *rows])
    path = tmp_path / REVIEWS.members[0]
    path.parent.mkdir(parents=True)
    path.write_bytes(bz2.compress(stream.getvalue().encode()))
    assert load_reviews(tmp_path) == [
        Review("Great fun!", "fresh", "Ran"),
        Review("Great fun, twice", "fresh", "Ran"),
    ]


def test_no_film_is_in_both_halves_and_nothing_is_lost(reviews: list[Review]) -> None:
    training, evaluation = split_by_film(reviews)
    assert not {review.film for review in training} & {review.film for review in evaluation}
    assert not {letters(review.text) for review in training} & {letters(review.text) for review in evaluation}
    assert len(evaluation) == 1000
    assert len(training) + len(evaluation) > 0.98 * len(reviews)
    fresh = sum(review.label == "fresh" for review in evaluation) / len(evaluation)
    assert 0.4 < fresh < 0.7


def test_the_split_is_the_same_each_time(reviews: list[Review]) -> None:
    assert split_by_film(reviews) == split_by_film(reviews)


def test_a_corpus_of_few_reviews_is_split_too() -> None:
    few = [Review(f"text {number}", LABELS[number % 2], f"film {number // 3}") for number in range(30)]
    training, evaluation = split_by_film(few)
    assert training == []  # fewer than the evaluation asks for
    assert sorted(evaluation, key=lambda review: review.text) == sorted(few, key=lambda review: review.text)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, asset_cache: Path) -> FineTunedReviews:
    return fine_tune_reviews(asset_cache, tmp_path_factory.mktemp("reviews"), silent, training_reviews=TRAINING_REVIEWS)


def test_the_model_is_a_directory_that_transformers_answers_from(written: FineTunedReviews) -> None:
    ask = transformers.pipeline("text-classification", model=str(written.model))
    for text in ("A masterpiece.", "Dreadful from beginning to end. " * 60):
        answer: Any = ask(text, top_k=None, truncation=True)
        assert {entry["label"] for entry in answer} == set(LABELS)
        assert sum(entry["score"] for entry in answer) == pytest.approx(1, abs=1e-5)
    assert not list(written.model.glob("*.bin")), "weights must not be pickled"


def test_only_the_upper_half_and_the_head_were_trained(written: FineTunedReviews, minilm_directory: Path) -> None:
    before, after = (load_file(directory / "model.safetensors") for directory in (minilm_directory, written.model))
    changed = {
        name.removeprefix("bert.").split(".weight")[0].split(".bias")[0]
        for name, tensor in after.items()
        if name.startswith("bert.") and not (before[name.removeprefix("bert.")] == tensor).all()
    }
    layers = {part.split(".")[2] for part in changed if part.startswith("encoder.layer.")}
    assert layers == {"3", "4", "5"}
    assert {part.split(".")[0] for part in changed} == {"encoder", "pooler"}
    assert {name for name in after if name.startswith("classifier")} == {"classifier.weight", "classifier.bias"}


def test_the_data_have_labels_that_the_model_knows(written: FineTunedReviews) -> None:
    for path, count in ((written.calibration, TRAINING_REVIEWS), (written.evaluation, 1000)):
        samples = load_samples(path, ("text",), truth="label").samples
        assert len(samples) == count
        assert set(label_indices(samples, LABELS, path)) == {0, 1}


def test_nothing_of_the_evaluation_is_in_the_calibration(written: FineTunedReviews) -> None:
    texts = []
    for path in (written.calibration, written.evaluation):
        with path.open(encoding="utf-8", newline="") as stream:
            texts.append({row["text"] for row in csv.DictReader(stream)})
    assert not texts[0] & texts[1]
