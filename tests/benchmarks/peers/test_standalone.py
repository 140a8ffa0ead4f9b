"""The code that runs in the peers' environments, in this process: its answers are those of the bundle."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

import tundish
from tundish.bundle import Bundle
from tundish.engines import load_engine
from tundish.tasks.registry import load_task
from tundish_bench.errors import BenchmarkError
from tundish_bench.peers.settings import PeerModel, image_model, tensor_model, text_model
from tundish_bench.peers.triton_models import write_triton_model

TEXTS = [
    "A masterpiece.",
    "Dull, long and, for all its noise and all its stars, of no interest to anybody who has ever seen a film.",
    "It is not bad",
    "What a wonderful, moving, funny and beautifully shot picture this is; see it twice!",
]


def loaded(model: PeerModel) -> Any:
    return importlib.import_module("served_models").load_model(model.settings)


@pytest.fixture(scope="module")
def runtime(repository: Path) -> Iterator[tundish.Runtime]:
    with tundish.open(repository, instances=1) as opened:
        yield opened


def first_label(result: Any) -> str:
    label: str = result.labels[0].name
    return label


@pytest.fixture(scope="module")
def photo_labels(runtime: tundish.Runtime, photographs: list[Path]) -> list[str]:
    """By the runtime itself."""
    return [first_label(runtime.predict("photo-labels", image=path.read_bytes()).result) for path in photographs]


@pytest.fixture(scope="module")
def text_labels(runtime: tundish.Runtime) -> list[str]:
    """By the runtime itself, of `TEXTS`."""
    return [first_label(runtime.predict("sentiment", text=text).result) for text in TEXTS]


@pytest.mark.usefixtures("standalone")
@pytest.mark.parametrize("tuned", [False, True])
def test_images_get_the_labels_of_the_bundle(
    photo_bundle: Bundle, photographs: list[Path], photo_labels: list[str], tuned: bool
) -> None:
    images = [path.read_bytes() for path in photographs]
    labels, scores = loaded(image_model(photo_bundle, tuned=tuned)).run(images)
    assert sum(one == other for one, other in zip(labels[:, 0], photo_labels, strict=True)) >= 19
    assert (scores[:, 0] >= scores[:, 1]).all()


@pytest.mark.usefixtures("standalone")
def test_texts_get_the_labels_of_the_bundle_one_by_one_and_together(
    review_bundle: Bundle, text_labels: list[str]
) -> None:
    served = loaded(text_model(review_bundle))
    assert list(served.run([text.encode() for text in TEXTS])[0][:, 0]) == text_labels
    assert [served.run([text.encode()])[0][0, 0] for text in TEXTS] == text_labels


def rows_of(bundle: Bundle, photographs: list[Path]) -> list[np.ndarray]:
    task = load_task(bundle.manifest, bundle.directory)
    return [task.collate([task.prepare(path.read_bytes())])["pixel_values"] for path in photographs]


@pytest.mark.usefixtures("standalone")
def test_tensors_get_the_numbers_of_the_engine(photo_bundle: Bundle, photographs: list[Path]) -> None:
    rows = rows_of(photo_bundle, photographs[:3])
    engine = load_engine(photo_bundle, photo_bundle.manifest.servable[0], threads=1)
    expected = [engine.run({"pixel_values": row})["logits"] for row in rows]
    served = loaded(tensor_model(photo_bundle))
    (together,) = served.run([row.tobytes() for row in rows])  # as they come over HTTP
    np.testing.assert_array_equal(together, np.concatenate(expected))
    (alone,) = served.run(list(rows[0]))  # as Triton hands them over
    np.testing.assert_array_equal(alone, expected[0])


@pytest.mark.usefixtures("standalone")
def test_answers_go_over_http_as_json_or_as_bytes(
    photo_bundle: Bundle, review_bundle: Bundle, photographs: list[Path]
) -> None:
    http_answers = importlib.import_module("served_models").http_answers
    (answer,) = http_answers(loaded(text_model(review_bundle)), [b"fine"])
    assert json.loads(json.dumps(answer)) == answer
    assert len(answer["label"]) == len(answer["score"]) == 3
    (row,) = rows_of(photo_bundle, photographs[:1])
    (numbers,) = http_answers(loaded(tensor_model(photo_bundle)), [row.tobytes()])
    assert len(numbers) == 4 * 1000


def fake_triton(monkeypatch: pytest.MonkeyPatch) -> None:
    """The backend's module, as far as the model uses it."""

    class Tensor:
        def __init__(self, name: str, array: np.ndarray) -> None:
            self.name, self.array = name, array

        def as_numpy(self) -> np.ndarray:
            return self.array

    utils = ModuleType("triton_python_backend_utils")
    utils.Tensor = Tensor  # type: ignore[attr-defined]
    utils.InferenceResponse = lambda tensors: {each.name: each.array for each in tensors}  # type: ignore[attr-defined]
    utils.get_input_tensor_by_name = lambda request, name: request[name]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, utils.__name__, utils)


def triton_model(model: PeerModel, folder: Path) -> Any:
    write_triton_model(model, folder, max_batch_size=8, instances=1)
    made = importlib.import_module("triton_model").TritonPythonModel()
    made.initialize({"model_repository": str(folder / model.name), "model_version": "1"})
    return made


@pytest.mark.usefixtures("standalone")
def test_triton_answers_each_of_the_requests_that_it_hands_over_together(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, review_bundle: Bundle, text_labels: list[str]
) -> None:
    fake_triton(monkeypatch)
    model = triton_model(text_model(review_bundle), tmp_path)
    tensor = sys.modules["triton_python_backend_utils"].Tensor
    parts = [TEXTS[:1], TEXTS[1:3], TEXTS[3:]]
    requests = [{"text": tensor("text", np.array([[text.encode()] for text in part], np.object_))} for part in parts]
    answers = model.execute(requests)
    labels = [[row[0].decode() for row in answer["label"]] for answer in answers]
    assert labels == [text_labels[:1], text_labels[1:3], text_labels[3:]]
    assert [answer["score"].shape for answer in answers] == [(1, 3), (2, 3), (1, 3)]


@pytest.mark.usefixtures("standalone")
def test_triton_answers_with_a_tensor_for_a_tensor(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, photo_bundle: Bundle, photographs: list[Path]
) -> None:
    fake_triton(monkeypatch)
    model = triton_model(tensor_model(photo_bundle), tmp_path)
    tensor = sys.modules["triton_python_backend_utils"].Tensor
    rows = rows_of(photo_bundle, photographs[:2])
    answers = model.execute([{"pixel_values": tensor("pixel_values", row)} for row in rows])
    engine = load_engine(photo_bundle, photo_bundle.manifest.servable[0], threads=1)
    for row, answer in zip(rows, answers, strict=True):
        np.testing.assert_array_equal(answer["logits"], engine.run({"pixel_values": row})["logits"])


def fake_mlserver(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLServer's classes, as far as the model uses them."""
    package, types = ModuleType("mlserver"), ModuleType("mlserver.types")
    package.MLModel = object  # type: ignore[attr-defined]
    types.InferenceResponse = SimpleNamespace  # type: ignore[attr-defined]
    types.ResponseOutput = SimpleNamespace  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mlserver", package)
    monkeypatch.setitem(sys.modules, "mlserver.types", types)


async def mlserver_answer(model: PeerModel, items: list[bytes]) -> Any:
    served = importlib.import_module("mlserver_model").Served()
    served.name = model.name
    served.settings = SimpleNamespace(parameters=SimpleNamespace(extra=model.settings))
    assert await served.load()
    return await served.predict(SimpleNamespace(inputs=[SimpleNamespace(data=SimpleNamespace(root=items))]))


@pytest.mark.usefixtures("standalone")
async def test_mlserver_answers_a_batch_with_a_row_each(
    monkeypatch: pytest.MonkeyPatch, review_bundle: Bundle, text_labels: list[str]
) -> None:
    fake_mlserver(monkeypatch)
    answer = await mlserver_answer(text_model(review_bundle), [text.encode() for text in TEXTS])
    labels, scores = answer.outputs
    assert (labels.name, labels.datatype, labels.shape) == ("label", "BYTES", [4, 3])
    assert labels.data[::3] == text_labels
    assert (scores.name, scores.shape, len(scores.data)) == ("score", [4, 3], 12)


@pytest.mark.usefixtures("standalone")
async def test_mlserver_answers_with_the_bytes_of_a_tensor(
    monkeypatch: pytest.MonkeyPatch, photo_bundle: Bundle, photographs: list[Path]
) -> None:
    fake_mlserver(monkeypatch)
    rows = rows_of(photo_bundle, photographs[:2])
    answer = await mlserver_answer(tensor_model(photo_bundle), [row.tobytes() for row in rows])
    (logits,) = answer.outputs
    assert (logits.datatype, logits.shape) == ("BYTES", [2, 1])
    engine = load_engine(photo_bundle, photo_bundle.manifest.servable[0], threads=1)
    for row, data in zip(rows, logits.data, strict=True):
        assert data == engine.run({"pixel_values": row})["logits"].tobytes()


@pytest.mark.usefixtures("standalone")
@pytest.mark.parametrize("most", [1, 8])
def test_mosecs_workers_answer_items_and_batches(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, review_bundle: Bundle, text_labels: list[str], most: int
) -> None:
    package = ModuleType("mosec")
    package.Worker, package.Server, package.Runtime = object, object, object  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mosec", package)
    model = text_model(review_bundle)
    content = {"models": {model.name: model.settings}, "max_batch_size": most}
    (tmp_path / "settings.json").write_text(json.dumps(content))
    monkeypatch.setenv("SETTINGS", str(tmp_path / "settings.json"))
    monkeypatch.setenv("MODEL", model.name)
    worker = importlib.import_module("mosec_server").Classify()
    items = [worker.deserialize(text.encode()) for text in TEXTS]
    answers = [worker.forward(item) for item in items] if most == 1 else worker.forward(items)
    assert [answer["label"][0] for answer in answers] == text_labels


def fake_litserve(monkeypatch: pytest.MonkeyPatch) -> None:
    """LitServe's and FastAPI's classes, as far as the server uses them."""

    class LitAPI:
        def __init__(self, *, max_batch_size: int) -> None:
            self.max_batch_size = max_batch_size

    package, fastapi = ModuleType("litserve"), ModuleType("fastapi")
    package.LitAPI = LitAPI  # type: ignore[attr-defined]
    fastapi.Depends, fastapi.Request = (lambda each: each), object  # type: ignore[attr-defined]
    fastapi.Response = lambda content, media_type: (media_type, content)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "litserve", package)
    monkeypatch.setitem(sys.modules, "fastapi", fastapi)


@pytest.mark.usefixtures("standalone")
@pytest.mark.parametrize("most", [1, 8])
def test_litserves_workers_answer_items_and_batches(
    monkeypatch: pytest.MonkeyPatch, review_bundle: Bundle, text_labels: list[str], most: int
) -> None:
    fake_litserve(monkeypatch)
    api = importlib.import_module("litserve_server").Serve(text_model(review_bundle).settings, max_batch_size=most)
    api.setup("cpu")
    items = [api.decode_request(text.encode()) for text in TEXTS]
    outputs = [api.predict(item) for item in items] if most == 1 else api.unbatch(api.predict(api.batch(items)))
    assert [api.encode_response(output)["label"][0] for output in outputs] == text_labels
    assert api.encode_response(b"numbers") == ("application/octet-stream", b"numbers")


@pytest.mark.parametrize(("most", "batches"), [(1, False), (8, True)])
def test_triton_is_told_instances_and_batches(tmp_path: Path, review_bundle: Bundle, most: int, batches: bool) -> None:
    write_triton_model(text_model(review_bundle), tmp_path, max_batch_size=most, instances=3)
    config = (tmp_path / "sentiment" / "config.pbtxt").read_text()
    assert f"max_batch_size: {most}\n" in config
    assert "count: 3" in config
    assert ("dynamic_batching" in config) is batches


def test_images_are_no_texts(photo_bundle: Bundle) -> None:
    with pytest.raises(BenchmarkError, match="not prepared as the peer's model prepares texts"):
        text_model(photo_bundle)


def test_texts_are_no_images(review_bundle: Bundle) -> None:
    with pytest.raises(BenchmarkError, match="not prepared as the peer's model prepares images"):
        image_model(review_bundle)


def test_a_network_of_texts_is_no_tensor_to_tensor(review_bundle: Bundle) -> None:
    with pytest.raises(BenchmarkError, match="no network of one float32 tensor in and one out"):
        tensor_model(review_bundle)
