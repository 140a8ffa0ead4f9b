"""What a bundle's manifest says, as JSON for the peers' models, which run where there is no tundish."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from tundish.bundle import Bundle
from tundish.manifest import ClassificationPostprocess, ImagePreprocess, ShortestEdgeResize, TextPreprocess
from tundish_bench.errors import BenchmarkError
from tundish_kernels import onnxruntime_library

Reads = Literal["image", "text", "tensor"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerModel:
    """A model as a peer serves it."""

    name: str
    """By which it is asked; a bare network's ends in `.engine`, as tundish names it."""
    settings: dict[str, Any]
    """For `standalone/served_models.py`."""

    @property
    def reads(self) -> Reads:
        """What an item of it is."""
        kind: Reads = self.settings["reads"]
        return kind


def image_model(bundle: Bundle, *, tuned: bool = True) -> PeerModel:
    """An image classifier; `tuned` spares work, else it is written as one does at first.

    Raises:
        BenchmarkError: the bundle asks for what the peers' models do not do.
    """
    return PeerModel(name=bundle.manifest.model, settings={**_image_settings(bundle), "tuned": tuned})


def text_model(bundle: Bundle) -> PeerModel:
    """A text classifier; see `image_model`."""
    rule, labelling = bundle.manifest.preprocess, bundle.manifest.postprocess
    if (
        not isinstance(rule, TextPreprocess)
        or (rule.truncation_side, rule.padding_side) != ("right", "right")
        or not isinstance(labelling, ClassificationPostprocess)
    ):
        raise BenchmarkError(f"{bundle.directory} is not prepared as the peer's model prepares texts; export it anew.")
    settings = {
        **_label_settings(bundle, labelling),
        "reads": "text",
        "input_tensor": "text",
        "inputs": [spec.name for spec in bundle.manifest.inputs],
        "tokenizer": str(bundle.path(rule.tokenizer).resolve()),
        "maximum_tokens": rule.maximum_tokens,
        "padding_id": rule.padding_id,
        "padding_type_id": rule.padding_type_id,
    }
    return PeerModel(name=bundle.manifest.model, settings=settings)


def tensor_model(bundle: Bundle) -> PeerModel:
    """The bare network of a bundle whose first dimension alone is free.

    Raises:
        BenchmarkError: it has several inputs or outputs, others than float32, or other free dimensions.
    """
    tensors = [*bundle.manifest.inputs, *bundle.manifest.outputs]
    fixed = all(isinstance(size, int) for spec in tensors for size in spec.shape[1:])
    if len(tensors) != 2 or not fixed or any(spec.datatype != "FP32" for spec in tensors):
        raise BenchmarkError(f"{bundle.directory} is no network of one float32 tensor in and one out; export it anew.")
    source, result = tensors
    settings = {
        "reads": "tensor",
        **_network(bundle),
        "input": source.name,
        "output": result.name,
        "input_tensor": source.name,
        "output_tensors": [result.name],
        "shape": source.shape[1:],
        "output_shape": result.shape[1:],
    }
    return PeerModel(name=f"{bundle.manifest.model}.engine", settings=settings)


def _image_settings(bundle: Bundle) -> dict[str, Any]:
    rule, labelling = bundle.manifest.preprocess, bundle.manifest.postprocess
    if (
        not isinstance(rule, ImagePreprocess)
        or not isinstance(rule.resize, ShortestEdgeResize)
        or rule.crop is None
        or rule.interpolation != "bilinear"
        or (rule.color_order, rule.layout) != ("RGB", "CHW")
        or not isinstance(labelling, ClassificationPostprocess)
    ):
        raise BenchmarkError(f"{bundle.directory} is not prepared as the peer's model prepares images; export it anew.")
    return {
        **_label_settings(bundle, labelling),
        "reads": "image",
        "input_tensor": "image",
        "input": bundle.manifest.inputs[0].name,
        "shortest_edge": rule.resize.length,
        "crop": rule.crop,
        "rescale": rule.rescale,
        "mean": rule.mean,
        "std": rule.std,
    }


def _label_settings(bundle: Bundle, labelling: ClassificationPostprocess) -> dict[str, Any]:
    """The model's file, and how its output becomes labels: by a softmax, or not at all."""
    if labelling.function != "softmax" or labelling.in_network:
        raise BenchmarkError(f"{bundle.directory} does not end in logits for a softmax, as the peer's model does.")
    return {
        **_network(bundle),
        "output": bundle.manifest.outputs[0].name,
        "output_tensors": ["label", "score"],
        "labels": labelling.labels,
        "top_k": min(labelling.top_k, len(labelling.labels)),
    }


def _network(bundle: Bundle) -> dict[str, str]:
    """Its file, and the library of the operators that it may ask ONNX Runtime for."""
    network = bundle.path(bundle.manifest.servable[0].files[0])
    return {"model": str(network.resolve()), "operators": str(onnxruntime_library())}
