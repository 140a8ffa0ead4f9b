"""softmax_top_k and pool_normalize on a GPU, against the CPU forms, which other tests hold against NumPy."""

from typing import Any, get_args

import numpy as np
import pytest
from numpy.typing import DTypeLike, NDArray
from support.cuda_memory import DeviceArray

from tundish_kernels import Pooling, ScoreFunction, cuda, pool_normalize, softmax_top_k

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not cuda.available(), reason=cuda.reason() or "")]


@pytest.fixture(scope="module")
def device() -> cuda.Device:
    return cuda.Device()


def random_floats(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(sum(shape)).normal(0, 4, shape).astype(np.float32)


@pytest.mark.parametrize("dtype", [np.int64, np.int32])
@pytest.mark.parametrize("function", get_args(ScoreFunction))
@pytest.mark.parametrize(("batch", "classes", "k"), [(1, 1, 1), (3, 1000, 5), (2, 130, 7), (1, 5000, 2)])
def test_softmax_top_k_equals_the_cpu_form(
    device: cuda.Device, batch: int, classes: int, k: int, function: ScoreFunction, dtype: DTypeLike
) -> None:
    logits = random_floats(batch, classes)
    logits[:, ::3] = np.round(logits[:, ::3])  # equal logits
    indices, scores = DeviceArray(np.zeros((batch, k), dtype)), DeviceArray(np.zeros((batch, k), np.float32))
    cuda.softmax_top_k_into((indices, scores), DeviceArray(logits), function=function, device=device, stream=0)
    expected_indices, expected_scores = softmax_top_k(logits, k, function=function, dtype=dtype)
    np.testing.assert_array_equal(indices.get(), expected_indices)
    assert scores.get().tobytes() == expected_scores.tobytes()


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.bool_])
@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("pooling", get_args(Pooling))
@pytest.mark.parametrize(("batch", "tokens", "width"), [(1, 1, 1), (3, 40, 17), (2, 300, 260)])
def test_pool_normalize_equals_the_cpu_form(
    device: cuda.Device, batch: int, tokens: int, width: int, pooling: Pooling, normalize: bool, dtype: DTypeLike
) -> None:
    vectors = random_floats(batch, tokens, width)
    mask = (np.random.default_rng(0).integers(0, 4, (batch, tokens)) > 0).astype(dtype)
    mask[-1] = 0  # keeps nothing
    destination = DeviceArray(np.full((batch, width), 7, np.float32))
    cuda.pool_normalize_into(
        destination,
        DeviceArray(vectors),
        DeviceArray(mask),
        pooling=pooling,
        normalize=normalize,
        device=device,
        stream=0,
    )
    expected = pool_normalize(vectors, mask, pooling=pooling, normalize=normalize)
    assert destination.get().tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"logits": random_floats(2, 9)}, TypeError, r"logits must be \[batch, classes\] float32 .*, got ndarray"),
        ({"destination": 3}, TypeError, "destination must be two arrays"),
        ({"k": 10}, ValueError, "k must be between 1 and 9, got 10"),
        ({"dtype": np.int16}, ValueError, r"indices must be \[2, k\] int64 or int32 .*, got \(2, 3\) int16"),
        ({"function": "tanh"}, ValueError, "function must be 'softmax'"),
        ({"function": None}, TypeError, "function must be a string, got None"),
        ({"device": 0}, TypeError, "device must be a Device, got int"),
        ({"stream": "0"}, TypeError, "stream must be an integer, got '0'"),
    ],
)
def test_wrong_arguments_of_softmax_top_k(
    device: cuda.Device, changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    k = changes.pop("k", 3)
    indices = DeviceArray(np.full((2, k), 7, changes.pop("dtype", np.int64)))
    scores = DeviceArray(np.full((2, k), 7, np.float32))
    arguments = {"destination": (indices, scores), "logits": DeviceArray(random_floats(2, 9)), "device": device}
    with pytest.raises(error, match=message):
        cuda.softmax_top_k_into(**{**arguments, "stream": 0, **changes})
    assert np.all(indices.get() == 7)
    assert np.all(scores.get() == 7)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"tokens": random_floats(2, 4, 3)}, TypeError, r"tokens must be \[batch, tokens, width\] .*, got ndarray"),
        ({"mask": lambda: DeviceArray(np.ones((2, 5), np.int64))}, ValueError, r"mask must be \[2, 4\] int64 or"),
        ({"mask": lambda: DeviceArray(np.ones((2, 4), np.int8))}, ValueError, r"got \(2, 4\) int8"),
        ({"pooling": "last"}, ValueError, "pooling must be 'mean', 'cls' or 'max'"),
        ({"pooling": 1}, TypeError, "pooling must be a string, got 1"),
        ({"normalize": 1}, TypeError, "normalize must be True or False, got 1"),
        ({"device": None}, TypeError, "device must be a Device, got NoneType"),
        ({"stream": -2}, ValueError, "stream must be the number of a CUstream, got -2"),
    ],
)
def test_wrong_arguments_of_pool_normalize(
    device: cuda.Device, changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    destination = DeviceArray(np.full((2, 3), 7, np.float32))
    arguments = {
        "destination": destination,
        "tokens": DeviceArray(random_floats(2, 4, 3)),
        "mask": DeviceArray(np.ones((2, 4), np.int64)),
        "pooling": "mean",
        "normalize": True,
        "device": device,
        "stream": 0,
        **{name: value() if callable(value) else value for name, value in changes.items()},
    }
    with pytest.raises(error, match=message):
        cuda.pool_normalize_into(**arguments)
    assert np.all(destination.get() == 7)


def test_arrays_may_not_overlap_and_must_be_on_the_gpu(device: cuda.Device) -> None:
    tokens, mask = DeviceArray(random_floats(2, 4, 3)), DeviceArray(np.ones((2, 4), np.int64))
    rest: dict[str, Any] = {"pooling": "mean", "normalize": True, "device": device, "stream": 0}
    inside = tokens.view(0, (2, 3), (12, 4))
    with pytest.raises(ValueError, match="destination must not overlap tokens"):
        cuda.pool_normalize_into(inside, tokens, mask, **rest)
    host = np.ones((2, 4), np.int64)
    destination = DeviceArray(np.full((2, 3), 7, np.float32))
    with pytest.raises(ValueError, match="mask must be in the memory of GPU 0, got memory of the host"):
        cuda.pool_normalize_into(destination, tokens, mask.changed(data=(host.ctypes.data, False)), **rest)
    assert np.all(destination.get() == 7)
