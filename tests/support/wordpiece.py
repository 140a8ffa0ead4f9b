"""WordPiece tokenizers of Hugging Face's `tokenizers`, and the comparison of a batch with what it makes of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors

from tundish_kernels import Tokens, WordPiece, wordpiece, wordpiece_from_json

SPECIAL = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4}
ALPHABET = "".join(map(chr, range(33, 127))) + "éèßñáабвгдαβγσς한글가한अदना日本語漢字、。々ı€—“”"
WORDS = ("the", "cat", "un", "##believ", "##ably", "don", "##ing", "##'", "na", "##ive", "東京", "##é", "aa", "##aa")


def hugging_face_tokenizer(
    *,
    prefix: str = "##",
    maximum: int = 100,
    clean: bool = True,
    chinese: bool = True,
    strip: bool | None = None,
    lowercase: bool = True,
    added: Iterable[AddedToken] = (),
    template: str | None = "template",
    extra: Iterable[str] = (),
) -> Tokenizer:
    """One with a small vocabulary: most of ALPHABET, so that some words are unknown.

    It is read from its own JSON, as from a file. One in memory whose special token was added again knows more than it
    writes: it goes on to look for that token in the raw or normalised text as it was told at first.
    """
    words = [word.replace("##", prefix) for word in WORDS]
    letters = [letter for letter in ALPHABET if letter not in "qQ7"]
    vocabulary = dict(SPECIAL)
    for subword in (*letters, *(prefix + letter for letter in letters), *words, *extra):
        vocabulary.setdefault(subword, len(vocabulary))
    made = Tokenizer(
        models.WordPiece(
            vocabulary,
            unk_token="[UNK]",
            continuing_subword_prefix=prefix,
            max_input_chars_per_word=maximum,
        )
    )
    made.normalizer = normalizers.BertNormalizer(
        clean_text=clean, handle_chinese_chars=chinese, strip_accents=strip, lowercase=lowercase
    )
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    if template == "template":
        made.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]",
            pair="[CLS] $A [SEP] $B:1 [SEP]:1",
            special_tokens=[("[CLS]", SPECIAL["[CLS]"]), ("[SEP]", SPECIAL["[SEP]"])],
        )
    elif template == "bert":
        made.post_processor = processors.BertProcessing(("[SEP]", SPECIAL["[SEP]"]), ("[CLS]", SPECIAL["[CLS]"]))
    elif template == "roberta":
        made.post_processor = processors.RobertaProcessing(
            ("[SEP]", SPECIAL["[SEP]"]), ("[CLS]", SPECIAL["[CLS]"]), trim_offsets=True, add_prefix_space=False
        )
    made.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in SPECIAL])
    made.add_tokens(list(added))
    return Tokenizer.from_str(made.to_str())


def ours(tokenizer: Tokenizer) -> WordPiece:
    """The same tokenizer, native."""
    return wordpiece_from_json(tokenizer.to_str())


def assert_same(
    tokenizer: Tokenizer,
    native: WordPiece,
    texts: Sequence[str],
    pairs: Sequence[str] | None = None,
    *,
    add_special_tokens: bool = True,
    maximum: int | None = None,
    **options: Any,
) -> None:
    """Every id, type id, offset, word id and truncation is the library's."""
    if maximum is None:
        tokenizer.no_truncation()
    else:
        direction = options.get("side", "right")
        tokenizer.enable_truncation(maximum, strategy=options.get("strategy", "longest_first"), direction=direction)
    inputs = list(texts) if pairs is None else list(zip(texts, pairs, strict=True))
    expected = tokenizer.encode_batch(inputs, add_special_tokens=add_special_tokens)
    made = wordpiece(
        native,
        texts,
        pairs,
        add_special_tokens=add_special_tokens,
        maximum_tokens=maximum,
        offsets=True,
        word_ids=True,
        **options,
    )
    assert len(made.starts) == len(texts) + 1
    for index, encoding in enumerate(expected):
        assert row(made, index) == (
            encoding.ids,
            encoding.type_ids,
            encoding.offsets,
            [-1 if word is None else word for word in encoding.word_ids],
            bool(encoding.overflowing),
        ), inputs[index]


def row(tokens: Tokens, index: int) -> tuple[list[int], list[int], list[tuple[int, ...]], list[int], bool]:
    """Ids, type ids, offsets, word ids of one text, and whether it was truncated."""
    assert tokens.offsets is not None
    assert tokens.word_ids is not None
    place = slice(tokens.starts[index], tokens.starts[index + 1])
    offsets = [tuple(pair) for pair in tokens.offsets[place].tolist()]
    truncated = bool(tokens.truncated[index])
    return (
        tokens.ids[place].tolist(),
        tokens.type_ids[place].tolist(),
        offsets,
        tokens.word_ids[place].tolist(),
        truncated,
    )
