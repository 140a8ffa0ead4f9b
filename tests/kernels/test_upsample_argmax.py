"""upsample_argmax against PyTorch, in float64 and as transformers calls it, and every argument that it refuses."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.kernels import outputs_by_isa

from tundish_kernels import upsample_argmax, upsample_argmax_into

Floats = NDArray[np.float32]


def interpolated(logits: Floats, size: tuple[int, int]) -> NDArray[np.float64]:
    """PyTorch's interpolation in float32: its positions are rounded to float32, which moves steep logits."""
    tensor = torch.from_numpy(logits)
    result: NDArray[np.float64] = (
        torch.nn.functional.interpolate(tensor, size, mode="bilinear", align_corners=False).double().numpy()
    )
    return result


def check(logits: Floats, labels: NDArray[Any]) -> None:
    """Every label's value is the greatest of its pixel, but for what rounding may give or take."""
    values = interpolated(logits, labels.shape[1:])
    chosen = np.take_along_axis(values, labels[:, None].astype(np.int64), axis=1)[:, 0]
    assert np.all(values.max(axis=1) - chosen <= 8 * 2.0**-24 * np.abs(logits).max())


sizes = st.tuples(st.integers(1, 30), st.integers(1, 30))


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    batch=st.integers(1, 3),
    classes=st.integers(1, 9),
    source=sizes,
    size=st.tuples(st.integers(1, 90), st.integers(1, 150)),
    dtype=st.sampled_from([np.uint8, np.int32]),
)
def test_labels_are_torchs(
    seed: int, batch: int, classes: int, source: tuple[int, int], size: tuple[int, int], dtype: Any
) -> None:
    logits = np.random.default_rng(seed).normal(0, 5, (batch, classes, *source)).astype(np.float32)
    labels = upsample_argmax(logits, size, dtype=dtype)
    assert labels.dtype == dtype
    assert labels.shape == (batch, *size)
    check(logits, labels)


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((1, 150, 32, 32), (128, 128)),
        ((2, 19, 64, 128), (256, 512)),
        ((1, 300, 5, 7), (11, 1000)),
        ((1, 2, 500, 1), (1, 500)),
        ((1, 3, 100, 100), (37, 41)),
        ((1, 3, 1, 1), (65536, 1)),
        ((1, 65536, 1, 2), (2, 3)),
    ],
)
def test_labels_equal_torchs_at_chosen_sizes(shape: tuple[int, ...], size: tuple[int, int]) -> None:
    logits = np.random.default_rng(1).normal(0, 5, shape).astype(np.float32)
    labels = upsample_argmax(logits, size, dtype=np.int32)
    check(logits, labels)
    expected = interpolated(logits, size).argmax(axis=1)
    assert np.mean(labels != expected) <= 1e-5


def test_labels_of_integers_are_exact() -> None:
    """Doubling the size, weights are quarters: nothing is rounded, and ties go to the lowest class as NumPy's do."""
    logits = np.random.default_rng(2).integers(-3, 4, (2, 5, 30, 40)).astype(np.float32)
    expected = interpolated(logits, (60, 80)).argmax(axis=1)
    np.testing.assert_array_equal(upsample_argmax(logits, (60, 80)), expected)


def test_the_same_size_is_the_argmax() -> None:
    logits = np.random.default_rng(3).normal(0, 5, (2, 5, 33, 65)).astype(np.float32)
    np.testing.assert_array_equal(upsample_argmax(logits, (33, 65)), logits.argmax(axis=1))


@pytest.mark.parametrize(
    ("values", "label"),
    [
        ([np.nan, 1.0, 2.0], 2),
        ([np.nan, np.nan], 0),
        ([np.nan, -1.0, np.nan], 1),
        ([0.0, -0.0], 0),
        ([-0.0, 0.0], 0),
    ],
)
def test_nan_and_signed_zeros(values: list[float], label: int) -> None:
    logits = np.array(values, np.float32).reshape(1, -1, 1, 1)
    assert np.all(upsample_argmax(logits, (3, 5)) == label)


def test_infinities() -> None:
    """One wins or loses where both of its weights are above 0; 0 times an infinity is NaN, as in PyTorch."""
    logits = np.zeros((1, 2, 4, 4), np.float32)
    logits[0, 1] = np.inf
    assert np.all(upsample_argmax(logits, (8, 8))[0, 1:-1, 1:-1] == 1)
    logits[0, 1] = -np.inf
    assert np.all(upsample_argmax(logits, (8, 8)) == 0)


def test_into_equals_the_form_that_returns() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (2, 7, 9, 8)).astype(np.float32)
    destination = np.full((2, 33, 29), 99, np.int32)
    upsample_argmax_into(destination, logits)
    np.testing.assert_array_equal(destination, upsample_argmax(logits, (33, 29)))


DIGEST_SCRIPT = """
import hashlib
import numpy as np
from tundish_kernels import upsample_argmax
generator = np.random.default_rng(0)
digest = hashlib.sha256()
for case in range(150):
    logits = generator.normal(0, 3, generator.integers(1, [3, 9, 30, 30])).astype(np.float32)
    if case % 4 == 0:
        logits = np.round(logits)
    labels = upsample_argmax(logits, tuple(generator.integers(1, 120, 2).tolist()))
    digest.update(labels.tobytes())
print(digest.hexdigest())
"""


def test_instruction_sets_agree() -> None:
    digests = outputs_by_isa(DIGEST_SCRIPT)
    assert len(set(digests.values())) == 1
    assert len(digests["scalar"].strip()) == 64


LOGITS = np.zeros((2, 3, 4, 5), np.float32)
LOGITS_ARE = "logits must be [batch, classes, height, width] float32"


@pytest.mark.parametrize(
    ("changed", "error", "sentence"),
    [
        ({"logits": None}, TypeError, f"{LOGITS_ARE}, got NoneType"),
        ({"logits": LOGITS[0]}, ValueError, f"{LOGITS_ARE}, got (3, 4, 5) float32"),
        ({"logits": LOGITS.astype(np.float16)}, ValueError, f"{LOGITS_ARE}, got (2, 3, 4, 5) float16"),
        ({"logits": LOGITS[:, :0]}, ValueError, f"{LOGITS_ARE} and not empty, got (2, 0, 4, 5)"),
        (
            {"logits": LOGITS[:, :, ::2]},
            ValueError,
            f"{LOGITS_ARE} in aligned C order, got strides (240, 80, 40, 4)",
        ),
        (
            {"logits": np.zeros((1, 257, 1, 1), np.float32)},
            ValueError,
            "the classes of logits must be between 1 and 256, got 257",
        ),
        ({"size": 7}, TypeError, "size must be two integers (height, width), got 7"),
        ({"size": (7, 8.0)}, TypeError, "size must be two integers (height, width), got (7, 8.0)"),
        ({"size": (0, 8)}, ValueError, "size must be between 1 and 65536 each way, got (0, 8)"),
        ({"size": (8, 65537)}, ValueError, "size must be between 1 and 65536 each way, got (8, 65537)"),
        ({"dtype": np.int64}, ValueError, "dtype must be uint8 or int32, got int64"),
    ],
)
def test_wrong_argument(changed: dict[str, Any], error: type[Exception], sentence: str) -> None:
    arguments: dict[str, Any] = {"logits": LOGITS, "size": (8, 9)} | changed
    with pytest.raises(error) as raised:
        upsample_argmax(**arguments)
    assert str(raised.value) == sentence


def read_only() -> NDArray[np.uint8]:
    array = np.zeros((2, 8, 9), np.uint8)
    array.flags.writeable = False
    return array


DESTINATION_IS = "destination must be [2, height, width] uint8 or int32"


@pytest.mark.parametrize(
    ("destination", "error", "sentence"),
    [
        ([1], TypeError, f"{DESTINATION_IS}, got list"),
        (np.zeros((1, 8, 9), np.uint8), ValueError, f"{DESTINATION_IS}, got (1, 8, 9) uint8"),
        (np.zeros((2, 8, 9), np.int64), ValueError, f"{DESTINATION_IS}, got (2, 8, 9) int64"),
        (np.zeros((2, 8, 0), np.uint8), ValueError, f"{DESTINATION_IS} and not empty, got (2, 8, 0)"),
        (
            np.zeros((2, 8, 18), np.uint8)[..., ::2],
            ValueError,
            f"{DESTINATION_IS} in aligned C order, got strides (144, 18, 2)",
        ),
        (read_only(), ValueError, "destination must be writable, got a read-only array"),
        (
            LOGITS.reshape(-1)[:36].view(np.uint8).reshape(2, 8, 9),
            ValueError,
            "destination must not overlap logits, got shared memory",
        ),
        (
            np.zeros((2, 65537, 1), np.uint8),
            ValueError,
            "the height of destination must be between 1 and 65536, got 65537",
        ),
    ],
)
def test_wrong_destination(destination: Any, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error) as raised:
        upsample_argmax_into(destination, LOGITS)
    assert str(raised.value) == sentence
