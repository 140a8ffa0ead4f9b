"""A peer's model as one of Triton's Python backend: its sources, its configuration and its settings."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tundish_bench.peers.settings import PeerModel

_STANDALONE = Path(__file__).with_name("standalone")
_MODEL = "triton_model.py"
_LABELS = """\
input [ {{ name: "{input}" data_type: TYPE_STRING dims: [ 1 ] }} ]
output [
  {{ name: "label" data_type: TYPE_STRING dims: [ {top_k} ] }},
  {{ name: "score" data_type: TYPE_FP32 dims: [ {top_k} ] }}
]
"""
_TENSORS = """\
input [ {{ name: "{input}" data_type: TYPE_FP32 dims: {shape} }} ]
output [ {{ name: "{output}" data_type: TYPE_FP32 dims: {output_shape} }} ]
"""


def write_triton_model(model: PeerModel, repository: Path, *, max_batch_size: int, instances: int) -> None:
    """Writes the model's version 1; with a `max_batch_size` above 1, Triton batches what waits, without waiting."""
    folder = repository / model.name / "1"
    folder.mkdir(parents=True)
    for source in _STANDALONE.glob("*.py"):
        shutil.copyfile(source, folder / ("model.py" if source.name == _MODEL else source.name))
    (folder / "settings.json").write_text(json.dumps(model.settings), encoding="utf-8")
    config = _config(model, max_batch_size=max_batch_size, instances=instances)
    (folder.parent / "config.pbtxt").write_text(config, encoding="utf-8")


def _config(model: PeerModel, *, max_batch_size: int, instances: int) -> str:
    settings = model.settings
    if model.reads == "tensor":
        tensors = _TENSORS.format(
            input=settings["input_tensor"],
            output=settings["output_tensors"][0],
            shape=list(settings["shape"]),
            output_shape=list(settings["output_shape"]),
        )
    else:
        tensors = _LABELS.format(input=settings["input_tensor"], top_k=settings["top_k"])
    return (
        f'name: "{model.name}"\nbackend: "python"\nmax_batch_size: {max_batch_size}\n{tensors}'
        f"instance_group [ {{ count: {instances} kind: KIND_CPU }} ]\n"
        + "dynamic_batching { }\n"
        * (max_batch_size > 1)
    )
