"""Engines for several threads: each answers for itself, whatever they share."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from numpy.typing import NDArray
from support.bundles import make_bundle
from support.engines import by_openvino

from tundish.bundle import Bundle
from tundish.engines import Arrays, Engine, load_engine
from tundish.manifest import EngineName


def load(bundle: Bundle, engine: EngineName, threads: int) -> Engine:
    (variant,) = bundle.manifest.variants
    return load_engine(bundle, variant if engine == "onnx" else by_openvino(variant), threads=threads)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", get_args(EngineName))
def test_engines_of_one_variant_run_at_once_and_do_not_mix_their_answers(
    tmp_path: Path, name: EngineName, threads: int
) -> None:
    first = load(make_bundle(tmp_path), name, threads)
    engines = [first, first.another(), first.another().another()]
    rng = np.random.default_rng(0)
    batches: list[Arrays] = [{"pixel_values": rng.random((size, 3, 4, 4), np.float32)} for size in (1, 2, 3)]

    def answers(engine: Engine, batch: Arrays) -> list[NDArray[Any]]:
        return [engine.run(batch)["logits"] for _ in range(300)]

    with ThreadPoolExecutor(len(engines)) as pool:
        runs = list(pool.map(answers, engines, batches))
    for batch, logits in zip(batches, runs, strict=True):
        expected = 10 * batch["pixel_values"].mean(axis=(2, 3))
        for each in logits:
            np.testing.assert_allclose(each, expected, rtol=1e-5)


def test_instances_of_one_thread_hold_a_session_once(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)
    engine, several = (load(bundle, "onnx", threads) for threads in (1, 2))
    assert engine.another() is engine
    assert several.another() is not several
