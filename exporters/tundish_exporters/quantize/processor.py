"""What of this machine's processor decides between recipes."""

from __future__ import annotations

from tundish.placement.machine import this_machine


def saturates() -> bool:
    """Whether products of 8 bits are added in 16 bits, by pairs, so that large weights beside each other are cut off.

    Processors of x86 do so that have AVX2 or AVX-512 and nothing made for products of 8 bits.
    """
    instructions = set(this_machine().instructions)
    return bool(instructions & {"avx2", "avx512f"}) and not instructions & {"avx_vnni", "avx512_vnni", "amx_int8"}


def has_kernels() -> bool:
    """Whether tundish's kernels of integers are written for this processor.

    What compilers make of plain loops is slower elsewhere than ONNX Runtime.
    """
    return "avx2" in this_machine().instructions


def multiplies_bytes() -> bool:
    """Whether these kernels have instructions that multiply bytes and add the products without cutting them off."""
    return bool({"avx_vnni", "avx512_vnni"} & set(this_machine().instructions))
