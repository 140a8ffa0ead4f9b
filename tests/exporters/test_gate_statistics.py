"""What a drop on some samples says of all: against published values, brute force, and how often the truth is held."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.stats import binom, multinomial, norm

from tundish_exporters.statistics import (
    bootstrap_bounds,
    mcnemar,
    paired_bounds,
    samples_for_paired,
    samples_for_share,
    share_bounds,
    units_for_margin,
    unseen_share,
)

confidences = st.sampled_from((0.8, 0.9, 0.95, 0.99))


@st.composite
def counts(draw: st.DrawFn) -> tuple[int, int, int]:
    """Lost, gained, and all samples."""
    samples = draw(st.integers(1, 2000))
    lost = draw(st.integers(0, samples))
    return lost, draw(st.integers(0, samples - lost)), samples


@pytest.mark.parametrize(
    ("lost", "gained", "samples", "confidence", "expected"),
    [
        # M. Fagerland, S. Lydersen and P. Laake, Recommended tests and confidence intervals for paired binomial
        # proportions, Statistics in Medicine 33 (2014): airway hyper-responsiveness before and after.
        (7, 1, 21, 0.95, (0.026, 0.517)),
        (28, 25, 618, 0.90, (-0.0148, 0.0247)),  # of R's package PropCIs
    ],
)
def test_published_intervals(
    lost: int, gained: int, samples: int, confidence: float, expected: tuple[float, float]
) -> None:
    digits = len(f"{expected[1]}") - 2
    bounds = paired_bounds(lost, gained, samples, confidence)
    assert tuple(round(end, digits) for end in bounds) == expected


@settings(deadline=None)
@given(counts(), confidences)
def test_an_interval_holds_what_was_seen_and_mirrors_when_the_two_change_places(
    counted: tuple[int, int, int], confidence: float
) -> None:
    lost, gained, samples = counted
    low, high = paired_bounds(lost, gained, samples, confidence)
    assert -1 <= low <= (lost - gained) / samples <= high <= 1
    assert high - low > 0.5 / samples, "also where no sample differs"
    assert paired_bounds(gained, lost, samples, confidence) == pytest.approx((-high, -low), abs=1e-9)
    wider = paired_bounds(lost, gained, samples, 0.995)
    assert wider[0] <= low
    assert high <= wider[1]


def score(lost: int, gained: int, samples: int, drop: float) -> float:
    """The score statistic, with the share of gained samples found by a search for the highest likelihood."""

    def unlikeliness(share: float) -> float:
        shares = np.array([share + drop, share, 1 - 2 * share - drop])
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.array([lost, gained, samples - lost - gained]) * np.log(shares)
        return -float(np.nansum(terms))

    bounds = (max(0.0, -drop), (1 - drop) / 2)
    share = minimize_scalar(unlikeliness, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x
    variance = samples * (2 * share + drop - drop * drop)
    return float((lost - gained - samples * drop) / math.sqrt(variance))


@settings(deadline=None, max_examples=50)
@given(st.tuples(st.integers(1, 30), st.integers(1, 30), st.integers(5, 300)), confidences)
def test_the_ends_are_where_the_score_test_begins_to_reject(drawn: tuple[int, int, int], confidence: float) -> None:
    lost, gained, others = drawn
    critical = norm.ppf((1 + confidence) / 2)
    ends = paired_bounds(lost, gained, lost + gained + others, confidence)
    assert [score(lost, gained, lost + gained + others, end) for end in ends] == pytest.approx(
        [critical, -critical], abs=1e-3
    )


def test_where_no_sample_differs_it_has_a_known_width() -> None:
    critical = norm.ppf(0.975) ** 2
    assert paired_bounds(0, 0, 100, 0.95) == pytest.approx((-critical / (100 + critical), critical / (100 + critical)))


@pytest.mark.parametrize(("lost", "gained"), [(0.0, 0.0), (0.02, 0.01), (0.1, 0.1), (0.2, 0.05), (0.004, 0.03)])
def test_the_truth_is_held_as_often_as_they_say(lost: float, gained: float, all_intervals: NDArray[np.float64]) -> None:
    """Over all that 60 samples can show, each as often as it happens."""
    counted, bounds = all_intervals[:, :3].astype(int), all_intervals[:, 3:]
    chances = multinomial.pmf(counted, 60, [lost, gained, 1 - lost - gained])
    held = (bounds[:, 0] <= lost - gained + 1e-9) & (lost - gained - 1e-9 <= bounds[:, 1])
    assert chances.sum() == pytest.approx(1)
    assert 0.93 <= chances[held].sum() <= 1


@pytest.fixture(scope="module")
def all_intervals() -> NDArray[np.float64]:
    """`[outcomes, 5]`: lost, gained, neither, and both ends."""
    samples = 60
    outcomes = [(lost, gained) for lost in range(samples + 1) for gained in range(samples + 1 - lost)]
    rows = [(*pair, samples - sum(pair), *paired_bounds(*pair, samples, 0.95)) for pair in outcomes]
    return np.array(rows)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_counts_coins(lost: int, gained: int) -> None:
    differing = lost + gained
    extreme = [k for k in range(differing + 1) if abs(2 * k - differing) >= abs(lost - gained)]
    assert mcnemar(lost, gained) == pytest.approx(sum(math.comb(differing, k) for k in extreme) / 2**differing)


@given(counts(), confidences)
def test_a_share_is_held_at_least_so_often(counted: tuple[int, int, int], confidence: float) -> None:
    """At each end, what was seen or something more extreme is as rare as the half of what is left."""
    count, _, samples = counted
    low, high = share_bounds(count, samples, confidence)
    tail = (1 - confidence) / 2
    assert low <= count / samples <= high
    if count:
        assert binom.sf(count - 1, samples, low) == pytest.approx(tail)
    if count < samples:
        assert binom.cdf(count, samples, high) == pytest.approx(tail)


def test_what_was_never_seen_may_still_be_there() -> None:
    assert unseen_share(1000, 0.95) == pytest.approx(1 - 0.025 ** (1 / 1000))
    assert unseen_share(1000, 0.95) == pytest.approx(3.7 / 1000, rel=0.01)


# The bootstrap


def mean_of(differences: NDArray[np.float64]) -> Callable[[NDArray[np.intp]], float]:
    return lambda indices: float(differences[indices].mean())


def test_a_bootstrap_of_a_mean_is_as_wide_as_its_standard_error_says() -> None:
    differences = np.random.default_rng(4).normal(0.01, 0.1, 400)
    bounds = bootstrap_bounds(mean_of(differences), 400, 0.95)
    assert bounds is not None
    error = differences.std() / math.sqrt(400)
    assert bounds == pytest.approx(
        (differences.mean() - 1.96 * error, differences.mean() + 1.96 * error), abs=error / 4
    )
    assert bootstrap_bounds(mean_of(differences), 400, 0.95) == bounds, "the same every time"


def test_a_bootstrap_holds_the_truth_as_often_as_it_says() -> None:
    generator = np.random.default_rng(6)
    held = 0
    for _ in range(100):
        differences = generator.exponential(0.1, 60) - generator.exponential(0.08, 60)
        bounds = bootstrap_bounds(mean_of(differences), 60, 0.9)
        held += bounds is not None and bounds[0] <= 0.02 <= bounds[1]
    assert 82 <= held <= 98


def test_samples_that_do_not_differ_prove_no_more_than_they_are_many() -> None:
    unseen = unseen_share(50, 0.95)
    assert bootstrap_bounds(mean_of(np.zeros(50)), 50, 0.95) == pytest.approx((-unseen, unseen))
    assert bootstrap_bounds(lambda _: 0.1, 50, 0.95) == pytest.approx((0.1 - unseen, 0.1 + unseen))


def test_resamples_without_a_figure_do_not_count_and_too_many_of_them_give_no_interval() -> None:
    figures = np.array([*np.linspace(0, 1, 20)])

    def without(share: float) -> Callable[[NDArray[np.intp]], float]:
        chance = np.random.default_rng(3)
        return lambda indices: math.nan if chance.random() < share else float(figures[indices].mean())

    assert bootstrap_bounds(without(0.2), 20, 0.95) == pytest.approx(
        bootstrap_bounds(mean_of(figures), 20, 0.95), abs=0.03
    )
    assert bootstrap_bounds(without(0.8), 20, 0.95) is None


def test_a_figure_that_takes_too_long_has_no_interval() -> None:
    asked = []

    def drop(indices: NDArray[np.intp]) -> float:
        asked.append(indices)
        return 0.0

    assert bootstrap_bounds(drop, 10, 0.95, seconds=0.0) is None
    assert len(asked) == 2


# How many samples would do


@pytest.mark.parametrize(("lost", "gained", "samples"), [(0, 0, 100), (1, 0, 400), (12, 10, 1000), (3, 9, 500)])
def test_so_many_samples_reach_the_bound(lost: int, gained: int, samples: int) -> None:
    bound = (lost - gained) / samples + 0.004
    enough = samples_for_paired(lost, gained, samples, 0.95, bound)
    for part, passes in ((0.98, False), (1.02, True)):
        times = part * enough / samples
        _, high = paired_bounds(lost * times, gained * times, samples * times, 0.95)
        assert (high <= bound) == passes


@pytest.mark.parametrize(("count", "samples"), [(0, 100), (1, 400), (12, 1000)])
def test_so_many_samples_reach_the_bound_of_a_share(count: int, samples: int) -> None:
    bound = count / samples + 0.004
    enough = samples_for_share(count, samples, 0.95, bound)
    for part, passes in ((0.98, False), (1.02, True)):
        times = part * enough / samples
        assert (share_bounds(count * times, samples * times, 0.95)[1] <= bound) == passes


def test_what_a_bootstrap_reaches_shrinks_with_the_root_of_the_samples() -> None:
    assert units_for_margin(0.02, 500, 0.95, 0.005) == pytest.approx(8000)
    assert units_for_margin(unseen_share(500, 0.95), 500, 0.95, 0.001) == pytest.approx(3700, rel=0.01)
    assert unseen_share(units_for_margin(unseen_share(500, 0.95), 500, 0.95, 0.001), 0.95) == pytest.approx(0.001)
