"""What becomes of segmenters beside their answers: int8, subtasks, thresholds, and sources that are refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from support.commands import call_tundish
from support.segmenter_families import FEW_LABELS, MANY_LABELS, Made, mask2former, maskformer, segformer
from support.trained_segmenter import save_pictures, save_trained_segmenter

from tundish.manifest import (
    ImagePreprocess,
    MaskQueriesPostprocess,
    SemanticPostprocess,
    ShortestEdgeResize,
    StretchResize,
)
from tundish_exporters import ExportError, export_huggingface, export_module
from tundish_exporters.sources.huggingface import load_source
from tundish_exporters.sources.huggingface.source import Choices

hf: Any = transformers
"""Most of its classes have no types."""


def saved(directory: Path, made: Made) -> Path:
    for part in made:
        part.save_pretrained(directory)
    return directory


@pytest.fixture(scope="module")
def pixels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that labels pixels."""
    return saved(tmp_path_factory.mktemp("segformer") / "source", segformer())


@pytest.fixture(scope="module")
def queries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of queries."""
    return saved(tmp_path_factory.mktemp("maskformer") / "source", maskformer())


def test_int8_of_a_trained_segmenter_passes_the_gate(tmp_path: Path) -> None:
    exported = export_huggingface(
        save_trained_segmenter(tmp_path / "source"),
        task="image-segmentation",
        name="model",
        repository=tmp_path / "models",
        calibration=save_pictures(tmp_path / "pictures", 12),
        max_drop=0.02,
    )
    floating, quantised = exported.bundle.manifest.variants
    assert floating.accuracy is not None
    assert (floating.accuracy.metric, floating.accuracy.value) == ("agreement", 1.0)
    assert quantised.name == "onnx-int8-cpu"
    assert quantised.accuracy is not None
    assert 0.98 <= quantised.accuracy.value < 1.0, "int8 rounds, and the mean overlap of labels must show it"
    assert quantised.gate.passed


QUERIES: dict[str, Any] = {"threshold": 0.9, "mask_threshold": 0.5, "overlap_threshold": 0.5}


@pytest.mark.parametrize(
    ("made", "choices", "resize", "postprocess"),
    [
        (
            lambda: segformer(do_reduce_labels=True),
            Choices(),
            StretchResize(height=64, width=96),
            SemanticPostprocess(labels=FEW_LABELS),
        ),
        (
            maskformer,
            Choices(subtask="instance"),
            ShortestEdgeResize(length=64, longest=106, multiple_of=32, rounding="up"),
            MaskQueriesPostprocess(labels=MANY_LABELS, subtask="instance", **QUERIES),
        ),
        (
            lambda: mask2former({"height": 80, "width": 96}),
            Choices(threshold=0.25),
            StretchResize(height=96, width=96),  # multiples of 32
            MaskQueriesPostprocess(
                labels=MANY_LABELS, subtask="panoptic", **(QUERIES | {"threshold": 0.25}), mask_size=(384, 384)
            ),
        ),
    ],
)
def test_the_manifest_says_what_the_processor_does(
    made: Callable[[], Made], choices: Choices, resize: Any, postprocess: Any, tmp_path: Path
) -> None:
    read = load_source(saved(tmp_path, made()), "image-segmentation", choices)
    assert isinstance(read.preprocess, ImagePreprocess)
    assert read.preprocess.resize == resize
    assert read.postprocess == postprocess


def refusal(source: Path, tmp_path: Path, *, changes: dict[str, Any] | None = None, **asked: Any) -> str:
    """What the export says, with these changes of the processor's configuration."""
    changed = tmp_path / "source"
    shutil.copytree(source, changed)
    path = changed / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | (changes or {})))
    asked = {"task": "image-segmentation"} | asked
    with pytest.raises(ExportError) as raised:
        export_huggingface(changed, name="model", repository=tmp_path / "models", **asked)
    assert not (tmp_path / "models").exists(), "a refused export must leave nothing behind"
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_network_that_labels_pixels_does_semantic_segmentation_alone(pixels: Path, tmp_path: Path) -> None:
    said = refusal(pixels, tmp_path, subtask="panoptic")
    assert said == (
        "The architecture 'segformer' gives each pixel a label; it does semantic segmentation, not panoptic."
    )


def test_segments_without_scores_have_no_threshold(pixels: Path, queries: Path, tmp_path: Path) -> None:
    said = "Segments of semantic segmentation have no scores; leave the threshold 0.5 out."
    assert refusal(pixels, tmp_path / "pixels", threshold=0.5) == said
    assert refusal(queries, tmp_path / "queries", threshold=0.5, subtask="semantic") == said


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"subtask": "things"}, "There is no subtask 'things'; there are panoptic, instance, semantic."),
        ({"subtask": "instance", "task": "object-detection"}, "A subtask is one of image-segmentation; object-det"),
        ({"threshold": 1.0}, "A threshold is a score from 0 to below 1, got 1.0."),
        (
            {"changes": {"image_processor_type": "DetrImageProcessor"}},
            "DetrImageProcessor is not a processor whose segments tundish can reproduce; there are Mask2FormerIm",
        ),
        ({"changes": {"pad_size": {"height": 512, "width": 512}}}, "pads every image to {'height': 512"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(
    asked: dict[str, Any], message: str, queries: Path, tmp_path: Path
) -> None:
    assert message in refusal(queries, tmp_path, **asked)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"image_processor_type": "DPTImageProcessor", "keep_aspect_ratio": True},
            "DPTImageProcessor keeps the aspect ratio in a way of its own",
        ),
        ({"image_processor_type": "ViTImageProcessor"}, "ViTImageProcessor does not say how segments are made"),
    ],
)
def test_a_processor_that_does_something_else_is_refused(
    changes: dict[str, Any], message: str, pixels: Path, tmp_path: Path
) -> None:
    assert message in refusal(pixels, tmp_path, changes=changes)


def test_a_class_without_a_name_is_refused(tmp_path: Path) -> None:
    model, processor = segformer()
    model.config.id2label = {0: "sound", 1: "crack", 2: "scratch", 3: "dent", 5: "rust"}
    source = saved(tmp_path / "made", (model, processor))
    assert "has 5 labels, but none for class 4; complete id2label" in refusal(source, tmp_path)


def test_modules_are_not_exported_for_segmentation() -> None:
    with pytest.raises(ExportError, match="cannot be exported for image-segmentation; give a Hugging Face directory"):
        export_module(
            torch.nn.Identity(),
            {"pixel_values": torch.zeros(1, 3, 8, 8)},
            task="image-segmentation",
            preprocess=ImagePreprocess(
                resize=StretchResize(height=8, width=8), crop=None, rescale=1, mean=(0, 0, 0), std=(1, 1, 1)
            ),
            postprocess=SemanticPostprocess(labels=("crack",)),  # type: ignore[arg-type]
            name="model",
            repository="models",
        )


def test_the_command_takes_a_subtask(pixels: Path, tmp_path: Path) -> None:
    task = ("--task", "object-detection", "--subtask", "instance")
    ran = call_tundish("export", pixels, *task, "--name", "model", "--repository", tmp_path / "models")
    assert ran.returncode == 1
    assert "A subtask is one of image-segmentation; object-detection has none." in ran.stderr
