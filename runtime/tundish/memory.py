"""Memory that is free but not the system's: what models leave behind when they are closed."""

from __future__ import annotations

import ctypes
import gc


def give_back_memory() -> None:
    """Returns what closed models held to the operating system; takes a tenth of a second.

    Python collects them late, since a model and its scheduler know each other, and the C library keeps what was freed
    for later: hundreds of megabytes after some placements were tried.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # it is glibc's alone
        trim(0)
