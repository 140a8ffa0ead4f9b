"""What the owner of data should know of them: that they are few, alike, or seen before."""

from __future__ import annotations

from collections.abc import Collection

from tundish_exporters.data.loading import LoadedData
from tundish_exporters.truths import TrueEntity, TrueObject, Truth

LEAST_CALIBRATION = 16
"""Of n samples and one more, each is as likely to have the largest activation: with 16, one request in 17 leaves a
range that was found on them; with 64, one in 65."""
LEAST_EVALUATION = 20
"""With fewer, one answer more or less is over five points."""
LEAST_GROUPS = 20
"""Of fewer, one is over five points of what was drawn: intervals are wide, and a kind of group is easily missed."""
_MOST_ALIKE = 0.5
"""The share of samples that may be copies or flat before it is worth a word."""


def warnings_of(calibration: LoadedData | None, evaluation: LoadedData | None) -> tuple[str, ...]:
    """Sentences on what is left out of either, and on what is wrong with the rest."""
    said: list[str] = []
    if calibration is not None:
        said += [*calibration.warnings, *_few_to_calibrate(calibration), *_few_groups(calibration)]
        said += _likeness(calibration)
    if evaluation is not None:
        said += [*evaluation.warnings, *_few_to_evaluate(evaluation), *_few_groups(evaluation)]
        said += [*_likeness(evaluation), *_sameness(evaluation)]
    if calibration is not None and evaluation is not None:
        said += _overlap(calibration, evaluation)
    return tuple(dict.fromkeys(said))


def _few_to_calibrate(data: LoadedData) -> list[str]:
    if len(data.seen) >= LEAST_CALIBRATION:
        return []
    return [
        f"{data.path} has {_samples(len(data.seen))} to calibrate on; ranges found on fewer than {LEAST_CALIBRATION} "
        "cut what many others need, so give some dozens."
    ]


def _few_to_evaluate(data: LoadedData) -> list[str]:
    if len(data.seen) >= LEAST_EVALUATION:
        return []
    return [
        f"{data.path} has {_samples(len(data.seen))} to evaluate on, of which one is {1 / len(data.seen):.0%} of the "
        "accuracy; give some hundreds."
    ]


def _few_groups(data: LoadedData) -> list[str]:
    count = len({each.sample.group for each in data.seen} - {None})
    if not 0 < count < LEAST_GROUPS:
        return []
    groups = "one group, which says" if count == 1 else f"{count} groups, which say"
    return [
        f"The {_samples(len(data.seen))} of {data.path} are of {groups} little of others; give {LEAST_GROUPS} or more."
    ]


def _overlap(calibration: LoadedData, evaluation: LoadedData) -> list[str]:
    judged = {each.digest for each in evaluation.seen}
    both = sum(each.digest in judged for each in calibration.seen)
    if not both:
        return []
    return [
        f"{both} of the {_samples(len(calibration.seen))} to calibrate on {_are(both)} also in {evaluation.path}, "
        "whose accuracy that flatters; keep the two apart."
    ]


def _likeness(data: LoadedData) -> list[str]:
    said = []
    count, different = len(data.seen), len({each.digest for each in data.seen})
    if count > 1 and different <= _MOST_ALIKE * count:
        said.append(f"Only {different} of the {count} samples of {data.path} differ; leave copies out.")
    flat = sum(each.is_flat for each in data.seen)
    if flat and flat >= _MOST_ALIKE * count:
        said.append(f"{flat} of the {_samples(count)} of {data.path} {_are(flat)} of one colour; give real images.")
    return said


def _sameness(data: LoadedData) -> list[str]:
    truths = [each.sample.truth for each in data.seen]
    if len(truths) < 2 or truths[0] is None or len(set(truths)) > 1:
        return []
    return [
        f"The same is right for all {len(truths)} samples of {data.path}: {_shown(truths[0])}; give samples of all "
        "that the model tells apart."
    ]


def _shown(truth: Truth) -> str:
    match truth:
        case str() | float():
            return f"'{truth}'"
        case _ if isinstance(truth, Collection) and not truth:
            return "nothing"
        case _ if isinstance(truth, Collection):
            return ", ".join(f"'{each.label if isinstance(each, TrueEntity | TrueObject) else each}'" for each in truth)
        case _:
            return str(truth)


def _samples(count: int) -> str:
    return f"{count} sample" if count == 1 else f"{count} samples"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
