"""What libraries say becomes a part of one bounded sentence."""

from __future__ import annotations

import pytest

from tundish.errors import reason_of

LONG = " ".join(f"word{number}" for number in range(100))


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("\n  It failed.\n\tinstall it:\r\n  pip\n", "It failed. install it: pip"),
        ("x" * 300, "x" * 300),
        ("x" * 301, "x" * 298 + " …"),
        ("", "ValueError"),
        (" \n", "ValueError"),
    ],
)
def test_a_reason_is_one_line(said: str, told: str) -> None:
    assert reason_of(ValueError(said)) == told


def test_a_long_reason_is_cut_at_a_word() -> None:
    told = reason_of(ValueError(LONG))
    assert 280 < len(told) <= 300
    kept = told.removesuffix(" …")
    assert LONG.startswith(f"{kept} ")
