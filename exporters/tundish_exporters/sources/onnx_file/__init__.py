"""A ready ONNX file, from whichever exporter: of an image classifier, an object detector, or YOLO's instances."""

from __future__ import annotations

from pathlib import Path

from tundish import manifest
from tundish_exporters.errors import ExportError
from tundish_exporters.onnx_hints import OnnxHints
from tundish_exporters.sources.onnx_file.classifier import ClassifierSource
from tundish_exporters.sources.onnx_file.detector import DetectorSource
from tundish_exporters.sources.onnx_file.onnx_source import OnnxSource
from tundish_exporters.sources.onnx_file.segmenter import SegmenterSource


def load_onnx(path: Path, task: manifest.TaskName, hints: OnnxHints) -> OnnxSource:
    """Reads the file, and looks at what its network takes and gives.

    Raises:
        ExportError: see `read_onnx` and `Network`; or the task is another, or hints are missing or wrong.
    """
    match task:
        case "image-classification":
            return ClassifierSource(path, hints)
        case "object-detection":
            return DetectorSource(path, hints)
        case "image-segmentation":
            return SegmenterSource(path, hints)
        case _:
            raise ExportError(
                f"tundish reads image classifiers, object detectors and segmenters from ONNX files, not models for "
                f"{task}; export those from their Hugging Face directory."
            )
