"""Who gets which cores, on machines that this one is made to look like."""

from __future__ import annotations

import os
from collections.abc import Set
from types import SimpleNamespace

import psutil
import pytest

from tundish_bench.driving.cores import generator_cores, without_the_generators


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ({0, 1}, {0, 1}, None),
        ({0, 1}, {0}, {1}),
        ({0, 1, 2, 3}, {0, 1, 2, 3}, {3}),
        ({0, 1, 2, 3}, {0, 1, 2}, {3}),
        ({4, 5}, {0, 1}, {4, 5}),
    ],
)
def test_the_generator_keeps_away_from_the_server(
    monkeypatch: pytest.MonkeyPatch, ours: Set[int], theirs: Set[int], expected: Set[int] | None
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: ours)
    monkeypatch.setattr(psutil, "Process", lambda _pid: SimpleNamespace(cpu_affinity=lambda: list(theirs)))
    assert generator_cores(7) == expected
    assert generator_cores(None) is None


def test_a_server_that_cannot_be_looked_at_takes_no_cores() -> None:
    assert generator_cores(2**22) is None  # above the largest process id


@pytest.mark.parametrize(("ours", "meanwhile"), [({0, 1}, {0, 1}), ({0, 1, 2, 3}, {0, 1, 2})])
def test_a_server_that_is_started_leaves_the_generator_s_core(
    monkeypatch: pytest.MonkeyPatch, ours: set[int], meanwhile: set[int]
) -> None:
    now = [set(ours)]
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: now[-1])
    monkeypatch.setattr(os, "sched_setaffinity", lambda _pid, cores: now.append(set(cores)))
    with without_the_generators():
        assert now[-1] == meanwhile
    assert now[-1] == ours
