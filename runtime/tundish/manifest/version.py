"""What every bundle says of itself, whatever is in it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tundish.manifest.terms import MAX_STATEMENT, ModelName, Part, PositiveInt, Sha256
from tundish.manifest.variants import BundleFile


class Source(Part):
    """What the exporter read."""

    kind: Literal["huggingface", "module", "onnx"]
    files: dict[str, Sha256]
    """Name of each file that was read, to its SHA-256; empty for a module that came from memory."""
    frameworks: dict[str, str]
    """Versions of the packages that read and exported it."""
    license: Annotated[str, Field(max_length=MAX_STATEMENT)] | None = None
    """Of the weights, as its maker or the source's model card names it; None if nobody has said."""
    intended_use: Annotated[str, Field(max_length=MAX_STATEMENT)] | None = None
    """What the model is for, and what it is not, in its maker's words."""


class Version(Part):
    """One version of a model."""

    digest: Sha256 = "0" * 64
    """SHA-256 of the manifest itself: of its canonical JSON (sorted keys, no spaces) without this field."""
    model: ModelName
    version: PositiveInt
    source: Source
    assets: tuple[BundleFile, ...]
    """Files that no variant owns: the tokenizer, the report."""
