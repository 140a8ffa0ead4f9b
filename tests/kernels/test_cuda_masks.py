"""upsample_argmax and run_length_encode on a GPU, against the CPU forms, which other tests hold against others."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import DTypeLike, NDArray
from support.cuda_memory import DeviceArray

from tundish_kernels import cuda, run_length_encode, upsample_argmax

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not cuda.available(), reason=cuda.reason() or "")]


def random_logits(*shape: int) -> NDArray[np.float32]:
    logits = np.random.default_rng(sum(shape)).normal(0, 4, shape).astype(np.float32)
    logits[:, ::2] = np.round(logits[:, ::2])  # equal logits
    return logits


@pytest.mark.parametrize("dtype", [np.uint8, np.int32])
@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((1, 1, 1, 1), (1, 1)),
        ((2, 7, 9, 11), (33, 70)),
        ((1, 19, 40, 33), (13, 17)),
        ((1, 3, 16, 8), (128, 64)),
        ((1, 5, 20, 30), (40, 45)),
        ((2, 6, 12, 40), (48, 20)),
    ],
)
def test_upsample_argmax_equals_the_cpu_form(
    device: cuda.Device, shape: tuple[int, ...], size: tuple[int, int], dtype: DTypeLike
) -> None:
    logits = random_logits(*shape)
    destination = DeviceArray(np.full((shape[0], *size), 99, dtype))
    cuda.upsample_argmax_into(destination, DeviceArray(logits), device=device, stream=0)
    np.testing.assert_array_equal(destination.get(), upsample_argmax(logits, size, dtype=dtype))


LOGITS_ARE = r"logits must be \[batch, classes, height, width\] float32 in a GPU's memory"
LABELS_ARE = r"destination must be \[2, height, width\] uint8 or int32 in a GPU's memory"


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"logits": random_logits(2, 3, 4, 5)}, TypeError, f"{LOGITS_ARE} with __cuda_array_interface__, got ndarray"),
        ({"logits": lambda: DeviceArray(random_logits(3, 4, 5))}, ValueError, rf"{LOGITS_ARE}, got \(3, 4, 5\)"),
        (
            {"logits": lambda: DeviceArray(random_logits(2, 3, 4, 5)).changed(strides=(240, 80, 20, 8))},
            ValueError,
            rf"{LOGITS_ARE} in aligned C order, got strides \(240, 80, 20, 8\)",
        ),
        (
            {"logits": lambda: DeviceArray(random_logits(2, 257, 1, 1))},
            ValueError,
            "the classes of logits must be between 1 and 256, got 257",
        ),
        ({"destination": lambda: DeviceArray(np.zeros((1, 8, 9), np.uint8))}, ValueError, rf"{LABELS_ARE}, got \(1"),
        ({"destination": lambda: DeviceArray(np.zeros((2, 8, 9), np.int64))}, ValueError, rf"{LABELS_ARE}, .* int64"),
        (
            {"destination": lambda: DeviceArray(np.zeros((2, 8, 9), np.uint8)).changed(shape=(2, 0, 9))},
            ValueError,
            rf"{LABELS_ARE} and not empty, got \(2, 0, 9\)",
        ),
        (
            {"destination": lambda: DeviceArray(np.zeros((2, 65537, 1), np.uint8))},
            ValueError,
            "the height of destination must be between 1 and 65536, got 65537",
        ),
        ({"device": "0"}, TypeError, "device must be a Device, got str"),
        ({"stream": None}, TypeError, "stream must be an integer, got None"),
    ],
)
def test_wrong_arguments_of_upsample_argmax(
    device: cuda.Device, changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    destination = DeviceArray(np.full((2, 8, 9), 99, np.uint8))
    arguments: dict[str, Any] = {
        "destination": destination,
        "logits": DeviceArray(random_logits(2, 3, 4, 5)),
        "device": device,
        "stream": 0,
        **{name: value() if callable(value) else value for name, value in changes.items()},
    }
    with pytest.raises(error, match=message):
        cuda.upsample_argmax_into(**arguments)
    assert np.all(destination.get() == 99)


def test_labels_may_not_be_read_only_among_the_logits_or_on_the_host(device: cuda.Device) -> None:
    logits = DeviceArray(random_logits(2, 3, 4, 5))
    destination = DeviceArray(np.full((2, 8, 9), 99, np.uint8))
    address = destination.__cuda_array_interface__["data"][0]
    with pytest.raises(ValueError, match="destination must be writable, got a read-only array"):
        cuda.upsample_argmax_into(destination.changed(data=(address, True)), logits, device=device, stream=0)
    inside = logits.changed(shape=(2, 8, 9), typestr="|u1")
    with pytest.raises(ValueError, match="destination must not overlap logits, got shared memory"):
        cuda.upsample_argmax_into(inside, logits, device=device, stream=0)
    host = np.zeros((2, 8, 9), np.uint8)
    with pytest.raises(ValueError, match="destination must be in the memory of GPU 0, got memory of the host"):
        on_host = destination.changed(data=(host.ctypes.data, False))
        cuda.upsample_argmax_into(on_host, logits, device=device, stream=0)
    assert np.all(destination.get() == 99)


def random_masks(batch: int, height: int, width: int, share: float) -> NDArray[np.bool_]:
    return np.random.default_rng(height).uniform(0, 1, (batch, height, width)) < share


@pytest.mark.parametrize("dtype", [np.uint8, np.bool_])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 1.0])
@pytest.mark.parametrize(("batch", "height", "width"), [(1, 1, 1), (3, 33, 65), (2, 64, 200)])
def test_texts_are_those_of_the_cpu_form(
    workspace: cuda.Workspace, batch: int, height: int, width: int, share: float, dtype: DTypeLike
) -> None:
    masks = random_masks(batch, height, width, share).astype(dtype)
    capacity = 2 * height * width + 14
    text = DeviceArray(np.full((batch, capacity), 7, np.uint8))
    lengths = DeviceArray(np.full(batch, 7, np.int64))
    cuda.run_length_encode_into((text, lengths), DeviceArray(masks), workspace=workspace, stream=0)
    found = [row[:length].tobytes() for row, length in zip(text.get(), lengths.get().tolist(), strict=True)]
    assert found == run_length_encode(masks)
    for row, length in zip(text.get(), lengths.get().tolist(), strict=True):
        assert np.all(row[length:] == 7)


def test_a_text_that_does_not_fit_has_its_length_and_its_beginning(workspace: cuda.Workspace) -> None:
    masks = random_masks(2, 20, 30, 0.5)
    text, lengths = DeviceArray(np.zeros((2, 5), np.uint8)), DeviceArray(np.zeros(2, np.int64))
    cuda.run_length_encode_into((text, lengths), DeviceArray(masks), workspace=workspace, stream=0)
    expected = run_length_encode(masks)
    assert lengths.get().tolist() == [len(one) for one in expected]
    assert [row.tobytes() for row in text.get()] == [one[:5] for one in expected]


def test_workspace_of_the_exact_size_is_enough_and_a_smaller_one_refused(device: cuda.Device) -> None:
    masks = DeviceArray(random_masks(2, 33, 5, 0.5))
    needed = cuda.run_length_encode_workspace_bytes(2, 33, 5)
    assert needed == 2 * 5 * 8
    destination = (DeviceArray(np.zeros((2, 400), np.uint8)), DeviceArray(np.full(2, 7, np.int64)))
    small, exact = cuda.Workspace(device, needed - 1), cuda.Workspace(device, needed)
    with pytest.raises(ValueError, match="workspace must have 80 bytes for these masks, got 79"):
        cuda.run_length_encode_into(destination, masks, workspace=small, stream=0)
    assert destination[1].get().tolist() == [7, 7]
    cuda.run_length_encode_into(destination, masks, workspace=exact, stream=0)
    assert np.all(destination[1].get() > 7)


@pytest.mark.parametrize(
    ("numbers", "error", "message"),
    [
        ((0, 1, 1), ValueError, "batch must be between 1 and 65535, got 0"),
        ((1, 65536, 1), ValueError, "height must be between 1 and 65535, got 65536"),
        ((1, 1, 2.0), TypeError, "width must be an integer, got 2.0"),
    ],
)
def test_wrong_numbers_of_a_workspace(numbers: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        cuda.run_length_encode_workspace_bytes(*numbers)


MASKS_ARE = r"masks must be \[batch, height, width\] uint8 or bool in a GPU's memory"


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"masks": random_masks(2, 8, 9, 0.5)}, TypeError, f"{MASKS_ARE} with __cuda_array_interface__, got ndarray"),
        ({"masks": lambda: DeviceArray(np.zeros((2, 8), np.uint8))}, ValueError, rf"{MASKS_ARE}, got \(2, 8\) uint8"),
        ({"masks": lambda: DeviceArray(np.zeros((2, 8, 9), np.int8))}, ValueError, rf"{MASKS_ARE}, .* int8"),
        (
            {"masks": lambda: DeviceArray(np.zeros((1, 1, 65536), np.uint8)), "batch": 1},
            ValueError,
            "the width of a mask must be between 1 and 65535, got 65536",
        ),
        ({"batch": 1}, ValueError, r"destination.text must be \[2, capacity\] uint8 in a GPU's memory, got \(1, 200\)"),
        ({"destination": 3}, TypeError, r"destination must be two arrays \(text, lengths\), got 3"),
        ({"workspace": 0}, TypeError, "workspace must be a Workspace, got int"),
        ({"stream": 1.5}, TypeError, "stream must be an integer, got 1.5"),
    ],
)
def test_wrong_arguments_of_run_length_encode(
    workspace: cuda.Workspace, changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    batch = changes.get("batch", 2)
    text, lengths = DeviceArray(np.full((batch, 200), 7, np.uint8)), DeviceArray(np.full(batch, 7, np.int64))
    arguments: dict[str, Any] = {
        "destination": (text, lengths),
        "masks": DeviceArray(random_masks(2, 8, 9, 0.5)),
        "workspace": workspace,
        "stream": 0,
        **{name: value() if callable(value) else value for name, value in changes.items() if name != "batch"},
    }
    with pytest.raises(error, match=message):
        cuda.run_length_encode_into(**arguments)
    assert np.all(text.get() == 7)
    assert np.all(lengths.get() == 7)


def test_texts_may_not_be_read_only_shared_or_on_the_host(workspace: cuda.Workspace) -> None:
    masks = DeviceArray(random_masks(2, 8, 9, 0.5).astype(np.uint8))
    text, lengths = DeviceArray(np.full((2, 200), 7, np.uint8)), DeviceArray(np.full(2, 7, np.int64))
    rest: dict[str, Any] = {"workspace": workspace, "stream": 0}
    address = text.__cuda_array_interface__["data"][0]
    with pytest.raises(ValueError, match=r"destination.text must be writable, got a read-only array"):
        cuda.run_length_encode_into((text.changed(data=(address, True)), lengths), masks, **rest)
    with pytest.raises(ValueError, match="text must not overlap masks, got shared memory"):
        cuda.run_length_encode_into((masks.view(0, (2, 30), (30, 1)), lengths), masks, **rest)
    with pytest.raises(ValueError, match="text must not overlap lengths, got shared memory"):
        inside = text.changed(shape=(2,), typestr="<i8")
        cuda.run_length_encode_into((text, inside), masks, **rest)
    host = np.zeros(2, np.int64)
    with pytest.raises(ValueError, match="lengths must be in the memory of GPU 0, got memory of the host"):
        on_host = lengths.changed(data=(host.ctypes.data, False))
        cuda.run_length_encode_into((text, on_host), masks, **rest)
    assert np.all(text.get() == 7)
