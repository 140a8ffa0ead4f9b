"""A Hugging Face directory: config.json, safetensors and the processor's files, or an adapter. Exported by optimum."""

from __future__ import annotations

import hashlib
import io
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
import transformers
from huggingface_hub import ModelCard
from onnxruntime.tools.onnx_model_utils import make_dim_param_fixed
from optimum.exporters.onnx import onnx_export_from_model
from PIL import Image
from transformers import AutoConfig, AutoImageProcessor, AutoTokenizer

from tundish import manifest
from tundish.engines import Arrays
from tundish.results import (
    Entity,
    FeatureExtraction,
    ImageClassification,
    Label,
    Result,
    TextClassification,
    TokenClassification,
)
from tundish.tasks.registry import TASKS
from tundish_exporters.errors import ExportError
from tundish_exporters.sources import OPSET, adapters, detectors
from tundish_exporters.sources.frameworks import versions
from tundish_exporters.sources.image_processors import read_image_processor
from tundish_exporters.sources.pooling import pooled, read_pooling
from tundish_exporters.sources.tokenizers import read_tokenizer, write_tokenizer

_MODEL_CLASSES: dict[manifest.TaskName, Any] = {
    "image-classification": transformers.AutoModelForImageClassification,
    "text-classification": transformers.AutoModelForSequenceClassification,
    "feature-extraction": transformers.AutoModel,
    "object-detection": transformers.AutoModelForObjectDetection,
    "token-classification": transformers.AutoModelForTokenClassification,
}

_LOADING: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
"""Nothing is fetched, and transformers does not ask at the terminal whether it may run the directory's code."""

_OUTPUTS: dict[manifest.TaskName, tuple[str, ...]] = {
    "image-classification": ("logits",),
    "text-classification": ("logits",),
    "feature-extraction": ("last_hidden_state",),
    "object-detection": detectors.OUTPUTS,
    "token-classification": ("logits",),
}
"""The network's outputs that the task reads."""


class HuggingFaceSource:
    """See `Source`."""

    def __init__(
        self,
        directory: Path,
        task: manifest.TaskName,
        *,
        threshold: float,
        aggregation: manifest.Aggregation = "simple",
        base: Path | None = None,
    ) -> None:
        """Loads the network and the processor; nothing is fetched, and no code of the directory is run.

        `threshold` is that of the objects of object-detection, `aggregation` is how token-classification makes entities
        of tokens. `base` is the model that an adapter was trained beside, if the adapter does not say where it lies.

        Raises:
            ExportError: the directory is not a Hugging Face model with safetensors, or has no trained weights for the
                task; or it is an adapter that does not fit its base.
        """
        self.task = task
        self._directory = directory
        self._base = adapters.find_base(directory, base) if adapters.is_adapter(directory) else None
        if self._base is None:
            self._model = self._exported = _load_model(directory, task)
        else:
            model = _load_base(self._base, directory, task)
            self._model, self._exported = _loaded(directory, lambda: adapters.with_adapter(model, directory))
        directory = directory if self._base is None or _has_processor(directory) else self._base
        self.preprocess: manifest.Preprocess
        if TASKS[task].input_name == "image":
            self._processor: Any = _loaded(
                directory, lambda: AutoImageProcessor.from_pretrained(directory, **_LOADING, use_fast=False)
            )
            self.preprocess = read_image_processor(self._processor, any_size=task == "object-detection")
        else:
            self._processor = _loaded(directory, lambda: AutoTokenizer.from_pretrained(directory, **_LOADING))
            self.preprocess = read_tokenizer(self._processor, self._model.config, directory)
        self.postprocess: manifest.Postprocess
        if task == "object-detection":
            self.postprocess = detectors.read_detection(self._processor, self._model.config, threshold)
        elif task == "feature-extraction":
            self.postprocess = read_pooling(self._base or directory, self._processor)
        elif task == "token-classification":
            self.postprocess = manifest.EntityPostprocess(
                labels=_label_names(self._model.config),
                aggregation=aggregation,
                unknown_id=self._processor.unk_token_id,
            )
        else:
            self.postprocess = _read_labels(self._model.config, task)
        self._pipeline: Any = None

    def describe(self) -> manifest.Source:
        """See `Source.describe`; every file of the directory is hashed, and of an adapter's base, as `base/…`."""
        files = _hashes(self._directory)
        if self._base is not None:
            files |= {f"base/{name}": digest for name, digest in _hashes(self._base).items()}
        return manifest.Source(
            kind="huggingface", files=files, frameworks=versions(), license=_license(self._directory)
        )

    def write_onnx(self, path: Path) -> None:
        """See `Source.write_onnx`; optimum does not know all detectors, and exports others with sizes left open."""
        if self.task == "object-detection":
            assert isinstance(self.preprocess, manifest.ImagePreprocess)
            detectors.write_detector(self._exported, self.preprocess, path)
            return
        with tempfile.TemporaryDirectory(dir=path.parent) as scratch, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tracer and deprecation warnings; parity is measured afterwards
            try:
                onnx_export_from_model(
                    self._exported, scratch, task=self.task, opset=OPSET, do_validation=False, no_post_process=True
                )
            except (ValueError, KeyError, NotImplementedError, RuntimeError) as error:
                raise ExportError(
                    f"optimum cannot export the architecture '{self._model.config.model_type}' for {self.task}: "
                    f"{error}. Load it yourself and pass the module to tundish_exporters.export_module."
                ) from error
            for file in Path(scratch).glob("model.onnx*"):
                file.rename(path.parent / file.name.replace("model.onnx", path.name, 1))
        if isinstance(self.preprocess, manifest.ImagePreprocess):
            _fix_image_size(path, *self.preprocess.size)

    def write_assets(self, directory: Path) -> list[str]:
        """See `Source.write_assets`."""
        if isinstance(self.preprocess, manifest.TextPreprocess):
            write_tokenizer(self._processor, directory / self.preprocess.tokenizer)
            return [self.preprocess.tokenizer]
        return []

    def processed(self, data: bytes) -> Arrays:
        """See `Source.processed`."""
        if isinstance(self.preprocess, manifest.ImagePreprocess):
            image = transformers.image_utils.load_image(_as_pillow(data))
            return dict(self._processor(image, return_tensors="np"))
        encoded = self._processor(
            data.decode(), truncation=True, max_length=self.preprocess.maximum_tokens, return_tensors="np"
        )
        return {name: np.asarray(array, np.int64) for name, array in encoded.items()}

    def network(self, inputs: Arrays) -> Arrays:
        """See `Source.network`."""
        with torch.inference_mode():
            outputs = self._model(**{name: torch.from_numpy(np.array(array)) for name, array in inputs.items()})
        return {name: outputs[name].numpy() for name in _OUTPUTS[self.task]}

    def predict(self, data: bytes) -> Result:
        """See `Source.predict`; by `transformers.pipeline`, and by the pooling rule where there is one.

        That pipeline rounds boxes, and leaves out what has a low score; so objects are its processor's.
        """
        if isinstance(self.postprocess, manifest.DetectionPostprocess):
            image = transformers.image_utils.load_image(_as_pillow(data))
            return detectors.detect(self._model, self._processor, image)
        if isinstance(self.postprocess, manifest.PoolingPostprocess):
            inputs = self.processed(data)
            tokens = torch.from_numpy(self.network(inputs)["last_hidden_state"])
            return FeatureExtraction(
                pooled(tokens, torch.from_numpy(inputs["attention_mask"]), self.postprocess).numpy()
            )
        if isinstance(self.postprocess, manifest.EntityPostprocess):
            return self._find_entities(data.decode(), self.postprocess.aggregation)
        if self._pipeline is None:
            part = "image_processor" if self.task == "image-classification" else "tokenizer"
            self._pipeline = transformers.pipeline(
                self.task, model=self._model, device="cpu", **{part: self._processor}
            )
        top_k = len(self.postprocess.labels)
        if isinstance(self.preprocess, manifest.ImagePreprocess):
            return ImageClassification(_labels(self._pipeline(_as_pillow(data), top_k=top_k)))
        answer = self._pipeline(data.decode(), top_k=None, truncation=True, max_length=self.preprocess.maximum_tokens)
        return TextClassification(_labels(answer))

    def _find_entities(self, text: str, aggregation: manifest.Aggregation) -> TokenClassification:
        assert isinstance(self.preprocess, manifest.TextPreprocess)
        if self._pipeline is None:
            # This pipeline takes no max_length, it truncates to what its tokenizer says.
            self._processor.model_max_length = self.preprocess.maximum_tokens
            self._pipeline = transformers.pipeline(
                self.task, model=self._model, device="cpu", tokenizer=self._processor, aggregation_strategy=aggregation
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a tokenizer marks no words, of each token
            answer = self._pipeline(text)
        return TokenClassification(tuple(_entity(entry, text) for entry in answer))


def _fix_image_size(path: Path, height: int, width: int) -> None:
    """Writes the one size that images come in into the graph, so that engine and clients know it."""
    model = onnx.load(path)
    for name, size in (("num_channels", 3), ("height", height), ("width", width)):
        make_dim_param_fixed(model.graph, name, size)
    onnx.save(model, path)


def _hashes(directory: Path) -> dict[str, str]:
    files = {}
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory)
        if path.is_file() and not any(part.startswith(".") for part in name.parts):
            with path.open("rb") as stream:
                files[str(name)] = hashlib.file_digest(stream, "sha256").hexdigest()
    return files


def _license(directory: Path) -> str | None:
    """What the model card in README.md says; None if there is none, or it says nothing that can be read."""
    try:
        said = ModelCard.load(directory / "README.md").data.get("license")
    except Exception:  # whatever a stranger's YAML makes of the library; a card is not what an export fails by
        return None
    return said if isinstance(said, str) and len(said) <= manifest.MAX_STATEMENT else None


def _has_processor(directory: Path) -> bool:
    return any((directory / name).is_file() for name in ("preprocessor_config.json", "tokenizer_config.json"))


def _load_model(directory: Path, task: manifest.TaskName) -> Any:
    config = _loaded(directory, lambda: AutoConfig.from_pretrained(directory, **_LOADING))
    model, missing = _load_weights(directory, config, task)
    if missing:
        raise ExportError(
            f"{directory} has no trained weights for {task}: {', '.join(missing[:3])} are missing; "
            "fine-tune the model for the task first, or give its own task."
        )
    return model


def _load_base(base: Path, adapter: Path, task: manifest.TaskName) -> Any:
    """The base model, made for the labels that the adapter was trained for."""
    configured = adapter if (adapter / "config.json").is_file() else base
    config = _loaded(configured, lambda: AutoConfig.from_pretrained(configured, **_LOADING))
    count = adapters.label_count(adapter)
    if count is not None and count != config.num_labels:
        config.num_labels = count  # and with it the labels' names, which nobody has said
    model, missing = _load_weights(base, config, task, other_sizes=True)
    trained = adapters.trained_modules(adapter)
    missing = [key for key in missing if not set(key.split(".")) & set(trained)]
    if missing:
        raise ExportError(
            f"Neither {base} nor its adapter {adapter} has trained weights for {task}: {', '.join(missing[:3])} are "
            "missing; train the adapter with these modules in modules_to_save."
        )
    return model


def _load_weights(
    directory: Path, config: Any, task: manifest.TaskName, *, other_sizes: bool = False
) -> tuple[Any, list[str]]:
    """The model, and which of its weights are not in the directory; with `other_sizes`, or are there in another size.

    transformers fills what is missing with random numbers, and only warns.
    """
    model, loading = _loaded(
        directory,
        lambda: _MODEL_CLASSES[task].from_pretrained(
            directory,
            config=config,
            **_LOADING,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=other_sizes,
            dtype="float32",
        ),
    )
    missing = {*loading["missing_keys"], *loading["mismatched_keys"]}
    unread = "pooler" if task == "feature-extraction" else None
    return model.eval(), sorted(key for key in missing if unread is None or unread not in key)


def _loaded(directory: Path, load: Any) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return load()
    except ExportError:
        raise
    except Exception as error:  # the errors of these libraries have no common base
        reason = str(error).strip().split("\n")[0]
        raise ExportError(f"{directory} cannot be loaded by transformers: {reason}") from error


def _read_labels(config: Any, task: manifest.TaskName) -> manifest.ClassificationPostprocess:
    """The labels, and the function that transformers' pipeline of the task would apply to the logits."""
    labels = _label_names(config)
    function: Any = "softmax" if config.num_labels > 1 else "sigmoid"
    if config.problem_type == "multi_label_classification":
        function = "sigmoid"
    elif config.problem_type == "regression" and task == "text-classification":
        function = "none"
    return manifest.ClassificationPostprocess(labels=labels, function=function)


def _label_names(config: Any) -> tuple[str, ...]:
    return tuple(str(config.id2label[index]) for index in range(config.num_labels))


def _entity(entry: dict[str, Any], text: str) -> Entity:
    """What the pipeline answers; it names the label by whether tokens were joined."""
    label = entry["entity_group"] if "entity_group" in entry else entry["entity"]
    start, end = entry["start"], entry["end"]
    return Entity(label, float(entry["score"]), start, end, text[start:end])


def _labels(answer: list[dict[str, Any]]) -> tuple[Label, ...]:
    return tuple(Label(entry["label"], entry["score"]) for entry in answer)


def _as_pillow(data: bytes) -> Any:
    """The image as the source's own pipeline gets it: opened by Pillow, not yet converted."""
    return Image.open(io.BytesIO(data))
