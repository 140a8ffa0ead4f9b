"""Texts are as alike as sentence-transformers says: in process, and served, by every way to ask."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc
from sentence_transformers import SentenceTransformer, util
from support.commands import call_tundish
from support.model_families import bert, save_family
from support.server_process import ServerProcess

import tundish
from tundish.client import Client
from tundish.results import SentenceSimilarity
from tundish_exporters import ExportError, export_huggingface

PAIRS = (
    ("A man plays a guitar.", "Someone makes music."),
    ("A man plays a guitar.", "The tundish stands between the ladle and the moulds. " * 40),
    ("", "façade"),
    ("bearing seven runs hot", "bearing seven runs hot"),
)


def test_scores_are_the_cosines_of_sentence_transformers(tmp_path: Path, minilm_directory: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(minilm_directory, source, ignore=shutil.ignore_patterns("*.safetensors"))
    classifier, tokenizer = bert(minilm_directory, max_position_embeddings=512)
    tokenizer.model_max_length = 512
    save_family(source, (classifier.bert, tokenizer))
    export_huggingface(
        source, task="sentence-similarity", name="alike", repository=tmp_path / "models", precision="fp32"
    )
    oracle = SentenceTransformer(str(source), device="cpu", local_files_only=True)
    expected = [float(util.cos_sim(oracle.encode(text), oracle.encode(pair))) for text, pair in PAIRS]
    assert np.ptp(expected) > 0.05
    with tundish.open(tmp_path / "models", instances=1) as runtime:
        for (text, pair), score in zip(PAIRS, expected, strict=True):
            result = runtime.predict("alike", text=text, text_pair=pair).result
            assert isinstance(result, SentenceSimilarity)
            assert result.score == pytest.approx(score, abs=1e-3)
            assert result.truncated == (len(pair) > 500)
    with ServerProcess(tmp_path / "models", "--instances", "1") as process:
        with Client(process.url) as client:
            answers = client.predict_stream("alike", [{"text": text, "text_pair": pair} for text, pair in PAIRS])
            scores = [answer.result.score for answer in answers]  # type: ignore[union-attr]
        assert scores == pytest.approx(expected, abs=1e-3)
        flags = ("--text", PAIRS[0][0], "--text-pair", PAIRS[0][1], "--url", process.url)
        assert json.loads(call_tundish("infer", "alike", *flags, "--json").stdout)["score"] == pytest.approx(
            expected[0], abs=1e-3
        )
        assert f"{scores[0]:.4f}" in call_tundish("infer", "alike", *flags).stdout
        stock = tritonclient.grpc.InferenceServerClient(process.url)
        tensors = []
        for name, values in zip(("text", "text_pair"), zip(*PAIRS, strict=True), strict=True):
            tensor = tritonclient.grpc.InferInput(name, [len(values), 1], "BYTES")
            tensor.set_data_from_numpy(np.array([[value.encode()] for value in values], np.object_))
            tensors.append(tensor)
        answered = stock.infer("alike", tensors).as_numpy("score")
        np.testing.assert_allclose(answered, np.array(expected)[:, np.newaxis], atol=1e-3)
        stock.close()


def test_a_directory_that_does_not_pool_is_refused(tmp_path: Path, minilm_directory: Path) -> None:
    source = save_family(tmp_path / "source", bert(minilm_directory))
    with pytest.raises(ExportError, match=r"does not say how it pools: it has no modules\.json with a Pooling"):
        export_huggingface(source, task="sentence-similarity", name="m", repository=tmp_path / "models")
