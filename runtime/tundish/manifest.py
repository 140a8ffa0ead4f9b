"""The content of bundle.json: everything the runtime knows about one version of a model.

`docs/bundle.schema.json` is this module's JSON Schema (`make format` writes it).
"""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

FORMAT_VERSION: Literal[1] = 1
"""The newest bundle format that this runtime reads, and the one it writes."""

TaskName = Literal[
    "image-classification", "text-classification", "feature-extraction", "object-detection", "token-classification"
]
TENSORS: Literal["tensors"] = "tensors"
"""Stands for a task where there is none: the model is an engine alone, tensors in and tensors out."""
Datatype = Literal[
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64", "BYTES"
]  # fmt: skip
EngineName = Literal["onnx", "openvino"]
Precision = Literal["fp32", "bf16", "int8"]
"""What most of a network is computed in. `bf16` takes the fp32 file; its engine rounds on the way."""
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]
Aggregation = Literal["none", "simple", "first", "average", "max"]
"""How tokens become entities; transformers' strategies of the same names."""

ModelName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
MAX_STATEMENT = 2000
"""Characters that a maker may say in a field for people."""
PositiveInt = Annotated[int, Field(gt=0)]


def _inside(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\\" in path or "\0" in path:
        raise ValueError(f"'{path}' must be a path inside the bundle")
    return path


class _Part(BaseModel):
    """A value object of the manifest: immutable, and without fields that this version does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class BundleFile(_Part):
    """A file of the bundle, with what it must hash to."""

    path: Annotated[str, AfterValidator(_inside)]
    sha256: Sha256
    bytes: Annotated[int, Field(ge=0)]


class Source(_Part):
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


class TensorSpec(_Part):
    """Name, datatype and shape of a tensor; a dimension that a request chooses has a name."""

    name: str
    datatype: Datatype
    shape: tuple[int | str, ...]

    @property
    def wire_shape(self) -> tuple[int, ...]:
        """The shape as the Open Inference Protocol writes it, -1 for a named dimension."""
        return tuple(-1 if isinstance(dim, str) else dim for dim in self.shape)


class StateTensor(_Part):
    """A pair of tensors by which a model remembers: what one request leaves, the next one of its sequence begins with.

    A sequence begins with zeros.
    """

    input: str
    output: str
    batch_axis: Annotated[int, Field(ge=0)] = 0
    """The dimension along which the states of several sequences become a batch; all others are fixed."""


class StretchResize(_Part):
    """Resize to exactly this size, whatever the aspect ratio."""

    kind: Literal["stretch"] = "stretch"
    height: PositiveInt
    width: PositiveInt


class ShortestEdgeResize(_Part):
    """Resize so that the shorter side has this length, keeping the aspect ratio."""

    kind: Literal["shortest-edge"] = "shortest-edge"
    length: PositiveInt
    longest: PositiveInt | None = None
    """The most that the longer side may have: where it would have more, it gets this, and the shorter one less."""
    multiple_of: PositiveInt = 1
    """Each side is cut down to a multiple of it."""


class ImagePreprocess(_Part):
    """From an image to float32 of its `layout`: resize, centre crop, then `(pixel * rescale - mean) / std`.

    Height and width are the same for all images, or bounded by the resize.
    """

    kind: Literal["image"] = "image"
    resize: Annotated[StretchResize | ShortestEdgeResize, Field(discriminator="kind")] | None
    interpolation: Interpolation = "bilinear"
    """As Pillow resamples, antialiased when shrinking."""
    crop: tuple[PositiveInt, PositiveInt] | None
    """Height and width around the centre; zero pixels where the image is smaller."""
    rescale: float
    mean: tuple[float, float, float]
    std: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]]
    color_order: Literal["RGB", "BGR"] = "RGB"
    """Of the network's channels; `mean` and `std` follow it."""
    layout: Literal["CHW", "HWC"] = "CHW"
    """`[3, height, width]` or `[height, width, 3]`."""
    reduced_jpeg: bool = False
    """A JPEG may be decoded at 1/2, 1/4 or 1/8 of its size, as long as that is not smaller than its resized form."""

    @property
    def has_one_size(self) -> bool:
        """Whether all images end at the same size."""
        return self.crop is not None or isinstance(self.resize, StretchResize)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the result, if all images end at the same size."""
        if self.crop is not None:
            return self.crop
        assert isinstance(self.resize, StretchResize)  # by has_one_size
        return self.resize.height, self.resize.width

    @model_validator(mode="after")
    def _has_bounded_size(self) -> ImagePreprocess:
        is_bounded = isinstance(self.resize, ShortestEdgeResize) and self.resize.longest is not None
        if not self.has_one_size and not is_bounded:
            raise ValueError(
                "an image must end at a fixed or bounded size: a stretching resize, a crop or a longest edge is needed"
            )
        return self


class TextPreprocess(_Part):
    """From a text to token ids, by a tokenizer in the `tokenizers` library's JSON form."""

    kind: Literal["text"] = "text"
    tokenizer: Annotated[str, AfterValidator(_inside)] = "tokenizer.json"
    maximum_tokens: PositiveInt
    """Special tokens included; what is beyond is left out."""
    truncation_side: Literal["right", "left"] = "right"
    padding_side: Literal["right", "left"] = "right"
    padding_id: int = 0
    padding_type_id: int = 0


class ClassificationPostprocess(_Part):
    """From logits `[batch, labels]` to labels with scores, highest first."""

    kind: Literal["classification"] = "classification"
    labels: Annotated[tuple[str, ...], Field(min_length=1)]
    function: Literal["softmax", "sigmoid", "none"]
    in_network: bool = False
    """Whether the function is the network's own last step, so that its outputs are the scores."""
    top_k: PositiveInt = 5
    """How many labels a result lists, at most."""


class PoolingPostprocess(_Part):
    """From token vectors `[batch, tokens, dimensions]` to one vector a text, or to its tokens' vectors."""

    kind: Literal["pooling"] = "pooling"
    pooling: Literal["mean", "cls", "max", "none"]
    normalize: bool
    """Scale each pooled vector to Euclidean length 1."""


class DetectionPostprocess(_Part):
    """What every way from a network's outputs to objects says; each way is a class with a `kind` of its own."""

    labels: Annotated[tuple[str, ...], Field(min_length=1)]
    """A name may stand for several classes."""
    threshold: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """An object's score is above it."""


class DetrPostprocess(DetectionPostprocess):
    """From `logits` `[batch, queries, labels + 1]` and `pred_boxes` `[batch, queries, 4]`: one object a query, at most.

    A query's score is the highest of its labels' after softmax over all, the last of which says that there is nothing.
    Boxes are centre x, centre y, width and height as shares of the image's.
    """

    kind: Literal["detr"] = "detr"


class SigmoidDetrPostprocess(DetectionPostprocess):
    """From `logits` `[batch, queries, labels]` and `pred_boxes` as in `DetrPostprocess`: each label of each query.

    Its score is its logit's sigmoid.
    """

    kind: Literal["detr-sigmoid"] = "detr-sigmoid"
    top_k: PositiveInt
    """How many objects a result lists, at most."""


class EntityPostprocess(_Part):
    """From logits `[batch, tokens, labels]` to a text's entities; those labelled `O` are left out."""

    kind: Literal["entities"] = "entities"
    labels: Annotated[tuple[str, ...], Field(min_length=1)]
    """`B-` begins an entity, `I-` or no prefix continues one of the same label."""
    aggregation: Aggregation = "simple"
    """`none`: every token is an entity. `simple`: tokens of a label join. The rest label words: by the first token, by
    the mean of all, or by the one with the highest score."""
    unknown_id: int | None = None
    """Of the token for what the tokenizer does not know, which is always a word of its own; None if it has none."""


Preprocess = Annotated[ImagePreprocess | TextPreprocess, Field(discriminator="kind")]
Postprocess = Annotated[
    ClassificationPostprocess | PoolingPostprocess | DetrPostprocess | SigmoidDetrPostprocess | EntityPostprocess,
    Field(discriminator="kind"),
]


class SliceAccuracy(_Part):
    """The same on some of the samples: those of one value of the column that the maker named, or of one label."""

    name: str
    value: float
    reference: float
    samples: PositiveInt


class Accuracy(_Part):
    """What a variant was measured to get right."""

    metric: Literal["accuracy", "agreement", "cosine"]
    """Labels that are right; answers equal to the float model's; mean cosine to the float model's vectors.

    Of objects, the agreement is the F1 score of those that have a partner of their label among the float model's; of
    entities, of those with the same label and place.
    """
    value: float
    reference: float
    """The same metric of the float variant on the same samples."""
    samples: PositiveInt
    slices: tuple[SliceAccuracy, ...] = ()
    """By name; none if the maker named no column."""


class Latency(_Part):
    """Time of one engine call with one thread on the exporter's machine, over the calibration data."""

    median_milliseconds: float
    p90_milliseconds: float
    batch_size: PositiveInt
    runs: PositiveInt


class Gate(_Part):
    """Whether a variant may be served."""

    passed: bool
    max_drop: float
    """The most that `value` may lie below `reference`."""
    max_slice_drop: float | None = None
    """The same of each slice that has enough samples; None if slices are not bounded."""
    reason: str
    """One sentence with the figures."""


class Variant(_Part):
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


class Serving(_Part):
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


class ModelSpec(_Part):
    """What a task needs to know of a model: its tensors, and what happens before and after the network."""

    task: TaskName | Literal["tensors"]
    inputs: Annotated[tuple[TensorSpec, ...], Field(min_length=1)]
    outputs: Annotated[tuple[TensorSpec, ...], Field(min_length=1)]
    state: tuple[StateTensor, ...] = ()
    """None for a model that answers every request as if it were the first."""
    preprocess: Preprocess | None = None
    """None for `tensors`, as `postprocess`."""
    postprocess: Postprocess | None = None

    @property
    def request_inputs(self) -> tuple[TensorSpec, ...]:
        """What a request to the engine brings: all inputs but the state's.

        An input that has no dimensions, and so no batch, comes as one value for each row, which must agree.
        """
        states = {state.input for state in self.state}
        brought = [spec for spec in self.inputs if spec.name not in states]
        batch = next((spec.shape[0] for spec in brought if spec.shape), "batch")
        return tuple(spec if spec.shape else spec.model_copy(update={"shape": (batch,)}) for spec in brought)

    @property
    def answer_outputs(self) -> tuple[TensorSpec, ...]:
        """What the engine answers a request with: all outputs but the state's."""
        states = {state.output for state in self.state}
        return tuple(spec for spec in self.outputs if spec.name not in states)

    @property
    def takes_batches(self) -> bool:
        """Whether the network takes any number of items at a time, and not one alone."""
        return all(isinstance(spec.shape[0], str) for spec in self.inputs if spec.shape)

    def of_variant(self, variant: Variant) -> ModelSpec:
        """What the variant's task needs to know."""
        return self if variant.preprocess is None else self.model_copy(update={"preprocess": variant.preprocess})

    @model_validator(mode="after")
    def _says_what_its_task_needs(self) -> ModelSpec:
        given = [part is not None for part in (self.preprocess, self.postprocess)]
        if given != [self.task != TENSORS] * 2:
            needs = "neither preprocess nor postprocess" if self.task == TENSORS else "preprocess and postprocess"
            raise ValueError(f"the task '{self.task}' has {needs}")
        return self

    @model_validator(mode="after")
    def _has_its_state(self) -> ModelSpec:
        if self.state and self.task != TENSORS:
            raise ValueError(f"a model with state must have the task '{TENSORS}', got '{self.task}'")
        inputs = {spec.name: spec for spec in self.inputs}
        outputs = {spec.name: spec for spec in self.outputs}
        for state in self.state:
            before, after = inputs.pop(state.input, None), outputs.pop(state.output, None)
            if before is None or after is None:
                raise ValueError(f"state '{state.input}' to '{state.output}' must be an input and an output, once each")
            fixed = [dim for axis, dim in enumerate(before.shape) if axis != state.batch_axis]
            if state.batch_axis >= len(before.shape) or any(isinstance(dim, str) for dim in fixed):
                raise ValueError(
                    f"state '{state.input}' must be fixed but for its batch axis {state.batch_axis}, "
                    f"got {list(before.shape)}"
                )
            if before.datatype != after.datatype or before.datatype == "BYTES":
                raise ValueError(
                    f"state '{state.input}' must be numbers of the datatype of '{state.output}', "
                    f"got {before.datatype} and {after.datatype}"
                )
        if not inputs or not outputs:
            raise ValueError("a model must have an input and an output beside its state")
        return self


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
