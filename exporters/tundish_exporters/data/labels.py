"""Labels as data say them, among those that a model knows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from tundish_exporters.data.sample import Sample
from tundish_exporters.errors import DataError


def said_labels(samples: Sequence[Sample], path: Path) -> list[str]:
    """Each sample's label as it stands there; raises DataError if one has none."""
    labels = [sample.truth for sample in samples if isinstance(sample.truth, str)]
    if len(labels) < len(samples):
        raise DataError(f"{path} has no labels; the gate needs a column 'label', or a folder for each label.")
    return labels


def label_indices(samples: Sequence[Sample], labels: Sequence[str], path: Path) -> list[int]:
    """The index of each sample's label among the model's, as `indices_of` finds them.

    Raises:
        DataError: a sample has no label, or one that the model does not know.
    """
    return indices_of(said_labels(samples, path), labels, path)


def indices_of(said: Iterable[str], labels: Sequence[str], path: Path) -> list[int]:
    """The index of each of these labels among the model's; a label may also be given as that index.

    Raises:
        DataError: one is none of the model's; says that `path` has it.
    """
    known = {label: index for index, label in enumerate(labels)}
    most_digits = len(str(len(labels)))
    indices = []
    for label in said:
        if label in known:
            indices.append(known[label])
        elif label.isascii() and label.isdigit() and len(label) <= most_digits and int(label) < len(labels):
            indices.append(int(label))
        else:
            shown = ", ".join(f"'{name}'" for name in labels[:5]) + (", …" if len(labels) > 5 else "")
            raise DataError(f"{path} has the label '{label}', which the model does not know; it knows {shown}.")
    return indices
