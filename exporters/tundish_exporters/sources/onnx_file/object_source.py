"""What ONNX files of objects have in common, with boxes or with masks; see `layouts` for what is recognised."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, NamedTuple

import numpy as np

from tundish import manifest
from tundish.engines import Arrays
from tundish_exporters.detector_hints import Background
from tundish_exporters.errors import ExportError
from tundish_exporters.onnx_hints import OnnxHints
from tundish_exporters.quadrilaterals import oriented_corners
from tundish_exporters.sources.onnx_file.evidence import settle, settle_listed
from tundish_exporters.sources.onnx_file.graph import Ending, Shape
from tundish_exporters.sources.onnx_file.head_ending import candidates_ending, listed_ending
from tundish_exporters.sources.onnx_file.head_reading import Floats, read_candidates, read_listed, suppressed
from tundish_exporters.sources.onnx_file.heads import Head, Layout, Letterbox, ListedHead
from tundish_exporters.sources.onnx_file.metadata import ORIENTED
from tundish_exporters.sources.onnx_file.onnx_source import OnnxSource
from tundish_exporters.sources.onnx_file.reading import OnnxFile
from tundish_exporters.sources.onnx_file.seen import Seen

_THRESHOLD = 0.25
"""That of YOLO's own scripts."""
_BACKGROUNDS = frozenset({"background", "__background__", "bg"})
"""What a class that stands for nothing is called in files of labels."""


class Located(NamedTuple):
    """An object of an image."""

    label: int
    score: float
    place: int
    """Which of the candidates, or of those that the network lists, it is."""
    box: Floats
    """Corners in pixels of the network's input: `[2, 2]`, x and y of the upper left and of the lower right one; of an
    oriented box `[4, 2]`."""


class ObjectSource(OnnxSource):
    """See `Source`."""

    tasks: ClassVar[frozenset[str]]
    """Those of Ultralytics' metadata whose files are read, without a name where there are none."""
    prototypes: str | None = None
    """The output that holds those of masks, whose weights stand behind the labels."""

    def __init__(self, file: OnnxFile, hints: OnnxHints) -> None:
        """See `OnnxSource`; raises ExportError also if the outputs are of no layout that is known."""
        super().__init__(file, hints)
        if self._metadata.task not in self.tasks:
            raise ExportError(
                f"{file.path} is a model for the task '{self._metadata.task}' by its metadata; for {self.task} tundish "
                f"reads those of {', '.join(sorted(self.tasks - {''}))}."
            )
        said = hints.detector
        if not self._metadata.is_of_yolo:  # whose classes are all of something, whatever they are called
            self._labels, background = _without_background(self._labels)
            said = said if said.background is not None else replace(said, background=background)
        oriented = self._says_oriented
        more = 1 if oriented else self._metadata.more
        seen = Seen(self._answers, len(self._labels), self._network.size, said, more, oriented)
        found = self._find_layout(seen)
        if found is None:
            raise ExportError(self._misfit())
        self._head: Head | ListedHead = (
            settle_listed(found, seen) if isinstance(found, ListedHead) else settle(found, seen, hints.activation)
        )
        letterbox = self._head.letterbox if isinstance(self._head, ListedHead) else self._head.layout.letterbox
        self._default_resize = self._resize_for(letterbox)
        self._image_rule = self._rule_for(self._default_resize)
        self._rule = self._objects_rule()

    @property
    def warnings(self) -> tuple[str, ...]:
        """See `OnnxSource.warnings`."""
        said = [self._reading(), *super().warnings]
        if self._hints.resize is None and not self._metadata.is_of_yolo:
            said.append(
                f"Nothing says how images are resized, so they are {_in_words(self._default_resize)}; if the network "
                "was trained otherwise, pass --resize."
            )
        return tuple(said)

    @abstractmethod
    def _find_layout(self, seen: Seen) -> Layout | ListedHead | None:
        """How the outputs are read; None if they are of no form that is known."""

    @property
    def _says_oriented(self) -> bool | None:
        """Whether boxes are turned, as the user or the metadata have it; None if nobody says."""
        if (form := self._hints.detector.box_form) is not None:
            return form == "oriented"
        return self._metadata.task == ORIENTED if self._metadata.task else None

    def _located(self, outputs: dict[str, Floats]) -> Iterator[Located]:
        """The objects of the first image, of every score above 0."""
        rule = self._rule
        boxes, scores = outputs["boxes"][0], outputs["scores"][0]
        if isinstance(rule, manifest.ListedPostprocess):
            labels = outputs["classes"][0].astype(int).tolist()
            corners = oriented_corners(boxes) if rule.box_form == "oriented" else boxes.reshape(-1, 2, 2)
            listed = zip(labels, scores.tolist(), range(len(labels)), corners, strict=True)
            yield from (located for each in listed if (located := Located(*each)).score > 0)
            return
        if rule.candidates_last:
            boxes, scores = boxes.T, scores.T
        if rule.box_form == "oriented":
            places = oriented_corners(boxes)
        elif rule.box_form == "centre":
            places = np.stack([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], axis=1)
        else:
            places = boxes.reshape(-1, 2, 2)
        for candidate, label in suppressed(rule, places, scores):
            yield Located(label, float(scores[candidate, label]), candidate, places[candidate])

    def _read(self, answer: Arrays) -> dict[str, Floats]:
        head = self._head
        return read_listed(head, answer) if isinstance(head, ListedHead) else read_candidates(head, answer)

    @property
    def _ending(self) -> Ending:
        integers = [spec.name for spec in self._network.outputs if spec.datatype != "FP32"]
        shapes = {name: self._shape(rows) for name, rows in self._read(self._answers[0]).items()}
        if isinstance(self._head, ListedHead):
            return listed_ending(self._head, shapes, integers, self.prototypes)
        return candidates_ending(self._head, shapes, integers, self.prototypes)

    def _shape(self, rows: Floats) -> Shape:
        """Of an output without the batch; the number of objects varies where it does among the answers."""
        if isinstance(self._head, ListedHead) and self._objects_vary:
            return ["objects", *rows.shape[2:]]
        return list(rows.shape[1:])

    @property
    def _objects_vary(self) -> bool:
        """Whether the network lists as many objects as it has found, and so of one image at a time."""
        head = self._head
        if not isinstance(head, ListedHead):
            return False
        (shape,) = (spec.shape for spec in self._network.outputs if spec.name == head.boxes.output)
        return len(shape) == 2 or isinstance(shape[1], str)

    @property
    def _may_batch(self) -> bool:
        parts = [self._head.boxes] if isinstance(self._head, ListedHead) else self._head.layout.boxes
        return not self._objects_vary and all(part.rows is None or part.rows[0] == 0 for part in parts)

    def _objects_rule(self) -> manifest.BoxPostprocess | manifest.ListedPostprocess:
        hints, head = self._hints.detector, self._head
        threshold = _THRESHOLD if hints.threshold is None else hints.threshold
        if isinstance(head, ListedHead):
            return manifest.ListedPostprocess(
                labels=self._labels,
                threshold=threshold,
                box_form="oriented" if head.form == "oriented" else "corners",
            )
        return manifest.BoxPostprocess(
            labels=self._labels,
            threshold=threshold,
            box_form=head.box_form,
            candidates_last=head.layout.candidates_last,
            iou=hints.iou,
            class_agnostic=hints.class_agnostic,
        )

    def _resize_for(self, letterbox: Letterbox | None) -> manifest.StretchResize | manifest.LetterboxResize:
        height, width = self._network.size
        if letterbox is None:
            return manifest.StretchResize(height=height, width=width)
        return manifest.LetterboxResize(
            height=height, width=width, padding=letterbox.padding, placement=letterbox.placement
        )

    def _reading(self) -> str:
        """How the outputs are read, in a sentence."""
        head = self._head
        if isinstance(head, ListedHead):
            named = list(dict.fromkeys(part.output for part in (head.boxes, head.scores, head.classes)))
            how = (
                f"objects that the network chose, with {_boxes(head.form)} in {head.unit}, "
                f"classes from {head.first_class}"
            )
        else:
            layout = head.layout
            named = list(dict.fromkeys(part.output for part in (*layout.boxes, *layout.scores, *layout.objectness)))
            unit = "" if head.grid is not None else f" in {head.unit}"
            how = f"candidates with {_boxes(head.form)}{unit}{' and an objectness' if layout.objectness else ''}"
        if self.prototypes is not None:
            named.append(self.prototypes)
            how += ", each with the weights of a mask's prototypes"
        shown = ", ".join(f"'{name}' {list(self._answers[0][name].shape)}" for name in named)
        return f"The network's outputs are read as {how}: {shown}."

    def _misfit(self) -> str:
        labels, angle = len(self._labels), 1 if self._says_oriented else 0
        given = "; ".join(f"'{name}' {list(array.shape)}" for name, array in self._answers[0].items())
        decoded = "" if angle else f", [batch, candidates, {5 + labels}]"
        return (
            f"{self._file.path} gives {given}, in which there is no output for {'oriented ' if angle else ''}boxes of "
            f"{labels} labels, such as [batch, {4 + labels + angle}, candidates]{decoded} or "
            f"[batch, objects, {6 + angle}]; name as many labels as the network has (--labels), or export it with its "
            "last layers."
        )


def _without_background(labels: tuple[str, ...]) -> tuple[tuple[str, ...], Background | None]:
    """Labels without the class that stands for nothing, which is not found; and where it was named, if it was."""
    if len(labels) > 1 and labels[0].lower() in _BACKGROUNDS:
        return labels[1:], "first"
    if len(labels) > 1 and labels[-1].lower() in _BACKGROUNDS:
        return labels[:-1], "last"
    return labels, None


def _boxes(form: str) -> str:
    return "oriented boxes" if form == "oriented" else f"boxes as {form}"


def _in_words(resize: manifest.StretchResize | manifest.LetterboxResize) -> str:
    size = f"{resize.height} by {resize.width} pixels"
    if isinstance(resize, manifest.StretchResize):
        return f"stretched to {size}"
    place = "in the centre" if resize.placement == "centre" else "in the upper left corner"
    return f"letterboxed to {size}, {place} on grey {resize.padding}"
