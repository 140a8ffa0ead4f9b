"""When the segments of two networks are the same: to the gate, which allows a share of differences, and to parity."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.measuring import measure

from tundish.masks import Mask
from tundish.results import ImageSegmentation, Segment
from tundish_exporters import DataError
from tundish_exporters.equality import compare_results
from tundish_exporters.gate import check_measurable
from tundish_exporters.mask_runs import common_pixels, mask_overlap, runs_of

SIZE = (40, 60)


def square(x: int, y: int = 10, side: int = 20) -> Mask:
    pixels = np.zeros(SIZE, bool)
    pixels[y : y + side, x : x + side] = True
    return Mask.of(pixels)


def rows(start: int, stop: int) -> Mask:
    pixels = np.zeros(SIZE, bool)
    pixels[start:stop] = True
    return Mask.of(pixels)


def found(label: str = "crack", score: float | None = 0.9, mask: Mask | None = None) -> Segment:
    return Segment(label, score, square(10) if mask is None else mask)


def segmentation(*segments: Segment) -> ImageSegmentation:
    return ImageSegmentation(segments)


def agreement(variant: list[ImageSegmentation], floating: list[ImageSegmentation]) -> float:
    measured = measure(variant, floating)
    assert (measured.metric, measured.reference, measured.samples) == ("agreement", 1.0, len(floating))
    return measured.value


bits = st.integers(0, 2**32).map(lambda seed: np.random.default_rng(seed).random((7, 9)) < (seed % 11) / 10)


@settings(deadline=None)
@given(bits, bits)
def test_overlap_is_that_of_the_pixels(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> None:
    runs, others = runs_of(Mask.of(first)), runs_of(Mask.of(second))
    common, union = int((first & second).sum()), int((first | second).sum())
    assert (runs.area, others.area) == (first.sum(), second.sum())
    assert common_pixels(runs, others) == common_pixels(others, runs) == common
    assert mask_overlap(runs, others) == (common / union if union else 1.0)


@pytest.mark.parametrize(
    ("variant", "partners"),
    [
        ([found(score=0.51)], 1),
        ([found(mask=square(12))], 1),  # 18 of 22 columns
        ([found(mask=square(17))], 0),  # 13 of 27, which is below a half
        ([found("dent")], 0),
        ([], 0),
        ([found(), found(mask=square(11))], 1),  # a segment is the partner of one alone
    ],
)
def test_with_scores_agreement_is_the_f1_score_of_segments_with_a_partner(
    variant: list[Segment], partners: int
) -> None:
    expected = 2 * partners / (len(variant) + 1)
    assert agreement([segmentation(*variant)], [segmentation(found())]) == pytest.approx(expected)


def test_without_scores_agreement_is_the_mean_overlap_of_labels_over_all_samples() -> None:
    floating = [
        segmentation(found("steel", None, rows(0, 38)), found("rust", None, rows(38, 40))),
        segmentation(found("steel", None, rows(0, 40))),
    ]
    variant = [
        segmentation(found("steel", None, rows(0, 39)), found("rust", None, rows(39, 40))),
        segmentation(found("steel", None, rows(0, 40))),
    ]
    # Of 160 rows one has changed, but rust has lost a half of its own.
    assert agreement(variant, floating) == pytest.approx((78 / 79 + 1 / 2) / 2)
    assert agreement(floating, floating) == 1.0


def test_a_label_that_only_one_has_overlaps_with_nothing() -> None:
    floating = [segmentation(found("steel", None, rows(0, 40)))]
    variant = [segmentation(found("steel", None, rows(0, 30)), found("dent", None, rows(30, 40)))]
    assert agreement(variant, floating) == pytest.approx((3 / 4 + 0) / 2)


def test_classes_of_one_name_count_together() -> None:
    floating = [segmentation(found("N/A", None, rows(0, 10)), found("N/A", None, rows(10, 40)))]
    variant = [segmentation(found("N/A", None, rows(0, 40)))]
    assert agreement(variant, floating) == 1.0


def test_a_float_model_that_finds_nothing_is_nothing_to_hold_variants_against() -> None:
    with pytest.raises(DataError, match="finds nothing in the one sample of the gate"):
        check_measurable([segmentation()])
    check_measurable([segmentation(), segmentation(found())])


pixel_less = square(10).to_array()
pixel_less[10, 10] = False


@pytest.mark.parametrize(
    ("actual", "fault"),
    [
        ([found(score=0.9005)], ""),
        ([found(mask=Mask.of(pixel_less))], ""),
        ([found(), found("dent", 0.8, square(0, 0, 2))], ""),  # so few pixels hang on rounding
        ([found(score=0.902)], r"the scores 0.902 and 0.9 of a 'crack' differ"),
        ([found(score=float("nan"))], "the scores nan and 0.9"),
        ([found(mask=square(11))], r"the model's 'crack' of 400 pixels has a partner of overlap 0.905"),
        ([found("dent")], r"the model's 'dent' of 400 pixels has a partner of overlap 0.000"),
        ([], "the source's 'crack' of 400 pixels has a partner of overlap 0.000"),
    ],
)
def test_parity_allows_rounding_alone(actual: list[Segment], fault: str) -> None:
    said = compare_results(segmentation(found()), segmentation(*actual))[1]
    assert re.search(fault, said) if fault else said == ""


def test_what_faint_segments_behind_the_best_are_hangs_on_rounding() -> None:
    sure = [found(f"part {number}", 0.9, square(number)) for number in range(10)]
    faint = found("dent", 0.01, square(30))
    assert compare_results(segmentation(*sure, faint), segmentation(*sure)) == (0.0, "")
    assert "'dent' of 400 pixels" in compare_results(segmentation(faint), segmentation())[1]


def test_parity_tells_kinds_of_results_apart_and_compares_segments_without_scores() -> None:
    without = segmentation(found(score=None))
    assert compare_results(without, without) == (0.0, "")
    assert compare_results(without, segmentation(found("dent", None)))[1]
