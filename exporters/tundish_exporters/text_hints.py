"""What a user says of an ONNX file that reads texts, which its graph does not."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from tundish.manifest import Aggregation


@dataclass(frozen=True, slots=True, kw_only=True)
class TextHints:
    """How a network reads texts."""

    tokenizer: Path | str | None = None
    """Directory with tokenizer.json and tokenizer_config.json; what else a Hugging Face directory has is read there as
    well: the labels and the form of classification in config.json, and sentence-transformers' modules."""
    aggregation: Aggregation | None = None
    """Of token-classification, how tokens become entities; None is `simple`."""
    pairs: bool = False
    """Of text-classification, whether the model reads two texts."""

    @property
    def said(self) -> list[str]:
        """The names of the fields that are not as they are by default."""
        return [each.name for each in fields(self) if getattr(self, each.name) != each.default]
