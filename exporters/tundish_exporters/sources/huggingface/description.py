"""What the manifest says of a directory."""

from __future__ import annotations

import hashlib
from pathlib import Path

from huggingface_hub import ModelCard

from tundish import manifest
from tundish_exporters.sources.frameworks import versions


def describe(directory: Path, base: Path | None) -> manifest.Source:
    """Every file of the directory is hashed, and of an adapter's base, as `base/…`."""
    files = _hashes(directory)
    if base is not None:
        files |= {f"base/{name}": digest for name, digest in _hashes(base).items()}
    return manifest.Source(kind="huggingface", files=files, frameworks=versions(), license=_license(directory))


def _hashes(directory: Path) -> dict[str, str]:
    files = {}
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory)
        if path.is_file() and not any(part.startswith(".") for part in name.parts):
            with path.open("rb") as stream:
                files[str(name)] = hashlib.file_digest(stream, "sha256").hexdigest()
    return files


def _license(directory: Path) -> str | None:
    """What the model card in README.md says; None if there is none, or it says nothing that can be read."""
    try:
        said = ModelCard.load(directory / "README.md").data.get("license")
    except Exception:  # whatever a stranger's YAML makes of the library; a card is not what an export fails by
        return None
    return said if isinstance(said, str) and len(said) <= manifest.MAX_STATEMENT else None
