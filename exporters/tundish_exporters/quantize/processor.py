"""What of this machine's processor decides between recipes."""

from __future__ import annotations

from tundish.placement.machine import this_machine
from tundish_kernels import available_isas


def saturates() -> bool:
    """Whether products of 8 bits are added in 16 bits, by pairs, so that large weights beside each other are cut off.

    Processors of x86 do so that have AVX2 or AVX-512 and nothing made for products of 8 bits.
    """
    instructions = set(this_machine().instructions)
    return bool(instructions & {"avx2", "avx512f"}) and not instructions & {"avx_vnni", "avx512_vnni", "amx_int8"}


def multiplies_bytes() -> bool:
    """Whether tundish's kernels of layers have instructions that multiply bytes and add the products exactly.

    With what other processors have they are no faster than ONNX Runtime, or slower.
    """
    return bool({"avx_vnni", "avx512_vnni"} & set(this_machine().instructions))


def multiplies_matrices() -> bool:
    """Whether they multiply matrices of bytes, by which dense convolutions are faster, too.

    A compiler may not know the instructions for it, and a kernel may not let a process use them.
    """
    return "amx_int8" in this_machine().instructions and "avx512_amx" in available_isas()
