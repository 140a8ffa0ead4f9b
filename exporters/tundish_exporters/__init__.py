"""Exporters: from a fine-tuned model to a quantised, measured bundle.

export_huggingface("checkpoints/reviews", task="text-classification", name="review-sentiment",
                   repository="models", evaluation="reviews.csv")
"""

from tundish_exporters.api import export_huggingface, export_module, export_onnx
from tundish_exporters.composed_api import export_documents, export_promptable, export_read_pages, export_towers
from tundish_exporters.detector_hints import DetectorHints
from tundish_exporters.errors import DataError, ExportError, ParityError
from tundish_exporters.onnx_hints import OnnxHints
from tundish_exporters.text_hints import TextHints

__all__ = [
    "DataError",
    "DetectorHints",
    "ExportError",
    "OnnxHints",
    "ParityError",
    "TextHints",
    "export_documents",
    "export_huggingface",
    "export_module",
    "export_onnx",
    "export_promptable",
    "export_read_pages",
    "export_towers",
]
