"""Reads a transformers tokenizer as the manifest's pre-processing rule and file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tundish.manifest import TextInput, TextPreprocess
from tundish_exporters.errors import ExportError

_UNSET_LENGTH = 10**9
"""transformers writes an absurdly large number where a tokenizer has no maximum length."""

_POSITIONS_BEGIN_BEHIND_PADDING = frozenset(
    {"roberta", "xlm-roberta", "camembert", "mpnet", "longformer", "xlm-roberta-xl"}
)
"""Architectures whose position numbers begin one behind the padding id, so that so many positions are lost."""


def read_tokenizer(tokenizer: Any, config: Any, directory: Path, reads: tuple[TextInput, ...]) -> TextPreprocess:
    """The rule by which the tokenizer prepares a text, or several as one sequence: the parts that the model reads.

    Raises:
        ExportError: it has no fast form, or nothing says how long a text may be.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise ExportError(
            f"{directory} has only a slow tokenizer ({type(tokenizer).__name__}); save its fast form beside it."
        )
    return TextPreprocess(
        reads=reads,
        maximum_tokens=_maximum_tokens(tokenizer, config, directory),
        truncation_side=tokenizer.truncation_side,
        padding_side=tokenizer.padding_side,
        padding_id=tokenizer.pad_token_id or 0,
        padding_type_id=tokenizer.pad_token_type_id,
    )


def write_tokenizer(tokenizer: Any, path: Path) -> None:
    """Writes it in the `tokenizers` library's JSON form; truncation and padding are the manifest's business."""
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    path.write_text(backend.to_str(), encoding="utf-8")


def _maximum_tokens(tokenizer: Any, config: Any, directory: Path) -> int:
    """The smallest of the limits: the tokenizer's, the network's positions, and sentence-transformers' own."""
    limits = [tokenizer.model_max_length]
    positions = getattr(config, "max_position_embeddings", None)
    if isinstance(positions, int) and positions > 0:
        lost = (config.pad_token_id or 0) + 1 if config.model_type in _POSITIONS_BEGIN_BEHIND_PADDING else 0
        limits.append(positions - lost)
    path = directory / "sentence_bert_config.json"
    if path.is_file():
        try:
            limits.append(json.loads(path.read_text(encoding="utf-8")).get("max_seq_length") or _UNSET_LENGTH)
        except (ValueError, AttributeError) as error:
            raise ExportError(f"{path} cannot be read: {error}.") from error
    limit = min(limits)
    if limit >= _UNSET_LENGTH:
        raise ExportError(
            f"Nothing in {directory} limits a text's length; set model_max_length in tokenizer_config.json."
        )
    return int(limit)
