"""Exporters: from a fine-tuned PyTorch model to a quantised, measured bundle.

export_huggingface("checkpoints/reviews", task="text-classification", name="review-sentiment",
                   repository="models", evaluation="reviews.csv")
"""

from tundish_exporters.api import export_huggingface, export_module
from tundish_exporters.errors import DataError, ExportError, ParityError

__all__ = ["DataError", "ExportError", "ParityError", "export_huggingface", "export_module"]
