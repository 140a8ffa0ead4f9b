"""Exported bundles answer as `transformers.pipeline` and sentence-transformers do, on inputs that no export saw."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers
from numpy.typing import NDArray
from PIL import Image
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling
from support.awkward_images import awkward_images
from support.model_families import IMAGE_FAMILIES, POSITIONS, TEXT_FAMILIES, bert, save_family

import tundish
from tundish.bundle import Bundle
from tundish.engines import load_engine
from tundish.manifest import ImagePreprocess, TaskName, TextPreprocess
from tundish.pipeline import Answer, Pipeline, run_batch
from tundish.results import FeatureExtraction, ImageClassification, Label, TextClassification
from tundish.tasks.registry import load_task
from tundish_exporters import ParityError, export_huggingface
from tundish_exporters.sources.image_processors import read_image_processor

SCORE_TOLERANCE = 1e-3
COSINE_TOLERANCE = 1e-4

TEXTS = (
    "",
    " ",
    "x",
    "A roller is worn; the strand shows cracks.",
    "MIXED Case, 12.5 mm +0.02/-0.01 (1.4301)!?",
    "Gießpfanne, façade, naïve, κόσμος, 漢字, مرحبا",
    "combining a\u0301e\u0308, zero\u200bwidth, emoji 🎉👩‍🔧",
    "tab\tnew\nline\r\nand   spaces",
    "[CLS] [SEP] [MASK] <s> </s>",
    "pressure falls " * 400,
    "x" * 3000,
)
"""With an empty one and two that are longer than any model here reads."""


def export(source: Path, repository: Path, task: TaskName, calibration: Path | None = None) -> Bundle:
    return export_huggingface(
        source, task=task, name="model", repository=repository, precision="fp32", calibration=calibration
    ).bundle


def pipeline_of(source: Path, task: str) -> Any:
    """What a user of transformers writes; shares nothing with the exporter's source."""
    return transformers.pipeline(task, model=str(source))  # type: ignore[call-overload]


def answered_together(bundle: Bundle, items: Sequence[bytes]) -> list[Any]:
    """The answers to one padded batch of all the items."""
    manifest = bundle.manifest
    engine = load_engine(bundle, manifest.servable[0], threads=1)
    outcomes = run_batch(Pipeline(load_task(manifest, bundle.directory), engine), items)
    assert all(isinstance(outcome, Answer) for outcome in outcomes), outcomes
    return [outcome.output for outcome in outcomes if isinstance(outcome, Answer)]


def label_faults(expected: Sequence[dict[str, Any]], actual: Sequence[Label]) -> list[str]:
    faults = []
    if [entry["label"] for entry in expected] != [label.name for label in actual]:
        faults.append(f"order {[label.name for label in actual]} for {[entry['label'] for entry in expected]}")
    scores = {entry["label"]: entry["score"] for entry in expected}
    faults += [
        f"{label.name} {label.score} for {scores.get(label.name)}"
        for label in actual
        if not abs(scores.get(label.name, np.nan) - label.score) <= SCORE_TOLERANCE
    ]
    return faults


def cosines(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float64]:
    one, other = first.astype(np.float64), second.astype(np.float64)
    similar: NDArray[np.float64] = (one * other).sum(-1) / (
        np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
    )
    return similar


def answers_differ(expected: Sequence[Sequence[dict[str, Any]]]) -> bool:
    """Whether the inputs move a score much further than the tolerance: otherwise parity would prove nothing."""
    rows = [[entry["score"] for entry in sorted(row, key=lambda each: each["label"])] for row in expected]
    return bool(np.ptp(np.array(rows), axis=0).max() > 30 * SCORE_TOLERANCE)


@pytest.mark.parametrize("family", IMAGE_FAMILIES)
def test_an_image_classifier_answers_as_its_pipeline(
    family: str, tmp_path: Path, photographs: list[Path], small_images: Path
) -> None:
    source = save_family(tmp_path / "source", IMAGE_FAMILIES[family]())
    images = {path.name: path.read_bytes() for path in photographs[:3]} | awkward_images(photographs[3])
    export(source, tmp_path / "models", "image-classification", small_images)
    ask = pipeline_of(source, "image-classification")
    expected = {name: ask(Image.open(io.BytesIO(data)), top_k=5) for name, data in images.items()}
    assert answers_differ(list(expected.values()))

    with tundish.open(tmp_path / "models", instances=1) as runtime:
        faults = {}
        for name, data in images.items():
            result = runtime.predict("model", image=data).result
            assert isinstance(result, ImageClassification)
            if found := label_faults(expected[name], result.labels):
                faults[name] = found
    assert faults == {}


def test_another_normalization_is_refused_on_plain_grey_images_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def misread(processor: Any, **options: Any) -> ImagePreprocess:
        rule = read_image_processor(processor, **options)
        return rule.model_copy(update={"std": tuple(value * value for value in rule.std)})

    monkeypatch.setattr("tundish_exporters.sources.huggingface.source.read_image_processor", misread)
    source = save_family(tmp_path / "source", IMAGE_FAMILIES["vit"]())
    data = tmp_path / "data"
    data.mkdir()
    Image.new("L", (64, 64), 122).save(data / "grey.png")
    with pytest.raises(ParityError, match=r"They part at pre-processing"):
        export(source, tmp_path / "models", "image-classification", data)


@pytest.mark.parametrize("family", TEXT_FAMILIES)
def test_a_text_classifier_answers_as_its_pipeline(family: str, tmp_path: Path, minilm_directory: Path) -> None:
    source = save_family(tmp_path / "source", TEXT_FAMILIES[family](minilm_directory))
    bundle = export(source, tmp_path / "models", "text-classification")
    assert isinstance(bundle.manifest.preprocess, TextPreprocess)
    assert bundle.manifest.preprocess.maximum_tokens == POSITIONS
    ask = pipeline_of(source, "text-classification")
    expected = [ask(text, top_k=None, truncation=True, max_length=POSITIONS) for text in TEXTS]
    assert answers_differ(expected)

    faults = {}
    with tundish.open(tmp_path / "models", instances=1) as runtime:
        for text, row, batched in zip(
            TEXTS, expected, answered_together(bundle, [text.encode() for text in TEXTS]), strict=True
        ):
            result = runtime.predict("model", text=text).result
            assert isinstance(result, TextClassification)
            assert result.truncated == (len(ask.tokenizer(text)["input_ids"]) > POSITIONS), text
            if found := label_faults(row, result.labels) + label_faults(row, batched.labels):
                faults[text[:40]] = found
    assert faults == {}


def test_the_tokenizers_own_limit_counts_where_it_is_the_least(tmp_path: Path, minilm_directory: Path) -> None:
    model, tokenizer = bert(minilm_directory)
    tokenizer.model_max_length = 12
    source = save_family(tmp_path / "source", (model, tokenizer))
    bundle = export(source, tmp_path / "models", "text-classification")
    assert isinstance(bundle.manifest.preprocess, TextPreprocess)
    assert bundle.manifest.preprocess.maximum_tokens == 12
    text = "pressure falls and rises and falls " * 3
    expected = pipeline_of(source, "text-classification")(text, top_k=None, truncation=True)
    (answer,) = answered_together(bundle, [text.encode()])
    assert label_faults(expected, answer.labels) == []
    assert answer.truncated


@pytest.fixture(scope="module")
def small_encoder(tmp_path_factory: pytest.TempPathFactory, minilm_directory: Path) -> Path:
    """MiniLM's directory around a network of two layers, whose weights are spread.

    MiniLM's own first layers give the first token nearly the same vector in every text.
    """
    directory = tmp_path_factory.mktemp("small-encoder") / "model"
    shutil.copytree(minilm_directory, directory, ignore=shutil.ignore_patterns("*.safetensors"))
    classifier, tokenizer = bert(minilm_directory, max_position_embeddings=512)
    tokenizer.model_max_length = 512
    return save_family(directory, (classifier.bert, tokenizer))


def with_pooling(source: Path, directory: Path, mode: str, *, normalize: bool = True) -> Path:
    """A copy whose configuration of sentence-transformers asks for another pooling."""
    shutil.copytree(source, directory)
    path = directory / "1_Pooling" / "config.json"
    modes = {key: False for key in json.loads(path.read_text()) if key.startswith("pooling_mode")}
    path.write_text(json.dumps({"word_embedding_dimension": 32, **modes, f"pooling_mode_{mode}": True}))
    if not normalize:
        modules = json.loads((directory / "modules.json").read_text())
        (directory / "modules.json").write_text(json.dumps(modules[:2]))
    return directory


def assert_equal_to_sentence_transformers(source: Path, bundle: Bundle) -> None:
    oracle = SentenceTransformer(str(source), device="cpu", local_files_only=True)
    expected = [oracle.encode(text) for text in TEXTS]
    assert cosines(expected[2], expected[3]) < 1 - 30 * COSINE_TOLERANCE
    together = answered_together(bundle, [text.encode() for text in TEXTS])
    with tundish.open(bundle.directory.parents[1], instances=1) as runtime:
        for text, vector, batched in zip(TEXTS, expected, together, strict=True):
            result = runtime.predict("model", text=text).result
            assert isinstance(result, FeatureExtraction)
            for answer in (result.vector, batched.vector):
                assert answer.shape == vector.shape
                assert cosines(answer, vector) >= 1 - COSINE_TOLERANCE, text
                np.testing.assert_allclose(answer, vector, atol=SCORE_TOLERANCE * np.abs(vector).max(), err_msg=text)


def test_minilm_gives_the_vectors_of_sentence_transformers(tmp_path: Path, minilm_directory: Path) -> None:
    bundle = export(minilm_directory, tmp_path / "models", "feature-extraction")
    assert isinstance(bundle.manifest.preprocess, TextPreprocess)
    assert bundle.manifest.preprocess.maximum_tokens == 256  # sentence_bert_config.json's, below the network's 512
    assert_equal_to_sentence_transformers(minilm_directory, bundle)


@pytest.mark.parametrize(
    ("mode", "normalize"), [("mean_tokens", False), ("cls_token", True), ("max_tokens", True), ("max_tokens", False)]
)
def test_each_pooling_gives_the_vectors_of_sentence_transformers(
    mode: str, normalize: bool, tmp_path: Path, small_encoder: Path
) -> None:
    source = with_pooling(small_encoder, tmp_path / "source", mode, normalize=normalize)
    bundle = export(source, tmp_path / "models", "feature-extraction")
    assert_equal_to_sentence_transformers(source, bundle)


@pytest.mark.parametrize("mode", ["mean", "cls", "max"])
def test_a_pooling_as_sentence_transformers_5_writes_it_gives_its_vectors(
    mode: Any, tmp_path: Path, small_encoder: Path
) -> None:
    source = with_pooling(small_encoder, tmp_path / "source", "mean_tokens")
    shutil.rmtree(source / "1_Pooling")
    (source / "1_Pooling").mkdir()
    Pooling(32, mode).save(str(source / "1_Pooling"))
    assert json.loads((source / "1_Pooling" / "config.json").read_text())["pooling_mode"] == mode
    bundle = export(source, tmp_path / "models", "feature-extraction")
    assert_equal_to_sentence_transformers(source, bundle)


def test_without_modules_a_text_gives_the_vectors_of_its_tokens(tmp_path: Path, small_encoder: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(small_encoder, source, ignore=shutil.ignore_patterns("modules.json", "sentence_bert_config.json"))
    bundle = export(source, tmp_path / "models", "feature-extraction")
    ask = pipeline_of(source, "feature-extraction")
    expected = [np.array(ask(text, truncation=True)[0], np.float32) for text in TEXTS]
    together = answered_together(bundle, [text.encode() for text in TEXTS])
    with tundish.open(tmp_path / "models", instances=1) as runtime:
        for text, vectors, batched in zip(TEXTS, expected, together, strict=True):
            result = runtime.predict("model", text=text).result
            assert isinstance(result, FeatureExtraction)
            for answer in (result.vector, batched.vector):
                assert answer.shape == vectors.shape, text
                assert (cosines(answer, vectors) >= 1 - COSINE_TOLERANCE).all(), text
