"""pack on a GPU, against the CPU form, which other tests hold against NumPy."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import DTypeLike
from support.cuda_memory import DeviceArray

from tundish_kernels import Packed, cuda, pack

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not cuda.available(), reason=cuda.reason() or "")]

IDS = np.arange(3, dtype=np.int32)
STARTS = np.array([0, 2, 3])


def on_gpu(*shape: int) -> DeviceArray:
    return DeviceArray(np.full(shape, 7, np.int64))


@pytest.mark.parametrize("with_types", [False, True])
@pytest.mark.parametrize("dtype", [np.int64, np.int32])
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("counts", [[1], [3, 0, 70], [5] * 20, [300, 299]])
def test_pack_equals_the_cpu_form(
    device: cuda.Device, counts: list[int], side: Any, dtype: DTypeLike, with_types: bool
) -> None:
    starts = np.concatenate([[0], np.cumsum(counts)])
    generator = np.random.default_rng(sum(counts))
    ids, type_ids = (generator.integers(-(2**31), 2**31, sum(counts), dtype=np.int32) for _ in range(2))
    expected = pack(
        ids, starts, type_ids if with_types else None, multiple=8, pad_id=-9, pad_type_id=4, side=side, dtype=dtype
    )
    arrays = [None if array is None else DeviceArray(np.full_like(array, 7)) for array in expected]
    cuda.pack_into(
        Packed(*arrays),  # type: ignore[arg-type]
        DeviceArray(ids),
        DeviceArray(starts),
        DeviceArray(type_ids) if with_types else None,
        pad_id=-9,
        pad_type_id=4,
        side=side,
        device=device,
        stream=0,
    )
    for array, other in zip(arrays, expected, strict=True):
        assert (array is None) == (other is None)
        if array is not None:
            np.testing.assert_array_equal(array.get(), other)


def test_pack_cuts_off_what_is_too_long_and_reads_nothing_beside_the_arrays(device: cuda.Device) -> None:
    ids = DeviceArray(np.full((2, 2), 7, np.int64))
    for starts in ([0, 3, 3], [-5, 99, -(2**63)]):
        cuda.pack_into(
            (ids, None, None), DeviceArray(IDS), DeviceArray(np.array(starts)), pad_id=-1, device=device, stream=0
        )
        assert ids.get().tolist() == [[0, 1], [-1, -1]]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"destination": 3}, TypeError, r"destination must be three arrays \(ids, mask, type_ids\), got 3"),
        ({"destination": lambda: (on_gpu(3, 2), None, None)}, ValueError, r"starts must be \[4\] int64 .*, got \(3,\)"),
        ({"destination": lambda: (on_gpu(2), None, None)}, ValueError, r"destination.ids must be \[batch, length\]"),
        (
            {"destination": lambda: (on_gpu(2, 2), on_gpu(2, 3), None)},
            ValueError,
            r"destination.mask must be \[2, 2\] int64",
        ),
        ({"destination": lambda: (on_gpu(2, 2), None, on_gpu(2, 2))}, ValueError, "exactly if there are type_ids"),
        ({"type_ids": lambda: DeviceArray(IDS)}, ValueError, "exactly if there are type_ids, got only one of them"),
        ({"type_ids": lambda: DeviceArray(IDS[:2])}, ValueError, r"type_ids must be \[3\] int32"),
        ({"ids": IDS}, TypeError, r"ids must be \[tokens\] int32 .*, got ndarray"),
        ({"ids": lambda: DeviceArray(IDS).changed(shape=(0,))}, ValueError, r"not empty, got \(0,\)"),
        ({"starts": lambda: DeviceArray(STARTS.astype(np.int32))}, ValueError, r"starts must be \[3\] int64"),
        ({"pad_id": 0.5}, TypeError, "pad_id must be an integer, got 0.5"),
        ({"side": "top"}, ValueError, "side must be left or right, got 'top'"),
        ({"device": 0}, TypeError, "device must be a Device, got int"),
        ({"stream": None}, TypeError, "stream must be an integer, got None"),
    ],
)
def test_wrong_arguments_of_pack(
    device: cuda.Device, changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    ids = on_gpu(2, 2)
    arguments = {
        "destination": (ids, None, None),
        "ids": DeviceArray(IDS),
        "starts": DeviceArray(STARTS),
        "device": device,
        "stream": 0,
        **{name: value() if callable(value) else value for name, value in changes.items()},
    }
    with pytest.raises(error, match=message):
        cuda.pack_into(**arguments)
    assert np.all(ids.get() == 7)


def test_arrays_of_pack_must_lie_apart_on_the_gpu(device: cuda.Device) -> None:
    ids = on_gpu(2, 2)
    rest: dict[str, Any] = {"device": device, "stream": 0}
    with pytest.raises(ValueError, match="the destination must not overlap itself or the tokens"):
        cuda.pack_into((ids, ids, None), DeviceArray(IDS), DeviceArray(STARTS), **rest)
    starts = DeviceArray(STARTS).changed(data=(STARTS.ctypes.data, False))
    with pytest.raises(ValueError, match="starts must be in the memory of GPU 0, got memory of the host"):
        cuda.pack_into((ids, None, None), DeviceArray(IDS), starts, **rest)
    assert np.all(ids.get() == 7)
