"""Small random networks of the text families for the tasks that are not classification."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers

from support.model_families import TEXT_FAMILIES, save_family


def save_for(directory: Path, family: str, words: Path, auto_class: Any, **config: Any) -> Path:
    """One of `TEXT_FAMILIES` with the head of an `AutoModelFor…`, and what its configuration is to say besides."""
    classifier, tokenizer = TEXT_FAMILIES[family](words)
    classifier.config.update(config)
    return save_family(directory, (auto_class.from_config(classifier.config), tokenizer))


def save_ranker(directory: Path, family: str, words: Path, **config: Any) -> Path:
    """A cross-encoder with one score."""
    label = {"id2label": {0: "LABEL_0"}, "label2id": {"LABEL_0": 0}}
    return save_for(
        directory,
        family,
        words,
        transformers.AutoModelForSequenceClassification,
        **{"num_labels": 1, **label, **config},
    )


def save_answer_finder(directory: Path, family: str, words: Path) -> Path:
    return save_for(directory, family, words, transformers.AutoModelForQuestionAnswering, num_labels=2)


def save_mask_filler(directory: Path, family: str, words: Path) -> Path:
    return save_for(directory, family, words, transformers.AutoModelForMaskedLM)
