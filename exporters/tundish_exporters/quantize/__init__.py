"""Quantisation: recipes that make smaller and faster files of a float ONNX graph."""

from __future__ import annotations

from tundish_exporters.quantize.choosing import recipes_for
from tundish_exporters.quantize.recipe import Recipe, apply

__all__ = ["Recipe", "apply", "recipes_for"]
