"""ONNX files of models of texts: bundles answer as transformers' pipelines do with the models they were made of."""

from __future__ import annotations

import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
import transformers
from onnx import helper
from support.commands import call_tundish
from support.model_families import TEXT_FAMILIES, save_family
from support.token_classifiers import entity_faults, save_token_classifier, token_pipeline

import tundish
from tundish.manifest import ClassificationPostprocess, EntityPostprocess, PoolingPostprocess, TextPreprocess
from tundish.results import FeatureExtraction, TextClassification, TokenClassification
from tundish_exporters import ExportError, OnnxHints, TextHints, export_onnx

hf: Any = transformers
TEXTS = (
    "The tundish stands between the ladle and the moulds.",
    "Größe, façade, naïve: pressure below the limit!",
    "Wolfgang Amadeus Mozart lived in Salzburg, and then in Vienna; unbelievably, he never saw Reykjavik. " * 5,
    "Yes",
)
"""The third is longer than any model here reads."""
INPUTS = ("input_ids", "attention_mask", "token_type_ids")


class _Named(torch.nn.Module):
    def __init__(self, model: Any, names: list[str], output: str) -> None:
        super().__init__()
        self._model, self._names, self._output = model, names, output

    def forward(self, *arguments: torch.Tensor) -> Any:
        return self._model(**dict(zip(self._names, arguments, strict=True)))[self._output]


def write_file(source: Path, auto_class: Any, output: str = "logits", axes: bool = True) -> Path:
    """`model.onnx` beside the weights in the directory, as a user's own script writes it."""
    model = auto_class.from_pretrained(source).eval()
    tokens = dict(hf.AutoTokenizer.from_pretrained(source)("a b c", return_tensors="pt"))
    names = [name for name in INPUTS if name in tokens]
    dynamic = {name: {0: "n", 1: "length"} for name in (*names, *([output] if output != "logits" else []))}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the tracer
        torch.onnx.export(
            _Named(model, names, output), tuple(tokens[name] for name in names), source / "model.onnx",
            input_names=names, output_names=[output], dynamic_axes={**dynamic, output: {0: "n"}} if axes else None,
            opset_version=14, dynamo=False,
        )  # fmt: skip
    return source / "model.onnx"


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory, minilm_directory: Path) -> Path:
    """The file of a classifier of texts, beside its configuration and tokenizer."""
    source = save_family(tmp_path_factory.mktemp("bert"), TEXT_FAMILIES["bert"](minilm_directory))
    return write_file(source, hf.AutoModelForSequenceClassification)


def hints(file: Path, **more: Any) -> OnnxHints:
    texts = {name: more.pop(name) for name in ("aggregation", "pairs") if name in more}
    return OnnxHints(texts=TextHints(tokenizer=file.parent, **texts), **more)


def export(file: Path, directory: Path, task: Any, **more: Any) -> Any:
    exported = export_onnx(
        file, task=task, name="texts", repository=directory / "models", precision="fp32", hints=hints(file, **more)
    )
    return exported.bundle.manifest


@pytest.mark.parametrize("family", ["bert with many labels at once", "roberta that drops the beginning"])
def test_labels_of_texts_are_those_of_the_pipeline(family: str, tmp_path: Path, minilm_directory: Path) -> None:
    source = save_family(tmp_path / "source", TEXT_FAMILIES[family](minilm_directory))
    manifest = export(write_file(source, hf.AutoModelForSequenceClassification), tmp_path, "text-classification")
    assert isinstance(manifest.postprocess, ClassificationPostprocess)
    assert manifest.postprocess.function == ("sigmoid" if "many" in family else "softmax")
    assert isinstance(manifest.preprocess, TextPreprocess)
    limit = manifest.preprocess.maximum_tokens
    pipeline = hf.pipeline("text-classification", model=str(source))
    with tundish.open(tmp_path / "models", instances=1) as runtime:
        for text in TEXTS:
            expected = pipeline(text, top_k=None, truncation=True, max_length=limit)
            result = runtime.predict("texts", text=text).result
            assert isinstance(result, TextClassification)
            assert result.truncated == (text == TEXTS[2])
            assert [label.name for label in result.labels] == [entry["label"] for entry in expected]
            scores = [label.score for label in result.labels]
            np.testing.assert_allclose(scores, [entry["score"] for entry in expected], atol=1e-3)


def test_pairs_are_read_as_one(classifier: Path, tmp_path: Path) -> None:
    manifest = export(classifier, tmp_path, "text-classification", pairs=True)
    assert manifest.preprocess.reads == ("text", "text_pair")
    pipeline = hf.pipeline("text-classification", model=str(classifier.parent))
    (expected,) = pipeline([{"text": TEXTS[0], "text_pair": TEXTS[1]}], top_k=1)
    with tundish.open(tmp_path / "models", instances=1) as runtime:
        result = runtime.predict("texts", text=TEXTS[0], text_pair=TEXTS[1]).result
    assert isinstance(result, TextClassification)
    assert result.labels[0].name == expected[0]["label"]
    assert result.labels[0].score == pytest.approx(expected[0]["score"], abs=1e-3)


def test_entities_are_those_of_the_pipeline(tmp_path: Path, minilm_directory: Path) -> None:
    source = save_token_classifier(tmp_path / "source", "bert", minilm_directory)
    manifest = export(
        write_file(source, hf.AutoModelForTokenClassification), tmp_path, "token-classification", aggregation="max"
    )
    assert isinstance(manifest.postprocess, EntityPostprocess)
    ask = token_pipeline(source, "max")
    found = 0
    with tundish.open(tmp_path / "models", instances=1) as runtime:
        for text in TEXTS:
            result = runtime.predict("texts", text=text).result
            assert isinstance(result, TokenClassification)
            assert not entity_faults(ask(text), result.entities)
            found += len(result.entities)
    assert found > 3


def test_vectors_are_pooled_as_the_directory_says(tmp_path: Path, minilm_directory: Path) -> None:
    model, tokenizer = TEXT_FAMILIES["bert"](minilm_directory)
    source = save_family(tmp_path / "source", (hf.BertModel(model.config), tokenizer))
    for name in ("modules.json", "sentence_bert_config.json"):
        shutil.copy(minilm_directory / name, source)
    shutil.copytree(minilm_directory / "1_Pooling", source / "1_Pooling")
    file = write_file(source, hf.AutoModel, "last_hidden_state")
    manifest = export(file, tmp_path, "feature-extraction")
    assert isinstance(manifest.postprocess, PoolingPostprocess)
    assert (manifest.postprocess.pooling, manifest.postprocess.normalize) == ("mean", True)
    network = hf.AutoModel.from_pretrained(source).eval()
    with tundish.open(tmp_path / "models", instances=1) as runtime, torch.no_grad():
        for text in TEXTS:
            tokens = network(**tokenizer(text, truncation=True, max_length=64, return_tensors="pt"))[0][0]
            mean = torch.nn.functional.normalize(tokens.mean(0), dim=0)
            result = runtime.predict("texts", text=text).result
            assert isinstance(result, FeatureExtraction)
            np.testing.assert_allclose(result.vector, mean.numpy(), atol=1e-4)


def test_the_command_takes_a_file_with_labels_of_its_own(classifier: Path, tmp_path: Path) -> None:
    alone = tmp_path / "tokenizer"
    alone.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(classifier.parent / name, alone)
    config = (alone / "tokenizer_config.json").read_text().replace('"model_max_length"', '"model_max_length": 48, "x"')
    (alone / "tokenizer_config.json").write_text(config)
    (tmp_path / "labels.txt").write_text("one\ntwo\nthree\nfour\nfive\n")
    shutil.copy(classifier, tmp_path / "model.onnx")
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS * 3))
    made = call_tundish(
        *("export", tmp_path / "model.onnx", "--task", "text-classification", "--name", "texts"),
        *("--repository", tmp_path / "models", "--tokenizer", alone, "--labels", tmp_path / "labels.txt"),
        *("--calibration", tmp_path / "texts.txt", "--precision", "fp32"),
    )
    assert made.returncode == 0, made.stderr
    with tundish.open(tmp_path / "models", instances=1) as runtime:
        manifest = runtime.model("texts").manifest
        assert manifest.preprocess.maximum_tokens == 48  # type: ignore[union-attr]
        assert set(manifest.source.files) == {"model.onnx", "tokenizer.json", "tokenizer_config.json", "labels.txt"}
        result = runtime.predict("texts", text=TEXTS[0]).result
    assert isinstance(result, TextClassification)
    assert {label.name for label in result.labels} == {"one", "two", "three", "four", "five"}


def test_a_softmax_inside_is_not_applied_again(classifier: Path, tmp_path: Path) -> None:
    model = onnx.load(classifier)
    (output,) = model.graph.output
    model.graph.node.append(helper.make_node("Softmax", [output.name], ["shares"], axis=-1))
    output.name = "shares"
    shutil.copytree(classifier.parent, tmp_path / "inside")
    onnx.save(model, tmp_path / "inside" / "model.onnx")
    export(tmp_path / "inside" / "model.onnx", tmp_path, "text-classification")
    pipeline = hf.pipeline("text-classification", model=str(classifier.parent))
    with tundish.open(tmp_path / "models", instances=1) as runtime:
        result = runtime.predict("texts", text=TEXTS[0]).result
    assert isinstance(result, TextClassification)
    (expected,) = pipeline([TEXTS[0]], top_k=1)
    assert result.labels[0].score == pytest.approx(expected[0]["score"], abs=1e-3)
    with pytest.raises(ExportError, match="ends in a softmax already; leave --activation softmax out"):
        export(tmp_path / "inside" / "model.onnx", tmp_path, "text-classification", activation="softmax")


def refusal(file: Path, task: Any = "text-classification", given: OnnxHints | None = None, **more: Any) -> str:
    with pytest.raises(ExportError) as raised:
        export_onnx(file, task=task, name="m", repository=file.parent / "models", hints=given or hints(file, **more))
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_what_does_not_belong_together_is_refused(classifier: Path) -> None:
    assert "reads texts: pass --tokenizer, a directory with" in refusal(classifier, given=OnnxHints(labels=["a"]))
    said = refusal(classifier, mean=0.5, aggregation="max")
    assert said.endswith("is read as a model for text-classification, to which no --mean, --aggregation belong; leave "
                         "them out.")  # fmt: skip
    assert "to which no --pairs, --activation belong" in refusal(
        classifier, "token-classification", pairs=True, activation="sigmoid"
    )
    assert "to which no --labels belong" in refusal(classifier, "feature-extraction", labels=["a"])
    assert "is read as a model of images, to which no --tokenizer belong" in refusal(
        classifier, "image-classification", labels=["a"]
    )
    assert "not models for fill-mask; export those from their Hugging Face directory" in refusal(
        classifier, "fill-mask"
    )


def test_other_forms_of_networks_are_refused(classifier: Path, tmp_path: Path) -> None:
    assert "gives logits float32 [2, 5] for 2 texts, where text-classification needs float32 [batch, 2] for the 2" in (
        refusal(classifier, labels=["a", "b"])
    )
    assert "where feature-extraction needs float32 [batch, tokens, dimensions]" in refusal(
        classifier, "feature-extraction"
    )
    shutil.copytree(classifier.parent, tmp_path / "fixed")
    fixed = write_file(tmp_path / "fixed", hf.AutoModelForSequenceClassification, axes=False)
    assert "of the shape [1, 5] alone; export it with a batch and a number of tokens of any size" in refusal(fixed)
    model = onnx.load(classifier)
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.INT32
    model.graph.node.insert(0, helper.make_node("Cast", ["input_ids"], ["wide"], to=onnx.TensorProto.INT64))
    for node in list(model.graph.node)[1:]:
        node.input[:] = ["wide" if name == "input_ids" else name for name in node.input]
    onnx.save(model, tmp_path / "fixed" / "model.onnx")
    assert "takes 'input_ids' as INT32 ['n', 'length']; tundish gives input_ids, attention_mask" in refusal(fixed)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("tokenizer_config.json", None, "tokenizer_config.json is not there; write it with the tokenizer's save_pretr"),
        ("tokenizer_config.json", "[]", "tokenizer_config.json is no JSON object"),
        ("tokenizer_config.json", "{", "tokenizer_config.json cannot be read"),
        ("tokenizer.json", "{}", "tokenizer.json is not a tokenizer"),
    ],
)
def test_a_tokenizer_that_cannot_be_read_is_refused(
    name: str, content: str | None, said: str, classifier: Path, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    shutil.copytree(classifier.parent, source)
    (source / name).unlink()
    if content is not None:
        (source / name).write_text(content)
    assert said in refusal(source / "model.onnx")


def test_no_pytorch_is_loaded(classifier: Path, tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from tundish_exporters import OnnxHints, TextHints, export_onnx\n"
        f"hints = OnnxHints(texts=TextHints(tokenizer={str(classifier.parent)!r}))\n"
        f"export_onnx({str(classifier)!r}, task='text-classification', name='m', repository={str(tmp_path)!r},\n"
        "            precision='fp32', hints=hints)\n"
        "assert not {'torch', 'transformers'} & set(sys.modules)\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
