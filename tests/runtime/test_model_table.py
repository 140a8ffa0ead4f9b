"""What goes wrong with one version costs no other."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.bundles import make_bundle

from tundish.bundle import AnyBundle
from tundish.errors import ModelNotReadyError
from tundish.model_table import ModelTable


def test_an_error_that_nobody_expected_is_one_versions_own(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make_bundle(tmp_path)
    make_bundle(tmp_path, version=2)

    def load(bundle: AnyBundle) -> Any:
        if bundle.manifest.version == 1:
            raise AssertionError("a fault of ours")
        return SimpleNamespace(manifest=bundle.manifest, placed="somewhere")

    table = ModelTable(tmp_path, load)
    table.load_all()
    assert [version.state for version in table.versions()] == ["UNAVAILABLE", "READY"]
    assert table.find("colors").manifest.version == 2
    with pytest.raises(ModelNotReadyError):
        table.find("colors", 1)
    assert "a fault of ours" in caplog.text, "the log has all of it"
