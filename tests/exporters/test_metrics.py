"""How right answers are: each metric against its own library, or against its definition written out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nervaluate import Evaluator
from sklearn.metrics import f1_score as sklearn_f1_score
from sklearn.neighbors import NearestNeighbors

from tundish.manifest import (
    AnswerPostprocess,
    ClassificationPostprocess,
    PoolingPostprocess,
    Postprocess,
    SemanticPostprocess,
    TaskName,
)
from tundish.results import (
    Corners,
    DocumentReading,
    Entity,
    FeatureExtraction,
    FoundAnswer,
    Label,
    Point,
    QuestionAnswering,
    Result,
    SentenceSimilarity,
    TextClassification,
    TextLine,
    TextRanking,
    TextRecognition,
    TokenClassification,
)
from tundish_exporters import ExportError
from tundish_exporters.metrics import ACCURACY, RECALL, SPEARMAN, TEXT_MATCH, Metric, choose_metric, metrics_of
from tundish_exporters.metrics.answers import ANSWERS_F1, EXACT_MATCH
from tundish_exporters.metrics.entities import ENTITIES_F1
from tundish_exporters.metrics.labels import LABELS_F1
from tundish_exporters.metrics.texts import LINES_F1
from tundish_exporters.metrics.vectors import NEIGHBOURS, nearest_others
from tundish_exporters.truths import TrueEntity


def figure(metric: Metric, results: Sequence[Result], truths: Sequence[Any]) -> float:
    return metric.value(metric.rows(results, truths))


def test_rows_of_right_and_wrong_are_booleans() -> None:
    """Such are counted; all else is resampled."""
    label = TextClassification((Label("a", 0.9),))
    assert ACCURACY.rows([label, label], ["a", "b"]).tolist() == [True, False]
    for metric, result, truth in (
        (ACCURACY, label, "a"),
        (EXACT_MATCH, answered("a"), ("a",)),
        (TEXT_MATCH, TextRecognition("a", 0.9), "a"),
    ):
        assert metric.rows([result], [truth]).dtype == np.bool_


# Labels

NAMES = ("crack", "dent", "rust")


@given(st.lists(st.tuples(st.sets(st.sampled_from(NAMES)), st.sets(st.sampled_from(NAMES))), min_size=1))
def test_labels_of_which_several_hold_have_scikit_learns_micro_f1(rows: list[tuple[set[str], set[str]]]) -> None:
    results = [
        TextClassification(tuple(Label(name, 0.5 if name in held else 0.49) for name in NAMES)) for held, _ in rows
    ]
    found, right = (np.array([[name in row[side] for name in NAMES] for row in rows]) for side in (0, 1))
    expected = sklearn_f1_score(right, found, average="micro", zero_division=1.0)
    assert figure(LABELS_F1, results, [frozenset(row[1]) for row in rows]) == pytest.approx(expected)


# Entities

LENGTH = 12
places = st.lists(st.integers(0, LENGTH), max_size=8, unique=True).map(sorted)


@st.composite
def entities(draw: st.DrawFn) -> list[tuple[str, int, int]]:
    """Of a text of `LENGTH` characters, none upon another; some beside each other."""
    bounds = draw(places)
    kept = [pair for pair in itertools.pairwise(bounds) if draw(st.booleans())]
    return [(draw(st.sampled_from(("PER", "LOC"))), *pair) for pair in kept]


def tags(found: Sequence[tuple[str, int, int]]) -> list[str]:
    """Each character as a token."""
    row = ["O"] * LENGTH
    for label, start, end in found:
        row[start:end] = [f"B-{label}", *[f"I-{label}"] * (end - start - 1)]
    return row


@settings(deadline=None)
@given(st.lists(st.tuples(entities(), entities()), min_size=1, max_size=4))
def test_entities_have_nervaluates_strict_f1(rows: list[tuple[list[Any], list[Any]]]) -> None:
    results = [
        TokenClassification(tuple(Entity(label, 0.9, start, end, "") for label, start, end in found))
        for found, _ in rows
    ]
    truths = [tuple(TrueEntity(*each) for each in right) for _, right in rows]
    value = figure(ENTITIES_F1, results, truths)
    if not any(found or right for found, right in rows):
        assert value == 1.0
        return
    found_tags, right_tags = ([tags(row[side]) for row in rows] for side in (0, 1))
    evaluator = Evaluator(right_tags, found_tags, tags=["PER", "LOC"], loader="list")
    assert value == pytest.approx(evaluator.evaluate()["overall"]["strict"].f1)


# Answers


def answered(text: str | None) -> QuestionAnswering:
    return QuestionAnswering(() if text is None else (FoundAnswer(text, 0.9, 0, 1), FoundAnswer("other", 0.1, 2, 3)))


@pytest.mark.parametrize(
    ("answer", "right", "exact", "overlap"),
    [
        ("The Eiffel Tower!", ("eiffel tower",), 1, 1.0),
        ("in a  steel mill", ("in steel mill", "mill"), 1, 1.0),
        ("the mill of Graz", ("Graz",), 0, 2 / 4),
        ("the mill of Graz", ("Wels", "mill in Graz"), 0, 2 * 2 / 6),
        ("yes yes", ("yes",), 0, 2 / 3),
        ("Wels", ("Graz",), 0, 0.0),
        ("", (), 1, 1.0),
        (None, (), 1, 1.0),
        ("Graz", (), 0, 0.0),
        (None, ("Graz",), 0, 0.0),
        ("", ("...",), 1, 1.0),  # of which nothing counts
    ],
)
def test_answers_match_by_squads_rules(answer: str | None, right: tuple[str, ...], exact: int, overlap: float) -> None:
    assert figure(EXACT_MATCH, [answered(answer)], [right]) == exact
    assert figure(ANSWERS_F1, [answered(answer)], [right]) == pytest.approx(overlap)


def test_the_figure_of_answers_is_the_mean_over_questions() -> None:
    results, truths = [answered("Graz"), answered("in Wels")], [("Graz",), ("Wels",)]
    assert figure(ANSWERS_F1, results, truths) == pytest.approx((1 + 2 / 3) / 2)
    assert figure(EXACT_MATCH, results, truths) == 0.5


# Texts of images


def test_texts_are_read_rightly_or_not() -> None:
    results = [TextRecognition("Exit 3", 0.9), TextRecognition("exit 3", 0.9)]
    assert TEXT_MATCH.rows(results, ["Exit 3", "Exit 3"]).tolist() == [True, False]


def test_lines_of_documents_count_as_often_as_they_stand_there() -> None:
    corner = Point(0, 0)
    corners: Corners = (corner, corner, corner, corner)
    pages = [
        DocumentReading(tuple(TextLine(text, 0.9, corners) for text in texts)) for texts in (["a", "a", "b"], [], ["c"])
    ]
    assert figure(LINES_F1, pages, [("a", "b", "x"), (), ("c",)]) == pytest.approx(2 * 3 / (3 + 3 + 0 + 0 + 1 + 1))


# Scores


def test_scores_have_spearmans_rank_correlation() -> None:
    generator = np.random.default_rng(2)
    truths, noise = generator.permutation(50).astype(float), generator.normal(size=50)
    scores = truths + 20 * noise
    ranks = scores.argsort().argsort()
    expected = 1 - 6 * ((ranks - truths) ** 2).sum() / (50 * (50**2 - 1))  # Spearman's own formula, without ties
    for results in ([TextRanking(score) for score in scores], [SentenceSimilarity(score) for score in scores]):
        assert figure(SPEARMAN, results, truths.tolist()) == pytest.approx(expected)
    regressed = [TextClassification((Label("grade", score),)) for score in scores]
    assert figure(SPEARMAN, regressed, truths.tolist()) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("scores", "truths"), [([1, 1, 1], [1, 2, 3]), ([1, 2, 3], [2, 2, 2]), ([1, math.nan, 2], [1, 2, 3])]
)
def test_what_has_no_ranks_has_no_figure(scores: list[float], truths: list[float]) -> None:
    assert math.isnan(figure(SPEARMAN, [TextRanking(score) for score in scores], truths))


# Vectors


def embedded(vectors: Any) -> list[FeatureExtraction]:
    return [FeatureExtraction(np.asarray(vector, np.float32)) for vector in vectors]


def test_the_nearest_other_is_scikit_learns() -> None:
    vectors = np.random.default_rng(1).normal(size=(1500, 8)) * np.random.default_rng(2).random((1500, 1))
    search = NearestNeighbors(n_neighbors=2, metric="cosine").fit(vectors)
    expected = search.kneighbors(vectors, return_distance=False)[:, 1]
    assert (nearest_others(embedded(vectors)) == expected).mean() > 0.999, "but for rounding"


def test_recall_is_the_share_of_samples_beside_one_of_their_label() -> None:
    vectors = embedded([[1, 0], [9, 1], [0, 1], [1, 9], [-1, 0]])
    assert RECALL.rows(vectors, ["a", "a", "b", "c", "a"]).tolist() == [True, True, False, False, False]


def test_neighbours_agree_where_vectors_are_turned_and_not_where_they_are_shuffled() -> None:
    vectors = np.random.default_rng(1).normal(size=(40, 8))
    turned = vectors @ np.linalg.qr(np.random.default_rng(5).normal(size=(8, 8)))[0]
    assert figure(NEIGHBOURS, embedded(turned), embedded(vectors)) == 1.0
    assert figure(NEIGHBOURS, embedded(np.roll(vectors, 1, axis=1)[::-1]), embedded(vectors)) < 0.5
    vectors[3] = np.nan
    assert not NEIGHBOURS.rows(embedded(vectors), embedded(turned))[3]


# Which one it is


def classifier(function: Any, *labels: str) -> ClassificationPostprocess:
    return ClassificationPostprocess(labels=labels, function=function)


ANSWERS = AnswerPostprocess()
SEGMENTS = SemanticPostprocess(labels=("steel", "rust"))


@pytest.mark.parametrize(
    ("task", "postprocess", "names"),
    [
        ("image-classification", classifier("softmax", "a", "b"), ["accuracy"]),
        ("text-classification", classifier("sigmoid", "a", "b"), ["F1 of labels"]),
        ("text-classification", classifier("none", "grade"), ["Spearman"]),
        ("text-classification", classifier("none", "length", "width"), []),
        ("visual-question-answering", classifier("sigmoid", "yes", "no"), ["accuracy"]),
        ("feature-extraction", PoolingPostprocess(pooling="mean", normalize=True), ["recall@1"]),
        ("question-answering", ANSWERS, ["F1 of answers", "exact match"]),
        ("image-segmentation", SEGMENTS, ["mean IoU"]),
    ],
)
def test_each_kind_of_answer_has_its_metrics(task: TaskName, postprocess: Postprocess, names: list[str]) -> None:
    assert [metric.name for metric in metrics_of(task, postprocess)] == names
    chosen = choose_metric(None, task, postprocess)
    assert (chosen and chosen.name) == (names[0] if names else None)


def test_another_metric_of_the_task_is_chosen_by_its_name() -> None:
    assert choose_metric("exact match", "question-answering", ANSWERS) is EXACT_MATCH
    with pytest.raises(ExportError) as caught:
        choose_metric("BLEU", "question-answering", ANSWERS)
    assert str(caught.value) == (
        "There is no metric 'BLEU' for question-answering; give 'F1 of answers' or 'exact match' or a function as "
        "module:function."
    )
