"""An `nn.Module` or a `torch.export` program with example inputs.

Exported by PyTorch, and answered for by PyTorch, Pillow and `tokenizers`.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from tokenizers import Tokenizer

from tundish import manifest
from tundish.engines import Arrays
from tundish.errors import reason_of
from tundish.results import FeatureExtraction, ImageClassification, Label, Result, TextClassification
from tundish.tasks.text_classification import classified_parts
from tundish_exporters.errors import ExportError
from tundish_exporters.sources import OPSET
from tundish_exporters.sources.frameworks import versions
from tundish_exporters.sources.onnx_file.graph import last_function
from tundish_exporters.sources.pillow_images import processed_image
from tundish_exporters.sources.pooling import pooled

_TASKS = ("image-classification", "text-classification", "feature-extraction")
_SCORES = {"softmax": lambda logits: logits.softmax(-1), "sigmoid": torch.sigmoid, "none": lambda logits: logits}


class ModuleSource:
    """See `Source`."""

    warnings: tuple[str, ...] = ()

    def __init__(
        self,
        module: torch.nn.Module | torch.export.ExportedProgram,
        example_inputs: Mapping[str, torch.Tensor],
        *,
        task: manifest.TaskName,
        preprocess: manifest.ImagePreprocess | manifest.TextPreprocess,
        postprocess: manifest.ClassificationPostprocess | manifest.PoolingPostprocess,
        tokenizer: Path | None = None,
    ) -> None:
        """Takes the module in evaluation mode.

        Args:
            module: returns one tensor: logits or scores `[batch, labels]`, or token vectors
                `[batch, tokens, dimensions]`.
            example_inputs: the module's arguments by name, with a batch of any size first; texts' second dimension is
                taken as the number of tokens, every other dimension as fixed.
            task: what the module was trained for.
            preprocess: how an image or a text becomes the inputs.
            postprocess: how the output becomes a result.
            tokenizer: for texts, a file in the `tokenizers` library's JSON form.

        Raises:
            ExportError: a text task has no tokenizer, an input has no batch dimension, a program takes one size of
                batch alone, or the task is one that only Hugging Face directories are exported for.
        """
        if task not in _TASKS:
            raise ExportError(f"A module cannot be exported for {task}; give a Hugging Face directory.")
        if isinstance(preprocess, manifest.TextPreprocess) and tokenizer is None:
            raise ExportError(f"The task {task} reads texts: pass the tokenizer's JSON file as tokenizer=.")
        if isinstance(preprocess, manifest.ImagePreprocess) and not preprocess.has_one_size:
            raise ExportError(
                "A module takes images of one size: pass a preprocess with a stretching resize or a crop."
            )
        for name, tensor in example_inputs.items():
            if tensor.ndim == 0:
                raise ExportError(f"Example input '{name}' is a scalar; every input needs a batch dimension.")
        self.task = task
        self.preprocess = preprocess
        self.postprocess = postprocess
        self._tokenizer_path = tokenizer
        self._examples = dict(example_inputs)
        self._module = module.eval() if isinstance(module, torch.nn.Module) else _module_of(module, self._examples)
        self._output = "logits" if isinstance(postprocess, manifest.ClassificationPostprocess) else "last_hidden_state"
        self._tokenizer = self._load_tokenizer()

    def describe(self) -> manifest.Source:
        """See `Source.describe`."""
        return manifest.Source(kind="module", files={}, frameworks=versions())

    def write_onnx(self, path: Path) -> None:
        """See `Source.write_onnx`; a softmax or sigmoid that the module ends in is the rule's own from here on."""
        reads_text = isinstance(self.preprocess, manifest.TextPreprocess)
        axes = {name: {0: "batch", 1: "tokens"} if reads_text else {0: "batch"} for name in self._examples}
        gives_tokens = isinstance(self.postprocess, manifest.PoolingPostprocess)
        axes[self._output] = {0: "batch", 1: "tokens"} if gives_tokens else {0: "batch"}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tracer and deprecation warnings; parity is measured afterwards
            try:
                torch.onnx.export(
                    self._module,
                    (),
                    path,
                    kwargs=self._examples,
                    input_names=list(self._examples),
                    output_names=[self._output],
                    dynamic_axes=axes,
                    opset_version=OPSET,
                    dynamo=False,  # exports every family tried, and does not tie equal dimensions together
                )
            except Exception as error:  # whatever the module's own code raises
                raise ExportError(f"PyTorch cannot export {type(self._module).__name__}: {reason_of(error)}") from error
        if isinstance(self.postprocess, manifest.ClassificationPostprocess):
            self.postprocess = self._with_own_function(
                self.postprocess, onnx.load(path, load_external_data=False).graph
            )

    def write_assets(self, directory: Path) -> list[str]:
        """See `Source.write_assets`."""
        if self._tokenizer is None or not isinstance(self.preprocess, manifest.TextPreprocess):
            return []
        self._tokenizer.save(str(directory / self.preprocess.tokenizer))
        return [self.preprocess.tokenizer]

    def processed(self, item: Any) -> Arrays:
        """See `Source.processed`."""
        if isinstance(self.preprocess, manifest.ImagePreprocess):
            return {next(iter(self._examples)): processed_image(self.preprocess, item)}
        assert self._tokenizer is not None
        # Not Encoding.truncate, which would cut off the special tokens at the end.
        self._tokenizer.enable_truncation(self.preprocess.maximum_tokens, direction=self.preprocess.truncation_side)
        encoding = self._tokenizer.encode(*(part.decode() for part in classified_parts(item)))
        self._tokenizer.no_truncation()
        made = {
            "input_ids": encoding.ids,
            "attention_mask": encoding.attention_mask,
            "token_type_ids": encoding.type_ids,
        }
        return {name: np.array([made[name]], np.int64) for name in self._examples}

    def network(self, inputs: Arrays) -> Arrays:
        """See `Source.network`."""
        with torch.inference_mode():
            output = self._module(**{name: torch.from_numpy(np.array(array)) for name, array in inputs.items()})
        if not isinstance(output, torch.Tensor):
            name = type(self._module).__name__
            raise ExportError(
                f"{name} returns a {type(output).__name__}; wrap it in a module that returns one tensor of it, as the "
                f"'{self._output}' of networks of transformers."
            )
        return {self._output: output.numpy()}

    def predict(self, item: Any) -> Result:
        """See `Source.predict`."""
        inputs = self.processed(item)
        output = torch.from_numpy(np.array(self.network(inputs)[self._output]))
        if isinstance(self.postprocess, manifest.PoolingPostprocess):
            mask = torch.ones(output.shape[:2])
            return FeatureExtraction(pooled(output, mask, self.postprocess).numpy())
        scores = output[0] if self.postprocess.in_network else _SCORES[self.postprocess.function](output[0])
        order = scores.argsort(descending=True, stable=True)
        labels = tuple(Label(self.postprocess.labels[index], float(scores[index])) for index in order.tolist())
        return ImageClassification(labels) if self.task == "image-classification" else TextClassification(labels)

    def _with_own_function(
        self, rule: manifest.ClassificationPostprocess, graph: onnx.GraphProto
    ) -> manifest.ClassificationPostprocess:
        """The rule, which does not apply what the module has applied."""
        found = last_function(graph, self._output)
        if found is None or rule.function == "none":
            return rule
        if found != rule.function:
            raise ExportError(
                f"{type(self._module).__name__} ends in a {found}, and the postprocess says {rule.function}; pass "
                f"function='{found}'."
            )
        return rule.model_copy(update={"in_network": True})

    def _load_tokenizer(self) -> Tokenizer | None:
        if self._tokenizer_path is None:
            return None
        try:
            tokenizer = Tokenizer.from_file(str(self._tokenizer_path))
        except Exception as error:  # the library raises plain Exception
            raise ExportError(f"{self._tokenizer_path} is not a tokenizer: {error}.") from error
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer


def _module_of(program: torch.export.ExportedProgram, examples: Mapping[str, torch.Tensor]) -> torch.nn.Module:
    """The program as a plain module, which its own is not: that refuses to be put into evaluation mode.

    Raises:
        ExportError: it does not take twice as large a batch as the examples are.
    """
    own = program.module()
    module = torch.fx.GraphModule(own, own.graph)
    try:
        with torch.inference_mode():
            module(**{name: torch.cat([tensor, tensor]) for name, tensor in examples.items()})
    except Exception as error:  # of its guards, which are plain assertions
        raise ExportError(
            f"The program does not take batches of another size than it was exported with: {reason_of(error)}. Export "
            "it with dynamic_shapes, in which the first dimension of each input is a torch.export.Dim."
        ) from error
    return module.eval()
