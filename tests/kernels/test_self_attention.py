"""self_attention as ONNX Runtime's operator, beside the same sums in double precision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.kernels import check_isas
from support.transformer_operators import Floats, attention, attention_model, outputs_of


def projections_of(draw: np.random.Generator, *shape: int) -> Floats:
    return draw.normal(0, 2, shape).astype(np.float32)


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    batch=st.integers(1, 3),
    tokens=st.integers(1, 80),
    heads=st.integers(1, 4),
    size=st.sampled_from([1, 8, 15, 16, 20, 32, 48, 64, 80]),
    masked=st.booleans(),
)
def test_averages_are_those_of_double_precision(
    seed: int, batch: int, tokens: int, heads: int, size: int, masked: bool
) -> None:
    draw, scale = np.random.default_rng(seed), size**-0.5
    x = projections_of(draw, batch, tokens, 3 * heads * size)
    mask = draw.integers(0, 3, (batch, tokens), np.int32)
    given: dict[str, Any] = {"x": x, **({"mask": mask} if masked else {})}
    made = outputs_of(attention_model(heads, scale, masked=masked), **given)
    assert np.abs(made - attention(x, heads, scale, mask if masked else None)).max() < 2e-5


def test_large_products_overflow_nothing() -> None:
    x = projections_of(np.random.default_rng(1), 1, 20, 96) * 1000
    made = outputs_of(attention_model(2, 0.25, masked=False), x=x)
    assert np.abs(made - attention(x, 2, 0.25)).max() < 0.05  # of 5,000


def test_tokens_that_are_masked_change_nothing() -> None:
    draw = np.random.default_rng(2)
    x, model = projections_of(draw, 1, 30, 96), attention_model(2, 0.25, masked=True)
    mask = np.ones((1, 30), np.int32)
    mask[:, 21:] = 0
    made = outputs_of(model, x=x, mask=mask)
    x[:, 21:, 32:] = projections_of(draw, 1, 9, 64)  # but for the queries
    assert np.array_equal(outputs_of(model, x=x, mask=mask), made)
    alone = outputs_of(model, x=x[:, :21], mask=mask[:, :21])
    assert np.array_equal(made[:, :21], alone), "padding behind a text changes no bit of it"


def test_no_token_left_gives_zeros() -> None:
    x = projections_of(np.random.default_rng(3), 2, 7, 96)
    mask = np.ones((2, 7), np.int32)
    mask[0] = 0
    made = outputs_of(attention_model(2, 0.25, masked=True), x=x, mask=mask)
    assert not made[0].any()
    assert np.abs(made[1:] - attention(x[1:], 2, 0.25)).max() < 2e-5


def test_what_is_no_number_spoils_its_head_of_its_item_alone() -> None:
    x = projections_of(np.random.default_rng(4), 2, 9, 96)
    x[1, 5, 32 + 20] = np.nan  # of a key of the second head
    made = outputs_of(attention_model(2, 0.25, masked=False), x=x)
    spoilt = np.zeros(made.shape, bool)
    spoilt[1, :, 16:] = True
    assert np.array_equal(np.isnan(made), spoilt)


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_of_the_session_share_the_work(threads: int) -> None:
    x = projections_of(np.random.default_rng(5), 3, 50, 3 * 64)
    model = attention_model(4, 0.25, masked=False)
    assert np.array_equal(outputs_of(model, threads=threads, x=x), outputs_of(model, x=x))


@pytest.mark.parametrize("shape", [(0, 5, 96), (2, 0, 96)])
def test_no_tokens_give_none(shape: tuple[int, int, int]) -> None:
    made = outputs_of(attention_model(2, 0.25, masked=False), x=np.zeros(shape, np.float32))
    assert made.shape == (*shape[:2], 32)


def test_all_instruction_sets_give_the_same_bits(tmp_path: Path) -> None:
    draw, cases = np.random.default_rng(6), []
    for tokens, heads, size in ((1, 1, 8), (40, 12, 32), (17, 3, 20), (6, 2, 64)):
        x, model = projections_of(draw, 2, tokens, 3 * heads * size), attention_model(heads, 0.2, masked=False)
        cases.append((model, x, outputs_of(model, x=x)))
    check_isas(cases, tmp_path)


@pytest.mark.parametrize(
    ("heads", "shape", "reason"),
    [
        (0, (1, 4, 96), "heads must be 1 or more, got 0"),
        (5, (1, 4, 96), "projections must be [batch, tokens, a multiple of 15]"),
        (2, (4, 96), "projections must be [batch, tokens, a multiple of 6]"),
    ],
)
def test_wrong_projections_are_refused(heads: int, shape: tuple[int, ...], reason: str) -> None:
    with pytest.raises(Exception) as refused:  # noqa: PT011  # ONNX Runtime's have no common base
        outputs_of(attention_model(heads, 0.2, masked=False), x=np.zeros(shape, np.float32))
    assert reason in str(refused.value)


def test_a_mask_of_other_tokens_is_refused() -> None:
    with pytest.raises(Exception, match=r"mask must be \[1, 4\], as projections are"):
        model = attention_model(2, 0.2, masked=True)
        outputs_of(model, x=np.zeros((1, 4, 96), np.float32), mask=np.ones((1, 5), np.int32))
