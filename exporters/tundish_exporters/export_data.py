"""Which samples an export uses for what: parity, calibration, the gate."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from tundish.engines import Arrays
from tundish.manifest import (
    ImagePreprocess,
    ImageTextPreprocess,
    Preprocess,
    TensorSpec,
    TextPreprocess,
)
from tundish.tasks import Item
from tundish_exporters.data import (
    LoadedData,
    Sample,
    check_network_inputs,
    has_network_inputs,
    known_truths,
    load_network_inputs,
    load_samples,
    truth_form,
    warnings_of,
)
from tundish_exporters.errors import DataError, TooFewError
from tundish_exporters.export_options import MetricFunction
from tundish_exporters.metrics import TEXT_MATCH, Metric, choose_metric
from tundish_exporters.probes import probe_inputs
from tundish_exporters.progress import Progress, silent
from tundish_exporters.sources import Source
from tundish_exporters.truths import Truth

PARITY_SAMPLES = 32
"""Each is run through PyTorch, which is slow; a difference of pre-processing or network shows on few."""
MAX_SLICES = 100
CALIBRATION_SAMPLES = 64
"""More widen the activations' ranges by less than they cost."""
_OTHER_SIZES = 3
_HALVING_SEED = 7
"""Of which half a sample is in."""


@dataclass(frozen=True, slots=True)
class GateData:
    """Samples on which variants are measured against the float one."""

    samples: list[Sample]
    truths: list[Truth] | None = None
    """What is right of each; None if nobody knows, or the task has nothing that could be."""
    metric: Metric | None = None
    """Holds answers against that."""

    @property
    def slices(self) -> list[str] | None:
        """The slice of each; None if they are not told apart."""
        slices = [sample.slice for sample in self.samples if sample.slice is not None]
        return slices or None

    @property
    def groups(self) -> list[str] | None:
        """The group of each; None if each stands for itself."""
        groups = [sample.group for sample in self.samples if sample.group is not None]
        return groups or None

    @property
    def labels(self) -> list[str] | None:
        """The right label of each; None if what is right is no label."""
        labels = [truth for truth in self.truths or () if isinstance(truth, str)]
        return labels if labels and self.metric is not TEXT_MATCH else None

    def halves(self) -> tuple[GateData, GateData]:
        """Two of them, so that what was chosen by the one can be judged by the other; the same two every time.

        Each has nearly a half of the samples of each label, as far as groups allow that, of which no two halves share
        one. Raises TooFewError if there are less than two samples, or groups.
        """
        count = len(self.samples)
        if count < 2:
            raise TooFewError("One sample cannot both choose a variant and judge it; pass more with --evaluation.")
        order = list(range(count))
        random.Random(_HALVING_SEED).shuffle(order)
        if self.groups is not None:
            halves = _halved_by_group(order, self.groups, self.labels)
        elif self.labels is not None:
            by_label = sorted(order, key=self.labels.__getitem__)
            halves = by_label[::2], by_label[1::2]
        else:
            halves = order[::2], order[1::2]
        first, second = (self._of(sorted(half)) for half in halves)
        return first, second

    def _of(self, indices: Sequence[int]) -> GateData:
        return replace(
            self,
            samples=[self.samples[index] for index in indices],
            truths=None if self.truths is None else [self.truths[index] for index in indices],
        )


def _halved_by_group(
    order: Sequence[int], groups: Sequence[str], labels: Sequence[str] | None
) -> tuple[list[int], list[int]]:
    """Each group to the half that lacks its labels, and samples, more: the largest groups first, else in this order."""
    members: dict[str, list[int]] = {}
    for index in order:
        members.setdefault(groups[index], []).append(index)
    if len(members) < 2:
        raise TooFewError(
            f"All {len(order)} samples belong to the group '{groups[0]}', which cannot both choose a variant and judge "
            "it; pass samples of more groups with --evaluation."
        )
    halves: tuple[list[int], list[int]] = ([], [])
    ahead: Counter[str | None] = Counter()
    """How many more samples of each label, and of all, the first half has."""
    for group in sorted(members.values(), key=len, reverse=True):
        counts: Counter[str | None] = Counter({None: len(group)})
        if labels is not None:
            counts.update(labels[index] for index in group)
        to_second = sum(abs(ahead[each] + count) - abs(ahead[each] - count) for each, count in counts.items()) > 0
        halves[to_second].extend(group)
        for each, count in counts.items():
            ahead[each] += -count if to_second else count
    return halves


class NamedItem(NamedTuple):
    """An item, and what a sentence about it calls it."""

    name: str
    item: Item


@dataclass(frozen=True, slots=True)
class ExportData:
    """The data of an export."""

    inputs: list[Item]
    """Items to calibrate and measure latency with: of the calibration data, else the evaluation data, else probes."""
    gate: GateData | None
    """None if no data was given: then nothing but the float model can be served."""

    names: Sequence[str] = ()
    """What the inputs are, in their order; none of probes."""

    of_other_sizes: Sequence[Item] = ()
    """More items to compare on; only for a network that takes images of any size, which one camera's are not."""

    warnings: tuple[str, ...] = ()
    """What the owner of the data should know of them."""

    network_inputs: LoadedData | None = None
    """What to calibrate with instead of the inputs, if the calibration data are the network's own."""

    def calibration(self, prepared: Sequence[Arrays], inputs: Sequence[TensorSpec]) -> Sequence[Arrays]:
        """Batches of one to calibrate a network of these inputs with; `prepared` are those of the items.

        Raises:
            DataError: the calibration data are inputs of another network.
        """
        if self.network_inputs is None:
            return prepared
        batches = [sample.content[0] for sample in self.network_inputs.samples]
        check_network_inputs(self.network_inputs.path, batches[0], inputs)
        return batches

    @property
    def named_inputs(self) -> list[NamedItem]:
        """The inputs, each with what a sentence about it calls it."""
        names = [f" ({name})" for name in self.names] or [""] * len(self.inputs)
        named = enumerate(zip(names, self.inputs, strict=True))
        return [NamedItem(f"sample {index}{name}", item) for index, (name, item) in named]

    @property
    def parity_inputs(self) -> list[NamedItem]:
        """Items to compare with the source on."""
        others = [
            NamedItem(f"sample {index}", item) for index, item in enumerate(self.of_other_sizes, len(self.inputs))
        ]
        return [*self.named_inputs[:PARITY_SAMPLES], *others]


def load_export_data(
    source: Source,
    *,
    calibration: Path | None,
    evaluation: Path | None,
    slice_column: str | None,
    group_column: str | None = None,
    metric: str | MetricFunction | None = None,
    progress: Progress = silent,
) -> ExportData:
    """Reads both; either may be missing. Without evaluation data, the gate measures agreement on the calibration data.

    Raises:
        DataError: a file cannot be read, evaluation data of a classifier has no labels that it knows, or what the gate
            measures on has no such column to be sliced or grouped by, or too many values to be sliced by; or there is
            nothing to measure on, or nothing that the metric could hold answers against.
        ExportError: there is no such metric.
    """
    chosen = choose_metric(metric, source.task, source.postprocess)
    if metric is not None and evaluation is None:
        raise DataError(f"The metric '{chosen.name if chosen else metric}' needs labelled data; pass --evaluation.")
    rule = source.preprocess
    inputs_path = calibration or evaluation
    check_columns(slice_column or group_column, inputs_path)
    if inputs_path is None:
        tokens = rule.maximum_tokens if isinstance(rule, TextPreprocess) else None
        return ExportData(probe_inputs(rule.reads, source.postprocess, tokens=tokens), None)
    by_network_inputs = _are_network_inputs(calibration, evaluation, rule)
    judged = load_samples(
        evaluation or inputs_path,
        rule.reads,
        truth=None if evaluation is None else truth_form(source.task, source.postprocess),
        slice_column=slice_column,
        group_column=group_column,
        progress=progress,
    )
    check_slices(judged, slice_column)
    calibrated = judged if evaluation is None else None
    if calibration is not None and evaluation is not None:
        calibrated = (
            load_network_inputs(calibration, limit=CALIBRATION_SAMPLES)
            if by_network_inputs
            else load_samples(calibration, rule.reads, limit=CALIBRATION_SAMPLES, progress=progress)
        )
    inputs = judged if calibrated is None or by_network_inputs else calibrated
    samples = inputs.samples[:CALIBRATION_SAMPLES]
    return ExportData(
        [sample.read() for sample in samples],
        _evaluation(source, judged, chosen if evaluation else None, asked=metric is not None),
        names=[str(sample) for sample in samples],
        of_other_sizes=probe_inputs(rule.reads, source.postprocess)[:_OTHER_SIZES] if _takes_any_size(rule) else (),
        warnings=warnings_of(calibrated, judged if evaluation else None),
        network_inputs=calibrated if by_network_inputs else None,
    )


def _are_network_inputs(calibration: Path | None, evaluation: Path | None, rule: Preprocess) -> bool:
    if calibration is None or not has_network_inputs(calibration, rule.reads):
        return False
    if evaluation is None:
        raise DataError(
            f"{calibration} has no {' and '.join(rule.reads)}; a network's own inputs calibrate it, but no answer can "
            "be judged by them: pass --evaluation as well."
        )
    return True


def _takes_any_size(rule: Preprocess) -> bool:
    images = rule.image if isinstance(rule, ImageTextPreprocess) else rule
    return isinstance(images, ImagePreprocess) and not images.has_one_size


def _evaluation(source: Source, judged: LoadedData, metric: Metric | None, *, asked: bool) -> GateData:
    """With what is right, if the data say it and there is a metric that holds answers against it."""
    truths = None if metric is None else known_truths(source.task, source.postprocess, judged.samples, judged.path)
    if truths is None and asked:
        raise DataError(f"{judged.path} does not say what is right, which a metric of your choice needs to know.")
    return GateData(judged.samples) if truths is None else GateData(judged.samples, truths, metric)


def check_columns(column: str | None, path: Path | None) -> None:
    """Raises DataError if there is a column to slice or group by, and are no data that could have it."""
    if column is not None and path is None:
        raise DataError(f"There are no data with a column '{column}'; pass --evaluation or --calibration.")


def check_slices(judged: LoadedData, column: str | None) -> None:
    """Raises DataError if that column has more values than anybody reads."""
    count = len({sample.slice for sample in judged.samples})
    if count > MAX_SLICES:
        raise DataError(
            f"{judged.path} has {count} values in its column '{column}', more than the {MAX_SLICES} slices that "
            "anybody reads; put them into fewer groups."
        )
