"""What the installation has of the CUDA kernels: for which GPUs, in how many bytes, and without spills."""

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest
from support.cuda_driver import needs_kernels

from tundish_kernels.cuda._device import _FATBIN

KERNELS = Path(__file__).parents[2] / "kernels"
GENERATIONS = [75, 80, 86, 89, 90, 100, 120]

pytestmark = needs_kernels

# The barriers, shuffles and votes that each kernel has at least in its machine code: as many barriers as the source;
# a 64-bit shuffle is two instructions.
EXPECTED = {
    "tundish_non_max_suppression": {"BAR.SYNC": 11, "SHFL": 7, "VOTE": 4},
    "tundish_non_max_suppression_collect": {"BAR.SYNC": 1, "SHFL.BFLY": 10, "VOTE": 2},
    "tundish_non_max_suppression_rotated": {"BAR.SYNC": 11, "SHFL": 7, "VOTE": 4},
    "tundish_pack": {},
    "tundish_pool_normalize": {"BAR.SYNC": 4, "SHFL.DOWN": 8, "VOTE": 1},
    "tundish_resize_normalize": {"BAR.SYNC": 3},
    "tundish_resize_normalize_point": {},
    "tundish_resize_normalize_point_converted": {},
    "tundish_run_length_encode": {"BAR.SYNC": 5, "SHFL": 12},
    "tundish_run_length_encode_pack": {"BAR.SYNC": 1},
    "tundish_softmax_top_k": {"BAR.SYNC": 3, "SHFL.BFLY": 10, "SHFL.DOWN": 8},
    "tundish_upsample_argmax": {},
    "tundish_wordpiece": {"BAR.SYNC": 7, "SHFL.IDX": 10, "SHFL.UP": 15, "VOTE": 12},
}


class MachineCode(NamedTuple):
    generation: int
    kernel: str
    instructions: list[str]


def run(*command: str | Path, **settings: str) -> str:
    result = subprocess.run(
        command,
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    return result.stdout


def cuobjdump(*arguments: str | Path) -> str:
    """From the CUDA toolkit or NVIDIA's packages on PyPI; it looks for nvdisasm on the path."""
    packages = importlib.util.find_spec("nvidia")
    roots = (packages.submodule_search_locations if packages else None) or []
    folders = [str(path) for root in roots for path in Path(root).glob("cu*/bin")]
    path = os.pathsep.join([*folders, os.environ["PATH"]])
    program = shutil.which("cuobjdump", path=path)
    assert program is not None, "cuobjdump is in the extra 'dev'"
    return run(program, *arguments, PATH=path)


@pytest.fixture(scope="module")
def machine_code() -> list[MachineCode]:
    found: list[MachineCode] = []
    generation = 0
    for line in cuobjdump("-sass", _FATBIN).splitlines():
        if match := re.match(r"\s*arch = sm_(\d+)", line):
            generation = int(match[1])
        elif match := re.match(r"\s*Function : (\w+)", line):
            found.append(MachineCode(generation, match[1], []))
        elif match := re.match(r"\s*/\*[0-9a-f]+\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_.]+)", line):
            found[-1].instructions.append(match[1])
    return found


def test_every_kernel_is_there_for_every_generation(machine_code: list[MachineCode]) -> None:
    found = sorted((code.generation, code.kernel) for code in machine_code)
    assert found == sorted((generation, kernel) for generation in GENERATIONS for kernel in EXPECTED)
    # What the pattern above no longer reads must not pass unseen; the smallest kernel has more.
    assert [code for code in machine_code if len(code.instructions) <= 50] == []


def test_other_gpus_have_ptx_of_the_oldest_generation() -> None:
    assert re.findall(r"sm_(\d+)\.ptx", cuobjdump("-lptx", _FATBIN)) == [str(GENERATIONS[0])]


def test_fatbin_is_small() -> None:
    assert _FATBIN.stat().st_size < 1_000_000


def test_no_kernel_has_a_stack_or_spills() -> None:
    """ptxas spills registers to a kernel's stack."""
    used = re.findall(r"REG:(\d+) STACK:(\d+) SHARED:\d+ LOCAL:(\d+)", cuobjdump("-res-usage", _FATBIN))
    assert len(used) == len(GENERATIONS) * len(EXPECTED)
    assert all(int(registers) > 0 for registers, _, _ in used)
    assert {(stack, local) for _, stack, local in used} == {("0", "0")}


def test_nvcc_warns_of_nothing(tmp_path: Path) -> None:
    """The sources do not ask which generation they are compiled for, so that one says it for all."""
    home = os.environ.get("CUDA_HOME", "/usr/local/cuda")
    nvcc = shutil.which("nvcc", path=os.pathsep.join([os.environ["PATH"], f"{home}/bin"]))
    if nvcc is None:
        pytest.skip("needs nvcc on the path or in CUDA_HOME")
    sources = [*(KERNELS / "src" / "cuda").iterdir(), *(KERNELS / "include" / "tundish").rglob("*.h")]
    assert [path for path in sources if "__CUDA_ARCH__" in path.read_text()] == []
    options = ["-std=c++17", "-fmad=false", "-Werror", "all-warnings", f"-I{KERNELS / 'include'}"]
    run(nvcc, "-ptx", *options, KERNELS / "src" / "cuda" / "kernels.cu", "-o", tmp_path / "kernels.ptx")


def test_machine_code_has_no_local_memory(machine_code: list[MachineCode]) -> None:
    for code in machine_code:
        local = [name for name in code.instructions if name.split(".")[0] in ("LDL", "STL")]
        assert local == [], code[:2]


def test_machine_code_has_the_barriers_and_shuffles(machine_code: list[MachineCode]) -> None:
    for code in machine_code:
        for prefix, count in EXPECTED[code.kernel].items():
            assert sum(name.startswith(prefix) for name in code.instructions) >= count, (code[:2], prefix)


def test_multiply_adds_are_only_those_of_the_source() -> None:
    """ptxas fuses a multiplication and an addition unless each says how it rounds."""
    ptx = cuobjdump("-ptx", _FATBIN)
    assert re.findall(r"\b(?:mul|add|sub)\.(?:ftz\.)?f(?:32|64)\b", ptx) == []
    assert re.search(r"\bmul\.rn\.f32\b", ptx)
    assert re.search(r"\badd\.rn\.f64\b", ptx)
    assert re.search(r"\bfma\.rn\.f32\b", ptx)
