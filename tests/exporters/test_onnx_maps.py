"""Semantic segmenters from ONNX files: each pixel of an image has the label that PyTorch's own way gives it."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import transformers as hf
from PIL import Image
from support.commands import call_tundish
from support.exported_objects import IMAGES, found_by
from support.onnx_detectors import SIZE, Array, write_detector
from support.segmentations import Expected, segment_faults
from support.segmenter_families import FEW_LABELS, STRETCHED, save_segmenter, segformer

import tundish
from tundish.manifest import PixelIndexPostprocess, SemanticPostprocess
from tundish.results import ImageSegmentation
from tundish_exporters import DetectorHints, ExportError, OnnxHints, export_onnx
from tundish_exporters.sources.onnx_file import load_onnx
from tundish_exporters.sources.onnx_file.pixel_map import PixelMap

LABELS = ("sound", "crack", "dent")
NORMALIZED = ("--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225")
"""As SegFormer's processor does it."""


class Logits(torch.nn.Module):
    """What a user exports of a model of transformers."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.model(pixel_values=pixel_values).logits
        return logits


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`source`, a small SegFormer's directory, and `segformer.onnx`, which PyTorch has made of it."""
    root = tmp_path_factory.mktemp("maps")
    model = hf.SegformerForSemanticSegmentation.from_pretrained(save_segmenter(root / "source", segformer()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Logits(model).eval(),
            (torch.zeros(1, 3, STRETCHED["height"], STRETCHED["width"]),),
            root / "segformer.onnx",
            input_names=["pixel_values"],
            output_names=["logits"],
            dynamic_axes={"pixel_values": {0: "batch", 2: "height", 3: "width"}, "logits": {0: "batch"}},
            dynamo=False,
        )
    (root / "labels.txt").write_text("\n".join(FEW_LABELS))
    return root


def segmented(source: Path, data: bytes) -> list[Expected]:
    """By transformers alone."""
    model = hf.SegformerForSemanticSegmentation.from_pretrained(source)
    processor = hf.SegformerImageProcessor.from_pretrained(source)
    image = Image.open(io.BytesIO(data)).convert("RGB")
    with torch.no_grad():
        outputs = model(**processor(image, return_tensors="pt"))
    (label_map,) = processor.post_process_semantic_segmentation(outputs, target_sizes=[image.size[::-1]])
    return [
        Expected(FEW_LABELS[index], None, label_map.numpy() == index) for index in np.unique(label_map.numpy()).tolist()
    ]


def test_the_command_makes_a_bundle_that_answers_as_transformers(
    segmenter: Path, small_images: Path, photographs: list[Path], tmp_path: Path
) -> None:
    flags = ("--task", "image-segmentation", "--labels", segmenter / "labels.txt", "--size", "64x96", *NORMALIZED)
    where = ("--name", "surfaces", "--repository", tmp_path, "--precision", "fp32", "--calibration", small_images)
    ran = call_tundish("export", segmenter / "segformer.onnx", *flags, *where)
    assert ran.returncode == 0, ran.stderr
    assert "read as scores of 5 labels for each pixel: 'logits' [1, 5, 16, 24]" in ran.stdout
    seen = set()
    with tundish.open(tmp_path, instances=1) as runtime:
        for path in [*photographs[:2], *sorted(small_images.iterdir())[:2]]:
            result = runtime.predict("surfaces", image=path).result
            assert isinstance(result, ImageSegmentation)
            assert segment_faults(segmented(segmenter / "source", path.read_bytes()), result.segments) == []
            seen |= {segment.label for segment in result.segments}
    assert len(seen) > 2


def smooth(seed: int, count: int) -> Array:
    """Logits `[1, count, 24, 20]` whose neighbours are alike."""
    coarse = torch.randn(1, count, 4, 5, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(4 * coarse, (24, 20), mode="bicubic").numpy()


def sigmoid(logits: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-logits)))


def widened(scores: Array, size: tuple[int, int]) -> Array:
    """`[count, height, width]` at an image's size, by PyTorch."""
    resized = torch.nn.functional.interpolate(torch.from_numpy(scores).float(), size, mode="bilinear")
    return np.asarray(resized[0])


def of_all(logits: Array, size: tuple[int, int]) -> Array:
    return np.asarray(widened(logits, size).argmax(0))


def of_one(logits: Array, size: tuple[int, int]) -> Array:
    return np.asarray(widened(logits, size)[0] > 0, np.int64)


def of_one_share(logits: Array, size: tuple[int, int]) -> Array:
    return np.asarray(widened(sigmoid(logits), size)[0] > 0.5, np.int64)


def of_nearest(logits: Array, size: tuple[int, int]) -> Array:
    """By fractions: where a pixel's centre lies between two cells, it is in the second."""
    rows, columns = (
        [math.floor(Fraction(2 * pixel + 1, 2 * pixels) * count) for pixel in range(pixels)]
        for pixels, count in zip(size, logits.shape[2:], strict=True)
    )
    return np.asarray(logits.argmax(1)[0][rows][:, columns])


FORMS: dict[str, tuple[int, Callable[[Array], Array], Callable[[Array, tuple[int, int]], Array]]] = {
    "logits": (3, lambda logits: logits, of_all),
    "channels last": (3, lambda logits: np.ascontiguousarray(logits.transpose(0, 2, 3, 1)), of_all),
    "one logit": (1, lambda logits: logits, of_one),
    "one share": (1, sigmoid, of_one_share),
    "one share, channels last": (1, lambda logits: sigmoid(logits)[:, 0, :, :, np.newaxis], of_one_share),
    "indices": (3, lambda logits: logits.argmax(1), of_nearest),
    "indices with a channel": (3, lambda logits: logits.argmax(1)[:, np.newaxis], of_nearest),
}
"""How many maps of logits there are, the output that is made of them, and the label that each pixel has by it."""


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_map_is_read(form: str, tmp_path: Path) -> None:
    count, output, expected = FORMS[form]
    red, blue = smooth(1, count), smooth(2, count)
    path = write_detector(tmp_path / "m.onnx", {"map": (output(red), output(blue))})
    labels = LABELS if count > 1 else ("crack",)
    results, spec = found_by(path, OnnxHints(labels=labels), tmp_path, "image-segmentation")
    assert spec.takes_batches
    named = LABELS if count > 1 else ("background", "crack")
    kind = PixelIndexPostprocess if "indices" in form else SemanticPostprocess
    assert spec.postprocess == kind(labels=named)
    for (color, (width, height)), actual in zip(IMAGES, results, strict=True):
        label_map = expected(red if color == "red" else blue, (height, width))
        present = [Expected(named[index], None, label_map == index) for index in np.unique(label_map).tolist()]
        assert len(present) > 1
        assert isinstance(actual, ImageSegmentation)
        assert segment_faults(present, actual.segments) == []


def inside(size: tuple[int, int], placement: str) -> tuple[slice, slice]:
    """The rows and columns of the network's input that show the image, by the rule of YOLO's scripts."""
    ratio = min(SIZE / edge for edge in size)
    resized = [round(edge * ratio) for edge in size]
    begins = [(SIZE - edge) // 2 if placement == "centre" else 0 for edge in resized]
    rows, columns = (slice(begin, begin + edge) for begin, edge in zip(begins, resized, strict=True))
    return rows, columns


def cut_and_widened(logits: Array, size: tuple[int, int], placement: str) -> Array:
    """As segmenters' scripts do it, by PyTorch: to the input's size, the padding cut off, then to the image's."""
    rows, columns = inside(size, placement)
    return widened(widened(logits, (SIZE, SIZE))[np.newaxis, :, rows, columns].copy(), size)


def nearest_inside(logits: Array, size: tuple[int, int], placement: str) -> Array:
    """By fractions, the cell of the map in which a pixel's centre lies."""
    cells = [
        [
            math.floor((seen.start + Fraction(2 * pixel + 1, 2 * pixels) * (seen.stop - seen.start)) * count / SIZE)
            for pixel in range(pixels)
        ]
        for pixels, count, seen in zip(size, logits.shape[2:], inside(size, placement), strict=True)
    ]
    return np.asarray(logits.argmax(1)[0][cells[0]][:, cells[1]])


@pytest.mark.parametrize("placement", ["centre", "top-left"])
@pytest.mark.parametrize("form", ["logits", "one share, channels last", "indices", "logits of the input's size"])
def test_maps_of_letterboxed_images_are_laid_over_the_image_alone(form: str, placement: str, tmp_path: Path) -> None:
    whole = form == "logits of the input's size"
    count, output, _ = FORMS["logits" if whole else form]
    made = [smooth(seed, count) for seed in (1, 2)]
    if whole:
        made = [widened(logits, (SIZE, SIZE))[np.newaxis] for logits in made]
    path = write_detector(tmp_path / "m.onnx", {"map": (output(made[0]), output(made[1]))})
    hints = OnnxHints(
        labels=LABELS if count > 1 else ("crack",),
        resize="letterbox" if placement == "centre" else "letterbox-top-left",
    )
    results, spec = found_by(path, hints, tmp_path, "image-segmentation")
    assert spec.takes_batches
    named = LABELS if count > 1 else ("background", "crack")
    for (color, (width, height)), actual in zip(IMAGES, results, strict=True):
        logits, size = made[color == "blue"], (height, width)
        if "indices" in form:
            label_map = nearest_inside(logits, size, placement)
        elif "share" in form:
            label_map = np.asarray(cut_and_widened(sigmoid(logits), size, placement)[0] > 0.5, np.int64)
        else:
            label_map = np.asarray(cut_and_widened(logits, size, placement).argmax(0))
        present = [Expected(named[index], None, label_map == index) for index in np.unique(label_map).tolist()]
        assert isinstance(actual, ImageSegmentation)
        assert segment_faults(present, actual.segments) == []


@pytest.mark.parametrize(("count", "pixels"), [(65, 513), (16, 512), (7, 64), (129, 1024), (33, 97)])
def test_a_map_is_enlarged_in_the_graph_as_it_is_read(count: int, pixels: int) -> None:
    """Also where float32 cannot write the factor."""
    scores = np.random.default_rng(count).normal(0, 1, (1, 3, count, 5)).astype(np.float32)
    read_as = PixelMap("map", "scores", 1, (pixels, 40))
    ending = read_as.ending({"map": scores}, [])
    shape = [None, 3, count, 5]
    graph = onnx.helper.make_graph(
        ending.nodes,
        "graph",
        [onnx.helper.make_tensor_value_info("map", onnx.TensorProto.FLOAT, shape)],
        [onnx.helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, None)],
        ending.constants,
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (enlarged,) = session.run(None, {"map": scores})
    expected = widened(scores, (pixels, 40))
    assert enlarged[0].shape == expected.shape
    np.testing.assert_allclose(enlarged[0], expected, atol=1e-4)
    np.testing.assert_allclose(read_as.read({"map": scores})["logits"][0], expected, atol=1e-4)


def test_what_is_said_of_one_number_a_pixel_holds(tmp_path: Path) -> None:
    """The numbers of this map are from 0 to 1, but logits."""
    logits = np.clip(smooth(3, 1) + 0.6, 0, 1)
    path = write_detector(tmp_path / "m.onnx", {"map": (logits, logits)})
    stream = io.BytesIO()
    Image.new("RGB", (SIZE, SIZE), "red").save(stream, "PNG")
    areas = []
    for activation in (None, "none", "sigmoid"):
        source = load_onnx(path, "image-segmentation", OnnxHints(labels=["crack"], activation=activation))
        segments = {each.label: each.mask for each in source.predict(stream.getvalue()).segments}  # type: ignore[union-attr]
        areas.append(int(segments["crack"].to_array().sum()))
    assert areas[0] == areas[1] < areas[2]


def test_labels_come_from_the_metadata_and_a_network_may_choose_each_pixels_label(
    segmenter: Path, small_images: Path, tmp_path: Path
) -> None:
    model = onnx.load(segmenter / "segformer.onnx")
    model.graph.node.append(onnx.helper.make_node("ArgMax", ["logits"], ["classes"], axis=1, keepdims=0))
    shape = ["batch", "rows", "columns"]
    model.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info("classes", onnx.TensorProto.INT64, shape))
    onnx.helper.set_model_props(model, {"names": str(dict(enumerate(FEW_LABELS)))})
    path = tmp_path / "m.onnx"
    onnx.save(model, path)
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    export_onnx(
        path,
        task="image-segmentation",
        name="surfaces",
        repository=tmp_path / "models",
        hints=OnnxHints(size=(64, 96), mean=mean, std=std),
        precision="fp32",
        calibration=small_images,
    )
    picture = Image.open(min(small_images.iterdir()))
    image = np.asarray(picture.resize((96, 64), Image.Resampling.BILINEAR), np.float32) / 255
    pixels = ((image - mean) / std).transpose(2, 0, 1)[np.newaxis].astype(np.float32)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (classes,) = session.run(None, {"pixel_values": pixels})
    nearest = of_nearest(np.eye(len(FEW_LABELS))[classes].transpose(0, 3, 1, 2), picture.size[::-1])
    expected = [Expected(FEW_LABELS[index], None, nearest == index) for index in np.unique(nearest).tolist()]
    with tundish.open(tmp_path / "models", instances=1) as runtime:
        result = runtime.predict("surfaces", image=min(small_images.iterdir())).result
    assert isinstance(result, ImageSegmentation)
    assert segment_faults(expected, result.segments) == []


@pytest.mark.parametrize(
    ("made", "hints", "message"),
    [
        (
            smooth(1, 4),
            {},
            r"gives 'map' \[1, 4, 24, 20\], in which there is no map of 3 labels, such as \[batch, 3, height, width\]",
        ),
        (smooth(1, 1), {}, "in which there is no map of 3 labels"),
        (smooth(1, 5).argmax(1), {}, "labels pixels by numbers up to 4 at least, and 3 labels are named"),
        (smooth(1, 3), {"activation": "softmax"}, "leave --activation softmax out"),
        (
            smooth(1, 3),
            {"resize": "shortest-edge:80"},
            "must be stretched to its size or letterboxed; leave --resize shortest-edge:80 out",
        ),
        (smooth(1, 3), {"detector": DetectorHints(threshold=0.7)}, "labels pixels, to which no --threshold belong"),
        (smooth(1, 1), {"labels": ["crack"], "activation": "softmax"}, "to which no --activation softmax belongs"),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_sentence(
    made: Array, hints: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = write_detector(tmp_path / "m.onnx", {"map": (made, made)})
    with pytest.raises(ExportError, match=message) as raised:
        load_onnx(path, "image-segmentation", OnnxHints(**({"labels": LABELS} | hints)))
    assert "\n" not in str(raised.value)
