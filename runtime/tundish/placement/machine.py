"""What of this machine a measurement depends on."""

from __future__ import annotations

import hashlib
import os
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import BaseModel, ConfigDict

_INSTRUCTIONS = {
    "x86": (
        "sse4_1",
        "avx",
        "avx2",
        "fma",
        "avx_vnni",
        "avx512f",
        "avx512_vnni",
        "avx512_bf16",
        "amx_int8",
        "amx_bf16",
    ),
    "ARM": ("asimd", "asimddp", "i8mm", "bf16", "sve", "sve2"),
}
"""Those that matrix products are faster with, by Linux's names."""

_PACKAGES = ("tundish", "onnxruntime", "onnxruntime-gpu", "openvino")

_LOOKED_SECONDS = 0.2
_BUSY_SHARE = 0.25
"""Of the cores; work of others beyond it decides what is fastest, for as long as that is kept."""


class Machine(BaseModel):
    """Two machines that are equal in this run a model alike."""

    model_config = ConfigDict(frozen=True)

    processor: str
    instructions: tuple[str, ...]
    cores: int
    """Those that this process may use."""
    packages: dict[str, str]
    """Versions of what computes."""

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))


def other_work() -> float | None:
    """Which share of the cores is busy, if so much is that it would choose a placement; called while one has no work.

    A fifth of a second is looked at.
    """
    share = busy_share(_LOOKED_SECONDS)
    return share if share > _BUSY_SHARE else None


def busy_share(seconds: float) -> float:
    """Which share of the cores that this process may use works for anyone meanwhile, or waits for the host's others.

    0 where the system does not say it.
    """
    before = _core_times()
    time.sleep(seconds)
    spent = [after - earlier for earlier, after in zip(before, _core_times(), strict=False)]
    return spent[0] / sum(spent) if len(spent) == 2 and sum(spent) > 0 else 0.0


def _core_times() -> tuple[int, ...]:
    """What the usable cores have worked, and what they have idled, in the system's ticks; nothing if it is not said."""
    names = {f"cpu{core}" for core in os.sched_getaffinity(0)}
    try:
        lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
        rows = [
            [int(each) for each in fields[1:9]] for line in lines if (fields := line.split()) and fields[0] in names
        ]
        idle = sum(row[3] + row[4] for row in rows)
    except (OSError, ValueError, IndexError):
        return ()
    return sum(map(sum, rows)) - idle, idle


def this_machine() -> Machine:
    """As it is now: who pins the process to other cores makes another machine of it."""
    fields = _first_processor()
    arm = [fields[name] for name in ("CPU implementer", "CPU part", "CPU variant") if name in fields]
    flags = set(fields.get("flags", fields.get("Features", "")).split())
    return Machine(
        processor=fields.get("model name") or " ".join(["ARM", *arm] if arm else [platform.machine()]),
        instructions=tuple(name for names in _INSTRUCTIONS.values() for name in names if name in flags),
        cores=usable_cores(),
        packages={name: found for name in _PACKAGES if (found := _version(name))},
    )


def _first_processor() -> dict[str, str]:
    """Linux's description of the first core."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    pairs = (line.partition(":") for line in text.partition("\n\n")[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
