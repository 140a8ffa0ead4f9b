"""Bundles are read only if every byte is as it was written, and are written whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.bundles import make_bundle, rewrite_manifest
from support.denied import deny

from tundish.bundle import MANIFEST_NAME, Bundle, next_version, read_single_bundle, staged_bundle, versions_in
from tundish.errors import BundleError, RepositoryError
from tundish.manifest import Manifest, json_schema
from tundish.repository import UNKNOWN, scan

SCHEMA = Path(__file__).parents[2] / "docs" / "bundle.schema.json"


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return make_bundle(tmp_path)


def test_a_bundle_is_read_as_it_was_written(bundle: Bundle) -> None:
    assert read_single_bundle(bundle.directory) == bundle
    assert bundle.manifest.servable[0].name == "onnx-fp32-cpu"


@pytest.mark.parametrize("name", ["model.onnx", MANIFEST_NAME])
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_one_flipped_bit_is_found_and_the_file_named(bundle: Bundle, name: str, data: st.DataObject) -> None:
    path = bundle.path(name)
    original = path.read_bytes()
    position = data.draw(st.integers(0, len(original) - 1))
    damaged = bytearray(original)
    damaged[position] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(damaged)
    try:
        try:
            read = read_single_bundle(bundle.directory)
        except BundleError as error:
            assert str(path) in str(error)
        else:  # a flip that leaves the manifest's meaning alone: one white space for another
            assert name == MANIFEST_NAME
            assert read.manifest == bundle.manifest
    finally:
        path.write_bytes(original)


def test_a_missing_file_is_named(bundle: Bundle) -> None:
    bundle.path("model.onnx").unlink()
    with pytest.raises(BundleError, match=r"model\.onnx is missing"):
        read_single_bundle(bundle.directory)


def test_a_shortened_file_is_named_with_both_sizes(bundle: Bundle) -> None:
    path = bundle.path("model.onnx")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BundleError, match=r"model\.onnx has \d+ bytes, its manifest says \d+"):
        read_single_bundle(bundle.directory)


def test_a_newer_format_says_to_update(bundle: Bundle) -> None:
    rewrite_manifest(bundle.directory, format_version=3, something_new=True)
    with pytest.raises(BundleError, match="format version 3, this tundish reads up to 2; update tundish"):
        read_single_bundle(bundle.directory)


def test_an_unknown_task_is_named_with_those_there_are(bundle: Bundle) -> None:
    rewrite_manifest(bundle.directory, task="mind-reading")
    with pytest.raises(BundleError, match="unknown task 'mind-reading'; this tundish knows image-classification"):
        read_single_bundle(bundle.directory)


@pytest.mark.parametrize("path", ["../outside.onnx", "/etc/passwd", "a/../../b", "", "a\0b"])
def test_a_path_out_of_the_bundle_is_refused(bundle: Bundle, path: str) -> None:
    manifest = json.loads(bundle.path(MANIFEST_NAME).read_text())
    manifest["variants"][0]["files"][0]["path"] = path
    rewrite_manifest(bundle.directory, variants=manifest["variants"])
    with pytest.raises(BundleError, match="not valid"):
        read_single_bundle(bundle.directory)


def test_a_link_out_of_the_bundle_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    path = bundle.path("model.onnx")
    path.rename(tmp_path / "elsewhere.onnx")
    path.symlink_to(tmp_path / "elsewhere.onnx")
    with pytest.raises(BundleError, match="leads out of the bundle"):
        read_single_bundle(bundle.directory)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"null", b"\xff\xfe", b"[" * 100_000, b'{"digest": 1}'])
def test_a_manifest_of_nonsense_is_an_error_of_the_tree(bundle: Bundle, content: bytes) -> None:
    bundle.path(MANIFEST_NAME).write_bytes(content)
    with pytest.raises(BundleError, match=MANIFEST_NAME):
        read_single_bundle(bundle.directory)


def test_a_directory_that_is_no_bundle_says_so(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="is not a bundle"):
        read_single_bundle(tmp_path)


def test_a_version_is_never_overwritten(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="exists already"):
        make_bundle(tmp_path)
    assert read_single_bundle(bundle.directory) == bundle


def test_a_failed_export_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), staged_bundle(tmp_path, "colors") as staging:
        (staging / "model.onnx").write_bytes(b"half")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    said = r"colors, or .* has no room for the bundle: No space left on device; "
    with pytest.raises(BundleError, match=said), staged_bundle(tmp_path, "colors") as staging:
        (staging / "model.onnx").write_bytes(b"half")
        raise full
    assert list(tmp_path.iterdir()) == []


def test_another_error_of_the_system_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), staged_bundle(tmp_path, "colors") as staging:
        (staging / "none").read_bytes()


def test_a_killed_export_leaves_no_version_and_the_next_one_cleans_up(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path; from tundish.bundle import staged_bundle\n"
        "with staged_bundle(Path(sys.argv[1]), 'colors') as staging:\n"
        "    (staging / 'model.onnx').write_bytes(b'half'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    process = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert process.returncode == -signal.SIGKILL
    assert versions_in(tmp_path / "colors") == []
    with pytest.raises(RepositoryError):
        list(scan(tmp_path))
    make_bundle(tmp_path)
    assert [path.name for path in (tmp_path / "colors").iterdir()] == ["1"]


def test_versions_are_integers_and_other_names_are_passed_over(tmp_path: Path) -> None:
    for name in ("1", "10", "2", "01", "-3", "1.5", "latest", ".staging-1-x", "²"):
        (tmp_path / "m" / name).mkdir(parents=True)
    (tmp_path / "m" / "11").write_text("a file")
    assert versions_in(tmp_path / "m") == [1, 2, 10]
    assert next_version(tmp_path, "m") == 11
    assert next_version(tmp_path, "other") == 1


def test_a_repository_tells_the_broken_from_the_good(bundle: Bundle, tmp_path: Path) -> None:
    make_bundle(tmp_path, version=2)
    bundle.path("model.onnx").unlink()
    entries = list(scan(tmp_path))
    assert [(entry.model, entry.version, isinstance(entry.content, Bundle)) for entry in entries] == [
        ("colors", 1, False),
        ("colors", 2, True),
    ]


def test_a_directory_that_cannot_be_read_is_a_broken_model_beside_the_others(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deny(monkeypatch, make_bundle(tmp_path, "secret").directory.parent)
    good, broken = scan(tmp_path)
    assert good.content == bundle
    assert (broken.model, broken.version) == ("secret", UNKNOWN)
    assert str(broken.content) == f"{tmp_path / 'secret'} cannot be read: Permission denied."


def test_a_directory_that_is_no_model_may_be_unreadable(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lost+found").mkdir()
    deny(monkeypatch, tmp_path / "lost+found")
    assert [entry.content for entry in scan(tmp_path)] == [bundle]


def test_a_repository_that_cannot_be_read_is_an_error_of_the_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deny(monkeypatch, tmp_path)
    with pytest.raises(RepositoryError, match=f"The repository {tmp_path} cannot be read: Permission denied"):
        list(scan(tmp_path))


def test_a_link_that_leads_back_to_itself_is_an_error_of_the_tree(bundle: Bundle) -> None:
    path = bundle.path("model.onnx")
    path.unlink()
    path.symlink_to(path)
    with pytest.raises(BundleError, match=f"{path} is a link that leads back to itself"):
        read_single_bundle(bundle.directory)


def test_a_bundle_under_another_name_is_not_served_as_that(bundle: Bundle, tmp_path: Path) -> None:
    bundle.directory.rename(tmp_path / "colors" / "7")
    (entry,) = scan(tmp_path)
    assert isinstance(entry.content, BundleError)
    assert "holds version 1 of 'colors'" in str(entry.content)


@pytest.mark.parametrize("make", [False, True])
def test_a_missing_or_empty_repository_says_how_to_fill_it(tmp_path: Path, make: bool) -> None:
    repository = tmp_path / "models"
    if make:
        repository.mkdir()
    with pytest.raises(RepositoryError, match="tundish export"):
        list(scan(repository))


def test_the_committed_schema_is_that_of_the_code() -> None:
    assert SCHEMA.read_text() == json_schema()


def test_a_manifest_with_nothing_to_serve_is_not_valid(bundle: Bundle) -> None:
    content = json.loads(bundle.manifest.model_dump_json())
    content["variants"][0]["gate"]["passed"] = False
    with pytest.raises(ValueError, match="no variant passed the gate"):
        Manifest.model_validate(content)


def test_a_published_bundle_can_be_read_by_another_user(bundle: Bundle) -> None:
    assert bundle.directory.stat().st_mode & 0o055 == 0o055
    assert os.access(bundle.path("model.onnx"), os.R_OK)
