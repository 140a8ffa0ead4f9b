"""Exported token classifiers find what `transformers.pipeline` finds: in process, and served, by every way to ask."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http
from support.commands import call_tundish
from support.measuring import measure
from support.server_process import ServerProcess
from support.token_classifiers import entity_faults, save_token_classifier, token_pipeline

import tundish
from tundish.client import AsyncClient, Client
from tundish.manifest import Aggregation, EntityPostprocess
from tundish.results import Entity, TokenClassification
from tundish_exporters import ExportError, export_huggingface
from tundish_exporters.equality import compare_results

TEXTS = (
    "Wolfgang Amadeus Mozart lived in Salzburg.",
    "x",
    "",
    "MIXED Case, 12.5 mm (1.4301)!? Gießpfanne, façade, κόσμος, 漢字, 👩‍🔧 [MASK]",
    "The tundish stands between Graz and Graz. " * 40,
)
"""With an empty one and one that is longer than any model here reads."""

FAMILIES: dict[str, Aggregation] = {
    "bert": "simple",
    "distilbert": "first",
    "electra": "average",
    "mpnet": "max",
    "roberta": "average",
    "roberta that drops the beginning": "none",
    "albert": "first",
    "deberta": "first",
}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_entities_are_those_of_the_pipeline(family: str, tmp_path: Path, minilm_directory: Path) -> None:
    source = save_token_classifier(tmp_path / "source", family, minilm_directory)
    bundle = export_huggingface(
        source, task="token-classification", name="names", repository=tmp_path / "models", precision="fp32",
        aggregation=FAMILIES[family],
    ).bundle  # fmt: skip
    assert isinstance(bundle.manifest.postprocess, EntityPostprocess)
    assert bundle.manifest.postprocess.aggregation == FAMILIES[family]
    ask = token_pipeline(source, FAMILIES[family])
    expected = {text: ask(text) for text in TEXTS}
    assert len({entity.label for entities in expected.values() for entity in entities}) > 1
    with tundish.open(tmp_path / "models", instances=1) as runtime:
        for text, entities in expected.items():
            result = runtime.predict("names", text=text).result
            assert isinstance(result, TokenClassification)
            assert entity_faults(entities, result.entities) == []
            assert result.truncated or text != TEXTS[-1]


async def test_served_entities_are_those_of_the_pipeline_by_every_way(tmp_path: Path, minilm_directory: Path) -> None:
    source = save_token_classifier(tmp_path / "source", "bert", minilm_directory)
    models = tmp_path / "models"
    export_huggingface(source, task="token-classification", name="names", repository=models, precision="fp32")
    ask = token_pipeline(source, "simple")
    expected = {text: ask(text) for text in TEXTS}
    with ServerProcess(models, "--instances", "1") as process:
        with Client(process.url) as client:
            answers = {text: client.predict("names", text=text).result for text in TEXTS}
        async with AsyncClient(process.url) as awaiting:
            awaited = {text: (await awaiting.predict("names", text=text)).result for text in TEXTS}
        for text, entities in expected.items():
            for result in (answers[text], awaited[text]):
                assert isinstance(result, TokenClassification)
                assert entity_faults(entities, result.entities) == []
        ran = call_tundish("infer", "names", "--text", TEXTS[0], "--url", process.url, "--json")
        shown = tuple(Entity(**entity) for entity in json.loads(ran.stdout)["entities"])
        assert entity_faults(expected[TEXTS[0]], shown) == []
        for_people = call_tundish("infer", "names", "--text", TEXTS[0], "--url", process.url).stdout
        assert expected[TEXTS[0]][0].text in for_people
        for protocol, url in ((tritonclient.grpc, process.url), (tritonclient.http, process.http_url)):
            assert_tensors(protocol, url, expected)


def assert_tensors(protocol: object, url: str, expected: dict[str, list[Entity]]) -> None:
    """A stock client reads the same of one batch, and of a text alone in which there is nothing."""
    client = protocol.InferenceServerClient(url)  # type: ignore[attr-defined]
    for texts in (list(expected), [""]):
        tensor = protocol.InferInput("text", [len(texts), 1], "BYTES")  # type: ignore[attr-defined]
        tensor.set_data_from_numpy(np.array([[text.encode()] for text in texts], np.object_))
        answer = client.infer("names", [tensor])
        columns = {name: answer.as_numpy(name) for name in ("label", "score", "start", "end")}
        assert {array.shape for array in columns.values()} == {(len(texts), max(len(expected[text]) for text in texts))}
        for row, text in enumerate(texts):
            values = zip(*(array[row].tolist() for array in columns.values()), strict=True)
            found = [Entity(label.decode(), score, start, end, text[start:end]) for label, score, start, end in values]
            count = len(expected[text])
            assert entity_faults(expected[text], tuple(found[:count])) == []
            assert all((each.place, each.score) == (("", -1, -1), 0) for each in found[count:])
    client.close()


def found(*places: tuple[str, int, int], score: float = 0.5) -> TokenClassification:
    return TokenClassification(tuple(Entity(*place[:1], score, *place[1:], "") for place in places))


def test_the_gate_counts_entities_that_are_equal() -> None:
    first, second, moved = ("PER", 0, 4), ("LOC", 5, 9), ("LOC", 5, 8)
    accuracy = measure([found(first, moved), found()], [found(first, second), found(second)])
    assert (accuracy.metric, accuracy.reference, accuracy.samples) == ("agreement", 1.0, 2)
    assert accuracy.value == pytest.approx(2 * 1 / (2 + 2 + 0 + 1))
    assert measure([found()], [found()]).value == 1


@pytest.mark.parametrize(
    ("actual", "fault"),
    [
        (found(("PER", 0, 4), score=0.5004), ""),
        (found(("PER", 0, 4), score=0.502), "entity 0 has the score 0.5020, not 0.5000"),
        (found(("PER", 0, 3)), "entity 0 is ('PER', 0, 3), not ('PER', 0, 4)"),
        (found(), "it has 0 entities, not 1"),
    ],
)
def test_parity_says_where_entities_part(actual: TokenClassification, fault: str) -> None:
    assert compare_results(found(("PER", 0, 4)), actual)[1] == fault


@pytest.mark.parametrize(
    ("task", "aggregation", "said"),
    [
        ("text-classification", "first", "is for the tokens of token-classification; text-classification joins none"),
        ("token-classification", "last", "There is no aggregation 'last'; there are none, simple, first, average, max"),
    ],
)
def test_an_aggregation_that_is_not_there_is_refused(task: str, aggregation: str, said: str, tmp_path: Path) -> None:
    arguments = {"task": task, "aggregation": aggregation}
    with pytest.raises(ExportError, match=said):
        export_huggingface(tmp_path, name="names", repository=tmp_path / "models", **arguments)  # type: ignore[arg-type]
