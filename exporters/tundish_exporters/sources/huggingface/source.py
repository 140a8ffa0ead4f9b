"""What the families have in common: a network and a processor from one directory, exported and asked.

A family is a subclass of `ImageSource` or `TextSource`: it says by which class transformers loads its network, which
of the outputs it reads, and by which rule they become a result.
"""

from __future__ import annotations

import io
import tempfile
import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import onnx
import torch
import transformers
from onnxruntime.tools.onnx_model_utils import make_dim_param_fixed
from optimum.exporters.onnx import onnx_export_from_model
from PIL import Image
from transformers import AutoImageProcessor, AutoTokenizer

from tundish import manifest
from tundish.engines import Arrays
from tundish.errors import reason_of
from tundish.results import Result
from tundish.tasks import Item, parts_of
from tundish_exporters.errors import ExportError
from tundish_exporters.sources import OPSET
from tundish_exporters.sources.huggingface.description import describe
from tundish_exporters.sources.huggingface.loading import LOCAL, Architecture, Weights, load_network, loaded
from tundish_exporters.sources.image_processors import read_image_processor
from tundish_exporters.sources.tokenizers import read_tokenizer, write_tokenizer
from tundish_exporters.sources.tracing import examples_of, plain_functions, traceable_functions

make_pipeline: Any = transformers.pipeline
"""Of a task by its name; without the types that know but transformers' own."""

_TOKENIZERS = ("tokenizer*.json", "vocab.*", "*.model")
"""Files of which a tokenizer has one at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the user says of a model that its directory does not."""

    base: Path | None = None
    """The model that an adapter was trained beside, if the adapter does not say where it lies."""
    trust_pickle: bool = False
    """Whether weights may be pickles of more than tensors, which can run code."""
    threshold: float | None = None
    """Of the scores of objects or segments; None for that of transformers' pipeline."""
    subtask: manifest.Subtask | None = None
    """What the segments of image-segmentation are; None for what transformers' pipeline does first."""
    candidate_labels: tuple[str, ...] = ()
    """What zero-shot-image-classification chooses from."""
    hypothesis_template: str = "This is a photo of {}."
    """What makes a text of each of them; the default is that of transformers' pipeline."""
    aggregation: manifest.Aggregation = "simple"
    """How token-classification makes entities of tokens."""
    pairs: bool = False
    """Whether a model for text-classification reads two texts."""
    no_answer: bool = False
    """Whether question-answering may say that a context holds no answer."""
    top_k: int | None = None
    """How many answers or tokens a result lists; None for as many as transformers' pipeline."""


class HuggingFaceSource(ABC):
    """See `Source`."""

    architecture: ClassVar[Architecture]
    outputs: tuple[str, ...] = ("logits",)
    """Of the network, those that the task reads."""
    warnings: tuple[str, ...] = ()
    """See `Source.warnings`; a directory says all that is needed."""
    preprocess: manifest.Preprocess
    postprocess: manifest.Postprocess

    def __init__(self, directory: Path, choices: Choices) -> None:
        """Loads the network and the processor; nothing is fetched, and no code runs but that of a trusted pickle.

        Raises:
            ExportError: the directory is not a Hugging Face model with weights that may be read, or has no trained
                weights for the task; or it is an adapter that does not fit its base.
        """
        self.task = self.architecture.task
        network = load_network(directory, self.architecture, Weights(choices.base, choices.trust_pickle))
        self._directory = directory
        self._base = network.base
        self._model, self._exported = network.model, network.exported
        self._with_processor = directory if network.base is None or _has_processor(directory) else network.base
        self._processor: Any = loaded(self._with_processor, lambda: self._load_processor(self._with_processor))
        self.preprocess = self._read_processor(self._with_processor, choices)

    @property
    def model(self) -> Any:
        """The network in its framework."""
        return self._model

    @property
    def processor(self) -> Any:
        """What makes its inputs there."""
        return self._processor

    @abstractmethod
    def _load_processor(self, directory: Path) -> Any: ...

    @abstractmethod
    def _read_processor(self, directory: Path, choices: Choices) -> Any:
        """The processor's rule."""

    def describe(self) -> manifest.Source:
        """See `Source.describe`."""
        return describe(self._directory, self._base)

    def write_onnx(self, path: Path) -> None:
        """See `Source.write_onnx`; by optimum."""
        with tempfile.TemporaryDirectory(dir=path.parent) as scratch, warnings.catch_warnings(), plain_functions():
            warnings.simplefilter("ignore")  # tracer and deprecation warnings; parity is measured afterwards
            try:
                onnx_export_from_model(
                    self._exported,
                    scratch,
                    task=self.architecture.exported_as or self.task,
                    opset=OPSET,
                    do_validation=False,
                    no_post_process=True,
                )
            except (ValueError, KeyError, NotImplementedError, RuntimeError) as error:
                # optimum says so at length, with a link behind which nothing is of use here.
                is_unknown = "custom or unsupported architecture" in str(error)
                reason = "it does not know it" if is_unknown else reason_of(error).rstrip(".")
                raise ExportError(
                    f"optimum cannot export the architecture '{self._model.config.model_type}' for {self.task}: "
                    f"{reason}. Load it yourself and pass tundish_exporters.export_module a module that returns its "
                    f"{' and '.join(self.outputs)} alone."
                ) from error
            for file in Path(scratch).glob("model.onnx*"):
                file.rename(path.parent / file.name.replace("model.onnx", path.name, 1))

    @abstractmethod
    def write_assets(self, directory: Path) -> list[str]:
        """See `Source.write_assets`."""

    @abstractmethod
    def processed(self, item: Any) -> Arrays:
        """See `Source.processed`."""

    def network(self, inputs: Arrays) -> Arrays:
        """See `Source.network`."""
        with torch.inference_mode():
            outputs = self._model(**{name: torch.from_numpy(np.array(array)) for name, array in inputs.items()})
        return {name: outputs[name].numpy() for name in self.outputs}

    @abstractmethod
    def predict(self, item: Any) -> Result:
        """See `Source.predict`."""


class ImageSource(HuggingFaceSource):
    """A network that reads images."""

    preprocess: manifest.ImagePreprocess
    any_size: ClassVar[bool] = False
    """Whether the network takes images of any size."""

    def _load_processor(self, directory: Path) -> Any:
        return AutoImageProcessor.from_pretrained(directory, **LOCAL, use_fast=False)

    def _read_processor(self, directory: Path, choices: Choices) -> manifest.ImagePreprocess:  # noqa: ARG002
        return read_image_processor(self._processor, any_size=self.any_size)

    def write_onnx(self, path: Path) -> None:
        """See `Source.write_onnx`; by optimum, with the one size that images come in."""
        with traceable_functions(), examples_of(*self.preprocess.size):
            super().write_onnx(path)
        _fix_image_size(path, *self.preprocess.size)

    def write_assets(self, directory: Path) -> list[str]:  # noqa: ARG002  # there are none
        """See `Source.write_assets`."""
        return []

    def processed(self, item: bytes) -> Arrays:
        """See `Source.processed`."""
        return dict(self._processor(as_converted(item), return_tensors="np"))


class TextSource(HuggingFaceSource):
    """A network that reads texts."""

    preprocess: manifest.TextPreprocess

    @classmethod
    def reads(cls, choices: Choices) -> tuple[manifest.TextInput, ...]:  # noqa: ARG003 - for those that read by them
        """The parts of an item."""
        return ("text",)

    @property
    def text_config(self) -> Any:
        """The configuration that says how long a text may be."""
        return self._model.config

    def _load_processor(self, directory: Path) -> Any:
        return load_tokenizer(directory)

    def _read_processor(self, directory: Path, choices: Choices) -> manifest.TextPreprocess:
        return read_tokenizer(self._processor, self.text_config, directory, self.reads(choices))

    def write_assets(self, directory: Path) -> list[str]:
        """See `Source.write_assets`."""
        write_tokenizer(self._processor, directory / self.preprocess.tokenizer)
        return [self.preprocess.tokenizer]

    def processed(self, item: Item) -> Arrays:
        """See `Source.processed`; of two texts, transformers' `truncation=True` cuts the longer."""
        encoded = self._processor(
            *texts_of(item), truncation=True, max_length=self.preprocess.maximum_tokens, return_tensors="np"
        )
        return {name: np.asarray(array, np.int64) for name, array in encoded.items()}


def load_tokenizer(directory: Path) -> Any:
    """That of the directory; raises ExportError if it has none, where transformers would make one without words."""
    if not [path for pattern in _TOKENIZERS for path in directory.glob(pattern)]:
        raise ExportError(f"{directory} has no tokenizer; write it there with its save_pretrained.")
    return AutoTokenizer.from_pretrained(directory, **LOCAL)


def as_batch(processor: Any, item: Item, **settings: Any) -> Arrays:
    """A batch of the two texts of one item: given them alone, transformers takes an empty second one for none."""
    text, pair = texts_of(item)
    encoded = processor([text], [pair], return_tensors="np", **settings)
    return {name: np.asarray(array, np.int64) for name, array in encoded.items()}


def texts_of(item: Item) -> list[str]:
    """The texts of an item, in the order in which the model reads them."""
    return [part.decode() for part in parts_of(item)]


def label_names(config: Any) -> tuple[str, ...]:
    """The classes' names in their order, which a configuration makes up if nobody has said them.

    Raises:
        ExportError: some have been said, but not all.
    """
    names = config.id2label
    if unnamed := [index for index in range(len(names)) if index not in names]:
        raise ExportError(f"config.json has {len(names)} labels, but none for class {unnamed[0]}; complete id2label.")
    return tuple(str(names[index]) for index in range(len(names)))


def as_pillow(data: bytes) -> Any:
    """The image as transformers' pipelines get it: opened by Pillow, not yet converted."""
    return Image.open(io.BytesIO(data))


def as_converted(data: bytes) -> Any:
    """The image as transformers' pipelines hand it to the processor: in RGB, the right way up."""
    return transformers.image_utils.load_image(as_pillow(data))


def _fix_image_size(path: Path, height: int, width: int) -> None:
    """Writes the one size that images come in into the graph, so that engine and clients know it."""
    model = onnx.load(path)
    for name, size in (("num_channels", 3), ("height", height), ("width", width)):
        make_dim_param_fixed(model.graph, name, size)
    onnx.save(model, path)


def _has_processor(directory: Path) -> bool:
    return any((directory / name).is_file() for name in ("preprocessor_config.json", "tokenizer_config.json"))
