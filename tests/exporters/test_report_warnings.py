"""What an export warns of, in its report; and the folders of the machine, which are not."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import pytest
from support.networks import (
    COLOR_INPUTS,
    COLOR_POSTPROCESS,
    COLOR_PREPROCESS,
    COLORS,
    ColorNetwork,
    write_color_images,
)

from tundish_exporters import export_module
from tundish_exporters.data import Sample
from tundish_exporters.export_options import ExportOptions
from tundish_exporters.report import JSON_NAME, PAGE_NAME
from tundish_exporters.report.folders import Folders


def test_what_an_export_warns_of_stands_in_its_report_without_the_machines_folders(tmp_path: Path) -> None:
    images = write_color_images(tmp_path / "images")
    (images / COLORS[0] / "cut.png").write_bytes(b"no image")
    calibration = write_color_images(tmp_path / "others", each=1)
    exported = export_module(
        ColorNetwork(outlier=True),
        COLOR_INPUTS,
        task="image-classification",
        preprocess=COLOR_PREPROCESS,
        postprocess=COLOR_POSTPROCESS,
        name="colors",
        repository=tmp_path / "models",
        calibration=calibration,
        evaluation=images,
    )
    said = "\n".join(exported.warnings)
    for part in ("cut.png", f"{calibration} has 3 samples", f"{images} has 12 samples", "does not pass the gate"):
        assert part in said
    written = exported.bundle.path(JSON_NAME).read_text()
    assert json.loads(written)["warnings"] == said.replace(f"{tmp_path}/", "").split("\n")
    page = exported.bundle.path(PAGE_NAME).read_text()
    listed = re.findall(r"<li>(.*)</li>", page.partition('<div class="warnings">')[2].partition("</div>")[0])
    assert list(map(html.unescape, listed)) == json.loads(written)["warnings"]
    assert str(tmp_path) not in page + written


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("/data/line/cells has 3 samples.", "cells has 3 samples."),
        ("It fails on /data/line/cells/crack/1.png, and '/mnt/a/b/2.png'.", "It fails on crack/1.png, and 'b/2.png'."),
        ("ONNX Runtime does not take /models/.new/int8.onnx: /data", "ONNX Runtime does not take int8.onnx: /data"),
        ("The node /planted/Conv and /old/data/line/x differ.", "The node /planted/Conv and /old/data/line/x differ."),
        ("1 of 2 samples of relative/table.csv", "1 of 2 samples of relative/table.csv"),
    ],
)
def test_sentences_name_files_without_the_folders_above_the_data(said: str, shown: str) -> None:
    options = ExportOptions(
        name="m", repository=Path(), calibration=Path("/data/line/cells"), evaluation=Path("relative/table.csv")
    )
    samples = [Sample((Path("/data/line/cells/crack/1.png"),)), Sample((Path("/mnt/a/b/2.png"), "a text"))]
    assert Folders(options, samples=samples, bundle=Path("/models/.new")).without(said) == shown
