"""What a stored choice survives: damage, other machines, changed bundles, and repositories that cannot be written."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.bundles import make_bundle

from tundish.bundle import Bundle
from tundish.placement.figures import Figures, Measured
from tundish.placement.placement import Placement
from tundish.placement.store import Choice, PlacementStore
from tundish.repository import scan

FIGURES = Figures(
    items_per_second=100.0,
    p50_milliseconds=5.0,
    p99_milliseconds=9.0,
    cpu_milliseconds_per_item=4.0,
    measured_seconds=3.0,
)


def choose(store: PlacementStore, bundle: Bundle) -> Choice:
    placement = Placement(variant="onnx-fp32-cpu", instances=1, threads=1, max_batch_size=3)
    return Choice.of(bundle.manifest, Measured(placement, FIGURES), store.machine, chosen_by="tune")


def kept(repository: Path, bundle: Bundle) -> Path:
    store = PlacementStore(repository)
    path = store.keep(choose(store, bundle))
    assert path is not None
    return path


def test_another_process_finds_what_was_kept(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)
    store = PlacementStore(tmp_path)
    assert store.find(bundle.manifest) is None
    choice = choose(store, bundle)
    path = store.keep(choice)
    assert path == tmp_path / ".tundish" / "placements" / store.machine.fingerprint / "colors.1.json"
    assert path.stat().st_mode & 0o777 == 0o644
    assert PlacementStore(tmp_path).find(bundle.manifest) == choice
    said = json.loads(path.read_text())
    assert said["machine"]["cores"] == len(os.sched_getaffinity(0))
    assert said["placement"] == {"variant": "onnx-fp32-cpu", "instances": 1, "threads": 1, "max_batch_size": 3}
    assert [entry.model for entry in scan(tmp_path)] == ["colors"], "no model of that name"
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_changed_bundle_is_not_placed(tmp_path: Path) -> None:
    path = kept(tmp_path, make_bundle(tmp_path))
    changed = make_bundle(tmp_path / "elsewhere", max_batch_size=5)
    assert PlacementStore(tmp_path).find(changed.manifest) is None
    assert path.exists()


def edited(**changes: Any) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        content = json.loads(path.read_text())
        for name, value in changes.items():
            content[name] = {**content[name], **value} if isinstance(value, dict) else value
        path.write_text(json.dumps(content))

    return edit


def replaced(content: bytes) -> Callable[[Path], None]:
    def replace(path: Path) -> None:
        path.write_bytes(content)

    return replace


@pytest.mark.parametrize(
    "damage",
    [
        replaced(b""),
        replaced(b"{"),
        replaced(b"[]"),
        replaced(b"\xff\xfe\x00"),
        replaced(b"[" * 60_000),
        replaced(b" " * 70_000),
        edited(format_version=2),
        edited(machine={"processor": "another"}),
        edited(placement={"variant": "onnx-int8-cpu"}),
        edited(placement={"instances": 0}),
        edited(placement={"instances": 4096}),
        edited(placement={"threads": 10**30}),
        edited(placement={"max_batch_size": "many"}),
        edited(figures={"items_per_second": None}),
    ],
)
def test_a_bad_file_is_passed_over_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None]
) -> None:
    bundle = make_bundle(tmp_path)
    path = kept(tmp_path, bundle)
    damage(path)
    assert PlacementStore(tmp_path).find(bundle.manifest) is None
    (record,) = caplog.records
    assert record.getMessage().startswith(f"{path} is passed over: ")


def test_a_pipe_in_its_place_is_not_waited_for(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)
    path = kept(tmp_path, bundle)
    path.unlink()
    os.mkfifo(path)
    assert PlacementStore(tmp_path).find(bundle.manifest) is None


def test_what_cannot_be_written_is_kept_for_the_process(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bundle = make_bundle(tmp_path)
    (tmp_path / ".tundish").touch()  # no directory can be made there, by whomever
    store = PlacementStore(tmp_path)
    choice = choose(store, bundle)
    assert store.keep(choice) is None
    assert store.find(bundle.manifest) == choice
    (record,) = caplog.records
    assert "is forgotten when this process ends" in record.getMessage()
    assert PlacementStore(tmp_path).find(bundle.manifest) is None
