"""What goes wrong with one version costs no other, and can be let go of."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from support.bundles import make_bundle
from support.denied import deny

from tundish.bundle import AnyBundle
from tundish.errors import BundleError, ModelNotFoundError, ModelNotReadyError
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


def table_of(root: Path) -> ModelTable:
    """Of versions that all load."""
    table = ModelTable(root, lambda bundle: cast("Any", Loaded(bundle.manifest)))
    table.load_all()
    return table


class Loaded:
    placed = "somewhere"

    def __init__(self, manifest: Any) -> None:
        self.manifest = manifest

    def close(self) -> None:
        """There is nothing to close."""


@pytest.fixture
def broken(tmp_path: Path) -> ModelTable:
    """`colors` answers; `other` lies there and cannot be read."""
    make_bundle(tmp_path)
    (make_bundle(tmp_path, "other").directory / "bundle.json").write_text("{")
    return table_of(tmp_path)


def failed(table: ModelTable) -> list[str]:
    return [version.model for version in table.versions() if version.failed]


def test_what_failed_can_be_unloaded(broken: ModelTable) -> None:
    assert failed(broken) == ["other"]
    broken.unload("other")
    assert failed(broken) == []
    assert [version.state for version in broken.versions()] == ["READY", "UNAVAILABLE"]
    with pytest.raises(ModelNotReadyError, match="It was unloaded"):
        broken.find("other")


def test_what_failed_and_lies_there_no_more_is_forgotten(broken: ModelTable, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "other")
    with pytest.raises(ModelNotFoundError, match=r"The repository has no model 'other'; export"):
        broken.load("other")
    assert [(version.model, version.state) for version in broken.versions()] == [("colors", "READY")]
    with pytest.raises(ModelNotFoundError, match="There is no model 'other'; there are colors"):
        broken.find("other")


@pytest.mark.parametrize("left", [[], [2]])
def test_what_answered_and_lies_there_no_more_is_unloaded(tmp_path: Path, left: list[int]) -> None:
    for version in (1, 2):
        make_bundle(tmp_path, version=version)
    table = table_of(tmp_path)
    for version in {1, 2} - set(left):
        shutil.rmtree(tmp_path / "colors" / str(version))
    if left:
        table.load("colors")
    else:
        with pytest.raises(
            ModelNotFoundError, match=r"no model 'colors' any more, so what answered of it was unloaded"
        ):
            table.load("colors")
        with pytest.raises(ModelNotFoundError, match=r"There is no model 'colors'; there are none\."):
            table.find("colors")
    assert [(version.number, version.state) for version in table.versions()] == [(number, "READY") for number in left]


def test_a_name_that_no_directory_can_have_is_not_found(broken: ModelTable) -> None:
    with pytest.raises(ModelNotFoundError):
        broken.load("a" * 300)


def test_a_successor_that_cannot_be_loaded_says_that_its_predecessor_answers(
    broken: ModelTable, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "colors" / "1" / "bundle.json"
    path.write_text("{")
    said = (
        "Model 'colors' version 1 answers as before: what lies there now is not served. "
        f"{path} is damaged: it is not JSON; export the model again."
    )
    caplog.clear()
    with pytest.raises(ModelNotReadyError) as caught:
        broken.load("colors")
    assert str(caught.value) == said
    assert caplog.messages == [said]
    assert broken.find("colors").manifest.version == 1


def test_each_version_that_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    make_bundle(tmp_path)
    table = table_of(tmp_path)
    for version in (2, 3):
        make_bundle(tmp_path, version=version)
        (tmp_path / "colors" / str(version) / "bundle.json").unlink()
    with pytest.raises(ModelNotReadyError) as caught:
        table.load("colors")
    assert str(caught.value) == " ".join(
        f"Model 'colors' version {version} is not served: {tmp_path}/colors/{version}/bundle.json is missing, so "
        f"{tmp_path}/colors/{version} is not a bundle."
        for version in (2, 3)
    )
    assert table.find("colors").manifest.version == 1
    with pytest.raises(
        ModelNotReadyError, match=r"Model 'colors' version 3 is not ready\. .*/3/bundle\.json is missing"
    ):
        table.find("colors", 3)


def test_a_directory_that_cannot_be_read_costs_no_other_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    make_bundle(tmp_path)
    directory = make_bundle(tmp_path, "secret").directory.parent
    reason = f"{directory} cannot be read: Permission denied."
    with monkeypatch.context() as denied:
        deny(denied, directory)
        table = table_of(tmp_path)
        assert f"Model 'secret' is not served: {reason}" in caplog.text
        assert table.find("colors").manifest.version == 1
        for version in (None, 1):
            with pytest.raises(ModelNotReadyError, match=re.escape(reason)):
                table.find("secret", version)
        with pytest.raises(BundleError, match=re.escape(reason)):
            table.load("secret")
    table.load("secret")
    assert [(found.model, found.number, found.state) for found in table.versions()] == [
        ("colors", 1, "READY"),
        ("secret", 1, "READY"),
    ]


def test_a_directory_that_cannot_be_read_any_more_leaves_what_was_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = make_bundle(tmp_path).directory.parent
    table = table_of(tmp_path)
    deny(monkeypatch, directory)
    with pytest.raises(BundleError, match="cannot be read"):
        table.load("colors")
    assert table.find("colors").manifest.version == 1


def test_models_are_ready_while_each_has_a_version_that_answers(tmp_path: Path) -> None:
    make_bundle(tmp_path)
    directory = make_bundle(tmp_path, "other").directory
    table = table_of(tmp_path)
    table.check_ready()
    (make_bundle(tmp_path, version=2).directory / "bundle.json").unlink()
    with pytest.raises(ModelNotReadyError):
        table.load("colors")
    table.check_ready()
    (directory / "bundle.json").unlink()
    table.unload("other")
    table.check_ready()
    with pytest.raises(ModelNotReadyError):
        table.load("other")
    with pytest.raises(ModelNotReadyError) as caught:
        table.check_ready()
    assert str(caught.value) == (
        f"Model 'other' is not ready. {directory}/bundle.json is missing, so {directory} is not a bundle."
    )


def test_a_model_is_not_ready_while_its_only_version_is_loaded(tmp_path: Path) -> None:
    make_bundle(tmp_path)

    def load(bundle: AnyBundle) -> Any:
        if bundle.manifest.model == "other":
            with pytest.raises(ModelNotReadyError, match=r"^Model 'other' is not ready\. It is being loaded\.$"):
                table.check_ready()
        return Loaded(bundle.manifest)

    table = ModelTable(tmp_path, load)
    table.load_all()
    make_bundle(tmp_path, "other")
    table.load("other")
    table.check_ready()
