"""What the tests of the peers share: the bundles that the peers serve, and the peers' code in this process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tundish.bundle import Bundle
from tundish_bench.demo_models import int8_bundle, newest_bundle
from tundish_bench.peers import settings

STANDALONE = Path(settings.__file__).with_name("standalone")


@pytest.fixture(scope="session")
def photo_bundle(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return int8_bundle(repository, "photo-labels", tmp_path_factory.mktemp("int8"))


@pytest.fixture(scope="session")
def review_bundle(repository: Path) -> Bundle:
    return newest_bundle(repository, "sentiment")


@pytest.fixture
def standalone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the peers' code, whose modules may be imported by their bare names meanwhile."""
    monkeypatch.syspath_prepend(STANDALONE)
    yield STANDALONE
    for path in STANDALONE.glob("*.py"):
        sys.modules.pop(path.stem, None)
