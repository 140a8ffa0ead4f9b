"""Virtual environments of peers: each has its own in the cache, whose name says what is in it."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from tundish_bench.errors import BenchmarkError

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def same_version(package: str) -> str:
    """The requirement of a package as it is installed here: what both sides use must not make the difference."""
    return f"{package}=={version(package)}"


def installed(cache: Path, peer: str, packages: tuple[str, ...], finish: Callable[[Path], None] | None = None) -> Path:
    """The peer's virtual environment, made below `cache` if it is not there yet; `finish` adds to a new one.

    Raises:
        BenchmarkError: its packages cannot be installed.
    """
    target = cache / "peers" / "-".join([peer, f"python{PYTHON}", *(item.split("==")[1] for item in packages)])
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".installing-") as scratch:
        environment = Path(scratch) / "environment"
        venv.create(environment, with_pip=False, symlinks=True)
        _install(environment, packages)
        if finish:
            finish(environment)
        # Only now, so that an interrupted installation is never taken for a whole one.
        environment.rename(target)
    return target


def site_packages(environment: Path) -> Path:
    """Where the environment's packages lie."""
    return Path(sysconfig.get_path("purelib", vars={"base": str(environment), "platbase": str(environment)}))


def _install(environment: Path, packages: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python"), "install"]
    options = ["--quiet", "--disable-pip-version-check", "--only-binary=:all:"]
    outcome = subprocess.run(  # noqa: S603  # the arguments are this project's own
        [*command, *options, *packages], capture_output=True, text=True, check=False
    )
    if outcome.returncode != 0:
        errors = [line for line in outcome.stderr.splitlines() if line.startswith("ERROR")] or ["pip failed"]
        raise BenchmarkError(f"The peer {packages[0]} cannot be installed: {errors[-1]}; check the connection.")
