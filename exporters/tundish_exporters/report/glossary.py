"""The words that names and descriptions of recipes are made of, for who has never quantised a network."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tundish_exporters.report.content import Trial

_WORDS: dict[str, tuple[str, str]] = {
    "fp32": (r"fp32", "32-bit floating point numbers, in which networks are trained"),
    "fp16, bf16": (r"fp16|bf16", "floating point numbers of 16 bits: half the memory, and fewer digits"),
    "int8, int4": (r"int[48]", "integers of 8 or 4 bits, with 256 or 16 values, which stand for steps over a range"),
    "ONNX Runtime, OpenVINO": (r"onnx|openvino", "the engines: programs that run a network on a processor"),
    "the gate": (r"gate", "the check that a way to run the model loses no more than its bound"),
    "drop": (r"drop", "what is lost to the float model, in points"),
    "interval": (r"interval", "what the true drop may be, as far as so many samples can tell"),
    "agreement": (r"agreement", "how many of the answers are the float model's, whether right or wrong; 1 for all"),
    "weights, activations": (r"weights|activations", "what training has learnt; what flows between layers"),
    "static": (r"static", "the ranges of activations are found before, on calibration data"),
    "dynamic": (r"dynamic", "each run finds the ranges of its activations itself"),
    "Q/DQ": (r"Q/DQ", "the file says where numbers become integers (quantise), and floats again (dequantise)"),
    "u8s8, u8s7, s8s8": (
        r"[us]8s[78]",
        "activations in 8 bits, unsigned or signed; weights in 8 signed bits, or 7 where a processor has no room for 8",
    ),
    "per channel, per tensor": (
        r"per channel|per tensor",
        "a range for each channel of a layer's weights, or one for all",
    ),
    "mean extremes, extremes": (
        r"extremes|mean",
        "the range of an activation reaches to the mean of its extremes over the calibration data, or to all of them",
    ),
    "percentile": (r"percentile", "the range leaves out the largest values, one in ten thousand"),
    "least divergence, entropy": (
        r"divergence|entropy",
        "the range after which the values' distribution changes least",
    ),
    "SmoothQuant": (r"smooth", "outliers of activations are moved into the weights before they are quantised"),
    "blocks": (r"blocks of (?!columns)|-block\d", "so many weights share a scale"),
    "stem": (r"\bstem", "the first convolution of a network of images, which reads the pixels"),
    "blocks of columns": (
        r"blocks of columns|blocks-stem",
        "several columns of an image are read as one, as processors multiply integers",
    ),
    "head": (r"\bheads?\b", "the last layer, which gives the answers"),
    "biases corrected": (r"biases corrected", "what rounding weights does to a layer's mean output is taken back"),
    "fitted": (r"fitted", "changed so that answers on the calibration data are as near to the float model's as can be"),
    "kernels": (
        r"kernels?\b",
        "code of tundish's own for a kind of layer, which ONNX Runtime calls; the answers are the same to the bit",
    ),
    "depthwise": (r"depthwise", "convolutions that filter each channel alone"),
    "nncf": (r"nncf", "a program of OpenVINO's makers, which quantises for it"),
    "in float": (r"in float|float-embeddings", "not quantised, since that cost too much accuracy"),
}


def words_in(trials: Iterable[Trial]) -> dict[str, str]:
    """The words that stand in what these trials are called, and their meanings."""
    said = " ".join(f"{each.name} {each.recipe} {each.engine} {each.precision} {each.reason}" for each in trials)
    return {word: meaning for word, (pattern, meaning) in _WORDS.items() if re.search(pattern, said, re.IGNORECASE)}
