"""What the servers' benchmarks conclude from their figures."""

from __future__ import annotations

import pytest

from tundish_bench import image_server, tensor_server, text_server
from tundish_bench.errors import BenchmarkError
from tundish_bench.rounds import Rounds, Sample


def sample(items_per_second: float = 100.0, **others: float) -> Sample:
    values = {"items": 10, "cpu_milliseconds": 1.0, "other_cores": 0.0, **others}
    return Sample(items_per_second=items_per_second, **values)  # type: ignore[arg-type]


def text_rounds(one_by_one: float, batched: float, **ours: float) -> Rounds:
    others = {text_server.ONE_BY_ONE: one_by_one, text_server.BATCHED: batched, text_server.USUAL: 80.0}
    return Rounds([{name: sample(speed) for name, speed in {**others, **ours}.items()}] * 3)


@pytest.mark.parametrize(
    ("one_by_one", "batched", "better", "met"),
    [(100.0, 50.0, text_server.ONE_BY_ONE, [True, True]), (90.0, 100.0, text_server.BATCHED, [True, False])],
)
def test_texts_are_compared_with_the_better_configuration_and_with_batching(
    one_by_one: float, batched: float, better: str, met: list[bool]
) -> None:
    compared = text_server.comparisons(text_rounds(one_by_one, batched, tundish=106.0))
    assert better in compared[0].what
    assert [each.met for each in compared] == met


def test_what_tune_picks_has_a_goal_of_its_own() -> None:
    measured = text_rounds(100.0, 50.0, tundish=100.0, **{text_server.TUNED: 131.0})
    *_, same, usual = text_server.comparisons(measured)
    assert text_server.ONE_BY_ONE in same.what
    assert same.values == [1.31] * 3
    assert text_server.USUAL in usual.what
    assert usual.values == pytest.approx([131 / 80] * 3)
    assert same.met
    assert usual.met


def test_throughput_is_of_the_cores_that_the_client_leaves() -> None:
    # A quarter of the two cores is the client's: 72 a second on one and a half are as good as 96 on two.
    server = sample(72.0, client_cpu_milliseconds=500 / 72)
    measured = Rounds([{tensor_server.SERVER: server, "slow": sample(50.0), "fast": sample(100.0)}])
    assert tensor_server.client_cores(server) == pytest.approx(0.5)
    compared = tensor_server.compare_throughput(measured, cores=2)
    assert "fast" in compared.what
    assert compared.values[0] == pytest.approx(0.96)
    assert compared.met


def test_latency_is_what_is_added_to_the_pipeline() -> None:
    figures = {tensor_server.SERVER: 5.7, tensor_server.PIPELINE: 5.0, tensor_server.ECHO: 0.5}
    measured = Rounds([{name: sample(p50_milliseconds=value) for name, value in figures.items()}])
    compared = tensor_server.compare_latency(measured)
    assert compared.values[0] == pytest.approx(0.7)
    assert compared.met


def test_servers_must_agree_on_nearly_all_photographs() -> None:
    ours = tuple(str(number) for number in range(20))
    one_other, two_others = ("x", *ours[1:]), ("x", "y", *ours[2:])
    answers = {image_server.TUNDISH: ours, image_server.FLOOR: ours, image_server.TRITON: one_other}
    image_server.check_answers(answers)
    assert image_server.agreement(answers) == 19
    with pytest.raises(BenchmarkError, match="agree on 18 of 20"):
        image_server.check_answers({**answers, image_server.TUNED: two_others})


def test_the_server_must_answer_as_its_engine() -> None:
    answers = {image_server.TUNDISH: ("a",) * 20, image_server.FLOOR: ("b", *("a",) * 19)}
    with pytest.raises(BenchmarkError, match="otherwise than its own engine"):
        image_server.check_answers(answers)
