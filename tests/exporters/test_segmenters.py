"""Exported segmenters find the segments that `transformers.pipeline` finds, on images that no export saw."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.awkward_images import awkward_images
from support.exported_segmenters import THRESHOLD, segmenter_folder
from support.segmentations import segment_faults, segmentation_pipeline, segmented_by
from support.segmenter_families import SEGMENTERS

from tundish.bundle import Bundle, read_single_bundle
from tundish.engines import load_file
from tundish.manifest import ImagePreprocess, MaskQueriesPostprocess, Subtask
from tundish.pipeline import Answer, Pipeline, run_batch
from tundish.results import ImageSegmentation
from tundish.tasks.registry import load_task

THIN = {"one pixel wide", "very wide", "very tall"}


@dataclass(frozen=True)
class Exported:
    """A source with its bundle."""

    source: Path
    bundle: Bundle

    def pipeline(self, subtask: Subtask) -> Pipeline:
        """The bundle's own; of a network of queries, with this subtask in place of what it was exported for."""
        spec = self.bundle.manifest
        if isinstance(spec.postprocess, MaskQueriesPostprocess):
            spec = spec.model_copy(update={"postprocess": spec.postprocess.model_copy(update={"subtask": subtask})})
        path = self.bundle.path(self.bundle.manifest.variants[0].files[0].path)
        return Pipeline(load_task(spec, self.bundle.directory), load_file("onnx", path, precision="fp32", threads=1))

    @property
    def subtasks(self) -> tuple[Subtask, ...]:
        queries = isinstance(self.bundle.manifest.postprocess, MaskQueriesPostprocess)
        return ("panoptic", "instance", "semantic") if queries else ("semantic",)


@pytest.fixture(scope="module")
def images(photographs: list[Path]) -> dict[str, bytes]:
    awkward = awkward_images(photographs[3])
    chosen = {path.name: path.read_bytes() for path in photographs[:4]}
    return chosen | {name: awkward[name] for name in ("rotated by EXIF", "odd edges", "grey", "tiny", *sorted(THIN))}


@pytest.fixture(scope="module", params=SEGMENTERS)
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    folder = segmenter_folder(tmp_path_factory)
    return Exported(folder / "sources" / request.param, read_single_bundle(folder / "models" / request.param / "1"))


def test_a_segmenter_finds_what_its_pipeline_finds(exported: Exported, images: dict[str, bytes]) -> None:
    ask = segmentation_pipeline(exported.source)
    for subtask in exported.subtasks:
        pipeline, faults, found = exported.pipeline(subtask), {}, set()
        for name, data in images.items():
            if subtask == "instance" and name in THIN:
                continue  # queries are as good as equal there, and which is in front hangs on rounding
            expected = segmented_by(ask, data, subtask=subtask, threshold=THRESHOLD)
            (answer,) = run_batch(pipeline, [data])
            assert isinstance(answer, Answer), (name, answer)
            assert isinstance(answer.output, ImageSegmentation)
            found.add(tuple(each.label for each in expected))
            if said := segment_faults(expected, answer.output.segments):
                faults[name] = said
        assert faults == {}, subtask
        assert len(found) > 2, "the images should differ in what is found"


def test_the_default_is_the_pipelines_own(exported: Exported, images: dict[str, bytes]) -> None:
    """It takes the first of panoptic, instance and semantic that a processor knows."""
    ask = segmentation_pipeline(exported.source)
    (answer,) = run_batch(exported.pipeline(exported.subtasks[0]), [images["odd edges"]])
    assert isinstance(answer, Answer)
    assert isinstance(answer.output, ImageSegmentation)
    expected = segmented_by(ask, images["odd edges"], threshold=THRESHOLD)
    assert segment_faults(expected, answer.output.segments) == []


def test_images_keep_their_proportions_where_the_processor_does(exported: Exported) -> None:
    preprocess: Any = exported.bundle.manifest.preprocess
    assert isinstance(preprocess, ImagePreprocess)
    (pixels,) = exported.bundle.manifest.inputs
    if len(exported.subtasks) > 1:
        assert (preprocess.resize.multiple_of, preprocess.resize.rounding) == (32, "up")  # type: ignore[union-attr]
        assert pixels.shape == ("batch", 3, "height", "width")
    else:
        assert pixels.shape == ("batch", 3, *preprocess.size)
