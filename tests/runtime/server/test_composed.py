"""A composed model served: by every front and client, each of its components by its own name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as triton
from support.bundles import SIZE
from support.commands import call_tundish
from support.composed_bundles import expected_scores, make_composed_bundle
from support.http_calls import get, post
from support.images import COLORS, encoded
from support.server_process import ServerProcess
from tritonclient.utils import InferenceServerException

from tundish.client import AsyncClient, Client
from tundish.errors import InvalidInputError, ModelNotFoundError
from tundish.inputs import Inputs
from tundish.results import ImageClassification, Prediction

TOLERANCE = 1e-5
LABELS = ("blue", "red green", "nothing of these")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    repository = tmp_path_factory.mktemp("composed")
    make_composed_bundle(repository)
    make_composed_bundle(repository, version=2)
    with ServerProcess(repository, "--instances", "1") as process:
        yield process
        assert process.running, process.output


@pytest.fixture
def own(served: ServerProcess) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(served.url) as connection:
        yield connection


def inputs(images: Sequence[bytes], labels: Sequence[Sequence[str | bytes]]) -> list[triton.InferInput]:
    """The images `[n, 1]` and their labels `[n, k]`."""
    image = triton.InferInput("image", [len(images), 1], "BYTES")
    image.set_data_from_numpy(np.array([[each] for each in images], np.object_))
    names = np.array([[each.encode() if isinstance(each, str) else each for each in row] for row in labels], np.object_)
    candidates = triton.InferInput("candidate_labels", list(names.shape), "BYTES").set_data_from_numpy(names)
    return [image, candidates]


def rows(response: Any) -> list[dict[str, float]]:
    names, scores = response.as_numpy("label"), response.as_numpy("score")
    return [
        {name.decode(): float(score) for name, score in zip(*row, strict=True)}
        for row in zip(names, scores, strict=True)
    ]


def scores(prediction: Any) -> dict[str, float]:
    assert isinstance(prediction, Prediction), prediction
    assert isinstance(prediction.result, ImageClassification)
    return {label.name: label.score for label in prediction.result.labels}


def test_a_request_has_images_and_as_many_labels_for_each(own: triton.InferenceServerClient) -> None:
    others = ("green", "blue red", "none")
    response = own.infer("towers", inputs([encoded("red"), encoded("green")], [LABELS, others]))
    first, second = rows(response)
    assert first == pytest.approx(expected_scores("red", LABELS), abs=TOLERANCE)
    assert second == pytest.approx(expected_scores("green", others), abs=TOLERANCE)
    assert response.as_numpy("score").dtype == np.float32
    assert (np.diff(response.as_numpy("score"), axis=1) <= 0).all()


@pytest.mark.parametrize(
    ("images", "labels", "said"),
    [
        ([b"no image"], [LABELS], r"image\[0\]: "),
        ([encoded("red"), b"no image"], [LABELS, LABELS], r"image\[1\]: "),
        ([encoded("red")], [[]], r"image\[0\]: An image is compared with 1 to 1000 candidate_labels, got 0"),
        ([encoded("red")], [["a"] * 1001], r"An image is compared with 1 to 1000 candidate_labels, got 1001"),
        ([encoded("red")], [[b"red", b"\xff"]], "A candidate label is not UTF-8"),
        (
            [encoded("red")],
            [LABELS, LABELS],
            "must have as many elements each, got 1 of 'image', 2 of 'candidate_labels",
        ),
    ],
)
def test_what_cannot_be_answered_is_refused(
    own: triton.InferenceServerClient, images: Any, labels: Any, said: str
) -> None:
    with pytest.raises(InferenceServerException, match=said) as caught:
        own.infer("towers", inputs(images, labels))
    assert caught.value.status() == "StatusCode.INVALID_ARGUMENT"


def test_labels_have_two_dimensions(own: triton.InferenceServerClient) -> None:
    image, _ = inputs([encoded("red")], [LABELS])
    flat = triton.InferInput("candidate_labels", [2], "BYTES")
    flat.set_data_from_numpy(np.array([b"red", b"blue"], np.object_))
    with pytest.raises(InferenceServerException, match=r"must have the shape \[batch, candidate_labels\], got \[2\]"):
        own.infer("towers", [image, flat])


def test_each_of_its_networks_is_asked_by_its_own_name(own: triton.InferenceServerClient) -> None:
    image, _ = inputs([encoded("red")], [LABELS])
    pixels = np.broadcast_to(np.array([0.25, 0.5, 0.75], np.float32)[:, None, None], (1, 3, SIZE, SIZE))
    tensor = triton.InferInput("pixel_values", [1, 3, SIZE, SIZE], "FP32").set_data_from_numpy(pixels)
    made = own.infer("towers.image", [image]).as_numpy("embedding")
    assert made[0].tolist() == pytest.approx([value / 255 for value in COLORS["red"]])
    assert own.infer("towers.image.engine", [tensor]).as_numpy("embedding").tolist() == [[0.25, 0.5, 0.75]]
    text = triton.InferInput("text", [1, 1], "BYTES").set_data_from_numpy(np.array([[b"red and blue"]], np.object_))
    assert own.infer("towers.text", [text]).as_numpy("embedding").tolist() == [[1, 0, 1]]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("towers.engine", "'towers' is composed of several engines; ask one of 'towers.image.engine', 'towers.text.en"),
        ("towers.sound", "'towers' has no component 'sound'; it has 'towers.image', 'towers.text'"),
        ("towers.sound.engine", "'towers' has no component 'sound'"),
        ("towers.", "'towers' has no component ''"),
        ("tower.image", "There is no model 'tower'; there are towers"),
    ],
)
def test_a_name_that_means_nothing_is_told_those_there_are(
    own: triton.InferenceServerClient, name: str, said: str
) -> None:
    with pytest.raises(InferenceServerException, match=said) as caught:
        own.get_model_metadata(name)
    assert caught.value.status() == "StatusCode.NOT_FOUND"
    assert not own.is_model_ready(name)


def test_it_and_its_components_describe_themselves(own: triton.InferenceServerClient) -> None:
    whole = own.get_model_metadata("towers", as_json=True)
    assert whole["versions"] == ["1", "2"]
    assert whole["platform"] == "tundish_pipeline"
    assert whole["inputs"] == [
        {"name": "image", "datatype": "BYTES", "shape": ["-1", "1"]},
        {"name": "candidate_labels", "datatype": "BYTES", "shape": ["-1", "-1"]},
    ]
    assert [output["name"] for output in whole["outputs"]] == ["label", "score"]
    assert own.get_model_metadata("towers.text").versions == ["1", "2"]
    assert own.get_model_metadata("towers.text.engine").platform == "onnx_engine"
    config = own.get_model_config("towers").config
    assert config.max_batch_size == 64
    assert [list(given.dims) for given in config.input] == [[1], [-1]]
    index = {(model.name, model.version, model.state) for model in own.get_model_repository_index().models}
    assert index == {("towers", "1", "READY"), ("towers", "2", "READY")}


def test_its_figures_are_its_own_and_those_of_its_components(
    served: ServerProcess, own: triton.InferenceServerClient
) -> None:
    def figures(name: str) -> Any:
        (found,) = own.get_inference_statistics(name, "1").model_stats
        return found

    before = figures("towers").inference_count
    labels = [["never asked before", "nor this", "red"]]
    for _ in range(3):
        own.infer("towers", inputs([encoded("red")], labels), model_version="1")
    found = figures("towers")
    assert found.inference_count == before + 3
    stages = [getattr(found.inference_stats, f"compute_{stage}").ns for stage in ("input", "infer", "output")]
    assert all(stages)
    assert sum(stages) + found.inference_stats.queue.ns < found.inference_stats.success.ns
    texts = sum(batch.batch_size * batch.compute_infer.count for batch in figures("towers.text").batch_stats)
    assert texts == 3  # each once, and then remembered
    names = {each.name for each in own.get_inference_statistics().model_stats}
    assert names == {"towers"} | {f"towers.{name}{entry}" for name in ("image", "text") for entry in ("", ".engine")}
    metrics = get(served.http_url, "/metrics").body.decode()
    assert 'tundish_items_total{entry="pipeline",model="towers",version="1"}' in metrics
    assert 'tundish_instances{model="towers.text",version="2"} 1.0' in metrics


def test_the_typed_clients(served: ServerProcess) -> None:
    with Client(served.url) as client:
        prediction = client.predict("towers", image=encoded("red"), candidate_labels=LABELS)
        assert scores(prediction) == pytest.approx(expected_scores("red", LABELS), abs=TOLERANCE)
        assert prediction.version == 2
        with pytest.raises(InvalidInputError, match="it takes image and candidate_labels, and got no candidate_labels"):
            client.predict("towers", image=encoded("red"), candidate_labels=[])
        with pytest.raises(ModelNotFoundError, match="no component 'sound'"):
            client.predict("towers.sound", image=encoded("red"))
        # Items of a stream have as many labels as each likes, and fail alone.
        items: list[Inputs] = [{"image": encoded("red"), "candidate_labels": LABELS[:count]} for count in (1, 2, 3)]
        items.insert(1, {"image": b"no image", "candidate_labels": LABELS})
        first, bad, *others = client.predict_stream("towers", items)
        assert isinstance(bad, InvalidInputError)
        for count, answer in enumerate([first, *others], 1):
            assert scores(answer) == pytest.approx(expected_scores("red", LABELS[:count]), abs=TOLERANCE)


async def test_the_asynchronous_client(served: ServerProcess) -> None:
    async with AsyncClient(served.url) as client:
        prediction = await client.predict("towers", image=encoded("blue"), candidate_labels=LABELS, version=1)
        assert scores(prediction) == pytest.approx(expected_scores("blue", LABELS), abs=TOLERANCE)
        assert prediction.version == 1


def test_plain_http(served: ServerProcess) -> None:
    # JSON carries text alone: the image comes as binary data behind it.
    image = encoded("red")
    content = len(image).to_bytes(4, "little") + image
    labels = {"name": "candidate_labels", "shape": [1, 3], "datatype": "BYTES", "data": [list(LABELS)]}
    binary = {"name": "image", "shape": [1, 1], "datatype": "BYTES", "parameters": {"binary_data_size": len(content)}}
    head = json.dumps({"inputs": [binary, labels]}).encode()
    answer = post(
        served.http_url,
        "/v2/models/towers/infer",
        head + content,
        {"Inference-Header-Content-Length": str(len(head))},
    )
    assert answer.status == 200, answer.body
    outputs = {output["name"]: output["data"] for output in answer.json["outputs"]}
    found = dict(zip(outputs["label"], outputs["score"], strict=True))
    assert found == pytest.approx(expected_scores("red", LABELS), abs=TOLERANCE)
    assert get(served.http_url, "/v2/models/towers.engine").status == 404


def test_the_command(served: ServerProcess, tmp_path: Path) -> None:
    files = []
    for color in ("red", "green"):
        files.append(tmp_path / f"{color}.png")
        files[-1].write_bytes(encoded(color))
    labels = ("--candidate-labels", ", ".join(LABELS))
    images = [argument for file in files for argument in ("--image", file)]
    ran = call_tundish("infer", "towers", *images, *labels, "--url", served.url, "--json")
    assert ran.returncode == 0, ran.stderr
    answers = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [answer["input"] for answer in answers] == [f"{file} | {', '.join(LABELS)}" for file in files]
    for color, answer in zip(("red", "green"), answers, strict=True):
        found = {label["name"]: label["score"] for label in answer["labels"]}
        assert found == pytest.approx(expected_scores(color, LABELS), abs=TOLERANCE)
    shown = call_tundish("infer", "towers", *images, *labels, "--url", served.url)
    assert shown.stdout.count("nothing of these") >= 2


def test_it_is_unloaded_and_loaded_whole(own: triton.InferenceServerClient) -> None:
    own.unload_model("towers")
    for name in ("towers", "towers.text"):
        with pytest.raises(InferenceServerException, match=r"'towers' is not ready\. It was unloaded; load it again"):
            own.infer(name, inputs([encoded("red")], [LABELS]))
    for change in (own.load_model, own.unload_model):
        with pytest.raises(InferenceServerException, match=r"no model 'towers\.text'"):
            change("towers.text")
    own.load_model("towers")
    assert rows(own.infer("towers", inputs([encoded("red")], [LABELS])))
