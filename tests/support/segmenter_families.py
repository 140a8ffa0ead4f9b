"""Small random segmenters of many Hugging Face families, which find several things in every image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers as hf

FEW_LABELS = ("sound", "crack", "scratch", "dent", "rust")
MANY_LABELS = tuple(f"part {number}" for number in range(70))
"""So many that PyTorch sorts the likeliest of few queries, whose order transformers leaves to it."""

EDGES = {"shortest_edge": 64, "longest_edge": 106}
STRETCHED = {"height": 64, "width": 96}

_QUERIES = 10
_STAGES = ["stage1", "stage2", "stage3", "stage4"]
_SPREAD = 1.2
"""Standard deviation of the weights, over the square root of their inputs."""
_PIXEL_SPREAD = 6.0
"""Of the logits of pixels."""
_CLASS_SPREAD = 9.0
"""Of the logits of queries: most of them are sure of a label then."""

Made = tuple[Any, Any]
"""A model with its image processor."""


def save_segmenter(directory: Path, made: Made) -> Path:
    """The model with spread weights, beside its processor."""
    model, processor = made
    model.eval()
    _spread(model)
    noise = _noise(processor.size.get("height", 64), processor.size.get("width", 96))
    if hasattr(model, "class_predictor"):
        _balance_queries(model, noise)
    else:
        _balance_pixels(model, noise)
    model.save_pretrained(directory)
    processor.save_pretrained(directory)
    return directory


@torch.no_grad()
def _spread(model: Any) -> None:
    draw = torch.Generator().manual_seed(3)
    embeddings = {id(module.weight) for module in model.modules() if isinstance(module, torch.nn.Embedding)}
    for name, parameter in model.named_parameters():
        if id(parameter) in embeddings:
            parameter.normal_(0, _SPREAD, generator=draw)  # so that queries differ
        elif parameter.ndim > 1:
            parameter.normal_(0, _SPREAD / parameter[0].numel() ** 0.5, generator=draw)
        elif name.endswith("bias"):
            parameter.normal_(0, 0.2, generator=draw)


@torch.no_grad()
def _balance_pixels(model: Any, noise: torch.Tensor) -> None:
    """Moves the logits of each label so that several labels win somewhere, whatever the image."""
    last = [module for module in model.modules() if getattr(module, "out_channels", 0) == len(FEW_LABELS)][-1]
    logits = model(pixel_values=noise).logits
    scale = _PIXEL_SPREAD / logits.std((0, 2, 3))
    last.weight.mul_(scale[:, None, None, None])
    last.bias.copy_((last.bias - logits.mean((0, 2, 3))) * scale)


@torch.no_grad()
def _balance_queries(model: Any, noise: torch.Tensor) -> None:
    """Makes queries sure of their labels, and their masks of their pixels."""
    outputs = model(pixel_values=noise)
    classes = outputs.class_queries_logits.flatten(0, 1)
    scale = _CLASS_SPREAD / classes.std(0).mean()
    model.class_predictor.weight.mul_(scale)
    model.class_predictor.bias.copy_((model.class_predictor.bias - classes.mean(0)) * scale)
    widest = outputs.masks_queries_logits.std((0, 2, 3)).median()
    embedders = [module for name, module in model.named_modules() if name.endswith("mask_embedder")]
    last = [module for module in embedders[0].modules() if isinstance(module, torch.nn.Linear)][-1]
    last.weight.mul_(_PIXEL_SPREAD / widest)
    last.bias.mul_(_PIXEL_SPREAD / widest)


def _noise(height: int, width: int) -> torch.Tensor:
    """Six normalised images, coarse and fine, each of a brightness of its own."""
    draw = torch.Generator().manual_seed(11)
    coarse = torch.nn.functional.interpolate(torch.randn(6, 3, 4, 6, generator=draw), (height, width), mode="bilinear")
    fine = torch.randn(6, 3, height, width, generator=draw) * torch.rand(6, 1, 1, 1, generator=draw)
    return coarse + 0.5 * fine + torch.randn(6, 3, 1, 1, generator=draw)


def _named(labels: tuple[str, ...]) -> dict[str, Any]:
    return {"id2label": dict(enumerate(labels)), "label2id": {name: index for index, name in enumerate(labels)}}


def segformer(**settings: Any) -> Made:
    config = hf.SegformerConfig(
        depths=[1, 1, 1, 1],
        hidden_sizes=[8, 16, 24, 32],
        num_attention_heads=[1, 2, 2, 4],
        decoder_hidden_size=32,
        **_named(FEW_LABELS),
    )
    return hf.SegformerForSemanticSegmentation(config), hf.SegformerImageProcessor(size=STRETCHED, **settings)


def upernet() -> Made:
    backbone = hf.ConvNextConfig(depths=[1, 1, 1, 1], hidden_sizes=[8, 16, 24, 32], out_features=_STAGES)
    config = hf.UperNetConfig(
        backbone_config=backbone,
        hidden_size=16,
        use_auxiliary_head=False,
        auxiliary_in_channels=24,
        **_named(FEW_LABELS),
    )
    return hf.UperNetForSemanticSegmentation(config), hf.SegformerImageProcessor(size=STRETCHED)


def dpt() -> Made:
    config = hf.DPTConfig(
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=64,
        image_size=64,
        patch_size=8,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 16, 24, 32],
        fusion_hidden_size=16,
        use_auxiliary_head=False,
        **_named(FEW_LABELS),
    )
    return hf.DPTForSemanticSegmentation(config), hf.DPTImageProcessor(size={"height": 64, "width": 64})


def beit() -> Made:
    config = hf.BeitConfig(
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=64,
        image_size=64,
        patch_size=8,
        out_indices=[1, 2, 3, 4],
        use_auxiliary_head=False,
        **_named(FEW_LABELS),
    )
    processor = hf.BeitImageProcessor(size={"height": 64, "width": 64}, do_center_crop=False)
    return hf.BeitForSemanticSegmentation(config), processor


def mobilenet_v2() -> Made:
    """Its logits of the middle are enlarged to the whole image, as the pipeline has it."""
    config = hf.MobileNetV2Config(depth_multiplier=0.35, image_size=64, tf_padding=False, **_named(FEW_LABELS))
    processor = hf.MobileNetV2ImageProcessor(size={"shortest_edge": 72}, crop_size={"height": 64, "width": 64})
    return hf.MobileNetV2ForSemanticSegmentation(config), processor


def _swin() -> Any:
    return hf.SwinConfig(
        image_size=64,
        embed_dim=16,
        depths=[1, 1, 2, 1],
        num_heads=[1, 2, 2, 4],
        window_size=3,
        drop_path_rate=0.0,
        out_features=_STAGES,
    )


def _resnet() -> Any:
    return hf.ResNetConfig(
        embedding_size=16, hidden_sizes=[16, 16, 32, 32], depths=[1] * 4, layer_type="basic", out_features=_STAGES
    )


def maskformer() -> Made:
    """By Swin, in images of any size."""
    decoder: Any = hf.DetrConfig(
        d_model=32,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=48,
        decoder_ffn_dim=48,
        num_queries=_QUERIES,
    )
    config = hf.MaskFormerConfig(
        fpn_feature_size=32,
        mask_feature_size=32,
        backbone_config=_swin(),
        decoder_config=decoder,
        **_named(MANY_LABELS),
    )
    return hf.MaskFormerForInstanceSegmentation(config), hf.MaskFormerImageProcessor(size=EDGES)


def mask2former(size: dict[str, int] | None = None) -> Made:
    config = hf.Mask2FormerConfig(
        backbone_config=_resnet(),
        feature_size=32,
        mask_feature_size=32,
        hidden_dim=32,
        encoder_feedforward_dim=48,
        encoder_layers=1,
        decoder_layers=3,
        num_attention_heads=2,
        dim_feedforward=48,
        num_queries=_QUERIES,
        **_named(MANY_LABELS),
    )
    processor = hf.Mask2FormerImageProcessor(size=size or EDGES)
    return hf.Mask2FormerForUniversalSegmentation(config), processor


SEGMENTERS: dict[str, Callable[[], Made]] = {
    "segformer": segformer,
    "upernet": upernet,
    "dpt": dpt,
    "beit": beit,
    "mobilenet_v2": mobilenet_v2,
    "maskformer": maskformer,
    "mask2former": mask2former,
}
"""Those that can be exported."""
