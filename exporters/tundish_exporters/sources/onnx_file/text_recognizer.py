"""An ONNX file of a text recogniser as PP-OCR's: a score for each character at each step along a line (CTC)."""

from __future__ import annotations

from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from tundish.engines import Arrays
from tundish.manifest import CtcPostprocess, LineResize
from tundish.results import Result, TextRecognition
from tundish_exporters.errors import ExportError
from tundish_exporters.onnx_hints import OnnxHints
from tundish_exporters.sources.onnx_file.characters import read_characters
from tundish_exporters.sources.onnx_file.documents import DocumentSource
from tundish_exporters.sources.onnx_file.graph import Ending, Shape, last_function
from tundish_exporters.sources.onnx_file.onnx_source import ROUNDING
from tundish_exporters.sources.onnx_file.reading import OnnxFile
from tundish_exporters.sources.pillow_images import processed_image

_SHORTEST, _LONGEST = 320, 3200
"""Widths of lines. PP-OCR's networks learn at the shortest, with zeros behind lines that are shorter."""


class TextRecognizerSource(DocumentSource):
    """See `Source`."""

    task = "text-recognition"
    example_size = (48, _SHORTEST)

    def __init__(self, file: OnnxFile, hints: OnnxHints) -> None:
        """See `DocumentSource`; raises ExportError also if no output has a score for each character."""
        self._refuse(hints, but="labels")
        super().__init__(file, hints)
        height, width = self._network.size
        if isinstance(self._network.extents[1], str):
            resize = LineResize(height=height, shortest=_SHORTEST, longest=_LONGEST)
        else:
            resize = LineResize(height=height, shortest=width, longest=width)
        self._image_rule = self._rule_for(resize)
        self._output, characters = self._find_scores()
        self._rule = CtcPostprocess(characters=characters, in_network=self._ends_in_softmax())

    @property
    def postprocess(self) -> CtcPostprocess:
        """See `Source.postprocess`."""
        return self._rule

    def predict(self, data: bytes) -> Result:
        """See `Source.predict`."""
        (row,) = self._scores(self._network.answer(processed_image(self._image_rule, data))).astype(np.float64)
        if not self._rule.in_network:
            row = np.exp(row - row.max(axis=1, keepdims=True))
            row /= row.sum(axis=1, keepdims=True)
        # A run of steps with one class is one character; its first step has the score.
        runs = [next(steps) for _, steps in groupby(row, key=lambda step: int(step.argmax()))]
        read = [(int(step.argmax()), float(step.max())) for step in runs]
        kept = [(self._rule.characters[index - 1], score) for index, score in read if index]
        text = "".join(character for character, _ in kept)
        return TextRecognition(text, sum(score for _, score in kept) / len(kept) if kept else 0.0)

    def _read_labels(self) -> tuple[str, ...]:
        return read_characters(self._hints, self._file.path, self._file.model)

    def _read(self, answer: Arrays) -> Arrays:
        return {self._output: self._scores(answer)}

    @property
    def _ending(self) -> Ending:
        _, steps, classes = self._answers[0][self._output].shape
        is_open = isinstance(self._network.extents[1], str)
        return Ending({self._output: ["steps" if is_open else steps, classes]})

    @property
    def _extents(self) -> Shape:
        height, _ = self._network.size  # lines have one, also where the network would take others
        return height, self._network.extents[1]

    def _scores(self, answer: Arrays) -> NDArray[np.float32]:
        """`[batch, steps, classes]`."""
        return answer[self._output].astype(np.float32, copy=False)

    def _find_scores(self) -> tuple[str, tuple[str, ...]]:
        """The output with a class for each character and the blank, and these characters, perhaps with a space."""
        listed = len(self._labels)
        for name, array in self._answers[0].items():
            if array.ndim == 3 and len(array) == 1 and array.shape[2] in (listed + 1, listed + 2):
                return name, (*self._labels, " ")[: array.shape[2] - 1]
        given = "; ".join(f"'{name}' {list(array.shape)}" for name, array in self._answers[0].items())
        raise ExportError(
            f"{self._file.path} gives {given} for {listed} characters; it must give [batch, steps, classes], of a "
            "blank, the characters, and perhaps a space behind them: name them all (--labels)."
        )

    def _ends_in_softmax(self) -> bool:
        if last_function(self._file.model.graph, self._output) == "softmax":
            return True
        sums = np.concatenate([self._scores(answer)[0].sum(axis=1) for answer in self._answers])
        least = min(float(self._scores(answer).min()) for answer in self._answers)
        return least >= 0 and bool((np.abs(sums - 1) < ROUNDING).all())
