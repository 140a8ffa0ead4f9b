"""An ONNX file of an object detector, with or without suppression inside; see `layouts` for what is recognised."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from tundish import manifest
from tundish.engines import Arrays
from tundish.results import Box, DetectedObject, ObjectDetection, Result
from tundish_exporters.detector_hints import Background
from tundish_exporters.errors import ExportError
from tundish_exporters.onnx_hints import OnnxHints
from tundish_exporters.sources.onnx_file.evidence import settle, settle_listed
from tundish_exporters.sources.onnx_file.graph import Ending, Shape
from tundish_exporters.sources.onnx_file.head_ending import candidates_ending, listed_ending
from tundish_exporters.sources.onnx_file.head_reading import Floats, read_candidates, read_listed, suppressed
from tundish_exporters.sources.onnx_file.heads import Head, Letterbox, ListedHead
from tundish_exporters.sources.onnx_file.layouts import Seen, find_layout
from tundish_exporters.sources.onnx_file.onnx_source import OnnxSource
from tundish_exporters.sources.pillow_images import place_in_image, processed_image

_TASKS = frozenset({"", "detect", "segment", "pose"})
"""By the metadata, those with boxes that are not turned."""
_THRESHOLD = 0.25
"""That of YOLO's own scripts."""
_BACKGROUNDS = frozenset({"background", "__background__", "bg"})
"""What a class that stands for nothing is called in files of labels."""


class DetectorSource(OnnxSource):
    """See `Source`."""

    task = "object-detection"

    def __init__(self, path: Path, hints: OnnxHints) -> None:
        """See `OnnxSource`; raises ExportError also if the outputs are of no layout that is known."""
        super().__init__(path, hints)
        if self._metadata.task not in _TASKS:
            raise ExportError(
                f"{path} is a model for the task '{self._metadata.task}' by its metadata; tundish reads the boxes of "
                f"{', '.join(sorted(_TASKS - {''}))}."
            )
        said = hints.detector
        if not self._metadata.is_of_yolo:  # whose classes are all of something, whatever they are called
            self._labels, background = _without_background(self._labels)
            said = said if said.background is not None else replace(said, background=background)
        seen = Seen(self._answers, len(self._labels), self._network.size, said, self._metadata.more)
        found = find_layout(seen)
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
    def postprocess(self) -> manifest.BoxPostprocess | manifest.ListedPostprocess:
        """See `Source.postprocess`."""
        return self._rule

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

    def predict(self, data: bytes) -> Result:
        """See `Source.predict`."""
        outputs = self._read(self._network.answer(processed_image(self._image_rule, data)))
        to_image = place_in_image(self._image_rule, data)
        objects = [
            DetectedObject(self._labels[label], score, Box(*to_image(corners)))
            for label, score, corners in self._found(*(rows[0] for rows in outputs.values()))
            if score > 0
        ]
        return ObjectDetection(tuple(sorted(objects, key=lambda found: -found.score)))

    def _found(
        self, boxes: Floats, scores: Floats, classes: Floats | None = None
    ) -> Iterator[tuple[int, float, list[float]]]:
        """Label, score and corners in pixels of the network's input of the objects of an image."""
        rule = self._rule
        if classes is not None:
            yield from zip(classes.astype(int).tolist(), scores.tolist(), boxes.tolist(), strict=True)
            return
        assert isinstance(rule, manifest.BoxPostprocess)  # of what lists no objects
        if rule.candidates_last:
            boxes, scores = boxes.T, scores.T
        if rule.box_form == "centre":
            x, y, width, height = boxes.T
            boxes = np.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], axis=1)
        for candidate, label in suppressed(rule, boxes, scores):
            yield label, float(scores[candidate, label]), boxes[candidate].tolist()

    def _read(self, answer: Arrays) -> dict[str, Floats]:
        head = self._head
        return read_listed(head, answer) if isinstance(head, ListedHead) else read_candidates(head, answer)

    @property
    def _ending(self) -> Ending:
        integers = [spec.name for spec in self._network.outputs if spec.datatype != "FP32"]
        shapes = {name: self._shape(rows) for name, rows in self._read(self._answers[0]).items()}
        if isinstance(self._head, ListedHead):
            return listed_ending(self._head, shapes, integers)
        return candidates_ending(self._head, shapes, integers)

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
            return manifest.ListedPostprocess(labels=self._labels, threshold=threshold)
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
            how = f"objects that the network chose, with {head.form} in {head.unit}, classes from {head.first_class}"
        else:
            layout = head.layout
            named = list(dict.fromkeys(part.output for part in (*layout.boxes, *layout.scores, *layout.objectness)))
            form = head.form if head.grid is not None else f"{head.form} in {head.unit}"
            how = f"candidates with boxes as {form}{' and an objectness' if layout.objectness else ''}"
        shown = ", ".join(f"'{name}' {list(self._answers[0][name].shape)}" for name in named)
        return f"The network's outputs are read as {how}: {shown}."

    def _misfit(self) -> str:
        labels = len(self._labels)
        given = "; ".join(f"'{name}' {list(array.shape)}" for name, array in self._answers[0].items())
        return (
            f"{self._file.path} gives {given}, in which there is no output for boxes of {labels} labels, such as "
            f"[batch, {4 + labels}, candidates], [batch, candidates, {5 + labels}] or [batch, objects, 6]; name as "
            "many labels as the network has (--labels), or export it with its last layers."
        )


def _without_background(labels: tuple[str, ...]) -> tuple[tuple[str, ...], Background | None]:
    """Labels without the class that stands for nothing, which is not found; and where it was named, if it was."""
    if len(labels) > 1 and labels[0].lower() in _BACKGROUNDS:
        return labels[1:], "first"
    if len(labels) > 1 and labels[-1].lower() in _BACKGROUNDS:
        return labels[:-1], "last"
    return labels, None


def _in_words(resize: manifest.StretchResize | manifest.LetterboxResize) -> str:
    size = f"{resize.height} by {resize.width} pixels"
    if isinstance(resize, manifest.StretchResize):
        return f"stretched to {size}"
    place = "in the centre" if resize.placement == "centre" else "in the upper left corner"
    return f"letterboxed to {size}, {place} on grey {resize.padding}"
