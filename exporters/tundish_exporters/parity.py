"""Whether the exported model answers as its source does: at each stage, on the calibration data.

The typed results decide. Where they part, the first stage whose figures differ is named: pre-processing, network or
post-processing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tundish.engines import Arrays, Engine
from tundish.errors import TundishError
from tundish.manifest import (
    DetectionPostprocess,
    MaskQueriesPostprocess,
    ModelSpec,
    PrototypeMasksPostprocess,
    TextRegionPostprocess,
)
from tundish.pipeline import Answer, Pipeline, run_batch
from tundish.results import Result
from tundish.tasks import Task
from tundish.tasks.registry import load_task
from tundish_exporters.equality import compare_results
from tundish_exporters.errors import ParityError
from tundish_exporters.export_data import NamedItem
from tundish_exporters.progress import Progress, tracked
from tundish_exporters.sources import Source

INPUT_TOLERANCE = 0.03
"""Inputs that differ by more of their largest magnitude are refused whatever the answers; Pillow's versions do not."""
STAGE_TOLERANCE = 1e-3
"""A stage whose largest absolute and relative errors are both above this is said to differ."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The largest differences of a stage's tensors over all samples."""

    absolute: float
    relative: float
    """To the largest magnitude of the tensor, so that values near zero do not count for much."""

    @property
    def is_significant(self) -> bool:
        """Whether rounding cannot explain it."""
        return min(self.absolute, self.relative) > STAGE_TOLERANCE


@dataclass(frozen=True, slots=True)
class Parity:
    """How close the exported model is to its source."""

    samples: int
    preprocessing: Difference
    network: Difference
    scores: float
    """The largest difference of a score, or of a vector's element."""


def parity_task(spec: ModelSpec, directory: Path) -> Task[Any, Any]:
    """The task whose answers are compared: with all that is found, whatever its score; often none is above a threshold.

    Nor is a segment left out for what others take of it: a count of pixels next to such a bound hangs on rounding.

    Raises:
        BundleError: the model does not fit its task.
    """
    postprocess = spec.postprocess
    if isinstance(postprocess, DetectionPostprocess):
        spec = spec.model_copy(update={"postprocess": postprocess.model_copy(update={"threshold": 0.0})})
    if isinstance(postprocess, TextRegionPostprocess):
        spec = spec.model_copy(update={"postprocess": postprocess.model_copy(update={"box_threshold": 0.0})})
    if isinstance(postprocess, MaskQueriesPostprocess):
        without = postprocess.model_copy(update={"threshold": 0.0, "overlap_threshold": 0.0})
        spec = spec.model_copy(update={"postprocess": without})
    if isinstance(postprocess, PrototypeMasksPostprocess):
        objects = postprocess.objects.model_copy(update={"threshold": 0.0})
        spec = spec.model_copy(update={"postprocess": postprocess.model_copy(update={"objects": objects})})
    return load_task(spec, directory)


def check_parity(
    source: Source, task: Task[object, Result], engine: Engine, samples: Sequence[NamedItem], progress: Progress
) -> tuple[Parity, list[Result]]:
    """Compares source and export on each sample; returns how close they are, and what the source answered.

    Raises:
        ParityError: a typed result differs (another order of labels, other entities, a score off by more than 1e-3, a
            vector whose cosine is below 0.9999, a box or region off by more than a pixel, another text, a mask of which
            less than 0.99 is common), the network's inputs differ by more than rounding, or the source itself fails.
    """
    pipeline = Pipeline(task, engine)
    preprocessing = network = Difference(0.0, 0.0)
    largest = 0.0
    answers = []
    for name, data in tracked(samples, "compare with the source", progress):
        (answer,) = run_batch(pipeline, [data])  # first, because it says in a sentence what is wrong with the data
        if not isinstance(answer, Answer):
            raise ParityError(f"Calibration {name} fails: {answer}") from answer
        actual_inputs = task.collate([task.prepare(data)])
        try:
            expected_inputs, expected = source.processed(data), source.predict(data)
            expected_outputs = source.network(actual_inputs)
        except TundishError:
            raise
        except Exception as error:  # whatever the source's own code raises
            raise ParityError(f"The source itself fails on calibration {name}: {error}") from error
        answers.append(expected)
        preprocessing = _larger(preprocessing, _difference(expected_inputs, actual_inputs))
        network = _larger(network, _difference(expected_outputs, engine.run(actual_inputs)))
        distance, fault = compare_results(expected, answer.output)
        largest = max(largest, distance)
        if not fault and preprocessing.relative > INPUT_TOLERANCE:
            fault = "the network's inputs do, although its answers are equal on these data"
        if fault:
            raise ParityError(
                f"The exported model differs from its source on calibration {name}: {fault}. "
                f"They part at {_stage(preprocessing, network)} (pre-processing differs by "
                f"{preprocessing.absolute:.2g}, the network by {network.absolute:.2g})."
            )
    return Parity(len(samples), preprocessing, network, largest), answers


def difference_from_source(
    task: Task[object, Result], engine: Engine, samples: Sequence[NamedItem], answers: Sequence[Result]
) -> str:
    """In a sentence, where an engine answers otherwise than the source did; empty if it does not."""
    pipeline = Pipeline(task, engine)
    for (name, data), expected in zip(samples, answers, strict=True):
        (answer,) = run_batch(pipeline, [data])
        fault = compare_results(expected, answer.output)[1] if isinstance(answer, Answer) else str(answer)
        if fault:
            return f"It differs from its source on calibration {name}: {fault}."
    return ""


def _difference(expected: Arrays, actual: Arrays) -> Difference:
    worst = Difference(0.0, 0.0)
    for name, array in actual.items():
        other = expected.get(name)
        if other is None or other.shape != array.shape:
            return Difference(np.inf, np.inf)
        wide, other_wide = array.astype(np.float64), other.astype(np.float64)
        absolute = float(np.abs(wide - other_wide).max(initial=0.0))
        scale = float(np.abs(other_wide).max(initial=0.0)) or 1.0
        worst = _larger(worst, Difference(absolute, absolute / scale))
    return worst


def _larger(first: Difference, second: Difference) -> Difference:
    return Difference(max(first.absolute, second.absolute), max(first.relative, second.relative))


def _stage(preprocessing: Difference, network: Difference) -> str:
    if preprocessing.is_significant:
        return "pre-processing"
    return "the network" if network.is_significant else "post-processing"
