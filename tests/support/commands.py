"""The `tundish` command as people and programs call it: run to its end, its output kept."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

import pytest

from tundish.cli import app, main

COMMAND_SECONDS = 60.0

WIDTH = {"COLUMNS": "400"}
"""A terminal wide enough for every message."""


def run_tundish(*arguments: str | Path, executable: str | Path = sys.executable) -> subprocess.CompletedProcess[str]:
    """Runs `tundish` of the Python interpreter's environment as a process of its own."""
    return subprocess.run(
        [executable, "-m", "tundish", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
        env={**os.environ, **WIDTH},
    )


def call_tundish(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The same of the command in this process, which spares what another would import first: seconds where it exports.

    For what a command says, writes and answers, once a process has shown that it starts and ends.
    """
    command = ["tundish", *map(str, arguments)]
    output, errors = io.StringIO(), io.StringIO()
    with _left_as_it_was(), redirect_stdout(output), redirect_stderr(errors), pytest.raises(SystemExit) as ended:
        sys.argv = command
        main()
    return subprocess.CompletedProcess(command, int(ended.value.code or 0), output.getvalue(), errors.getvalue())


@contextmanager
def _left_as_it_was() -> Iterator[None]:
    """What the command sets for the rest of its process ends with it."""
    loggers = [logging.getLogger(room) for room in ("tundish", "tundish_exporters")]
    levels = [logger.level for logger in loggers]
    with (
        mock.patch.dict(os.environ, WIDTH),
        mock.patch.object(sys, "argv", sys.argv),
        mock.patch.object(sys, "excepthook", sys.excepthook),
        mock.patch.object(app, "registered_commands", [*app.registered_commands]),
    ):
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
