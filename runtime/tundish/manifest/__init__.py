"""The content of bundle.json: everything the runtime knows about one version of a model.

`docs/bundle.schema.json` is this package's JSON Schema (`make format` writes it).
"""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, model_validator

from tundish.manifest.composition import (
    ENGINE,
    Component,
    ComposedPostprocess,
    Composition,
    LinesPostprocess,
    PromptedPostprocess,
    ReadPagePostprocess,
    SimilarityPostprocess,
    Step,
)
from tundish.manifest.model_spec import ModelSpec, StateTensor, TensorSpec
from tundish.manifest.postprocess import (
    MAX_LISTED,
    Aggregation,
    AnswerPostprocess,
    BoxPostprocess,
    ClassificationPostprocess,
    CtcPostprocess,
    DetectionPostprocess,
    DetrPostprocess,
    EntityPostprocess,
    ListedPostprocess,
    MaskPostprocess,
    MaskQueriesPostprocess,
    PixelIndexPostprocess,
    PoolingPostprocess,
    Postprocess,
    PromptMaskPostprocess,
    PrototypeMasksPostprocess,
    ScorePostprocess,
    SegmentationPostprocess,
    SemanticPostprocess,
    SigmoidDetrPostprocess,
    Subtask,
    TextRegionPostprocess,
    VectorPostprocess,
)
from tundish.manifest.preprocess import (
    EdgeRangeResize,
    ImagePreprocess,
    ImageTextPreprocess,
    InputName,
    Interpolation,
    LetterboxResize,
    LineResize,
    ListInput,
    Preprocess,
    PromptPreprocess,
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
from tundish.manifest.variants import Accuracy, BundleFile, Gate, Interval, Latency, SliceAccuracy, Variant
from tundish.manifest.version import Source, Version

__all__ = [
    "ENGINE",
    "FORMAT_VERSION",
    "MAX_LISTED",
    "MAX_STATEMENT",
    "TENSORS",
    "Accuracy",
    "Aggregation",
    "AnswerPostprocess",
    "AnyManifest",
    "BoxPostprocess",
    "BundleFile",
    "ClassificationPostprocess",
    "Component",
    "ComposedPostprocess",
    "Composition",
    "CtcPostprocess",
    "Datatype",
    "DetectionPostprocess",
    "DetrPostprocess",
    "EdgeRangeResize",
    "EngineName",
    "EntityPostprocess",
    "Gate",
    "ImagePreprocess",
    "ImageTextPreprocess",
    "InputName",
    "Interpolation",
    "Interval",
    "Latency",
    "LetterboxResize",
    "LineResize",
    "LinesPostprocess",
    "ListInput",
    "ListedPostprocess",
    "Manifest",
    "MaskPostprocess",
    "MaskQueriesPostprocess",
    "ModelName",
    "ModelSpec",
    "PixelIndexPostprocess",
    "PoolingPostprocess",
    "PositiveInt",
    "Postprocess",
    "Precision",
    "Preprocess",
    "PromptMaskPostprocess",
    "PromptPreprocess",
    "PromptedPostprocess",
    "PrototypeMasksPostprocess",
    "ReadPagePostprocess",
    "Resize",
    "ScorePostprocess",
    "SegmentationPostprocess",
    "SemanticPostprocess",
    "Serving",
    "Sha256",
    "ShortestEdgeResize",
    "SigmoidDetrPostprocess",
    "SimilarityPostprocess",
    "SliceAccuracy",
    "Source",
    "StateTensor",
    "Step",
    "StretchResize",
    "Subtask",
    "TaskName",
    "TensorSpec",
    "TextInput",
    "TextPreprocess",
    "TextRegionPostprocess",
    "Variant",
    "VectorPostprocess",
    "Version",
    "json_schema",
]

FORMAT_VERSION: Literal[2] = 2
"""The newest bundle format that this runtime reads: that of composed bundles. Others are written as format 1."""


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


class Manifest(ModelSpec, Version):
    """One version of a model that is one network."""

    format_version: Literal[1] = 1
    model: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,127}(\.[a-z][a-z0-9_]{0,31})?$")]
    """Its name; of a component, `NAME.COMPONENT`."""
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


AnyManifest = Annotated[Manifest | Composition, Field(discriminator="format_version")]
"""What a bundle.json may hold."""


def json_schema() -> str:
    """The JSON Schema of both manifests, as committed in `docs/bundle.schema.json`."""
    return json.dumps(TypeAdapter(AnyManifest).json_schema(), indent=2) + "\n"
