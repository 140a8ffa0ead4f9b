"""Networks that say what stands behind a mask: language models as they were pre-trained, or trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import transformers
from onnx import TensorProto, helper, numpy_helper

from tundish import manifest
from tundish.engines import Arrays
from tundish.results import FilledToken, FillMask
from tundish.tasks import Item
from tundish.tasks.fill_mask import MASK_POSITIONS
from tundish_exporters.errors import ExportError
from tundish_exporters.sources.huggingface.loading import Architecture
from tundish_exporters.sources.huggingface.source import Choices, TextSource, make_pipeline

_MORE = 2
"""Times as many tokens as a bundle lists are asked for, since those of nearly equal scores may change places."""


class MaskFiller(TextSource):
    """`fill-mask`."""

    architecture = Architecture("fill-mask", transformers.AutoModelForMaskedLM)
    postprocess: manifest.MaskPostprocess

    def __init__(self, directory: Path, choices: Choices) -> None:
        super().__init__(directory, choices)
        tokenizer = self._processor
        if tokenizer.mask_token_id is None:
            raise ExportError(f"The tokenizer of {directory} has no mask token, which fill-mask is about.")
        rule = manifest.MaskPostprocess(
            mask_token=tokenizer.mask_token,
            mask_id=tokenizer.mask_token_id,
            tidy_spaces=bool(tokenizer.clean_up_tokenization_spaces),
        )
        self.postprocess = rule if choices.top_k is None else rule.model_copy(update={"top_k": choices.top_k})
        self._pipeline: Any = make_pipeline(self.task, model=self._model, device="cpu", tokenizer=tokenizer)

    def write_onnx(self, path: Path) -> None:
        """See `Source.write_onnx`; by optimum, and then with logits at the masks alone."""
        super().write_onnx(path)
        read_at_masks(path)

    def processed(self, item: Item) -> Arrays:
        """See `Source.processed`."""
        inputs = super().processed(item)
        places = np.flatnonzero(inputs["input_ids"][0] == self.postprocess.mask_id)
        return {**inputs, MASK_POSITIONS: places[np.newaxis].astype(np.int64)}

    def network(self, inputs: Arrays) -> Arrays:
        """See `Source.network`."""
        places = inputs[MASK_POSITIONS].astype(np.int64)
        tokens = {name: array for name, array in inputs.items() if name != MASK_POSITIONS}
        logits = super().network(tokens)["logits"]
        return {"logits": np.take_along_axis(logits, places[:, :, np.newaxis], axis=1)}

    def predict(self, item: bytes) -> FillMask:
        """See `Source.predict`."""
        limits = {"truncation": True, "max_length": self.preprocess.maximum_tokens}
        top_k = min(_MORE * self.postprocess.top_k, self._model.config.vocab_size)
        answer = self._pipeline(item.decode(), top_k=top_k, tokenizer_kwargs=limits)
        masks = answer if isinstance(answer[0], list) else [answer]
        return FillMask(
            tuple(
                tuple(FilledToken(each["token_str"], each["score"], each["token"], each["sequence"]) for each in mask)
                for mask in masks
            )
        )


def read_at_masks(path: Path) -> None:
    """Gives a language model's graph the input `mask_positions` `[batch, masks]`, and logits of these tokens alone.

    They are gathered before the product with the vocabulary, which is a fifth of the work of BERT of base size.

    Raises:
        ExportError: the graph does not end in that multiplication.
    """
    model = onnx.load(path)
    graph = model.graph
    head = _vocabulary_product(graph)
    if head is None:
        raise ExportError(
            "The network does not end in a product with the vocabulary; it cannot be exported for fill-mask."
        )
    hidden = head.input[0]
    index = list(graph.node).index(head)
    axis = numpy_helper.from_array(np.array([2], np.int64), "mask_positions_axis")
    graph.initializer.append(axis)
    graph.node.insert(index, helper.make_node("Unsqueeze", [MASK_POSITIONS, axis.name], ["mask_indices"]))
    gather = helper.make_node("GatherND", [hidden, "mask_indices"], ["hidden_at_masks"], batch_dims=1)
    graph.node.insert(index + 1, gather)
    head.input[0] = "hidden_at_masks"
    (logits,) = graph.output
    batch, _, vocabulary = logits.type.tensor_type.shape.dim
    size = vocabulary.dim_value or vocabulary.dim_param
    graph.input.append(helper.make_tensor_value_info(MASK_POSITIONS, TensorProto.INT64, [batch.dim_param, "masks"]))
    graph.output[0].CopyFrom(
        helper.make_tensor_value_info(logits.name, TensorProto.FLOAT, [batch.dim_param, "masks", size])
    )
    del graph.value_info[:]  # of other shapes than they had
    onnx.save(model, path)


def _vocabulary_product(graph: onnx.GraphProto) -> onnx.NodeProto | None:
    """The product that makes the logits, but for a bias added to it."""
    makers = {output: node for node in graph.node for output in node.output}
    node = makers.get(graph.output[0].name)
    while node is not None and node.op_type in ("Add", "Identity", "Cast"):
        node = next((makers[name] for name in node.input if name in makers), None)
    return node if node is not None and node.op_type in ("MatMul", "Gemm") else None
