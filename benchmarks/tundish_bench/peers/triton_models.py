"""A bundle as a model of Triton's Python backend: its source, its configuration, and what the manifest says as JSON."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tundish.bundle import Bundle
from tundish.manifest import ClassificationPostprocess, TextPreprocess
from tundish_bench.errors import BenchmarkError
from tundish_bench.peers.settings import image_settings, label_settings

_STANDALONE = Path(__file__).with_name("standalone")
_CONFIG = """\
name: "{name}"
backend: "python"
max_batch_size: {max_batch_size}
input [ {{ name: "{input}" data_type: TYPE_STRING dims: [ 1 ] }} ]
output [
  {{ name: "label" data_type: TYPE_STRING dims: [ {top_k} ] }},
  {{ name: "score" data_type: TYPE_FP32 dims: [ {top_k} ] }}
]
instance_group [ {{ count: {instances} kind: KIND_CPU }} ]
"""
_DYNAMIC_BATCHING = "dynamic_batching { }\n"

_IMAGES_BATCHED = 4
"""With up to 4 it cost Triton the least CPU an image on two cores, of no batching and batches up to 2, 4 and 8."""
_TEXTS_BATCHED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class TritonModel:
    """What a repository of Triton holds of one model."""

    name: str
    sources: tuple[str, ...]
    """The model's file in `standalone`, and what it imports."""
    config: str
    settings: dict[str, Any]

    def write(self, repository: Path) -> None:
        """Writes the model's version 1."""
        folder = repository / self.name / "1"
        folder.mkdir(parents=True)
        for source, target in zip(self.sources, ("model.py", *self.sources[1:]), strict=True):
            shutil.copyfile(_STANDALONE / source, folder / target)
        (folder / "settings.json").write_text(json.dumps(self.settings), encoding="utf-8")
        (folder.parent / "config.pbtxt").write_text(self.config, encoding="utf-8")


def image_model(bundle: Bundle, *, tuned: bool, instances: int) -> TritonModel:
    """An image classifier; `tuned` batches requests and spares work, else it is written as one does at first.

    Raises:
        BenchmarkError: the bundle asks for what the peer's model does not do.
    """
    settings = {**image_settings(bundle), "tuned": tuned}
    return TritonModel(
        name=bundle.manifest.model,
        sources=("triton_image_model.py", "image_classifier.py"),
        config=_config(bundle, "image", settings, max_batch_size=_IMAGES_BATCHED, instances=instances, dynamic=tuned),
        settings=settings,
    )


def text_model(bundle: Bundle, *, batched: bool, instances: int) -> TritonModel:
    """A text classifier; `batched` runs up to 8 texts together, padded to the longest, else one at a time.

    Raises:
        BenchmarkError: the bundle asks for what the peer's model does not do.
    """
    rule, labelling = bundle.manifest.preprocess, bundle.manifest.postprocess
    if (
        not isinstance(rule, TextPreprocess)
        or (rule.truncation_side, rule.padding_side) != ("right", "right")
        or not isinstance(labelling, ClassificationPostprocess)
    ):
        raise BenchmarkError(f"{bundle.directory} is not prepared as the peer's model prepares texts; export it anew.")
    settings = {
        **label_settings(bundle, labelling),
        "inputs": [spec.name for spec in bundle.manifest.inputs],
        "tokenizer": str(bundle.path(rule.tokenizer).resolve()),
        "maximum_tokens": rule.maximum_tokens,
        "padding_id": rule.padding_id,
        "padding_type_id": rule.padding_type_id,
    }
    most = _TEXTS_BATCHED if batched else 1
    return TritonModel(
        name=bundle.manifest.model,
        sources=("triton_text_model.py",),
        config=_config(bundle, "text", settings, max_batch_size=most, instances=instances, dynamic=batched),
        settings=settings,
    )


def _config(
    bundle: Bundle, input_name: str, settings: dict[str, Any], *, max_batch_size: int, instances: int, dynamic: bool
) -> str:
    config = _CONFIG.format(
        name=bundle.manifest.model,
        input=input_name,
        max_batch_size=max_batch_size,
        top_k=settings["top_k"],
        instances=instances,
    )
    return config + _DYNAMIC_BATCHING * dynamic
