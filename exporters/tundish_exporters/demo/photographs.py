"""MobileNetV2 with ImageNet's own head, and labelled views of real photographs to calibrate and evaluate it on."""

from __future__ import annotations

import csv
import random
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps
from PIL.JpegImagePlugin import JpegImageFile

from tundish.manifest import ClassificationPostprocess, ImagePreprocess, ShortestEdgeResize
from tundish_exporters.demo import mobilenet_v2
from tundish_exporters.demo.assets import IMAGENET_NAMES, MOBILENET, PHOTOGRAPHS, fetch
from tundish_exporters.progress import Progress, tracked

PREPROCESS = ImagePreprocess(
    resize=ShortestEdgeResize(length=256),
    interpolation="bilinear",
    crop=(224, 224),
    centre="torchvision",
    rescale=1 / 255,
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
)
"""What torchvision's weights were trained with."""

GROUP_COLUMN = "photograph"
_EVALUATION_VIEWS = 50
_CALIBRATION_VIEWS = 5
_SMALLEST_SHARE = 0.7
"""Of a photograph's edge that a view shows; smaller ones often miss what the label names."""


@dataclass(frozen=True, slots=True)
class PhotographModel:
    """A network, what it answers, and data for it."""

    network: mobilenet_v2.MobileNetV2
    postprocess: ClassificationPostprocess
    calibration: Path
    evaluation: Path
    """A table, with a column `GROUP_COLUMN` of the photograph that a view is of."""


def prepare_photographs(cache: Path, destination: Path, progress: Progress) -> PhotographModel:
    """Loads the network, and writes views of the twenty photographs below `destination`, a folder for each label."""
    assets = (IMAGENET_NAMES, PHOTOGRAPHS, MOBILENET)
    names, pictures, weights = (fetch(asset, cache) for asset in tracked(assets, "fetch weights and data", progress))
    labels = imagenet_labels(names)
    photographs = sorted(pictures.rglob("*.jpg"))
    calibration, evaluation = destination / "calibration", destination / "evaluation"
    for path in tracked(photographs, "crop photographs", progress):
        label = labels[class_index(path)]
        _write_views(path, calibration / label, _CALIBRATION_VIEWS, seed=f"calibration {path.name}")
        _write_views(path, evaluation / label, _EVALUATION_VIEWS, seed=f"evaluation {path.name}")
    return PhotographModel(
        network=mobilenet_v2.load(next(weights.rglob("*.pth"))),
        postprocess=ClassificationPostprocess(labels=labels, function="softmax"),
        calibration=calibration,
        evaluation=_write_table(evaluation),
    )


def _write_table(views: Path) -> Path:
    """What each view shows, and of which photograph it is: those of one are right and wrong together."""
    table = views.with_suffix(".csv")
    with table.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["image", "label", GROUP_COLUMN])
        for path in sorted(views.rglob("*.jpg")):
            rows.writerow([path.relative_to(table.parent), path.parent.name, path.stem.rsplit("-", 1)[0]])
    return table


def class_index(photograph: Path) -> int:
    """The ImageNet class that the photograph's file name ends in."""
    return int(photograph.stem.rsplit("_", maxsplit=1)[1])


def imagenet_labels(directory: Path) -> tuple[str, ...]:
    """The first name of each of the 1,000 classes, in the order of the network's outputs.

    Two classes share a name now and then (crane the bird, crane the machine): the later ones are numbered.
    """
    synsets_path, lemmas_path = (directory / member for member in IMAGENET_NAMES.members)
    lemmas = dict(line.split("\t", 1) for line in lemmas_path.read_text(encoding="utf-8").splitlines())
    labels: list[str] = []
    for synset in synsets_path.read_text(encoding="utf-8").split():
        name = lemmas[synset].split(",")[0].strip().replace("/", " or ")
        times = sum(label == name or label.startswith(f"{name} (") for label in labels)
        labels.append(f"{name} ({times + 1})" if times else name)
    return tuple(labels)


def _write_views(photograph: Path, directory: Path, count: int, *, seed: str) -> None:
    """JPEG files of random crops of the photograph, every other one mirrored; the seed gives the same ones again.

    Each is enlarged to the photograph's size, and is a progressive file of its quantisation: a camera's images are of
    one size and kind, whatever is nearer or farther in them.
    """
    directory.mkdir(parents=True, exist_ok=True)
    draw = random.Random(seed)
    image = JpegImageFile(photograph)
    with image:
        picture, steps = image.convert("RGB"), image.quantization
    for index in range(count):
        view = _random_crop(picture, draw)
        if index % 2:
            view = ImageOps.mirror(view)
        view = view.resize(picture.size, Image.Resampling.BICUBIC)
        view.save(directory / f"{photograph.stem}-{index:02}.jpg", qtables=steps, progressive=True)


def _random_crop(picture: Image.Image, draw: random.Random) -> Image.Image:
    share = draw.uniform(_SMALLEST_SHARE, 1.0)
    width, height = round(picture.width * share), round(picture.height * share)
    left, top = draw.randint(0, picture.width - width), draw.randint(0, picture.height - height)
    return picture.crop((left, top, left + width, top + height))
