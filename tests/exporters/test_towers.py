"""Both towers as one bundle: it answers as transformers' pipeline does, in this process and served, by every client.

One export of each kind serves all tests. That of CLIP has data for both towers, and int8 variants that pass their own
gates but not together; that of SigLIP has images alone.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import transformers
import tritonclient.grpc as triton
import tritonclient.http as triton_http
from PIL import Image
from rich.console import Console
from support.commands import call_tundish
from support.model_families import IMAGE_FAMILIES, save_family, save_towers
from support.report_contents import PARITY
from support.server_process import ServerProcess

import tundish
from tundish.bundle import component_directory, read_bundle
from tundish.cli.rendering import slices_table
from tundish.client import AsyncClient, Client
from tundish.manifest import Accuracy, Composition, Gate, Latency, SimilarityPostprocess
from tundish.results import FeatureExtraction, ImageClassification, Label, Prediction
from tundish.tasks import parts_of
from tundish_exporters import DataError, ExportError, ParityError, composing, export_towers, finals
from tundish_exporters.composed_answers import answer_all
from tundish_exporters.composed_data import load_composed_data
from tundish_exporters.composing import ExportedComposition
from tundish_exporters.export_options import ExportOptions
from tundish_exporters.latency import measure_latency
from tundish_exporters.progress import silent
from tundish_exporters.report import write_report
from tundish_exporters.report.collecting import collect_composed
from tundish_exporters.showing import show_export
from tundish_exporters.sources.huggingface.source import Choices
from tundish_exporters.sources.huggingface.towers import Towers

Kind = Literal["clip", "siglip"]
KINDS: tuple[Kind, ...] = ("clip", "siglip")
TASK: Any = "zero-shot-image-classification"
TEMPLATE = {"clip": "There is {} in this picture", "siglip": "This is a photo of {}."}
"""That of SigLIP is the default."""
SCORE_TOLERANCE = 1e-3
LABELS = ("a crack", "a worn roller", "nothing at all", "the strand", "größer")

hf: Any = transformers


@dataclass(frozen=True, slots=True)
class Made:
    """The sources, and what was exported of them into one repository."""

    sources: Mapping[Kind, Path]
    exported: Mapping[Kind, ExportedComposition]
    repository: Path
    pipelines: Mapping[Kind, Any]
    judged: Sequence[Accuracy]
    """What the gate of the whole was asked about."""

    def expected(self, kind: Kind, image: Path, labels: Sequence[str]) -> dict[str, float]:
        """What transformers' pipeline answers, in its order."""
        answer = self.pipelines[kind](
            Image.open(image), candidate_labels=list(labels), hypothesis_template=TEMPLATE[kind]
        )
        return {entry["label"]: entry["score"] for entry in answer}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, small_images: Path) -> Made:
    root = tmp_path_factory.mktemp("towers")
    sources: dict[Kind, Path] = {kind: save_towers(root / kind, kind) for kind in KINDS}
    table = root / "data.jsonl"
    images = sorted(small_images.glob("*.png"))
    rows = [
        {
            "image": str(path),
            "candidate_labels": ["a crack", f"dent {n}", "a, b"],
            "line": f"line {n % 2}",
            "run": n % 4,
        }
        for n, path in enumerate(images)
    ]
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    judged: list[Accuracy] = []

    def fail(accuracy: Accuracy, max_drop: float, **_options: Any) -> Gate:
        judged.append(accuracy)
        return Gate(passed=False, max_drop=max_drop, reason="Together they are planted to fail.")

    def int8_is_faster(engines: Mapping[str, Any], *rest: Any) -> Any:
        measured = measure_latency(engines, *rest)
        return {
            name: latency.model_copy(update={"median_milliseconds": 1.0 if "int8" in name else 2.0})
            for name, latency in measured.items()
            if isinstance(latency, Latency)
        }

    options: Any = {"repository": root / "models", "max_drop": 0.9}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finals, "measure_latency", int8_is_faster)
        exported: dict[Kind, ExportedComposition] = {
            "siglip": export_towers(sources["siglip"], name="siglip", calibration=small_images, **options)
        }
        patch.setattr(composing, "gate", type("Gates", (), {"judge": fail}))
        exported["clip"] = export_towers(
            sources["clip"], name="clip", calibration=table, hypothesis_template=TEMPLATE["clip"],
            slice_column="line", group_column="run", **options,
        )  # fmt: skip
    pipelines = {kind: hf.pipeline(TASK, model=str(source)) for kind, source in sources.items()}
    return Made(sources, exported, root / "models", pipelines, judged)


@pytest.fixture(scope="module")
def runtime(made: Made) -> Iterator[tundish.Runtime]:
    with tundish.open(made.repository, instances=1) as opened:
        yield opened


@pytest.fixture(scope="module")
def server(made: Made) -> Iterator[ServerProcess]:
    with ServerProcess(made.repository, "--instances", "1") as process:
        yield process
        assert process.running, process.output


def scores(result: Any) -> dict[str, float]:
    """In the order of the answer."""
    result = result.result if isinstance(result, Prediction) else result
    assert isinstance(result, ImageClassification)
    return {label.name: label.score for label in result.labels}


def assert_same(found: Mapping[str, float], wanted: Mapping[str, float]) -> None:
    assert found == pytest.approx(wanted, abs=SCORE_TOLERANCE)
    assert next(iter(found)) == next(iter(wanted))


@pytest.mark.parametrize("kind", KINDS)
def test_labels_and_scores_are_those_of_the_pipeline(made: Made, kind: Kind, photographs: list[Path]) -> None:
    asked = [(photographs[number], LABELS[number % 3 : number % 3 + 1 + number % 4]) for number in range(6)]
    items = [(path.read_bytes(), tuple(label.encode() for label in labels)) for path, labels in asked]
    answers = answer_all(made.exported[kind].bundle, items, precision="fp32")
    for (path, labels), answer in zip(asked, answers, strict=True):
        assert_same(scores(answer), made.expected(kind, path, labels))
    seen = [made.expected(kind, path, LABELS)["a crack"] for path in photographs[:6]]
    assert np.ptp(seen) > 10 * SCORE_TOLERANCE, "they depend on the image"


def test_items_with_different_numbers_of_labels_share_batches(
    made: Made, runtime: tundish.Runtime, photographs: list[Path]
) -> None:
    counts = (5, 1, 3, 2, 4)
    items = [
        (photographs[number].read_bytes(), tuple(label.encode() for label in LABELS[:count]))
        for number, count in enumerate(counts)
    ]
    for number, future in enumerate(runtime.model("clip").submit(items)):
        answer = future.result(30)
        assert_same(scores(answer.output), made.expected("clip", photographs[number], LABELS[: counts[number]]))


@pytest.mark.parametrize("kind", KINDS)
def test_each_tower_gives_its_vectors_by_itself(
    made: Made, runtime: tundish.Runtime, kind: Kind, photographs: list[Path]
) -> None:
    model = hf.AutoModel.from_pretrained(made.sources[kind])
    read = hf.AutoImageProcessor.from_pretrained(made.sources[kind])
    tokenizer = hf.AutoTokenizer.from_pretrained(made.sources[kind])
    padding = {"padding": "max_length", "max_length": 64} if kind == "siglip" else {}
    wanted = {
        "image": model.get_image_features(**read(Image.open(photographs[2]), return_tensors="pt")),
        "text": model.get_text_features(**tokenizer("a worn roller", return_tensors="pt", **padding)),
    }
    found = {
        "image": runtime.predict(f"{kind}.image", image=photographs[2]).result,
        "text": runtime.predict(f"{kind}.text", text="a worn roller").result,
    }
    for tower, result in found.items():
        assert isinstance(result, FeatureExtraction)
        expected = wanted[tower][0].detach().numpy()
        variant = made.exported[kind].bundle.components[tower].manifest.servable[0]
        tolerance = 1e-3 if variant.precision == "fp32" else 0.2
        np.testing.assert_allclose(result.vector, expected, rtol=0, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize("kind", KINDS)
async def test_the_typed_clients_get_what_this_process_answers(
    made: Made, runtime: tundish.Runtime, server: ServerProcess, kind: Kind, photographs: list[Path]
) -> None:
    wanted = scores(runtime.predict(kind, image=photographs[0], candidate_labels=LABELS))
    if kind == "clip":
        assert_same(wanted, made.expected(kind, photographs[0], LABELS))
    with Client(server.url) as client:
        assert_same(scores(client.predict(kind, image=photographs[0], candidate_labels=LABELS)), wanted)
    async with AsyncClient(server.url) as awaiting:
        assert_same(scores(await awaiting.predict(kind, image=photographs[0], candidate_labels=LABELS)), wanted)


@pytest.mark.parametrize("client", [triton, triton_http])
def test_nvidias_clients_send_images_and_labels_as_bytes(
    made: Made, server: ServerProcess, client: Any, photographs: list[Path]
) -> None:
    paths, others = photographs[:2], LABELS[::-1]
    image = client.InferInput("image", [2, 1], "BYTES")
    image.set_data_from_numpy(np.array([[path.read_bytes()] for path in paths], np.object_))
    names = np.array([[label.encode() for label in row] for row in (LABELS, others)], np.object_)
    labels = client.InferInput("candidate_labels", [2, len(LABELS)], "BYTES").set_data_from_numpy(names)
    url = server.url if client is triton else server.http_url
    with client.InferenceServerClient(url) as connection:
        response = connection.infer("clip", [image, labels])
    rows = zip(response.as_numpy("label"), response.as_numpy("score"), strict=True)
    for path, asked, (found, points) in zip(paths, (LABELS, others), rows, strict=True):
        answer = {name.decode(): float(score) for name, score in zip(found, points, strict=True)}
        assert_same(answer, made.expected("clip", path, asked))


def test_the_command_asks_with_labels(made: Made, server: ServerProcess, photographs: list[Path]) -> None:
    ran = call_tundish(
        *("infer", "clip", "--image", photographs[0], "--candidate-labels", ", ".join(LABELS)),
        *("--url", server.url, "--json"),
    )
    assert ran.returncode == 0, ran.stderr
    answer = {label["name"]: label["score"] for label in json.loads(ran.stdout)["labels"]}
    assert_same(answer, made.expected("clip", photographs[0], LABELS))


def test_what_passes_alone_but_not_together_is_served_in_fp32(made: Made) -> None:
    exported = made.exported["clip"]
    (accuracy,) = made.judged
    assert (accuracy.metric, accuracy.samples, accuracy.reference) == ("agreement", 12, 1.0)
    assert accuracy.groups == 4
    assert [(part.name, part.samples, part.groups) for part in accuracy.slices] == [("line 0", 6, 2), ("line 1", 6, 2)]
    (warning,) = [each for each in exported.warnings if "together" in each]
    assert any("has 12 samples to calibrate on" in each for each in exported.warnings)
    assert warning.endswith("so fp32 is served: Together they are planted to fail.")
    assert exported.bundle.manifest.gate.reason == "Served in fp32."
    assert exported.bundle.manifest.accuracy is None
    for component in exported.bundle.components.values():
        served, refused = sorted(component.manifest.variants, key=lambda variant: variant.precision != "fp32")
        assert [variant.name for variant in component.manifest.servable] == [served.name]
        assert (refused.precision, refused.files) == ("int8", ())
        assert refused.gate.reason == "Together they are planted to fail."
        assert not [path for path in component.directory.iterdir() if "int8" in path.name]
    assert read_bundle(exported.bundle.directory) == exported.bundle


def test_without_texts_that_tower_is_not_quantised_and_the_whole_not_judged(made: Made) -> None:
    exported = made.exported["siglip"]
    assert exported.bundle.manifest.gate.passed
    assert exported.bundle.manifest.accuracy is None
    assert exported.bundle.manifest.gate.reason == (
        "No data was given for all of its inputs; each component passed its own gate."
    )
    precisions = {
        name: [variant.precision for variant in component.manifest.servable]
        for name, component in exported.bundle.components.items()
    }
    assert precisions == {"image": ["int8", "fp32"], "text": ["fp32"]}
    (warning,) = [each for each in exported.warnings if each.startswith("text: ")]
    assert "No data was given" in warning


def test_a_tower_is_judged_by_slices_and_groups_where_each_sample_asks_for_itself(made: Made) -> None:
    measured: dict[str, set[tuple[int, int | None]]] = {"image": set(), "text": set()}
    for name, component in made.exported["clip"].bundle.components.items():
        for accuracy in (variant.accuracy for variant in component.manifest.variants if variant.accuracy):
            measured[name].add((accuracy.samples, accuracy.groups))
            measured[name] |= {(part.samples, part.groups) for part in accuracy.slices}
    assert measured == {"image": {(12, 4), (6, 2)}, "text": {(14, None)}}
    said = "text: Several samples may ask it the same, which is judged once: it has no slices and no groups."
    assert said in made.exported["clip"].warnings
    assert not any("Several samples" in each for each in made.exported["siglip"].warnings)


def test_slices_of_the_whole_are_shown(made: Made, tmp_path: Path) -> None:
    (accuracy,) = made.judged
    exported = made.exported["clip"]
    manifest = exported.bundle.manifest.model_copy(update={"accuracy": accuracy})
    table = slices_table(manifest)
    assert table is not None
    assert table.row_count == 2
    options = ExportOptions(name="clip", repository=tmp_path)
    served = dict.fromkeys(exported.bundle.components, "onnx-int8-cpu")
    parities = dict.fromkeys(exported.bundle.components, PARITY)
    content = collect_composed(
        manifest, samples=12, scores=0.0, parities=parities, served=served, warnings=[], options=options
    )
    write_report(tmp_path, content)
    (rows,) = json.loads((tmp_path / "report.json").read_text())["slices"].values()
    assert [(row["name"], row["value"], row["groups"]) for row in rows] == [
        (part.name, part.value, part.groups) for part in accuracy.slices
    ]
    assert "Accuracy by slice" in (tmp_path / "report.html").read_text()
    assert "What to mind" not in (tmp_path / "report.html").read_text()


def _similarity(manifest: Composition) -> SimilarityPostprocess:
    assert isinstance(manifest.postprocess, SimilarityPostprocess)
    return manifest.postprocess


def test_what_the_towers_are_compared_by_is_the_sources(made: Made) -> None:
    rules = {kind: _similarity(made.exported[kind].bundle.manifest) for kind in KINDS}
    assert [(rule.function, rule.template) for rule in rules.values()] == [
        ("softmax", TEMPLATE["clip"]),
        ("sigmoid", TEMPLATE["siglip"]),
    ]
    for kind, rule in rules.items():
        model = made.pipelines[kind].model
        assert rule.scale == pytest.approx(model.logit_scale.exp().item())
        assert rule.bias == pytest.approx(model.logit_bias.item() if kind == "siglip" else 0)


def test_an_export_shows_what_it_made(made: Made) -> None:
    stream = io.StringIO()
    show_export(Console(file=stream, width=300), made.exported["clip"])
    shown = stream.getvalue()
    for said in (
        "Equal to its source on 12 samples.",
        "each of candidate_labels",
        "clip.image, image-feature-extraction",
        "clip.text, feature-extraction",
        "so fp32 is served: Together they are planted to fail.",
    ):
        assert said in shown


def test_a_report_lies_in_the_bundle(made: Made) -> None:
    directory = made.exported["clip"].bundle.directory
    report = json.loads((directory / "report.json").read_text())
    assert report["parity"]["samples"] == 12
    assert set(report["components"]) == {"image", "text"}
    served = {name: part.manifest.servable[0].name for name, part in made.exported["clip"].bundle.components.items()}
    assert report["served"] == served
    assert any(each.startswith("data.jsonl has 12 samples") for each in report["warnings"])
    assert "What to mind" in (directory / "report.html").read_text()
    component = json.loads((component_directory(directory, "image") / "report.json").read_text())
    assert [f"image: {each}" for each in component["warnings"]] == [
        each for each in report["warnings"] if each.startswith("image: ")
    ]
    assert (component_directory(directory, "text") / "report.json").is_file()
    links = re.findall(r'href="([^"]*)"', (directory / "report.html").read_text())
    assert [(directory / link).resolve() for link in links] == [
        component_directory(directory, name) / "report.html" for name in ("image", "text")
    ]


class Draft:
    """What is compared with its source: a bundle that is there."""

    def __init__(self, exported: ExportedComposition) -> None:
        self._exported = exported

    def bundle(self) -> Any:
        return self._exported.bundle


class Answering:
    """A source with one answer, or one error."""

    def __init__(self, outcome: Any) -> None:
        self._outcome = outcome

    def predict(self, _item: Any) -> Any:
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (ImageClassification((Label("a", 1.0),)), "together they differ on calibration sample 0"),
        (ZeroDivisionError("broken"), "The source itself fails on calibration sample 0: broken"),
    ],
)
def test_another_answer_than_the_sources_is_no_export(
    made: Made, photographs: list[Path], outcome: Any, said: str
) -> None:
    towers = Towers(made.sources["clip"], Choices())
    options = ExportOptions(name="clip", repository=made.repository, calibration=photographs[0].parent)
    data = load_composed_data(towers, options)
    source: Any = Answering(outcome)
    draft: Any = Draft(made.exported["clip"])
    with pytest.raises(ParityError, match=said):
        composing._check_parity(source, draft, data, silent)


@pytest.fixture(scope="module")
def towers(made: Made) -> Towers:
    return Towers(made.sources["clip"], Choices(hypothesis_template="one {}"))


def options(path: Path | None, evaluation: Path | None = None) -> ExportOptions:
    return ExportOptions(name="model", repository=Path("models"), calibration=path, evaluation=evaluation)


@pytest.mark.parametrize("form", [".csv", ".tsv", ".jsonl"])
def test_a_table_has_a_list_of_labels_for_each_image(
    towers: Towers, tmp_path: Path, small_images: Path, form: str
) -> None:
    images = sorted(small_images.glob("*.png"))[:2]
    rows = [["a crack", "no thing"], ["a dent", "a crack", "größer"]]
    path = tmp_path / f"data{form}"
    if form == ".jsonl":
        lines = [{"image": str(image), "candidate_labels": row} for image, row in zip(images, rows, strict=True)]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    else:
        with path.open("w", newline="") as stream:
            writer = csv.writer(stream, delimiter="," if form == ".csv" else "\t")
            writer.writerow(["image", "candidate_labels"])
            writer.writerows([str(image), ", ".join(row) + ","] for image, row in zip(images, rows, strict=True))
    data = load_composed_data(towers, options(path))
    items = [(image.read_bytes(), tuple(map(str.encode, row))) for image, row in zip(images, rows, strict=True)]
    assert sorted(item for _, item in data.parity) == sorted(items)
    assert sorted(data.gate) == sorted(items)
    texts = data.of_component(towers, "text")
    assert sorted(texts.inputs) == sorted(f"one {label}".encode() for label in {*rows[0], *rows[1]})
    assert texts.gate is not None
    assert [sample.read() for sample in texts.gate.samples] == texts.inputs
    assert sorted(data.of_component(towers, "image").inputs) == sorted(image for image, _ in items)


def test_a_folder_of_images_says_nothing_of_texts(towers: Towers, small_images: Path) -> None:
    data = load_composed_data(towers, options(small_images))
    assert not data.gate
    texts, images = data.of_component(towers, "text"), data.of_component(towers, "image")
    assert texts.gate is None
    assert len(texts.inputs) > 1
    assert images.gate is not None
    assert len(images.gate.samples) == 12
    assert len({labels for _, (_, labels) in data.parity}) == 1
    (warning,) = data.warnings
    assert warning.startswith(f"{small_images} has 12 samples to calibrate on")


def test_without_data_the_whole_is_compared_on_different_items(towers: Towers) -> None:
    data = load_composed_data(towers, options(None))
    assert len(data.parity) == len({item for _, item in data.parity}) > 1
    assert data.of_component(towers, "image").gate is None
    assert not data.gate
    for _, item in data.parity:
        _, labels = parts_of(item)
        assert set(scores(towers.predict(item))) == {label.decode() for label in labels}


@pytest.mark.parametrize(
    "row", [{"image": "0.png"}, {"image": "0.png", "candidate_labels": 3}, {"candidate_labels": "a"}]
)
def test_a_table_without_both_columns_is_refused(towers: Towers, tmp_path: Path, row: Any) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text(json.dumps(row) + "\n")
    with pytest.raises(DataError, match=r"(must have a|no list in the) column '(image|candidate_labels)'"):
        load_composed_data(towers, options(path))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"precision": "int8"}, "A model of several networks is exported in auto or fp32"),
        ({"precision": "int4"}, "A model of several networks is exported in auto or fp32"),
        ({"slice_column": "line"}, "There are no data with a column 'line'; pass --evaluation or --calibration"),
        ({"group_column": "line"}, "There are no data with a column 'line'; pass --evaluation or --calibration"),
        ({"hypothesis_template": "no place"}, r"must have one \{\}, where the label comes"),
        ({"hypothesis_template": "{} {name}"}, "and no other brace"),
        ({"name": "a.b"}, r"A model cannot be named 'a\.b'"),
    ],
)
def test_what_cannot_be_exported_is_refused(made: Made, tmp_path: Path, settings: Any, said: str) -> None:
    with pytest.raises(ExportError, match=said):
        export_towers(made.sources["clip"], **({"name": "model", "repository": tmp_path / "models"} | settings))
    assert not (tmp_path / "models").exists()


def test_flags_of_other_sources_are_refused(made: Made, tmp_path: Path) -> None:
    ran = call_tundish(
        *("export", made.sources["clip"], "--task", TASK, "--name", "model", "--repository", tmp_path / "models"),
        *("--aggregation", "simple", "--threshold", "0.5"),
    )
    assert ran.returncode == 1
    assert f"is exported for {TASK}, to which --aggregation, --threshold do not belong; leave them out." in ran.stderr


def test_a_network_without_towers_is_refused(tmp_path: Path) -> None:
    source = save_family(tmp_path / "source", IMAGE_FAMILIES["vit"]())
    with pytest.raises(ExportError):
        export_towers(source, name="model", repository=tmp_path / "models")
