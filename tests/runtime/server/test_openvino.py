"""Real models on OpenVINO in a server, beside a server that has them on ONNX Runtime."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.engines import by_openvino, republish
from support.server_process import ServerProcess

from tundish import FeatureExtraction, ImageClassification, TextClassification
from tundish.bundle import read_single_bundle
from tundish.client import Client
from tundish.errors import EngineError
from tundish.manifest import Variant

MODELS = ("minilm", "sentiment", "photo-labels")
TEXTS = ("A tense, beautifully shot thriller.", "", "x", "pressure falls " * 60)
TIMEOUT = 60.0


def serve(repository: Path, directory: Path, *, openvino: bool) -> ServerProcess:
    """The fp32 variants of the models by one engine; those by OpenVINO in two threads."""

    def chosen(variant: Variant) -> Variant:
        return by_openvino(variant) if openvino else variant

    for name in MODELS:
        bundle = read_single_bundle(repository / name / "1")
        floating = next(variant for variant in bundle.manifest.variants if variant.precision == "fp32")
        republish(bundle, directory, chosen(floating))
    return ServerProcess(directory, "--instances", "2")


@pytest.fixture(scope="module")
def clients(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, Client]]:
    """To a server by OpenVINO, and to one by ONNX Runtime."""
    with (
        serve(repository, tmp_path_factory.mktemp("openvino"), openvino=True) as ours,
        serve(repository, tmp_path_factory.mktemp("onnx"), openvino=False) as theirs,
        Client(ours.url) as one,
        Client(theirs.url) as other,
    ):
        yield one, other
        assert ours.running, ours.output
        for name in MODELS:
            assert f"Model '{name}' version 1 is ready" in ours.output
        assert ours.output.count("by openvino-fp32-cpu, 2 instances of 1 thread") == len(MODELS)


@pytest.mark.parametrize("model", ["minilm", "sentiment"])
def test_texts_get_equal_answers(clients: tuple[Client, Client], model: str) -> None:
    for text in TEXTS:
        answer, expected = (client.predict(model, text=text, timeout=TIMEOUT).result for client in clients)
        if isinstance(answer, FeatureExtraction):
            assert isinstance(expected, FeatureExtraction)
            np.testing.assert_allclose(answer.vector, expected.vector, atol=1e-3)
        else:
            assert isinstance(answer, TextClassification)
            assert isinstance(expected, TextClassification)
            assert_equal_scores(answer, expected)


def test_photographs_get_equal_answers(clients: tuple[Client, Client], photographs: list[Path]) -> None:
    for photograph in photographs[:6]:
        answer, expected = (client.predict("photo-labels", image=photograph, timeout=TIMEOUT) for client in clients)
        assert isinstance(answer.result, ImageClassification)
        assert isinstance(expected.result, ImageClassification)
        assert_equal_scores(answer.result, expected.result)


def assert_equal_scores(
    answer: ImageClassification | TextClassification, expected: ImageClassification | TextClassification
) -> None:
    scores = {label.name: label.score for label in expected.labels}
    assert answer.labels[0].name == expected.labels[0].name
    assert {label.name: label.score for label in answer.labels} == pytest.approx(scores, abs=1e-3)


def test_a_request_that_the_network_cannot_run_gets_no_answer_of_another(clients: tuple[Client, Client]) -> None:
    """More tokens than there are positions: OpenVINO's own `infer` answers that with the last request's vectors."""
    client, other = clients

    def tensors(tokens: int) -> dict[str, np.ndarray]:
        ones = np.ones((1, tokens), np.int64)
        return {"input_ids": ones * 2000, "attention_mask": ones, "token_type_ids": ones * 0}

    good = client.infer("minilm.engine", tensors(5), timeout=TIMEOUT)
    for asked in (client, other):
        with pytest.raises(EngineError, match="The engine failed"):
            asked.infer("minilm.engine", tensors(600), timeout=TIMEOUT)
    again = client.infer("minilm.engine", tensors(5), timeout=TIMEOUT)
    expected = other.infer("minilm.engine", tensors(5), timeout=TIMEOUT)
    for name, array in expected.items():
        np.testing.assert_array_equal(again[name], good[name])
        np.testing.assert_allclose(np.asarray(again[name], np.float32), np.asarray(array, np.float32), atol=1e-3)
