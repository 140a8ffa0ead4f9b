"""How right answers to questions are, by the rules of SQuAD 2: P. Rajpurkar and others, Know What You Don't Know, 2018.

Only words count: not their case, not punctuation, not articles. An answer is held against each of those that are right,
and the best match counts; where none is right, only no answer is.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from tundish.results import DocumentQuestionAnswering, QuestionAnswering, Result
from tundish_exporters.metrics.metric import Metric, Rows, mean

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def words_of(answer: str) -> list[str]:
    """What counts of an answer."""
    return _ARTICLES.sub(" ", answer.lower().translate(_NO_PUNCTUATION)).split()


def _is_same(words: list[str], right: list[str]) -> bool:
    return words == right


def _overlap(words: list[str], right: list[str]) -> float:
    """The F1 score of the words; of no answer, whether both are none."""
    if not words or not right:
        return float(words == right)
    return 2 * (Counter(words) & Counter(right)).total() / (len(words) + len(right))


def _best_answer(result: Result) -> str:
    assert isinstance(result, QuestionAnswering | DocumentQuestionAnswering)
    return result.answers[0].text if result.answers else ""


def _best_match(match: Callable[[list[str], list[str]], float]) -> Callable[[Sequence[Result], Sequence[object]], Rows]:
    def rows(results: Sequence[Result], truths: Sequence[object]) -> Rows:
        matches = []
        for result, truth in zip(results, truths, strict=True):
            assert isinstance(truth, tuple)
            # As SQuAD's own script: right answers of which no word counts are left out.
            right = [words for words in map(words_of, truth) if words] or [[]]
            words = words_of(_best_answer(result))
            matches.append(max(match(words, its) for its in right))
        return np.array(matches)

    return rows


EXACT_MATCH = Metric("exact match", _best_match(_is_same), mean)
"""The share of questions whose best answer is a right one."""

ANSWERS_F1 = Metric("F1 of answers", _best_match(_overlap), mean)
"""The mean over questions of the F1 score of the best answer's words."""
