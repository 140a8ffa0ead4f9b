"""A ready ONNX file, from whichever exporter: of a network of images, of texts, or of texts in images."""

from __future__ import annotations

from pathlib import Path

from tundish import manifest
from tundish_exporters.errors import ExportError
from tundish_exporters.onnx_hints import OnnxHints
from tundish_exporters.sources.onnx_file.classifier import ClassifierSource
from tundish_exporters.sources.onnx_file.detector import DetectorSource
from tundish_exporters.sources.onnx_file.onnx_source import OnnxSource
from tundish_exporters.sources.onnx_file.segmenter import SegmenterSource
from tundish_exporters.sources.onnx_file.text_detector import TextDetectorSource
from tundish_exporters.sources.onnx_file.text_recognizer import TextRecognizerSource
from tundish_exporters.sources.onnx_file.text_source import TextFileSource


def load_onnx(path: Path, task: manifest.TaskName, hints: OnnxHints) -> OnnxSource | TextFileSource:
    """Reads the file, and looks at what its network takes and gives.

    Raises:
        ExportError: see `read_onnx`, `Network` and `TextFileSource`; or the task is another, or hints are missing or
            wrong.
    """
    source: type[OnnxSource]
    match task:
        case "text-classification" | "token-classification" | "feature-extraction":
            return TextFileSource(path, task, hints)
        case "image-classification":
            source = ClassifierSource
        case "object-detection":
            source = DetectorSource
        case "image-segmentation":
            source = SegmenterSource
        case "text-detection":
            source = TextDetectorSource
        case "text-recognition":
            source = TextRecognizerSource
        case _:
            raise ExportError(
                "tundish reads classifiers, detectors and segmenters of images, networks that detect or recognise "
                "texts in them, classifiers of texts and tokens, and makers of vectors from ONNX files, not models for "
                f"{task}; export those from their Hugging Face directory."
            )
    if said := hints.texts.said:
        flags = ", ".join(f"--{name}" for name in said)
        raise ExportError(f"{path} is read as a model of images, to which no {flags} belong; leave them out.")
    return source(path, hints)
