"""Adapters, merged into their base by an export, answer as PEFT has them answer beside it."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
import transformers
from PIL import Image
from support.model_families import IMAGE_FAMILIES, TEXT_FAMILIES, bert, save_family

import tundish
from tundish.results import ImageClassification, Label, TextClassification
from tundish_exporters import ExportError, export_huggingface

TEXTS = (
    "A roller is worn; the strand shows cracks.",
    "Pressure below the limit.",
    "x",
    "MIXED Case, 12.5 mm (1.4301)!?",
)
NEW_LABELS = {0: "leak", 1: "wear", 2: "none"}


def save_adapter(directory: Path, model: Any, **settings: Any) -> Path:
    """A LoRA adapter of the model, as if trained: its matrices, one of which begins at zero, hold random numbers."""
    config = peft.LoraConfig(r=4, lora_alpha=16, **{"target_modules": ["query", "value"], **settings})
    adapted: Any = peft.get_peft_model(model, config)
    torch.manual_seed(5)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if parameter.requires_grad:
                parameter.copy_(torch.randn_like(parameter) * (0.4 if "lora" in name else 0.2))
    adapted.save_pretrained(directory)
    return directory


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, minilm_directory: Path) -> Path:
    """A classifier of five labels."""
    return save_family(tmp_path_factory.mktemp("base") / "model", bert(minilm_directory))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory, minilm_directory: Path) -> Path:
    """A base model without a head."""
    classifier, tokenizer = bert(minilm_directory)
    return save_family(tmp_path_factory.mktemp("encoder") / "model", (classifier.bert, tokenizer))


def scores(labels: tuple[Label, ...]) -> dict[str, float]:
    return {label.name: label.score for label in labels}


def expected_scores(model: Any, adapter: Path, tokenizer_directory: Path, text: str) -> dict[str, float]:
    """By PEFT and PyTorch alone, with the adapter beside the base."""
    adapted: Any = peft.PeftModel.from_pretrained(model, str(adapter)).eval()
    tokenizer = load(transformers.AutoTokenizer, tokenizer_directory)
    with torch.no_grad():
        logits = adapted(**tokenizer(text, return_tensors="pt")).logits[0]
    names = [model.config.id2label[index] for index in range(len(logits))]
    return dict(zip(names, torch.softmax(logits, 0).tolist(), strict=True))


def served_scores(repository: Path, text: str) -> dict[str, float]:
    with tundish.open(repository, instances=1) as runtime:
        result = runtime.predict("model", text=text).result
    assert isinstance(result, TextClassification)
    return scores(result.labels)


def load(kind: Any, directory: Path, **settings: Any) -> Any:
    """By one of transformers' classes, whose annotations are patchy."""
    return kind.from_pretrained(directory, **settings)


def classifier(directory: Path, **settings: Any) -> Any:
    return load(transformers.AutoModelForSequenceClassification, directory, **settings)


def test_an_adapter_of_a_classifier_is_merged_into_it(base: Path, tmp_path: Path) -> None:
    adapter = save_adapter(tmp_path / "adapter", classifier(base))
    exported = export_huggingface(
        adapter, task="text-classification", name="model", repository=tmp_path / "models", precision="fp32"
    )  # its configuration names the base's directory
    for text in TEXTS:
        expected = expected_scores(classifier(base), adapter, base, text)
        assert served_scores(tmp_path / "models", text) == pytest.approx(expected, abs=1e-3)
    plain = dict.fromkeys(expected, 0.0) | {
        each["label"]: each["score"]
        for each in transformers.pipeline("text-classification", model=str(base))(TEXTS[-1], top_k=None)
    }
    assert expected != pytest.approx(plain, abs=0.03), "the adapter changes nothing, and this proves nothing"
    files = exported.bundle.manifest.source.files
    assert {"adapter_config.json", "adapter_model.safetensors", "base/config.json", "base/model.safetensors"} <= set(
        files
    )


def test_a_head_that_was_trained_with_the_adapter_gives_the_labels(encoder: Path, tmp_path: Path) -> None:
    model = classifier(encoder, id2label=NEW_LABELS, label2id={name: index for index, name in NEW_LABELS.items()})
    adapter = save_adapter(tmp_path / "adapter", model, task_type="SEQ_CLS")
    model.config.save_pretrained(adapter)
    moved = shutil.copytree(encoder, tmp_path / "elsewhere")
    settings = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps(settings | {"base_model_name_or_path": "acme/encoder"}))
    export_huggingface(
        adapter, base=moved, task="text-classification", name="model", repository=tmp_path / "models", precision="fp32"
    )
    expected = expected_scores(classifier(encoder, id2label=NEW_LABELS), adapter, encoder, TEXTS[0])
    assert set(expected) == set(NEW_LABELS.values())
    assert served_scores(tmp_path / "models", TEXTS[0]) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert"])
def test_without_names_a_head_of_another_size_gives_numbered_labels(
    family: str, tmp_path: Path, minilm_directory: Path
) -> None:
    base = save_family(tmp_path / "base", TEXT_FAMILIES[family](minilm_directory))
    model = classifier(base, num_labels=3, ignore_mismatched_sizes=True)
    targets = ["q_lin", "v_lin"] if family == "distilbert" else ["query", "value"]
    adapter = save_adapter(tmp_path / "adapter", model, task_type="SEQ_CLS", target_modules=targets)
    export_huggingface(
        adapter, base=base, task="text-classification", name="model", repository=tmp_path / "models", precision="fp32"
    )
    again = classifier(base, num_labels=3, ignore_mismatched_sizes=True)
    expected = expected_scores(again, adapter, base, TEXTS[1])
    assert set(expected) == {"LABEL_0", "LABEL_1", "LABEL_2"}
    assert served_scores(tmp_path / "models", TEXTS[1]) == pytest.approx(expected, abs=1e-3)


def test_an_adapter_of_an_image_classifier(tmp_path: Path, photographs: list[Path], small_images: Path) -> None:
    base = save_family(tmp_path / "base", IMAGE_FAMILIES["vit"]())
    network = transformers.AutoModelForImageClassification
    adapter = save_adapter(tmp_path / "adapter", load(network, base), use_dora=True)
    export_huggingface(
        adapter,
        task="image-classification",
        name="model",
        repository=tmp_path / "models",
        precision="fp32",
        calibration=small_images,
    )
    adapted: Any = peft.PeftModel.from_pretrained(load(network, base), str(adapter)).eval()
    processor = load(transformers.AutoImageProcessor, base, use_fast=False)
    data = photographs[0].read_bytes()
    with torch.no_grad():
        logits = adapted(**processor(Image.open(io.BytesIO(data)), return_tensors="pt")).logits[0]
    expected = dict(zip(adapted.config.id2label.values(), torch.softmax(logits, 0).tolist(), strict=True))
    with tundish.open(tmp_path / "models", instances=1) as runtime:
        result = runtime.predict("model", image=data).result
    assert isinstance(result, ImageClassification)
    assert scores(result.labels) == pytest.approx(expected, abs=1e-3)


# Refusals


def refusal(adapter: Path, tmp_path: Path, base: Path | None = None, task: Any = "text-classification") -> str:
    """What an export says; nothing is written."""
    with pytest.raises(ExportError) as caught:
        export_huggingface(adapter, base=base, task=task, name="model", repository=tmp_path / "models")
    assert not (tmp_path / "models").exists()
    return str(caught.value)


def test_pickled_weights_are_not_read(base: Path, tmp_path: Path) -> None:
    adapter = save_adapter(tmp_path / "adapter", classifier(base))
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    assert "Pickled weights are not read" in refusal(adapter, tmp_path)


def test_a_module_that_the_settings_name_is_not_imported(base: Path, tmp_path: Path) -> None:
    adapter = save_adapter(tmp_path / "adapter", classifier(base))
    settings = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(
        json.dumps(settings | {"megatron_config": {"a": 1}, "megatron_core": "antigravity"})
    )
    assert "names a module to import" in refusal(adapter, tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", "null"])
def test_settings_that_are_none_are_refused(content: str, base: Path, tmp_path: Path) -> None:
    adapter = save_adapter(tmp_path / "adapter", classifier(base))
    (adapter / "adapter_config.json").write_text(content)
    assert str(adapter / "adapter_config.json") in refusal(adapter, tmp_path)


def test_a_base_that_is_not_here_must_be_given(base: Path, tmp_path: Path) -> None:
    adapter = save_adapter(tmp_path / "adapter", classifier(base))
    settings = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps(settings | {"base_model_name_or_path": "acme/encoder"}))
    assert refusal(adapter, tmp_path) == (
        f"{adapter} is an adapter of the base model 'acme/encoder', which is no directory here; pass it as --base."
    )


def test_a_whole_model_has_no_base(base: Path, tmp_path: Path) -> None:
    assert refusal(base, tmp_path, base=base).startswith(f"{base} is no adapter, it has no adapter_config.json;")


def test_a_head_that_nobody_trained_is_refused(encoder: Path, tmp_path: Path) -> None:
    adapter = save_adapter(tmp_path / "adapter", classifier(encoder))
    assert refusal(adapter, tmp_path).startswith(
        f"Neither {encoder} nor its adapter {adapter} has trained weights for text-classification: classifier.bias"
    )


def test_an_adapter_of_another_architecture_is_refused(base: Path, tmp_path: Path, minilm_directory: Path) -> None:
    wide, tokenizer = bert(minilm_directory, hidden_size=64)
    other = save_family(tmp_path / "other", (wide, tokenizer))
    adapter = save_adapter(tmp_path / "adapter", classifier(other))
    assert refusal(adapter, tmp_path, base=base).startswith(f"{adapter} cannot be loaded by transformers: ")


def test_an_adapter_of_the_inputs_is_refused(base: Path, tmp_path: Path) -> None:
    config = peft.PromptTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=4)
    peft.get_peft_model(classifier(base), config).save_pretrained(str(tmp_path / "adapter"))
    assert "PROMPT_TUNING, which cannot be merged into weights" in refusal(tmp_path / "adapter", tmp_path)
