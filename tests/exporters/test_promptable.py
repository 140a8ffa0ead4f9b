"""Segment Anything finds what points and boxes show as transformers' own processor and network do it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from support.awkward_images import awkward_images
from support.commands import call_tundish
from support.model_families import IMAGE_FAMILIES, save_family, save_promptable
from support.once import made_once
from support.server_process import ServerProcess

import tundish
from tundish.bundle import read_bundle
from tundish.client import Client
from tundish.errors import InvalidInputError
from tundish.results import ImageSegmentation
from tundish.runtime import Runtime
from tundish_exporters import ExportError, export_promptable

LEAST_OVERLAP = 0.99
SCORE_TOLERANCE = 1e-3
PROMPTS: list[dict[str, Any]] = [
    {"points": [[100, 80]]},
    {"points": [[30, 40], [300, 200]], "labels": [1, 0]},
    {"box": [20, 30, 260, 300]},
    {"points": [[200.5, 100]], "labels": [0], "box": [60, 10, 400, 380]},
]

hf: Any = transformers


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, photographs: list[Path]) -> Path:
    """`source`, and `models` with `anything`."""

    def make(folder: Path) -> None:
        save_promptable(folder / "source")
        table = folder / "data.jsonl"
        rows = [{"image": str(photograph), "prompts": PROMPTS[:2]} for photograph in photographs[:4]]
        table.write_text("".join(json.dumps(row) + "\n" for row in rows))
        options: Any = {"repository": folder / "models", "calibration": table, "precision": "fp32"}
        export_promptable(folder / "source", name="anything", **options)

    return made_once(tmp_path_factory, "promptable", make)


@pytest.fixture(scope="module")
def runtime(folder: Path) -> Iterator[Runtime]:
    with tundish.open(folder / "models", instances=2) as opened:
        yield opened


def expected(source: Path, image: Path | bytes, prompt: dict[str, Any]) -> tuple[np.ndarray[Any, Any], float]:
    """The best mask of a prompt, and its score, by transformers alone."""
    model = hf.SamModel.from_pretrained(source).eval()
    processor = hf.SamProcessor(hf.SamImageProcessor.from_pretrained(source))
    opened = Image.open(io.BytesIO(image) if isinstance(image, bytes) else image)
    asked: dict[str, Any] = {}
    if "points" in prompt:
        asked["input_points"] = [[prompt["points"]]]
        asked["input_labels"] = [[prompt.get("labels", [1] * len(prompt["points"]))]]
    if "box" in prompt:
        asked["input_boxes"] = [[prompt["box"]]]
    inputs = processor(hf.image_utils.load_image(opened), return_tensors="pt", **asked)
    with torch.inference_mode():
        answer = model(**inputs)
    masks = processor.post_process_masks(answer.pred_masks, inputs["original_sizes"], inputs["reshaped_input_sizes"])
    best = int(answer.iou_scores[0, 0].argmax())
    return masks[0][0, best].numpy(), float(answer.iou_scores[0, 0, best])


def assert_found(result: object, source: Path, image: Path | bytes, prompts: list[dict[str, Any]]) -> None:
    assert isinstance(result, ImageSegmentation)
    assert [segment.label for segment in result.segments] == [str(number) for number in range(len(prompts))]
    for segment, prompt in zip(result.segments, prompts, strict=True):
        wanted, score = expected(source, image, prompt)
        found = segment.mask.to_array()
        assert segment.score == pytest.approx(score, abs=SCORE_TOLERANCE)
        assert (found & wanted).sum() >= LEAST_OVERLAP * (found | wanted).sum()


def test_prompts_find_what_transformers_finds(folder: Path, runtime: Runtime, photographs: list[Path]) -> None:
    shares = []
    for photograph in photographs[4:6]:
        result = runtime.predict("anything", image=photograph, prompts=PROMPTS).result
        assert_found(result, folder / "source", photograph, PROMPTS)
        assert isinstance(result, ImageSegmentation)
        shares += [segment.mask.to_array().mean() for segment in result.segments]
    assert 0 < min(shares) < max(shares) < 1, "masks are neither empty nor all there is"
    assert np.ptp(shares) > 0.01, "they depend on the image and the prompt"


def test_images_of_every_form_and_file_are_read(folder: Path, runtime: Runtime, photographs: list[Path]) -> None:
    prompts = [{"box": [5, 6, 40, 30]}]
    for data in list(awkward_images(photographs[3]).values())[:6]:
        result = runtime.predict("anything", image=data, prompts=prompts).result
        assert_found(result, folder / "source", data, prompts)


def test_an_image_that_comes_again_is_not_encoded_again(runtime: Runtime, photographs: list[Path]) -> None:
    def encoded() -> int:
        return runtime.model("anything.encoder").statistics["pipeline"].snapshot().batch_count

    runtime.predict("anything", image=photographs[7], prompts=PROMPTS[:1])
    before = encoded()
    again = runtime.predict("anything", image=photographs[7], prompts=PROMPTS[1:]).result
    assert encoded() == before
    runtime.predict("anything", image=photographs[8], prompts=PROMPTS[1:])
    assert encoded() == before + 1
    assert isinstance(again, ImageSegmentation)
    assert len(again.segments) == 3


def test_a_server_segments_what_its_prompts_show(folder: Path, photographs: list[Path], tmp_path: Path) -> None:
    with ServerProcess(folder / "models", "--instances", "1") as process:
        with Client(process.url) as client:
            result = client.predict("anything", image=photographs[5], prompts=PROMPTS).result
            assert_found(result, folder / "source", photographs[5], PROMPTS)
            given = {
                "image": np.array([[photographs[5].read_bytes()]], np.object_),
                "prompts": np.array([[json.dumps(prompt).encode() for prompt in PROMPTS]], np.object_),
            }
            tensors = client.infer("anything", given)
            with pytest.raises(InvalidInputError, match=r"'anything\.decoder' is asked by the model alone"):
                client.infer("anything.decoder", given)
        shown = call_tundish(
            *("infer", "anything", "--image", photographs[5], "--prompt", "100,80", "--prompt", "20,30,260,300"),
            *("--url", process.url, "--json", "--save-masks", tmp_path),
        )
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{photographs[5].stem}-1-0.png",
        f"{photographs[5].stem}-2-1.png",
    }
    assert isinstance(result, ImageSegmentation)
    assert tensors["label"].tolist() == [[b"0", b"1", b"2", b"3"]]
    assert tensors["score"][0].tolist() == pytest.approx([segment.score for segment in result.segments], abs=1e-6)
    assert tensors["mask"][0].tolist() == [segment.mask.counts for segment in result.segments]
    assert shown.returncode == 0, shown.stderr
    counts = [segment["mask"]["counts"] for segment in json.loads(shown.stdout)["segments"]]
    assert counts == [result.segments[place].mask.counts.decode() for place in (0, 2)]


@pytest.mark.parametrize(
    ("prompts", "said"),
    [
        ([], "The image is segmented by 1 to 256 prompts, got 0|An image is segmented by 1 to 256 prompts, got 0"),
        ([{"points": [[1, 2]]}] * 257, "1 to 256 prompts, got 257"),
        (["here"], "The prompt 'here' is not JSON such as"),
        ([{}], "a prompt has points, a box or both"),
        ([{"points": [[1]]}], "is not valid at points at 0"),
        ([{"points": [[1, float("nan")]]}], "is not valid at points at 0 at 1"),
        ([{"points": [[1, 2]], "labels": [1, 0]}], "1 points have as many labels, got 2"),
        ([{"points": [[1, 2]], "labels": [7]}], "is not valid at labels at 0"),
        ([{"box": [10, 10, 5, 20]}], "a box is left, top, right, bottom"),
        ([{"points": [[1, 2]] * 65}], "at most 64 items"),
        ([{"circle": [1, 2, 3]}], "is not valid at circle"),
        ('{"points": [[1, 2]]}', "The prompts are a list, got"),
        ({"points": [[1, 2]]}, "The prompts are a list, got"),
        (None, "The prompts are a list, got 'None' alone"),
        ([{"points": {1}}], "The part prompts holds a set, which JSON cannot carry"),
    ],
)
def test_what_is_no_prompt_is_refused(prompts: Any, said: str, runtime: Runtime, photographs: list[Path]) -> None:
    with pytest.raises(InvalidInputError, match=said):
        runtime.predict("anything", image=photographs[0], prompts=prompts)


def test_a_broken_image_fails_alone(runtime: Runtime, photographs: list[Path]) -> None:
    model = runtime.model("anything")
    prompt = (json.dumps(PROMPTS[0]).encode(),)
    good, bad = model.submit([(photographs[0].read_bytes(), prompt), (b"no image", prompt)])
    assert isinstance(good.result(20).output, ImageSegmentation)
    with pytest.raises(InvalidInputError, match="The image is none of JPEG"):
        bad.result(20)


def test_its_decoder_is_asked_by_it_alone(runtime: Runtime) -> None:
    with pytest.raises(InvalidInputError, match=r"'anything\.decoder' is asked by the model alone"):
        runtime.predict("anything.decoder", text="anything")


def test_the_bundle_says_what_it_is_made_of(folder: Path) -> None:
    bundle = read_bundle(folder / "models" / "anything" / "1")
    shown = call_tundish("models", "show", folder / "models", "anything")
    assert shown.returncode == 0, shown.stderr
    assert list(bundle.manifest.model_dump()["reads"]) == ["image", "prompts"]
    for said in ("anything.encoder", "anything.decoder", "each of prompts", "the last 16"):
        assert said in shown.stdout


def test_the_command_tells_promptable_networks_by_their_configuration(folder: Path, tmp_path: Path) -> None:
    arguments = ("export", folder / "source", "--task", "image-segmentation", "--name", "anything")
    refused = call_tundish(*arguments, "--repository", tmp_path, "--threshold", "0.5")
    assert refused.returncode == 1
    assert "segments by prompts, to which --threshold do not belong" in refused.stderr


def test_other_networks_are_refused(tmp_path: Path) -> None:
    vit = save_family(tmp_path / "vit", IMAGE_FAMILIES["vit"]())
    with pytest.raises(ExportError, match="architecture 'vit', which does not do image-segmentation"):
        export_promptable(vit, name="model", repository=tmp_path / "models")
