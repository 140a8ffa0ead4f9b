"""What nodes say of themselves: their attributes and biases, and the form of products by a matrix."""

from __future__ import annotations

from typing import Any

import onnx
from onnx import helper


def attributes_of(node: onnx.NodeProto) -> dict[str, Any]:
    """What is said of a node, by name; defaults are not there."""
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def is_plain(node: onnx.NodeProto) -> bool:
    """Whether a product multiplies, adds a bias, and does no more."""
    given = attributes_of(node)
    return (given.get("alpha", 1.0), given.get("beta", 1.0), given.get("transA", 0)) == (1.0, 1.0, 0)


def is_turned(node: onnx.NodeProto) -> bool:
    """Whether the outputs' axis of a product's weights is the first."""
    return bool(attributes_of(node).get("transB", 0))


def bias_of(node: onnx.NodeProto) -> str:
    """The name of a layer's bias; empty if there is none."""
    return node.input[2] if len(node.input) > 2 else ""
