"""A search as a process that is stopped in the middle, and goes on in the next: killed outright, and by Ctrl-C."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from support.networks import COLORS, write_color_images
from support.onnx_networks import write_classifier

from tundish.bundle import read_single_bundle, versions_in
from tundish_exporters import OnnxHints, export_onnx

SECONDS = 120.0
TESTS = Path(__file__).parents[2]
SIZE = 16


def search(root: Path, signalled: str = "SIGINT", *, at: int = 0) -> subprocess.CompletedProcess[str]:
    """Runs the command, which gets the signal while it judges the trial of this number."""
    options = {
        "task": "image-classification",
        "name": "m",
        "repository": root / "models",
        "labels": root / "labels.txt",
        "size": f"{SIZE}x{SIZE}",
        "max-drop": 0.5,
        "search-minutes": 60,
        "evaluation": root / "images",
    }
    flags = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    return subprocess.run(
        [sys.executable, "-m", "support.signalled_search", signalled, str(at), "export", root / "model.onnx", *flags],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        env={**os.environ, "COLUMNS": "300", "PYTHONPATH": str(TESTS)},
    )


def remembered(outcome: subprocess.CompletedProcess[str]) -> tuple[int, int]:
    """How many trials the command says that it remembers, and of how many."""
    said = re.search(r"^Remembered from an earlier search: (\d+) of (\d+) trials\.$", outcome.stdout, re.MULTILINE)
    return (int(said[1]), int(said[2])) if said else (0, 0)


def recipes(root: Path, version: int) -> dict[str, str]:
    """What is chosen, by the names of the variants."""
    manifest = read_single_bundle(root / "models" / "m" / str(version)).manifest
    return {variant.name: variant.recipe for variant in manifest.servable}


def test_a_search_that_is_stopped_goes_on_from_there(tmp_path: Path) -> None:
    write_classifier(tmp_path / "model.onnx", len(COLORS), shape=("batch", 3, SIZE, SIZE))
    write_color_images(tmp_path / "images", each=8)
    (tmp_path / "labels.txt").write_text("\n".join(COLORS))
    models = tmp_path / "models"

    killed = search(tmp_path, "SIGKILL", at=3)
    assert killed.returncode == -signal.SIGKILL
    assert versions_in(models / "m") == []

    interrupted = search(tmp_path, at=1)
    assert interrupted.returncode == 0, interrupted.stderr
    assert "The search was interrupted; the best so far was taken." in interrupted.stdout
    assert remembered(interrupted) == (2, 2), "what was killed had judged two"
    assert "onnx-int8-cpu" in recipes(tmp_path, 1)
    assert [path.name for path in (models / "m").iterdir()] == ["1"], "nothing is left of what was killed"

    ended = search(tmp_path)
    count, trials = remembered(ended)
    assert (count, trials > 3) == (2, True)
    assert "interrupted" not in ended.stdout

    again = export_onnx(
        tmp_path / "model.onnx",
        task="image-classification",
        name="m",
        repository=models,
        hints=OnnxHints(labels=tmp_path / "labels.txt", size=(SIZE, SIZE)),
        max_drop=0.5,
        search_minutes=60,
        evaluation=tmp_path / "images",
    )
    assert [trial.is_remembered for trial in again.trials] == [True] * trials
    assert recipes(tmp_path, 3) == recipes(tmp_path, 2)
    assert sorted(path.name for path in models.iterdir()) == [".tundish", "m"]
    assert not [path for path in models.rglob("*") if path.name.startswith((".staging", ".writing"))]
