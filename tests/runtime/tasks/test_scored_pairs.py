"""Scores of two texts: of a query and a text by one logit, of two texts by their vectors' cosine."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from support.text_specs import text_spec

from tundish.errors import BundleError, EngineError
from tundish.manifest import ModelSpec, PoolingPostprocess, ScorePostprocess, TensorSpec, TextPreprocess
from tundish.results import SentenceSimilarity, TextRanking
from tundish.tasks.sentence_similarity import SentenceSimilarityTask
from tundish.tasks.text_ranking import TextRankingTask

PAIRS = ((b"one two three", b"four"), (b"a", b"b c d e f g h i j k l m n o p q"))
"""The second text of the last is longer than is read."""


def similarity_spec(side: Literal["left", "right"] = "right", pooling: Any = "mean") -> ModelSpec:
    rule = TextPreprocess(maximum_tokens=12, reads=("text", "text_pair"), padding_side=side)
    spec = text_spec(rule, pooling=pooling, normalize=False)
    return spec.model_copy(update={"task": "sentence-similarity"})


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
def test_two_rows_make_a_cosine(side: Literal["left", "right"], pooling: str, minilm_directory: Path) -> None:
    task = SentenceSimilarityTask(similarity_spec(side, pooling), minilm_directory)
    items = [task.prepare(pair) for pair in PAIRS]
    assert [task.length(item) for item in items] == [2 * 5, 2 * 12]
    mask = torch.from_numpy(task.collate(items)["attention_mask"]).bool()
    assert mask.shape == (4, 12)
    vectors = torch.from_numpy(np.random.default_rng(2).normal(0, 1, (4, 12, 8)).astype(np.float32))
    pooled = [
        {"mean": row[kept].mean(0), "cls": row[kept][0], "max": row[kept].amax(0)}[pooling]
        for row, kept in zip(vectors, mask, strict=True)
    ]
    results = task.finish({"last_hidden_state": vectors.numpy()}, items)
    for number, result in enumerate(results):
        assert isinstance(result, SentenceSimilarity)
        cosine = torch.nn.functional.cosine_similarity(pooled[2 * number], pooled[2 * number + 1], dim=0)
        assert result.score == pytest.approx(float(cosine), abs=1e-5)
        assert result.truncated == (number == 1)


def test_a_pair_without_numbers_fails_alone(minilm_directory: Path) -> None:
    task = SentenceSimilarityTask(similarity_spec(), minilm_directory)
    items = [task.prepare(PAIRS[0])] * 2
    vectors: NDArray[np.float32] = np.ones((4, 5, 8), np.float32)
    vectors[1, 0, 0] = np.nan
    failed, good = task.finish({"last_hidden_state": vectors}, items)
    assert isinstance(failed, EngineError)
    assert isinstance(good, SentenceSimilarity)


def ranking_spec(rule: Any) -> ModelSpec:
    shape = ("batch", "tokens")
    return ModelSpec(
        task="text-ranking",
        inputs=tuple(TensorSpec(name=name, datatype="INT64", shape=shape) for name in ("input_ids", "attention_mask")),
        outputs=(TensorSpec(name="logits", datatype="FP32", shape=("batch", 1)),),
        preprocess=TextPreprocess(maximum_tokens=12, reads=("query", "text")),
        postprocess=rule,
    )


@pytest.mark.parametrize("function", ["sigmoid", "none"])
def test_a_logit_makes_a_score(function: Literal["sigmoid", "none"], minilm_directory: Path) -> None:
    task = TextRankingTask(ranking_spec(ScorePostprocess(function=function)), minilm_directory)
    items = [task.prepare(pair) for pair in (*PAIRS, PAIRS[0])]
    logits = np.array([[1.5], [-3.0], [np.nan]], np.float32)
    first, second, failed = task.finish({"logits": logits}, items)
    assert isinstance(failed, EngineError)
    for result, logit, truncated in ((first, 1.5, False), (second, -3.0, True)):
        wanted = float(torch.sigmoid(torch.tensor(logit))) if function == "sigmoid" else logit
        assert isinstance(result, TextRanking)
        assert result.score == pytest.approx(wanted, abs=1e-6)
        assert result.truncated == truncated


@pytest.mark.parametrize(
    ("task", "result"),
    [
        (TextRankingTask, TextRanking(0.5, truncated=True)),
        (SentenceSimilarityTask, SentenceSimilarity(-0.25, truncated=True)),
    ],
)
def test_messages_and_tensors_hold_the_score(task: Any, result: Any) -> None:
    message = task.to_message(result)
    assert task.from_message(type(message).FromString(message.SerializeToString())) == result
    score = task.to_tensors([result, result])["score"]
    assert (score.dtype, score.tolist()) == (np.float32, [[result.score]] * 2)


def test_bundles_of_other_rules_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="must read texts and give a score to do text-ranking"):
        TextRankingTask(ranking_spec(PoolingPostprocess(pooling="mean", normalize=True)), tmp_path)
    with pytest.raises(BundleError, match="does not pool the vectors of tokens"):
        SentenceSimilarityTask(similarity_spec(pooling="none"), tmp_path)
