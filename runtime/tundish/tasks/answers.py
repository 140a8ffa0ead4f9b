"""From the start and end scores of tokens to the stretches of a context, or of a page's words, that answer a question.

By the rules of transformers' pipelines: what a span scores, and which spans of a window are looked at. Those of a
context are widened to whole words, and those of the same wording count together; those of a page are not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tundish.manifest import AnswerPostprocess
from tundish.results import FoundAnswer, PageAnswer
from tundish.tasks.text_tokenizers import TokenizedText

OF_NO_WORD = -1

_IMPOSSIBLE = -10_000.0
"""The logit of a token that is none of the context's."""


@dataclass(frozen=True, slots=True, eq=False)
class Window(TokenizedText):
    """A question with as much of its context as the model reads at a time."""

    in_context: NDArray[np.bool_]
    spans: NDArray[np.int64]
    """`[tokens, 2]`: start and end of each token in its own text, in characters."""
    words: NDArray[np.int64]
    """`[tokens]`: which word of its own text a token is of; `OF_NO_WORD` if of none."""


@dataclass(frozen=True, slots=True)
class _Spans:
    """What a window says."""

    best: list[tuple[int, int, float]]
    """First and last token with the score, best first."""
    without: float
    """The score of there being no answer in the window."""


class _Found:
    """An answer that may be found again."""

    def __init__(self, start: int, end: int, score: float) -> None:
        self.start, self.end, self.score = start, end, score


def find_answers(
    windows: Sequence[Window],
    starts: Sequence[NDArray[np.float32]],
    ends: Sequence[NDArray[np.float32]],
    *,
    context: str,
    rule: AnswerPostprocess,
) -> tuple[FoundAnswer, ...]:
    """The best answers of a context, at most `rule.top_k`.

    Args:
        windows: those of the context, in the order in which the tokenizer gives them.
        starts: for each window, `[tokens]` logits of being an answer's first token.
        ends: the same of being its last.
        context: the text itself.
        rule: see `AnswerPostprocess`.
    """
    found: dict[str, _Found] = {}
    # More than are asked for, since words join some.
    spans = _spans(windows, starts, ends, rule, count=2 * rule.top_k + 10)
    for window, (first, last, score) in _of_all(windows, spans):
        begin, stop = _place(window, first, last)
        same = found.setdefault(context[begin:stop].lower(), _Found(begin, stop, 0.0))
        same.score += score
    answers = [FoundAnswer(context[each.start : each.end], each.score, each.start, each.end) for each in found.values()]
    if rule.no_answer:
        answers.append(FoundAnswer("", min(each.without for each in spans), 0, 0))
    return tuple(sorted(answers, key=lambda answer: -answer.score)[: rule.top_k])


def find_page_answers(
    windows: Sequence[Window],
    starts: Sequence[NDArray[np.float32]],
    ends: Sequence[NDArray[np.float32]],
    *,
    words: Sequence[str],
    rule: AnswerPostprocess,
) -> tuple[PageAnswer, ...]:
    """The best answers of a page, whose words these are; otherwise as `find_answers`."""
    spans = _spans(windows, starts, ends, rule, count=rule.top_k)
    answers = []
    for window, (first, last, score) in _of_all(windows, spans):
        begin, stop = int(window.words[first]), int(window.words[last]) + 1
        if window.in_context[first] and window.in_context[last]:
            answers.append(PageAnswer(" ".join(words[begin:stop]), score, begin, stop))
    if rule.no_answer:
        answers.append(PageAnswer("", min(each.without for each in spans), 0, 0))
    return tuple(sorted(answers, key=lambda answer: -answer.score)[: rule.top_k])


def _of_all(windows: Sequence[Window], spans: Sequence[_Spans]) -> Iterator[tuple[Window, tuple[int, int, float]]]:
    for window, of_window in zip(windows, spans, strict=True):
        yield from ((window, span) for span in of_window.best)


def _spans(
    windows: Sequence[Window],
    starts: Sequence[NDArray[np.float32]],
    ends: Sequence[NDArray[np.float32]],
    rule: AnswerPostprocess,
    *,
    count: int,
) -> list[_Spans]:
    """Of each window, at most `count`."""
    spans = []
    for window, start, end in zip(windows, starts, ends, strict=True):
        allowed = window.in_context | (window.ids == rule.cls_id)
        start_scores, end_scores = _scores(start, allowed), _scores(end, allowed)
        without = float(start_scores[0] * end_scores[0])
        # The first token stands for having no answer, and is never part of one.
        start_scores[0] = end_scores[0] = 0
        spans.append(_Spans(_best_spans(start_scores, end_scores, allowed, rule.maximum_tokens, count), without))
    return spans


def _scores(logits: NDArray[np.float32], allowed: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The softmax over the tokens that are allowed."""
    masked = np.where(allowed, logits, np.float32(_IMPOSSIBLE))
    exponentials = np.exp(masked - masked.max())
    scores: NDArray[np.float32] = exponentials / exponentials.sum()
    return scores


def _best_spans(
    starts: NDArray[np.float32],
    ends: NDArray[np.float32],
    allowed: NDArray[np.bool_],
    maximum_tokens: int,
    count: int,
) -> list[tuple[int, int, float]]:
    """First and last token with the score of the best spans."""
    products = np.tril(np.triu(np.outer(starts, ends)), maximum_tokens - 1)
    products[~allowed] = products[:, ~allowed] = 0
    flat = products.ravel()
    count = min(count, len(flat))
    best = np.argpartition(-flat, count - 1)[:count]
    best = best[np.argsort(-flat[best], kind="stable")]
    rows, columns = np.unravel_index(best[flat[best] > 0], products.shape)
    return [
        (first, last, float(products[first, last])) for first, last in zip(rows.tolist(), columns.tolist(), strict=True)
    ]


def _place(window: Window, first: int, last: int) -> tuple[int, int]:
    """Start and end of the words of the two tokens in the context; of the tokens where they are of no word."""
    of_first = _tokens_of_word(window, first)
    of_last = _tokens_of_word(window, last)
    if len(of_first) and len(of_last):
        return int(window.spans[of_first[0], 0]), int(window.spans[of_last[-1], 1])
    return int(window.spans[first, 0]), int(window.spans[last, 1])


def _tokens_of_word(window: Window, token: int) -> NDArray[np.intp]:
    word = window.words[token]
    if word == OF_NO_WORD:
        return np.empty(0, np.intp)
    return np.flatnonzero(window.in_context & (window.words == word))
