"""Which recipes a graph is offered, and in what order, on which processor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from support.float_graphs import node, write, write_convolutions, write_encoder, write_mobile

from tundish.manifest import EngineName
from tundish.placement.machine import Machine
from tundish_exporters.errors import ExportError
from tundish_exporters.quantize import processor, recipes_for

BOTH: tuple[EngineName, ...] = ("onnx", "openvino")


def machine(monkeypatch: pytest.MonkeyPatch, *instructions: str) -> None:
    made = Machine(processor="any", instructions=instructions, cores=1, packages={})
    monkeypatch.setattr(processor, "this_machine", lambda: made)


@pytest.mark.parametrize(
    ("instructions", "saturates"),
    [
        (("avx2", "fma"), True),
        (("avx2", "avx512f"), True),
        (("avx2", "avx_vnni"), False),
        (("avx2", "avx512f", "avx512_vnni"), False),
        (("asimd", "asimddp"), False),
        (("sse4_1", "avx"), False),
    ],
)
def test_which_processors_saturate(
    monkeypatch: pytest.MonkeyPatch, instructions: tuple[str, ...], saturates: bool
) -> None:
    machine(monkeypatch, *instructions)
    assert processor.saturates() == saturates


def test_a_transformer_takes_smoothed_weights_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source = write_encoder(tmp_path / "m.onnx")
    machine(monkeypatch, "avx2")
    names = [recipe.name for recipe in recipes_for(source, engines=BOTH)]
    assert names[:4] == [
        "dynamic-u8s7-smooth-0.8",
        "fused-dynamic-u8s7-smooth-0.8",
        "static-products-u8s7-mean-smooth-0.8",
        "dynamic-u8s8",
    ]
    assert {"dynamic-u8s7", "weights-int8-block32", "weights-int4-block32"} < set(names)
    assert names[-1] == "fp16"
    machine(monkeypatch, "avx2", "avx512_vnni")
    names = [recipe.name for recipe in recipes_for(source, engines=BOTH)]
    assert names[:4] == [
        "fused-dynamic-u8s8-smooth-0.8-kernels",
        "dynamic-u8s8-smooth-0.8-kernels",
        "dynamic-u8s8-smooth-0.8",
        "fused-dynamic-u8s8-smooth-0.8",
    ]
    assert not any("u8s7" in name for name in names)
    assert not any("kernels" in recipe.name for recipe in recipes_for(source, engines=BOTH[1:]))
    stock = [recipe.name for recipe in recipes_for(source, engines=BOTH, stock_operators=True)]
    assert stock == [name for name in names if "kernels" not in name]


def test_a_convolutional_network_takes_static_ranges_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine(monkeypatch, "avx2", "avx_vnni")
    source = write_convolutions(tmp_path / "m.onnx")
    names = [recipe.name for recipe in recipes_for(source, engines=BOTH)]
    assert names[:8] == [
        "static-u8s8-mean-plain-stem-kernels",
        "static-u8s8-mean-blocks-stem",
        "static-u8s8-mean-plain-stem",
        "static-u8s8-mean",
        "static-u8s8-percentile-plain-stem-kernels",
        "static-u8s8-percentile-blocks-stem",
        "static-u8s8-percentile-plain-stem",
        "static-u8s8-percentile",
    ]
    assert [recipe.name for recipe in recipes_for(source, engines=BOTH[1:])] == [
        "static-u8s8-mean-plain-stem",
        "static-u8s8-mean",
        "static-u8s8-percentile-plain-stem",
        "static-u8s8-percentile",
        "nncf",
        "static-u8s8-entropy",
        "static-u8s8-extremes",
        "static-u8s8-mean-per-tensor",
        "fp16",
    ]


def test_depthwise_convolutions_take_kernels_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source = write_mobile(tmp_path / "m.onnx")
    machine(monkeypatch, "avx2", "avx512f", "avx512_vnni")
    assert recipes_for(source, engines=BOTH)[0].name == "static-u8s8-mean-plain-stem-kernels"
    machine(monkeypatch, "avx2", "avx_vnni")
    names = [recipe.name for recipe in recipes_for(source, engines=BOTH)]
    assert names[:3] == [
        "static-u8s8-mean-plain-stem-kernels",
        "static-u8s8-mean-blocks-stem",
        "static-u8s8-mean-plain-stem",
    ]
    assert [name for name in names if "kernels" in name][1:] == [
        f"static-u8s8-{ranges}-plain-stem-kernels" for ranges in ("percentile", "extremes", "entropy")
    ]
    for without in (
        recipes_for(source, engines=BOTH[1:]),
        recipes_for(source, engines=BOTH, stock_operators=True),
    ):
        assert not any("kernels" in recipe.name for recipe in without)
    # The kernels must have been compiled for it, too, and a process be let use it.
    machine(monkeypatch, "avx2", "avx512f", "avx512_vnni", "amx_int8")
    for isas, name in ((["scalar", "avx512_amx"], "dense-kernels"), (["scalar", "avx512_vnni"], "kernels")):
        monkeypatch.setattr(processor, "available_isas", lambda isas=isas: isas)
        assert recipes_for(source, engines=BOTH)[0].name == f"static-u8s8-mean-plain-stem-{name}"
    for instructions in (("avx2",), ("avx2", "avx512f"), ("asimd", "asimddp")):
        machine(monkeypatch, *instructions)
        assert not any("kernels" in recipe.name for recipe in recipes_for(source, engines=BOTH))


def test_stems_stay_in_float_where_sums_are_cut_off_or_images_have_any_width(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = write_convolutions(tmp_path / "m.onnx")
    machine(monkeypatch, "avx2")
    assert not any("stem" in recipe.name for recipe in recipes_for(source, engines=BOTH))
    machine(monkeypatch, "avx2", "avx_vnni")
    model = onnx.load(source)
    model.graph.input[0].type.tensor_type.shape.dim[3].dim_param = "width"
    onnx.save(model, source)
    assert not any("stem" in recipe.name for recipe in recipes_for(source, engines=BOTH))


def test_a_recipe_that_no_engine_gains_by_is_left_out(tmp_path: Path) -> None:
    source = write_encoder(tmp_path / "m.onnx")
    by_one, by_both = (recipes_for(source, engines=engines) for engines in (BOTH[1:], BOTH))
    assert by_one == [recipe for recipe in by_both if "openvino" in recipe.engines]
    assert {type(recipe).__name__ for recipe in by_one} == {"StaticRecipe", "HalfRecipe"}
    names = [recipe.name for recipe in by_both]
    assert len(set(names)) == len(names)


def test_a_graph_without_weights_has_nothing_to_quantise(tmp_path: Path) -> None:
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in ("x", "y")]
    write(tmp_path / "m.onnx", [node("Relu", "x", "y")], {}, *tensors)
    assert [recipe.name for recipe in recipes_for(tmp_path / "m.onnx", engines=BOTH)] == ["fp16"]


def test_a_table_of_vectors_is_quantised(tmp_path: Path) -> None:
    given = helper.make_tensor_value_info("x", TensorProto.INT64, ["n"])
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 8])
    write(tmp_path / "m.onnx", [node("Gather", "table x", "y")], {"table": np.ones((9, 8))}, given, made)
    assert recipes_for(tmp_path / "m.onnx", engines=BOTH)[0].name == "dynamic-u8s8"


def test_what_is_no_graph_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"none")
    with pytest.raises(ExportError, match=r"^Reading m\.onnx failed: "):
        recipes_for(tmp_path / "m.onnx", engines=BOTH)
