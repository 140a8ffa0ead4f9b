"""What a bundle's manifest says, as JSON for the peers' models, which run where there is no tundish."""

from __future__ import annotations

from typing import Any

from tundish.bundle import Bundle
from tundish.manifest import ClassificationPostprocess, ImagePreprocess, ShortestEdgeResize
from tundish_bench.errors import BenchmarkError


def image_settings(bundle: Bundle) -> dict[str, Any]:
    """Of an image classifier.

    Raises:
        BenchmarkError: the bundle asks for what the peers' models do not do.
    """
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
        **label_settings(bundle, labelling),
        "input": bundle.manifest.inputs[0].name,
        "shortest_edge": rule.resize.length,
        "crop": rule.crop,
        "rescale": rule.rescale,
        "mean": rule.mean,
        "std": rule.std,
    }


def label_settings(bundle: Bundle, labelling: ClassificationPostprocess) -> dict[str, Any]:
    """The model's file, and how its output becomes labels.

    Raises:
        BenchmarkError: otherwise than by a softmax.
    """
    if labelling.function != "softmax" or labelling.in_network:
        raise BenchmarkError(f"{bundle.directory} does not end in logits for a softmax, as the peer's model does.")
    return {
        "model": str(bundle.path(bundle.manifest.servable[0].files[0]).resolve()),
        "output": bundle.manifest.outputs[0].name,
        "labels": labelling.labels,
        "top_k": min(labelling.top_k, len(labelling.labels)),
    }
