"""Modules from memory: exported with the rules that they are given, or refused in one sentence."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from numpy.typing import NDArray
from PIL import Image, ImageOps
from support.awkward_images import awkward_images
from support.model_families import save_tokenizer
from support.networks import (
    COLOR_INPUTS,
    COLOR_POSTPROCESS,
    COLOR_PREPROCESS,
    COLORS,
    BagOfWords,
    ColorNetwork,
    PlainNetwork,
    WordVectors,
)
from torch import Tensor, nn

import tundish
from tundish.errors import TundishError
from tundish.manifest import (
    ClassificationPostprocess,
    ImagePreprocess,
    Interpolation,
    PoolingPostprocess,
    ShortestEdgeResize,
    StretchResize,
    TextPreprocess,
)
from tundish.results import FeatureExtraction, ImageClassification, Label, TextClassification
from tundish_exporters import ExportError, ParityError, export_module
from tundish_exporters.demo.mobilenet_v2 import MobileNetV2

fast_tokenizer: Any = transformers.PreTrainedTokenizerFast

LABELS = ("crack", "scratch", "dent", "sound")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SOFTMAX = ClassificationPostprocess(labels=LABELS, function="softmax")

RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}

TEXTS = ("", "The strand cracks.", "Größe und façade, 漢字", "bearing seven runs hot again and again " * 20)


def pillow_pixels(data: bytes, size: tuple[int, int], crop: int | None, interpolation: str) -> Tensor:
    """`[1, 3, height, width]` by Pillow; `size` is width and height, or an edge twice for the shorter one to have."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    if crop is not None:
        short, long = sorted(image.size)
        other = int(size[0] * long / short)
        size = (size[0], other) if image.width <= image.height else (other, size[0])
    image = image.resize(size, RESAMPLING[interpolation])
    if crop is not None:
        left, top = (image.width - crop) // 2, (image.height - crop) // 2
        image = image.crop((left, top, left + crop, top + crop))
    pixels = (np.asarray(image, np.float64) / 255 - MEAN) / STD
    return torch.from_numpy(pixels.transpose(2, 0, 1)[np.newaxis].astype(np.float32))


def image_rule(interpolation: Interpolation, *, crops: bool) -> ImagePreprocess:
    return ImagePreprocess(
        resize=ShortestEdgeResize(length=72) if crops else StretchResize(height=64, width=56),
        interpolation=interpolation,
        crop=(64, 64) if crops else None,
        rescale=1 / 255,
        mean=MEAN,
        std=STD,
    )


def assert_labels(expected: NDArray[np.float64], labels: tuple[Label, ...]) -> None:
    order = np.argsort(-expected, kind="stable")
    assert [label.name for label in labels] == [LABELS[index] for index in order]
    np.testing.assert_allclose([label.score for label in labels], expected[order], atol=1e-3)


def scores_of(network: nn.Module, *inputs: Tensor) -> NDArray[np.float64]:
    with torch.inference_mode():
        scores: NDArray[np.float64] = network(*inputs)[0].softmax(-1).numpy().astype(np.float64)
    return scores


@pytest.mark.parametrize(
    ("interpolation", "crops"),
    [("nearest", True), ("bilinear", True), ("bilinear", False), ("bicubic", False), ("lanczos", True)],
)
def test_an_image_network_answers_as_pillow_and_pytorch(
    interpolation: Interpolation, crops: bool, tmp_path: Path, photographs: list[Path], small_images: Path
) -> None:
    network = PlainNetwork(len(LABELS)).eval()
    rule = image_rule(interpolation, crops=crops)
    export_module(
        network,
        {"pixel_values": torch.zeros(2, 3, *rule.size)},
        task="image-classification",
        preprocess=rule,
        postprocess=SOFTMAX,
        name="plain",
        repository=tmp_path,
        precision="fp32",
        calibration=small_images,
    )
    size, crop = ((72, 72), 64) if crops else ((56, 64), None)
    images = awkward_images(photographs[0]) | {path.name: path.read_bytes() for path in photographs[1:4]}
    expected = {
        name: scores_of(network, pillow_pixels(data, size, crop, interpolation)) for name, data in images.items()
    }
    assert np.ptp(np.array(list(expected.values())), axis=0).max() > 0.1
    with tundish.open(tmp_path, instances=1) as runtime:
        for name, data in images.items():
            result = runtime.predict("plain", image=data).result
            assert isinstance(result, ImageClassification)
            assert_labels(expected[name], result.labels)


def program_of(network: nn.Module, inputs: dict[str, Tensor], *, any_batch: bool) -> torch.export.ExportedProgram:
    shapes = {name: {0: torch.export.Dim("batch")} for name in inputs} if any_batch else None
    return torch.export.export(network.eval(), (), inputs, dynamic_shapes=shapes)


def test_a_program_of_torch_export_answers_as_its_module(tmp_path: Path, small_images: Path) -> None:
    network = PlainNetwork(len(LABELS)).eval()
    inputs = {"pixel_values": torch.zeros(2, 3, 64, 56)}
    export_module(
        program_of(network, inputs, any_batch=True),
        inputs,
        task="image-classification",
        preprocess=image_rule("bilinear", crops=False),
        postprocess=SOFTMAX,
        name="model",
        repository=tmp_path,
        precision="fp32",
        calibration=small_images,
    )
    with tundish.open(tmp_path, instances=1) as runtime:
        for path in small_images.iterdir():
            data = path.read_bytes()
            result = runtime.predict("model", image=data).result
            assert isinstance(result, ImageClassification)
            assert_labels(scores_of(network, pillow_pixels(data, (56, 64), None, "bilinear")), result.labels)


def test_a_program_of_one_size_of_batch_is_refused(tmp_path: Path) -> None:
    inputs = {"pixel_values": torch.zeros(2, 3, 64, 56)}
    with pytest.raises(ExportError, match=r"does not take batches of another size .* torch\.export\.Dim"):
        export_module(
            program_of(PlainNetwork(len(LABELS)), inputs, any_batch=False),
            inputs,
            task="image-classification",
            preprocess=image_rule("bilinear", crops=False),
            postprocess=SOFTMAX,
            name="model",
            repository=tmp_path / "models",
        )
    assert not (tmp_path / "models").exists()


def test_an_image_smaller_than_its_crop_is_padded_with_black_pixels(tmp_path: Path, small_images: Path) -> None:
    network = PlainNetwork(len(LABELS)).eval()
    rule = ImagePreprocess(resize=None, crop=(64, 64), rescale=1 / 255, mean=MEAN, std=STD)
    inputs = {"pixel_values": torch.zeros(1, 3, 64, 64)}
    rules: Any = {"task": "image-classification", "preprocess": rule, "postprocess": SOFTMAX}
    export_module(
        network, inputs, **rules, name="plain", repository=tmp_path, precision="fp32", calibration=small_images
    )
    pixels = np.random.default_rng(0).integers(0, 256, (37, 50, 3), np.uint8)
    padded = np.zeros((64, 64, 3), np.float64)
    padded[14:51, 7:57] = pixels  # 27 rows above and below together, 14 columns: the odd row goes above
    expected = ((padded / 255 - MEAN) / STD).transpose(2, 0, 1)[np.newaxis].astype(np.float32)
    with tundish.open(tmp_path, instances=1) as runtime:
        result = runtime.predict("plain", image=pixels).result
    assert isinstance(result, ImageClassification)
    assert_labels(scores_of(network, torch.from_numpy(expected)), result.labels)


def test_mobilenet_v2_answers_as_pytorch_and_keeps_its_weights(
    tmp_path: Path, photographs: list[Path], small_images: Path
) -> None:
    torch.manual_seed(4)
    network = MobileNetV2(len(LABELS))
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None
        for _ in range(6):  # gives batch normalisation the statistics of noise
            network(torch.randn(8, 3, 64, 64) * torch.rand(8, 3, 1, 1) * 2)
        head = network.classifier[1]
        assert isinstance(head, nn.Linear)
        head.weight.mul_(20)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    rule = image_rule("bilinear", crops=True)
    exported = export_module(
        network,
        {"pixel_values": torch.zeros(1, 3, 64, 64)},
        task="image-classification",
        preprocess=rule,
        postprocess=SOFTMAX,
        name="mobilenet",
        repository=tmp_path,
        precision="fp32",
        calibration=small_images,
    )
    assert exported.bundle.manifest.source.kind == "module"
    assert exported.bundle.manifest.inputs[0].shape == ("batch", 3, 64, 64)
    after = network.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    expected = [scores_of(network, pillow_pixels(path.read_bytes(), (72, 72), 64, "bilinear")) for path in photographs]
    assert np.ptp(np.array(expected), axis=0).max() > 0.1
    with tundish.open(tmp_path, instances=1) as runtime:
        for path, scores in zip(photographs, expected, strict=True):
            result = runtime.predict("mobilenet", image=path).result
            assert isinstance(result, ImageClassification)
            assert_labels(scores, result.labels)


def test_a_network_in_training_mode_is_exported_without_its_dropout(tmp_path: Path, small_images: Path) -> None:
    network = nn.Sequential(ColorNetwork(), nn.Dropout(0.9)).train()

    class Wrapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = network

        def forward(self, pixel_values: Tensor) -> Tensor:
            logits: Tensor = self.inner(pixel_values)
            return logits

    export_module(
        Wrapped(),
        COLOR_INPUTS,
        task="image-classification",
        preprocess=COLOR_PREPROCESS,
        postprocess=COLOR_POSTPROCESS,
        name="colors",
        repository=tmp_path,
        precision="fp32",
        calibration=small_images,
    )
    pixels = np.full((8, 8, 3), (40, 120, 60), np.uint8)
    with tundish.open(tmp_path, instances=1) as runtime:
        result = runtime.predict("colors", image=pixels).result
    assert isinstance(result, ImageClassification)
    logits = np.array([40, 120, 60]) / 255 * 20
    expected = np.exp(logits) / np.exp(logits).sum()
    assert {label.name: pytest.approx(label.score, abs=1e-4) for label in result.labels} == dict(
        zip(("red", "green", "blue"), expected, strict=True)
    )


class Scoring(ColorNetwork):
    """Ends in the function itself."""

    def __init__(self, function: str) -> None:
        super().__init__()
        self.function = nn.Softmax(-1) if function == "softmax" else nn.Sigmoid()

    def forward(self, pixel_values: Tensor) -> Tensor:
        scores: Tensor = self.function(super().forward(pixel_values))
        return scores


@pytest.mark.parametrize("said", [False, True])
@pytest.mark.parametrize("function", ["softmax", "sigmoid"])
def test_the_function_that_a_module_ends_in_is_not_applied_again(
    function: Any, said: bool, tmp_path: Path, small_images: Path
) -> None:
    exported = export_module(
        Scoring(function),
        COLOR_INPUTS,
        task="image-classification",
        preprocess=COLOR_PREPROCESS,
        postprocess=ClassificationPostprocess(labels=COLORS, function=function, in_network=said),
        name="colors",
        repository=tmp_path,
        precision="fp32",
        calibration=small_images,
    )
    rule = exported.bundle.manifest.postprocess
    assert isinstance(rule, ClassificationPostprocess)
    assert (rule.function, rule.in_network) == (function, True)
    color = (40, 60, 20)
    with tundish.open(tmp_path, instances=1) as runtime:
        result = runtime.predict("colors", image=np.full((8, 8, 3), color, np.uint8)).result
    assert isinstance(result, ImageClassification)
    powers = np.exp(np.array(color) / 255 * 20)
    expected = powers / (powers.sum() if function == "softmax" else powers + 1)
    assert {label.name: pytest.approx(label.score, abs=1e-4) for label in result.labels} == dict(
        zip(COLORS, expected, strict=True)
    )


@pytest.fixture(scope="module")
def tokenizer_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tokenizer(tmp_path_factory.mktemp("tokenizer") / "words.json")


@pytest.mark.parametrize("truncation_side", ["right", "left"])
@pytest.mark.parametrize("padding_side", ["right", "left"])
def test_a_text_network_answers_as_tokenizers_and_pytorch(
    truncation_side: Any, padding_side: Any, tmp_path: Path, tokenizer_file: Path
) -> None:
    oracle = fast_tokenizer(tokenizer_file=str(tokenizer_file), truncation_side=truncation_side)
    network = BagOfWords(len(oracle), len(LABELS)).eval()
    (tmp_path / "texts.txt").write_text("\n".join(text for text in TEXTS if text), encoding="utf-8")
    exported = export_module(
        network,
        {name: torch.ones(1, 8, dtype=torch.int64) for name in ("input_ids", "attention_mask")},
        task="text-classification",
        preprocess=TextPreprocess(
            maximum_tokens=24, truncation_side=truncation_side, padding_side=padding_side, padding_id=1
        ),
        postprocess=SOFTMAX,
        tokenizer=tokenizer_file,
        name="words",
        repository=tmp_path / "models",
        precision="fp32",
        calibration=tmp_path / "texts.txt",
    )
    assert exported.bundle.manifest.inputs[0].shape == ("batch", "tokens")
    rows = []
    with tundish.open(tmp_path / "models", instances=1) as runtime:
        for text in TEXTS:
            encoded = oracle(text, truncation=True, max_length=24, return_tensors="pt")
            scores = scores_of(network, encoded["input_ids"], encoded["attention_mask"])
            rows.append(scores)
            result = runtime.predict("words", text=text).result
            assert isinstance(result, TextClassification)
            assert_labels(scores, result.labels)
            assert result.truncated == (text == TEXTS[-1])
    assert np.ptp(np.array(rows), axis=0).max() > 0.1


@pytest.mark.parametrize("pooling", ["mean", "max", "cls", "none"])
def test_token_vectors_are_pooled_as_the_rule_says(pooling: Any, tmp_path: Path, tokenizer_file: Path) -> None:
    oracle = fast_tokenizer(tokenizer_file=str(tokenizer_file))
    network = WordVectors(len(oracle), 2).eval()
    export_module(
        network,
        {"input_ids": torch.ones(1, 8, dtype=torch.int64)},
        task="feature-extraction",
        preprocess=TextPreprocess(maximum_tokens=24, padding_id=1),
        postprocess=PoolingPostprocess(pooling=pooling, normalize=pooling == "mean"),
        tokenizer=tokenizer_file,
        name="words",
        repository=tmp_path,
    )
    with tundish.open(tmp_path, instances=1) as runtime:
        for text in TEXTS:
            with torch.inference_mode():
                ids = oracle(text, truncation=True, max_length=24, return_tensors="pt")["input_ids"]
                vectors = network(ids)[0].numpy()
            mean = vectors.mean(0)
            expected = {
                "mean": mean / np.linalg.norm(mean),
                "max": vectors.max(0),
                "cls": vectors[0],
                "none": vectors,
            }[pooling]
            result = runtime.predict("words", text=text).result
            assert isinstance(result, FeatureExtraction)
            np.testing.assert_allclose(result.vector, expected, atol=1e-4)


class Two(ColorNetwork):
    def forward(self, pixel_values: Tensor) -> Any:
        return super().forward(pixel_values), pixel_values


class Named(ColorNetwork):
    def forward(self, pixel_values: Tensor) -> Any:
        return {"logits": super().forward(pixel_values)}


class Failing(ColorNetwork):
    def forward(self, pixel_values: Tensor) -> Tensor:  # noqa: ARG002
        raise ZeroDivisionError("the module's own fault")


class FeatureMap(ColorNetwork):
    def forward(self, pixel_values: Tensor) -> Tensor:
        return torch.relu(self.split(pixel_values))


class OneAtATime(ColorNetwork):
    def forward(self, pixel_values: Tensor) -> Tensor:
        return super().forward(pixel_values).reshape(int(pixel_values.shape[0]), 3)


TEXT_RULE = TextPreprocess(maximum_tokens=16)
TEXT_INPUTS = {name: torch.ones(1, 8, dtype=torch.int64) for name in ("input_ids", "attention_mask")}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"example_inputs": {}}, "missing 1 required positional argument: 'pixel_values'"),
        ({"example_inputs": {"images": torch.zeros(1, 3, 16, 16)}}, "'pixel_values'"),
        (
            {"example_inputs": {"pixel_values": torch.tensor(1.0)}},
            "'pixel_values' is a scalar; every input needs",
        ),
        (
            {"example_inputs": {"pixel_values": torch.zeros(1, 3, 20, 20)}},
            "invalid dimensions for input: pixel_values for the following indices index: 2 Got: 16 Expected: 20 ",
        ),
        ({"example_inputs": {"pixel_values": torch.zeros(1, 3, 16, 16, dtype=torch.uint8)}}, "PyTorch cannot export"),
        ({"module": Two()}, "Two returns a tuple; wrap it in a module that returns one tensor of it"),
        ({"module": Named()}, "Named returns a dict; wrap it in a module that returns one tensor of it"),
        ({"module": Failing()}, "PyTorch cannot export Failing: the module's own fault"),
        ({"module": Scoring("sigmoid")}, "Scoring ends in a sigmoid, and the postprocess says softmax; pass function="),
        ({"module": FeatureMap()}, r"logits of the shape \['batch', 4, 16, 16\] for 3 labels"),
        ({"module": ColorNetwork(heads=torch.ones(2, 3))}, r"logits of the shape \['batch', 2\] for 3 labels"),
        ({"module": ColorNetwork(heads=torch.ones(5, 3))}, r"logits of the shape \['batch', 5\] for 3 labels"),
        ({"module": OneAtATime()}, "its first dimension is no batch"),
        ({"task": "text-classification"}, "reads image, which no model for text-classification does"),
        ({"task": "feature-extraction"}, "reads image, which no model for feature-extraction does"),
        ({"postprocess": PoolingPostprocess(pooling="mean", normalize=True)}, "must read images and give labels"),
        ({"preprocess": TEXT_RULE}, "pass the tokenizer's JSON file as tokenizer="),
        ({"preprocess": TEXT_RULE, "tokenizer": "not-there.json"}, "not-there.json is not a tokenizer"),
        ({"preprocess": TEXT_RULE, "tokenizer": os.devnull}, f"{os.devnull} is not a tokenizer"),
        ({"name": "../colors"}, r"cannot be named '\.\./colors'"),
        ({"name": ""}, "cannot be named ''"),
        ({"name": "a" * 129}, "at most 128"),
        ({"precision": "int3"}, "no precision 'int3'; there are auto, fp32, fp16, bf16, int8, int4"),
        ({"precision": "int8"}, "int8 must pass the gate, which needs data"),
        ({"max_drop": 7}, "max_drop is a share between 0 and 1, got 7"),
        ({"max_drop": float("nan")}, "max_drop is a share between 0 and 1, got nan"),
        ({"max_drop": -0.1}, "max_drop is a share between 0 and 1, got -0.1"),
        ({"calibration": "not-there"}, "not-there is not there; give a folder of images"),
    ],
)
def test_a_wrong_argument_is_refused_in_one_sentence_and_leaves_nothing(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    arguments: dict[str, Any] = {
        "module": ColorNetwork(),
        "example_inputs": COLOR_INPUTS,
        "task": "image-classification",
        "preprocess": COLOR_PREPROCESS,
        "postprocess": COLOR_POSTPROCESS,
        "name": "colors",
        "repository": tmp_path / "models",
    }
    with pytest.raises(TundishError, match=message) as raised:
        export_module(**arguments | change)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "models").exists()


def test_an_input_that_no_tokenizer_makes_is_named(tmp_path: Path, tokenizer_file: Path) -> None:
    with pytest.raises(ExportError, match="attention_mask"):
        export_module(
            BagOfWords(600, len(LABELS)),
            {"input_ids": TEXT_INPUTS["input_ids"], "mask": TEXT_INPUTS["attention_mask"]},
            task="text-classification",
            preprocess=TEXT_RULE,
            postprocess=SOFTMAX,
            tokenizer=tokenizer_file,
            name="words",
            repository=tmp_path / "models",
        )


def test_a_network_that_decides_by_its_data_is_refused_at_the_network(tmp_path: Path) -> None:
    class Deciding(ColorNetwork):
        def forward(self, pixel_values: Tensor) -> Tensor:
            sign = 1.0 if float(pixel_values.mean()) > 0.4 else -1.0  # tracing keeps what it was for the example
            return super().forward(pixel_values) * sign

    with pytest.raises(ParityError, match=r"They part at the network \(pre-processing differs by"):
        export_module(
            Deciding(),
            COLOR_INPUTS,
            task="image-classification",
            preprocess=COLOR_PREPROCESS,
            postprocess=COLOR_POSTPROCESS,
            name="colors",
            repository=tmp_path / "models",
        )
    assert not (tmp_path / "models").exists()
