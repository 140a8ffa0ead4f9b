"""What becomes of detectors beside their answers: int8, thresholds, and sources that are refused in one sentence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
import transformers
from support.commands import call_tundish
from support.detector_families import detr, rt_detr, save_detector, yolos
from support.model_families import IMAGE_FAMILIES, save_family

from tundish.manifest import (
    ClassificationPostprocess,
    DetrPostprocess,
    ImagePreprocess,
    ShortestEdgeResize,
    SigmoidDetrPostprocess,
    StretchResize,
)
from tundish_exporters import ExportError, export_huggingface, export_module
from tundish_exporters.sources.huggingface import load_source
from tundish_exporters.sources.huggingface.source import Choices

hf: Any = transformers
"""Most of its classes have no types."""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_detector(tmp_path_factory.mktemp("yolos") / "source", yolos())


def test_int8_is_judged_by_what_it_finds(tmp_path: Path, small_images: Path) -> None:
    exported = export_huggingface(
        save_detector(tmp_path / "source", detr()),
        task="object-detection",
        name="model",
        repository=tmp_path / "models",
        calibration=small_images,
        max_drop=0.4,
        threshold=0.4,
    )
    manifest = exported.bundle.manifest
    floating, quantised = manifest.variants
    assert floating.accuracy is not None
    assert (floating.accuracy.metric, floating.accuracy.value) == ("agreement", 1.0)
    assert quantised.name == "onnx-int8-cpu"
    assert quantised.accuracy is not None
    assert 0.6 <= quantised.accuracy.value < 1.0
    assert quantised.gate.passed
    assert isinstance(manifest.postprocess, DetrPostprocess)
    assert manifest.postprocess.threshold == 0.4
    # Attention in int8 would move boxes: only convolutions are quantised.
    graph = onnx.load(exported.bundle.path(quantised.files[0].path)).graph
    made = {name: node.op_type for node in graph.node for name in node.output}
    into_int8 = {made[node.input[0]] for node in graph.node if node.op_type == "QuantizeLinear"}
    assert "Conv" in into_int8 or "QLinearDenseConv" in made.values()  # by AMX
    assert not into_int8 & {"MatMul", "Gemm", "Softmax", "LayerNormalization"}


@pytest.mark.parametrize(
    ("made", "resize", "postprocess"),
    [
        (
            yolos,
            ShortestEdgeResize(length=64, longest=106, multiple_of=16),
            DetrPostprocess(labels=("crack", "scratch", "dent"), threshold=0.25),
        ),
        (
            detr,
            ShortestEdgeResize(length=64, longest=106),
            DetrPostprocess(labels=("crack", "scratch", "dent"), threshold=0.25),
        ),
        (
            rt_detr,
            StretchResize(height=64, width=96),
            SigmoidDetrPostprocess(labels=("crack", "scratch", "dent"), threshold=0.25, top_k=12),
        ),
    ],
)
def test_the_manifest_says_what_the_processor_does(made: Any, resize: Any, postprocess: Any, tmp_path: Path) -> None:
    read = load_source(save_detector(tmp_path, made()), "object-detection", Choices(threshold=0.25))
    assert isinstance(read.preprocess, ImagePreprocess)
    assert read.preprocess.resize == resize
    assert read.postprocess == postprocess


def refusal(source: Path, tmp_path: Path, **changes: Any) -> str:
    """What the export says of the source with these changes of its processor's configuration."""
    changed = tmp_path / "source"
    shutil.copytree(source, changed)
    path = changed / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(ExportError) as raised:
        export_huggingface(changed, task="object-detection", name="model", repository=tmp_path / "models")
    assert not (tmp_path / "models").exists(), "a refused export must leave nothing behind"
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pad_size": {"height": 120, "width": 120}}, "pads every image to {'height': 120, 'width': 120}"),
        ({"size": {"max_height": 64, "max_width": 64}}, "resizes to {'max_height': 64, 'max_width': 64}"),
        ({"do_resize": False}, "must end at a fixed or bounded size"),
        (
            {"image_processor_type": "GroundingDinoImageProcessor"},
            "GroundingDinoImageProcessor is not a processor whose objects tundish can reproduce; there are Cond",
        ),
    ],
)
def test_a_processor_that_does_something_else_is_refused(
    changes: dict[str, Any], message: str, source: Path, tmp_path: Path
) -> None:
    assert message in refusal(source, tmp_path, **changes)


def test_a_class_without_a_name_is_refused(tmp_path: Path) -> None:
    model, processor = yolos()
    names = {0: "crack", 1: "scratch", 3: "dent"}
    model.config.id2label, model.config.label2id = names, {name: index for index, name in names.items()}
    source = save_detector(tmp_path / "made", (model, processor))
    assert "has 3 labels, but none for class 2; complete id2label" in refusal(source, tmp_path)


def test_a_classifier_is_no_detector(tmp_path: Path) -> None:
    source = save_family(tmp_path / "made", IMAGE_FAMILIES["vit"]())
    assert "is of the architecture 'vit', which does not do object-detection" in refusal(source, tmp_path)


def test_a_classifier_must_end_at_one_size(tmp_path: Path) -> None:
    model, _ = IMAGE_FAMILIES["vit"]()
    edges = {"shortest_edge": 64, "longest_edge": 106}
    source = save_family(tmp_path / "made", (model, hf.DetrImageProcessor(size=edges)))
    with pytest.raises(ExportError, match=r"resizes to \{.*longest_edge.*\}; tundish reproduces height and width, or"):
        export_huggingface(source, task="image-classification", name="model", repository=tmp_path / "models")


def test_modules_are_not_exported_for_detection() -> None:
    with pytest.raises(ExportError, match="cannot be exported for object-detection; give a Hugging Face directory"):
        export_module(
            torch.nn.Identity(),
            {"pixel_values": torch.zeros(1, 3, 8, 8)},
            task="object-detection",
            preprocess=ImagePreprocess(
                resize=StretchResize(height=8, width=8), crop=None, rescale=1, mean=(0, 0, 0), std=(1, 1, 1)
            ),
            postprocess=ClassificationPostprocess(labels=("crack",), function="softmax"),
            name="model",
            repository="models",
        )


def test_the_command_takes_a_threshold(source: Path, tmp_path: Path) -> None:
    task = ("--task", "object-detection", "--threshold", "1")
    ran = call_tundish("export", source, *task, "--name", "model", "--repository", tmp_path / "models")
    assert ran.returncode == 1
    assert "A threshold is a score from 0 to below 1, got 1.0." in ran.stderr + ran.stdout


def test_a_threshold_is_for_detectors_alone(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="is for the objects or segments of an image; image-classification has none"):
        export_huggingface(
            source, task="image-classification", name="model", repository=tmp_path / "models", threshold=0.5
        )
