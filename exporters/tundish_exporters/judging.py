"""Runs candidates through the whole pipeline on the gate's data, and lets the gate judge what they answer."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue

from tundish.manifest import Accuracy, ClassificationPostprocess, Gate, ImagePreprocess, ModelSpec, SliceAccuracy
from tundish.pipeline import Answer, Pipeline, run_batch
from tundish.placement.machine import usable_cores
from tundish.results import Result
from tundish.tasks.registry import load_task
from tundish_exporters import gate
from tundish_exporters.candidates import Candidate
from tundish_exporters.data import Sample
from tundish_exporters.errors import DataError
from tundish_exporters.export_data import ExportData, GateData
from tundish_exporters.export_options import ExportOptions
from tundish_exporters.jpeg_reduction import reduced_preprocess
from tundish_exporters.parity import difference_from_source, parity_task
from tundish_exporters.progress import Progress, tracked
from tundish_exporters.slices import measure_slices

_MOST_LANES = 8
"""Samples that are evaluated at a time, each by a pipeline of one thread: two of them do on two cores in a half what
one of two threads does in the whole. More would cost memory where there are many cores."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was measured of a candidate, and whether it may be served."""

    accuracy: Accuracy | None
    """None if there are no data to measure it on."""
    gate: Gate
    preprocess: ImagePreprocess | None = None
    """What it was measured with, where that is not the model's own."""
    labels: tuple[SliceAccuracy, ...] = ()
    """The accuracy on the samples of each label; none if nobody knows the labels."""
    results: Sequence[Result] = ()
    """The candidate's answers to the gate's samples, in their order; none if there are no data."""


class Judge:
    """Holds candidates against the source where they have its precision, and against the float one."""

    def __init__(
        self,
        spec: ModelSpec,
        directory: Path,
        data: ExportData,
        source_answers: Sequence[Result],
        floating: Candidate,
        options: ExportOptions,
        progress: Progress,
    ) -> None:
        """`directory` holds the assets that the spec names; the source answered the data's parity inputs.

        The float candidate is known to equal its source.
        """
        self._spec, self._directory = spec, directory
        self._data = data
        self._source_answers = source_answers
        self._options = options
        self._progress = progress
        postprocess = spec.postprocess
        self._function = postprocess.function if isinstance(postprocess, ClassificationPostprocess) else "softmax"
        self._floating = floating
        self._float_results = self._answers(floating) if data.gate else []

    @property
    def float_results(self) -> Sequence[Result]:
        """What the float candidate answers to the gate's samples, in their order; none if there are no data."""
        return self._float_results

    def judge(self, candidate: Candidate) -> Judgement:
        """Measures the candidate and, if it passes, also with JPEGs reduced; that is taken if it passes as well.

        One in fp32 must equal its source, which reduction would end; without data, that is all that is asked of it.

        Raises:
            DataError: a sample cannot be answered, or the float candidate finds nothing in any.
        """
        if candidate == self._floating:
            judgement = self._judged(self._float_results) if self._data.gate else Judgement(None, self._equal)
            return replace(judgement, gate=self._equal)
        if candidate.precision == "fp32":
            return self._judge_float(candidate)
        gate.check_measurable(self._float_results)
        judgement = self._judged(self._answers(candidate))
        reduced = reduced_preprocess(self._spec, self._gate_data.samples) if judgement.gate.passed else None
        if reduced is None:
            return judgement
        with_reduction = self._judged(self._answers(candidate, reduced), reduced)
        return with_reduction if with_reduction.gate.passed else judgement

    def _judge_float(self, candidate: Candidate) -> Judgement:
        task = parity_task(self._spec, self._directory)
        engine = candidate.load(threads=usable_cores())
        fault = difference_from_source(task, engine, self._data.parity_inputs, self._source_answers)
        judgement = self._judged(self._answers(candidate)) if self._data.gate else Judgement(None, self._equal)
        if fault:
            return replace(judgement, gate=Gate(passed=False, max_drop=self._options.max_drop, reason=fault))
        return judgement

    @property
    def _equal(self) -> Gate:
        reason = f"Equal to its source on {len(self._source_answers)} samples."
        return Gate(passed=True, max_drop=self._options.max_drop, reason=reason)

    @property
    def _gate_data(self) -> GateData:
        assert self._data.gate is not None  # nothing but fp32 is made without
        return self._data.gate

    def _judged(self, results: list[Result], preprocess: ImagePreprocess | None = None) -> Judgement:
        labels, slices = self._gate_data.labels, self._gate_data.slices
        accuracy = gate.measure(results, self._float_results, labels, function=self._function)
        if slices is not None:
            accuracy = accuracy.model_copy(update={"slices": self._told_apart(results, slices)})
        return Judgement(
            accuracy,
            gate.judge(accuracy, self._options.max_drop, self._options.max_slice_drop),
            preprocess,
            self._told_apart(results, labels) if labels is not None else (),
            results,
        )

    def _told_apart(self, results: list[Result], groups: Sequence[str]) -> tuple[SliceAccuracy, ...]:
        return measure_slices(results, self._float_results, self._gate_data.labels, groups, function=self._function)

    def _answers(self, candidate: Candidate, preprocess: ImagePreprocess | None = None) -> list[Result]:
        """Of all samples, in their order; each alone, since dynamic ranges depend on what else is in a batch."""
        spec = self._spec if preprocess is None else self._spec.model_copy(update={"preprocess": preprocess})
        task = load_task(spec, self._directory)
        idle: SimpleQueue[Pipeline] = SimpleQueue()
        lanes = min(usable_cores(), _MOST_LANES)
        engine = candidate.load(threads=1)
        for lane in range(lanes):
            idle.put(Pipeline(task, engine if lane == 0 else engine.another()))

        def answer(sample: Sample) -> Result:
            pipeline = idle.get()
            try:
                (outcome,) = run_batch(pipeline, [sample.read()])
            finally:
                idle.put(pipeline)
            if not isinstance(outcome, Answer):
                raise DataError(f"{sample} cannot be evaluated: {outcome}") from outcome
            return outcome.output

        samples = self._gate_data.samples
        label = f"evaluate {candidate.name.removesuffix('-cpu')}{' reduced' if preprocess else ''}"
        with ThreadPoolExecutor(lanes) as pool:
            answers = pool.map(answer, samples)
            return [next(answers) for _ in tracked(samples, label, self._progress)]
