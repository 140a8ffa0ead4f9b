"""Small models from configurations, for tests that need a family and not its accuracy.

Their weights are drawn wider than transformers draws them, so that answers differ from input to input.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
import transformers

_SPREAD = 0.6
"""Standard deviation of the weights, over the square root of their inputs."""


def _spread(model: torch.nn.Module) -> None:
    torch.manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                fan_in = parameter[0].numel()
                parameter.normal_(0, _SPREAD * 3 / fan_in**0.5)


def save_text_classifier(directory: Path, tokenizer_directory: Path, **config: Any) -> Path:
    """A one-layer BERT with three labels and MiniLM's tokenizer, as a Hugging Face directory."""
    labels = {0: "negative", 1: "neutral", 2: "positive"}
    settings: dict[str, Any] = {
        "vocab_size": 30522,
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": 64,
        "id2label": labels,
        "label2id": {name: index for index, name in labels.items()},
    }
    model: Any = transformers.BertForSequenceClassification(transformers.BertConfig(**{**settings, **config}))
    _spread(model)
    model.save_pretrained(directory)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"):
        shutil.copy(tokenizer_directory / name, directory / name)
    return directory


def save_image_classifier(directory: Path, model: Any, processor: Any) -> Path:
    """An image classifier of any family with its processor, as a Hugging Face directory."""
    _spread(model)
    model.eval()
    model.save_pretrained(directory)
    processor.save_pretrained(directory)
    return directory
