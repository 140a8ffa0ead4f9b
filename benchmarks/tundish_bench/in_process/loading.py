"""What loading a variant costs, in a process of its own, which this file is run as: a directory, a variant, threads.

What a process that holds other variants would have loaded already, or has freed and kept, would not be seen there.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path

import psutil

from tundish.bundle import read_single_bundle
from tundish.engines import load_engine
from tundish_bench.errors import BenchmarkError


@dataclass(frozen=True, slots=True)
class Loading:
    """Once, with the engine's library in the process and the file in the system's cache."""

    seconds: float
    megabytes: float
    """By which the process's physical memory is larger for it."""


def measure_loading(directory: Path, variant: str, *, threads: int) -> Loading:
    """Starts a process that loads the variant and ends; takes seconds.

    Raises:
        BenchmarkError: it fails there.
    """
    command = [sys.executable, "-m", __name__, str(directory), variant, str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - this very file
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["it says nothing"]
        raise BenchmarkError(f"{variant} cannot be loaded in a process of its own: {lines[-1]}")
    return Loading(**json.loads(done.stdout))


def _load(directory: Path, name: str, threads: int) -> Loading:
    bundle = read_single_bundle(directory)
    variant = next(each for each in bundle.manifest.variants if each.name == name)
    import_module(f"tundish.engines.{variant.engine}")
    process = psutil.Process()
    before, began = process.memory_info().rss, time.perf_counter()
    engine = load_engine(bundle, variant, threads=threads)
    seconds = time.perf_counter() - began
    megabytes = (process.memory_info().rss - before) / 1e6
    del engine  # not sooner
    return Loading(seconds, megabytes)


if __name__ == "__main__":
    print(json.dumps(asdict(_load(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))))
