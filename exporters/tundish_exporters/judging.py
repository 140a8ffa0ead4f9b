"""Runs candidates through the whole pipeline on the gate's data, and lets the gate judge what they answer."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tundish.manifest import Accuracy, ClassificationPostprocess, Gate, ImagePreprocess, ModelSpec
from tundish.pipeline import Answer, Pipeline, run_batch
from tundish.results import Result
from tundish.tasks import Task
from tundish.tasks.registry import load_task
from tundish_exporters import gate
from tundish_exporters.candidates import Candidate
from tundish_exporters.errors import DataError
from tundish_exporters.export_data import GateData
from tundish_exporters.jpeg_reduction import reduced_preprocess
from tundish_exporters.progress import Progress, tracked


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was measured of a candidate, and whether it may be served."""

    accuracy: Accuracy
    gate: Gate
    preprocess: ImagePreprocess | None = None
    """What it was measured with, where that is not the model's own."""


class Judge:
    """Holds candidates against the float one."""

    def __init__(
        self, spec: ModelSpec, directory: Path, data: GateData, floating: Candidate, max_drop: float, progress: Progress
    ) -> None:
        """`directory` holds the assets that the spec names."""
        self._spec, self._directory = spec, directory
        self._data = data
        self._max_drop = max_drop
        self._progress = progress
        postprocess = spec.postprocess
        self._function = postprocess.function if isinstance(postprocess, ClassificationPostprocess) else "softmax"
        self._float_results = self._answers(floating, load_task(spec, directory), "fp32")
        self.float_accuracy = self._accuracy(self._float_results)

    def judge(self, candidate: Candidate) -> Judgement:
        """Measures the candidate and, if it passes, also with JPEGs reduced; that is taken if it passes as well."""
        label = str(candidate.precision)
        judgement = self._judged(self._answers(candidate, load_task(self._spec, self._directory), label), None)
        reduced = reduced_preprocess(self._spec, self._data.samples) if judgement.gate.passed else None
        if reduced is None:
            return judgement
        task = load_task(self._spec.model_copy(update={"preprocess": reduced}), self._directory)
        with_reduction = self._judged(self._answers(candidate, task, f"{label} reduced"), reduced)
        return with_reduction if with_reduction.gate.passed else judgement

    def _judged(self, results: list[Result], preprocess: ImagePreprocess | None) -> Judgement:
        accuracy = self._accuracy(results)
        return Judgement(accuracy, gate.judge(accuracy, self._max_drop), preprocess)

    def _accuracy(self, results: list[Result]) -> Accuracy:
        return gate.measure(results, self._float_results, self._data.labels, function=self._function)

    def _answers(self, candidate: Candidate, task: Task[Any, Result], label: str) -> list[Result]:
        """One item at a time: dynamic ranges depend on what else is in a batch."""
        pipeline = Pipeline(task, candidate.engine(threads=len(os.sched_getaffinity(0))))
        results = []
        for sample in tracked(self._data.samples, f"evaluate {label}", self._progress):
            (outcome,) = run_batch(pipeline, [sample.read()])
            if not isinstance(outcome, Answer):
                raise DataError(f"{sample.content} cannot be evaluated: {outcome}") from outcome
            results.append(outcome.output)
        return results
