"""From a tokenizer in the `tokenizers` library's JSON form to a WordPiece, if it is one that is reproduced exactly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tundish_kernels._wordpiece import AddedToken, Template, WordPiece


def wordpiece_from_json(content: str | bytes) -> WordPiece:
    """Makes the tokenizer that a tokenizer.json describes.

    Texts give what they give to the library once it has read this JSON. One of its tokenizers in memory may differ from
    what it writes: of a special token that was added again as another, the JSON says only how it was added last.

    Truncation, padding and the decoder are left to the caller.

    Args:
        content: JSON as `tokenizers.Tokenizer.to_str` writes it.

    Raises:
        ValueError: It has a setting that is not reproduced exactly (it is named), or is not such JSON at all. Let
            `tokenizers` itself do the work then.
    """
    try:
        return _read(_mapping(json.loads(content), "the tokenizer"))
    except (AttributeError, IndexError, KeyError, OverflowError, RecursionError, TypeError) as error:
        raise ValueError(f"the tokenizer is not as the library writes it: {error}") from error


def _read(root: Mapping[str, Any]) -> WordPiece:
    model = _settings(
        root.get("model"),
        "model",
        "WordPiece",
        "vocab",
        "unk_token",
        "continuing_subword_prefix",
        "max_input_chars_per_word",
    )
    normalizer = _settings(
        root.get("normalizer"),
        "normalizer",
        "BertNormalizer",
        "clean_text",
        "handle_chinese_chars",
        "strip_accents",
        "lowercase",
    )
    _settings(root.get("pre_tokenizer"), "pre_tokenizer", "BertPreTokenizer")
    single, pair = _templates(root.get("post_processor"))
    vocabulary = _mapping(model["vocab"], "vocab")
    added_tokens = _added_tokens(root.get("added_tokens"), vocabulary)
    return WordPiece(
        vocabulary,
        unknown_token=model["unk_token"],
        continuing_prefix=model["continuing_subword_prefix"],
        maximum_word_characters=model["max_input_chars_per_word"],
        clean_text=normalizer["clean_text"],
        split_chinese=normalizer["handle_chinese_chars"],
        strip_accents=normalizer["strip_accents"],
        lowercase=normalizer["lowercase"],
        added_tokens=added_tokens,
        trim_offsets=_trims_offsets(root.get("post_processor"), added_tokens, vocabulary),
        single=single,
        pair=pair,
    )


def _mapping(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name} must be an object, got {type(value).__name__}")
    return value


def _settings(value: Any, name: str, kind: str, *keys: str) -> dict[str, Any]:
    """The object, if it is of this type and has these keys and no others."""
    settings = _mapping(value, name)
    if settings.get("type") != kind:
        raise ValueError(f"{name} must be {kind}, got {settings.get('type')}")
    if set(settings) != {"type", *keys}:
        raise ValueError(f"{name} must have {', '.join(keys) or 'no settings'}, got {', '.join(settings)}")
    return settings


def _added_tokens(value: Any, vocabulary: Mapping[str, int]) -> list[AddedToken]:
    keys = ("id", "content", "special", "single_word", "lstrip", "rstrip", "normalized")
    made = []
    next_id = len(vocabulary)
    for token in value or ():
        if not isinstance(token, dict) or set(token) != set(keys):
            raise ValueError(f"an added token must have {', '.join(keys)}, got {token}")
        # What the library does, whatever the file says: a new token gets the next id.
        expected = vocabulary.get(token["content"], next_id)
        next_id += token["content"] not in vocabulary
        if token["id"] != expected:
            raise ValueError(f"the added token {token['content']!r} must have the id {expected}, got {token['id']}")
        made.append(
            AddedToken(
                token["content"],
                token["id"],
                token["single_word"],
                token["lstrip"],
                token["rstrip"],
                token["normalized"],
            )
        )
    if len({token.id for token in made}) < len(made):
        raise ValueError("added tokens must have ids of their own, got one twice")
    return made


def _templates(value: Any) -> tuple[Template, Template]:
    """How a text alone and a pair are put together."""
    if value is None:
        return (("A", 0),), (("A", 0), ("B", 1))
    kind = _mapping(value, "post_processor").get("type")
    if kind == "BertProcessing":
        bert = _settings(value, "post_processor", kind, "sep", "cls")
        start, end = int(bert["cls"][1]), int(bert["sep"][1])
        single: Template = ((start, 0), ("A", 0), (end, 0))
        return single, (*single, ("B", 1), (end, 1))
    if kind == "RobertaProcessing":
        roberta = _settings(value, "post_processor", kind, "sep", "cls", "trim_offsets", "add_prefix_space")
        start, end = int(roberta["cls"][1]), int(roberta["sep"][1])
        single = ((start, 0), ("A", 0), (end, 0))
        return single, (*single, (end, 0), ("B", 0), (end, 0))
    template = _settings(value, "post_processor", "TemplateProcessing", "single", "pair", "special_tokens")
    special = _mapping(template["special_tokens"], "special_tokens")
    return _template(template["single"], special), _template(template["pair"], special)


def _trims_offsets(value: Any, added_tokens: list[AddedToken], vocabulary: Mapping[str, int]) -> bool:
    """Whether offsets leave out whitespace, which only added tokens have."""
    if not isinstance(value, dict) or not value.get("trim_offsets"):
        return False
    # The processor takes the letter for a blank, as it is in another kind of tokenizer, and may keep a first blank.
    if any("Ġ" in token for token in (*vocabulary, *(token.content for token in added_tokens))):
        raise ValueError("no token must hold Ġ if offsets are trimmed, got one that does")
    if value.get("add_prefix_space") and any(token.strip_left for token in added_tokens):
        raise ValueError("no added token must strip at its left if a prefix is added, got one that does")
    return True


def _template(pieces: Any, special: Mapping[str, Any]) -> Template:
    made: list[Any] = []
    for piece in pieces:
        ((kind, settings),) = _mapping(piece, "a piece of a template").items()
        if kind == "Sequence":
            made.append((settings["id"], settings["type_id"]))
        elif kind == "SpecialToken" and settings["id"] in special:
            made.extend((id_, settings["type_id"]) for id_ in special[settings["id"]]["ids"])
        else:
            raise ValueError(f"a piece of a template must be a Sequence or a SpecialToken that is there, got {piece}")
    return made
