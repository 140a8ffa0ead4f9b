"""When an open loop's requests are due."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tundish_bench.driving.load import Open


@given(st.floats(0.1, 2000), st.floats(0.1, 10), st.booleans())
def test_every_block_has_what_belongs_to_it(per_second: float, seconds: float, is_poisson: bool) -> None:
    load = Open(per_second, is_poisson=is_poisson)
    blocks = [load.due(number, seconds) for number in range(4)]
    moments = np.concatenate(blocks)
    assert abs(len(moments) - 4 * per_second * seconds) < 1.001
    assert np.all(np.diff(moments) >= 0)
    for number, block in enumerate(blocks):
        # Of even ones, the first of a block may be due a hair before it.
        slack = 0.0 if is_poisson else 1 / per_second
        assert np.all((block >= number * seconds - slack) & (block < (number + 1) * seconds + slack))


def test_gaps_are_exponential() -> None:
    load = Open(50.0)
    moments = np.concatenate([load.due(number, 5.0) for number in range(40)])
    gaps = np.diff(moments)
    assert stats.kstest(gaps, "expon", args=(0, 1 / 50)).pvalue > 0.01
    assert np.corrcoef(gaps[:-1], gaps[1:])[0, 1] == pytest.approx(0, abs=0.03)


def test_even_ones_are_equally_far_apart_across_blocks() -> None:
    load = Open(8.0, is_poisson=False)
    moments = list(itertools.chain.from_iterable(load.due(number, 0.7) for number in range(20)))
    np.testing.assert_allclose(np.diff(moments), 1 / 8)


def test_blocks_are_unlike_each_other_and_always_the_same() -> None:
    load = Open(20.0)
    assert np.array_equal(load.due(3, 2.0), load.due(3, 2.0))
    assert not np.allclose(load.due(0, 2.0), load.due(1, 2.0) - 2.0)
