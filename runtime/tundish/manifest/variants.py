"""The variants of a model: their files, and what was measured of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tundish.manifest.preprocess import Preprocess
from tundish.manifest.terms import EngineName, Part, PathInside, PositiveInt, Precision, Sha256


class BundleFile(Part):
    """A file of the bundle, with what it must hash to."""

    path: PathInside
    sha256: Sha256
    bytes: Annotated[int, Field(ge=0)]


class Interval(Part):
    """Where the drop lies that samples without number would show, as far as those that there were can tell."""

    low: float
    high: float
    """As the drop itself, `reference` less `value`: a drop above 0 is a loss."""
    confidence: Annotated[float, Field(gt=0, lt=1)]
    """The share of such intervals that hold the true drop."""


class SliceAccuracy(Part):
    """The same on some of the samples: those of one value of the column that the maker named, or of one label."""

    name: str
    value: float
    reference: float
    samples: PositiveInt
    groups: PositiveInt | None = None
    """Of samples that belong together, by which the interval is taken; None if each sample stands for itself."""
    interval: Interval | None = None
    """None where answers are not either right or wrong, or are all of one group, or the exporter gave none."""


class Accuracy(Part):
    """What a variant was measured to get right."""

    metric: str
    """What was measured, higher being better: 'accuracy', 'mAP' and the like by what is known to be right; by the float
    model's own answers 'agreement', or 'cosine' of vectors.

    Of objects, the agreement is the F1 score of those that have a partner of their label among the float model's; of
    entities, of those with the same label and place. Of segments with scores, it is the F1 score of those that have a
    partner of their label with an intersection over union of a half or more; of segments without, the mean over labels
    of the intersection over union of their pixels in all samples. Of regions of text, it is the F1 score of those that
    have a partner with an intersection over union of a half or more; texts are the same, or not. Of answers, the best
    one is the same, of masks, the best token of each; a score differs by little of the scores' range.
    """
    value: float
    reference: float
    """The same metric of the float variant on the same samples."""
    samples: PositiveInt
    groups: PositiveInt | None = None
    """Of samples that belong together, by which the interval is taken; None if each sample stands for itself."""
    interval: Interval | None = None
    """Of the drop; None if it is not known: the metric is no number or too slow, or the exporter gave none."""
    lost: Annotated[int, Field(ge=0)] | None = None
    """Samples that the float model has right, and the variant has not; None where answers are not right or wrong."""
    gained: Annotated[int, Field(ge=0)] | None = None
    """Samples that the variant has right, and the float model has not."""
    p_value: float | None = None
    """McNemar's, exact: how often two equally good models would differ so unevenly by chance. None where answers are
    not right or wrong, are held against the float model's, or belong together in groups."""
    agreement: float | None = None
    """With the float model's answers, if the metric is another; of vectors, how often the nearest other sample is the
    same. None if it cannot be told."""
    slices: tuple[SliceAccuracy, ...] = ()
    """By name; none if the maker named no column."""


class Latency(Part):
    """Time of one engine call with one thread on the exporter's machine, over the calibration data."""

    median_milliseconds: float
    p90_milliseconds: float
    batch_size: PositiveInt
    runs: PositiveInt


class Gate(Part):
    """Whether a variant may be served."""

    passed: bool
    max_drop: float
    """The most that `value` may lie below `reference`."""
    max_slice_drop: float | None = None
    """The same of each slice that has enough samples; None if slices are not bounded."""
    confidence: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Of the interval of the drop that must lie within the bound as a whole; None if the drop alone decides."""
    reason: str
    """One sentence with the figures."""


class Variant(Part):
    """One runnable form of the model."""

    name: str
    """Engine, precision and device, `onnx-int8-cpu`."""
    engine: EngineName
    precision: Precision
    device: Literal["cpu"]
    recipe: str
    """How it was quantised, for people."""
    files: tuple[BundleFile, ...]
    """The first is the one that the engine opens; none if the variant failed the gate."""
    accuracy: Accuracy | None
    latency: Latency
    gate: Gate
    preprocess: Preprocess | None = None
    """What it was measured with, where that is not the model's own."""

    @model_validator(mode="after")
    def _has_files_if_servable(self) -> Variant:
        if self.gate.passed and not self.files:
            raise ValueError(f"variant '{self.name}' passed the gate but has no files")
        return self
