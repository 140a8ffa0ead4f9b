"""Networks that label the tokens of a text."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import transformers

from tundish import manifest
from tundish.results import Entity, TokenClassification
from tundish_exporters.sources.huggingface.loading import Architecture
from tundish_exporters.sources.huggingface.source import Choices, TextSource, label_names, make_pipeline


class EntityTagger(TextSource):
    """`token-classification`."""

    architecture = Architecture("token-classification", transformers.AutoModelForTokenClassification)

    def __init__(self, directory: Path, choices: Choices) -> None:
        super().__init__(directory, choices)
        self.postprocess = manifest.EntityPostprocess(
            labels=label_names(self._model.config),
            aggregation=choices.aggregation,
            unknown_id=self._processor.unk_token_id,
        )
        # This pipeline takes no max_length, it truncates to what its tokenizer says.
        self._processor.model_max_length = self.preprocess.maximum_tokens
        self._pipeline: Any = make_pipeline(
            self.task,
            model=self._model,
            device="cpu",
            tokenizer=self._processor,
            aggregation_strategy=choices.aggregation,
        )

    def predict(self, item: bytes) -> TokenClassification:
        """See `Source.predict`."""
        text = item.decode()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a tokenizer marks no words, of each token
            answer = self._pipeline(text)
        return TokenClassification(tuple(_entity(entry, text) for entry in answer))


def _entity(entry: dict[str, Any], text: str) -> Entity:
    """What the pipeline answers; it names the label by whether tokens were joined."""
    label = entry["entity_group"] if "entity_group" in entry else entry["entity"]
    start, end = entry["start"], entry["end"]
    return Entity(label, float(entry["score"]), start, end, text[start:end])
