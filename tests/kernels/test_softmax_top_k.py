"""softmax_top_k against a stable sort and float64 arithmetic of NumPy, and every argument that it refuses."""

from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from support.kernels import outputs_by_isa

from tundish_kernels import ScoreFunction, softmax_top_k, softmax_top_k_into

Floats = NDArray[np.float32]

logits_of = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 4), st.one_of(st.integers(1, 40), st.just(150))),
    elements=st.one_of(st.floats(-100, 100, width=32), st.sampled_from([0.0, -0.0, 1.0]), st.floats(width=32)),
)


def expected_order(logits: Floats) -> NDArray[np.int64]:
    """Highest first; a stable sort keeps the order of equals, and NumPy puts NaN last."""
    return np.argsort(-logits, axis=1, kind="stable")


def expected_scores(logits: Floats, function: ScoreFunction) -> NDArray[np.float64]:
    exact = logits.astype(np.float64)
    if function == "none":
        return exact
    with np.errstate(all="ignore"):
        exponents = np.exp(exact - exact.max(axis=1, keepdims=True))
        softmax: NDArray[np.float64] = exponents / exponents.sum(axis=1, keepdims=True)
        sigmoid: NDArray[np.float64] = 1 / (1 + np.exp(-exact))
    return softmax if function == "softmax" else sigmoid


def tolerance(logits: Floats, function: ScoreFunction, exact: NDArray[np.float64]) -> NDArray[np.float64]:
    """What the docstring promises, and for what underflows a subnormal number."""
    if function == "none":
        return np.zeros_like(exact)
    relative: Any = 3 * 2.0**-23
    if function == "softmax":
        with np.errstate(all="ignore"):
            relative = 2.0**-21 + 2.0**-24 * np.abs(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
            relative = np.where(exact == 0, 0, relative)
    return np.nan_to_num(relative * np.abs(exact)) + (2.0**-128 if function == "sigmoid" else 2.0**-149)


@settings(max_examples=400, deadline=None)
@given(
    logits=logits_of,
    part=st.floats(0, 1),
    function=st.sampled_from(get_args(ScoreFunction)),
    dtype=st.sampled_from([np.int64, np.int32]),
)
def test_order_and_scores_are_numpys(logits: Floats, part: float, function: ScoreFunction, dtype: Any) -> None:
    k = 1 + int(part * (logits.shape[1] - 1))
    indices, scores = softmax_top_k(logits, k, function=function, dtype=dtype)
    assert indices.dtype == dtype
    assert scores.dtype == np.float32
    order = expected_order(logits)
    np.testing.assert_array_equal(indices, order[:, :k])
    exact = expected_scores(logits, function)
    # infinities are equal by themselves
    got, exact, bound = (
        scores.astype(np.float64),
        np.take_along_axis(exact, order, axis=1)[:, :k],
        np.take_along_axis(tolerance(logits, function, exact), order, axis=1)[:, :k],
    )
    np.testing.assert_array_equal(np.isnan(got), np.isnan(exact))
    with np.errstate(invalid="ignore"):
        assert np.all((got == exact) | np.isnan(exact) | (np.abs(got - exact) <= bound))


@pytest.mark.parametrize("function", ["softmax", "sigmoid"])
def test_scores_of_many_logits_are_accurate_and_never_increase(function: ScoreFunction) -> None:
    generator = np.random.default_rng(1)
    logits = np.concatenate([generator.uniform(-110, 95, 200_000), np.arange(-127, 127) * np.log(2) / 2])
    logits = logits.astype(np.float32)[None]
    indices, scores = softmax_top_k(logits, logits.shape[1], function=function)
    assert np.all(np.diff(scores) <= 0)
    exact = np.take_along_axis(expected_scores(logits, function), indices, axis=1)
    bound = np.take_along_axis(tolerance(logits, function, expected_scores(logits, function)), indices, axis=1)
    assert np.all(np.abs(scores - exact) <= bound)


@pytest.mark.parametrize(("classes", "k"), [(1000, 5), (1000, 16), (1000, 17), (21_843, 1), (33, 33), (16, 3)])
def test_chosen_sizes_in_every_order_of_the_logits(classes: int, k: int) -> None:
    generator = np.random.default_rng(2)
    rows = [
        np.arange(classes),
        np.arange(classes)[::-1],
        np.zeros(classes),
        generator.integers(0, 7, classes),
        generator.normal(0, 3, classes),
    ]
    logits = np.stack(rows).astype(np.float32)
    indices, scores = softmax_top_k(logits, k)
    np.testing.assert_array_equal(indices, expected_order(logits)[:, :k])
    exact = np.take_along_axis(expected_scores(logits, "softmax"), indices, axis=1)
    np.testing.assert_allclose(scores, exact, rtol=2.0**-17, atol=2.0**-149)


@pytest.mark.parametrize(
    ("row", "order", "scores"),
    [
        ([1.0, np.nan, 2.0], [2, 0, 1], [np.nan] * 3),
        ([1.0, np.inf, 2.0], [1, 2, 0], [np.nan] * 3),
        ([-np.inf, -np.inf], [0, 1], [np.nan] * 2),
        ([np.nan, np.nan], [0, 1], [np.nan] * 2),
        ([-np.inf, 0.0], [1, 0], [1.0, 0.0]),
        ([-np.inf, np.nan], [0, 1], [np.nan] * 2),
        ([3e38, -3e38], [0, 1], [1.0, 0.0]),
        ([-0.0, 0.0], [0, 1], [0.5, 0.5]),
    ],
)
def test_rows_without_a_softmax(row: list[float], order: list[int], scores: list[float]) -> None:
    got_indices, got_scores = softmax_top_k(np.array([row], np.float32), len(row))
    assert got_indices.tolist() == [order]
    np.testing.assert_array_equal(got_scores, np.array([scores], np.float32))


def test_into_equals_the_form_that_returns_and_takes_read_only_logits() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (3, 70)).astype(np.float32)
    logits.flags.writeable = False
    destination = np.full((3, 4), -1, np.int32), np.full((3, 4), np.nan, np.float32)
    softmax_top_k_into(destination, logits)
    for got, expected in zip(destination, softmax_top_k(logits, 4), strict=True):
        np.testing.assert_array_equal(got, expected)


DIGEST_SCRIPT = """
import hashlib
import numpy as np
from tundish_kernels import softmax_top_k
generator = np.random.default_rng(0)
digest = hashlib.sha256()
for case in range(300):
    logits = generator.normal(0, 30, (2, int(generator.integers(1, 400)))).astype(np.float32)
    if case % 3 == 0:
        logits[generator.random(logits.shape) < 0.1] = generator.choice([np.nan, np.inf, -np.inf, -0.0])
    k = int(generator.integers(1, logits.shape[1] + 1))
    for array in softmax_top_k(logits, k, function=["softmax", "sigmoid", "none"][case % 3]):
        digest.update(array.tobytes())
print(digest.hexdigest())
"""


def test_instruction_sets_agree_to_the_bit() -> None:
    digests = outputs_by_isa(DIGEST_SCRIPT)
    assert len(set(digests.values())) == 1
    assert len(digests["scalar"].strip()) == 64


LOGITS = np.zeros((3, 4), np.float32)
EXPECTED = "logits must be [batch, classes] float32"


@pytest.mark.parametrize(
    ("changed", "error", "sentence"),
    [
        ({"logits": [[1.0]]}, TypeError, f"{EXPECTED}, got list"),
        ({"logits": LOGITS[0]}, ValueError, f"{EXPECTED}, got (4,) float32"),
        ({"logits": LOGITS.astype(np.float64)}, ValueError, f"{EXPECTED}, got (3, 4) float64"),
        ({"logits": LOGITS[:, :0]}, ValueError, f"{EXPECTED} and not empty, got (3, 0)"),
        ({"logits": LOGITS[:0]}, ValueError, f"{EXPECTED} and not empty, got (0, 4)"),
        ({"logits": LOGITS[:, ::2]}, ValueError, f"{EXPECTED} in aligned C order, got strides (16, 8)"),
        ({"k": 5}, ValueError, "k must be between 1 and 4, got 5"),
        ({"k": 0}, ValueError, "k must be between 1 and 4, got 0"),
        ({"k": 1.0}, TypeError, "k must be an integer, got 1.0"),
        ({"function": None}, TypeError, "function must be a string, got None"),
        ({"function": "relu"}, ValueError, "function must be 'softmax', 'sigmoid' or 'none', got 'relu'"),
        ({"dtype": np.float32}, ValueError, "dtype must be int64 or int32, got <class 'numpy.float32'>"),
    ],
)
def test_wrong_argument(changed: dict[str, Any], error: type[Exception], sentence: str) -> None:
    arguments: dict[str, Any] = {"logits": LOGITS, "k": 2} | changed
    with pytest.raises(error) as raised:
        softmax_top_k(**arguments)
    assert str(raised.value) == sentence


def outputs(indices: Any = None, scores: Any = None) -> tuple[Any, Any]:
    return (
        np.full((3, 2), 42, np.int64) if indices is None else indices,
        np.full((3, 2), 42, np.float32) if scores is None else scores,
    )


def read_only(dtype: Any) -> NDArray[Any]:
    array = np.zeros((3, 2), dtype)
    array.flags.writeable = False
    return array


INDICES, SCORES = "indices must be [3, k] int64 or int32", "scores must be [3, 2] float32"


@pytest.mark.parametrize(
    ("destination", "error", "sentence"),
    [
        (7, TypeError, "destination must be two arrays (indices, scores), got 7"),
        (outputs(indices=[1]), TypeError, f"{INDICES}, got list"),
        (outputs(indices=np.zeros((2, 2), np.int64)), ValueError, f"{INDICES}, got (2, 2) int64"),
        (outputs(indices=np.zeros((3, 2), np.uint32)), ValueError, f"{INDICES}, got (3, 2) uint32"),
        (outputs(indices=read_only(np.int32)), ValueError, "indices must be writable, got a read-only array"),
        (outputs(scores=np.zeros((3, 3), np.float32)), ValueError, f"{SCORES}, got (3, 3) float32"),
        (outputs(scores=np.zeros((3, 2), ">f4")), ValueError, f"{SCORES}, got (3, 2) >f4"),
        (
            outputs(scores=np.zeros(25, np.uint8)[1:].view(np.float32).reshape(3, 2)),
            ValueError,
            f"{SCORES} in aligned C order, got strides (8, 4)",
        ),
        (
            outputs(scores=np.zeros((2, 3), np.float32).T),
            ValueError,
            f"{SCORES} in aligned C order, got strides (4, 12)",
        ),
        (outputs(scores=read_only(np.float32)), ValueError, "scores must be writable, got a read-only array"),
        (
            outputs(np.zeros((3, 5), np.int64), np.zeros((3, 5), np.float32)),
            ValueError,
            "k must be between 1 and 4, got 5",
        ),
        (
            outputs(scores=LOGITS.ravel()[:6].reshape(3, 2)),
            ValueError,
            "scores must not overlap logits, got shared memory",
        ),
    ],
)
def test_wrong_destination(destination: Any, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error) as raised:
        softmax_top_k_into(destination, LOGITS)
    assert str(raised.value) == sentence
    assert np.all(LOGITS == 0)
