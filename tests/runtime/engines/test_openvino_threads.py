"""Engines of OpenVINO that begin at the same moment do not wait for each other for ever."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys, threading
import tundish.engines.openvino
import openvino

together = threading.Barrier(8)

def first_use():
    together.wait()
    openvino.Type.f32.to_dtype()

sys.setswitchinterval(1e-6)
threads = [threading.Thread(target=first_use, daemon=True) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""
TIMES = 4
"""Without what the engine's module does, three of four hang."""


def test_first_uses_at_once_do_not_deadlock() -> None:
    for _ in range(TIMES):
        subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=60)
