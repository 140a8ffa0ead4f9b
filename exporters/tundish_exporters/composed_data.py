"""Which samples an export of a composed model uses for what, and what its components are asked about for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tundish.manifest import InputName
from tundish.tasks import Item
from tundish_exporters.composed_sources import Asked, ComposedSource, Parts
from tundish_exporters.data import LoadedData, Sample, known_truths, load_samples, truth_form, warnings_of
from tundish_exporters.errors import DataError
from tundish_exporters.export_data import (
    CALIBRATION_SAMPLES,
    PARITY_SAMPLES,
    ExportData,
    GateData,
    NamedItem,
    check_columns,
    check_slices,
)
from tundish_exporters.export_options import ExportOptions
from tundish_exporters.metrics import Metric, choose_metric
from tundish_exporters.probes import probe_inputs
from tundish_exporters.progress import Progress, silent
from tundish_exporters.truths import Truth


@dataclass(frozen=True, slots=True)
class ComposedData:
    """The data of an export; parts of samples that were not given are made up where a whole item is needed."""

    calibration: Sequence[Parts]
    evaluation: Sequence[Parts]
    """What the gates measure on; none if no data was given."""
    parity: Sequence[NamedItem]
    """Items to compare with the source on."""
    gate: Sequence[Item]
    """What the gate of the whole measures on; none unless every part was given."""
    truths: list[Truth] | None = None
    """What is right of each of these; None if nobody knows."""
    metric: Metric | None = None
    """Holds answers against that."""
    slices: Sequence[str] | None = None
    """Of each sample to evaluate on; None if they are not told apart."""
    groups: Sequence[str] | None = None
    """Of each sample to evaluate on; None if each stands for itself."""
    warnings: tuple[str, ...] = ()
    """What the owner of the data should know of them."""

    def of_component(self, source: ComposedSource, name: str) -> ExportData:
        """What the component is exported with: what it is asked about for these samples, else made-up inputs.

        What it is asked for a sample is of that sample's slice and group; what several may ask alike, of none.
        """
        component = source.components[name]
        inputs = [asked.item for asked in source.asked_of(name, self.calibration)[:CALIBRATION_SAMPLES]]
        if not inputs:
            return ExportData(probe_inputs(component.preprocess.reads, component.postprocess), None)
        judged = source.asked_of(name, self.evaluation)
        samples = [
            Sample(
                asked.item if isinstance(asked.item, tuple) else (asked.item,),
                name=f"sample {index}",
                slice=_of_sample(self.slices, asked),
                group=_of_sample(self.groups, asked),
            )
            for index, asked in enumerate(judged)
        ]
        return ExportData(inputs, GateData(samples) if samples else None, warnings=self._left_aside(judged))

    def _left_aside(self, judged: Sequence[Asked]) -> tuple[str, ...]:
        if (self.slices is None and self.groups is None) or all(asked.sample is not None for asked in judged):
            return ()
        return ("Several samples may ask it the same, which is judged once: it has no slices and no groups.",)


def _of_sample(values: Sequence[str] | None, asked: Asked) -> str | None:
    return None if values is None or asked.sample is None else values[asked.sample]


def load_composed_data(source: ComposedSource, options: ExportOptions, progress: Progress = silent) -> ComposedData:
    """Reads both; either may be missing, and a folder of images has but images.

    Raises:
        DataError: a file cannot be read, or has not the columns that it needs, or too many values to be sliced by; or
            there is nothing that the metric could hold answers against.
        ExportError: there is no such metric.
    """
    metric = choose_metric(options.metric, source.task, source.postprocess)
    calibration_path = options.calibration or options.evaluation
    check_columns(options.slice_column or options.group_column, calibration_path)
    if calibration_path is None:
        postprocess = next(iter(source.components.values())).postprocess
        probes: list[Parts] = [{"image": image} for image in probe_inputs(("image",), postprocess)]
        return ComposedData(probes, [], _named(source, probes), [])
    judged = _load_judged(source, options, options.evaluation or calibration_path, progress)
    calibrated = judged
    if options.calibration is not None and options.evaluation is not None:
        calibrated = load_samples(options.calibration, _reads(source, options.calibration), progress=progress)
    calibration, evaluation = _parts(source, calibrated), _parts(source, judged)
    whole = [source.completed(parts) for parts in evaluation if set(parts) == set(source.reads)]
    truths = known_truths(source.task, source.postprocess, judged.samples, judged.path) if whole and metric else None
    if truths is None and options.metric is not None:
        raise DataError(f"{judged.path} does not say what is right, which a metric of your choice needs to know.")
    return ComposedData(
        calibration,
        evaluation,
        _named(source, calibration[:PARITY_SAMPLES]),
        whole,
        truths,
        None if truths is None else metric,
        GateData(judged.samples).slices,
        GateData(judged.samples).groups,
        warnings_of(calibrated if options.calibration else None, judged if options.evaluation else None),
    )


def _load_judged(source: ComposedSource, options: ExportOptions, path: Path, progress: Progress) -> LoadedData:
    judged = load_samples(
        path,
        _reads(source, path),
        truth=None if options.evaluation is None else truth_form(source.task, source.postprocess),
        slice_column=options.slice_column,
        group_column=options.group_column,
        progress=progress,
    )
    check_slices(judged, options.slice_column)
    return judged


def _parts(source: ComposedSource, loaded: LoadedData) -> list[Parts]:
    reads = _reads(source, loaded.path)
    return [dict(zip(reads, sample.parts(), strict=True)) for sample in loaded.samples]


def _reads(source: ComposedSource, path: Path) -> Sequence[InputName]:
    return ("image",) if path.is_dir() else source.reads


def _named(source: ComposedSource, samples: Sequence[Parts]) -> list[NamedItem]:
    return [NamedItem(f"sample {index}", source.completed(parts)) for index, parts in enumerate(samples)]
