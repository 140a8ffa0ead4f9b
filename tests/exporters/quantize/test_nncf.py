"""What nncf makes for OpenVINO, in a process of its own that reports to nobody."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from support.float_graphs import float_layers, image_inputs, write_convolutions

from tundish.engines import load_file
from tundish_exporters.errors import ExportError
from tundish_exporters.progress import silent
from tundish_exporters.quantize import apply
from tundish_exporters.quantize.nncf_recipe import NncfRecipe

RECIPE = NncfRecipe(transformer=False).keeping(frozenset({"Conv_c2"}))

SPY = """
from pathlib import Path
Path(__file__).with_name("imported").touch()

class Telemetry:
    def __init__(self, *arguments, **named): ...
    def __getattr__(self, name): return lambda *arguments, **named: None
"""


@pytest.fixture(autouse=True, scope="module")
def engines() -> None:
    """All that are installed."""


def test_it_keeps_layers_and_reports_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    spy, home = tmp_path / "spy", tmp_path / "home"
    for directory in (spy, home):
        directory.mkdir()
    (spy / "openvino_telemetry.py").write_text(SPY)
    monkeypatch.setenv("PYTHONPATH", str(spy))  # before what is installed
    monkeypatch.setenv("HOME", str(home))
    loaded = set(sys.modules)
    source, inputs = write_convolutions(tmp_path / "float.onnx"), image_inputs()
    paths = [tmp_path / name for name in ("first.onnx", "second.onnx")]
    for path in paths:
        apply(RECIPE, source, path, inputs, silent)
    assert not (spy / "imported").exists()
    assert not list(home.rglob("*intel*"))
    assert not [name for name in set(sys.modules) - loaded if name.startswith(("nncf", "openvino_telemetry"))]
    assert capfd.readouterr() == ("", "")
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert "Conv_c2" in float_layers(paths[0])
    assert not float_layers(paths[0]) & {"Conv_c0", "Conv_c1", "Conv_c3"}
    floating, quantised = (
        np.concatenate([np.asarray(engine.run(each)["logits"], np.float64) for each in inputs])
        for engine in (
            load_file("openvino", source, precision="fp32", threads=1),
            load_file("openvino", paths[0], precision="int8", threads=1),
        )
    )
    assert np.abs(quantised - floating).mean() < 0.05 * np.abs(floating).mean()


def test_what_it_does_not_take_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"no graph")
    with pytest.raises(ExportError, match=r"^Quantisation by nncf failed: [^\n]+$"):
        RECIPE.write(tmp_path / "m.onnx", tmp_path / "q.onnx", image_inputs(1), silent)
