"""A Hugging Face directory: config.json, safetensors and the processor's files. Exported by optimum."""

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
from onnxruntime.tools.onnx_model_utils import make_dim_param_fixed
from optimum.exporters.onnx import onnx_export_from_model
from PIL import Image
from transformers import AutoConfig, AutoImageProcessor, AutoTokenizer

from tundish import manifest
from tundish.engines import Arrays
from tundish.results import FeatureExtraction, ImageClassification, Label, Result, TextClassification
from tundish.tasks.registry import TASKS
from tundish_exporters.errors import ExportError
from tundish_exporters.sources import OPSET, detectors
from tundish_exporters.sources.frameworks import versions
from tundish_exporters.sources.image_processors import read_image_processor
from tundish_exporters.sources.pooling import pooled, read_pooling
from tundish_exporters.sources.tokenizers import read_tokenizer, write_tokenizer

_MODEL_CLASSES: dict[manifest.TaskName, Any] = {
    "image-classification": transformers.AutoModelForImageClassification,
    "text-classification": transformers.AutoModelForSequenceClassification,
    "feature-extraction": transformers.AutoModel,
    "object-detection": transformers.AutoModelForObjectDetection,
}

_LOADING: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
"""Nothing is fetched, and transformers does not ask at the terminal whether it may run the directory's code."""

_OUTPUTS: dict[manifest.TaskName, tuple[str, ...]] = {
    "image-classification": ("logits",),
    "text-classification": ("logits",),
    "feature-extraction": ("last_hidden_state",),
    "object-detection": detectors.OUTPUTS,
}
"""The network's outputs that the task reads."""


class HuggingFaceSource:
    """See `Source`."""

    def __init__(self, directory: Path, task: manifest.TaskName, *, threshold: float) -> None:
        """Loads the network and the processor; nothing is fetched, and no code of the directory is run.

        `threshold` is that of the objects of a bundle; other tasks have none.

        Raises:
            ExportError: the directory is not a Hugging Face model with safetensors, or has no trained weights for the
                task.
        """
        self.task = task
        self._directory = directory
        self._model = _load_model(directory, task)
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
            self.postprocess = read_pooling(directory, self._processor)
        else:
            self.postprocess = _read_labels(self._model.config, task)
        self._pipeline: Any = None

    def describe(self) -> manifest.Source:
        """See `Source.describe`; every file of the directory is hashed."""
        files = {}
        for path in sorted(self._directory.rglob("*")):
            name = path.relative_to(self._directory)
            if path.is_file() and not any(part.startswith(".") for part in name.parts):
                with path.open("rb") as stream:
                    files[str(name)] = hashlib.file_digest(stream, "sha256").hexdigest()
        return manifest.Source(kind="huggingface", files=files, frameworks=versions())

    def write_onnx(self, path: Path) -> None:
        """See `Source.write_onnx`; optimum does not know all detectors, and exports others with sizes left open."""
        if self.task == "object-detection":
            assert isinstance(self.preprocess, manifest.ImagePreprocess)
            detectors.write_detector(self._model, self.preprocess, path)
            return
        with tempfile.TemporaryDirectory(dir=path.parent) as scratch, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tracer and deprecation warnings; parity is measured afterwards
            try:
                onnx_export_from_model(
                    self._model, scratch, task=self.task, opset=OPSET, do_validation=False, no_post_process=True
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


def _fix_image_size(path: Path, height: int, width: int) -> None:
    """Writes the one size that images come in into the graph, so that engine and clients know it."""
    model = onnx.load(path)
    for name, size in (("num_channels", 3), ("height", height), ("width", width)):
        make_dim_param_fixed(model.graph, name, size)
    onnx.save(model, path)


def _load_model(directory: Path, task: manifest.TaskName) -> Any:
    config = _loaded(directory, lambda: AutoConfig.from_pretrained(directory, **_LOADING))
    model, loading = _loaded(
        directory,
        lambda: _MODEL_CLASSES[task].from_pretrained(
            directory,
            config=config,
            **_LOADING,
            use_safetensors=True,
            output_loading_info=True,
            dtype="float32",
        ),
    )
    # transformers fills what is missing with random numbers, and only warns.
    missing = [key for key in loading["missing_keys"] if task != "feature-extraction" or "pooler" not in key]
    if missing:
        raise ExportError(
            f"{directory} has no trained weights for {task}: {', '.join(sorted(missing)[:3])} are missing; "
            "fine-tune the model for the task first, or give its own task."
        )
    model.eval()
    return model


def _loaded(directory: Path, load: Any) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return load()
    except Exception as error:  # the errors of these libraries have no common base
        reason = str(error).strip().split("\n")[0]
        raise ExportError(f"{directory} cannot be loaded by transformers: {reason}") from error


def _read_labels(config: Any, task: manifest.TaskName) -> manifest.ClassificationPostprocess:
    """The labels, and the function that transformers' pipeline of the task would apply to the logits."""
    labels = tuple(str(config.id2label[index]) for index in range(config.num_labels))
    function: Any = "softmax" if config.num_labels > 1 else "sigmoid"
    if config.problem_type == "multi_label_classification":
        function = "sigmoid"
    elif config.problem_type == "regression" and task == "text-classification":
        function = "none"
    return manifest.ClassificationPostprocess(labels=labels, function=function)


def _labels(answer: list[dict[str, Any]]) -> tuple[Label, ...]:
    return tuple(Label(entry["label"], entry["score"]) for entry in answer)


def _as_pillow(data: bytes) -> Any:
    """The image as the source's own pipeline gets it: opened by Pillow, not yet converted."""
    return Image.open(io.BytesIO(data))
