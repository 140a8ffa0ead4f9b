"""The demo's image model: real weights, ImageNet's labels in the network's order, and views that come out the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tundish_exporters.data import label_indices, load_samples
from tundish_exporters.demo import mobilenet_v2
from tundish_exporters.demo import photographs as demo
from tundish_exporters.demo.assets import IMAGENET_NAMES, MOBILENET, fetch
from tundish_exporters.demo.photographs import class_index, imagenet_labels, prepare_photographs
from tundish_exporters.progress import silent


@pytest.fixture(scope="module")
def weights(asset_cache: Path) -> Path:
    return next(fetch(MOBILENET, asset_cache).rglob("*.pth"))


@pytest.fixture(scope="module")
def labels(asset_cache: Path) -> tuple[str, ...]:
    return imagenet_labels(fetch(IMAGENET_NAMES, asset_cache))


def test_the_network_takes_every_weight_of_the_file_and_no_other(weights: Path) -> None:
    network = mobilenet_v2.load(weights)
    stored = torch.load(weights, map_location="cpu", weights_only=True)
    assert {name: tensor.shape for name, tensor in network.state_dict().items()} == {
        name: tensor.shape for name, tensor in stored.items()
    }
    assert all(torch.equal(tensor, stored[name]) for name, tensor in network.state_dict().items())
    assert sum(parameter.numel() for parameter in network.parameters()) == 3_504_872
    assert not network.training


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save({"features.0.0.weight": torch.zeros(32, 3, 3, 3)}, tmp_path / "other.pth")
    with pytest.raises(RuntimeError, match="Missing key"):
        mobilenet_v2.load(tmp_path / "other.pth")


def test_the_network_knows_the_photographs_by_the_number_in_their_names(weights: Path, photographs: list[Path]) -> None:
    network = mobilenet_v2.load(weights)
    right = 0
    for path in photographs:
        with Image.open(path) as image:  # the shorter edge to 256, and 224 of the middle
            scale = 256 / min(image.size)
            size = int(image.width * scale), int(image.height * scale)
            left, top = (size[0] - 224) // 2, (size[1] - 224) // 2
            middle = image.resize(size, Image.Resampling.BILINEAR).crop((left, top, left + 224, top + 224))
        normalised = (np.asarray(middle) / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
        with torch.inference_mode():
            logits = network(torch.from_numpy(normalised.transpose(2, 0, 1)[np.newaxis].astype(np.float32)))
        assert logits.shape == (1, 1000)
        right += int(logits.argmax()) == int(path.stem.split("_")[-1])
        assert class_index(path) == int(path.stem.split("_")[-1])
    assert len(photographs) == 20
    assert right >= 17


def test_the_labels_stand_in_the_order_of_the_outputs(labels: tuple[str, ...]) -> None:
    known = {
        0: "tench",
        22: "bald eagle",
        99: "goose",
        134: "crane",  # the bird
        251: "dalmatian",
        281: "tabby",
        471: "cannon",
        517: "crane (2)",  # the machine
        559: "folding chair",
        609: "jeep",
        949: "strawberry",
        999: "toilet tissue",
    }
    assert {index: labels[index] for index in known} == known


def test_each_label_is_there_once_and_can_name_a_folder(labels: tuple[str, ...], tmp_path: Path) -> None:
    assert len(labels) == len(set(labels)) == 1000
    for label in labels:
        assert label == label.strip()
        assert not label.startswith(".")
        (tmp_path / label).mkdir()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(labels)


def contents(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*.jpg")}


def test_views_say_what_they_show_and_of_which_photograph_they_are_and_come_out_the_same_each_time(
    tmp_path: Path,
    asset_cache: Path,
    photographs: list[Path],
    labels: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(demo, "_EVALUATION_VIEWS", 3)
    monkeypatch.setattr(demo, "_CALIBRATION_VIEWS", 2)
    model = prepare_photographs(asset_cache, tmp_path / "first", silent)
    prepare_photographs(asset_cache, tmp_path / "second", silent)
    assert contents(tmp_path / "first") == contents(tmp_path / "second")
    assert model.postprocess.labels == labels

    calibration, evaluation = contents(model.calibration), contents(model.evaluation.with_suffix(""))
    assert (len(calibration), len(evaluation)) == (20 * 2, 20 * 3)
    assert len(set(calibration.values()) | set(evaluation.values())) == 20 * 5, "no view may be there twice"

    sizes = {}
    for path in photographs:
        with Image.open(path) as image:
            sizes[path.stem] = image.size
    samples = load_samples(model.evaluation, ("image",), truth="label", group_column="photograph").samples
    assert {sample.group for sample in samples} == set(sizes)
    indices = label_indices(samples, labels, model.evaluation)
    for sample, index in zip(samples, indices, strict=True):
        (content,) = sample.content
        assert isinstance(content, Path)
        assert int(content.stem.rsplit("-", 1)[0].split("_")[-1]) == index
        with Image.open(content) as view:
            stem = sample.group
            assert stem is not None
            assert content.stem.startswith(stem)
            shares = view.width / sizes[stem][0], view.height / sizes[stem][1]
        assert shares[0] == pytest.approx(shares[1], abs=0.005), "a view must not be stretched"
        assert 0.695 <= shares[0] <= 1
