"""The characters that a text recogniser knows: from the user, from a file of the user's, or from the ONNX file."""

from __future__ import annotations

from pathlib import Path

import onnx

from tundish_exporters.errors import ExportError
from tundish_exporters.onnx_hints import OnnxHints

_METADATA = "character"
"""Under which RapidOCR's exporter writes them, one a line."""


def read_characters(hints: OnnxHints, path: Path, model: onnx.ModelProto) -> tuple[str, ...]:
    """The characters in the order of their classes; neither the blank, which comes first, nor a space at the end.

    Raises:
        ExportError: nobody says them, or their file cannot be read.
    """
    if hints.labels is None:
        written = {entry.key: entry.value for entry in model.metadata_props}.get(_METADATA)
        if written is None:
            raise ExportError(
                f"{path} does not name its characters: pass --labels, a file with one a line, such as PaddleOCR's "
                "ppocr_keys_v1.txt."
            )
        return _lines(written)
    if not isinstance(hints.labels, str | Path):
        return tuple(hints.labels)
    try:
        return _lines(Path(hints.labels).read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ExportError(f"The characters {hints.labels} cannot be read: {error}.") from error
    except OSError as error:
        raise ExportError(f"The characters {hints.labels} cannot be read: {error.strerror}.") from error


def _lines(text: str) -> tuple[str, ...]:
    """Lines end in a line feed alone: characters may be spaces, or ends of lines by Unicode."""
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    return tuple(lines if lines[-1] else lines[:-1])
