"""Runs candidates through the whole pipeline on the gate's data, and lets the gate judge what they answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
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
from tundish_exporters.errors import DataError, ExportError
from tundish_exporters.export_data import GateData, NamedItem
from tundish_exporters.export_options import ExportOptions
from tundish_exporters.gauge import CONFIDENCE, Gauge
from tundish_exporters.jpeg_reduction import reduced_preprocesses
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
    """The accuracy on the samples of each label; none if what is right is no label, or nobody knows it."""
    results: Sequence[Result] = ()
    """The candidate's answers to the gate's samples, in their order; none if there are no data."""


class Judge:
    """Holds candidates against the source where they have its precision, and against the float one."""

    def __init__(
        self,
        spec: ModelSpec,
        directory: Path,
        floating: Candidate,
        gate_data: GateData | None,
        options: ExportOptions,
        progress: Progress,
        *,
        parity_inputs: Sequence[NamedItem],
        source_answers: Sequence[Result],
    ) -> None:
        """`directory` holds the assets that the spec names; the source answered the parity inputs.

        The float candidate is known to equal its source. Without data for the gate, nothing but fp32 can be judged.

        Raises:
            DataError: a sample cannot be answered, or what is said to be right of it cannot be.
            TooFewError: the float candidate's figure on them is no number.
        """
        self._spec, self._directory = spec, directory
        self._floating = floating
        self.data = gate_data
        """What candidates are judged by."""
        self._options = options
        self._progress = progress
        self._parity_inputs, self._source_answers = parity_inputs, source_answers
        if gate_data is not None:
            self._float_results = self._answers(floating, gate_data)
            self._gauge = _gauge(spec, self._float_results, gate_data, options)
            self._float_judgement = self._judged(self._float_results, gate_data, None)

    @property
    def float_results(self) -> Sequence[Result]:
        """What the float candidate answers to the gate's samples, in their order; none if there are no data."""
        return self._float_results if self.data is not None else ()

    def check_measurable(self) -> None:
        """Raises TooFewError if the float candidate finds nothing in any sample."""
        gate.check_measurable(self._float_results)

    def judge(self, candidate: Candidate) -> Judgement:
        """Measures the candidate and, if it passes, also with less of JPEGs decoded; that is taken if it passes too.

        One in fp32 must equal its source, which reduction would end; without data, that is all that is asked of it.

        Raises:
            DataError: a sample cannot be read.
            TooFewError: see `check_measurable`.
            ExportError: the candidate fails on a sample that the float one answers.
            EngineError: it cannot be loaded.
        """
        data = self.data
        if candidate == self._floating:
            judgement = Judgement(None, self._equal) if data is None else self._float_judgement
            return replace(judgement, gate=self._equal)
        if candidate.precision == "fp32":
            return self._judge_float(candidate)
        assert data is not None  # nothing but fp32 is made without
        self.check_measurable()
        confidence = self._options.confidence
        judgement = self._judged(self._answers(candidate, data), data, confidence)
        for reduced in self._reduced_preprocesses if judgement.gate.passed else ():
            results = self._answers(candidate, data, reduced)
            with_reduction = replace(self._judged(results, data, confidence), preprocess=reduced)
            if with_reduction.gate.passed:
                return with_reduction
        return judgement

    def measure(self, candidate: Candidate) -> Accuracy:
        """How accurate the candidate is, as it is; raises what `judge` does."""
        assert self.data is not None  # nothing but fp32 is made without
        self.check_measurable()
        accuracy = self._judged(self._answers(candidate, self.data), self.data, None).accuracy
        assert accuracy is not None
        return accuracy

    def verdict(self, accuracy: Accuracy) -> Gate:
        """Whether the drop that was measured is within the bound, however sure that is."""
        return gate.judge(accuracy, self._options.max_drop, self._options.max_slice_drop)

    def _judge_float(self, candidate: Candidate) -> Judgement:
        task = parity_task(self._spec, self._directory)
        engine = candidate.load(threads=usable_cores())
        fault = difference_from_source(task, engine, self._parity_inputs, self._source_answers)
        data = self.data
        judgement = Judgement(None, self._equal)
        if data is not None:  # no interval must be within the bound: that it equals the source says more
            judgement = self._judged(self._answers(candidate, data), data, None)
        if fault:
            return replace(judgement, gate=Gate(passed=False, max_drop=self._options.max_drop, reason=fault))
        return judgement

    @cached_property
    def _reduced_preprocesses(self) -> list[ImagePreprocess]:
        """Which read all samples once, whatever is judged; see `reduced_preprocesses`."""
        assert self.data is not None
        return reduced_preprocesses(self._spec, self.data.samples)

    @property
    def _equal(self) -> Gate:
        reason = f"Equal to its source on {len(self._source_answers)} samples."
        return Gate(passed=True, max_drop=self._options.max_drop, reason=reason)

    def _judged(self, results: list[Result], data: GateData, confidence: float | None) -> Judgement:
        options = self._options
        try:
            comparison = self._gauge.compare(results)
            accuracy = comparison.accuracy(() if data.slices is None else measure_slices(comparison, data.slices))
            labels = () if data.labels is None else measure_slices(comparison, data.labels, seconds=0.0)
        except DataError as error:
            if results is self._float_results:
                raise
            raise ExportError(f"Its answers cannot be measured as the float model's can: {error}") from error
        if not math.isfinite(accuracy.value):  # the float model's is a number, see `Gauge`
            raise ExportError(f"Its {accuracy.metric} on the gate's samples is {accuracy.value}, which is no number.")
        verdict = gate.judge(accuracy, options.max_drop, options.max_slice_drop, confidence=confidence)
        return Judgement(accuracy, verdict, labels=labels, results=results)

    def _answers(self, candidate: Candidate, data: GateData, preprocess: ImagePreprocess | None = None) -> list[Result]:
        """Of all samples, in their order; each alone, since dynamic ranges depend on what else is in a batch.

        What ends it early, as Ctrl-C does, ends it after the samples that are under way.
        """
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
            if isinstance(outcome, Answer):
                return outcome.output
            if candidate == self._floating:
                raise DataError(f"{sample} cannot be evaluated: {outcome}") from outcome
            raise ExportError(f"It fails on {sample}, which the float model answers: {outcome}") from outcome

        label = f"evaluate {candidate.name.removesuffix('-cpu')}{' reduced' if preprocess else ''}"
        with ThreadPoolExecutor(lanes) as pool:
            answers = pool.map(answer, data.samples)
            try:
                return [next(answers) for _ in tracked(data.samples, label, self._progress)]
            finally:
                pool.shutdown(cancel_futures=True)


def _gauge(spec: ModelSpec, float_results: Sequence[Result], data: GateData, options: ExportOptions) -> Gauge:
    postprocess = spec.postprocess
    return Gauge(
        float_results,
        data.truths,
        data.metric,
        function=postprocess.function if isinstance(postprocess, ClassificationPostprocess) else "softmax",
        confidence=options.confidence or CONFIDENCE,
        groups=data.groups,
    )
