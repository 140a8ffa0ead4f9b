"""Classifiers of two texts answer as `transformers.pipeline` does: in process, and served, by every way to ask."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
import tritonclient.grpc
from support.commands import call_tundish
from support.model_families import POSITIONS, TEXT_FAMILIES, save_family, save_tokenizer
from support.networks import BagOfWords
from support.server_process import ServerProcess

import tundish
from tundish.client import Client
from tundish.errors import InvalidInputError
from tundish.manifest import ClassificationPostprocess, TextPreprocess
from tundish.results import Label, TextClassification
from tundish_exporters import ExportError, export_huggingface, export_module

PAIRS = (
    ("A man plays a guitar.", "Someone makes music."),
    ("A man plays a guitar.", "Nobody makes music; the hall is empty and dark."),
    ("", "x"),
    ("façade, κόσμος 漢字", ""),
    ("pressure falls " * 60, "short"),
    ("short", "pressure falls " * 60),
    ("pressure falls " * 60, "and rises again " * 60),
)
"""With empty ones and, on either side and on both, ones that are longer than any model here reads."""


def pair_pipeline(source: Path) -> Any:
    """What a user of transformers writes."""
    pipeline: Any = transformers.pipeline("text-classification", model=str(source))

    def ask(text: str, pair: str) -> list[dict[str, Any]]:
        answer: list[dict[str, Any]] = pipeline(
            {"text": text, "text_pair": pair}, top_k=None, truncation=True, max_length=POSITIONS
        )
        return answer

    return ask


def assert_labels(expected: list[dict[str, Any]], labels: tuple[Label, ...]) -> None:
    assert [entry["label"] for entry in expected] == [label.name for label in labels]
    np.testing.assert_allclose(
        [label.score for label in labels], [entry["score"] for entry in expected], atol=1e-3, rtol=0
    )


FAMILIES = ("bert", "distilbert", "roberta", "albert", "deberta", "deberta with type ids")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_classifier_of_pairs_answers_as_its_pipeline(family: str, tmp_path: Path, minilm_directory: Path) -> None:
    source = save_family(tmp_path / "source", TEXT_FAMILIES[family](minilm_directory))
    bundle = export_huggingface(
        source, task="text-classification", name="pairs", repository=tmp_path / "models", precision="fp32", pairs=True
    ).bundle
    assert isinstance(bundle.manifest.preprocess, TextPreprocess)
    assert bundle.manifest.preprocess.reads == ("text", "text_pair")
    ask = pair_pipeline(source)
    load: Any = transformers.AutoTokenizer.from_pretrained
    tokenizer = load(source)
    expected = [ask(*pair) for pair in PAIRS]
    assert np.ptp([row[0]["score"] for row in expected]) > 0.01
    with tundish.open(tmp_path / "models", instances=1) as runtime:
        for (text, pair), row in zip(PAIRS, expected, strict=True):
            result = runtime.predict("pairs", text=text, text_pair=pair).result
            assert isinstance(result, TextClassification)
            assert_labels(row, result.labels)
            assert result.truncated == (len(tokenizer(text, pair)["input_ids"]) > POSITIONS)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory, minilm_directory: Path) -> tuple[Path, Path]:
    """A source, and a repository with its bundle `pairs`, which int8 was tried for."""
    root = tmp_path_factory.mktemp("pairs")
    source = save_family(root / "source", TEXT_FAMILIES["bert"](minilm_directory))
    table = root / "pairs.csv"
    rows = [f"sentence number {number},another one {number * 7 % 5},g{number % 2}" for number in range(12)]
    table.write_text("\n".join(["text,text_pair,group", *rows]))
    exported = export_huggingface(
        source, task="text-classification", name="pairs", repository=root / "models", pairs=True, calibration=table,
        slice_column="group",
    )  # fmt: skip
    assert {variant.precision for variant in exported.bundle.manifest.variants} == {"fp32", "int8"}
    return source, root / "models"


def test_pairs_are_served_by_every_way(classifier: tuple[Path, Path]) -> None:
    source, models = classifier
    export_huggingface(
        source, task="text-classification", name="exact", repository=models, precision="fp32", pairs=True
    )
    ask = pair_pipeline(source)
    text, pair = PAIRS[0]
    with ServerProcess(models, "--instances", "1") as process, Client(process.url) as client:
        result = client.predict("exact", text=text, text_pair=pair).result
        assert isinstance(result, TextClassification)
        assert_labels(ask(text, pair), result.labels)
        ran = call_tundish("infer", "exact", "--text", text, "--text-pair", pair, "--url", process.url, "--json")
        shown = tuple(Label(**label) for label in json.loads(ran.stdout)["labels"])
        assert_labels(ask(text, pair), shown)
        with pytest.raises(InvalidInputError, match="it takes text and text_pair, and got no text_pair"):
            client.predict("exact", text=text)
        stock = tritonclient.grpc.InferenceServerClient(process.url)
        answer = stock.infer("exact", [column("text", [text, "x"]), column("text_pair", [pair, "y"])])
        for row, asked in enumerate((PAIRS[0], ("x", "y"))):
            labels = zip(answer.as_numpy("label")[row].tolist(), answer.as_numpy("score")[row].tolist(), strict=True)
            assert_labels(ask(*asked), tuple(Label(name.decode(), score) for name, score in labels))
        with pytest.raises(tritonclient.grpc.InferenceServerException, match="got 2 of 'text', 1 of 'text_pair'"):
            stock.infer("exact", [column("text", ["a", "b"]), column("text_pair", ["c"])])
        stock.close()


def column(name: str, texts: list[str]) -> Any:
    tensor = tritonclient.grpc.InferInput(name, [len(texts), 1], "BYTES")
    tensor.set_data_from_numpy(np.array([[text.encode()] for text in texts], np.object_))
    return tensor


def test_a_module_may_read_pairs(tmp_path: Path) -> None:
    tokenizer = save_tokenizer(tmp_path / "words.json")
    make: Any = transformers.PreTrainedTokenizerFast
    oracle = make(tokenizer_file=str(tokenizer))
    network = BagOfWords(len(oracle), 3).eval()
    names = ("input_ids", "attention_mask")
    export_module(
        network,
        {name: torch.ones(1, 8, dtype=torch.int64) for name in names},
        task="text-classification",
        name="module",
        repository=tmp_path / "models",
        precision="fp32",
        preprocess=TextPreprocess(maximum_tokens=32, reads=("text", "text_pair")),
        postprocess=ClassificationPostprocess(labels=("a", "b", "c"), function="softmax"),
        tokenizer=tokenizer,
    )
    with tundish.open(tmp_path / "models", instances=1) as runtime:
        for text, pair in PAIRS:
            encoded = oracle(text, pair, truncation=True, max_length=32, return_tensors="pt")
            scores = network(*(encoded[name] for name in names)).softmax(-1)[0].tolist()
            result = runtime.predict("module", text=text, text_pair=pair).result
            assert isinstance(result, TextClassification)
            expected = sorted(zip("abc", scores, strict=True), key=lambda each: -each[1])
            assert_labels([{"label": name, "score": score} for name, score in expected], result.labels)


def test_pairs_are_for_text_classification(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="pairs is for text-classification, not for token-classification"):
        export_huggingface(tmp_path, task="token-classification", name="m", repository=tmp_path / "models", pairs=True)
