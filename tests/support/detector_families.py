"""Small random detectors of many Hugging Face families, which find a few things in every image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers as hf

_LABELS = {0: "crack", 1: "scratch", 2: "dent"}
_NAMED: dict[str, Any] = {"id2label": _LABELS, "label2id": {name: index for index, name in _LABELS.items()}}

_QUERIES = 12
_STAGES: dict[str, Any] = {
    "embedding_size": 16,
    "hidden_sizes": [16, 16, 32, 32],
    "depths": [1, 1, 1, 1],
    "layer_type": "basic",
}
_DETR: dict[str, Any] = {
    "d_model": 32,
    "encoder_layers": 1,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "num_queries": _QUERIES,
    # The default backbone is timm's.
    "use_timm_backbone": False,
    "use_pretrained_backbone": False,
    "backbone": None,
    **_NAMED,
}
_RT_DETR: dict[str, Any] = {
    "encoder_hidden_dim": 32,
    "encoder_in_channels": [16, 32, 32],
    "encoder_ffn_dim": 48,
    "encoder_attention_heads": 2,
    "d_model": 32,
    "decoder_in_channels": [32, 32, 32],
    "decoder_ffn_dim": 48,
    "decoder_layers": 2,
    "decoder_attention_heads": 2,
    "num_queries": _QUERIES,
    "num_denoising": 0,
    **_NAMED,
}
_THREE_STAGES = ["stage2", "stage3", "stage4"]

EDGES = {"shortest_edge": 64, "longest_edge": 106}
"""As 800 is to 1333."""
_LARGER_EDGES = {"shortest_edge": 80, "longest_edge": 132}
"""Deformable DETR fails where its coarsest features, a 64th of the image's size, have one pixel."""

_SPREAD = 1.3
"""Standard deviation of the weights, over the square root of their inputs."""
_LOGIT_SPREAD = 2.0
_SHARE = 0.3
"""Of the queries that find something, about."""

Made = tuple[Any, Any]
"""A model with its image processor."""


def save_detector(directory: Path, made: Made) -> Path:
    """The model with spread weights, beside its processor."""
    model, processor = made
    _spread(model)
    _settle(model)
    _balance(model)
    model.save_pretrained(directory)
    processor.save_pretrained(directory)
    return directory


@torch.no_grad()
def _spread(model: Any) -> None:
    draw = torch.Generator().manual_seed(7)
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:
            parameter.normal_(0, _SPREAD / parameter[0].numel() ** 0.5, generator=draw)
        elif name.endswith("bias"):
            parameter.normal_(0, 0.2, generator=draw)


@torch.no_grad()
def _settle(model: Any) -> None:
    """Gives batch normalisation the statistics of noise; a frozen one passes on what it gets."""
    model.eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.reset_parameters()  # and its scale, which RT-DETR draws next to zero
            module.momentum = None  # a plain mean over what it has seen
            module.train()
    for seed in range(4):
        model(pixel_values=_noise(seed))
    model.eval()


@torch.no_grad()
def _balance(model: Any) -> None:
    """Spreads the logits over noise, and moves them so that some queries find something, whatever the image."""
    images = torch.cat([_noise(seed) for seed in (11, 12, 13)])
    heads = _heads(model)
    for _ in range(2):  # in RT-DETR, what the heads say also decides which queries there are
        logits = model(pixel_values=images).logits.flatten(0, 1)
        scale = _LOGIT_SPREAD / logits.std(0).mean()
        for head in heads:
            head.weight.mul_(scale)
            head.bias.copy_((head.bias - logits.mean(0)) * scale)
    logits = model(pixel_values=images).logits.flatten(0, 1)
    labels = len(_LABELS)
    # What a label is up against: 'no object' and the other labels, or nothing.
    rivals = logits[:, labels] + 1.0 if logits.shape[1] > labels else torch.zeros(len(logits))
    gap = torch.quantile(logits[:, :labels].amax(1) - rivals, 1 - _SHARE)
    for head in heads:
        head.bias[:labels] -= gap


def _heads(model: Any) -> list[torch.nn.Linear]:
    """The last layers that make logits."""
    classes = len(_LABELS), len(_LABELS) + 1
    return [
        module
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and module.out_features in classes and "class" in name
    ]


def _noise(seed: int) -> torch.Tensor:
    """Four normalised images, coarse and fine, each of a brightness of its own."""
    draw = torch.Generator().manual_seed(seed)
    coarse = torch.nn.functional.interpolate(torch.randn(4, 3, 4, 6, generator=draw), (64, 96), mode="bilinear")
    fine = torch.randn(4, 3, 64, 96, generator=draw) * torch.rand(4, 1, 1, 1, generator=draw)
    return coarse + 0.5 * fine + torch.randn(4, 3, 1, 1, generator=draw)


def _resnet(stages: list[str]) -> Any:
    return hf.ResNetConfig(**_STAGES, out_features=stages)


def yolos() -> Made:
    config = hf.YolosConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        image_size=[64, 96],
        num_detection_tokens=_QUERIES,
        **_NAMED,
    )
    return hf.YolosForObjectDetection(config), hf.YolosImageProcessor(size=EDGES)


def detr() -> Made:
    config = hf.DetrConfig(backbone_config=_resnet(["stage4"]), **_DETR)
    return hf.DetrForObjectDetection(config), hf.DetrImageProcessor(size=EDGES)


def table_transformer() -> Made:
    config = hf.TableTransformerConfig(backbone_config=_resnet(["stage4"]), **_DETR)
    return hf.TableTransformerForObjectDetection(config), hf.DetrImageProcessor(size=EDGES)


def conditional_detr() -> Made:
    config = hf.ConditionalDetrConfig(backbone_config=_resnet(["stage4"]), **_DETR)
    return hf.ConditionalDetrForObjectDetection(config), hf.ConditionalDetrImageProcessor(size=EDGES)


def deformable_detr() -> Made:
    config = hf.DeformableDetrConfig(backbone_config=_resnet(_THREE_STAGES), **_DETR)
    return hf.DeformableDetrForObjectDetection(config), hf.DeformableDetrImageProcessor(size=_LARGER_EDGES)


def rt_detr() -> Made:
    config = hf.RTDetrConfig(backbone_config=hf.RTDetrResNetConfig(**_STAGES, out_features=_THREE_STAGES), **_RT_DETR)
    return hf.RTDetrForObjectDetection(config), hf.RTDetrImageProcessor(size={"height": 64, "width": 96})


DETECTORS: dict[str, Callable[[], Made]] = {
    "yolos": yolos,
    "detr": detr,
    "table-transformer": table_transformer,
    "conditional-detr": conditional_detr,
    "deformable-detr": deformable_detr,
    "rt-detr": rt_detr,
}
"""Those that can be exported."""
