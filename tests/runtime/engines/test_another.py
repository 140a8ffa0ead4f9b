"""Engines for several threads: each answers for itself, whatever they share."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from support.bundles import make_bundle

from tundish.engines import Arrays, Engine, load_engine


@pytest.mark.parametrize("threads", [1, 2])
def test_engines_of_one_variant_run_at_once_and_do_not_mix_their_answers(tmp_path: Path, threads: int) -> None:
    bundle = make_bundle(tmp_path)
    first = load_engine(bundle, bundle.manifest.servable[0], threads=threads)
    engines = [first, first.another(), first.another().another()]
    rng = np.random.default_rng(0)
    batches: list[Arrays] = [{"pixel_values": rng.random((size, 3, 4, 4), np.float32)} for size in (1, 2, 3)]

    def answers(engine: Engine, batch: Arrays) -> list[np.ndarray]:
        return [engine.run(batch)["logits"] for _ in range(300)]

    with ThreadPoolExecutor(len(engines)) as pool:
        runs = list(pool.map(answers, engines, batches))
    for batch, logits in zip(batches, runs, strict=True):
        expected = 10 * batch["pixel_values"].mean(axis=(2, 3))
        for each in logits:
            np.testing.assert_allclose(each, expected, rtol=1e-5)


def test_instances_of_one_thread_hold_the_weights_once(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)
    engine = load_engine(bundle, bundle.manifest.servable[0], threads=1)
    assert engine.another() is engine
    several = load_engine(bundle, bundle.manifest.servable[0], threads=2)
    assert several.another() is not several
