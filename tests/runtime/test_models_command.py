"""`tundish models` on a machine that lacks an engine of the bundle's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.bundles import make_bundle
from support.commands import call_tundish
from support.denied import deny
from support.engines import by_openvino, hidden_openvino, republish

from tundish.cli.models import list_models, show


def listed(repository: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    list_models(repository, as_json=True)
    return {entry["model"]: entry["variant"] for entry in json.loads(capsys.readouterr().out)}


def test_what_cannot_run_here_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both, alone = make_bundle(tmp_path / "made", "both"), make_bundle(tmp_path / "made", "alone")
    (variant,) = both.manifest.variants
    faster = by_openvino(variant, milliseconds=0.01)
    repository = tmp_path / "models"
    republish(both, repository, variant, faster)
    republish(alone, repository, faster)
    assert listed(repository, capsys) == {"alone": "openvino-fp32-cpu", "both": "openvino-fp32-cpu"}
    with hidden_openvino():
        assert listed(repository, capsys) == {"alone": "none that runs here", "both": "onnx-fp32-cpu"}
        show(repository, "both")
    lines = capsys.readouterr().out.splitlines()
    (line,) = [line for line in lines if line.startswith("openvino-fp32-cpu:")]
    assert line.endswith("OpenVINO is not installed; run pip install 'tundish[openvino]'.")
    (line,) = [line for line in lines if line.startswith("onnx-fp32-cpu:")]
    assert line.endswith("The network is its own source.")


def test_a_model_that_cannot_be_read_is_listed_and_not_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_bundle(tmp_path)
    deny(monkeypatch, make_bundle(tmp_path, "secret").directory.parent)
    reason = f"{tmp_path / 'secret'} cannot be read: Permission denied."
    ran = call_tundish("models", "list", tmp_path, "--json")
    assert json.loads(ran.stdout)[1] == {"model": "secret", "version": None, "error": reason}
    ran = call_tundish("models", "verify", tmp_path)
    assert ran.returncode == 1
    assert ran.stdout.splitlines() == ["colors 1: verified", f"secret ?: broken: {reason}"]
