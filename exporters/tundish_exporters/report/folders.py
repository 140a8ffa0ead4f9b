"""Sentences of a report without the folders of the machine that it was written on: a bundle travels."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from tundish_exporters.data import Sample
from tundish_exporters.export_options import ExportOptions


class Folders:
    """Those of an export's data and files, so far as sentences on them may name them."""

    def __init__(self, options: ExportOptions, *, samples: Iterable[Sample] = (), bundle: Path | None = None) -> None:
        """Files of samples keep the name of the folder that they lie in, which may be their label.

        Args:
            options: say where the data lie.
            samples: may be files elsewhere, which a table names.
            bundle: the directory that it is made in.
        """
        data = [path for path in (options.calibration, options.evaluation) if path is not None]
        files = [part for sample in samples for part in (*sample.content, sample.truth) if isinstance(part, Path)]
        folders = {*(path.parent for path in data), *(file.parent.parent for file in files)}
        if bundle is not None:
            folders.add(bundle)
        known = sorted((f"{folder}/" for folder in folders if folder.is_absolute() and folder.name), reverse=True)
        # The deepest first; none in the middle of another path.
        self._known = re.compile(rf"(?<![\w.-])(?:{'|'.join(map(re.escape, known))})") if known else None

    def without(self, sentence: str) -> str:
        """The sentence with paths that begin where the data do."""
        return sentence if self._known is None else self._known.sub("", sentence)
