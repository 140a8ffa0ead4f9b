"""What servers are compared on: the models, the questions, and the answers that the bundle gives in this process."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tundish
from tundish.bundle import Bundle
from tundish.results import ImageClassification, TextClassification
from tundish.tasks.registry import load_task
from tundish_bench.demo_models import copied_bundle, int8_bundle, photograph_paths, repository_of, review_texts
from tundish_bench.driving.questions import Question, ask_engine, ask_pipeline
from tundish_bench.floor import EngineWorker
from tundish_bench.peers.settings import PeerModel, image_model, tensor_model, text_model
from tundish_exporters.demo import PHOTO_MODEL, REVIEW_MODEL

WorkloadName = Literal["images", "tensors", "texts", "four-models"]

_TEXTS = 192
_TEXTS_OF_FOUR = 40
_SUFFIXES = ("a", "b")
"""Of the two models of each kind, where four are asked at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One thing that all servers do."""

    name: WorkloadName
    title: str
    item: str
    """What a request holds."""
    repository: Path
    """Of the bundles, for tundish."""
    models: tuple[PeerModel, ...]
    """The same for the peers."""
    questions: tuple[Question, ...]
    """Asked in this order, again and again."""
    expected: tuple[str, ...]
    """What the bundle answers to each in this process."""
    peers_differ_alone: float = 0.0
    """The share of questions that a peer may answer otherwise than the bundle: OpenCV resizes otherwise than Pillow,
    and ONNX Runtime joins operators of transformers that tundish keeps apart, by which last digits differ, and now and
    then the steps that activations are rounded to."""
    differ_loaded: float = 0.0
    """The share of answers that may be others among other questions than alone: dynamic quantisation scales a batch as
    a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoBundles:
    """The demo's two models with one variant alone, int8 by ONNX Runtime."""

    photos: Bundle
    reviews: Bundle


def demo_bundles(photos: Path, reviews: Path, scratch: Path) -> DemoBundles:
    """Those of two repositories, copied below `scratch`.

    Raises:
        BenchmarkError: a repository has no such model, or its int8 variant did not pass the gate.
    """
    return DemoBundles(
        photos=int8_bundle(photos, PHOTO_MODEL, scratch / "photos"),
        reviews=int8_bundle(reviews, REVIEW_MODEL, scratch / "reviews"),
    )


def make_workload(name: WorkloadName, bundles: DemoBundles, scratch: Path) -> Workload:
    """The workload of this name; its repository lies below `scratch`.

    Raises:
        BenchmarkError: a bundle asks for what the peers' models do not do.
    """
    return _MAKERS[name](bundles, scratch / name)


def _images(bundles: DemoBundles, repository: Path) -> Workload:
    bundle = bundles.photos
    repository_of(repository, bundle)
    questions = _photo_questions(bundle)
    return Workload(
        name="images",
        title="Image bytes to label",
        item="image",
        repository=repository,
        models=(image_model(bundle),),
        questions=questions,
        expected=_labels(repository, questions, [bundle]),
        peers_differ_alone=0.05,
    )


def _tensors(bundles: DemoBundles, repository: Path) -> Workload:
    bundle = bundles.photos
    repository_of(repository, bundle)
    task = load_task(bundle.manifest, bundle.directory)
    rows = [task.collate([task.prepare(path.read_bytes())]) for path in photograph_paths()]
    return Workload(
        name="tensors",
        title="Tensor to tensor",
        item="tensor",
        repository=repository,
        models=(tensor_model(bundle),),
        questions=tuple(ask_engine(bundle.manifest.model, row) for row in rows),
        expected=tuple(EngineWorker(bundle, rows).answers(range(len(rows)))),
    )


def _texts(bundles: DemoBundles, repository: Path) -> Workload:
    bundle = bundles.reviews
    repository_of(repository, bundle)
    questions = _review_questions(bundle, _TEXTS)
    return Workload(
        name="texts",
        title="Text to label, mixed lengths",
        item="text",
        repository=repository,
        models=(text_model(bundle),),
        questions=questions,
        expected=_labels(repository, questions, [bundle]),
        peers_differ_alone=0.03,
        differ_loaded=0.05,
    )


def _four_models(bundles: DemoBundles, repository: Path) -> Workload:
    copies = [
        copied_bundle(each, each.manifest.model_copy(update={"model": f"{each.manifest.model}-{suffix}"}), repository)
        for suffix in _SUFFIXES
        for each in (bundles.photos, bundles.reviews)
    ]
    makers = (_photo_questions, lambda bundle: _review_questions(bundle, _TEXTS_OF_FOUR))
    turns = [itertools.cycle(make(bundle)) for make, bundle in zip(makers * len(_SUFFIXES), copies, strict=True)]
    questions = tuple(next(turn) for _ in range(_TEXTS_OF_FOUR) for turn in turns)
    models = (image_model, text_model) * len(_SUFFIXES)
    return Workload(
        name="four-models",
        title="Four models at once",
        item="image or text",
        repository=repository,
        models=tuple(make(bundle) for make, bundle in zip(models, copies, strict=True)),
        questions=questions,
        expected=_labels(repository, questions, copies),
        peers_differ_alone=0.05,
        differ_loaded=0.05,
    )


_MAKERS: dict[WorkloadName, Callable[[DemoBundles, Path], Workload]] = {
    "images": _images,
    "tensors": _tensors,
    "texts": _texts,
    "four-models": _four_models,
}
WORKLOADS: tuple[WorkloadName, ...] = tuple(_MAKERS)


def _photo_questions(bundle: Bundle) -> tuple[Question, ...]:
    return tuple(ask_pipeline(bundle.manifest.model, "image", path.read_bytes()) for path in photograph_paths())


def _review_questions(bundle: Bundle, count: int) -> tuple[Question, ...]:
    return tuple(ask_pipeline(bundle.manifest.model, "text", text.encode()) for text in review_texts(bundle, count))


def _labels(repository: Path, questions: Sequence[Question], bundles: Sequence[Bundle]) -> tuple[str, ...]:
    """The first label of each question's item, by the runtime itself."""
    reads = {
        bundle.manifest.model: "image" if bundle.manifest.task.startswith("image") else "text" for bundle in bundles
    }

    def label(question: Question) -> str:
        name, item = question.model, question.item
        images = reads[name] == "image"
        prediction = runtime.predict(name, image=item) if images else runtime.predict(name, text=item.decode())
        result = prediction.result
        assert isinstance(result, ImageClassification | TextClassification)
        return result.labels[0].name

    with tundish.open(repository, instances=1) as runtime:
        return tuple(map(label, questions))
