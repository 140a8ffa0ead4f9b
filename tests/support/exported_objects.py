"""What networks of objects find in a few images once they are exported, held against the sources' own answers."""

from __future__ import annotations

from pathlib import Path

from support.images import encoded
from tundish.engines.onnx import OnnxEngine
from tundish.manifest import DetectionPostprocess, ModelSpec, PrototypeMasksPostprocess, TaskName
from tundish.pipeline import Answer, Pipeline, run_batch
from tundish.results import ImageSegmentation, ObjectDetection
from tundish.tasks.registry import load_task
from tundish_exporters import OnnxHints
from tundish_exporters.equality import compare_results
from tundish_exporters.sources.onnx_file import load_onnx

IMAGES = [("red", (64, 64)), ("blue", (64, 64)), ("red", (128, 48)), ("blue", (30, 90)), ("blue", (128, 48))]
"""Colour, and width and height: images that are stretched, shrunk and padded either way."""

Objects = ObjectDetection | ImageSegmentation


def found_by(
    path: Path, hints: OnnxHints, directory: Path, task_name: TaskName = "object-detection"
) -> tuple[list[Objects], ModelSpec]:
    """What the exported network finds in the images, all in one batch; held against the source's own answers."""
    source = load_onnx(path, task_name, hints)
    written = directory / "written.onnx"
    source.write_onnx(written)
    engine = OnnxEngine(written, threads=1)
    spec = ModelSpec(
        task=task_name,
        inputs=engine.inputs,
        outputs=engine.outputs,
        preprocess=source.preprocess,
        postprocess=source.postprocess,
    )
    images = [encoded(color, size=size) for color, size in IMAGES]
    task = load_task(spec, directory)
    batches = [images] if spec.takes_batches else [[image] for image in images]
    answers = [answer for batch in batches for answer in run_batch(Pipeline(task, engine), batch)]
    results = []
    for image, answer in zip(images, answers, strict=True):
        assert isinstance(answer, Answer), answer
        assert isinstance(answer.output, ObjectDetection | ImageSegmentation)
        expected = source.predict(image)
        assert isinstance(expected, ObjectDetection | ImageSegmentation)
        assert compare_results(_above(expected, _threshold_of(spec)), answer.output)[1] == ""
        results.append(answer.output)
    return results, spec


def _threshold_of(spec: ModelSpec) -> float | None:
    """None where what is found has no scores."""
    rule = spec.postprocess
    objects = rule.objects if isinstance(rule, PrototypeMasksPostprocess) else rule
    return objects.threshold if isinstance(objects, DetectionPostprocess) else None


def _above(result: Objects, threshold: float | None) -> Objects:
    if threshold is None:
        return result
    if isinstance(result, ObjectDetection):
        return ObjectDetection(tuple(each for each in result.objects if each.score > threshold))
    return ImageSegmentation(tuple(each for each in result.segments if (each.score or 0) > threshold))
