"""What is in memory for good, and what is free there but not the system's: models leave it behind when they close."""

from __future__ import annotations

import ctypes
import gc


def keep_for_good() -> None:
    """Takes all objects that there are now for in use, until memory is given back.

    The interpreter looks through the others alone for what only cycles hold. A server's modules and models are nearly a
    hundred thousand, and every few seconds of load all requests waited 50 to 70 ms while it went through them.
    """
    gc.freeze()


def give_back_memory() -> None:
    """Returns what closed models held to the operating system; takes a tenth of a second.

    Python collects them late, since a model and its scheduler know each other, and the C library keeps what was freed
    for later: hundreds of megabytes after some placements were tried.
    """
    is_kept = gc.get_freeze_count() > 0
    gc.unfreeze()  # closed models may be among what was kept for good
    gc.collect()
    if is_kept:
        keep_for_good()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # it is glibc's alone
        trim(0)
