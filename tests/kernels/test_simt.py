"""The literal CUDA kernels on the CPU, and whether the shim that runs them finds what it must find.

Fibers under the address and undefined-behaviour sanitizers show memory errors, and races as a difference between
two orders of the threads. Threads under the thread sanitizer name the line of a race.
"""

import re
import subprocess
from pathlib import Path

import pytest

SIMT = Path(__file__).parent / "simt"
KERNELS = Path(__file__).parents[2] / "kernels" / "src" / "cuda"
OPERATORS = sorted(path.stem for path in KERNELS.glob("*.cu") if path.stem != "kernels")
ORDERS = ["ascending", "descending", "shuffled"]

pytestmark = pytest.mark.timeout(900)  # the first waits for the build, beside which other tests run


def run(driver: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([driver, *arguments], capture_output=True, text=True, check=False, timeout=120)


def output_of(driver: Path, *arguments: str) -> str:
    result = run(driver, *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def line(mark: str) -> int:
    """Where the planted kernels have a marker."""
    for number, text in enumerate((SIMT / "planted.cu").read_text().splitlines(), 1):
        if text.endswith(f"// MARK: {mark}"):
            return number
    raise AssertionError(f"no marker '{mark}'")


def test_every_kernel_has_a_driver() -> None:
    listed = re.search(r"set\(drivers planted([^)]+)\)", (SIMT / "CMakeLists.txt").read_text())
    included = re.findall(r'#include "(\w+)\.cu"', (KERNELS / "kernels.cu").read_text())
    assert listed
    assert listed[1].split() == [f"simt_{name}" for name in included]
    assert included == OPERATORS


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("operator", OPERATORS)
def test_kernel_equals_the_cpu_form_in_every_order(simt_build: Path, operator: str, order: str) -> None:
    assert output_of(simt_build / f"simt_{operator}_fibers", order, "250").startswith("ok: ")


@pytest.mark.parametrize("operator", OPERATORS)
def test_kernel_has_no_race(simt_build: Path, operator: str) -> None:
    assert output_of(simt_build / f"simt_{operator}_threads", "ascending", "4").startswith("ok: ")


@pytest.mark.parametrize(
    ("kernel", "marks"),
    [("missing_barrier", ("written", "raced")), ("missing_warp_barrier", ("raced in a warp",))],
)
def test_thread_sanitizer_names_the_line_of_a_missing_barrier(
    simt_build: Path, kernel: str, marks: tuple[str, ...]
) -> None:
    result = run(simt_build / "planted_threads", kernel, "ascending")
    assert result.returncode != 0
    assert "ThreadSanitizer: data race" in result.stderr
    for mark in marks:
        assert f"planted.cu:{line(mark)}" in result.stderr


def test_two_orders_show_a_missing_barrier(simt_build: Path) -> None:
    outputs = {output_of(simt_build / "planted_fibers", "missing_barrier", order) for order in ORDERS}
    assert len(outputs) == 3


@pytest.mark.parametrize("back_end", ["fibers", "threads"])
@pytest.mark.parametrize("kernel", ["barriers_in_place", "warp_functions"])
def test_correct_kernels_give_the_known_answer(simt_build: Path, back_end: str, kernel: str) -> None:
    if kernel == "barriers_in_place":
        expected = [(thread ^ 1) + 2 if thread ^ 1 != 63 else 1 for thread in range(64)] * 2
    else:
        expected = []
        for lane in range(32):
            group = sum(range(lane // 8 * 8, lane // 8 * 8 + 8))
            following = lane if lane % 8 == 7 else lane + 1
            expected.append(group + 1000 * (lane + 1) + 100000 * (following + 100 * (lane // 16 * 16)))
        expected *= 4
    for order in ORDERS:
        values = [int(word) for word in output_of(simt_build / f"planted_{back_end}", kernel, order).split()]
        assert values == expected


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("kernel", "mark", "error"),
    [
        ("shared_out_of_bounds", "shared too far", "global-buffer-overflow"),
        ("global_out_of_bounds", "global too far", "heap-buffer-overflow"),
    ],
)
def test_address_sanitizer_names_the_line_of_an_access_too_far(
    simt_build: Path, order: str, kernel: str, mark: str, error: str
) -> None:
    result = run(simt_build / "planted_fibers", kernel, order)
    assert result.returncode != 0
    assert f"AddressSanitizer: {error}" in result.stderr
    assert f"planted.cu:{line(mark)}" in result.stderr


@pytest.mark.parametrize("back_end", ["fibers", "threads"])
@pytest.mark.parametrize(
    ("kernel", "mark", "message"),
    [
        ("divergent_barrier", "divergent", "thread 0 of the block waits, but thread 40 has returned"),
        ("different_barriers", "first branch", "thread 0 of the block waits here, but thread 32 in line"),
        ("absent_lane", "lane 7 is absent", "waits for lane 7 of its warp, which has returned"),
        ("inactive_source", "reads an inactive lane", "which is inactive"),
        ("not_in_mask", "not in its mask", "lane 31 is not in its own mask 7fffffff"),
    ],
)
def test_divergence_fails_with_the_line_and_does_not_hang(
    simt_build: Path, back_end: str, kernel: str, mark: str, message: str
) -> None:
    for order in ORDERS:
        result = run(simt_build / f"planted_{back_end}", kernel, order)
        assert result.returncode == 70
        assert f"planted.cu:{line(mark)}: " in result.stderr
        assert message in result.stderr


@pytest.mark.parametrize("back_end", ["fibers", "threads"])
def test_shared_memory_that_nobody_wrote_differs_from_block_to_block(simt_build: Path, back_end: str) -> None:
    values = output_of(simt_build / f"planted_{back_end}", "uninitialised_shared", "ascending").split()
    assert len(set(values)) == 2
    assert "0" not in values
