"""The knee and the highest rate, on queues whose curves are known."""

from __future__ import annotations

import pytest

from tundish_bench.reports import Figure, Row
from tundish_bench.sweeping.knee import knee
from tundish_bench.sweeping.limits import highest_rate, keeps

SERVICE_SECONDS = 0.01


def row_of(name: str, throughput: float, mean: float, p99: float, **settings: float) -> Row:
    figures = {"throughput": ("/s", throughput), "mean": ("ms", mean), "p99": ("ms", p99), "errors": ("%", 0.0)}
    return Row(
        name=name,
        settings=dict(settings),
        figures=tuple(Figure(name=key, unit=unit, repeats=(value,)) for key, (unit, value) in figures.items()),
    )


def closed(callers: int, servers: int) -> Row:
    """Callers at as many servers of one speed, without chance: all are busy or all are answered at once."""
    throughput = min(callers, servers) / SERVICE_SECONDS
    mean = 1e3 * callers / throughput
    return row_of(f"{callers} callers", throughput, mean, mean, callers=callers)


@pytest.mark.parametrize("servers", [1, 2, 4, 8])
def test_the_knee_is_where_all_servers_are_busy_and_nobody_waits(servers: int) -> None:
    found = knee([closed(callers, servers) for callers in (1, 2, 4, 8, 16, 32)])
    assert found is not None
    assert found.settings["callers"] == servers


def test_rates_have_no_knee() -> None:
    assert knee([row_of("10/s", 10, 5, 9, rate=10)]) is None


def m_m_1(rate: float) -> Row:
    """A queue of one server, Poisson arrivals and exponential service: sojourn times are exponential (Kleinrock)."""
    capacity = 1 / SERVICE_SECONDS
    if rate >= capacity:
        return row_of(f"{rate}/s", capacity, 1e6, 1e6, rate=rate)
    mean = 1e3 / (capacity - rate)
    return row_of(f"{rate}/s", rate, mean, mean * 4.605, rate=rate)


@pytest.mark.parametrize("slo", [60.0, 100.0, 1000.0])
def test_the_highest_rate_is_that_of_the_formula(slo: float) -> None:
    best, rows = highest_rate(m_m_1, 100.0, slo)
    expected = 100 - 4.605 * 1e3 / slo
    assert best is not None
    assert expected * 0.96 <= float(best.settings["rate"]) <= expected
    assert len(rows) <= 8
    assert best in rows


def test_a_limit_that_no_rate_keeps_has_none() -> None:
    best, rows = highest_rate(m_m_1, 100.0, 10.0)
    assert best is None
    assert rows


def test_errors_and_a_server_that_falls_behind_keep_nothing() -> None:
    good = row_of("a", 100, 5, 9)
    assert keeps(good, 100, 10)
    assert not keeps(good, 110, 10)
    assert not keeps(good, 100, 8)
    errors = good.model_copy(update={"figures": (*good.figures[:3], Figure(name="errors", unit="%", repeats=(0.1,)))})
    assert not keeps(errors, 100, 10)
