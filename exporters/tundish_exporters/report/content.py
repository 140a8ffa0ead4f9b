"""What a report says: the figures of an export, each part of them there or not.

`report.json` is these classes as JSON, `report.html` is their page. Shares are between 0 and 1; a drop is the share
that a variant loses to the float model, below 0 if it gains.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tundish_exporters.batch_limits import BatchTimes
from tundish_exporters.parity import Parity

Outcome = Literal["served", "passed", "failed", "slower", "not tried", "impossible"]


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """Which model it is."""

    model: str
    version: int
    task: str
    source: str
    """What was exported, and by which frameworks, in a few words."""
    license: str | None = None
    intended_use: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One way to run the model that was tried, or why it was not."""

    name: str
    engine: str
    precision: str
    recipe: str
    outcome: Outcome
    reason: str
    """One sentence: why it is served, or why it is not."""
    milliseconds: float | None = None
    """Median of one call with one item on one thread; None if it never ran."""
    speedup: float | None = None
    """Times as fast as the float model in ONNX Runtime."""
    metric: str | None = None
    value: float | None = None
    reference: float | None = None
    """The float model's value on the same samples."""
    drop: float | None = None
    interval: tuple[float, float] | None = None
    """In which the drop lies in truth, as far as so many samples can tell."""
    confidence: float = 0.95
    """Of the interval."""
    samples: int | None = None
    groups: int | None = None
    """Of samples that belong together, by which the interval is taken; None if each sample stands for itself."""
    kept_layers: tuple[str, ...] = ()
    """Nodes that were left in float so that it passes."""
    bytes: int | None = None
    """Of its files; None if they were not kept."""


@dataclass(frozen=True, slots=True)
class LayerError:
    """What quantisation does to one layer."""

    node: str
    operator: str
    error: float
    """Relative root mean square error of the layer's output when it alone is quantised."""
    kept: bool
    """It was left in float."""


@dataclass(frozen=True, slots=True)
class ActivationHistogram:
    """How the values of a tensor lie to the range that its integers can say."""

    tensor: str
    operator: str
    """Which makes it."""
    edges: tuple[float, ...]
    """Of the bins, one more than there are bins; the outermost bins hold what lies beyond them, too."""
    counts: tuple[int, ...]
    low: float
    high: float
    """The chosen range."""
    least: float
    greatest: float
    """The values' own."""
    clipped: float
    """The share of the values that lies outside the chosen range."""


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often a variant gave each label where the float model gave another, or the same."""

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    """A row for each label of the float model, a column for each of the variant."""
    left_out: int
    """Samples with labels that are not shown, because there are too many."""


@dataclass(frozen=True, slots=True)
class ShownPart:
    """A part of an input, for people; it has a picture or a text."""

    name: str
    text: str | None = None
    picture: str | None = None
    """A small JPEG as a data URI."""


@dataclass(frozen=True, slots=True)
class ChangedAnswer:
    """An input that a variant answers otherwise than the float model does."""

    sample: str
    parts: tuple[ShownPart, ...]
    """None if samples are left out of the report."""
    float_answer: str
    answer: str
    truth: str | None
    likeness: float
    """Of the answers, from 0 to 1."""
    float_is_right: bool | None = None
    """None if nobody knows, or if answers are not just right or wrong."""
    is_right: bool | None = None
    """The same of the variant's answer."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A variant's answers beside the float model's, sample by sample."""

    variant: str
    is_served: bool
    samples: int
    changed: int
    """Samples whose answers differ."""
    gradual: bool
    """Answers are vectors or masks, which always differ a little: the examples are those that differ most."""
    examples: tuple[ChangedAnswer, ...]
    confusion: Confusion | None = None
    with_samples: bool = True
    """Whether the samples themselves may be shown."""


@dataclass(frozen=True, slots=True)
class GroupAccuracy:
    """The accuracy on some of the samples: those of one label, or of one slice."""

    name: str
    value: float
    reference: float
    samples: int
    groups: int | None = None
    """Of samples that belong together; None if each stands for itself."""
    interval: tuple[float, float] | None = None
    """In which the drop lies in truth; None if that is not known, as where answers are not either right or wrong."""


@dataclass(frozen=True, slots=True)
class StageMedians:
    """Where the time of one item goes, in this process and on one thread; medians in milliseconds."""

    variant: str
    preprocess: float
    engine: float
    postprocess: float
    runs: int


@dataclass(frozen=True, slots=True)
class Environment:
    """The machine that everything was measured on."""

    machine: str
    processor: str
    cores: int
    python: str
    instructions: tuple[str, ...] = ()
    """Those that matrix products are faster with."""
    packages: Mapping[str, str] = field(default_factory=dict)
    """Versions of what computed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportContent:
    """All of one network's report."""

    about: About
    headline: str
    """One plain sentence: what is served, how much faster than the float model, and at what accuracy."""
    warnings: tuple[str, ...] = ()
    """What the export said that its maker should mind, in sentences."""
    parity: Parity
    environment: Environment
    max_drop: float | None = None
    """The bound that variants were held to; None if there was nothing to hold them against."""
    trials: tuple[Trial, ...] = ()
    comparison: Comparison | None = None
    labels: Mapping[str, tuple[GroupAccuracy, ...]] = field(default_factory=dict)
    """By variant, for each label that is right."""
    slices: Mapping[str, tuple[GroupAccuracy, ...]] = field(default_factory=dict)
    """By variant, for each value of the column that the maker named."""
    layers: tuple[LayerError, ...] = ()
    activations: tuple[ActivationHistogram, ...] = ()
    stages: tuple[StageMedians, ...] = ()
    batches: tuple[BatchTimes, ...] = ()


@dataclass(frozen=True, slots=True)
class ComposedParity:
    """How close a composed model is to its source."""

    samples: int
    scores: float
    """The largest difference of a score."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposedContent:
    """The report of a composed model; each component has one of its own."""

    about: About
    headline: str
    warnings: tuple[str, ...]
    """Those of its components, too."""
    parity: ComposedParity
    components: Mapping[str, Parity]
    served: Mapping[str, str]
    """The variant by which each component is served, which the gate of the whole may have forbidden to be faster."""
    verdict: str
    """What the gate says of all of them together, in a sentence."""
    slices: Mapping[str, tuple[GroupAccuracy, ...]]
    """Of the fastest variants together, for each value of the column that the maker named."""
    environment: Environment
