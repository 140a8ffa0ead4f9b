"""An export from data as people have them: what is odd about them is said, and the rest is used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.networks import (
    COLOR_INPUTS,
    COLOR_POSTPROCESS,
    COLOR_PREPROCESS,
    ColorNetwork,
    write_color_images,
)

from tundish_exporters import DataError, export_module
from tundish_exporters.exporting import Exported

(INPUT,) = COLOR_INPUTS


def export(repository: Path, **data: Any) -> Exported:
    return export_module(
        ColorNetwork(outlier=False),
        COLOR_INPUTS,
        task="image-classification",
        preprocess=COLOR_PREPROCESS,
        postprocess=COLOR_POSTPROCESS,
        name="colors",
        repository=repository,
        **data,
    )


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-four images in one table, of which the last is cut short."""
    folder = tmp_path_factory.mktemp("evaluation")
    files = sorted(write_color_images(folder / "images", each=8).rglob("*.png"))
    rows = [{"bytes": file.read_bytes(), "path": file.name} for file in files]
    rows[-1]["bytes"] = files[-1].read_bytes()[:-100]
    path = folder / "a.parquet"
    pq.write_table(pa.table({"image": rows, "label": [file.parent.name for file in files]}), path)
    return path


def network_inputs(path: Path, scale: float, name: str = INPUT) -> Path:
    """Normalised pixels of noise up to `scale`."""
    shape: Any = (20, *COLOR_INPUTS[INPUT].shape[1:])
    np.savez(path, **{name: (np.random.default_rng(1).random(shape) * scale).astype(np.float32)})
    return path


def test_a_table_of_images_judges_what_arrays_have_calibrated(evaluation: Path, tmp_path: Path) -> None:
    exported = export(tmp_path / "models", calibration=network_inputs(tmp_path / "a.npz", 1e-3), evaluation=evaluation)
    floating, quantised = exported.bundle.manifest.variants
    assert floating.accuracy is not None
    assert quantised.accuracy is not None
    assert (floating.accuracy.value, floating.accuracy.samples) == (1.0, 23)
    assert quantised.accuracy.value < 0.5, "ranges of a thousandth of what images have cut what these need"
    said = exported.warnings[0]
    assert said.startswith(f"1 of 24 samples of {evaluation} cannot be used and was left out: row 24 (The image is")


def test_arrays_of_another_network_leave_nothing_behind(evaluation: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"A sample of .*a\.npz is other float32 \[1, 3, .*, and the network takes"):
        export(
            tmp_path / "models",
            calibration=network_inputs(tmp_path / "a.npz", 1.0, "other"),
            evaluation=evaluation,
        )
    assert not (tmp_path / "models").exists()
