"""A program that ends without closing its runtime, while an engine is at work for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support.slow_bundles import make_slow_bundle, slow_image

ASKS_AND_LEAVES = """
import sys, threading, time
import tundish

runtime = tundish.open(sys.argv[1], instances=1)
image = open(sys.argv[2], "rb").read()
threading.Thread(target=lambda: runtime.predict("slow", image=image), daemon=True).start()
time.sleep(0.2)
sys.exit(3)
"""


def test_it_ends_as_it_meant_to(tmp_path: Path) -> None:
    make_slow_bundle(tmp_path / "models")
    (tmp_path / "slow.png").write_bytes(slow_image(1.0))
    command = [sys.executable, "-c", ASKS_AND_LEAVES, str(tmp_path / "models"), str(tmp_path / "slow.png")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (3, "")
