"""What a server keeps for good is out of the collector's way, and comes back when a model goes."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.bundles import make_bundle

from tundish.memory import give_back_memory, keep_for_good


class Knot:
    """Held by nothing but itself."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def nothing_is_kept_afterwards() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_what_is_kept_is_not_looked_through() -> None:
    gc.collect()
    keep_for_good()
    knot = weakref.ref(Knot())
    assert len(gc.get_objects()) < gc.get_freeze_count() / 100
    gc.collect()
    assert knot() is None, "what came later is collected as ever"


def test_a_model_that_was_kept_is_collected_when_memory_is_given_back() -> None:
    kept = Knot()
    knot = weakref.ref(kept)
    keep_for_good()
    before = gc.get_freeze_count()
    del kept
    gc.collect()
    assert knot() is not None
    give_back_memory()
    assert knot() is None
    assert gc.get_freeze_count() > before / 2, "the rest is kept again"


def test_giving_back_memory_keeps_nothing_that_was_not_kept() -> None:
    give_back_memory()
    assert gc.get_freeze_count() == 0


SERVES = """
import asyncio, gc, os, signal, sys
import tundish
from tundish.server.server import serve

def on_ready(grpc, http):
    print(gc.get_freeze_count(), len(gc.get_objects()))
    os.kill(os.getpid(), signal.SIGTERM)

with tundish.open(sys.argv[1], instances=1) as runtime:
    asyncio.run(serve(runtime, host="127.0.0.1", grpc_port=0, http_port=0, shared_memory=False,
                      max_http_body_bytes=2**20, on_ready=on_ready))
"""


def test_a_server_keeps_what_it_has_when_it_is_ready(tmp_path: Path) -> None:
    make_bundle(tmp_path)
    ran = subprocess.run([sys.executable, "-c", SERVES, str(tmp_path)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    kept, others = map(int, ran.stdout.split())
    assert kept > 10_000
    assert others < kept / 100
