"""The content of bundle.json: everything the runtime knows about one version of a model.

`docs/bundle.schema.json` is this package's JSON Schema (`make format` writes it).
"""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import Field, model_validator

from tundish.manifest.model_spec import ModelSpec, StateTensor, TensorSpec
from tundish.manifest.postprocess import (
    MAX_LISTED,
    Aggregation,
    AnswerPostprocess,
    BoxPostprocess,
    ClassificationPostprocess,
    DetectionPostprocess,
    DetrPostprocess,
    EntityPostprocess,
    ListedPostprocess,
    MaskPostprocess,
    MaskQueriesPostprocess,
    PoolingPostprocess,
    Postprocess,
    PrototypeMasksPostprocess,
    ScorePostprocess,
    SegmentationPostprocess,
    SemanticPostprocess,
    SigmoidDetrPostprocess,
    Subtask,
    VectorPostprocess,
)
from tundish.manifest.preprocess import (
    ImagePreprocess,
    InputName,
    Interpolation,
    LetterboxResize,
    Preprocess,
    Resize,
    ShortestEdgeResize,
    StretchResize,
    TextInput,
    TextPreprocess,
)
from tundish.manifest.terms import (
    MAX_STATEMENT,
    TENSORS,
    Datatype,
    EngineName,
    ModelName,
    Part,
    PositiveInt,
    Precision,
    Sha256,
    TaskName,
)
from tundish.manifest.variants import Accuracy, BundleFile, Gate, Latency, SliceAccuracy, Variant

__all__ = [
    "FORMAT_VERSION",
    "MAX_LISTED",
    "MAX_STATEMENT",
    "TENSORS",
    "Accuracy",
    "Aggregation",
    "AnswerPostprocess",
    "BoxPostprocess",
    "BundleFile",
    "ClassificationPostprocess",
    "Datatype",
    "DetectionPostprocess",
    "DetrPostprocess",
    "EngineName",
    "EntityPostprocess",
    "Gate",
    "ImagePreprocess",
    "InputName",
    "Interpolation",
    "Latency",
    "LetterboxResize",
    "ListedPostprocess",
    "Manifest",
    "MaskPostprocess",
    "MaskQueriesPostprocess",
    "ModelName",
    "ModelSpec",
    "PoolingPostprocess",
    "PositiveInt",
    "Postprocess",
    "Precision",
    "Preprocess",
    "PrototypeMasksPostprocess",
    "Resize",
    "ScorePostprocess",
    "SegmentationPostprocess",
    "SemanticPostprocess",
    "Serving",
    "Sha256",
    "ShortestEdgeResize",
    "SigmoidDetrPostprocess",
    "SliceAccuracy",
    "Source",
    "StateTensor",
    "StretchResize",
    "Subtask",
    "TaskName",
    "TensorSpec",
    "TextInput",
    "TextPreprocess",
    "Variant",
    "VectorPostprocess",
    "json_schema",
]

FORMAT_VERSION: Literal[1] = 1
"""The newest bundle format that this runtime reads, and the one it writes."""


class Source(Part):
    """What the exporter read."""

    kind: Literal["huggingface", "module", "onnx"]
    files: dict[str, Sha256]
    """Name of each file that was read, to its SHA-256; empty for a module that came from memory."""
    frameworks: dict[str, str]
    """Versions of the packages that read and exported it."""
    license: Annotated[str, Field(max_length=MAX_STATEMENT)] | None = None
    """Of the weights, as its maker or the source's model card names it; None if nobody has said."""
    intended_use: Annotated[str, Field(max_length=MAX_STATEMENT)] | None = None
    """What the model is for, and what it is not, in its maker's words."""


class Serving(Part):
    """What a server starts the model with, unless it has measured better on its own machine."""

    max_batch_size: PositiveInt
    """The most items that an engine runs together."""
    preferred_batch_sizes: tuple[PositiveInt, ...] = ()
    """Sizes that the engine is best at: a batch is cut to the largest of them that waits."""
    max_batch_tokens: PositiveInt | None = None
    """The most tokens that an engine runs together, padding included; None for any number."""
    max_queue_delay_microseconds: Annotated[int, Field(ge=0)] = 0
    """How long an idle instance may hold an incomplete batch back."""
    max_queue_size: PositiveInt = 256
    """Items that may wait; more are refused."""


class Manifest(ModelSpec):
    """One version of a model."""

    format_version: Literal[1] = FORMAT_VERSION
    digest: Sha256 = "0" * 64
    """SHA-256 of the manifest itself: of its canonical JSON (sorted keys, no spaces) without this field."""
    model: ModelName
    version: PositiveInt
    source: Source
    assets: tuple[BundleFile, ...]
    """Files that no variant owns: the tokenizer, the report."""
    variants: Annotated[tuple[Variant, ...], Field(min_length=1)]
    serving: Serving

    @property
    def files(self) -> tuple[BundleFile, ...]:
        """Every file of the bundle but the manifest itself, once each: variants may share theirs."""
        return tuple(dict.fromkeys((*self.assets, *(file for variant in self.variants for file in variant.files))))

    @property
    def servable(self) -> tuple[Variant, ...]:
        """The variants that passed the gate, the fastest first."""
        passed = [variant for variant in self.variants if variant.gate.passed]
        return tuple(sorted(passed, key=lambda variant: variant.latency.median_milliseconds))

    @model_validator(mode="after")
    def _is_consistent(self) -> Manifest:
        names = [variant.name for variant in self.variants]
        if len(set(names)) < len(names):
            raise ValueError(f"variants must have different names, got {names}")
        if not self.servable:
            raise ValueError("no variant passed the gate, so there is nothing to serve")
        return self


def json_schema() -> str:
    """The manifest's JSON Schema, as committed in `docs/bundle.schema.json`."""
    return json.dumps(Manifest.model_json_schema(), indent=2) + "\n"
