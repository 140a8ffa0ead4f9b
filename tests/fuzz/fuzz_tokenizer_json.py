"""Fuzzes the reading of tokenizer.json: python fuzz_tokenizer_json.py CORPUS -max_total_time=600 (see `make fuzz`).

An input is the file itself, or edits to one that is valid, so that most get past the parser. Any file either makes a
tokenizer or is refused by the error that callers catch; of what `tokenizers` makes of the file, one that is made gives
the library's tokens.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
import json
import sys
from pathlib import Path
from typing import Any

import atheris
from tokenizers import Tokenizer

from tundish_kernels import WordPiece, _tokenizer_json, wordpiece, wordpiece_from_json

TEXTS = ("", "ab a [MASK] Ab é 中! xyz", "AB\u0301 [SEP][mask] a-b")

LARGEST_ID = 1000
"""The library lists every id below the largest that has no word."""

_TOKEN = {"special": True, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
_WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "##b", "ab", "e", "##a", "é", "中", "!", "x", "##y")
_PROCESSORS: tuple[Any, ...] = (
    None,
    {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
    {
        "type": "RobertaProcessing",
        "sep": ["[SEP]", 3],
        "cls": ["[CLS]", 2],
        "trim_offsets": True,
        "add_prefix_space": False,
    },
    {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]}},
    },
)
_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    2**31 - 1,
    2**31,
    2**70,
    0.5,
    "",
    "a",
    "[MASK]",
    "##",
    "Ġ",
    [],
    {},
    [1],
    {"a": 1},
)
"""What takes another value's place."""


def tokenizer_json(processor: Any) -> dict[str, Any]:
    """A small one, as `tokenizers` writes it."""
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": 4, "content": "[MASK]", **_TOKEN}, {"id": len(_WORDS), "content": "Ab", **_TOKEN}],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": True,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": processor,
        "decoder": None,
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {word: index for index, word in enumerate(_WORDS)},
        },
    }


def edited(data: bytes) -> str:
    """A valid file after the edits that the bytes stand for."""
    choices = atheris.FuzzedDataProvider(data)
    root: Any = copy.deepcopy(tokenizer_json(_PROCESSORS[choices.ConsumeIntInRange(0, len(_PROCESSORS) - 1)]))
    for _ in range(choices.ConsumeIntInRange(1, 4)):
        node = root
        while True:
            places = list(node) if isinstance(node, dict) else list(range(len(node)))
            if not places:
                break
            place = places[choices.ConsumeIntInRange(0, len(places) - 1)]
            if isinstance(node[place], dict | list) and node[place] and choices.ConsumeIntInRange(0, 7) > 0:
                node = node[place]
                continue
            _edit(node, place, choices)
            break
    return json.dumps(root)


def _edit(node: Any, place: Any, choices: Any) -> None:
    kind = choices.ConsumeIntInRange(0, 3)
    if kind == 0:
        del node[place]
    elif kind == 1:
        node[place] = choices.ConsumeIntInRange(-3, 40)
    elif kind == 2 and isinstance(node, dict):
        node[choices.ConsumeUnicodeNoSurrogates(4)] = node[place]
    else:
        node[place] = copy.deepcopy(_VALUES[choices.ConsumeIntInRange(0, len(_VALUES) - 1)])


def check(data: bytes) -> None:
    """One input of the fuzzer's."""
    content: str | bytes = data[1:] if data[:1] == b"{" else edited(data[1:])
    with contextlib.suppress(ValueError):
        _tokens(wordpiece_from_json(content))
    try:
        library = Tokenizer.from_str(content if isinstance(content, str) else content.decode())
    except Exception:  # what the library raises
        return
    if max(library.get_vocab().values(), default=0) > LARGEST_ID:
        return
    understood = library.to_str()
    if _contents(understood) != _contents(content):
        return  # a token is there twice, of which the library forgets one
    try:
        made = wordpiece_from_json(understood)
    except ValueError:
        return
    library.no_truncation()
    library.no_padding()
    expected = [library.encode(text) for text in TEXTS]
    assert _tokens(made) == [(encoding.ids, encoding.type_ids, encoding.offsets) for encoding in expected]


def _contents(content: str | bytes) -> list[str]:
    return sorted(token["content"] for token in json.loads(content).get("added_tokens") or ())


def _tokens(tokenizer: WordPiece) -> list[tuple[list[int], list[int], list[tuple[int, int]]]]:
    tokens = []
    for text in TEXTS:
        made = wordpiece(tokenizer, (text,), offsets=True)
        assert made.offsets is not None
        tokens.append(
            (made.ids.tolist(), made.type_ids.tolist(), [(begin, end) for begin, end in made.offsets.tolist()])
        )
    return tokens


def write_seeds(corpus: Path) -> None:
    """The valid files, and edits of each, which the fuzzer begins with."""
    corpus.mkdir(parents=True, exist_ok=True)
    for index, processor in enumerate(_PROCESSORS):
        (corpus / f"file-{index}").write_bytes(b"{" + json.dumps(tokenizer_json(processor)).encode())
        (corpus / f"edit-{index}").write_bytes(bytes([0, *range(40 * index, 40 * index + 40)]))


if __name__ == "__main__":
    write_seeds(Path(sys.argv[1]))
    # By hand, because coverage of what an editable installation imports is lost.
    for function in filter(inspect.isfunction, vars(_tokenizer_json).values()):
        atheris.instrument_func(function)
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()
