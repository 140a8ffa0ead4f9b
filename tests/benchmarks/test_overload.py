"""What the overload benchmark makes of what its client saw."""

from __future__ import annotations

from itertools import pairwise
from statistics import mean

import pytest

from tundish_bench.errors import BenchmarkError
from tundish_bench.offers import OK, OfferReport, Outcome, arrivals
from tundish_bench.overload import LATE, REFUSED, Overload, check_adds_up, compare
from tundish_bench.rounds import Sample


def report(*statuses: str, seconds: float = 0.1) -> OfferReport:
    outcomes = tuple(Outcome(0.01 * index, 0.0, seconds, status) for index, status in enumerate(statuses))
    return OfferReport(outcomes=outcomes, client_cpu_seconds=0.5)


def test_arrivals_are_a_poisson_process_and_always_the_same() -> None:
    moments = arrivals(100, 50)
    assert moments == arrivals(100, 50) == sorted(moments)
    assert 0 < moments[0] < moments[-1] < 50
    gaps = [after - before for before, after in pairwise(moments)]
    assert mean(gaps) == pytest.approx(0.01, rel=0.05)
    # Of an exponential distribution the standard deviation is the mean.
    assert mean(gap**2 for gap in gaps) == pytest.approx(2 * mean(gaps) ** 2, rel=0.1)


@pytest.mark.parametrize(("succeeded", "failed"), [(2, 3), (3, 2), (2, 2)])
def test_a_request_that_ends_on_the_clients_side_alone_adds_up(succeeded: int, failed: int) -> None:
    check_adds_up(report(OK, OK, REFUSED, REFUSED, LATE), succeeded=succeeded, failed=failed)


@pytest.mark.parametrize(
    ("statuses", "succeeded", "failed", "sentence"),
    [
        ((OK, "left hanging"), 1, 0, "1 requests were left hanging"),
        ((OK, OK), 1, 1, "counted 1 answers and 1 failures, its client 2 answers"),
        ((OK, REFUSED), 2, 0, "counted 2 answers"),
        ((OK, REFUSED), 1, 2, "2 failures"),
    ],
)
def test_what_does_not_add_up_is_an_error(
    statuses: tuple[str, ...], succeeded: int, failed: int, sentence: str
) -> None:
    with pytest.raises(BenchmarkError, match=sentence):
        check_adds_up(report(*statuses), succeeded=succeeded, failed=failed)


def test_goodput_is_that_of_the_cores_which_the_client_leaves() -> None:
    peak = Sample(
        items=100, cpu_milliseconds=10, items_per_second=100, other_cores=0, client_cpu_milliseconds=1
    )  # 0.1 of two cores for the client
    outcomes = report(*[OK] * 90, *[REFUSED] * 90)
    measured = Overload(
        before=peak,
        after=peak,
        report=outcomes,
        wall_seconds=1.0,
        server_cpu_seconds=1.5,
        resident_bytes=(1, 1),
        cores=2,
    )  # half a core for the client
    goodput, refused, answered = compare(measured, deadline_seconds=0.2)
    assert list(goodput.values) == pytest.approx([(90 / 1.5) / (100 / 1.9)])
    assert [*refused.values, *answered.values] == pytest.approx([100, 100])
    assert [goodput.met, refused.met, answered.met] == [True, False, True]
