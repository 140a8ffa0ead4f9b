"""What the floors compute, and the benchmarks' inputs, on real models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

import tundish
from tundish.bundle import Bundle
from tundish.tasks.registry import load_task
from tundish_bench.demo_models import int8_bundle, newest_bundle, repository_of, review_texts
from tundish_bench.errors import BenchmarkError
from tundish_bench.floor import EngineWorker, ImageWorker, PipelineWorker


@pytest.fixture(scope="module")
def photo_bundle(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return int8_bundle(repository, "photo-labels", tmp_path_factory.mktemp("int8"))


@pytest.fixture(scope="module")
def images(photographs: list[Path]) -> list[bytes]:
    return [path.read_bytes() for path in photographs]


@pytest.fixture(scope="module")
def labels(repository: Path, images: list[bytes]) -> list[str]:
    """By the runtime itself."""
    with tundish.open(repository, instances=1) as runtime:
        results = [runtime.predict("photo-labels", image=image).result for image in images]
    return [result.labels[0].name for result in results if isinstance(result, tundish.ImageClassification)]


def test_floors_answer_as_the_runtime(photo_bundle: Bundle, images: list[bytes], labels: list[str]) -> None:
    turns = range(len(images))
    assert ImageWorker(photo_bundle, images).answers(turns) == labels
    assert PipelineWorker(photo_bundle, images, threads=2).answers(turns) == labels


def test_the_engine_alone_gives_the_class_of_the_label(
    photo_bundle: Bundle, images: list[bytes], labels: list[str]
) -> None:
    task = load_task(photo_bundle.manifest, photo_bundle.directory)
    rows = [task.collate([task.prepare(image)]) for image in images]
    names: Any = photo_bundle.manifest.postprocess
    worker = EngineWorker(photo_bundle, rows, batch_size=3)
    assert [names.labels[int(index)] for index in worker.answers([5, 3, 4])] == [labels[5], labels[3], labels[4]]


def test_a_repository_of_bundles_holds_just_those(tmp_path: Path, photo_bundle: Bundle) -> None:
    made = repository_of(tmp_path / "models", photo_bundle)
    assert [path.name for path in made.iterdir()] == ["photo-labels"]
    assert newest_bundle(made, "photo-labels").manifest == photo_bundle.manifest


def test_servers_are_compared_with_one_file_by_one_engine(repository: Path, photo_bundle: Bundle) -> None:
    whole = newest_bundle(repository, "photo-labels")
    (variant,) = photo_bundle.manifest.variants
    assert variant in whole.manifest.variants
    assert (variant.engine, variant.precision) == ("onnx", "int8")
    assert photo_bundle.path(variant.files[0]).read_bytes() == whole.path(variant.files[0]).read_bytes()


def test_a_model_without_the_variant_is_said(tmp_path: Path, repository: Path) -> None:
    with pytest.raises(BenchmarkError, match="has no int8 variant by ONNX Runtime"):
        int8_bundle(repository, "sentiment", tmp_path)


def test_a_model_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="holds no model 'photo-labels'"):
        newest_bundle(tmp_path, "photo-labels")


def test_the_texts_are_of_mixed_length_and_always_the_same(repository: Path, minilm_directory: Path) -> None:
    bundle = newest_bundle(repository, "minilm")
    texts = review_texts(bundle, 60)
    tokenizer = Tokenizer.from_file(str(minilm_directory / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    lengths = sorted(len(tokenizer.encode(text).ids) for text in texts)
    assert len(texts) == 60
    assert lengths[0] >= 8
    assert lengths[-1] <= 256
    assert lengths[5] < 25
    assert lengths[54] > 100
    assert texts == review_texts(bundle, 60)
