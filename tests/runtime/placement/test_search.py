"""Successive halving, the choice and the Pareto front, on measurements that a test makes up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.bundles import make_bundle
from support.engines import by_openvino, republish

from tundish.errors import EngineError
from tundish.placement.figures import NOISE, Figures, Measured, Measurement, best, pareto_front
from tundish.placement.placement import Placement
from tundish.placement.search import all_placements, core_placements, successive_halving


def placement(number: int) -> Placement:
    return Placement(variant=f"v{number}", instances=1, threads=1, max_batch_size=1)


def measured(number: int, items_per_second: float, p99: float) -> Measured:
    figures = Figures(
        items_per_second=items_per_second,
        p50_milliseconds=p99 / 2,
        p99_milliseconds=p99,
        cpu_milliseconds_per_item=1.0,
        measured_seconds=1.0,
    )
    return Measured(placement(number), figures)


class Bench:
    """Gives each placement the throughput it is said to have, with every latency the same; notes what it is asked."""

    def __init__(self, truth: Mapping[Placement, tuple[float, float]]) -> None:
        self.truth = truth
        """Items a second, and milliseconds."""
        self.asked: list[tuple[Placement, float]] = []

    def __call__(self, candidate: Placement, seconds: float) -> Measurement:
        self.asked.append((candidate, seconds))
        rate, milliseconds = self.truth[candidate]
        return Measurement(100 / rate, 0.5 * 100 / rate, [milliseconds * 1e-3] * 100, 100)


def test_each_round_is_the_better_half_for_twice_as_long() -> None:
    candidates = [placement(number) for number in range(8)]
    bench = Bench({candidate: (10.0 + number, 5.0) for number, candidate in enumerate(candidates)})
    finalists, everything = successive_halving(candidates, bench, seconds=24.0)
    rounds = [candidates, [candidates[7], candidates[6], candidates[5], candidates[4]], [candidates[7], candidates[6]]]
    assert [asked for asked, _ in bench.asked] == [
        one for members in rounds for one in [*members, *reversed(members)]
    ], "forwards and backwards, so that drift hits all alike"
    assert [seconds for _, seconds in bench.asked] == [0.5] * 16 + [1.0] * 8 + [2.0] * 4
    assert [one.placement for one in finalists] == [candidates[7], candidates[6]]
    assert {one.placement for one in everything} == set(candidates)


@given(st.permutations(range(1, 14)), st.integers(1, 13))
def test_without_noise_the_fastest_of_any_number_wins(rates: Sequence[int], count: int) -> None:
    candidates = [placement(number) for number in range(count)]
    truth = {candidate: (100.0 * rates[number], 5.0) for number, candidate in enumerate(candidates)}
    bench = Bench(truth)
    finalists, _ = successive_halving(candidates, bench, seconds=7.0)
    assert best(finalists, None).placement == max(candidates, key=lambda one: truth[one][0])
    assert sum(seconds for _, seconds in bench.asked) == pytest.approx(7.0)


def test_an_objective_decides_who_stays() -> None:
    candidates = [placement(number) for number in range(8)]
    # The faster, the later: only the first two keep 20 ms.
    bench = Bench({candidate: (10.0 + number, 10.0 * (number + 1)) for number, candidate in enumerate(candidates)})
    finalists, _ = successive_halving(candidates, bench, seconds=1.0, slo_milliseconds=20.0)
    assert {one.placement for one in finalists} == set(candidates[:2])
    assert best(finalists, 20.0).placement == candidates[1]


def test_the_first_load_takes_the_fastest_variant_of_each_engine(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "onnx")
    (variant,) = bundle.manifest.variants
    slow = variant.model_copy(update={"name": "slow", "latency": by_openvino(variant, milliseconds=0.18).latency})
    variants = (slow, by_openvino(variant, milliseconds=0.15), variant, by_openvino(slow, precision="int8"))
    manifest = republish(bundle, tmp_path / "both", *variants).manifest
    assert [(one.variant, one.instances, one.threads) for one in core_placements(manifest, 2)] == [
        ("onnx-fp32-cpu", 2, 1), ("onnx-fp32-cpu", 1, 2), ("openvino-fp32-cpu", 2, 1), ("openvino-fp32-cpu", 1, 2),
    ]  # fmt: skip


@pytest.mark.parametrize(("factor", "engines"), [(1.9, {"onnx", "openvino"}), (2.1, {"onnx"})])
def test_the_first_load_leaves_out_an_engine_that_was_far_behind(
    factor: float, engines: set[str], tmp_path: Path
) -> None:
    bundle = make_bundle(tmp_path / "onnx")
    (variant,) = bundle.manifest.variants
    late = by_openvino(variant, milliseconds=factor * variant.latency.median_milliseconds)
    manifest = republish(bundle, tmp_path / "both", variant, late).manifest
    assert {one.variant.partition("-")[0] for one in core_placements(manifest, 2)} == engines


def test_figures_are_of_all_measurements_together() -> None:
    figures = Figures.of([Measurement(1.0, 0.5, [0.010] * 100, 90), Measurement(3.0, 2.5, [0.030] * 300, 290)])
    assert figures.items_per_second == pytest.approx(95)
    assert figures.cpu_milliseconds_per_item == pytest.approx(3000 / 380)
    assert figures.p50_milliseconds == figures.p99_milliseconds == pytest.approx(30)
    assert figures.measured_seconds == 4.0


def test_what_does_not_run_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    candidates = [placement(number) for number in range(4)]
    bench = Bench(dict.fromkeys(candidates, (10.0, 5.0)))

    def measure(candidate: Placement, seconds: float) -> Measurement:
        if candidate in candidates[:3]:
            raise EngineError("It is broken.")
        return bench(candidate, seconds)

    finalists, everything = successive_halving(candidates, measure, seconds=1.0)
    assert [one.placement for one in finalists] == [one.placement for one in everything] == [candidates[3]]
    assert caplog.text.count("It is broken.") == 3

    with pytest.raises(EngineError, match="No placement"):
        successive_halving(candidates[:3], measure, seconds=1.0)


def test_of_equal_throughputs_the_lower_p99_is_chosen() -> None:
    fast, equal, slower = measured(0, 100, 9.0), measured(1, 100 * (1 - NOISE / 2), 3.0), measured(2, 90, 1.0)
    assert best([fast, equal, slower], None) == equal
    assert best([fast, equal, slower], 2.0) == slower
    assert best([fast, equal, slower], 0.5) == slower, "none keeps it: the nearest"


def test_with_an_objective_ties_are_among_those_that_keep_it() -> None:
    assert best([measured(0, 100, 9.0), measured(1, 99, 11.0)], 10.0).placement == placement(0)


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=12))
def test_the_front_is_what_no_other_beats(points: list[tuple[int, int]]) -> None:
    candidates = [measured(number, rate, p99) for number, (rate, p99) in enumerate(points)]
    beaten = {
        (rate, p99) for rate, p99 in points if any(r >= rate and p <= p99 and (r, p) != (rate, p99) for r, p in points)
    }
    front = [(one.figures.items_per_second, one.figures.p99_milliseconds) for one in pareto_front(candidates)]
    assert front == sorted(set(points) - beaten, key=lambda point: point[1])


@pytest.mark.parametrize(
    ("cores", "shapes"),
    [
        (1, {(1, 1)}),
        (2, {(2, 1), (1, 2)}),
        (6, {(6, 1), (3, 2), (1, 4), (1, 6)}),
        (8, {(8, 1), (4, 2), (2, 4), (1, 8)}),
    ],
)
def test_the_first_load_divides_all_cores(tmp_path: Path, cores: int, shapes: set[tuple[int, int]]) -> None:
    manifest = make_bundle(tmp_path).manifest
    candidates = core_placements(manifest, cores)
    assert {(one.instances, one.threads) for one in candidates} == shapes
    assert {one.max_batch_size for one in candidates} == {manifest.serving.max_batch_size}
    assert candidates[0].instances == cores


def test_tuning_tries_no_more_threads_than_cores(tmp_path: Path) -> None:
    candidates = all_placements(make_bundle(tmp_path).manifest, 6)
    assert len(set(candidates)) == len(candidates)
    assert max(one.instances * one.threads for one in candidates) == 6
    assert {one.max_batch_size for one in candidates} == {1, 2, 4, 8}
