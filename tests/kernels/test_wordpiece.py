"""wordpiece against Hugging Face's tokenizers: ids, type ids, offsets, word ids and truncation of every text."""
# ruff: noqa: RUF001 - letters of many scripts

from __future__ import annotations

import itertools
import threading
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.kernels import outputs_by_isa
from support.wordpiece import ALPHABET, SPECIAL, assert_same, hugging_face_tokenizer, ours
from tokenizers import AddedToken, Tokenizer, processors

from tundish_kernels import Tokens, WordPiece, wordpiece, wordpiece_capacity, wordpiece_from_json, wordpiece_into
from tundish_kernels._wordpiece import Side, Strategy

FLAGS = list(itertools.product([True, False], [True, False], [None, True, False], [True, False]))
TOKENIZERS = {
    flags: hugging_face_tokenizer(clean=flags[0], chinese=flags[1], strip=flags[2], lowercase=flags[3])
    for flags in FLAGS
}
NATIVE = {flags: ours(tokenizer) for flags, tokenizer in TOKENIZERS.items()}
BERT = (True, True, None, True)
TEMPLATES = {
    template: (made := hugging_face_tokenizer(template=template), ours(made))
    for template in ("template", "bert", "roberta", None)
}

characters = st.characters(exclude_categories=["Cs"])
marks = st.characters(categories=["Mn", "Mc", "Me"])
controls = st.characters(categories=["Cc", "Cf", "Zs", "Zl", "Zp"])
pieces = st.one_of(
    st.sampled_from(
        [
            "[MASK]",
            "[SEP]",
            "[CLS",
            " ",
            "the",
            "cat",
            "Unbelievably",
            "don't",
            "東京",
            "한글",
            "e\u0301",
            "İ",
            "ſ",
            "ǅ",
        ]
    ),
    st.sampled_from(
        ["👩\u200d👧", "\U0001d160\u0301", "\u0344", "\u0f73\u0f74", "\u302e\u0301", "\ua9c0\u0323", "\ufffd\0"]
    ),
    st.text(ALPHABET, max_size=5),
    st.text(marks, max_size=4),
    st.text(controls, max_size=2),
    st.text(characters, max_size=3),
)
texts = st.one_of(st.text(characters, max_size=60), st.lists(pieces, max_size=30).map("".join))
flags = st.sampled_from(FLAGS)
quick = settings(max_examples=300, deadline=None)


@quick
@given(flags=flags, batch=st.lists(texts, min_size=1, max_size=4))
@example(flags=BERT, batch=["", " ", "\0", "a", "[SEP]"])
def test_every_text_is_tokenized_as_the_library_does(flags: Any, batch: list[str]) -> None:
    assert_same(TOKENIZERS[flags], NATIVE[flags], batch)


@settings(max_examples=100, deadline=None)
@given(
    batch=st.lists(st.tuples(texts, texts), min_size=1, max_size=3),
    special=st.booleans(),
    maximum=st.none() | st.integers(4, 40),
    side=st.sampled_from(get_args(Side)),
)
@pytest.mark.parametrize("template", list(TEMPLATES))
def test_pairs_are_put_together_and_truncated_alike(
    template: str | None, batch: list[tuple[str, str]], special: bool, maximum: int | None, side: Side
) -> None:
    tokenizer, native = TEMPLATES[template]
    first, second = map(list, zip(*batch, strict=True))
    options: Any = {"add_special_tokens": special, "maximum": maximum, "side": side}
    assert_same(tokenizer, native, first, second, **options)
    assert_same(tokenizer, native, first, **options)


@pytest.mark.parametrize("side", get_args(Side))
@pytest.mark.parametrize("strategy", get_args(Strategy))
def test_every_strategy_keeps_as_many_tokens_of_each_text(strategy: Strategy, side: Side) -> None:
    tokenizer, native = TOKENIZERS[BERT], NATIVE[BERT]
    sizes = [0, 1, 2, 5, 6, 7, 12, 30]
    for first, second, maximum in itertools.product(sizes, sizes, [3, 4, 5, 6, 11, 12, 13]):
        inputs: Any = (["a " * first], ["b " * second])
        tokenizer.enable_truncation(maximum, strategy=strategy, direction=side)
        try:
            tokenizer.encode_batch(list(zip(*inputs, strict=True)))
        except Exception:  # the library raises plain Exception
            index = "pairs" if strategy == "only_second" else "texts"
            with pytest.raises(ValueError, match=rf"{index}\[0\] must have more than the \d+ tokens that are over"):
                wordpiece(native, *inputs, maximum_tokens=maximum, strategy=strategy, side=side)
        else:
            assert_same(tokenizer, native, *inputs, maximum=maximum, strategy=strategy, side=side)


def test_a_single_text_has_no_second_to_truncate() -> None:
    assert_same(TOKENIZERS[BERT], NATIVE[BERT], ["a b c"], maximum=5, strategy="only_second")
    assert_same(TOKENIZERS[BERT], NATIVE[BERT], ["a b c d"], maximum=5, strategy="only_first")
    with pytest.raises(ValueError, match=r"pairs\[0\] must have more than the 1 tokens"):
        wordpiece(NATIVE[BERT], ["a b c d"], maximum_tokens=5, strategy="only_second")


@pytest.mark.parametrize("letter", ["a", "é", "e\u0301", "가", "\u0334", "日", "\U0001f600", "A\0"])
@pytest.mark.parametrize("flags", [BERT, (True, True, None, False), (False, False, False, False)])
def test_a_word_counts_as_many_characters_as_in_the_library(flags: Any, letter: str) -> None:
    words = [letter * count for count in (32, 33, 34, 49, 50, 51, 99, 100, 101, 400)]
    assert_same(TOKENIZERS[flags], NATIVE[flags], [*words, " ".join(words)])


def test_the_limit_of_a_word_may_be_another() -> None:
    for maximum in (0, 1, 3, 1000):
        tokenizer = hugging_face_tokenizer(maximum=maximum)
        assert_same(tokenizer, ours(tokenizer), ["a aa aaa aaaa", "a" * 1000, "a" * 1001, ""])


@pytest.mark.parametrize("prefix", ["", "@", "un", "é", "zz"])
def test_the_prefix_of_continuing_subwords_may_be_another(prefix: str) -> None:
    tokenizer = hugging_face_tokenizer(prefix=prefix, extra=["una", "unb", "@@", "zz"])
    assert_same(tokenizer, ours(tokenizer), ["unbelievably", "unun una unaa", "@a a@a @@@", "zza éé", "e\u0301a"])


ADDED = st.lists(
    st.builds(
        AddedToken,
        st.sampled_from(
            ["[MASK]", "Day", "day", "foo bar", "é", "ab", "abc", "日", "-", "한", "x\ty", "\u0301", "[MAS"]
        ),
        single_word=st.booleans(),
        lstrip=st.booleans(),
        rstrip=st.booleans(),
        normalized=st.booleans(),
        special=st.booleans(),
    ),
    max_size=5,
    unique_by=lambda token: token.content,
)
AROUND = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "[MASK]",
                "[mask]",
                "Day",
                "DAY",
                "foo bar",
                "FOO  bar",
                "é",
                "É",
                "e\u0301",
                "abc",
                "日",
                "-",
                "한",
                "x\ty",
            ]
        ),
        st.sampled_from([" ", "  ", "\t", "\u00a0", "\u2028", "a", "_", ".", "\u0301", "\0", "\u200d"]),
        texts,
    ),
    max_size=12,
).map("".join)


@settings(max_examples=200, deadline=None)
@given(
    added=ADDED,
    batch=st.lists(AROUND, min_size=1, max_size=4),
    flags=flags,
    maximum=st.none() | st.integers(2, 9),
    template=st.sampled_from(["template", "roberta"]),
)
def test_added_tokens_are_found_by_every_setting(
    added: list[AddedToken], batch: list[str], flags: Any, maximum: int | None, template: str
) -> None:
    clean, chinese, strip, lowercase = flags
    options: Any = {"clean": clean, "chinese": chinese, "strip": strip, "lowercase": lowercase}
    tokenizer = hugging_face_tokenizer(**options, added=added, template=template)
    try:
        native = ours(tokenizer)
    except ValueError as error:
        assert "once normalized" in str(error) or "must differ from" in str(error)
    else:
        assert_same(tokenizer, native, batch, maximum=maximum)


def test_a_special_token_that_is_added_again_is_as_its_file_says() -> None:
    added = [AddedToken("[MAS", normalized=False), AddedToken("[MASK]", normalized=True)]
    tokenizer = hugging_face_tokenizer(added=added)
    batch = ["[MASK]", "[mask]", "a [mAsK]", "[MAS", "[mas"]
    assert_same(tokenizer, ours(tokenizer), batch)
    found = [encoding.ids[1:-1] for encoding in tokenizer.encode_batch(batch)]
    assert found[1] == [SPECIAL["[MASK]"]]  # normalised
    assert found[0][:1] == found[3] == [tokenizer.token_to_id("[MAS")]  # raw, which comes first


def test_long_texts_are_the_sum_of_their_parts() -> None:
    generator = np.random.default_rng(1)
    words = ["the", "Cat,", "東京", "unbelievably", "é\u0301", "[MASK]", "a" * 120, "\n", "한글", "\u302e\u0301"]
    long = [" ".join(generator.choice(words, 20_000)), "".join(generator.choice(words, 3000)), "a" * 20_000]
    for maximum in (None, 512):
        for side in get_args(Side):
            assert_same(TOKENIZERS[BERT], NATIVE[BERT], long, maximum=maximum, side=side)


def test_published_vocabulary_gives_the_same_ids(minilm_directory: Path) -> None:
    tokenizer = Tokenizer.from_file(str(minilm_directory / "tokenizer.json"))
    tokenizer.no_padding()
    native = wordpiece_from_json(tokenizer.to_str())
    sentences = ["The quick brown fox jumps over the lazy dog.", "Antidisestablishmentarianism's naïve façade—ok?!"]
    assert_same(tokenizer, native, [*sentences, *map(str.upper, sentences)], maximum=128)


def test_bytes_are_taken_as_text() -> None:
    batch = ["the cat", "Ünïted 東京", ""]
    expected = wordpiece(NATIVE[BERT], batch)
    made = wordpiece(NATIVE[BERT], [text.encode() for text in batch])
    np.testing.assert_array_equal(made.ids, expected.ids)
    np.testing.assert_array_equal(made.starts, expected.starts)


def test_no_texts_give_no_tokens() -> None:
    none: list[str] = []
    for pairs in (None, none):
        made = wordpiece(NATIVE[BERT], [], pairs, offsets=True, word_ids=True)
        assert [made.ids.shape, made.starts.tolist(), made.truncated.shape] == [(0,), [0], (0,)]
        assert made.offsets is not None
        assert made.offsets.shape == (0, 2)


def test_templates_may_have_any_order_and_types() -> None:
    tokenizer = hugging_face_tokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A:5 [SEP]:2", pair="$B:1 [SEP] [CLS]:7 $A:2", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    for special in (True, False):
        assert_same(tokenizer, ours(tokenizer), ["a b", ""], ["c", "d"], add_special_tokens=special)
        assert_same(tokenizer, ours(tokenizer), ["a b", ""], add_special_tokens=special, maximum=2)


def test_into_writes_what_there_is_and_no_more() -> None:
    batch = ["the cat", "", "unbelievably"]
    capacity = wordpiece_capacity(NATIVE[BERT], batch)
    ids, type_ids, word_ids = (np.full(capacity + 3, -7, np.int32) for _ in range(3))
    destination = Tokens(ids, type_ids, np.empty(4, np.int64), np.empty(3, np.bool_), word_ids=word_ids)
    size = wordpiece_into(destination, NATIVE[BERT], batch)
    expected = wordpiece(NATIVE[BERT], batch, word_ids=True)
    assert size == len(expected.ids) <= capacity
    assert expected.word_ids is not None
    for array, wanted in ((ids, expected.ids), (type_ids, expected.type_ids), (word_ids, expected.word_ids)):
        np.testing.assert_array_equal(array[:size], wanted)
        assert (array[size:] == -7).all()


def test_the_capacity_is_enough_where_texts_grow() -> None:
    batch = ["한" * 50, "\U0001d160" * 20, "İ" * 30, "!" * 40, "日" * 10, "\u1f82" * 9]
    for flags in FLAGS:
        assert len(wordpiece(NATIVE[flags], batch).ids) <= wordpiece_capacity(NATIVE[flags], batch)


def test_instruction_sets_agree() -> None:
    program = """
import numpy as np, tundish_kernels as kernels
generator = np.random.default_rng(3)
tokenizers = [
    kernels.WordPiece(
        {"[UNK]": 0} | {p + chr(c): c + 200 * bool(p) for c in range(1, 127) for p in ("", "##")},
        lowercase=lowercase, clean_text=clean, added_tokens=[kernels.AddedToken("y\\tx", 999, normalized=True)],
    ) for lowercase in (True, False) for clean in (True, False)
]
texts = [bytes(generator.integers(low, 128, size).astype(np.uint8)) for size in range(200) for low in (0, 9, 32, 60)]
for tokenizer in tokenizers:
    made = kernels.wordpiece(tokenizer, texts, offsets=True)
    print(hash(made.ids.tobytes() + made.offsets.tobytes() + made.starts.tobytes()))
""".replace("hash(", "__import__('zlib').crc32(")
    assert len(set(outputs_by_isa(program).values())) == 1


def test_one_tokenizer_serves_many_threads() -> None:
    batch = ["the cat " * 50, "Ünbelievably 東京 " * 20] * 10
    expected = wordpiece(NATIVE[BERT], batch).ids
    right: list[bool] = []

    def work() -> None:
        right.extend(np.array_equal(wordpiece(NATIVE[BERT], batch).ids, expected) for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert right == [True] * 80


def test_a_plain_tokenizer_needs_a_vocabulary_alone() -> None:
    tokenizer = WordPiece({"[UNK]": 0, "cat": 1, "##s": 2})
    made = wordpiece(tokenizer, ["Cats cat dog"], ["cat"])
    assert made.ids.tolist() == [1, 2, 1, 0, 1]
    assert made.type_ids.tolist() == [0, 0, 0, 0, 1]
