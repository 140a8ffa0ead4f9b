"""An ONNX file of a network that reads texts, with its tokenizer: it labels texts or tokens, or makes vectors.

The oracle is the user's file as it is, and the tokenizer by Hugging Face's `tokenizers`. What becomes of the network's
outputs is the runtime's own, for which such a file brings no other: its tests hold it against transformers.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray

from tundish import manifest
from tundish.engines import Arrays
from tundish.engines.onnx import OnnxEngine
from tundish.errors import EngineError, reason_of
from tundish.pipeline import Answer, Pipeline, run_batch
from tundish.placement.machine import usable_cores
from tundish.results import Result
from tundish.tasks import Item, Task, parts_of
from tundish.tasks.registry import load_task
from tundish.tasks.text_classification import classified_parts
from tundish_exporters.errors import ExportError
from tundish_exporters.onnx_hints import OnnxHints
from tundish_exporters.sources.frameworks import versions
from tundish_exporters.sources.onnx_file.graph import last_function, modern
from tundish_exporters.sources.onnx_file.labels import read_labels
from tundish_exporters.sources.onnx_file.reading import read_onnx
from tundish_exporters.sources.onnx_file.saved_tokenizer import FILES, load_saved_tokenizer, read_object
from tundish_exporters.sources.pooling import read_pooling
from tundish_exporters.sources.tokenizers import read_tokenizer, write_tokenizer

TextTask = Literal["text-classification", "token-classification", "feature-extraction"]

_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
_PROBES = ("The tundish stands between the ladle and the moulds.", "Yes.")
_DIMENSIONS: dict[TextTask, int] = {"text-classification": 2, "token-classification": 3, "feature-extraction": 3}
"""Of the output: `[batch, labels]`, `[batch, tokens, labels]`, `[batch, tokens, dimensions]`."""
_FUNCTIONS: dict[str | None, Literal["softmax", "sigmoid", "none"]] = {
    "multi_label_classification": "sigmoid",
    "regression": "none",
}
"""Of transformers' `problem_type`."""


class TextFileSource:
    """See `Source`."""

    def __init__(self, path: Path, task: TextTask, hints: OnnxHints) -> None:
        """Reads the file and the tokenizer, and asks the network what it makes of two texts.

        Raises:
            ExportError: see `read_onnx` and `load_saved_tokenizer`; or the network takes or gives something else, or
                hints are missing or wrong.
        """
        _check_hints(path, task, hints)
        self.task: manifest.TaskName = task
        self._hints = hints
        self._directory = Path(hints.texts.tokenizer or "")
        self._file = read_onnx(path)
        self._tokenizer = load_saved_tokenizer(self._directory)
        config_path = self._directory / "config.json"
        self._config = read_object(config_path) if config_path.is_file() else {}
        self.preprocess = self._read_tokenizer()
        self._network = self._load()
        self._answer = self._ask_probes()
        labels = () if task == "feature-extraction" else self._labels()
        self._output = self._find_output(_DIMENSIONS[task], len(labels) or None)
        self.postprocess = self._rule(labels)
        self._task = self._own_task()

    @property
    def warnings(self) -> tuple[str, ...]:
        """See `Source.warnings`."""
        others = [name for name in self._answer if name != self._output]
        taken = f"The network's output '{self._output}' is taken, and not {', '.join(others)}."
        return (taken,) if others else ()

    def describe(self) -> manifest.Source:
        """See `Source.describe`; the file is hashed, and those of its weights, tokenizer and labels."""
        read = [self._directory / name for name in (*FILES, "config.json")]
        files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in read if path.is_file()}
        if file := self._hints.labels_file:
            files[file.name] = hashlib.sha256(file.read_bytes()).hexdigest()
        return manifest.Source(kind="onnx", files={**files, **self._file.hashes}, frameworks=versions())

    def write_onnx(self, path: Path) -> None:
        """See `Source.write_onnx`; with the one output that is read."""
        model = modern(self._file.model)
        (kept,) = [output for output in model.graph.output if output.name == self._output]
        del model.graph.output[:]
        model.graph.output.append(kept)
        onnx.save(model, path)

    def write_assets(self, directory: Path) -> list[str]:
        """See `Source.write_assets`."""
        write_tokenizer(self._tokenizer, directory / self.preprocess.tokenizer)
        return [self.preprocess.tokenizer]

    def processed(self, item: Item) -> Arrays:
        """See `Source.processed`."""
        library = self._tokenizer.backend_tokenizer
        library.no_padding()
        library.enable_truncation(self.preprocess.maximum_tokens, direction=self.preprocess.truncation_side)
        reads = classified_parts(item) if self.task == "text-classification" else parts_of(item)
        encoding: Any = library.encode(*(part.decode() for part in reads))
        made = {
            "input_ids": encoding.ids,
            "attention_mask": encoding.attention_mask,
            "token_type_ids": encoding.type_ids,
        }
        return {spec.name: np.array([made[spec.name]], np.int64) for spec in self._network.inputs}

    def network(self, inputs: Arrays) -> Arrays:
        """See `Source.network`."""
        return {self._output: self._network.run(inputs)[self._output]}

    def predict(self, item: Item) -> Result:
        """See `Source.predict`."""
        (outcome,) = run_batch(Pipeline(self._task, self._network), [item])
        if not isinstance(outcome, Answer):
            raise outcome
        return outcome.output

    def _read_tokenizer(self) -> manifest.TextPreprocess:
        reads: tuple[manifest.TextInput, ...] = ("text", "text_pair") if self._hints.texts.pairs else ("text",)
        sizes = {name: self._config.get(name) for name in ("max_position_embeddings", "pad_token_id", "model_type")}
        return read_tokenizer(self._tokenizer, SimpleNamespace(**sizes), self._directory, reads)

    def _load(self) -> OnnxEngine:
        path = self._file.path
        try:
            engine = OnnxEngine(path, threads=usable_cores())
        except EngineError as error:
            raise ExportError(str(error)) from error
        for spec in engine.inputs:
            if spec.name not in _INPUTS or spec.datatype != "INT64" or len(spec.shape) != 2:
                raise ExportError(
                    f"{path} takes '{spec.name}' as {spec.datatype} {list(spec.shape)}; tundish gives "
                    f"{', '.join(_INPUTS)} as INT64 [batch, tokens]."
                )
            if any(isinstance(extent, int) for extent in spec.shape):
                raise ExportError(
                    f"{path} takes '{spec.name}' of the shape {list(spec.shape)} alone; export it with a batch and a "
                    "number of tokens of any size."
                )
        return engine

    def _ask_probes(self) -> dict[str, NDArray[np.generic]]:
        """All outputs, for two texts of different lengths in a batch."""
        rows = [self.processed((text.encode(),) * len(self.preprocess.reads)) for text in _PROBES]
        width = max(row["input_ids"].shape[1] for row in rows)
        fill = {"input_ids": self.preprocess.padding_id, "token_type_ids": self.preprocess.padding_type_id}
        batch = {
            name: np.concatenate(
                [
                    np.pad(row[name], ((0, 0), (0, width - row[name].shape[1])), constant_values=fill.get(name, 0))
                    for row in rows
                ]
            )
            for name in rows[0]
        }
        try:
            return self._network.run(batch)
        except EngineError as error:
            raise ExportError(f"{self._file.path} fails on two texts in a batch: {reason_of(error)}") from error

    def _labels(self) -> tuple[str, ...]:
        names = self._config.get("id2label")
        if self._hints.labels is None and isinstance(names, dict) and names:
            return read_labels(OnnxHints(labels=_in_order(names)), self._file.path, self._file.model)
        return read_labels(self._hints, self._file.path, self._file.model)

    def _find_output(self, dimensions: int, labels: int | None) -> str:
        """The first that has a row for each text, in the form that the task has."""
        for name, array in self._answer.items():
            fits = array.dtype == np.float32 and array.ndim == dimensions and len(array) == len(_PROBES)
            if fits and labels in (None, array.shape[-1]):
                return name
        given = "; ".join(f"{name} {array.dtype} {list(array.shape)}" for name, array in self._answer.items())
        wanted = ["batch", *["tokens"] * (dimensions - 2), "dimensions" if labels is None else str(labels)]
        raise ExportError(
            f"{self._file.path} gives {given} for {len(_PROBES)} texts, where {self.task} needs float32 "
            f"[{', '.join(wanted)}]{'' if labels is None else f' for the {labels} labels that are named'}."
        )

    def _rule(self, labels: tuple[str, ...]) -> manifest.Postprocess:
        match self.task:
            case "text-classification":
                return manifest.ClassificationPostprocess(labels=labels, **self._function(len(labels)))
            case "token-classification":
                return manifest.EntityPostprocess(
                    labels=labels,
                    aggregation=self._hints.texts.aggregation or "simple",
                    unknown_id=self._tokenizer.unk_token_id,
                )
            case _:
                return read_pooling(self._directory, self._tokenizer)

    def _function(self, labels: int) -> dict[str, Any]:
        """What makes scores of the outputs, and whether the network has done it already."""
        found = last_function(self._file.model.graph, self._output)
        said = self._hints.activation
        if found is not None and said in ("softmax", "sigmoid"):
            raise ExportError(f"{self._file.path} ends in a {found} already; leave --activation {said} out.")
        if said in ("softmax", "sigmoid"):
            return {"function": said, "in_network": False}
        configured = _FUNCTIONS.get(self._config.get("problem_type"), "softmax" if labels > 1 else "sigmoid")
        return {"function": found or configured, "in_network": found is not None or said == "none"}

    def _own_task(self) -> Task[Any, Any]:
        """The runtime's, on the user's file."""
        outputs = [spec for spec in self._network.outputs if spec.name == self._output]
        spec = manifest.ModelSpec(
            task=self.task,
            inputs=self._network.inputs,
            outputs=tuple(outputs),
            preprocess=self.preprocess,
            postprocess=self.postprocess,
        )
        return load_task(spec, self._directory)


def _check_hints(path: Path, task: TextTask, hints: OnnxHints) -> None:
    if hints.texts.tokenizer is None:
        raise ExportError(
            f"{path} reads texts: pass --tokenizer, a directory with tokenizer.json and its configuration."
        )
    wrong = list(hints.said_of_images)
    if hints.texts.aggregation is not None and task != "token-classification":
        wrong.append("aggregation")
    if hints.texts.pairs and task != "text-classification":
        wrong.append("pairs")
    if hints.activation is not None and task != "text-classification":
        wrong.append("activation")
    if hints.labels is not None and task == "feature-extraction":
        wrong.append("labels")
    if wrong:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in wrong)
        raise ExportError(f"{path} is read as a model for {task}, to which no {flags} belong; leave them out.")


def _in_order(names: dict[str, Any]) -> list[str]:
    """What a configuration calls its labels, by their numbers."""
    return [str(names.get(str(index))) for index in range(len(names))]
