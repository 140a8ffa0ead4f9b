"""An ONNX file of an image classifier: one of its outputs has a number for each label."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from tundish import manifest
from tundish.engines import Arrays
from tundish.results import ImageClassification, Label, Result
from tundish_exporters.errors import ExportError
from tundish_exporters.onnx_hints import OnnxHints
from tundish_exporters.sources.onnx_file.graph import Ending, free_name, last_function
from tundish_exporters.sources.onnx_file.onnx_source import ROUNDING, OnnxSource
from tundish_exporters.sources.onnx_file.reading import OnnxFile
from tundish_exporters.sources.pillow_images import processed_image


class ClassifierSource(OnnxSource):
    """See `Source`."""

    task = "image-classification"

    def __init__(self, file: OnnxFile, hints: OnnxHints) -> None:
        """See `OnnxSource`; raises ExportError also if no output has a score for each label."""
        super().__init__(file, hints)
        if said := hints.detector.said:
            flags = ", ".join(f"--{name.replace('_', '-')}" for name in said)
            raise ExportError(
                f"{file.path} is read as an image classifier, to which no {flags} belong; leave them out."
            )
        self._output, is_flat = self._find_scores()
        self._output_written = self._output if is_flat else free_name(self._file.model.graph, self._output)
        self._labelling = manifest.ClassificationPostprocess(labels=self._labels, **self._function())

    @property
    def postprocess(self) -> manifest.ClassificationPostprocess:
        """See `Source.postprocess`."""
        return self._labelling

    @property
    def warnings(self) -> tuple[str, ...]:
        """See `OnnxSource.warnings`."""
        others = [name for name in self._answers[0] if name != self._output]
        taken = f"The network's output '{self._output}' is taken, and not {', '.join(others)}."
        return (*super().warnings, *([taken] if others else []))

    def predict(self, data: bytes) -> Result:
        """See `Source.predict`."""
        rule = self._labelling
        (row,) = self._scores(self._network.answer(processed_image(self._image_rule, data))).astype(np.float64)
        scores = row if rule.in_network else _SCORES[rule.function](row)
        order = np.argsort(-scores, kind="stable").tolist()
        return ImageClassification(tuple(Label(rule.labels[index], float(scores[index])) for index in order))

    def _read(self, answer: Arrays) -> Arrays:
        return {self._output_written: self._scores(answer)}

    @property
    def _ending(self) -> Ending:
        written, output = self._output_written, self._output
        nodes = []
        if written != output:
            nodes.append(helper.make_node("Flatten", [output], [written], name="tundish_flatten", axis=1))
        return Ending({written: [len(self._labels)]}, nodes)

    def _scores(self, answer: Arrays) -> NDArray[np.float32]:
        """`[batch, labels]`."""
        output = answer[self._output].astype(np.float32)
        return output.reshape(len(output), -1)

    def _find_scores(self) -> tuple[str, bool]:
        """The first output that has a number for each label, and whether it has no dimensions of one behind."""
        rows = {name: array for name, array in self._answers[0].items() if _is_row(array)}
        for name, row in rows.items():
            if row.size == len(self._labels):
                return name, row.ndim == 2
        raise ExportError(self._misfit(rows, len(self._labels)))

    def _misfit(self, rows: dict[str, NDArray[np.generic]], labels: int) -> str:
        path = self._file.path
        if not rows:
            outputs = self._network.outputs
            given = "; ".join(f"{spec.name} {spec.datatype} {list(spec.shape)}" for spec in outputs)
            return f"{path} gives no score for each label, but {given}."
        name, row = next(iter(rows.items()))
        if row.size == 1:
            return f"{path} gives one score, '{name}', and {labels} labels are named; name the one that it is of."
        return f"{path} gives {row.size} scores, '{name}', and {labels} labels are named; name each of them once."

    def _function(self) -> dict[str, Any]:
        """What makes scores of the outputs, and whether the network has done it already."""
        found = last_function(self._file.model.graph, self._output)
        if found is None and all(_are_shares(row) for answer in self._answers for row in self._scores(answer)):
            found = "softmax"
        said = self._hints.activation
        if said in ("softmax", "sigmoid"):
            if found is not None:
                raise ExportError(f"{self._file.path} ends in a {found} already; leave --activation {said} out.")
            return {"function": said, "in_network": False}
        one_holds = found or ("softmax" if len(self._labels) > 1 else "sigmoid")
        return {"function": one_holds, "in_network": found is not None or said == "none"}


def _is_row(array: NDArray[np.generic]) -> bool:
    """Whether an output for one image is a number for each label."""
    return array.dtype == np.float32 and array.ndim >= 2 and array.shape[0] == 1 and array.size == array.shape[1]


def _are_shares(scores: NDArray[np.float32]) -> bool:
    """Whether several scores are what a softmax gives."""
    return len(scores) > 1 and bool((scores >= 0).all()) and abs(float(scores.sum()) - 1) < ROUNDING


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers: NDArray[np.float64] = np.exp(logits - logits.max())
    scores: NDArray[np.float64] = powers / powers.sum()
    return scores


def _sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    scores: NDArray[np.float64] = 0.5 * (1 + np.tanh(logits / 2))
    return scores


_SCORES = {"softmax": _softmax, "sigmoid": _sigmoid}
