"""What every part of the manifest is made of: its base class, and the terms that are checked wherever they stand."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

TaskName = Literal[
    "image-classification",
    "text-classification",
    "feature-extraction",
    "image-feature-extraction",
    "zero-shot-image-classification",
    "object-detection",
    "token-classification",
    "image-segmentation",
    "text-ranking",
    "question-answering",
    "fill-mask",
    "sentence-similarity",
    "prompted-segmentation",
    "text-detection",
    "text-recognition",
    "document-reading",
    "visual-question-answering",
    "document-question-answering",
]
TENSORS: Literal["tensors"] = "tensors"
"""Stands for a task where there is none: the model is an engine alone, tensors in and tensors out."""
Datatype = Literal[
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64", "BYTES"
]  # fmt: skip
EngineName = Literal["onnx", "openvino"]
Precision = Literal["fp32", "fp16", "bf16", "int8", "int4"]
"""What most of a network is computed in. `bf16` takes the fp32 file; its engine rounds on the way. `fp16` and `int4`
are what a file has its weights in; a processor that does not multiply them takes them as fp32 or int8."""
MODEL_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$"
ModelName = Annotated[str, Field(pattern=MODEL_NAME)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
MAX_STATEMENT = 2000
"""Characters that a maker may say in a field for people."""
PositiveInt = Annotated[int, Field(gt=0)]


def _inside(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\\" in path or "\0" in path:
        raise ValueError(f"'{path}' must be a path inside the bundle")
    return path


PathInside = Annotated[str, AfterValidator(_inside)]
"""A path of a file, from the bundle's directory."""


class Part(BaseModel):
    """A value object of the manifest: immutable, and without fields that this version does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")
