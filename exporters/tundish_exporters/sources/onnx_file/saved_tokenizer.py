"""A tokenizer's files as `save_pretrained` writes them, read without transformers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from tundish_exporters.errors import ExportError

FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
_ENDLESS = 10**30
"""What transformers takes for a length that nobody has set."""


@dataclass(frozen=True, slots=True)
class SavedTokenizer:
    """What `read_tokenizer`, `write_tokenizer` and `read_pooling` ask of a tokenizer of transformers."""

    backend_tokenizer: Tokenizer
    model_max_length: int
    truncation_side: str
    padding_side: str
    pad_token_id: int | None
    pad_token_type_id: int
    unk_token_id: int | None
    do_lower_case: bool
    is_fast: bool = True


def load_saved_tokenizer(directory: Path) -> SavedTokenizer:
    """That of a directory; raises ExportError if one of its files is missing or not what it should be."""
    config = read_object(directory / "tokenizer_config.json")
    path = directory / "special_tokens_map.json"
    said = {**(read_object(path) if path.is_file() else {}), **config}
    file = directory / "tokenizer.json"
    try:
        backend = Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises plain Exception
        raise ExportError(f"{file} is not a tokenizer: {error}.") from error

    def number(name: str) -> int | None:
        token = said.get(name)
        content = token.get("content") if isinstance(token, dict) else token
        return backend.token_to_id(content) if isinstance(content, str) else None

    padding = backend.padding or {}
    return SavedTokenizer(
        backend_tokenizer=backend,
        model_max_length=int(said.get("model_max_length") or _ENDLESS),
        truncation_side=said.get("truncation_side") or "right",
        padding_side=said.get("padding_side") or "right",
        pad_token_id=padding.get("pad_id") if (known := number("pad_token")) is None else known,
        pad_token_type_id=int(said.get("pad_token_type_id") or 0),
        unk_token_id=number("unk_token"),
        do_lower_case=bool(said.get("do_lower_case")),
    )


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file; raises ExportError if there is none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ExportError(f"{path} is not there; write it with the tokenizer's save_pretrained.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ExportError(f"{path} cannot be read: {error}.") from error
    if not isinstance(value, dict):
        raise ExportError(f"{path} is no JSON object.")
    return value
