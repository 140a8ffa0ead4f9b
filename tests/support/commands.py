"""The `tundish` command as a program calls it: run to its end, its output kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

COMMAND_SECONDS = 60.0


def run_tundish(*arguments: str | Path, executable: str | Path = sys.executable) -> subprocess.CompletedProcess[str]:
    """Runs `tundish` of the Python interpreter's environment, on a terminal wide enough for every message."""
    return subprocess.run(
        [executable, "-m", "tundish", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
        env={**os.environ, "COLUMNS": "400"},
    )
