"""A variant's answers beside the float model's: what changed, and into what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tundish.manifest import InputName
from tundish.results import Result
from tundish_exporters.agreement import ScoreFunction
from tundish_exporters.data import Sample
from tundish_exporters.metrics.labels import labels_of
from tundish_exporters.report.answers import are_gradual, in_words, likenesses, truth_in_words
from tundish_exporters.report.content import ChangedAnswer, Comparison, Confusion
from tundish_exporters.report.samples import sample_name, shown_parts
from tundish_exporters.truths import Truth

MOST_EXAMPLES = 24
MOST_LABELS = 20
"""Rows that a table of confusions can have and still be read."""


def compare(
    variant: str,
    results: Sequence[Result],
    float_results: Sequence[Result],
    *,
    samples: Sequence[Sample],
    truths: Sequence[Truth] | None,
    reads: Sequence[InputName],
    function: ScoreFunction,
    is_served: bool,
    with_samples: bool,
) -> Comparison:
    """How a variant's answers differ from the float model's on the same samples.

    Args:
        variant: its name.
        results: what it answers, one a sample.
        float_results: what the float model answers.
        samples: what was asked.
        truths: what is right for each, if that is known.
        reads: the parts of a sample.
        function: what made the scores of a classifier.
        is_served: whether the variant passed and is the fastest.
        with_samples: whether the samples that changed may be shown, or their answers alone.

    Raises:
        ValueError: they are not of the same samples.
    """
    if not len(results) == len(float_results) == len(samples) == len(truths or samples):
        raise ValueError(f"{len(results)} answers of {variant} are held against {len(samples)} samples")
    alike = likenesses(results, float_results, function)
    said = [None if truths is None else truth_in_words(truths[index]) for index in range(len(results))]
    differing = [index for index, each in enumerate(alike) if each < 1]
    differing.sort(key=lambda index: (said[index] is None, alike[index]))

    def example(index: int) -> ChangedAnswer:
        return ChangedAnswer(
            sample=sample_name(samples[index]) if with_samples else "",
            parts=shown_parts(samples[index], reads) if with_samples else (),
            float_answer=in_words(float_results[index], function),
            answer=in_words(results[index], function),
            truth=said[index],
            likeness=alike[index],
            float_is_right=None if truths is None else _is_right(float_results[index], truths[index]),
            is_right=None if truths is None else _is_right(results[index], truths[index]),
        )

    return Comparison(
        variant=variant,
        is_served=is_served,
        samples=len(results),
        changed=len(differing),
        gradual=are_gradual(results, function),
        examples=tuple(example(index) for index in differing[:MOST_EXAMPLES]),
        confusion=_confusion(results, float_results) if function == "softmax" else None,
        with_samples=with_samples,
    )


def _is_right(result: Result, truth: Truth) -> bool | None:
    """Whether the label that is chosen is the one that is right; None if that is no question of one label."""
    labels = next(iter(labels_of([result])), ())
    return labels[0].name == truth if labels and isinstance(truth, str) else None


def _confusion(results: Sequence[Result], float_results: Sequence[Result]) -> Confusion | None:
    """Of what chooses one label; the labels that are confused most, if there are too many."""
    answers, float_answers = (
        [labels[0].name for labels in labels_of(each) if labels] for each in (results, float_results)
    )
    if not answers or len(answers) != len(float_answers):
        return None
    pairs = Counter(zip(float_answers, answers, strict=True))
    labels = _most_confused(pairs)
    counts = tuple(tuple(pairs[row, column] for column in labels) for row in labels)
    return Confusion(labels, counts, left_out=pairs.total() - sum(map(sum, counts)))


def _most_confused(pairs: Counter[tuple[str, str]]) -> tuple[str, ...]:
    """Sorted by name; those that stand in most confusions, then those that stand in most answers."""
    confused: Counter[str] = Counter()
    common: Counter[str] = Counter()
    for (row, column), count in pairs.items():
        for label in (row, column):
            common[label] += count
            confused[label] += count if row != column else 0
    ranked = sorted(common, key=lambda label: (-confused[label], -common[label], label))
    return tuple(sorted(ranked[:MOST_LABELS]))
