"""A text classifier for Triton's Python backend: texts in, labels with scores out, by `tokenizers` and ONNX Runtime.

Triton runs a copy of this file in the peer's own environment, which has no tundish; `settings.json` beside the copy
says what the bundle's manifest says. Requests that Triton hands over together, by dynamic batching, are one run of the
engine, padded to the longest.
"""

# mypy: ignore-errors
# Its imports exist in the peer's environment only: what they look like in ours, if they are there, is not what runs.

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import triton_python_backend_utils as pb_utils
from tokenizers import Tokenizer


class TritonPythonModel:
    """One instance, in a process of its own; Triton calls it by these methods."""

    def initialize(self, args):
        """Loads the model."""
        folder = Path(args["model_repository"]) / args["model_version"]
        settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
        self.tokenizer = Tokenizer.from_file(settings["tokenizer"])
        self.tokenizer.enable_truncation(settings["maximum_tokens"])
        self.tokenizer.enable_padding(pad_id=settings["padding_id"], pad_type_id=settings["padding_type_id"])
        self.labels = np.array([label.encode() for label in settings["labels"]], dtype=np.object_)
        self.top_k = settings["top_k"]
        self.inputs, self.output = settings["inputs"], settings["output"]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(settings["model"], options, providers=["CPUExecutionProvider"])

    def execute(self, requests):
        """Answers the requests that Triton hands over together by one run of the engine."""
        parts = [pb_utils.get_input_tensor_by_name(request, "text").as_numpy().ravel() for request in requests]
        encodings = self.tokenizer.encode_batch([text.decode() for part in parts for text in part])
        arrays = {
            "input_ids": [encoding.ids for encoding in encodings],
            "attention_mask": [encoding.attention_mask for encoding in encodings],
            "token_type_ids": [encoding.type_ids for encoding in encodings],
        }
        feed = {name: np.array(arrays[name], np.int64) for name in self.inputs}
        logits = self.session.run([self.output], feed)[0]
        exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
        scores = exponents / exponents.sum(axis=1, keepdims=True)
        best = np.argsort(-scores, axis=1)[:, : self.top_k]
        labels, scores = self.labels[best], np.take_along_axis(scores, best, axis=1)
        ends = np.cumsum([len(part) for part in parts])[:-1]
        return [
            pb_utils.InferenceResponse([pb_utils.Tensor("label", rows), pb_utils.Tensor("score", row_scores)])
            for rows, row_scores in zip(np.split(labels, ends), np.split(scores, ends), strict=True)
        ]
