"""Small random networks of the text families for the tasks that are not classification."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers

from support.model_families import POSITIONS, TEXT_FAMILIES, save_family


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


def save_page_answer_finder(directory: Path, family: str, words: Path, **config: Any) -> Path:
    """A LayoutLM with the tokenizer of one of `TEXT_FAMILIES`."""
    tokenizer = page_tokenizer(family, words)
    library: Any = transformers
    made = library.LayoutLMConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, vocab_size=len(tokenizer),
        max_position_embeddings=POSITIONS, **config,
    )  # fmt: skip
    return save_family(directory, (library.LayoutLMForQuestionAnswering(made), tokenizer))


def page_tokenizer(family: str, words: Path) -> Any:
    """The family's, as it reads words that are told apart already."""
    _, tokenizer = TEXT_FAMILIES[family](words)
    if family != "roberta":
        return tokenizer
    backend = tokenizer.backend_tokenizer
    backend.pre_tokenizer.add_prefix_space = True
    library: Any = transformers
    return library.RobertaTokenizerFast(tokenizer_object=backend, add_prefix_space=True)
