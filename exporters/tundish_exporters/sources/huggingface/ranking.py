"""Networks that score a text for a query: cross-encoders, as sentence-transformers calls them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import torch
import transformers

from tundish import manifest
from tundish.results import TextRanking
from tundish.tasks import Item
from tundish_exporters.errors import ExportError
from tundish_exporters.sources.huggingface.loading import Architecture
from tundish_exporters.sources.huggingface.source import Choices, TextSource, as_batch

_FUNCTIONS: dict[str, Literal["sigmoid", "none"]] = {"Sigmoid": "sigmoid", "Identity": "none"}
"""By the last part of the name that sentence-transformers writes."""


class TextRanker(TextSource):
    """`text-ranking`."""

    architecture = Architecture(
        "text-ranking", transformers.AutoModelForSequenceClassification, exported_as="text-classification"
    )
    postprocess: manifest.ScorePostprocess

    def __init__(self, directory: Path, choices: Choices) -> None:
        super().__init__(directory, choices)
        count = self._model.config.num_labels
        if count != 1:
            raise ExportError(
                f"{directory} gives {count} labels, where a model for text-ranking gives one score; export it for "
                "text-classification with --pairs."
            )
        function = _read_function(self._base or directory, self._model.config)
        self.postprocess = manifest.ScorePostprocess(function=function)

    @classmethod
    def reads(cls, choices: Choices) -> tuple[manifest.TextInput, ...]:  # noqa: ARG003
        """See `TextSource.reads`."""
        return ("query", "text")

    def processed(self, item: Item) -> Any:
        """See `Source.processed`."""
        return as_batch(self._processor, item, truncation=True, max_length=self.preprocess.maximum_tokens)

    def predict(self, item: Item) -> TextRanking:
        """See `Source.predict`; transformers has no pipeline of the task."""
        logit = torch.from_numpy(self.network(self.processed(item))["logits"])[0, 0]
        return TextRanking(float(torch.sigmoid(logit) if self.postprocess.function == "sigmoid" else logit))


def _read_function(directory: Path, config: Any) -> Literal["sigmoid", "none"]:
    """What sentence-transformers would apply to the logit: what it wrote when it saved the model, else a sigmoid.

    Raises:
        ExportError: it is another function, or the file that says it cannot be read.
    """
    path = directory / "config_sentence_transformers.json"
    named = None
    if path.is_file():
        try:
            named = json.loads(path.read_text(encoding="utf-8")).get("activation_fn")
        except (ValueError, AttributeError) as error:
            raise ExportError(f"{path} cannot be read: {error}.") from error
    settings = getattr(config, "sentence_transformers", None) or {}
    named = named or settings.get("activation_fn") or getattr(config, "sbert_ce_default_activation_function", None)
    if named is None:
        return "sigmoid"
    function = _FUNCTIONS.get(str(named).rsplit(".", maxsplit=1)[-1])
    if function is None:
        raise ExportError(f"{directory} scores by {named}; tundish reproduces {' and '.join(_FUNCTIONS)}.")
    return function
