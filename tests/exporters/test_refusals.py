"""Sources that cannot be exported rightly are refused in one sentence, and leave nothing behind."""

from __future__ import annotations

import builtins
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
import transformers
from PIL import Image
from support.awkward_images import blurred_noise
from support.model_families import IMAGE_FAMILIES, bert, gpt2, save_byte_level_encoder, save_family

import tundish
from tundish.manifest import TaskName
from tundish_exporters import DataError, ExportError, ParityError, export_huggingface
from tundish_exporters.sources.huggingface.loading import loaded

hf: Any = transformers
"""Most of its classes have no types."""


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory, minilm_directory: Path) -> Path:
    """A text classifier that can be exported."""
    return save_family(tmp_path_factory.mktemp("texts") / "model", bert(minilm_directory))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image classifier that can be exported."""
    return save_family(tmp_path_factory.mktemp("images") / "model", IMAGE_FAMILIES["vit"]())


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory, minilm_directory: Path) -> Path:
    """A directory of sentence-transformers that can be exported; its tokenizer keeps capitals."""
    return save_byte_level_encoder(tmp_path_factory.mktemp("vectors") / "model", minilm_directory)


def refusal(
    source: Path, task: TaskName, repository: Path, kind: type[ExportError] = ExportError, **options: Any
) -> str:
    """What the export says when it refuses the source."""
    with pytest.raises(kind) as raised:
        export_huggingface(source, task=task, name="model", repository=repository, **options)
    assert not repository.exists(), "a refused export must leave nothing behind"
    assert "\n" not in str(raised.value)
    return str(raised.value)


def edit_json(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


class Runs:
    """A pickle of it prints when it is loaded."""

    def __reduce__(self) -> Any:
        return print, ("code of the pickle ran",)


def pickle_weights(source: Path, more: object = None) -> None:
    weights: dict[str, Any] = safetensors.torch.load_file(source / "model.safetensors")
    torch.save(weights if more is None else weights | {"more": more}, source / "pytorch_model.bin")
    (source / "model.safetensors").unlink()


def drop_head(source: Path) -> None:
    path = source / "model.safetensors"
    weights = safetensors.torch.load_file(path)
    kept = {name: tensor for name, tensor in weights.items() if not name.startswith("classifier")}
    safetensors.torch.save_file(kept, path, metadata={"format": "pt"})


def drop_tokenizer(source: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json"):
        (source / name).unlink()


def leave_only_a_slow_tokenizer(source: Path) -> None:
    drop_tokenizer(source)
    hf.CanineTokenizer().save_pretrained(source)


def cut_weights(source: Path) -> None:
    path = source / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])


TEXT_FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no configuration": (
        lambda source: (source / "config.json").unlink(),
        "is not a Hugging Face model: it has no config",
    ),
    "configuration cut short": (
        lambda source: (source / "config.json").write_text('{"model_'),
        "not a valid JSON file",
    ),
    "configuration of another form": (lambda source: (source / "config.json").write_text("[]"), "cannot be loaded"),
    "unknown architecture": (
        lambda source: edit_json(source / "config.json", model_type="perceptron-9000"),
        r"'perceptron-9000', which transformers [\d.]+ does not know; for text-classification, tundish exports "
        r"those of transformers' AutoModelForSequenceClassification, and by tundish_exporters\.export_module any",
    ),
    "a pickle that runs code": (
        lambda source: pickle_weights(source, Runs()),
        "are a pickle of more than tensors, which can run code when it is loaded; save the model with",
    ),
    "no weights": (
        lambda source: (source / "model.safetensors").unlink(),
        r"has no weights, neither \.safetensors nor pytorch_model\.bin",
    ),
    "weights cut short": (cut_weights, "cannot be loaded by transformers: Error while deserializing header"),
    "weights of another size": (lambda source: edit_json(source / "config.json", hidden_size=48), "cannot be loaded"),
    "no head": (
        drop_head,
        "has no trained weights for text-classification: classifier.bias, classifier.weight are missing; fine-tune",
    ),
    "no tokenizer": (drop_tokenizer, "has no tokenizer; write it there with its save_pretrained"),
    "a head of another task, alike in names and shapes": (
        lambda source: edit_json(source / "config.json", architectures=["BertForTokenClassification"]),
        "holds a BertForTokenClassification, which was not trained for text-classification; give its own task",
    ),
    "damaged tokenizer": (
        lambda source: (source / "tokenizer.json").write_text("{}"),
        "cannot be loaded by transformers",
    ),
    "slow tokenizer alone": (
        leave_only_a_slow_tokenizer,
        r"has only a slow tokenizer \(CanineTokenizer\); save its fast",
    ),
}


@pytest.mark.parametrize("fault", TEXT_FAULTS)
def test_a_directory_with_a_fault_is_refused_with_the_reason(fault: str, tmp_path: Path, texts: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(texts, source)
    make, message = TEXT_FAULTS[fault]
    make(source)
    said = refusal(source, "text-classification", tmp_path / "models")
    assert str(source) in said
    assert re.search(message, said), said


def test_what_transformers_says_is_told_with_what_to_do(tmp_path: Path) -> None:
    def load() -> None:
        raise ImportError("\nWords requires the Pieces library. Check out the instructions on the\nPieces page.\n")

    with pytest.raises(ExportError) as raised:
        loaded(tmp_path, load)
    assert str(raised.value) == (
        f"{tmp_path} cannot be loaded by transformers: Words requires the Pieces library. Check out the instructions "
        "on the Pieces page."
    )


@pytest.mark.parametrize("top_k", [0, 101])
def test_a_result_lists_neither_nothing_nor_everything(top_k: int, tmp_path: Path, texts: Path) -> None:
    said = refusal(texts, "fill-mask", tmp_path / "models", top_k=top_k)
    assert said == f"top_k is a number of answers or tokens from 1 to 100, got {top_k}."


def test_what_is_no_directory_is_refused(tmp_path: Path) -> None:
    file, nowhere = tmp_path / "a-file", tmp_path / "nowhere"
    file.write_text("{}")
    said = refusal(file, "text-classification", tmp_path / "models")
    assert said == f"{file} is not a Hugging Face model: it has no config.json."
    said = refusal(nowhere, "text-classification", tmp_path / "models")
    assert said == f"There is no directory {nowhere}; models are not fetched by name, download it first."


def test_a_pickle_is_not_opened_even_if_safetensors_are_damaged(tmp_path: Path, texts: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(texts, source)
    (source / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch " + str(tmp_path / "run").encode() + b"'\ntR.")
    cut_weights(source)
    refusal(source, "text-classification", tmp_path / "models")
    assert not (tmp_path / "run").exists()


def test_a_pickle_of_tensors_is_read_and_one_of_more_only_if_it_is_trusted(
    tmp_path: Path, texts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, more in (("safe", None), ("tensors", None), ("trusted", Runs())):
        source = tmp_path / name
        shutil.copytree(texts, source)
        if name != "safe":
            pickle_weights(source, more)
        export_huggingface(
            source,
            task="text-classification",
            name=name,
            repository=tmp_path / "models",
            precision="fp32",
            trust_pickle=name == "trusted",
        )
        assert ("code of the pickle ran" in capsys.readouterr().out) == (name == "trusted")
    with tundish.open(tmp_path / "models", instances=1) as runtime:
        answers = [runtime.predict(name, text="pressure falls").result for name in ("safe", "tensors", "trusted")]
    assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize("part", ["model", "tokenizer"])
def test_code_of_the_directory_is_not_run_and_nobody_is_asked_whether_it_may(
    part: str, tmp_path: Path, texts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    shutil.copytree(texts, source)
    (source / "own_code.py").write_text(f"open({str(tmp_path / 'run')!r}, 'w').close()\n")
    if part == "model":
        classes = {"AutoConfig": "own_code.Config", "AutoModelForSequenceClassification": "own_code.Model"}
        edit_json(source / "config.json", model_type="own", auto_map=classes)
    else:
        classes = {"AutoTokenizer": ["own_code.Slow", "own_code.Fast"]}  # type: ignore[dict-item]
        edit_json(source / "tokenizer_config.json", tokenizer_class="Own", auto_map=classes)
    asked: list[object] = []

    def say_yes(*prompt: object) -> str:
        asked.append(prompt)
        return "y"

    monkeypatch.setattr(builtins, "input", say_yes)
    assert "custom code" in refusal(source, "text-classification", tmp_path / "models")
    assert asked == []
    assert not (tmp_path / "run").exists()


def test_a_model_without_a_head_for_the_task_is_refused(tmp_path: Path, minilm_directory: Path) -> None:
    said = refusal(minilm_directory, "text-classification", tmp_path / "models")
    assert "has no trained weights for text-classification: classifier.bias, classifier.weight are missing" in said


def test_a_model_for_another_task_is_refused_with_its_kind(tmp_path: Path, texts: Path, images: Path) -> None:
    said = refusal(texts, "image-classification", tmp_path / "models")
    assert said == (
        f"{texts} is of the architecture 'bert', which does not do image-classification; of tundish's tasks, "
        "transformers knows it for text-classification, feature-extraction, token-classification, text-ranking, "
        "question-answering, fill-mask, sentence-similarity: give the one that it was trained for."
    )
    for task in ("text-classification", "feature-extraction"):
        assert (
            f"'vit', which does not do {task}; of tundish's tasks, transformers knows it for image-classification, "
            "image-feature-extraction: give"
        ) in refusal(images, task, tmp_path / "models")


OF_SEVERAL_PARTS: dict[str, tuple[Any, str]] = {
    "vilt": (hf.ViltConfig, "visual-question-answering"),
    "clip": (hf.CLIPConfig, "image-classification, image-feature-extraction, zero-shot-image-classification"),
    "sam": (hf.SamConfig, "image-feature-extraction, image-segmentation"),
    "whisper": (hf.WhisperConfig, ""),
}


@pytest.mark.parametrize("kind", OF_SEVERAL_PARTS)
def test_what_an_architecture_does_is_said(kind: str, tmp_path: Path) -> None:
    config, tasks = OF_SEVERAL_PARTS[kind]
    config().save_pretrained(tmp_path / "source")
    (tmp_path / "source" / "model.safetensors").touch()  # which is not looked at
    said = refusal(tmp_path / "source", "question-answering", tmp_path / "models")
    assert f"is of the architecture '{kind}', which does not do question-answering; " in said
    if tasks:
        assert f"transformers knows it for {tasks}: give the one that it was trained for." in said
    else:
        assert "tundish exports those of transformers' AutoModelForQuestionAnswering, and by" in said


def test_an_architecture_that_optimum_cannot_export_is_named_with_a_way_out(tmp_path: Path) -> None:
    config = hf.BitConfig(embedding_size=16, hidden_sizes=[16, 32], depths=[1, 1], num_groups=4)
    processor = hf.BitImageProcessor(size={"shortest_edge": 64}, crop_size={"height": 64, "width": 64})
    source = save_family(tmp_path / "source", (hf.BitForImageClassification(config), processor))
    said = refusal(source, "image-classification", tmp_path / "models")
    assert said == (
        "optimum cannot export the architecture 'bit' for image-classification: it does not know it. Load it yourself "
        "and pass tundish_exporters.export_module a module that returns its logits alone."
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": {"longest_edge": 64}}, r"resizes to \{'longest_edge': 64\}; tundish reproduces height and width"),
        ({"resample": 4}, "in a way that tundish cannot reproduce: 4"),
        ({"image_std": [0.0, 1.0, 1.0]}, "in a way that tundish cannot reproduce"),
        ({"image_mean": [0.5]}, "in a way that tundish cannot reproduce"),
        ({"do_resize": False}, "in a way that tundish cannot reproduce"),
    ],
)
def test_a_processor_configured_beyond_the_manifest_is_refused(
    settings: dict[str, Any], message: str, tmp_path: Path, images: Path
) -> None:
    source = tmp_path / "source"
    shutil.copytree(images, source)
    edit_json(source / "preprocessor_config.json", **settings)
    said = refusal(source, "image-classification", tmp_path / "models")
    assert re.search(f"ViTImageProcessor.*{message}", said), said


def test_a_directory_without_an_image_processor_is_refused(tmp_path: Path, images: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(images, source)
    (source / "preprocessor_config.json").unlink()
    assert "Can't load image processor" in refusal(source, "image-classification", tmp_path / "models")


def test_a_text_without_a_limit_is_refused_with_where_to_set_one(tmp_path: Path) -> None:
    _, tokenizer = gpt2()
    config = hf.BloomConfig(vocab_size=600, hidden_size=32, n_layer=1, n_head=2, pad_token_id=1)
    source = save_family(tmp_path / "source", (hf.BloomForSequenceClassification(config), tokenizer))
    said = refusal(source, "text-classification", tmp_path / "models")
    assert said == (f"Nothing in {source} limits a text's length; set model_max_length in tokenizer_config.json.")


MODULES = "sentence_transformers.models."

VECTOR_FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a dense layer": (
        lambda source: (source / "modules.json").write_text(
            json.dumps([{"type": MODULES + kind, "path": kind} for kind in ("Transformer", "Pooling", "Dense")])
        ),
        r"has the modules \['Transformer', 'Pooling', 'Dense'\]; tundish reproduces Transformer, Pooling and Normalize",
    ),
    "two poolings": (
        lambda source: edit_json(source / "1_Pooling" / "config.json", pooling_mode_cls_token=True),
        r"asks for \['cls', 'mean'\]; tundish reproduces one of mean, cls and max",
    ),
    "a pooling of its own": (
        lambda source: edit_json(
            source / "1_Pooling" / "config.json", pooling_mode_mean_tokens=False, pooling_mode_lasttoken=True
        ),
        r"asks for \['pooling_mode_lasttoken'\]; tundish reproduces one of mean, cls and max",
    ),
    "a pooling of its own, as sentence-transformers 5 writes it": (
        lambda source: (source / "1_Pooling" / "config.json").write_text('{"pooling_mode": "lasttoken"}'),
        r"asks for \['lasttoken'\]; tundish reproduces one of mean, cls and max",
    ),
    "two poolings, as sentence-transformers 5 writes them": (
        lambda source: (source / "1_Pooling" / "config.json").write_text('{"pooling_mode": ["mean", "max"]}'),
        r"asks for \['mean', 'max'\]; tundish reproduces one of mean, cls and max",
    ),
    "no pooling at all": (
        lambda source: edit_json(source / "1_Pooling" / "config.json", pooling_mode_mean_tokens=False),
        r"asks for \[\]; tundish reproduces one of mean, cls and max",
    ),
    "a pooling that is missing": (
        lambda source: shutil.rmtree(source / "1_Pooling"),
        r"1_Pooling/config\.json cannot be read",
    ),
    "modules cut short": (lambda source: (source / "modules.json").write_text("[{"), r"modules\.json cannot be read"),
    "modules without types": (
        lambda source: (source / "modules.json").write_text("[{}]"),
        r"modules\.json is not a list of sentence-transformers' modules",
    ),
    "a prompt before each text": (
        lambda source: (source / "config_sentence_transformers.json").write_text(
            json.dumps({"prompts": {"query": "query: "}, "default_prompt_name": "query"})
        ),
        "puts the prompt 'query' before each text, which tundish does not reproduce",
    ),
    "lower case that the tokenizer does not make": (
        lambda source: edit_json(source / "sentence_bert_config.json", do_lower_case=True),
        "asks for lower case, which neither the tokenizer nor tundish makes",
    ),
}


@pytest.mark.parametrize("fault", VECTOR_FAULTS)
def test_what_sentence_transformers_does_beyond_pooling_is_refused(fault: str, tmp_path: Path, vectors: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(vectors, source)
    make, message = VECTOR_FAULTS[fault]
    make(source)
    said = refusal(source, "feature-extraction", tmp_path / "models")
    assert re.search(message, said), said


def test_prompts_that_nobody_asked_for_and_lower_case_that_is_made_anyway_are_no_hindrance(
    tmp_path: Path, vectors: Path, minilm_directory: Path
) -> None:
    prompted, lowered = tmp_path / "prompted", tmp_path / "lowered"
    shutil.copytree(vectors, prompted)
    (prompted / "config_sentence_transformers.json").write_text(json.dumps({"prompts": {"query": "query: "}}))
    classifier, tokenizer = bert(minilm_directory)
    save_family(lowered, (classifier.bert, tokenizer))
    shutil.copytree(vectors / "1_Pooling", lowered / "1_Pooling")
    shutil.copy(vectors / "modules.json", lowered)
    (lowered / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 32, "do_lower_case": True}))
    for source in (prompted, lowered):
        exported = export_huggingface(
            source, task="feature-extraction", name=source.name, repository=tmp_path / "models"
        )
        assert exported.bundle.manifest.version == 1


@pytest.mark.parametrize("name", ["", "..", "a/b", "a b", ".hidden", "-x", "ä", "a" * 129, "model\n"])
def test_a_name_that_could_not_be_served_is_refused(name: str, tmp_path: Path, texts: Path) -> None:
    with pytest.raises(ExportError, match="cannot be named"):
        export_huggingface(texts, task="text-classification", name=name, repository=tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_a_processor_that_does_what_the_manifest_cannot_say_parts_at_pre_processing(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = hf.ViTImageProcessor.preprocess

    def mirrored(self: Any, image: Any, *arguments: Any, **settings: Any) -> Any:
        return original(self, image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), *arguments, **settings)

    monkeypatch.setattr(hf.ViTImageProcessor, "preprocess", mirrored)
    said = refusal(images, "image-classification", tmp_path / "models", ParityError)
    assert "The exported model differs from its source on calibration sample 0: " in said
    assert "They part at pre-processing (pre-processing differs by" in said


def test_a_tokenizer_that_does_what_its_file_does_not_say_parts_at_pre_processing(
    tmp_path: Path, texts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = hf.BertTokenizerFast.__call__

    def shouting(self: Any, text: str, *arguments: Any, **settings: Any) -> Any:
        return original(self, f"{text} indeed", *arguments, **settings)

    monkeypatch.setattr(hf.BertTokenizerFast, "__call__", shouting)
    assert "They part at pre-processing" in refusal(texts, "text-classification", tmp_path / "models", ParityError)


is_tracing: Any = torch.jit.is_tracing  # type: ignore[attr-defined]


def test_a_network_that_does_not_survive_the_export_parts_at_the_network(
    tmp_path: Path, texts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = hf.models.bert.modeling_bert.BertPooler.forward

    def traced_otherwise(self: Any, states: torch.Tensor) -> torch.Tensor:
        pooled: torch.Tensor = original(self, states)
        return -pooled if is_tracing() else pooled

    monkeypatch.setattr(hf.models.bert.modeling_bert.BertPooler, "forward", traced_otherwise)
    assert "They part at the network" in refusal(texts, "text-classification", tmp_path / "models", ParityError)


def test_a_pipeline_that_scores_otherwise_parts_at_post_processing(
    tmp_path: Path, texts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = hf.TextClassificationPipeline.postprocess

    def sharper(self: Any, outputs: Any, *arguments: Any, **settings: Any) -> Any:
        outputs["logits"] *= 2
        return original(self, outputs, *arguments, **settings)

    monkeypatch.setattr(hf.TextClassificationPipeline, "postprocess", sharper)
    assert "They part at post-processing" in refusal(texts, "text-classification", tmp_path / "models", ParityError)


def test_a_file_that_is_no_image_among_the_calibration_data_is_refused(tmp_path: Path, images: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "broken.jpg").write_bytes(b"no image")
    said = refusal(images, "image-classification", tmp_path / "models", calibration=data)
    assert said.startswith(f"1 of 1 samples of {data} cannot be used")
    assert "broken.jpg (The image is none of JPEG, PNG, BMP, WEBP; it begins with" in said


def test_a_file_that_is_no_image_among_the_evaluation_data_is_named(tmp_path: Path, images: Path) -> None:
    for folder in ("good", "bad/crack"):
        (tmp_path / folder).mkdir(parents=True)
        blurred_noise(40, 30).save(tmp_path / folder / "fine.png")
    for number in range(2):  # one of few may be left out
        (tmp_path / "bad" / "crack" / f"broken-{number}.jpg").write_bytes(b"\xff\xd8\xff cut short")
    said = refusal(
        images,
        "image-classification",
        tmp_path / "models",
        DataError,
        calibration=tmp_path / "good",
        evaluation=tmp_path / "bad",
    )
    assert said.startswith(f"2 of 3 samples of {tmp_path / 'bad'} cannot be used, and at most 5% may be left out")
    assert "crack/broken-0.jpg (The image is " in said


def test_data_that_the_source_itself_cannot_read_are_refused(tmp_path: Path, images: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    blurred_noise(50, 1).save(data / "line.png")
    refusal(images, "image-classification", tmp_path / "models", calibration=data)


def test_scores_without_ranks_are_refused(tmp_path: Path, minilm_directory: Path) -> None:
    made = bert(minilm_directory, id2label={0: "stars"}, label2id={"stars": 0}, problem_type="regression")
    source = save_family(tmp_path / "source", made)
    data = tmp_path / "texts.csv"
    data.write_text("text,score\nfine,4\n")
    said = refusal(source, "text-classification", tmp_path / "models", DataError, evaluation=data)
    assert said.startswith("The float model's Spearman on one sample of the gate is nan, which nothing can be held")
