"""A ready ONNX file, from whichever exporter: of a network of images, of texts, or of texts in images."""

from __future__ import annotations

from pathlib import Path

from onnx import TensorProto

from tundish import manifest
from tundish_exporters.errors import ExportError
from tundish_exporters.onnx_hints import OnnxHints
from tundish_exporters.sources.onnx_file.classifier import ClassifierSource
from tundish_exporters.sources.onnx_file.detector import DetectorSource
from tundish_exporters.sources.onnx_file.map_segmenter import MapSegmenterSource
from tundish_exporters.sources.onnx_file.metadata import Metadata
from tundish_exporters.sources.onnx_file.onnx_source import OnnxSource
from tundish_exporters.sources.onnx_file.reading import OnnxFile, read_onnx
from tundish_exporters.sources.onnx_file.segmenter import SegmenterSource
from tundish_exporters.sources.onnx_file.text_detector import TextDetectorSource
from tundish_exporters.sources.onnx_file.text_recognizer import TextRecognizerSource
from tundish_exporters.sources.onnx_file.text_source import TextFileSource

_OF_IMAGES: dict[manifest.TaskName, type[OnnxSource]] = {
    "image-classification": ClassifierSource,
    "object-detection": DetectorSource,
    "text-detection": TextDetectorSource,
    "text-recognition": TextRecognizerSource,
}
_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)


def load_onnx(path: Path, task: manifest.TaskName, hints: OnnxHints) -> OnnxSource | TextFileSource:
    """Reads the file, and looks at what its network takes and gives.

    Raises:
        ExportError: see `read_onnx`, `Network` and `TextFileSource`; or the task is another, or hints are missing or
            wrong.
    """
    if task in ("text-classification", "token-classification", "feature-extraction"):
        return TextFileSource(path, task, hints)
    if task not in _OF_IMAGES and task != "image-segmentation":
        raise ExportError(
            "tundish reads classifiers, detectors and segmenters of images, networks that detect or recognise "
            "texts in them, classifiers of texts and tokens, and makers of vectors from ONNX files, not models for "
            f"{task}; export those from their Hugging Face directory."
        )
    if said := hints.texts.said:
        flags = ", ".join(f"--{name}" for name in said)
        raise ExportError(f"{path} is read as a model of images, to which no {flags} belong; leave them out.")
    file = read_onnx(path)
    if task == "image-segmentation":
        return SegmenterSource(file, hints) if _finds_objects(file) else MapSegmenterSource(file, hints)
    return _OF_IMAGES[task](file, hints)


def _finds_objects(file: OnnxFile) -> bool:
    """Whether a segmenter gives rows of numbers, as those of instances do beside their prototypes."""
    if Metadata.of(file.model).task:
        return True
    outputs = [output.type.tensor_type for output in file.model.graph.output]
    return any(output.elem_type in _FLOATS and len(output.shape.dim) in (2, 3) for output in outputs)
