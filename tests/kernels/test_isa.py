"""The choice of the instruction set."""

from support.kernels import outputs_by_isa, run_with_isa

import tundish_kernels

PRINT_ISA = "import tundish_kernels; print(tundish_kernels.isa())"


def test_public_names() -> None:
    assert sorted(tundish_kernels.__all__) == tundish_kernels.__all__
    assert all(hasattr(tundish_kernels, name) for name in tundish_kernels.__all__)


def test_the_environment_chooses() -> None:
    assert outputs_by_isa(PRINT_ISA) == {isa: f"{isa}\n" for isa in tundish_kernels.available_isas()}


def test_fastest_instruction_set_is_the_default() -> None:
    assert tundish_kernels.available_isas()[0] == "scalar"
    assert run_with_isa("", PRINT_ISA).stdout.strip() == tundish_kernels.available_isas()[-1]


def test_unknown_instruction_set_is_an_error() -> None:
    result = run_with_isa("mmx", PRINT_ISA)
    names = ", ".join(tundish_kernels.available_isas())
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == (
        f"ValueError: TUNDISH_KERNELS_ISA must name an instruction set that this machine runs ({names}), got 'mmx'"
    )
