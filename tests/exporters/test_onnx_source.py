"""ONNX files from other exporters: what their bundles answer is what ONNX Runtime answers with the files themselves."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from support.awkward_images import awkward_images
from support.commands import call_tundish
from support.networks import PlainNetwork, besides_few
from support.onnx_networks import write_classifier
from support.server_process import ServerProcess

import tundish
from tundish.client import Client
from tundish.placement.search import all_placements
from tundish.results import ImageClassification, Label
from tundish_exporters import OnnxHints, ParityError, export_onnx
from tundish_exporters.sources.onnx_file import classifier, onnx_source
from tundish_exporters.sources.onnx_file.network import Network

LABELS = ("crack", "scratch", "dent", "sound")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CAFFE_MEAN = (103.939, 116.779, 123.68)
EDGE = 40


def pixels(
    data: bytes,
    *,
    size: tuple[int, int] = (EDGE, EDGE),
    stretch: tuple[int, int] | None = None,
    shorter: int | None = None,
    filter_: Image.Resampling = Image.Resampling.BILINEAR,
) -> NDArray[np.float64]:
    """`[height, width, 3]` of 0 to 255 RGB by Pillow; stretched, or with its shorter edge of a length, and cropped."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    height, width = size
    if shorter is None:
        image = image.resize((stretch or size)[::-1], filter_)
    else:
        longer = int(shorter * max(image.size) / min(image.size))
        image = image.resize((shorter, longer) if image.width <= image.height else (longer, shorter), filter_)
    left, top = round((image.width - width) / 2.0), round((image.height - height) / 2.0)  # as torchvision's CenterCrop
    return np.asarray(image.crop((left, top, left + width, top + height)), np.float64)


def softmax(values: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(values - values.max())
    scores: NDArray[np.float64] = powers / powers.sum()
    return scores


def answer(session: onnxruntime.InferenceSession, image: NDArray[np.float64]) -> NDArray[np.float64]:
    """The numbers of the user's own file for one image."""
    name = session.get_inputs()[0].name
    outputs = session.run(None, {name: np.ascontiguousarray(image[np.newaxis], np.float32)})
    return np.asarray(outputs[0], np.float64).reshape(-1)


def assert_labels(expected: NDArray[np.float64], labels: tuple[Label, ...], names: tuple[str, ...] = LABELS) -> None:
    order = np.argsort(-expected, kind="stable")
    assert [label.name for label in labels] == [names[index] for index in order]
    np.testing.assert_allclose([label.score for label in labels], expected[order], atol=1e-3)


@dataclass(frozen=True)
class Case:
    """How a file is written, what is said of it, and how its images are prepared by hand."""

    network: Mapping[str, Any]
    hints: Mapping[str, Any] = field(default_factory=dict)
    pillow: Mapping[str, Any] = field(default_factory=dict)
    normalized: tuple[float, Any, Any] = (1 / 255, 0.0, 1.0)
    ends_in_scores: bool = False
    bgr: bool = False
    batch: Literal["batch", 1] = "batch"

    def image(self, data: bytes) -> NDArray[np.float64]:
        scale, mean, std = self.normalized
        picture = pixels(data, **self.pillow)
        picture = ((picture[..., ::-1] if self.bgr else picture) * scale - mean) / std
        laid_out: NDArray[np.float64] = picture if self.network.get("nhwc") else picture.transpose(2, 0, 1)
        return laid_out


IMAGENET: dict[str, Any] = {"mean": MEAN, "std": STD}

CASES = {
    "TensorFlow's, of opset 9 and one image at a time": Case(
        {"shape": [1, EDGE, EDGE, 3], "nhwc": True, "opset": 9, "end": "softmax", "reshape": (1, CHANNELS := 12)},
        ends_in_scores=True,
    ),
    "torchvision's": Case(
        {"shape": ["n", 3, EDGE, EDGE]},
        {"resize": "shortest-edge:48", "interpolation": "bicubic", **IMAGENET},
        {"shorter": 48, "filter_": Image.Resampling.BICUBIC},
        (1 / 255, MEAN, STD),
    ),
    "Caffe's, in BGR and of any size": Case(
        {"shape": [None, "h", "w", 3], "nhwc": True, "opset": 13, "unit": 100.0},
        {"size": (EDGE, 36), "color": "bgr", "mean": CAFFE_MEAN, "scale": 1.0, "resize": "stretch:46x44"},
        {"size": (EDGE, 36), "stretch": (46, 44)},
        (1.0, CAFFE_MEAN, 1.0),
        bgr=True,
    ),
    "SqueezeNet's, with weights beside it and dimensions of one": Case(
        {
            "shape": [1, 3, EDGE, EDGE], "head": "convolution", "end": "softmax", "external": "weights.bin",
            "opset": 21,
        },
        {"mean": 0.5, "std": 0.5},
        normalized=(1 / 255, 0.5, 0.5),
        ends_in_scores=True,
    ),
    "a softmax of other operators": Case(
        {"shape": ["n", 3, EDGE, EDGE], "end": "unrolled softmax", "opset": 11}, ends_in_scores=True
    ),
    "logarithms of scores": Case({"shape": ["n", 3, EDGE, EDGE], "end": "log softmax", "opset": 13}),
    "several labels hold": Case({"shape": ["n", 3, EDGE, EDGE], "end": "sigmoid"}, ends_in_scores=True),
    "one row alone": Case({"shape": ["n", 3, EDGE, EDGE], "head": "one row"}, batch=1),
    "any layout": Case(
        {"shape": ["a", "b", "c", "d"], "nhwc": True},
        {"layout": "nhwc", "size": (EDGE, EDGE), "resize": "shortest-edge"},
        {"shorter": EDGE},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_bundle_answers_as_the_file_itself(
    name: str, tmp_path: Path, photographs: list[Path], small_images: Path
) -> None:
    case = CASES[name]
    path = write_classifier(tmp_path / "model.onnx", len(LABELS), **case.network)
    exported = export_onnx(
        path,
        task="image-classification",
        name="parts",
        repository=tmp_path / "models",
        hints=OnnxHints(labels=LABELS, **case.hints),
        precision="fp32",
        calibration=small_images,
    )
    manifest = exported.bundle.manifest
    assert manifest.source.kind == "onnx"
    assert set(manifest.source.files) == {"model.onnx"} | (
        {case.network["external"]} if "external" in case.network else set()
    )
    height, width = case.pillow.get("size", (EDGE, EDGE))
    shape = (height, width, 3) if case.network.get("nhwc") else (3, height, width)
    assert manifest.inputs[0].shape == (case.batch, *shape)
    assert manifest.outputs[0].shape == (case.batch, len(LABELS))
    assert any("normalised" in warning for warning in exported.warnings) == (case.normalized == (1 / 255, 0.0, 1.0))
    if case.batch == 1:
        assert manifest.serving.max_batch_size == 1
        assert {placement.max_batch_size for placement in all_placements(manifest, 2)} == {1}
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    images = awkward_images(photographs[0]) | {path.name: path.read_bytes() for path in photographs[1:4]}
    rows = []
    with tundish.open(tmp_path / "models", instances=1) as runtime:
        for data in images.values():
            scores = answer(session, case.image(data))
            scores = scores if case.ends_in_scores else softmax(scores)
            rows.append(scores)
            result = runtime.predict("parts", image=data).result
            assert isinstance(result, ImageClassification)
            assert_labels(scores, result.labels)
    assert np.ptp(np.array(rows), axis=0).max() > 0.1, "answers that do not depend on the image prove nothing"


def test_a_file_of_pytorchs_exporter_for_one_image_takes_any_batch(
    tmp_path: Path, photographs: list[Path], small_images: Path
) -> None:
    path = tmp_path / "plain.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            PlainNetwork(len(LABELS)).eval(),
            (torch.zeros(1, 3, EDGE, EDGE),),
            path,
            input_names=["x"],
            opset_version=12,
            dynamo=False,
        )
    (tmp_path / "labels.json").write_text(json.dumps({str(number): name for number, name in enumerate(LABELS)}))
    exported = export_onnx(
        path,
        task="image-classification",
        name="plain",
        repository=tmp_path / "models",
        hints=OnnxHints(labels=tmp_path / "labels.json", mean=MEAN, std=STD),
        precision="fp32",
        calibration=small_images,
    )
    manifest = exported.bundle.manifest
    assert manifest.inputs[0].shape == ("batch", 3, EDGE, EDGE)
    assert manifest.source.files == {
        name: hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in ("plain.onnx", "labels.json")
    }
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    with tundish.open(tmp_path / "models", instances=1) as runtime:
        for photograph in photographs[:4]:
            data = photograph.read_bytes()
            result = runtime.predict("plain", image=data).result
            assert isinstance(result, ImageClassification)
            image = ((pixels(data) / 255 - MEAN) / STD).transpose(2, 0, 1)
            assert_labels(softmax(answer(session, image)), result.labels)


def test_labels_come_from_the_metadata_and_one_output_is_taken_of_several(tmp_path: Path, small_images: Path) -> None:
    names = dict(enumerate(LABELS))
    path = write_classifier(tmp_path / "m.onnx", 4, shape=["n", 3, EDGE, EDGE], metadata={"names": str(names)})
    model = onnx.load(path)
    model.graph.output.insert(0, onnx.helper.make_tensor_value_info("flat", onnx.TensorProto.FLOAT, [None, 12]))
    onnx.save(model, path)
    exported = export_onnx(
        path,
        task="image-classification",
        name="m",
        repository=tmp_path / "models",
        hints=OnnxHints(scale=1 / 255),
        precision="fp32",
        calibration=small_images,
    )
    assert besides_few(exported.warnings) == ["The network's output 'logits' is taken, and not flat."]
    assert [spec.name for spec in exported.bundle.manifest.outputs] == ["logits"]
    assert getattr(exported.bundle.manifest.postprocess, "labels", ()) == LABELS


def test_int8_leaves_the_first_layer_and_the_head_in_float(tmp_path: Path, small_images: Path) -> None:
    path = write_classifier(
        tmp_path / "m.onnx", 4, shape=[1, EDGE, EDGE, 3], nhwc=True, opset=11, end="softmax", reshape=(1, CHANNELS)
    )
    exported = export_onnx(
        path,
        task="image-classification",
        name="m",
        repository=tmp_path / "models",
        hints=OnnxHints(labels=LABELS),
        calibration=small_images,
        max_drop=1.0,
    )
    variant = next(each for each in exported.bundle.manifest.variants if each.precision == "int8")
    graph = onnx.load(exported.bundle.path(variant.files[0])).graph
    quantised = {name for node in graph.node if node.op_type == "DequantizeLinear" for name in node.output}
    reads = {node.op_type: [bool(quantised & set(each.input)) for each in graph.node if each.op_type == node.op_type]
             for node in graph.node}  # fmt: skip
    in_integers = [node.op_type == "QLinearDenseConv" or bool(quantised & set(node.input))
                   for node in graph.node if node.op_type in {"Conv", "QLinearDenseConv"}]  # fmt: skip
    assert in_integers == [False, True]
    assert not any(reads["Softmax"])
    assert not any(reads.get("Gemm", []) + reads.get("MatMul", []))


PARTS: dict[str, tuple[object, str, Any]] = {
    "pre-processing": (onnx_source, "processed_image", lambda made: lambda *given: made(*given)[:, ::-1] * 2),
    "the network": (
        Network,
        "answer",
        lambda made: lambda *given: {name: rows * 1.5 for name, rows in made(*given).items()},
    ),
    "post-processing": (classifier, "_SCORES", lambda _: {"softmax": lambda row: 1 / (1 + np.exp(-row))}),
}


@pytest.mark.parametrize("stage", PARTS)
def test_the_stage_at_which_an_export_parts_from_its_file_is_named(
    stage: str, tmp_path: Path, small_images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_classifier(tmp_path / "m.onnx", 4, shape=["n", 3, EDGE, EDGE])
    target, attribute, changed = PARTS[stage]
    written = onnx_source.OnnxSource.write_onnx

    def write_and_change(source: onnx_source.OnnxSource, destination: Path) -> None:
        written(source, destination)
        monkeypatch.setattr(target, attribute, changed(getattr(target, attribute)))

    monkeypatch.setattr(onnx_source.OnnxSource, "write_onnx", write_and_change)
    with pytest.raises(ParityError, match=f"They part at {stage} "):
        export_onnx(
            path,
            task="image-classification",
            name="m",
            repository=tmp_path / "models",
            hints=OnnxHints(labels=LABELS),
            precision="fp32",
            calibration=small_images,
        )
    assert not (tmp_path / "models").exists()


WITHOUT_PYTORCH = """
import sys

class Missing:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in ("torch", "transformers"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Missing())
from tundish.cli import main
main()
"""


def test_a_file_is_exported_without_pytorch_and_served(
    tmp_path: Path, photographs: list[Path], small_images: Path
) -> None:
    path = write_classifier(tmp_path / "model.onnx", 4, shape=[1, EDGE, EDGE, 3], nhwc=True, end="softmax", unit=100.0)
    (tmp_path / "labels.txt").write_text("\n".join(LABELS) + "\n", encoding="utf-8")
    flags: list[str | Path] = [
        "--labels",
        tmp_path / "labels.txt",
        "--color",
        "bgr",
        "--mean",
        "103.939,116.779,123.68",
        "--scale",
        "1",
    ]
    required: list[str | Path] = [
        "--task",
        "image-classification",
        "--name",
        "parts",
        "--repository",
        tmp_path / "models",
    ]
    outcome = subprocess.run(
        [
            sys.executable,
            "-c",
            WITHOUT_PYTORCH,
            "export",
            path,
            *required,
            *flags,
            "--search-minutes",
            "0",
            "--calibration",
            small_images,
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr
    assert "Equal to its source on 12 samples." in outcome.stdout
    assert "warning: Nothing says" not in outcome.stdout
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    with ServerProcess(tmp_path / "models", "--instances", "1") as server, Client(server.url) as client:
        for photograph in photographs[:4]:
            result = client.predict("parts", image=photograph).result
            assert isinstance(result, ImageClassification)
            image = pixels(photograph.read_bytes())[..., ::-1] - CAFFE_MEAN
            assert_labels(answer(session, image), result.labels)
        shown = call_tundish("infer", "parts", "--image", photographs[0], "--url", server.url, "--json")
        assert shown.returncode == 0, shown.stderr
        assert json.loads(shown.stdout)["labels"][0]["name"] in LABELS
