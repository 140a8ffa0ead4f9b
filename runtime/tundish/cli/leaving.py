"""How a command ends the process while threads of its engines may still compute."""

from __future__ import annotations

import logging
import os
import sys
from typing import NoReturn

INTERRUPTED = 130
"""The exit code of what a shell's Ctrl-C ended."""


def leave_at_once(code: int) -> NoReturn:
    """Ends the process with that exit code.

    The interpreter cannot end while a thread is inside an engine: the process would be aborted.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
