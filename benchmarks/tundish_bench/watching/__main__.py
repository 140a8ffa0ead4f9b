"""Shows what is seen of this machine, its GPUs and a server in one second: `python -m tundish_bench.watching [PID]`."""

from __future__ import annotations

import sys
import time

from rich.console import Console

from tundish_bench.errors import BenchmarkError
from tundish_bench.watching import GpuWatched, Watch, Watched

_SECONDS = 1.0


def main() -> int:
    """Returns the exit code: 2 if the argument is no process's id, 1 if there is no such process."""
    console = Console(highlight=False)
    given = sys.argv[1] if len(sys.argv) > 1 else None
    if given is not None and not given.isdecimal():
        console.print(f"'{given}' is no process's id; give a server's, or nothing.")
        return 2
    watch = Watch(None if given is None else int(given))
    try:
        with watch:
            time.sleep(_SECONDS)
    except BenchmarkError as error:
        console.print(str(error))
        return 1
    for line in (*_lines(watch.watched), watch.reason_without_gpu):
        if line is not None:
            console.print(line)
    return 0


def _lines(watched: Watched) -> list[str]:
    lines = []
    if watched.memory is not None and watched.cpu_seconds is not None:
        lines.append(
            f"server: {watched.cpu_seconds / watched.seconds:.2f} cores, {watched.memory.mean_megabytes:.0f} MB "
            f"({watched.memory.kind}), at most {watched.memory.peak_megabytes:.0f} MB"
        )
    lines.append(f"{'others' if watched.memory else 'machine'}: {watched.other_cores:.2f} cores")
    return [*lines, *map(_of_gpu, watched.gpus), *watched.notes]


def _of_gpu(gpu: GpuWatched) -> str:
    figures = (
        ("%", gpu.utilization_percent),
        ("MB", gpu.memory_megabytes),
        (f"J by its {gpu.joules_by}", gpu.joules),
    )
    known = [f"{value:.1f} {unit}" for unit, value in figures if value is not None]
    return f"GPU {gpu.index}, {gpu.name}: {', '.join(known) or 'tells nothing'}"


if __name__ == "__main__":
    raise SystemExit(main())
