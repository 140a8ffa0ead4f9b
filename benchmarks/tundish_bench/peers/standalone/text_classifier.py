"""A text classifier by `tokenizers` and ONNX Runtime, for the peers' servers: texts to labels, one thread.

`settings` is what the bundle's manifest says. What is answered together is one run of the engine, padded to the
longest.
"""

# mypy: ignore-errors
# Its imports exist in the peers' environments only: what they look like in ours, if they are there, is not what runs.

from __future__ import annotations

import numpy as np
from networks import Labels, one_thread_session
from tokenizers import Tokenizer


class TextClassifier:
    """One model, loaded; for one thread at a time."""

    def __init__(self, settings):
        self.tokenizer = Tokenizer.from_file(settings["tokenizer"])
        self.tokenizer.enable_truncation(settings["maximum_tokens"])
        self.tokenizer.enable_padding(pad_id=settings["padding_id"], pad_type_id=settings["padding_type_id"])
        self.labels = Labels(settings)
        self.inputs, self.output = settings["inputs"], settings["output"]
        self.session = one_thread_session(settings)

    def run(self, texts):
        """The labels of the UTF-8 texts by falling score, and the scores: `[texts, top_k]` objects and float32."""
        encodings = self.tokenizer.encode_batch([text.decode() for text in texts])
        arrays = {
            "input_ids": [encoding.ids for encoding in encodings],
            "attention_mask": [encoding.attention_mask for encoding in encodings],
            "token_type_ids": [encoding.type_ids for encoding in encodings],
        }
        feed = {name: np.array(arrays[name], np.int64) for name in self.inputs}
        return self.labels.best(self.session.run([self.output], feed)[0])
