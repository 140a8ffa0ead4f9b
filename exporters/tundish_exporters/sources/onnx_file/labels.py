"""The labels of an ONNX classifier: from the user, from a file of the user's, or from what the exporter wrote down."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx

from tundish_exporters.errors import ExportError
from tundish_exporters.onnx_hints import OnnxHints

_METADATA = "names"
"""Under which Ultralytics' exporter writes `{0: 'label', …}`."""


def read_labels(hints: OnnxHints, path: Path, model: onnx.ModelProto) -> tuple[str, ...]:
    """The labels in the order of the scores.

    Raises:
        ExportError: the user says none and neither does the model, or they are said in a form that is not read.
    """
    if hints.labels is None:
        return _of_metadata(path, model)
    if isinstance(hints.labels, str | Path):
        return _of_file(Path(hints.labels))
    return _of_value(list(hints.labels), "The list of labels")


def _of_metadata(path: Path, model: onnx.ModelProto) -> tuple[str, ...]:
    written = {entry.key: entry.value for entry in model.metadata_props}.get(_METADATA)
    if written is None:
        raise ExportError(f"{path} does not name its labels: pass --labels, a file with one a line or in JSON.")
    try:
        value = ast.literal_eval(written)  # reads literals alone
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise ExportError(f"{path} names its labels in a way that cannot be read: pass --labels.") from None
    return _of_value(value, f"'{_METADATA}' of {path}")


def _of_file(file: Path) -> tuple[str, ...]:
    try:
        text = file.read_text(encoding="utf-8-sig")
        value = (
            json.loads(text) if file.suffix.lower() == ".json" else [line for line in text.splitlines() if line.strip()]
        )
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise ExportError(f"The labels {file} cannot be read: {error}.") from error
    except OSError as error:
        raise ExportError(f"The labels {file} cannot be read: {error.strerror}.") from error
    return _of_value(value, f"The labels {file}")


def _of_value(value: Any, name: str) -> tuple[str, ...]:
    """A list of labels, or a mapping from each index, from 0 on, to its label."""
    if isinstance(value, Mapping):
        by_index = {str(key): label for key, label in value.items()}
        value = [by_index.get(str(index)) for index in range(len(by_index))]
    if not isinstance(value, list) or not value or not all(isinstance(label, str) for label in value):
        raise ExportError(f"{name} must be a list of names, or have a name for each index from 0 on.")
    return tuple(label.strip() for label in value)
