"""k6 as a client: gRPC by its own reader of .proto files and of reflection, and HTTP, both written in Go.

The script holds every answer against what it must be; k6's exit code says whether all were so.
"""

from __future__ import annotations

import base64
import subprocess
import sysconfig
from pathlib import Path

from support.images import encoded
from support.server_process import ServerProcess

SECONDS = 120.0
"""Longer than any run takes; one that lasts so long has failed."""

SCRIPT = Path(__file__).with_name("k6_client.js")
K6 = Path(sysconfig.get_path("scripts"), "k6")
PROTO = Path(__file__).parents[3] / "proto"

# Neither reports of its use nor an address on which it could be told what to do.
QUIET = ("--no-usage-report", "--address=", "--quiet", "--no-color", "--summary-mode=full")


def run(server: ServerProcess, home: Path, image: bytes) -> subprocess.CompletedProcess[str]:
    """Runs the script against the server, with nothing in its environment but what it needs."""
    variables = {
        "GRPC": server.url,
        "HTTP": server.http_url,
        "PROTO": str(PROTO),
        "IMAGE": base64.b64encode(image).decode(),
    }
    environment = {"HOME": str(home)}
    command = [str(K6), "run", *QUIET, *(f"--env={name}={value}" for name, value in variables.items())]
    return subprocess.run(
        [*command, str(SCRIPT)], capture_output=True, text=True, check=False, timeout=SECONDS, env=environment
    )


def test_k6_gets_what_it_expects(colors: ServerProcess, tmp_path: Path) -> None:
    done = run(colors, tmp_path, encoded("red"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in colors.output


def test_k6_notices_a_wrong_answer(colors: ServerProcess, tmp_path: Path) -> None:
    """So that the other test can fail."""
    done = run(colors, tmp_path, encoded("blue"))
    assert done.returncode == 99, done.stdout + done.stderr  # a threshold was crossed
    assert "✗ an image, by reflection" in done.stdout
