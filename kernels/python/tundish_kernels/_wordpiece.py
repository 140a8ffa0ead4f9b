"""The Python forms of wordpiece: its vocabulary and settings, its result, and the checks of types and shapes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tundish_kernels import _native
from tundish_kernels._arguments import as_integer, as_list
from tundish_kernels._arrays import check_output

Strategy = Literal["longest_first", "only_first", "only_second"]
Side = Literal["left", "right"]
Template: TypeAlias = Sequence[tuple[Literal["A", "B"] | int, int]]
"""What a result is put together from, in order: text "A" or "B" or a special token's id, each with a type id."""

_TEXTS_ALONE: Template = (("A", 0),)
_PAIRS_ALONE: Template = (("A", 0), ("B", 1))


class AddedToken(NamedTuple):
    """A token that is found in the text as it stands, before the text is split into words."""

    content: str
    id: int
    single_word: bool = False
    """Only where no letter, digit or the like is beside it."""
    strip_left: bool = False
    """Takes the whitespace before it, too."""
    strip_right: bool = False
    """Takes the whitespace behind it, too."""
    normalized: bool = False
    """Sought, normalised itself, in the normalised text."""


class Tokens(NamedTuple):
    """Ragged arrays: the tokens of text i are those from `starts[i]` up to `starts[i + 1]`."""

    ids: NDArray[np.int32]
    """`[tokens]`"""
    type_ids: NDArray[np.int32]
    """`[tokens]`: which part of the template a token is of."""
    starts: NDArray[np.int64]
    """`[texts + 1]`, ascending from 0."""
    truncated: NDArray[np.bool_]
    """`[texts]`: whether tokens were left out."""
    offsets: NDArray[np.int32] | None = None
    """`[tokens, 2]`: the first character of a token in its text, and the one behind its last; 0, 0 if special."""
    word_ids: NDArray[np.int32] | None = None
    """`[tokens]`: which word of its text a token is of, from 0; -1 if special."""


class WordPiece:
    """A tokenizer of BERT's kind: normaliser, words at whitespace and punctuation, longest subwords of a vocabulary.

    Its tables (a few megabytes) are built once and then only read, by any number of threads.
    """

    def __init__(
        self,
        vocabulary: Mapping[str, int],
        *,
        unknown_token: str = "[UNK]",  # noqa: S107 - no password
        continuing_prefix: str = "##",
        maximum_word_characters: int = 100,
        clean_text: bool = True,
        split_chinese: bool = True,
        strip_accents: bool | None = None,
        lowercase: bool = True,
        added_tokens: Iterable[AddedToken] = (),
        trim_offsets: bool = False,
        single: Template = _TEXTS_ALONE,
        pair: Template = _PAIRS_ALONE,
    ) -> None:
        """Builds the tables; some 30 ms for BERT's 30,000 subwords.

        Args:
            vocabulary: Ids of subwords; those that continue a word begin with `continuing_prefix`.
            unknown_token: What a word is that the vocabulary does not cover; must be in the vocabulary.
            continuing_prefix: May be empty.
            maximum_word_characters: A word of more (once normalised) is the unknown token; at most 1000.
            clean_text: Remove control characters.
            split_chinese: Make a word of each CJK ideograph.
            strip_accents: Decompose and remove nonspacing marks; None does so if `lowercase` is set.
            lowercase: Make capitals small.
            added_tokens: Found in the text as they stand; a token of the vocabulary keeps its id.
            trim_offsets: Leave out of an added token's offsets the whitespace that it takes.
            single: How a text alone is put together; has "A" once.
            pair: How two texts are put together; has "A" and "B" once each.

        Raises:
            TypeError: An argument is of the wrong type.
            ValueError: A value is not as said above, or one that `tokenizers` itself treats unlike any other: added
                tokens that are empty or the same once normalised, or that begin or end in whitespace.
        """
        if not isinstance(vocabulary, Mapping):
            raise TypeError(f"vocabulary must be a mapping of strings to integers, got {type(vocabulary).__name__}")
        self.native = _native.WordPiece(
            [(_as_text(subword, "a subword"), _as_id(id_, "an id")) for subword, id_ in vocabulary.items()],
            _as_text(unknown_token, "unknown_token"),
            _as_text(continuing_prefix, "continuing_prefix"),
            as_integer(maximum_word_characters, "maximum_word_characters"),
            bool(clean_text),
            bool(split_chinese),
            bool(lowercase if strip_accents is None else strip_accents),
            bool(lowercase),
            [_added(token, index) for index, token in enumerate(as_list(added_tokens, "added_tokens"))],
            bool(trim_offsets),
            _pieces(single, "single"),
            _pieces(pair, "pair"),
        )


def wordpiece(
    tokenizer: WordPiece,
    texts: Sequence[str | bytes],
    pairs: Sequence[str | bytes] | None = None,
    *,
    add_special_tokens: bool = True,
    maximum_tokens: int | None = None,
    strategy: Strategy = "longest_first",
    side: Side = "right",
    offsets: bool = False,
    word_ids: bool = False,
) -> Tokens:
    """Tokenizes a batch of texts, or of pairs of texts, as Hugging Face's `tokenizers` does.

    Args:
        tokenizer: Vocabulary, settings and templates.
        texts: Strings, or UTF-8 as bytes.
        pairs: The second text of each pair; as many as texts.
        add_special_tokens: Put in what the template says.
        maximum_tokens: Truncate to so many, special tokens included; None leaves all.
        strategy: Which text of a pair to truncate.
        side: Which end of a text is cut off.
        offsets: Also find where in its text each token is, in characters.
        word_ids: Also number the words that tokens are of.

    Returns:
        New arrays. Ids, type ids, offsets and word ids equal those of `tokenizers` 0.22 with BertNormalizer,
        BertPreTokenizer and WordPiece for every text.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A text is not UTF-8 (its index is named), `maximum_tokens` is less than the special tokens, or the
            strategy cannot shorten a text enough.
    """
    first, second = read_texts(texts, pairs)
    options = read_options(add_special_tokens, maximum_tokens, strategy, side)
    native = read_tokenizer(tokenizer)
    capacity = _native.wordpiece_capacity(native, first, second, options)
    made = Tokens(
        np.empty(capacity, np.int32),
        np.empty(capacity, np.int32),
        np.empty(len(first) + 1, np.int64),
        np.empty(len(first), np.bool_),
        np.empty((capacity, 2), np.int32) if offsets else None,
        np.empty(capacity, np.int32) if word_ids else None,
    )
    _run(made, native, first, second, options)
    size = made.starts[-1]
    return Tokens(
        made.ids[:size].copy(),
        made.type_ids[:size].copy(),
        made.starts,
        made.truncated,
        None if made.offsets is None else made.offsets[:size].copy(),
        None if made.word_ids is None else made.word_ids[:size].copy(),
    )


def wordpiece_into(
    destination: Tokens,
    tokenizer: WordPiece,
    texts: Sequence[str | bytes],
    pairs: Sequence[str | bytes] | None = None,
    *,
    add_special_tokens: bool = True,
    maximum_tokens: int | None = None,
    strategy: Strategy = "longest_first",
    side: Side = "right",
) -> int:
    """Does what `wordpiece` does, into arrays of the caller's; finds offsets and word ids if there are arrays for them.

    Runs on the calling thread without the GIL. Scratch memory is some 30 KiB and 20 bytes a token of the longest text
    (30 bytes a byte of text without blanks, or with normalised added tokens), freed before the return. Nothing is
    written if an argument is wrong; what was written is undefined if a strategy cannot shorten a text enough.

    Args:
        destination: Writable C-contiguous arrays apart from each other, with room for at least as many tokens as
            `wordpiece_capacity` says.
        tokenizer: See `wordpiece`.
        texts: See `wordpiece`.
        pairs: See `wordpiece`.
        add_special_tokens: See `wordpiece`.
        maximum_tokens: See `wordpiece`.
        strategy: See `wordpiece`.
        side: See `wordpiece`.

    Returns:
        The number of tokens, `destination.starts[-1]`; what is behind them in the arrays is as it was.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An array is not as said above; or see `wordpiece`.
    """
    first, second = read_texts(texts, pairs)
    options = read_options(add_special_tokens, maximum_tokens, strategy, side)
    native = read_tokenizer(tokenizer)
    if not isinstance(destination, Tokens):
        raise TypeError(f"destination must be Tokens, got {type(destination).__name__}")
    try:
        _run(destination, native, first, second, options)
    except (TypeError, ValueError):
        # The native code refuses whatever is wrong; to say what it is takes longer than a short text.
        _check_destination(destination, len(first), _native.wordpiece_capacity(native, first, second, options))
        raise
    return int(destination.starts[-1])


def wordpiece_capacity(
    tokenizer: WordPiece,
    texts: Sequence[str | bytes],
    pairs: Sequence[str | bytes] | None = None,
    *,
    add_special_tokens: bool = True,
    maximum_tokens: int | None = None,
) -> int:
    """The most tokens that the texts can give: their bytes and special tokens, or `maximum_tokens` each if less.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: `maximum_tokens` is less than the special tokens.
    """
    first, second = read_texts(texts, pairs)
    options = read_options(add_special_tokens, maximum_tokens, "longest_first", "right")
    return _native.wordpiece_capacity(read_tokenizer(tokenizer), first, second, options)


def _run(
    made: Tokens,
    tokenizer: _native.WordPiece,
    first: _native.Texts,
    second: _native.Texts | None,
    options: _native.WordPieceOptions,
) -> None:
    _native.wordpiece_into(
        made.ids,
        made.type_ids,
        made.offsets,
        made.word_ids,
        made.starts,
        made.truncated,
        tokenizer,
        first,
        second,
        options,
    )


def read_tokenizer(tokenizer: object) -> _native.WordPiece:
    """The native part of a WordPiece.

    Raises:
        TypeError: It is something else.
    """
    if not isinstance(tokenizer, WordPiece):
        raise TypeError(f"tokenizer must be a WordPiece, got {type(tokenizer).__name__}")
    return tokenizer.native


def read_texts(
    texts: Sequence[str | bytes], pairs: Sequence[str | bytes] | None
) -> tuple[_native.Texts, _native.Texts | None]:
    """Texts, and the second ones of pairs, as the native code takes them.

    Raises:
        TypeError: One is neither a string nor bytes.
        ValueError: One holds a lone surrogate, or there are more of the one than of the other.
    """
    first = _native_texts(texts, "texts")
    if pairs is None:
        return first, None
    second = _native_texts(pairs, "pairs")
    if len(second) != len(first):
        raise ValueError(f"pairs must be as many as texts ({len(first)}), got {len(second)}")
    return first, second


def _native_texts(texts: object, name: str) -> _native.Texts:
    # A string is a sequence of strings as well, which nobody means.
    if isinstance(texts, str | bytes) or not isinstance(texts, Iterable):
        raise TypeError(f"{name} must be a sequence of str or bytes, got {type(texts).__name__}")
    return _native.Texts(texts, name)


def read_options(
    add_special_tokens: bool, maximum_tokens: int | None, strategy: object, side: object
) -> _native.WordPieceOptions:
    """What applies to each text of a call.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A value is none of those that it may be.
    """
    if not isinstance(strategy, str):
        raise TypeError(f"strategy must be a string, got {strategy!r}")
    if side not in ("left", "right"):
        raise ValueError(f"side must be left or right, got {side!r}")
    maximum = -1 if maximum_tokens is None else as_integer(maximum_tokens, "maximum_tokens")
    if maximum_tokens is not None and maximum < 0:
        raise ValueError(f"maximum_tokens must not be negative, got {maximum}")
    return _native.WordPieceOptions(bool(add_special_tokens), maximum, strategy, side == "left")


def _check_destination(destination: Tokens, texts: int, capacity: int) -> None:
    ids, type_ids, starts, truncated, offsets, word_ids = destination
    room = max(len(ids), capacity) if isinstance(ids, np.ndarray) and ids.ndim == 1 else capacity
    check_output(ids, "destination.ids", (room,), np.int32, ragged=True)
    check_output(type_ids, "destination.type_ids", (room,), np.int32, ragged=True)
    check_output(starts, "destination.starts", (texts + 1,), np.int64, ragged=True)
    check_output(truncated, "destination.truncated", (texts,), np.bool_, ragged=True)
    if offsets is not None:
        check_output(offsets, "destination.offsets", (room, 2), np.int32, ragged=True)
    if word_ids is not None:
        check_output(word_ids, "destination.word_ids", (room,), np.int32, ragged=True)


def _as_text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, got {value!r}")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError(f"{name} must be UTF-8, got a lone surrogate in {value!r}") from None
    return value


def _as_id(value: object, name: str) -> int:
    number = as_integer(value, name)
    if not 0 <= number < 2**31:
        raise ValueError(f"{name} must be between 0 and {2**31 - 1}, got {number}")
    return number


def _added(token: object, index: int) -> tuple[str, int, bool, bool, bool, bool]:
    name = f"added_tokens[{index}]"
    if not isinstance(token, AddedToken):
        raise TypeError(f"{name} must be an AddedToken, got {token!r}")
    content, id_, *flags = token
    single_word, strip_left, strip_right, normalized = map(bool, flags)
    return _as_text(content, name), _as_id(id_, f"{name}.id"), single_word, strip_left, strip_right, normalized


def _pieces(template: Template, name: str) -> list[tuple[str, int, int]]:
    made: list[tuple[str, int, int]] = []
    for index, piece in enumerate(as_list(template, name)):
        try:
            what, type_id = piece
        except (TypeError, ValueError):
            raise TypeError(f"{name}[{index}] must be ('A', type), ('B', type) or (id, type), got {piece!r}") from None
        checked = _as_id(type_id, f"the type id of {name}[{index}]")
        if isinstance(what, str):
            if what not in ("A", "B"):
                raise ValueError(f"{name}[{index}] must be of text A or B, got {what!r}")
            made.append((what, 0, checked))
        else:
            made.append(("", _as_id(what, f"{name}[{index}]"), checked))
    return made
