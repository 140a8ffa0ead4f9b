"""The flags of `tundish export` for ONNX files: what they may say, and the hints that they make."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from tundish.manifest import Interpolation
from tundish_exporters.errors import ExportError
from tundish_exporters.onnx_hints import Activation, Color, Layout, OnnxHints

SUFFIX = ".onnx"

_PANEL = "ONNX sources"
_NUMBERS = "NUMBER|R,G,B"


def _flag(text: str, metavar: str | None = None) -> Any:
    return typer.Option(help=text, metavar=metavar, rich_help_panel=_PANEL, show_default=False)


LabelsFlag = Annotated[
    Path | None,
    _flag("Labels in the order of the scores: a file with one a line, or JSON (a list, or index to label)."),
]
MeanFlag = Annotated[str | None, _flag("Subtracted after scaling, in the order of --color; default 0.", _NUMBERS)]
StdFlag = Annotated[str | None, _flag("Divides after that; default 1.", _NUMBERS)]
ScaleFlag = Annotated[float | None, _flag("Factor of a pixel of 0 to 255; default 1/255.")]
LayoutFlag = Annotated[Layout | None, _flag("Where the network has its colours; default: found from its input.")]
SizeFlag = Annotated[str | None, _flag("Of the network's input, if it takes any.", "HEIGHTxWIDTH")]
ResizeFlag = Annotated[
    str | None,
    _flag(
        "How, before the centre is cropped to the network's size; default stretch, to that size itself.",
        "stretch[:HEIGHTxWIDTH]|shortest-edge[:LENGTH]|none",
    ),
]
InterpolationFlag = Annotated[Interpolation | None, _flag("How to resize; default bilinear.")]
ColorFlag = Annotated[Color | None, _flag("Order of the network's channels; default rgb.")]
ActivationFlag = Annotated[
    Activation | None,
    _flag("What makes scores of the outputs; default: softmax, or sigmoid for one, unless the network has it itself."),
]


def read_hints(source: Path, **flags: Any) -> OnnxHints | None:
    """The hints of an ONNX file, by the names of their fields; None for another source.

    Raises:
        ExportError: flags were given for another source, or one of them cannot be said.
        typer.BadParameter: numbers have another form.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    if source.suffix.lower() != SUFFIX:
        if given:
            said = ", ".join(f"--{name}" for name in given)
            raise ExportError(f"{source} is no ONNX file, to which alone {said} belong; leave them out.")
        return None
    for name in ("mean", "std"):
        if name in given:
            given[name] = _channels(f"--{name}", given[name])
    if "size" in given:
        given["size"] = _size(given["size"])
    return OnnxHints(**given)


def _channels(flag: str, text: str) -> float | tuple[float, float, float]:
    try:
        values = [float(part) for part in re.split(r"[,\s]+", text.strip())]
    except ValueError:
        values = []
    if len(values) == 1:
        return values[0]
    if len(values) != 3:
        raise typer.BadParameter(f"'{text}' is neither a number nor three with commas between.", param_hint=flag)
    return (values[0], values[1], values[2])


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([1-9][0-9]{0,4})[xX]([1-9][0-9]{0,4})", text)
    if match is None:
        raise typer.BadParameter(f"'{text}' is no HEIGHTxWIDTH, such as 224x224.", param_hint="--size")
    return int(match[1]), int(match[2])
