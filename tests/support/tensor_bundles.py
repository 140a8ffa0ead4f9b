"""Bundles of models that are engines alone: two made by hand, and silero-vad as its package has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from tundish.bundle import Bundle, describe_file, publish_bundle, staged_bundle
from tundish.engines.onnx import OnnxEngine
from tundish.manifest import TENSORS, Gate, Latency, Manifest, Serving, Source, StateTensor, Variant
from tundish_exporters.demo.assets import Asset, fetch

SILERO_VAD = Asset(
    package="silero-vad",
    version="6.2.3",
    sha256="7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8",
    members=("silero_vad/data/silero_vad.onnx",),
)
"""A voice activity detector (MIT): the probability of speech in each 32 ms of audio."""

SAMPLES = {16_000: (64, 512), 8_000: (32, 256)}
"""What silero-vad takes at each sampling rate: so many samples of the chunk before, then so many new ones."""


def silero_network(cache: Path) -> Path:
    """Its ONNX file; fetched into the cache if it is not there."""
    return fetch(SILERO_VAD, cache) / "silero_vad" / "data" / "silero_vad.onnx"


def make_silero_bundle(repository: Path, network: Path, **serving: Any) -> Bundle:
    """Publishes `vad`: `input` `[batch, samples]` and `sr` in, `output` `[batch, 1]` out; batches of up to eight."""
    state = StateTensor(input="state", output="stateN", batch_axis=1)
    return _publish(repository, "vad", network.read_bytes(), state, **{"max_batch_size": 8, **serving})


def make_adder_bundle(repository: Path, name: str = "adder", **serving: Any) -> Bundle:
    """Publishes a model that answers `value` `[batch, 1]` with the `sum` of what its sequence has brought so far."""
    row: list[str | int | None] = ["batch", 1]
    tensors = {key: helper.make_tensor_value_info(key, TensorProto.FLOAT, row) for key in ("value", "before")}
    results = {key: helper.make_tensor_value_info(key, TensorProto.FLOAT, row) for key in ("sum", "after")}
    nodes = [
        helper.make_node("Add", ["before", "value"], ["after"]),
        helper.make_node("Identity", ["after"], ["sum"]),
    ]
    graph = helper.make_graph(nodes, "adder", list(tensors.values()), list(results.values()))
    state = StateTensor(input="before", output="after")
    return _publish(repository, name, _model(graph), state, **{"max_batch_size": 4, **serving})


def make_scaler_bundle(repository: Path) -> Bundle:
    """Publishes `scaler`, without a state: `value` `[batch, 1]` times `factor`, one for the whole batch."""
    row: list[str | int | None] = ["batch", 1]
    value = helper.make_tensor_value_info("value", TensorProto.FLOAT, row)
    factor = helper.make_tensor_value_info("factor", TensorProto.FLOAT, [])
    product = helper.make_tensor_value_info("product", TensorProto.FLOAT, row)
    node = helper.make_node("Mul", ["value", "factor"], ["product"])
    return _publish(
        repository, "scaler", _model(helper.make_graph([node], "scaler", [value, factor], [product])), max_batch_size=8
    )


def speech(seed: int, seconds: float, rate: int) -> NDArray[np.float32]:
    """Something like speech: a voice of a wandering pitch with three formants, in syllables and pauses, and noise."""
    draw = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate)) / rate
    pitch = draw.uniform(90, 220) * (1 + 0.1 * np.sin(2 * np.pi * draw.uniform(1, 4) * time))
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    voice = np.zeros(len(time))
    for harmonic in range(1, 40):
        frequency = harmonic * pitch
        loudness = np.zeros(len(time))
        for center, width, height, speed in ((600, 150, 1.0, 2.1), (1300, 200, 0.6, 3.3), (2600, 300, 0.3, 2.7)):
            moving = center * (1 + 0.2 * np.sin(2 * np.pi * speed * time + center))
            loudness += height * np.exp(-(((frequency - moving) / width) ** 2))
        voice += loudness * np.sin(harmonic * phase) * (frequency < rate / 2)
    syllables = np.clip(np.sin(2 * np.pi * 4 * time + draw.uniform(0, 6)), 0, 1)
    pauses = np.sin(2 * np.pi * 0.5 * time + draw.uniform(0, 6)) > -0.3
    voice *= syllables * pauses
    noisy: NDArray[np.float64] = 0.3 * voice / np.abs(voice).max() + draw.normal(0, 0.002, len(time))
    return noisy.astype(np.float32)


def chunks(audio: NDArray[np.float32], rate: int) -> list[NDArray[np.float32]]:
    """What silero-vad is asked with, `[1, samples]` each: the end of the chunk before, which it needs, and a chunk."""
    before, new = SAMPLES[rate]
    padded = np.concatenate([np.zeros(before, np.float32), audio])
    return [padded[np.newaxis, start : start + before + new] for start in range(0, len(audio) - new + 1, new)]


def _model(graph: onnx.GraphProto) -> bytes:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    content: bytes = model.SerializeToString()
    return content


def _publish(repository: Path, name: str, network: bytes, *state: StateTensor, **serving: Any) -> Bundle:
    with staged_bundle(repository, name) as staging:
        (staging / "model.onnx").write_bytes(network)
        engine = OnnxEngine(staging / "model.onnx", threads=1)
        manifest = Manifest(
            model=name,
            version=1,
            task=TENSORS,
            source=Source(kind="module", files={}, frameworks={}),
            inputs=engine.inputs,
            outputs=engine.outputs,
            state=state,
            assets=(),
            variants=(
                Variant(
                    name="onnx-fp32-cpu",
                    engine="onnx",
                    precision="fp32",
                    device="cpu",
                    recipe="as it was",
                    files=(describe_file(staging, "model.onnx"),),
                    accuracy=None,
                    latency=Latency(median_milliseconds=0.1, p90_milliseconds=0.1, batch_size=1, runs=1),
                    gate=Gate(passed=True, max_drop=0.0, reason="The network is its own source."),
                ),
            ),
            serving=Serving(**serving),
        )
        return publish_bundle(staging, manifest)
