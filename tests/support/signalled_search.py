"""`tundish` in a process whose search gets a signal in the middle: `python -m support.signalled_search SIGNAL AT …`.

What follows is for `tundish`. The signal comes while the trial of that number, from 1, answers the samples that it is
judged by; 0 for none. Networks that a test can wait for gain nothing by int8, and times are never the same: so each
trial is said to be a little faster than the one before, and all runs measure the same in the same order.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import time
from typing import Any

from support.engines import hidden_openvino
from tundish.cli import main
from tundish_exporters.data import Sample
from tundish_exporters.judging import Judge
from tundish_exporters.search.stopwatch import Pace, Stopwatch


def _raise_in_trial(number: int, wanted: signal.Signals) -> None:
    judge, sample = Judge.measure, Sample.read
    judged, reads = itertools.count(1), itertools.count(1)
    is_time = False

    def measure(*given: Any) -> Any:
        nonlocal is_time
        is_time = next(judged) == number
        return judge(*given)

    def read(*given: Any) -> Any:
        if is_time and next(reads) == 2:
            os.kill(os.getpid(), wanted)
        return sample(*given)

    setattr(Judge, "measure", measure)  # noqa: B010  # type checkers know better than to allow it
    setattr(Sample, "read", read)  # noqa: B010


def _run(name: str, at: str, *arguments: str) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs tests may have told them to ignore it
    _raise_in_trial(int(at), signal.Signals[name])
    setattr(Stopwatch, "measure", lambda *_: Pace(1.0, time.time() / 1e9))  # noqa: B010
    sys.argv[1:] = arguments
    with hidden_openvino():
        main()


if __name__ == "__main__":
    _run(*sys.argv[1:])
