"""What is measured beside a load, and what is said where it cannot be."""

from __future__ import annotations

import os

import pytest

from tundish_bench.driving.meters import ServerMeter


@pytest.mark.parametrize(
    ("host", "is_seen", "figures", "note"),
    [
        ("127.0.0.1", True, ["server CPU", "server memory"], ""),
        ("127.0.0.1", False, [], "The server's process is not to be seen"),
        ("192.0.2.1", False, [], "The server runs on another machine"),  # no machine has that address
    ],
)
def test_what_is_not_known_of_a_server_is_said(host: str, is_seen: bool, figures: list[str], note: str) -> None:
    meter = ServerMeter(host, os.getpid() if is_seen else None)
    with meter.repeat():
        pass
    assert [each.name for each in meter.figures([1]) if "GPU" not in each.name] == figures
    assert " ".join(meter.notes()).startswith(note)
    if host == "192.0.2.1":
        assert list(meter.figures([1])) == []  # also no GPU of a machine that only asks
