"""From logits to entities, with the post-processing of transformers' own pipeline for the oracle."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.model_families import TEXT_FAMILIES
from support.token_classifiers import entity_faults, pipeline_entities
from transformers.pipelines.token_classification import AggregationStrategy

from tundish.errors import BundleError, EngineError
from tundish.manifest import (
    Aggregation,
    ClassificationPostprocess,
    EntityPostprocess,
    ModelSpec,
    TensorSpec,
    TextPreprocess,
)
from tundish.results import Entity, TokenClassification
from tundish.tasks.text_tokenizers import LocatedText
from tundish.tasks.token_classification import TokenClassificationTask

MAXIMUM = 16
AGGREGATIONS: tuple[Aggregation, ...] = get_args(Aggregation)
LABELS = ("O", "B-PER", "I-PER", "I-B-PER", "LOC", "B-O", "x-LOC")
"""With some that the pipeline joins and names by different rules."""
TOKENIZERS = ("bert", "roberta", "roberta that drops the beginning", "albert")
"""Word pieces, bytes in pairs, and a unigram model."""

words = st.sampled_from(
    ("the", "Unbelievably!", "naïve", "e\u0301", "東京", "😀", "don't", "tundish", "[MASK]", "<unk>", "\t", "  ")
)
texts = st.one_of(st.text(max_size=30), st.lists(words, max_size=12).map(" ".join))


def spec(rule: EntityPostprocess | ClassificationPostprocess, **preprocess: Any) -> ModelSpec:
    shape = ("batch", "tokens")
    return ModelSpec(
        task="token-classification",
        inputs=tuple(TensorSpec(name=name, datatype="INT64", shape=shape) for name in ("input_ids", "attention_mask")),
        outputs=(TensorSpec(name="logits", datatype="FP32", shape=(*shape, len(rule.labels))),),
        preprocess=TextPreprocess(**{"maximum_tokens": MAXIMUM, **preprocess}),
        postprocess=rule,
    )


class Case:
    """A tokenizer with the task and the pipeline that read by it; the network is left out."""

    def __init__(self, family: str, words_directory: Path, directory: Path) -> None:
        _, self.tokenizer = TEXT_FAMILIES[family](words_directory)
        self.tokenizer.model_max_length = MAXIMUM
        self.tokenizer.backend_tokenizer.save(str(directory / "tokenizer.json"))
        self._directory = directory
        library: Any = transformers  # whose annotations are patchy
        config = library.BertConfig(
            vocab_size=8, hidden_size=4, num_hidden_layers=1, num_attention_heads=1, intermediate_size=4,
            id2label=dict(enumerate(LABELS)), label2id={label: index for index, label in enumerate(LABELS)},
        )  # fmt: skip
        model = library.BertForTokenClassification(config)
        self._pipeline = library.TokenClassificationPipeline(model=model, tokenizer=self.tokenizer, framework="pt")

    @cache  # noqa: B019 - a case lives as long as its module
    def task(self, aggregation: Aggregation, padding_side: str = "right") -> TokenClassificationTask:
        rule = EntityPostprocess(labels=LABELS, aggregation=aggregation, unknown_id=self.tokenizer.unk_token_id)
        sides = {"truncation_side": self.tokenizer.truncation_side, "padding_side": padding_side}
        return TokenClassificationTask(spec(rule, **sides), self._directory)

    def expected(self, text: str, logits: NDArray[np.float32], aggregation: Aggregation) -> list[Entity]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            (inputs,) = self._pipeline.preprocess(text, is_split_into_words=False)
            outputs = {**inputs, "logits": torch.from_numpy(logits)[None]}
            strategy = AggregationStrategy[aggregation.upper()]
            return pipeline_entities(self._pipeline.postprocess([outputs], aggregation_strategy=strategy), text)


@pytest.fixture(scope="module")
def cases(minilm_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    return {family: Case(family, minilm_directory, tmp_path_factory.mktemp("tokenizer")) for family in TOKENIZERS}


def padded(rows: Sequence[NDArray[np.float32]], side: str) -> NDArray[np.float32]:
    """A batch whose padding would be entities, if anybody read it."""
    length = max(map(len, rows))
    batch = np.full((len(rows), length, len(LABELS)), 9, np.float32)
    batch[:, :, 0] = -9
    for place, row in zip(batch, rows, strict=True):
        place[slice(len(row)) if side == "right" else slice(length - len(row), None)] = row
    return batch


def random_logits(seed: int, tokens: int) -> NDArray[np.float32]:
    """`[tokens, labels]` in steps of a half, which make ties, with some that are impossible."""
    generator = np.random.default_rng(seed)
    logits = np.round(generator.normal(0, 2, (tokens, len(LABELS))) * 2) / 2
    logits[:, 1:][generator.random((tokens, len(LABELS) - 1)) < 0.05] = -np.inf
    return logits.astype(np.float32)


@pytest.mark.parametrize("family", TOKENIZERS)
@pytest.mark.parametrize("side", ["right", "left"])
@settings(max_examples=10, deadline=None)
@given(batch=st.lists(texts, min_size=1, max_size=3), seed=st.integers(0, 2**32 - 1))
def test_entities_are_those_of_the_pipeline(
    cases: dict[str, Case], family: str, side: str, batch: list[str], seed: int
) -> None:
    case = cases[family]
    for aggregation in AGGREGATIONS:
        task = case.task(aggregation, side)
        items = [task.prepare(text.encode()) for text in batch]
        rows = [random_logits(seed + place, len(item.ids)) for place, item in enumerate(items)]
        results = task.finish({"logits": padded(rows, side)}, items)
        for text, row, result in zip(batch, rows, results, strict=True):
            assert isinstance(result, TokenClassification)
            assert entity_faults(case.expected(text, row, aggregation), result.entities, 1e-6) == []
            assert result.truncated == (len(case.tokenizer(text)["input_ids"]) > MAXIMUM)


def logits_of(item: LocatedText, *labels: str) -> NDArray[np.float32]:
    """For these labels of the tokens of a text, all special ones included."""
    assert len(labels) == len(item.ids)
    logits = np.zeros((1, len(labels), len(LABELS)), np.float32)
    for place, label in enumerate(labels):
        logits[0, place, LABELS.index(label)] = 5
    return logits


def test_places_are_characters_of_the_text_as_it_was_sent(cases: dict[str, Case]) -> None:
    task = cases["bert"].task("simple")
    item = task.prepare("😀 É  東 paris".encode())
    (result,) = task.finish({"logits": logits_of(item, "O", "O", "B-PER", "I-PER", "LOC", "O")}, [item])
    assert isinstance(result, TokenClassification)
    assert [(each.label, each.start, each.end, each.text) for each in result.entities] == [
        ("PER", 2, 6, "É  東"),
        ("LOC", 7, 12, "paris"),
    ]


def test_an_item_without_numbers_fails_alone(cases: dict[str, Case]) -> None:
    task = cases["bert"].task("simple")
    items = [task.prepare(b"paris"), task.prepare(b"paris")]
    logits = np.repeat(logits_of(items[0], "O", "LOC", "O"), 2, axis=0)
    logits[0, 1, 2] = np.nan
    failed, good = task.finish({"logits": logits}, items)
    assert isinstance(failed, EngineError)
    assert isinstance(good, TokenClassification)
    assert [entity.text for entity in good.entities] == ["paris"]


RESULTS = (
    TokenClassification((Entity("PER", 0.5, 0, 4, "Émil"), Entity("LÖC", 0.25, 5, 6, "東")), truncated=True),
    TokenClassification(()),
    TokenClassification((Entity("PER", 0.75, 1, 2, "x"),)),
)


@pytest.mark.parametrize("result", RESULTS)
def test_a_message_holds_all_of_a_result(result: TokenClassification) -> None:
    message = TokenClassificationTask.to_message(result)
    assert TokenClassificationTask.from_message(type(message).FromString(message.SerializeToString())) == result


def test_tensors_are_filled_up_to_the_text_with_the_most_entities() -> None:
    tensors = TokenClassificationTask.to_tensors(RESULTS)
    assert {name: array.dtype for name, array in tensors.items()} == {
        "label": np.object_, "score": np.float32, "start": np.int64, "end": np.int64
    }  # fmt: skip
    assert tensors["label"].tolist() == [[b"PER", "LÖC".encode()], [b"", b""], [b"PER", b""]]
    assert tensors["score"].tolist() == [[0.5, 0.25], [0, 0], [0.75, 0]]
    assert tensors["start"].tolist() == [[0, 5], [-1, -1], [1, -1]]
    assert tensors["end"].tolist() == [[4, 6], [-1, -1], [2, -1]]


def test_a_bundle_that_gives_no_entities_is_refused(tmp_path: Path) -> None:
    rule = ClassificationPostprocess(labels=("O", "PER"), function="softmax")
    with pytest.raises(BundleError, match="must read text and give entities to do token-classification"):
        TokenClassificationTask(spec(rule), tmp_path)
