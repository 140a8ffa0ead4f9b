"""How the CUDA driver is found, started and used, with a library that stands for it and runs kernels on the CPU.

That proves what we do with the driver, and says nothing of a GPU.
"""

import ctypes
import sys
from pathlib import Path

import pytest
from support.cuda_driver import needs_kernels, run_with_driver

from tundish_kernels import cuda
from tundish_kernels.cuda import _device

pytestmark = pytest.mark.timeout(900)  # the first waits for the build, beside which other tests run

REASON = "from tundish_kernels import cuda; print(cuda.reason())"
ONE_CALL = """
import numpy as np
from support.cuda_memory import DeviceArray
from tundish_kernels import Region, Window, cuda
destination, image = DeviceArray(np.zeros((2, 3, 4, 4), "f4")), DeviceArray(np.zeros((6, 6, 3), "u1"))
regions, windows = [Region(0, 0, 6, 6), Region(1, 2, 4, 3)], [Window(4, 4, 0, 0)] * 2
print("begin")
try:
    workspace = cuda.Workspace(cuda.Device(), 4096)
    cuda.{call}, windows, filter="bilinear", workspace=workspace, stream=0)
except RuntimeError as error:
    print(error)
"""
RESIZE = ONE_CALL.format(call="resize_normalize_into(destination, [image, image]")
CROP = ONE_CALL.format(call="crop_resize_normalize_into(destination, image, regions")
TOKENIZER = """
from tundish_kernels import WordPiece, cuda
print("begin")
try:
    cuda.WordPiece(cuda.Device(), WordPiece({"[UNK]": 0}))
except RuntimeError as error:
    print(error)
"""
TOKENS = """
import numpy as np
from support.cuda_memory import DeviceArray
from tundish_kernels import WordPiece, cuda
device = cuda.Device()
rows = [DeviceArray(np.zeros((2, 9), "i8")) for _ in range(3)]
destination = cuda.TokenBatch(*rows, DeviceArray(np.zeros(2, "i4")), DeviceArray(np.zeros(2, "?")))
tokenizer, workspace = cuda.WordPiece(device, WordPiece({"[UNK]": 0})), cuda.Workspace(device, 4096)
try:
    print(cuda.wordpiece_into(destination, tokenizer, ["plain", "\u00e9"], workspace=workspace, stream=0))
except RuntimeError as error:
    print(error)
"""


def run_script(script: str, library: Path, **settings: str) -> str:
    return run_with_driver([sys.executable, "-c", script], library, settings)


def has_driver() -> bool:
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


@needs_kernels
@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({}, "None"),
        ({"FAKE_CUDA_DEVICES": "0"}, "the NVIDIA driver sees no GPU"),
        ({"FAKE_CUDA_FAILS": "cuInit=100"}, "the NVIDIA driver sees no GPU"),
        ({"FAKE_CUDA_FAILS": "cuInit=999"}, "the NVIDIA driver does not start: unknown error (CUDA error 999)"),
        (
            {"FAKE_CUDA_FAILS": "cuDeviceGetCount=719"},
            "the NVIDIA driver does not count its GPUs: unspecified launch failure (CUDA error 719)",
        ),
        (
            {"FAKE_CUDA_CAPABILITY": "61"},
            "GPU 1 has compute capability 6.1, and these kernels need 7.5 or newer",
        ),
    ],
)
def test_reason_is_one_sentence(simt_build: Path, settings: dict[str, str], reason: str) -> None:
    assert run_script(REASON, simt_build / "fake_driver", **settings) == reason


@needs_kernels
def test_driver_older_than_the_kernels_is_refused(simt_build: Path) -> None:
    said = run_script(REASON, simt_build / "fake_driver", FAKE_CUDA_VERSION="11040")
    assert said.startswith("the NVIDIA driver is too old: it is for CUDA 11.4, and these kernels need one for CUDA ")


@needs_kernels
def test_driver_without_our_functions_is_refused(simt_build: Path) -> None:
    said = run_script(REASON, simt_build / "empty_driver")
    assert said == "the NVIDIA driver is too old: its libcuda.so.1 has no cuInit"


@needs_kernels
@pytest.mark.skipif(has_driver(), reason="this machine has the driver")
def test_no_driver(tmp_path: Path) -> None:
    said = run_script(REASON, tmp_path)
    assert said.startswith("the NVIDIA driver's library cannot be loaded: libcuda.so.1")


def test_build_without_kernels_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(_device, "_FATBIN", tmp_path / "kernels.fatbin")
    expected = "this build has no CUDA kernels, because it was made without a working nvcc 12.8 or newer"
    assert not cuda.available()
    assert cuda.reason() == expected
    with pytest.raises(RuntimeError, match=expected):
        cuda.Device()


@needs_kernels
@pytest.mark.parametrize(
    ("fails", "sentence"),
    [
        ("cuModuleLoadData=200", "the kernels cannot be loaded into the GPU: unknown error (CUDA error 200)"),
        ("cuModuleGetFunction=500", "the kernels of this build are not complete: unknown error (CUDA error 500)"),
        ("cuMemHostAlloc=2", "the workspace cannot be had on the host: unknown error (CUDA error 2)"),
        ("cuEventCreate=2", "an event cannot be created: unknown error (CUDA error 2)"),
        (
            "cuEventSynchronize=719",
            "the work before this call failed: unspecified launch failure (CUDA error 719)",
        ),
        ("cuMemcpyHtoDAsync_v2=1", "the tables cannot be copied to the GPU: unknown error (CUDA error 1)"),
        ("cuEventRecord=400", "the copy of the tables cannot be followed: unknown error (CUDA error 400)"),
        (
            "cuLaunchKernel=719",
            "resize_normalize cannot be launched: unspecified launch failure (CUDA error 719)",
        ),
    ],
)
def test_failure_is_one_sentence_and_nothing_is_kept(
    simt_build: Path, tmp_path: Path, fails: str, sentence: str
) -> None:
    log = tmp_path / "log"
    said = run_script(RESIZE, simt_build / "fake_driver", FAKE_CUDA_FAILS=fails, FAKE_CUDA_LOG=str(log))
    assert said.splitlines() == ["begin", sentence]
    failed = fails.split("=")[0]
    calls = log.read_text().split()
    # Memory and contexts of the test's own two arrays: the arrays are freed, their contexts kept to the end.
    pairs = [
        ("cuDevicePrimaryCtxRetain", "cuDevicePrimaryCtxRelease_v2", 2),
        ("cuCtxPushCurrent_v2", "cuCtxPopCurrent_v2", 0),
        ("cuModuleLoadData", "cuModuleUnload", 0),
        ("cuMemAlloc_v2", "cuMemFree_v2", 0),
        ("cuMemHostAlloc", "cuMemFreeHost", 0),
        ("cuEventCreate", "cuEventDestroy_v2", 0),
    ]
    for begin, end, kept in pairs:
        assert calls.count(begin) - (failed == begin) == calls.count(end) + kept, begin


ONE_COPY_AND_ONE_LAUNCH = [
    "cuCtxPushCurrent_v2",
    "cuEventSynchronize",
    "cuMemcpyHtoDAsync_v2",
    "cuEventRecord",
    "cuLaunchKernel",
    "cuCtxPopCurrent_v2",
]


def calls_of_one_call(calls: list[str]) -> list[str]:
    """What was called of the driver after the workspace was made, up to the launch."""
    begin = calls.index("cuEventCreate") + 2  # and the context is popped
    end = calls.index("cuLaunchKernel") + 2
    return [call for call in calls[begin:end] if call != "cuPointerGetAttribute"]


@needs_kernels
@pytest.mark.parametrize(
    ("fails", "sentence"),
    [
        ("cuMemAlloc_v2=2", "the tokenizer's tables cannot be had on the GPU: unknown error (CUDA error 2)"),
        (
            "cuMemcpyHtoDAsync_v2=1",
            "the tokenizer's tables cannot be copied to the GPU: unknown error (CUDA error 1)",
        ),
        (
            "cuCtxSynchronize=719",
            "the copy of the tokenizer's tables failed: unspecified launch failure (CUDA error 719)",
        ),
    ],
)
def test_tokenizer_that_cannot_be_copied_keeps_nothing(
    simt_build: Path, tmp_path: Path, fails: str, sentence: str
) -> None:
    log = tmp_path / "log"
    said = run_script(TOKENIZER, simt_build / "fake_driver", FAKE_CUDA_FAILS=fails, FAKE_CUDA_LOG=str(log))
    assert said.splitlines() == ["begin", sentence]
    calls = log.read_text().split()
    assert calls.count("cuMemAlloc_v2") - fails.startswith("cuMemAlloc") == calls.count("cuMemFree_v2")
    assert calls.count("cuCtxPushCurrent_v2") == calls.count("cuCtxPopCurrent_v2")


@needs_kernels
@pytest.mark.parametrize(
    ("fails", "sentence"),
    [
        ("cuEventRecord=400", "the copy of the texts cannot be followed: unknown error (CUDA error 400)"),
        ("cuLaunchKernel=719", "wordpiece cannot be launched: unspecified launch failure (CUDA error 719)"),
    ],
)
def test_failure_of_wordpiece_is_one_sentence(simt_build: Path, fails: str, sentence: str) -> None:
    assert run_script(TOKENS, simt_build / "fake_driver", FAKE_CUDA_FAILS=fails) == sentence


@needs_kernels
def test_texts_that_the_cpu_tokenizes_take_no_copy_of_their_own(simt_build: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert run_script(TOKENS, simt_build / "fake_driver", FAKE_CUDA_LOG=str(log)) == "1"
    assert calls_of_one_call(log.read_text().split()) == ONE_COPY_AND_ONE_LAUNCH


@needs_kernels
@pytest.mark.parametrize("script", [RESIZE, CROP], ids=["resize_normalize", "crop_resize_normalize"])
def test_one_call_is_one_copy_and_one_launch(simt_build: Path, tmp_path: Path, script: str) -> None:
    log = tmp_path / "log"
    assert run_script(script, simt_build / "fake_driver", FAKE_CUDA_LOG=str(log)) == "begin"
    calls = log.read_text().split()
    assert calls_of_one_call(calls) == ONE_COPY_AND_ONE_LAUNCH


DETECTION = """
import numpy as np
from support.cuda_memory import DeviceArray
from tundish_kernels import cuda
boxes, scores = DeviceArray(np.ones((1, 2, 4), "f4")), DeviceArray(np.ones((1, 2, 3), "f4"))
destination = [DeviceArray(np.zeros(shape, dtype)) for shape, dtype in (((1, 5), "i4"), ((1, 5), "i4"),
                                                                         ((1, 5), "f4"), ((1,), "i4"))]
workspace = cuda.Workspace(cuda.Device(), 1000)
try:
    cuda.non_max_suppression_into(destination, boxes, scores, box_format="xyxy", score_threshold=0.5,
                                  iou_threshold=0.5, workspace=workspace, stream=0)
except RuntimeError as error:
    print(error)
"""


@needs_kernels
@pytest.mark.parametrize(
    ("fails", "sentence"),
    [
        ("cuMemsetD8Async=1", "the workspace cannot be cleared: unknown error (CUDA error 1)"),
        ("cuLaunchKernel=719", "non_max_suppression cannot be launched: unspecified launch failure (CUDA error 719)"),
    ],
)
def test_failure_of_a_detection_is_one_sentence(simt_build: Path, fails: str, sentence: str) -> None:
    assert run_script(DETECTION, simt_build / "fake_driver", FAKE_CUDA_FAILS=fails) == sentence


@needs_kernels
def test_a_detection_is_zeroes_and_two_launches_and_waits_for_nothing(simt_build: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert run_script(DETECTION, simt_build / "fake_driver", FAKE_CUDA_LOG=str(log)) == ""
    calls = log.read_text().split()
    begin = calls.index("cuMemsetD8Async")
    assert calls[begin : begin + 4] == ["cuMemsetD8Async", "cuLaunchKernel", "cuLaunchKernel", "cuCtxPopCurrent_v2"]
    assert "cuEventSynchronize" not in calls


@needs_kernels
def test_gpu_tests_pass_against_the_stand_in(simt_build: Path) -> None:
    """So that they are right before they meet their first GPU."""
    tests = sorted(map(str, Path(__file__).parent.glob("test_cuda_*.py")))
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider", *tests]
    said = run_with_driver(command, simt_build / "fake_driver")
    assert "passed" in said
    assert "skipped" not in said
