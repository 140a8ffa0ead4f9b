"""Small random token classifiers of the text families, and what transformers' pipeline makes of a text with one."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
import transformers

from support.model_families import POSITIONS, TEXT_FAMILIES, save_family
from tundish.results import Entity

TOKEN_LABELS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC", "MISC")

_BALANCED_ON = (
    "Wolfgang Amadeus Mozart lived in Salzburg, and then in Vienna; unbelievably, he never saw Reykjavik.",
    "The tundish stands between the ladle and the moulds of the Voestalpine works at Graz.",
    "Größe, façade, naïve: pressure below the limit!",
)


def save_token_classifier(directory: Path, family: str, words: Path) -> Path:
    """One of `TEXT_FAMILIES` whose head labels tokens, each label about as often as the others."""
    classifier, tokenizer = TEXT_FAMILIES[family](words)
    config = classifier.config
    config.id2label = dict(enumerate(TOKEN_LABELS))
    config.label2id = {label: index for index, label in enumerate(TOKEN_LABELS)}
    model: Any = transformers.AutoModelForTokenClassification.from_config(config)
    save_family(directory, (model, tokenizer))
    _balance(model, tokenizer)
    model.save_pretrained(directory)
    return directory


@torch.no_grad()
def _balance(model: Any, tokenizer: Any) -> None:
    texts = tokenizer(list(_BALANCED_ON), truncation=True, max_length=POSITIONS, padding=True, return_tensors="pt")
    logits = model(**texts).logits[texts["attention_mask"].bool()]
    scale = 2.0 / logits.std(0)
    model.classifier.weight.mul_(scale[:, None])
    model.classifier.bias.copy_((model.classifier.bias - logits.mean(0)) * scale)


def pipeline_entities(answer: list[dict[str, Any]], text: str) -> list[Entity]:
    """What the pipeline has found in the text, as this project writes it."""
    return [
        Entity(
            entry.get("entity_group") or entry["entity"],
            float(entry["score"]),
            entry["start"],
            entry["end"],
            text[entry["start"] : entry["end"]],
        )
        for entry in answer
    ]


def token_pipeline(source: Path, aggregation: str) -> Any:
    """What a user of transformers writes, truncating to what the families read."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(source, model_max_length=POSITIONS)
    pipeline: Any = transformers.pipeline(
        "token-classification", model=str(source), tokenizer=tokenizer, aggregation_strategy=aggregation
    )

    def ask(text: str) -> list[Entity]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the tokenizer marks no words
            return pipeline_entities(pipeline(text), text)

    return ask


def entity_faults(expected: list[Entity], actual: tuple[Entity, ...], tolerance: float = 1e-3) -> list[str]:
    """Where two lists of entities differ; scores may by the tolerance."""
    if [(each.place, each.text) for each in expected] != [(each.place, each.text) for each in actual]:
        return [f"{actual} for {expected}"]
    return [
        f"{found.place} has the score {found.score} for {wanted.score}"
        for wanted, found in zip(expected, actual, strict=True)
        if not abs(wanted.score - found.score) <= tolerance
    ]
