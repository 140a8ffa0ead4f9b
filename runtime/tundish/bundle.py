"""Reads, verifies and writes bundles: a manifest and the files it names, each with its hash.

A composed bundle holds others, its components, each a directory with a manifest of its own.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, overload

from pydantic import TypeAdapter, ValidationError

from tundish.errors import BundleError
from tundish.manifest import FORMAT_VERSION, TENSORS, AnyManifest, BundleFile, Composition, Manifest, TaskName

MANIFEST_NAME = "bundle.json"
MAX_MANIFEST_BYTES = 64 * 2**20
"""A manifest is a few kilobytes, or a few megabytes with very many labels; more is refused unread."""

_STAGING_PREFIX = ".staging-"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_MANIFESTS: TypeAdapter[Manifest | Composition] = TypeAdapter(AnyManifest)


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose files all matched their hashes when it was read."""

    directory: Path
    manifest: Manifest

    def path(self, file: BundleFile | str) -> Path:
        """Where a file of the bundle lies."""
        return self.directory / (file if isinstance(file, str) else file.path)


@dataclass(frozen=True, slots=True)
class ComposedBundle:
    """A bundle of bundles, whose files all matched their hashes when it was read."""

    directory: Path
    manifest: Composition
    components: Mapping[str, Bundle]
    """By name, in the manifest's order."""


AnyBundle = Bundle | ComposedBundle


def read_bundle(directory: Path) -> AnyBundle:
    """Reads and verifies a bundle, and those that it is composed of.

    Raises:
        BundleError: a manifest is missing, damaged, of a newer format or not valid, or a file is missing or differs
            from its hash; or a component is that of another bundle.
    """
    manifest = _read_manifest(directory / MANIFEST_NAME)
    for file in manifest.files:
        _verify_file(directory, file)
    if isinstance(manifest, Manifest):
        return Bundle(directory, manifest)
    components = {
        each.name: _read_component(directory / each.bundle.path, manifest, each.name) for each in manifest.components
    }
    return ComposedBundle(directory, manifest, components)


def read_single_bundle(directory: Path) -> Bundle:
    """Reads and verifies a bundle that is one network; raises BundleError as `read_bundle` does, or if it is not."""
    bundle = read_bundle(directory)
    if not isinstance(bundle, Bundle):
        raise BundleError(f"{directory} is composed of others; one network is wanted here.")
    return bundle


def _read_component(path: Path, whole: Composition, name: str) -> Bundle:
    component = read_single_bundle(path.parent)
    said = component.manifest
    if (said.model, said.version) != (component_name(whole.model, name), whole.version):
        raise BundleError(
            f"{path} holds version {said.version} of '{said.model}', not '{name}' of '{whole.model}' version "
            f"{whole.version}; export the model again."
        )
    return component


def component_name(model: str, component: str) -> str:
    """What a component of a model is called among models."""
    return f"{model}.{component}"


def component_directory(directory: Path, component: str) -> Path:
    """Where a composed bundle in `directory` has a component."""
    return directory / "components" / component


def _read_manifest(path: Path) -> Manifest | Composition:
    try:
        size = path.stat().st_size
        if size > MAX_MANIFEST_BYTES:
            raise BundleError(f"{path} has {size} bytes, a manifest has at most {MAX_MANIFEST_BYTES}.")
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise BundleError(f"{path} is missing, so {path.parent} is not a bundle.") from None
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError):
        raise BundleError(f"{path} is damaged: it is not JSON; export the model again.") from None
    if not isinstance(content, dict):
        raise BundleError(f"{path} is damaged: it holds no JSON object; export the model again.")
    _check_readable(path, content)
    if content.get("digest") != _digest(content):
        raise BundleError(f"{path} does not match its own digest; export the model again.")
    try:
        return _MANIFESTS.validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"][1:])) or "manifest"  # the first is the format's version
        raise BundleError(f"{path} is not valid at '{where}': {first['msg']}.") from None


def _check_readable(path: Path, content: dict[str, Any]) -> None:
    """Names the two mismatches that an older runtime meets, before anything else is held against the file."""
    version = content.get("format_version")
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise BundleError(
            f"{path} has format version {version}, this tundish reads up to {FORMAT_VERSION}; update tundish."
        )
    task = content.get("task")
    known = (*get_args(TaskName), TENSORS)
    if isinstance(task, str) and task not in known:
        raise BundleError(f"{path} has the unknown task '{task}'; this tundish knows {', '.join(known)}.")


def _digest(content: dict[str, Any]) -> str:
    rest = {key: value for key, value in content.items() if key != "digest"}
    canonical = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def _verify_file(directory: Path, file: BundleFile) -> None:
    path = directory / file.path
    try:
        # A link could point anywhere, and its target could change after it was verified.
        if not path.resolve(strict=True).is_relative_to(directory.resolve()):
            raise BundleError(f"{path} leads out of the bundle.")
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            if size != file.bytes:
                raise BundleError(f"{path} has {size} bytes, its manifest says {file.bytes}; copy it again.")
            actual = hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        raise BundleError(f"{path} is missing, its manifest names it; copy the bundle again.") from None
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}.") from error
    except RuntimeError:  # what `resolve` says of a link in a circle
        raise BundleError(f"{path} is a link that leads back to itself; copy the bundle again.") from None
    if actual != file.sha256:
        raise BundleError(f"{path} does not match its SHA-256 in the manifest; copy it again.")


def describe_file(directory: Path, path: str) -> BundleFile:
    """The manifest's entry for `directory/path`."""
    with (directory / path).open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return BundleFile(path=path, sha256=digest, bytes=os.fstat(stream.fileno()).st_size)


@contextmanager
def staged_bundle(repository: Path, model: str) -> Iterator[Path]:
    """A new directory in which to build a bundle of `model`; removed on leaving, unless it was published.

    It lies inside the repository so that publishing is a rename; readers pass over its name.

    Raises:
        BundleError: the repository cannot be written to, or has no room left while the bundle is built.
    """
    parent = repository / model
    made = [directory for directory in (parent, *parent.parents) if not directory.exists()]
    try:
        parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(parent)
        staging = Path(tempfile.mkdtemp(prefix=f"{_STAGING_PREFIX}{os.getpid()}-", dir=parent))
    except OSError as error:
        raise BundleError(f"{parent} cannot be written to: {error.strerror}.") from error
    try:
        yield staging
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise BundleError(
            f"{parent}, or the directory of temporary files, has no room for the bundle: {error.strerror}; nothing of "
            "it is left."
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        with suppress(OSError):  # not empty: it was published
            for directory in made:
                directory.rmdir()


def write_manifest(directory: Path, manifest: Manifest | Composition) -> None:
    """Writes the manifest of the bundle in `directory`, whose files are there already; all of it reaches the disk."""
    content = manifest.model_dump(mode="json")
    content["digest"] = _digest(content)
    path = directory / MANIFEST_NAME
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    for name in [*(file.path for file in manifest.files), MANIFEST_NAME]:
        _sync(directory / name)


@overload
def publish_bundle(staging: Path, manifest: Manifest) -> Bundle: ...


@overload
def publish_bundle(staging: Path, manifest: Composition) -> ComposedBundle: ...


def publish_bundle(staging: Path, manifest: Manifest | Composition) -> AnyBundle:
    """Writes the manifest into a staged directory and makes it the model's version, in one rename.

    Raises:
        BundleError: the version exists already.
    """
    write_manifest(staging, manifest)
    staging.chmod(0o755)  # mkdtemp's default hides it from a server that runs as another user
    target = staging.parent / str(manifest.version)
    try:
        staging.rename(target)
    except OSError as error:
        raise BundleError(f"{target} exists already; export to another version.") from error
    _sync(target.parent)
    return read_bundle(target)


def next_version(repository: Path, model: str) -> int:
    """One more than the model's highest version; raises BundleError as `versions_in` does."""
    return max(versions_in(repository / model), default=0) + 1


def versions_in(directory: Path) -> list[int]:
    """The versions below a model's directory, lowest first; other names are passed over.

    Raises:
        BundleError: the directory is there and cannot be read.
    """
    try:
        if not directory.is_dir():
            return []
        names = [path.name for path in directory.iterdir() if path.is_dir()]
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # no file can have this name, which some requests bring
            return []
        raise BundleError(f"{directory} cannot be read: {error.strerror}.") from error
    return sorted(int(name) for name in names if name.isascii() and name.isdigit() and not name.startswith("0"))


def _sync(path: Path) -> None:
    """A rename may reach the disk before the content that it publishes; after a power cut that would show."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_abandoned(parent: Path) -> None:
    """Removes what exports left behind that were killed outright."""
    for path in parent.glob(f"{_STAGING_PREFIX}*"):
        process = path.name.removeprefix(_STAGING_PREFIX).split("-")[0]
        if process.isdigit() and not Path(f"/proc/{process}").exists():
            shutil.rmtree(path, ignore_errors=True)
