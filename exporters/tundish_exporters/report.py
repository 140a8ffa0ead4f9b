"""The bundle's report.json: the figures behind the manifest."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tundish.manifest import SliceAccuracy
from tundish_exporters.batch_limits import BatchTimes
from tundish_exporters.parity import Parity


def write_report(
    path: Path, *, parity: Parity, batches: Sequence[BatchTimes], labels: Mapping[str, Sequence[SliceAccuracy]]
) -> None:
    """Writes what was measured but does not decide how the model is served."""
    content: dict[str, Any] = {
        "parity": asdict(parity),
        "batches": [asdict(times) for times in batches],
        "labels": {variant: [each.model_dump() for each in measured] for variant, measured in labels.items()},
        "environment": _environment(),
    }
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def write_composed_report(path: Path, *, samples: int, scores: float, parities: Mapping[str, Parity]) -> None:
    """Of a composed bundle; each component has a report of its own."""
    content: dict[str, Any] = {
        "parity": {"samples": samples, "scores": scores},
        "components": {name: asdict(parity) for name, parity in parities.items()},
        "environment": _environment(),
    }
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _environment() -> dict[str, Any]:
    return {
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
    }


def _processor() -> str:
    """The processor's name as Linux gives it; the standard library knows only the architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
