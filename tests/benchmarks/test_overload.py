"""What the overload benchmark makes of what its client saw."""

from __future__ import annotations

import numpy as np
import pytest

from tundish_bench.driving.asking import Asking
from tundish_bench.driving.endpoint import Endpoint
from tundish_bench.driving.generator import Finished, Order
from tundish_bench.driving.load import Open
from tundish_bench.driving.outcomes import ANSWERED, DIFFERENT, GIVEN_UP
from tundish_bench.driving.records import Records
from tundish_bench.errors import BenchmarkError
from tundish_bench.overload import LATE, REFUSED, Overload, check_adds_up, compare
from tundish_bench.rounds import Sample

OK, HANGING = ANSWERED, GIVEN_UP


def records(*statuses: int, seconds: float = 0.1) -> Records:
    due = np.arange(len(statuses), dtype=np.float64)
    return Records(due, due, due + seconds, np.asarray(statuses, np.int16))


@pytest.mark.parametrize(("succeeded", "failed"), [(2, 3), (3, 2), (2, 2)])
def test_a_request_that_ends_on_the_clients_side_alone_adds_up(succeeded: int, failed: int) -> None:
    check_adds_up(records(OK, OK, REFUSED, REFUSED, LATE), succeeded=succeeded, failed=failed)


@pytest.mark.parametrize(
    ("statuses", "succeeded", "failed", "sentence"),
    [
        ((OK, HANGING), 1, 0, "1 requests were left hanging"),
        ((OK, OK), 1, 1, "counted 1 answers and 1 failures, its client 2 answers"),
        ((OK, REFUSED), 2, 0, "counted 2 answers"),
        ((OK, REFUSED), 1, 2, "2 failures"),
        ((OK, DIFFERENT), 2, 0, "1 requests were answered otherwise"),
    ],
)
def test_what_does_not_add_up_is_an_error(
    statuses: tuple[int, ...], succeeded: int, failed: int, sentence: str
) -> None:
    with pytest.raises(BenchmarkError, match=sentence):
        check_adds_up(records(*statuses), succeeded=succeeded, failed=failed)


def test_goodput_is_that_of_the_cores_which_the_client_leaves() -> None:
    peak = Sample(
        items=100, cpu_milliseconds=10, items_per_second=100, other_cores=0, client_cpu_milliseconds=1
    )  # 0.1 of two cores for the client
    asking = Asking(endpoint=Endpoint("grpc", "", 1), requests=[], timeout_seconds=0.2)
    measured = Overload(
        before=peak,
        after=peak,
        order=Order(asking=asking, load=Open(180.0), block_seconds=1.0, ends_itself=True),
        finished=Finished(0.0, 1.3, records(*[OK] * 90, *[REFUSED] * 90), cpu_seconds=0.5),
        server_cpu_seconds=1.5,
        resident_megabytes=(1, 1),
        cores=2,
    )  # half a core for the client
    goodput, refused, answered = compare(measured)
    assert list(goodput.values) == pytest.approx([(90 / 1.5) / (100 / 1.9)])
    assert [*refused.values, *answered.values] == pytest.approx([100, 100])
    assert [goodput.met, refused.met, answered.met] == [True, False, True]
