"""What a server's processes, the machine's other work and the GPUs do while a load runs."""

from tundish_bench.watching.family import Family
from tundish_bench.watching.finding import find_server, is_this_machine
from tundish_bench.watching.gpu import GpuWatch, GpuWatched
from tundish_bench.watching.server import Memory, ServerWatch
from tundish_bench.watching.watch import Watch, Watched

__all__ = [
    "Family",
    "GpuWatch",
    "GpuWatched",
    "Memory",
    "ServerWatch",
    "Watch",
    "Watched",
    "find_server",
    "is_this_machine",
]
