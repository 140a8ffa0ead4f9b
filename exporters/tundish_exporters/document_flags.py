"""The flags of `tundish export` for the files that read documents, and which exports they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tundish.manifest import TaskName
from tundish_exporters.composed_api import export_documents, export_read_pages
from tundish_exporters.errors import ExportError
from tundish_exporters.onnx_hints import OnnxHints

if TYPE_CHECKING:
    from tundish_exporters.composing import ExportedComposition

DOCUMENTS: TaskName = "document-reading"
_QUESTIONS: TaskName = "document-question-answering"
_PANEL = "Documents"

DetectorFlag = Annotated[
    Path | None,
    typer.Option(
        help="ONNX file of a text detector, for document-question-answering by images of pages.", rich_help_panel=_PANEL
    ),
]
RecognizerFlag = Annotated[
    Path | None,
    typer.Option(
        help="ONNX file of the text recogniser, for document-reading, whose SOURCE is the detector's, and beside "
        "--detector.",
        rich_help_panel=_PANEL,
    ),
]
DirectionFlag = Annotated[
    Path | None,
    typer.Option(
        help="ONNX file of a classifier of lines that stand upright or upside down, beside --recognizer; those upside "
        "down are turned before they are read.",
        rich_help_panel=_PANEL,
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Readers:
    """The files that read a document beside SOURCE."""

    detector: Path | None
    recognizer: Path | None
    direction: Path | None
    labels: Path | None
    """The recogniser's characters."""

    def refuse(self, task: TaskName) -> None:
        """Raises ExportError if there are any, since the task has no use for them."""
        for flag in ("detector", "recognizer", "direction"):
            if (path := getattr(self, flag)) is not None:
                tasks = _QUESTIONS if flag == "detector" else f"{DOCUMENTS} and {_QUESTIONS} by images"
                raise ExportError(f"--{flag} is for {tasks}, not for {task}; leave {path} out.")

    def export_documents(self, source: Path, hints: OnnxHints, asked: Mapping[str, Any]) -> ExportedComposition:
        """Hints are the detector's, but for the labels."""
        if self.detector is not None:
            raise ExportError(f"SOURCE is the detector of {DOCUMENTS}; leave --detector {self.detector} out.")
        if self.recognizer is None:
            raise ExportError(f"{DOCUMENTS} takes two ONNX files: pass that of the text recogniser with --recognizer.")
        return export_documents(
            source,
            self.recognizer,
            direction=self.direction,
            hints=replace(hints, labels=None),
            labels=self.labels,
            **asked,
        )

    def export_read_pages(
        self, directory: Path, task: TaskName, chosen: Mapping[str, Any], asked: Mapping[str, Any]
    ) -> ExportedComposition:
        """Chosen is what is said of the directory; raises ExportError also if the task is another."""
        if task != _QUESTIONS:
            self.refuse(task)
        if self.detector is None or self.recognizer is None:
            raise ExportError(
                f"{_QUESTIONS} by images of pages takes two ONNX files beside {directory}: --detector and --recognizer."
            )
        return export_read_pages(
            directory,
            self.detector,
            self.recognizer,
            direction=self.direction,
            labels=self.labels,
            **chosen,
            **asked,
        )

    @property
    def given(self) -> bool:
        """Whether there are any."""
        return any((self.detector, self.recognizer, self.direction))
