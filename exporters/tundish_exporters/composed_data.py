"""Which samples an export of a composed model uses for what, and what its components are asked about for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tundish.manifest import InputName
from tundish.tasks import Item
from tundish_exporters.composed_sources import ComposedSource, Parts
from tundish_exporters.data import Sample, load_samples
from tundish_exporters.export_data import CALIBRATION_SAMPLES, PARITY_SAMPLES, ExportData, GateData, NamedItem
from tundish_exporters.export_options import ExportOptions
from tundish_exporters.probes import probe_inputs


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
    warnings: tuple[str, ...] = ()
    """What the owner of the data should know of them."""

    def of_component(self, source: ComposedSource, name: str) -> ExportData:
        """What the component is exported with: what it is asked about for these samples, else made-up inputs."""
        component = source.components[name]
        inputs = source.items_of(name, self.calibration)[:CALIBRATION_SAMPLES]
        if not inputs:
            return ExportData(probe_inputs(component.preprocess.reads, component.postprocess), None)
        judged = source.items_of(name, self.evaluation)
        samples = [Sample(item if isinstance(item, tuple) else (item,), None) for item in judged]
        return ExportData(inputs, GateData(samples) if samples else None)


def load_composed_data(source: ComposedSource, options: ExportOptions) -> ComposedData:
    """Reads both; either may be missing, and a folder of images has but images.

    Raises:
        DataError: a file cannot be read, or has not the columns that it needs.
    """
    calibration_path = options.calibration or options.evaluation
    if calibration_path is None:
        postprocess = next(iter(source.components.values())).postprocess
        probes: list[Parts] = [{"image": image} for image in probe_inputs(("image",), postprocess)]
        return ComposedData(probes, [], _named(source, probes), [])
    calibration = _load(source, calibration_path)
    judged = calibration if options.evaluation is None else _load(source, options.evaluation)
    whole = [source.completed(parts) for parts in judged.samples if set(parts) == set(source.reads)]
    parity = _named(source, calibration.samples[:PARITY_SAMPLES])
    warnings = tuple(dict.fromkeys((*calibration.warnings, *judged.warnings)))
    return ComposedData(calibration.samples, judged.samples, parity, whole, warnings)


class _Loaded(NamedTuple):
    samples: list[Parts]
    warnings: tuple[str, ...]


def _load(source: ComposedSource, path: Path) -> _Loaded:
    reads: Sequence[InputName] = ("image",) if path.is_dir() else source.reads
    loaded = load_samples(path, reads)
    return _Loaded([dict(zip(reads, sample.parts(), strict=True)) for sample in loaded.samples], loaded.warnings)


def _named(source: ComposedSource, samples: Sequence[Parts]) -> list[NamedItem]:
    return [NamedItem(f"sample {index}", source.completed(parts)) for index, parts in enumerate(samples)]
