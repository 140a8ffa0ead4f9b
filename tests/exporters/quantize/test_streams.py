"""Sums of convolutions whose channels are evened out: the same answers in float, nearer ones in integers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper
from support.float_graphs import EDGE, image_inputs, node, write

from tundish_exporters.errors import ExportError
from tundish_exporters.progress import silent
from tundish_exporters.quantize import apply
from tundish_exporters.quantize.observing import observed
from tundish_exporters.quantize.static import StaticRecipe
from tundish_exporters.quantize.streams import even_streams

NARROW, WIDE = 8, 24
WIDTHS = np.geomspace(0.02, 2, NARROW)
"""Of the channels of sums, for which what reads them makes up."""
IN_STREAM = ("n0", "n1", "s1", "n2", "s2")


def write_residual(path: Path, *, others: str = "", made: str = "", rectified: bool = False) -> Path:
    """Two inverted residual blocks, the second of which is depthwise, and a head.

    `others` names a tensor that a node of no convolution reads, `made` one that is an output as well.
    """
    draw = np.random.default_rng(5)
    rows, columns = WIDTHS.reshape(-1, 1, 1, 1), WIDTHS.reshape(1, -1, 1, 1)
    weights: dict[str, NDArray[Any]] = {
        "stem": draw.normal(0, 0.4, (WIDE, 3, 3, 3)),
        "down0": draw.normal(0, 0.3, (NARROW, WIDE, 1, 1)) * rows,
        "bias0": draw.normal(0, 0.3, NARROW) * WIDTHS,
        "up1": draw.normal(0, 0.4, (WIDE, NARROW, 1, 1)) / columns,
        "down1": draw.normal(0, 0.3, (NARROW, WIDE, 1, 1)) * rows,
        "each2": draw.normal(0, 0.4, (3 * NARROW, 1, 3, 3)) / WIDTHS.repeat(3).reshape(-1, 1, 1, 1),
        "down2": draw.normal(0, 0.3, (NARROW, 3 * NARROW, 1, 1)) * rows,
        "last": draw.normal(0, 0.4, (WIDE, NARROW, 1, 1)) / columns,
        "head": draw.normal(0, 0.5, (16, WIDE, 3, 3)),
    }
    nodes = [
        node("Conv", "pixels stem", "c0", pads=[1] * 4),
        node("Relu", "c0", "r0"),
        node("Conv", "r0 down0 bias0", "n0"),
        node("Conv", "n0 up1", "c1"),
        node("Relu", "c1", "r1"),
        node("Conv", "r1 down1", "n1"),
        node("Add", "n0 n1", "s1"),
        node("Conv", "s1 each2", "c2", pads=[1] * 4, group=NARROW),
        node("Relu", "c2", "r2"),
        node("Conv", "r2 down2", "n2"),
        node("Add", "n2 s1", "s2"),
        *([node("Relu", "s2", "s3")] if rectified else []),
        node("Conv", f"{'s3' if rectified else 's2'} last", "c3"),
        node("Relu", "c3", "r3"),
        node("Conv", "r3 head", "answers"),
        *([node("Abs", others, "other")] if others else []),
    ]
    given = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 3, EDGE, EDGE])
    answered = helper.make_tensor_value_info("answers", TensorProto.FLOAT, None)
    write(path, nodes, weights, given, answered)
    if extra := [*(["other"] if others else []), *([made] if made else [])]:
        model = onnx.load(path)
        model.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in extra)
        onnx.save(model, path)
    return path


def answers(path: Path, inputs: list[dict[str, NDArray[Any]]]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.concatenate([np.asarray(session.run(None, each)[0]) for each in inputs])


def widths(path: Path, name: str, inputs: list[dict[str, NDArray[Any]]]) -> NDArray[np.float32]:
    """Of each channel of a tensor, on all inputs."""
    values = np.concatenate([each for (each,) in observed(onnx.load(path), [name], inputs, "", silent)])
    found: NDArray[np.float32] = np.ptp(values, axis=(0, 2, 3))
    return found


def test_answers_stay_and_all_of_a_stream_is_evened_out_by_the_same(tmp_path: Path) -> None:
    path, inputs = write_residual(tmp_path / "float.onnx"), image_inputs()
    wanted, before = answers(path, inputs), {name: widths(path, name, inputs) for name in IN_STREAM}
    even_streams(path, inputs, silent)
    assert answers(path, inputs) == pytest.approx(wanted, abs=1e-5 * float(np.abs(wanted).max()))
    after = {name: widths(path, name, inputs) for name in IN_STREAM}
    factors = after["s2"] / before["s2"]
    for name in IN_STREAM:
        assert after[name] / before[name] == pytest.approx(factors, rel=1e-4), name
    assert factors.min() == pytest.approx(1), "the widest stays"
    assert np.ptp(np.log(after["s2"])) < 0.5 * np.ptp(np.log(before["s2"]))


@pytest.mark.parametrize(
    "changes", [*({key: name} for key in ("others", "made") for name in IN_STREAM), {"rectified": True}], ids=str
)
def test_a_stream_that_others_read_is_left_alone(changes: dict[str, Any], tmp_path: Path) -> None:
    path = write_residual(tmp_path / "float.onnx", **changes)
    before = path.read_bytes()
    even_streams(path, image_inputs(), silent)
    assert path.read_bytes() == before


def test_a_channel_that_is_always_zero_stays_a_number(tmp_path: Path) -> None:
    path, inputs = write_residual(tmp_path / "float.onnx"), image_inputs()
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        if tensor.name.startswith(("down", "bias")):
            array = onnx.numpy_helper.to_array(tensor).copy()
            array[3] = 0
            tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
    onnx.save(model, path)
    wanted = answers(path, inputs)
    even_streams(path, inputs, silent)
    assert answers(path, inputs) == pytest.approx(wanted, abs=1e-5 * float(np.abs(wanted).max()))


def test_without_inputs_it_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="needs calibration data"):
        even_streams(write_residual(tmp_path / "float.onnx"), [], silent)


def test_integers_are_nearer_to_float(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, inputs = write_residual(tmp_path / "float.onnx"), image_inputs(40)
    wanted, errors = answers(source, inputs[20:]), []
    for evened in (False, True):
        with monkeypatch.context() as patch:
            if not evened:
                patch.setattr("tundish_exporters.quantize.static.even_streams", lambda *_: None)
            apply(StaticRecipe(), source, tmp_path / "int8.onnx", inputs[:20], silent)
        errors.append(float(np.square(answers(tmp_path / "int8.onnx", inputs[20:]) - wanted).mean() ** 0.5))
    assert 0 < errors[1] < 0.6 * errors[0]
