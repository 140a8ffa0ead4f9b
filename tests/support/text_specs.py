"""What the tasks that read text need to know of a model, without a model."""

from __future__ import annotations

from typing import Any

from tundish.manifest import ModelSpec, PoolingPostprocess, TensorSpec, TextPreprocess

TEXT_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def text_spec(rule: TextPreprocess, inputs: tuple[str, ...] = TEXT_INPUTS, **pooling: Any) -> ModelSpec:
    """Of a network with BERT's inputs, and `[batch, tokens, 8]` token vectors for its output."""
    return ModelSpec(
        task="feature-extraction",
        inputs=tuple(TensorSpec(name=name, datatype="INT64", shape=("batch", "tokens")) for name in inputs),
        outputs=(TensorSpec(name="last_hidden_state", datatype="FP32", shape=("batch", "tokens", 8)),),
        preprocess=rule,
        postprocess=PoolingPostprocess(**{"pooling": "mean", "normalize": True, **pooling}),
    )
