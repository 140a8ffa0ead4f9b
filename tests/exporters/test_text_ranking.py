"""Rankers score as sentence-transformers' CrossEncoder does: in process, and served, by every way to ask."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc
from scipy.stats import spearmanr
from sentence_transformers import CrossEncoder
from support.commands import call_tundish
from support.measuring import measure
from support.model_families import POSITIONS, bert, save_family
from support.server_process import ServerProcess
from support.text_tasks import save_ranker

import tundish
from tundish.bundle import Bundle, read_single_bundle
from tundish.client import AsyncClient, Client
from tundish.errors import InvalidInputError
from tundish.manifest import ScorePostprocess
from tundish.results import TextRanking
from tundish_exporters import ExportError, export_huggingface
from tundish_exporters.equality import compare_results

QUERY = "Why does bearing seven run hot?"
TEXTS = (
    "It lacks grease.",
    "The tundish stands between the ladle and the moulds.",
    "",
    "façade, κόσμος 漢字",
    "pressure falls and rises again " * 40,
)


def scores_of(source: Path, query: str = QUERY) -> list[float]:
    """What a user of sentence-transformers gets."""
    oracle = CrossEncoder(str(source), device="cpu", local_files_only=True, max_length=POSITIONS)
    scores: list[float] = oracle.predict([(query, text) for text in TEXTS]).tolist()
    return scores


def export(source: Path, repository: Path, name: str = "ranker") -> Bundle:
    return export_huggingface(source, task="text-ranking", name=name, repository=repository, precision="fp32").bundle


IDENTITY = "torch.nn.modules.linear.Identity"
CASES: dict[str, tuple[str, dict[str, Any], Any]] = {
    "bert": ("bert", {}, "sigmoid"),
    "roberta": ("roberta", {"sentence_transformers": {"activation_fn": IDENTITY}}, "none"),
    "distilbert": ("distilbert", {"sbert_ce_default_activation_function": IDENTITY}, "none"),
    "deberta": (
        "deberta",
        {"sentence_transformers": {"activation_fn": "torch.nn.modules.activation.Sigmoid"}},
        "sigmoid",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_scores_are_those_of_the_cross_encoder(case: str, tmp_path: Path, minilm_directory: Path) -> None:
    family, config, function = CASES[case]
    source = save_ranker(tmp_path / "source", family, minilm_directory, **config)
    bundle = export(source, tmp_path / "models")
    assert bundle.manifest.postprocess == ScorePostprocess(function=function)
    expected = scores_of(source)
    assert np.ptp(expected) > 0.01
    with tundish.open(tmp_path / "models", instances=1) as runtime:
        for text, score in zip(TEXTS, expected, strict=True):
            result = runtime.predict("ranker", query=QUERY, text=text).result
            assert isinstance(result, TextRanking)
            assert result.score == pytest.approx(score, abs=1e-3)
            assert result.truncated == (text == TEXTS[-1]) or family == "deberta"


async def test_texts_are_ranked_by_every_way(tmp_path: Path, minilm_directory: Path) -> None:
    source = save_ranker(tmp_path / "source", "bert", minilm_directory)
    export(source, tmp_path / "models")
    expected = scores_of(source)
    order = np.argsort(expected)[::-1].tolist()
    with ServerProcess(tmp_path / "models", "--instances", "1") as process:
        with Client(process.url) as client:
            ranked = client.rank("ranker", QUERY, TEXTS)
            with pytest.raises(InvalidInputError, match="it takes query and text, and got no query"):
                client.predict("ranker", text="x")
        async with AsyncClient(process.url) as awaiting:
            assert await awaiting.rank("ranker", QUERY, TEXTS) == ranked
        assert [each.index for each in ranked] == order
        assert [each.text for each in ranked] == [TEXTS[index] for index in order]
        assert [each.score for each in ranked] == pytest.approx([expected[index] for index in order], abs=1e-3)
        flags = [part for text in TEXTS[:2] for part in ("--text", text)]
        asked = ("infer", "ranker", "--query", QUERY, *flags, "--url", process.url)
        query, best, *_ = call_tundish(*asked).stdout.splitlines()
        better = max(range(2), key=lambda index: expected[index])
        assert query == QUERY
        assert f"1  {expected[better]:.3f}"[:6] in best
        assert best.rstrip().endswith(TEXTS[better])
        shown = [json.loads(line)["score"] for line in call_tundish(*asked, "--json").stdout.splitlines()]
        assert shown == pytest.approx(expected[:2], abs=1e-3)
        stock = tritonclient.grpc.InferenceServerClient(process.url)
        tensors = []
        for name, values in (("query", [QUERY] * len(TEXTS)), ("text", TEXTS)):
            tensor = tritonclient.grpc.InferInput(name, [len(TEXTS), 1], "BYTES")
            tensor.set_data_from_numpy(np.array([[value.encode()] for value in values], np.object_))
            tensors.append(tensor)
        scores = stock.infer("ranker", tensors).as_numpy("score")
        np.testing.assert_allclose(scores, np.array(expected)[:, np.newaxis], atol=1e-3)
        stock.close()


def test_what_is_no_ranker_is_refused(tmp_path: Path, minilm_directory: Path) -> None:
    classifier = save_family(tmp_path / "classifier", bert(minilm_directory))
    with pytest.raises(ExportError, match="gives 5 labels, where a model for text-ranking gives one score"):
        export(classifier, tmp_path / "models")
    tanh = {"sentence_transformers": {"activation_fn": "torch.nn.Tanh"}}
    source = save_ranker(tmp_path / "source", "bert", minilm_directory, **tanh)
    with pytest.raises(ExportError, match=r"scores by torch\.nn\.Tanh; tundish reproduces Sigmoid and Identity"):
        export(source, tmp_path / "models")


def test_the_gate_ranks_by_labelled_scores(tmp_path: Path, minilm_directory: Path) -> None:
    """By Spearman's correlation, which for the float model is that of the cross-encoder's own scores."""
    source = save_ranker(tmp_path / "source", "bert", minilm_directory)
    texts = [f"Bearing {number} of strand {number % 7} runs {'hot' if number % 3 else 'cold'}." for number in range(40)]
    truths = [float(len(text) + number % 5) for number, text in enumerate(texts)]
    table = tmp_path / "ranked.jsonl"
    rows = [{"query": QUERY, "text": text, "score": truth} for text, truth in zip(texts, truths, strict=True)]
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    bundle = export_huggingface(
        source, task="text-ranking", name="ranker", repository=tmp_path / "models", evaluation=table, max_drop=1.0
    ).bundle
    oracle = CrossEncoder(str(source), device="cpu", local_files_only=True, max_length=POSITIONS)
    expected = spearmanr(oracle.predict([(QUERY, text) for text in texts]), truths).statistic
    floating, quantised = read_single_bundle(bundle.directory).manifest.variants
    assert floating.accuracy is not None
    assert (floating.accuracy.metric, floating.accuracy.samples) == ("Spearman", 40)
    assert floating.accuracy.value == pytest.approx(expected, abs=0.01)
    accuracy = quantised.accuracy
    assert accuracy is not None
    assert accuracy.reference == floating.accuracy.value
    assert accuracy.interval is not None
    assert accuracy.interval.low <= accuracy.reference - accuracy.value <= accuracy.interval.high
    assert accuracy.agreement is not None
    assert f"Agreement with the float model: {accuracy.agreement:.4f}." in quantised.gate.reason


def test_scores_are_compared_and_measured_as_values() -> None:
    assert compare_results(TextRanking(0.5), TextRanking(0.5004))[1] == ""
    assert compare_results(TextRanking(0.5), TextRanking(0.502))[1] == "the score is 0.5020, not 0.5000"
    assert compare_results(TextRanking(0.5), TextRanking(float("nan")))[1] != ""
    wanted = [TextRanking(0.0), TextRanking(1.0)]
    assert measure([TextRanking(0.019), TextRanking(0.97)], wanted).value == 0.5
