"""How busy the cores are, by work that is made."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tundish.placement import machine


def test_other_work_on_the_cores_is_seen() -> None:
    burning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in os.sched_getaffinity(0)]
    try:
        assert 0.5 < machine.busy_share(1.0) <= 1
        assert machine.other_work() is not None
    finally:
        for each in burning:
            each.kill()
            each.wait()


def test_what_the_system_does_not_say_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_options: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", refuse)
    assert machine.busy_share(0.01) == 0.0
    assert machine.other_work() is None
