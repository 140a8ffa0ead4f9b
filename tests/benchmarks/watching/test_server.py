"""What is seen of processes that say themselves what they spend and hold."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tundish_bench.errors import BenchmarkError
from tundish_bench.watching import ServerWatch, Watch
from tundish_bench.watching import watch as watching

SPENT = 0.25
"""Seconds of CPU of a `spend()`; an interpreter takes some hundredths more to start."""

WORDS = """
import os, signal, subprocess, sys, time

def spend():
    began = time.process_time()
    while time.process_time() - began < 0.25: pass

def child(code):
    command = [sys.executable, "-IS", "-c", sys.argv[1] + code, sys.argv[1]]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

def say():
    print(flush=True)
    input()
"""
"""What the code of a process is written in; `say()` tells the test how far it has come, and waits for its step."""

Step = Callable[[], None]


@contextmanager
def server(code: str) -> Iterator[tuple[int, Step]]:
    """A process that has come to its first `say()`; the step takes it to the next one."""
    command = [sys.executable, "-IS", "-c", WORDS + code, WORDS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        steps, said = process.stdin, process.stdout

        def step() -> None:
            steps.write("\n")
            steps.flush()
            assert said.readline() == "\n"

        try:
            assert said.readline() == "\n"
            yield process.pid, step
        finally:
            kill_with_children(process.pid)


def kill_with_children(pid: int) -> None:
    with suppress(psutil.NoSuchProcess):  # the test has ended it
        process = psutil.Process(pid)
        for each in (*process.children(recursive=True), process):
            each.kill()


def wait_until(true: Callable[[], bool]) -> None:
    """What takes a processor's time takes as long as it must on a busy machine."""
    give_up = time.monotonic() + 60
    while not true():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def sample_until(watch: ServerWatch, true: Callable[[], bool]) -> None:
    def sampled() -> bool:
        watch.sample()
        return true()

    wait_until(sampled)


@pytest.mark.parametrize(
    ("before", "meanwhile", "spent"),
    [
        pytest.param("", "spend()", SPENT, id="by itself"),
        pytest.param("spend()", "spend()", SPENT, id="not what was before"),
        pytest.param(
            "idle = child('spend(); os.close(1); input()'); idle.stdout.read()",
            "spend()",
            SPENT,
            id="beside an idle child",
        ),
        pytest.param("", "child('spend()').wait()", SPENT, id="by a child that comes and goes"),
        pytest.param("", "child('child(\"spend()\").wait()').wait()", SPENT, id="by a grandchild that comes and goes"),
        pytest.param(
            "busy = child('input(); spend()')",
            "busy.communicate(b'\\n'); spend()",
            2 * SPENT,
            id="by a child that ends",
        ),
    ],
)
def test_the_time_of_all_processes_is_counted_once(before: str, meanwhile: str, spent: float) -> None:
    with server(f"{before}\nsay()\n{meanwhile}\nsay()") as (pid, step):
        watch = ServerWatch(pid)
        step()
        watch.sample()
        assert spent - 0.03 <= watch.cpu_seconds <= spent + 0.2
        assert watch.notes == ()


def test_a_process_that_nobody_waits_for_is_counted_until_it_was_last_seen() -> None:
    ignoring = "signal.signal(signal.SIGCHLD, signal.SIG_IGN)"
    with server(f"{ignoring}\nsay()\na = child('spend(); input()')\nsay()\na.communicate(b'\\n')\nsay()") as (
        pid,
        step,
    ):
        watch = ServerWatch(pid)
        step()
        sample_until(watch, lambda: watch.cpu_seconds >= SPENT)
        assert watch.notes == ()
        step()
        watch.sample()
        assert SPENT <= watch.cpu_seconds <= SPENT + 0.2
        assert len(watch.notes) == 1
        assert watch.notes[0].startswith("A process of the server ended without the CPU time being known")


def test_a_process_whose_parent_has_ended_is_still_the_servers(tmp_path: Path) -> None:
    end = tmp_path / "end"
    orphan = f"sys.stdin.read(); spend()\nwhile not os.path.exists({str(end)!r}): time.sleep(0.01)"
    parent = f"orphan = child({orphan!r}); input()"
    with server(f"parent = child({parent!r})\nsay()\nparent.communicate(b'\\n')\nsay()") as (pid, step):
        sees = ServerWatch(pid)
        sample_until(sees, lambda: len(psutil.Process(pid).children(recursive=True)) == 2)
        sees.sample()
        step()
        sample_until(sees, lambda: sees.cpu_seconds >= SPENT)
        assert sees.notes == ()
        end.touch()
        sample_until(sees, lambda: bool(sees.notes))
        assert SPENT <= sees.cpu_seconds <= SPENT + 0.4


def test_a_server_that_ends_is_said() -> None:
    with server("say()\nspend()\nsay()") as (pid, step):
        watch = ServerWatch(pid)
        step()
        watch.sample()
        psutil.Process(pid).kill()
        os.waitpid(pid, 0)
        watch.sample()
        assert watch.cpu_seconds >= SPENT - 0.03
        assert len(watch.notes) == 1
        assert watch.notes[0].startswith(f"The server's process {pid} ended while it was watched")


def test_a_process_that_is_not_there_is_refused() -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    with pytest.raises(BenchmarkError, match=f"There is no process {process.pid} to watch"), Watch(process.pid):
        pass


@pytest.mark.parametrize("readable", [True, False])
def test_memory_is_that_of_all_processes(monkeypatch: pytest.MonkeyPatch, readable: bool) -> None:
    if not readable:

        def refuse(_: psutil.Process) -> None:
            raise psutil.AccessDenied

        monkeypatch.setattr(psutil.Process, "memory_full_info", refuse)
    hold = "held = bytearray(b'1' * 32_000_000)"
    code = f"{hold}\nhelper = child({hold + '; print(); input()'!r})\nsay()\ndel held\nsay()"
    with server(code) as (pid, step):
        (helper,) = psutil.Process(pid).children()
        wait_until(lambda: helper.memory_info().rss > 32e6 and helper.status() == psutil.STATUS_SLEEPING)
        watch = ServerWatch(pid)
        watch.sample()
        step()
        watch.sample()
        assert watch.memory.kind == ("PSS" if readable else "RSS")
        assert 64 <= watch.memory.peak_megabytes <= 64 + 40
        assert watch.memory.peak_megabytes - watch.memory.mean_megabytes == pytest.approx(16, abs=4)
        assert 32 <= watch.resident_megabytes <= 32 + 40


def test_the_others_work_is_the_machines_without_the_servers_and_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = iter([10.0, 13.0])
    monkeypatch.setattr(watching, "machine_busy_seconds", lambda: next(busy))
    with server("say()\nspend()\nsay()") as (pid, step):
        watch = Watch(pid)
        own = time.process_time()
        with watch:
            step()
            while time.process_time() - own < 0.5:
                pass
        own = time.process_time() - own
    watched = watch.watched
    assert watched.cpu_seconds == pytest.approx(SPENT, abs=0.05)
    assert watched.other_cores * watched.seconds == pytest.approx(3.0 - SPENT - own, abs=0.1)
    assert watched.memory is not None


def test_a_watch_is_of_each_interval_anew_and_of_no_server_if_none_is_known() -> None:
    watch = Watch(None)
    with watch:
        pass
    first = watch.watched
    with watch:
        time.sleep(0.3)
    assert first.cpu_seconds is None
    assert first.memory is None
    assert watch.watched.seconds >= 0.3 > first.seconds
