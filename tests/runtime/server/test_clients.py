"""Every way to ask gives the same typed result: both clients, the command, and the runtime in this process."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from PIL import Image
from support.bundles import LABELS
from support.commands import run_tundish
from support.images import encoded
from support.server_process import ServerProcess

import tundish
from tundish.bundle import read_single_bundle
from tundish.client import AsyncClient, Client
from tundish.errors import InvalidInputError, TundishError
from tundish.inputs import ImageInput, Inputs
from tundish.results import FeatureExtraction, ImageClassification, Prediction, TextClassification
from tundish_kernels import onnxruntime_library

TEXTS = {"sentiment": "A tense, beautifully shot thriller — überraschend!", "minilm": "The cat sat on the mat. 猫"}
WAYS = ["client", "async client", "command"]


@pytest.fixture(scope="module")
def runtime(repository: Path) -> Iterator[tundish.Runtime]:
    """The same models in this process."""
    with tundish.open(repository, instances=1) as opened:
        yield opened


@pytest.fixture
def client(server: ServerProcess) -> Iterator[Client]:
    """To the real models."""
    with Client(server.url) as connection:
        yield connection


async def ask(way: str, url: str, model: str, **arguments: Any) -> dict[str, Any]:
    """The answer as the command's JSON has it, whichever way it came; without its times."""
    if way == "client":
        with Client(url) as blocking:
            return as_json(blocking.predict(model, **arguments))
    if way == "async client":
        async with AsyncClient(url) as awaiting:
            return as_json(await awaiting.predict(model, **arguments))
    ((kind, value),) = arguments.items()
    ran = run_tundish("infer", model, f"--{kind}", value, "--url", url, "--json")
    assert ran.returncode == 0, ran.stderr
    content: dict[str, Any] = json.loads(ran.stdout)
    assert content.pop("input") == str(value)
    assert content.pop("stage_times")["batch_size"] == 1
    return content


def as_json(prediction: Prediction) -> dict[str, Any]:
    result = prediction.result
    content: dict[str, Any] = {"model": prediction.model, "version": prediction.version}
    if isinstance(result, FeatureExtraction):
        content["vector"] = result.vector.tolist()
    else:
        assert isinstance(result, ImageClassification | TextClassification)  # the others have tests of their own
        content["labels"] = [{"name": label.name, "score": label.score} for label in result.labels]
    if hasattr(result, "truncated"):
        content["truncated"] = result.truncated
    return content


def assert_same(actual: dict[str, Any], expected: dict[str, Any]) -> None:
    assert actual.keys() == expected.keys()
    for key in expected.keys() - {"labels", "vector"}:
        assert actual[key] == expected[key]
    if "vector" in expected:
        np.testing.assert_allclose(actual["vector"], expected["vector"], rtol=0, atol=1e-6)
    else:
        assert [label["name"] for label in actual["labels"]] == [label["name"] for label in expected["labels"]]
        for label, wanted in zip(actual["labels"], expected["labels"], strict=True):
            assert label["score"] == pytest.approx(wanted["score"], abs=1e-6, rel=0)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("model", TEXTS)
async def test_a_text_gives_the_same_by_every_way(
    runtime: tundish.Runtime, server: ServerProcess, way: str, model: str
) -> None:
    expected = as_json(runtime.predict(model, text=TEXTS[model]))
    assert_same(await ask(way, server.url, model, text=TEXTS[model]), expected)


@pytest.mark.parametrize("way", WAYS)
async def test_a_photograph_gives_the_same_by_every_way(
    runtime: tundish.Runtime, server: ServerProcess, photographs: list[Path], way: str
) -> None:
    expected = as_json(runtime.predict("photo-labels", image=photographs[3]))
    assert_same(await ask(way, server.url, "photo-labels", image=photographs[3]), expected)


@pytest.mark.parametrize("form", ["path", "string", "bytes", "pixels"])
async def test_a_photograph_gives_the_same_in_every_form(
    runtime: tundish.Runtime, server: ServerProcess, client: Client, photographs: list[Path], tmp_path: Path, form: str
) -> None:
    pixels = np.asarray(Image.open(photographs[5]).convert("RGB"))
    # Not a JPEG: this model's variant decodes those at a fraction of their size, which pixels are not.
    path = tmp_path / "photograph.png"
    Image.fromarray(pixels).save(path)
    forms: dict[str, Any] = {"path": path, "string": str(path), "bytes": path.read_bytes(), "pixels": pixels}
    expected = as_json(runtime.predict("photo-labels", image=path))
    assert_same(as_json(runtime.predict("photo-labels", image=forms[form])), expected)
    assert_same(as_json(client.predict("photo-labels", image=forms[form])), expected)
    async with AsyncClient(server.url) as awaiting:
        assert_same(as_json(await awaiting.predict("photo-labels", image=forms[form])), expected)


def test_pixels_are_rgb_whatever_their_layout_in_memory(colors: ServerProcess) -> None:
    blue = np.zeros((5, 7, 3), np.uint8)
    blue[:, :, 2] = 250
    with Client(colors.url) as client:
        for pixels in (blue, np.asfortranarray(blue), blue[::-1, ::2], blue[:, :, ::-1][:, :, ::-1]):
            assert best(client.predict("colors", image=pixels)) == "blue"


def best(prediction: Prediction) -> str:
    assert isinstance(prediction.result, ImageClassification | TextClassification)
    return prediction.result.labels[0].name


def test_many_threads_share_one_client(colors: ServerProcess) -> None:
    wrong: list[str] = []

    def work(color: str) -> None:
        wrong.extend(
            found for _ in range(20) if (found := best(client.predict("colors", image=images[color]))) != color
        )

    images = {color: encoded(color) for color in LABELS}
    with Client(colors.url) as client:
        threads = [threading.Thread(target=work, args=(color,)) for color in LABELS * 2]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert not wrong


def test_the_version_asked_for_answers(colors: ServerProcess) -> None:
    with Client(colors.url) as client:
        versions = [client.predict("colors", image=encoded("red"), version=version).version for version in (1, 3, None)]
    assert versions == [1, 3, 3]


def test_a_closed_client_is_closed(colors: ServerProcess) -> None:
    with Client(colors.url) as client:
        client.predict("colors", image=encoded("red"))
    with pytest.raises(ValueError, match="closed channel"):
        client.predict("colors", image=encoded("red"))


# Engines


@pytest.mark.parametrize("model", ["photo-labels", "minilm"])
async def test_tensors_give_what_the_engine_gives_in_this_process(
    repository: Path, server: ServerProcess, tmp_path: Path, model: str
) -> None:
    bundle = read_single_bundle(repository / model / "1")
    generator = np.random.default_rng(11)
    inputs: dict[str, NDArray[Any]]
    if model == "minilm":
        ids = generator.integers(1000, 20_000, (3, 9))
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    else:
        inputs = {"pixel_values": generator.normal(0, 1, (3, 3, 224, 224)).astype(np.float32)}
    names = [spec.name for spec in bundle.manifest.outputs]
    options = onnxruntime.SessionOptions()
    options.register_custom_ops_library(str(onnxruntime_library()))
    session = onnxruntime.InferenceSession(bundle.path(bundle.manifest.servable[0].files[0]), options)
    expected: dict[str, Any] = dict(zip(names, session.run(names, inputs), strict=True))

    with Client(server.url) as blocking:
        answers: list[Mapping[str, Any]] = [blocking.infer(f"{model}.engine", inputs)]
    async with AsyncClient(server.url) as awaiting:
        answers.append(await awaiting.infer(f"{model}.engine", inputs))
    np.savez(tmp_path / "inputs.npz", **inputs)  # type: ignore[arg-type]  # its stubs take the names for options
    ran = run_tundish("infer", f"{model}.engine", "--tensors", tmp_path / "inputs.npz", "--url", server.url, "--json")
    assert ran.returncode == 0, ran.stderr
    answers.append({name: np.array(values, np.float32) for name, values in json.loads(ran.stdout).items()})
    for answer in answers:
        assert list(answer) == names
        for name in names:
            assert answer[name].shape == expected[name].shape
            assert answer[name].dtype == expected[name].dtype
            np.testing.assert_allclose(answer[name], expected[name], rtol=0, atol=1e-4)


def test_the_pipeline_takes_tensors_of_bytes(client: Client) -> None:
    texts = np.array([text.encode() for text in TEXTS.values()], np.object_)
    outputs = client.infer("sentiment", {"text": texts})
    assert outputs["label"].shape == outputs["score"].shape == (2, 3)
    single = client.predict("sentiment", text=TEXTS["sentiment"])
    assert outputs["label"][0, 0] == best(single).encode()


# Streams


async def collect(url: str, model: str, *, asynchronous: bool, images: Sequence[ImageInput]) -> list[Any]:
    """The outcomes of a stream; the error that ends it stands last, in a list of its own."""
    outcomes: list[Any] = []
    items: list[Inputs] = [{"image": image} for image in images]
    try:
        if asynchronous:

            async def drawn() -> AsyncIterator[Inputs]:
                for item in items:
                    yield item

            async with AsyncClient(url) as awaiting:
                async for outcome in awaiting.predict_stream(model, drawn()):
                    outcomes.append(outcome)  # noqa: PERF401  # those before an error are wanted too
        else:
            with Client(url) as blocking:
                outcomes.extend(blocking.predict_stream(model, items))
    except TundishError as error:
        outcomes.append([error])
    return outcomes


both = pytest.mark.parametrize("asynchronous", [False, True], ids=["client", "async client"])


@both
async def test_a_stream_answers_in_order_and_goes_on_after_a_bad_input(
    colors: ServerProcess, asynchronous: bool
) -> None:
    images = [encoded("red"), encoded("green"), b"no image", b"", encoded("blue")]
    outcomes = await collect(colors.url, "colors", asynchronous=asynchronous, images=images)
    assert [best(outcome) for outcome in (outcomes[0], outcomes[1], outcomes[4])] == ["red", "green", "blue"]
    assert [type(outcome) for outcome in outcomes[2:4]] == [InvalidInputError] * 2
    assert "none of JPEG, PNG, BMP, WEBP" in str(outcomes[2])


@both
async def test_a_file_that_cannot_be_read_ends_the_stream_behind_the_answers_before_it(
    colors: ServerProcess, asynchronous: bool, tmp_path: Path
) -> None:
    images: list[ImageInput] = [encoded("red"), encoded("green"), tmp_path / "gone.jpg", encoded("blue")]
    outcomes = await collect(colors.url, "colors", asynchronous=asynchronous, images=images)
    assert [best(outcome) for outcome in outcomes[:-1]] == ["red", "green"]
    (error,) = outcomes[-1]
    assert isinstance(error, InvalidInputError)
    assert str(error) == f"The image {tmp_path / 'gone.jpg'} cannot be read: No such file or directory."


def test_an_endless_stream_may_be_left_early(colors: ServerProcess) -> None:
    green: Inputs = {"image": encoded("green")}
    endless = itertools.repeat(green)
    with Client(colors.url) as client:
        for outcome in client.predict_stream("colors", endless):
            assert best(expect_prediction(outcome)) == "green"
            break
        assert best(client.predict("colors", image=encoded("blue"))) == "blue"


def expect_prediction(outcome: Prediction | TundishError) -> Prediction:
    assert isinstance(outcome, Prediction), outcome
    return outcome


async def test_an_endless_asynchronous_stream_may_be_left_early(colors: ServerProcess) -> None:
    async def endless() -> AsyncIterator[Inputs]:
        while True:
            yield {"image": encoded("green")}

    async with AsyncClient(colors.url) as client:
        async for outcome in client.predict_stream("colors", endless()):
            assert best(expect_prediction(outcome)) == "green"
            break
        assert best(await client.predict("colors", image=encoded("blue"))) == "blue"
