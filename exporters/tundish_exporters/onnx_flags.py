"""The flags of `tundish export` for ONNX files: what they may say, and the hints that they make."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from tundish.manifest import Interpolation
from tundish_exporters.detector_hints import Background, BoxForm, BoxUnit, DetectorHints, Suppression
from tundish_exporters.errors import ExportError
from tundish_exporters.onnx_hints import Activation, Color, Layout, OnnxHints
from tundish_exporters.text_hints import TextHints

SUFFIX = ".onnx"

_PANEL = "ONNX sources"
_DETECTORS = "ONNX sources of objects; the rest is found from what the network answers"
_NUMBERS = "NUMBER|R,G,B"


def _flag(text: str, metavar: str | None = None, panel: str = _PANEL) -> Any:
    return typer.Option(help=text, metavar=metavar, rich_help_panel=panel, show_default=False)


LabelsFlag = Annotated[
    Path | None,
    _flag(
        "Labels in the order of the scores: a file with one a line, or JSON (a list, or index to label). Of "
        "text-recognition, its characters, one a line."
    ),
]
TokenizerFlag = Annotated[
    Path | None, _flag("Directory with tokenizer.json and tokenizer_config.json, of a network that reads texts.")
]
MeanFlag = Annotated[
    str | None, _flag("Subtracted after scaling, in the order of --color; default 0, of texts 0.5.", _NUMBERS)
]
StdFlag = Annotated[str | None, _flag("Divides after that; default 1, of texts 0.5.", _NUMBERS)]
ScaleFlag = Annotated[float | None, _flag("Factor of a pixel of 0 to 255; default 1/255.")]
LayoutFlag = Annotated[Layout | None, _flag("Where the network has its colours; default: found from its input.")]
SizeFlag = Annotated[str | None, _flag("Of the network's input, if it takes any.", "HEIGHTxWIDTH")]
ResizeFlag = Annotated[
    str | None,
    _flag(
        "How, before the centre is cropped to the network's size; default stretch, to that size itself, but for YOLO "
        "letterbox.",
        "stretch[:HEIGHTxWIDTH]|shortest-edge[:LENGTH]|letterbox[-top-left][:HEIGHTxWIDTH]|line|none",
    ),
]
PaddingFlag = Annotated[int | None, _flag("Pixel value around a letterboxed image; default 114.")]
InterpolationFlag = Annotated[Interpolation | None, _flag("How to resize; default bilinear.")]
ColorFlag = Annotated[Color | None, _flag("Order of the network's channels; default rgb, of texts bgr.")]
ActivationFlag = Annotated[
    Activation | None,
    _flag("What makes scores of the outputs; default: softmax, or sigmoid for one, unless the network has it itself."),
]
IouFlag = Annotated[
    float | None,
    _flag(
        "Overlap (intersection over union) above which the better object drops the other; default 0.45.",
        panel=_DETECTORS,
    ),
]
ClassAgnosticFlag = Annotated[bool | None, _flag("A better object drops one of another label, too.", panel=_DETECTORS)]
NmsFlag = Annotated[
    Suppression | None, _flag("Where overlapping objects are dropped: inside the network or outside.", panel=_DETECTORS)
]
BoxFormFlag = Annotated[
    BoxForm | None,
    _flag(
        "What four numbers are: centre and size, corners, corners with y first, oriented (with an angle behind the "
        "labels), or undecoded: offsets (YOLOX), distances, and with anchors darknet (v3, v4), yolov5 (v5, v7) or "
        "priors (RetinaFace).",
        panel=_DETECTORS,
    ),
]
BoxUnitFlag = Annotated[
    BoxUnit | None, _flag("Of decoded boxes: pixels of the network's input, or shares of it.", panel=_DETECTORS)
]
AnchorsFlag = Annotated[
    str | None,
    _flag(
        "Widths and heights in pixels, those of the finest grid first, as in Darknet's cfg; default the family's.",
        "W,H,W,H,...",
        _DETECTORS,
    ),
]
BackgroundFlag = Annotated[
    Background | None, _flag("Where the class that stands for nothing is among the scores.", panel=_DETECTORS)
]


def is_onnx(source: Path) -> bool:
    """By its name."""
    return source.suffix.lower() == SUFFIX


def read_hints(source: Path, **flags: Any) -> OnnxHints | None:
    """The hints of an ONNX file, by the names of their fields; None for another source.

    Raises:
        ExportError: flags were given for another source, or one of them cannot be said.
        typer.BadParameter: numbers have another form.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    if not is_onnx(source):
        if given:
            said = ", ".join(f"--{name.replace('_', '-')}" for name in given)
            raise ExportError(f"{source} is no ONNX file, to which alone {said} belong; leave them out.")
        return None
    for name in ("mean", "std"):
        if name in given:
            given[name] = _channels(f"--{name}", given[name])
    if "size" in given:
        given["size"] = _size(given["size"])
    if "anchors" in given:
        given["anchors"] = _floats("--anchors", given["anchors"])
    of_detectors = {name: given.pop(name) for name in DetectorHints.__slots__ if name in given}
    of_texts = {name: given.pop(name) for name in TextHints.__slots__ if name in given}
    return OnnxHints(**given, detector=DetectorHints(**of_detectors), texts=TextHints(**of_texts))


def _channels(flag: str, text: str) -> float | tuple[float, float, float]:
    values = _floats(flag, text)
    if len(values) == 1:
        return values[0]
    if len(values) != 3:
        raise typer.BadParameter(f"'{text}' is neither a number nor three with commas between.", param_hint=flag)
    return (values[0], values[1], values[2])


def _floats(flag: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in re.split(r"[,\s]+", text.strip()))
    except ValueError:
        raise typer.BadParameter(f"'{text}' is no list of numbers with commas between.", param_hint=flag) from None


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([1-9][0-9]{0,4})[xX]([1-9][0-9]{0,4})", text)
    if match is None:
        raise typer.BadParameter(f"'{text}' is no HEIGHTxWIDTH, such as 224x224.", param_hint="--size")
    return int(match[1]), int(match[2])
