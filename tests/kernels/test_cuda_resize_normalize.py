"""resize_normalize on a GPU, against the CPU forms, which other tests hold against Pillow.

Without a GPU, test_cuda_loader.py runs them against a stand-in for the driver that runs the kernels on the CPU.
"""

from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.cuda_memory import DeviceArray, strided_copy

from tundish_kernels import Filter, ImageOutput, Quantization, Window, cuda, resize_normalize

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not cuda.available(), reason=cuda.reason() or "")]

Pixels = NDArray[np.uint8]
CONSTANTS: dict[str, Any] = {
    "scale": 1 / 255,
    "mean": (0.485, 0.456, 0.406),
    "std": (0.229, 0.224, 0.225),
    "pad": 114,
}
UNTOUCHED: dict[str, Any] = {"filter": "bilinear", "scale": 1.0, "mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}


def random_image(height: int, width: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def on_gpu(
    workspace: cuda.Workspace, images: list[Pixels], windows: list[Window], size: tuple[int, int], filter_name: Filter
) -> NDArray[np.float32]:
    destination = DeviceArray(np.full((len(images), 3, *size), np.nan, dtype=np.float32))
    copies = [DeviceArray(image) for image in images]
    cuda.resize_normalize_into(
        destination, copies, windows, filter=filter_name, **CONSTANTS, workspace=workspace, stream=0
    )
    return destination.get()


@pytest.mark.parametrize("filter_name", get_args(Filter))
def test_batch_of_mixed_sizes_equals_the_cpu_form(workspace: cuda.Workspace, filter_name: Filter) -> None:
    sizes = [(60, 80), (17, 5), (50, 60), (60, 80), (1, 1), (33, 700)]
    windows = [
        Window(56, 75, 3, 7),
        Window(40, 12, -5, -24),
        Window(50, 60, 0, 0),
        Window(56, 75, 3, 7),
        Window(300, 500, 20, 20),
        Window(50, 1061, 0, 500),
    ]
    images = [random_image(*size, seed) for seed, size in enumerate(sizes)]
    np.testing.assert_array_equal(
        on_gpu(workspace, images, windows, (50, 61), filter_name),
        resize_normalize(images, windows, size=(50, 61), filter=filter_name, **CONSTANTS),
    )


def test_photograph_sized_frames_equal_the_cpu_form(workspace: cuda.Workspace) -> None:
    images, windows = [random_image(270, 480)], [Window(126, 224, -49, 0)]
    np.testing.assert_array_equal(
        on_gpu(workspace, images, windows, (224, 224), "bilinear"),
        resize_normalize(images, windows, size=(224, 224), filter="bilinear", **CONSTANTS),
    )


@pytest.mark.parametrize("filter_name", ["bilinear", "bicubic"])
@pytest.mark.parametrize(
    "output",
    [
        ImageOutput(dtype="float16", layout="hwc"),
        ImageOutput(dtype="uint8", order="bgr", quantization=Quantization(0.0187, 114)),
        ImageOutput(dtype="int8", layout="hwc", quantization=Quantization(0.0187, -14)),
        ImageOutput(order="bgr"),
    ],
)
def test_outputs_and_point_filters_equal_the_cpu_form(
    workspace: cuda.Workspace, output: ImageOutput, filter_name: Filter
) -> None:
    images, window = [random_image(31, 40)], [Window(20, 28, 0, -3)]
    arguments: dict[str, Any] = {
        **CONSTANTS,
        "format": "bgr",
        "filter": filter_name,
        "antialias": False,
        "pad": (1, 200, 30),
        "output": output,
    }
    expected = resize_normalize(images, window, size=(22, 33), **arguments)
    destination = DeviceArray(np.zeros_like(expected))
    cuda.resize_normalize_into(
        destination, [DeviceArray(images[0])], window, **arguments, workspace=workspace, stream=0
    )
    np.testing.assert_array_equal(destination.get(), expected)


@settings(max_examples=60, deadline=None)
@given(
    sources=st.lists(st.tuples(st.integers(1, 90), st.integers(1, 90)), min_size=1, max_size=3),
    window=st.builds(Window, st.integers(1, 90), st.integers(1, 90), st.integers(-60, 100), st.integers(-60, 100)),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    filter_name=st.sampled_from(get_args(Filter)),
)
def test_any_sizes_equal_the_cpu_form(
    workspace: cuda.Workspace,
    sources: list[tuple[int, int]],
    window: Window,
    size: tuple[int, int],
    filter_name: Filter,
) -> None:
    images = [random_image(*source, seed) for seed, source in enumerate(sources)]
    windows = [window] * len(images)
    np.testing.assert_array_equal(
        on_gpu(workspace, images, windows, size, filter_name),
        resize_normalize(images, windows, size=size, filter=filter_name, **CONSTANTS),
    )


@pytest.mark.parametrize("rows", [slice(None, None, -1), slice(None, None, 3), slice(5, 6)])
def test_rows_may_be_apart(workspace: cuda.Workspace, rows: slice) -> None:
    image = random_image(60, 50)
    part = image[rows, 4:34]
    destination = DeviceArray(np.zeros((1, 3, 20, 20), dtype=np.float32))
    window = [Window(20, 20, 0, 0)]
    cuda.resize_normalize_into(destination, [strided_copy(part)], window, **UNTOUCHED, workspace=workspace, stream=0)
    np.testing.assert_array_equal(destination.get(), resize_normalize([part], window, size=(20, 20), **UNTOUCHED))


def test_calls_may_follow_each_other_without_waiting(workspace: cuda.Workspace) -> None:
    """The second call writes its tables where the first one's were; stream 2 is CU_STREAM_PER_THREAD."""
    images = [random_image(20 + 7 * index, 90 - 9 * index, index) for index in range(6)]
    windows = [Window(30, 20 + index, index, 0) for index in range(6)]
    copies = [DeviceArray(image) for image in images]
    destinations = [DeviceArray(np.zeros((1, 3, 24, 20), dtype=np.float32)) for _ in images]
    for copy, window, destination in zip(copies, windows, destinations, strict=True):
        cuda.resize_normalize_into(destination, [copy], [window], **UNTOUCHED, workspace=workspace, stream=2)
    for image, window, destination in zip(images, windows, destinations, strict=True):
        np.testing.assert_array_equal(
            destination.get(), resize_normalize([image], [window], size=(24, 20), **UNTOUCHED)
        )


def test_workspace_is_as_large_as_asked_for(device: cuda.Device) -> None:
    images = [random_image(40, 50), random_image(30, 20)]
    windows = [Window(32, 32, 0, 0)] * 2
    needed = cuda.resize_normalize_workspace_bytes([(40, 50), (40, 50)], windows, size=(32, 32), filter="bicubic")
    destination = DeviceArray(np.zeros((2, 3, 32, 32), dtype=np.float32))
    copies = [DeviceArray(image) for image in images]
    arguments: dict[str, Any] = {**CONSTANTS, "filter": "bicubic", "stream": 0}
    exact = cuda.Workspace(device, needed)
    assert exact.size == needed
    assert device.ordinal == 0
    cuda.resize_normalize_into(destination, copies, windows, **arguments, workspace=exact)
    expected = resize_normalize(images, windows, size=(32, 32), filter="bicubic", **CONSTANTS)
    np.testing.assert_array_equal(destination.get(), expected)
    with pytest.raises(ValueError, match=r"workspace must have \d+ bytes for these images, got 64"):
        cuda.resize_normalize_into(destination, copies, windows, **arguments, workspace=cuda.Workspace(device, 64))


def image_on_gpu() -> DeviceArray:
    return DeviceArray(random_image(6, 6))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"images": [np.zeros((6, 6, 3), np.uint8)]}, TypeError, r"images\[0\] must be .*, got ndarray"),
        ({"images": lambda: [image_on_gpu().changed(typestr="<f4")]}, ValueError, r"got \(6, 6, 3\) float32"),
        ({"images": lambda: [image_on_gpu().changed(shape=(6, 18))]}, ValueError, r"got \(6, 18\) uint8"),
        ({"images": lambda: [image_on_gpu().changed(shape=(6, 9, 2))]}, ValueError, r"got \(6, 9, 2\) uint8"),
        ({"images": lambda: [image_on_gpu().changed(shape=(0, 6, 3))]}, ValueError, r"not empty, got \(0, 6, 3\)"),
        (
            {"images": lambda: [image_on_gpu().changed(strides=(18, 6, 1))]},
            ValueError,
            r"must be adjacent, got strides",
        ),
        ({"images": lambda: [image_on_gpu().changed(data=None)]}, TypeError, "invalid __cuda_array_interface__"),
        ({"images": lambda: [image_on_gpu().changed(data=(0, False))]}, ValueError, "must point to memory"),
        ({"images": []}, ValueError, r"windows must be as many as images \(0\), got 1"),
        ({"images": [], "windows": []}, ValueError, "images must hold at least one image, got none"),
        ({"windows": [(6, 6, 0)]}, TypeError, r"windows\[0\] must be a Window"),
        ({"windows": [Window(0, 6, 0, 0)]}, ValueError, r"windows\[0\].resized_height must be between"),
        ({"destination": np.zeros((1, 3, 4, 4), np.float32)}, TypeError, "destination must be .*, got ndarray"),
        ({"read_only": True}, ValueError, "destination must be writable, got a read-only array"),
        ({"shape": (2, 3, 2, 4)}, ValueError, r"must be \[1, 3, height, width\]"),
        ({"strides": (192, 64, 8, 4)}, ValueError, r"in aligned C order, got strides \(192, 64, 8, 4\)"),
        ({"workspace": None}, TypeError, "workspace must be a Workspace, got NoneType"),
        ({"stream": -1}, ValueError, "stream must be the number of a CUstream, got -1"),
        ({"stream": None}, TypeError, "stream must be an integer"),
        ({"filter": "linear"}, ValueError, "filter must be"),
        ({"filter": 1}, TypeError, "filter must be a string, got 1"),
        ({"std": (1.0, 0.0, 1.0)}, ValueError, r"std\[1\] must be finite and above 0"),
        ({"mean": (1.0,)}, ValueError, "mean must be three numbers"),
        ({"pad": 256}, ValueError, "pad must be between 0 and 255"),
        ({"format": "nv21"}, ValueError, "format must be one of rgb, bgr, grey, .*, got 'nv21'"),
        ({"antialias": 0}, TypeError, "antialias must be True or False, got 0"),
        ({"output": ImageOutput(dtype="uint8")}, ValueError, r"destination must be .* uint8 in .*, got .* float32"),
        ({"output": "uint8"}, TypeError, "output must be an ImageOutput, got str"),
    ],
)
def test_wrong_arguments_are_named_and_nothing_is_written(
    workspace: cuda.Workspace, changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    memory = DeviceArray(np.full((1, 3, 4, 4), 7, dtype=np.float32))
    interface = memory.__cuda_array_interface__
    address = interface["data"][0]
    arguments: dict[str, Any] = {
        "destination": memory.changed(
            data=(address, changes.get("read_only", False)),
            shape=changes.get("shape", interface["shape"]),
            strides=changes.get("strides"),
        ),
        "images": [image_on_gpu()],
        "windows": [Window(4, 4, 0, 0)],
        **UNTOUCHED,
        "workspace": workspace,
        "stream": 0,
    }
    for name, value in changes.items():
        if name not in ("read_only", "shape", "strides"):
            arguments[name] = value() if callable(value) else value
    with pytest.raises(error, match=message):
        cuda.resize_normalize_into(**arguments)
    assert np.all(memory.get() == 7)


def test_memory_must_be_the_gpus(workspace: cuda.Workspace) -> None:
    destination = DeviceArray(np.full((1, 3, 4, 4), 7, dtype=np.float32))
    image = image_on_gpu()
    host = random_image(6, 6)
    arguments: dict[str, Any] = {**UNTOUCHED, "workspace": workspace, "stream": 0}
    window = [Window(4, 4, 0, 0)]
    on_host = image.changed(data=(host.ctypes.data, False))
    with pytest.raises(ValueError, match=r"images\[0\] must be in the memory of GPU 0, got memory of the host"):
        cuda.resize_normalize_into(destination, [on_host], window, **arguments)
    address = destination.__cuda_array_interface__["data"][0]
    with pytest.raises(ValueError, match=r"destination must not overlap an image, got memory shared with images\[0\]"):
        cuda.resize_normalize_into(destination, [image.changed(data=(address, False))], window, **arguments)
    assert np.all(destination.get() == 7)


def test_memory_of_another_gpu_is_refused(workspace: cuda.Workspace) -> None:
    try:
        cuda.Device(1)
    except ValueError:
        pytest.skip("needs two GPUs")
    destination = DeviceArray(np.zeros((1, 3, 4, 4), dtype=np.float32), ordinal=1)
    with pytest.raises(ValueError, match="destination must be in the memory of GPU 0, got memory of GPU 1"):
        cuda.resize_normalize_into(
            destination, [image_on_gpu()], [Window(4, 4, 0, 0)], **UNTOUCHED, workspace=workspace, stream=0
        )


@pytest.mark.parametrize("ordinal", [-1, 99, 2**40])
def test_gpu_must_exist(ordinal: int) -> None:
    with pytest.raises(ValueError, match="ordinal must be between 0 and"):
        cuda.Device(ordinal)


def test_constructors_name_a_wrong_argument(device: cuda.Device) -> None:
    with pytest.raises(TypeError, match="ordinal must be an integer, got '0'"):
        cuda.Device("0")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="device must be a Device, got int"):
        cuda.Workspace(0, 1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="size must be 0 or more bytes, got -1"):
        cuda.Workspace(device, -1)
    with pytest.raises(RuntimeError, match=r"the workspace cannot be had on the GPU: .*CUDA error 2"):
        cuda.Workspace(device, 2**50)
