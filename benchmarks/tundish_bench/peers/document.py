"""A comparison with peers as a document in Markdown that reads on its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from tundish_bench.peers.comparing import CPU_RATIO, THROUGHPUT_RATIO
from tundish_bench.peers.measuring import callers_in_words
from tundish_bench.peers.plots import Plot, by_workload
from tundish_bench.reports import Figure, Report, Row
from tundish_bench.reports.wording import readable, with_interval

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~])")
_COLUMNS = (
    ("throughput", "throughput, /s"),
    (THROUGHPUT_RATIO, "of tundish's"),
    ("p50", "p50, ms"),
    ("p99", "p99, ms"),
    ("server CPU", "CPU, ms"),
    (CPU_RATIO, "of tundish's"),
    ("server memory", "memory, MB"),
)
_REPEAT = """\
## How to repeat it

```
make bench-peers
```

It installs each peer into an environment of its own below `~/.cache/tundish/peers` (the first time, a few minutes and
1.5 GB), measures for 20 minutes and writes this page. `python -m tundish_bench.peers --help` says how to measure a
part. The code of every server is in `benchmarks/tundish_bench/peers/standalone/`, how it is set up in
`peers/roster.py`, and what else was tried in [the decision](decisions/2026-11-26-peers.md). Ratios carry over to
another machine; milliseconds do not.
"""


def document(report: Report, reasons: str, plots: Sequence[Plot] = (), place: str = "") -> str:
    """The whole page; `reasons` is Markdown by people: why what is measured is so; `place` is the folder of the plots.

    The first paragraph of the report's method says what is compared, and stands at the beginning.
    """
    what, *how = report.method.split("\n\n")
    parts = [
        f"# {escaped(report.title)}\n",
        f"{escaped(what)}\n",
        f"Measured on {report.created:%Y-%m-%d} on {_machine(report)}. All of this page comes from the measurement, "
        "but for the section *Why*, which people write.\n",
        *(f"> {escaped(note)}\n" for note in report.notes),
        "## What wins where\n",
        "Throughput: who is ahead, and by what factor of the other. tundish is held against the peer that comes best "
        "beside it, by the same transport; *even* means that the interval of the ratio leaves it open.\n",
        _winners(report, THROUGHPUT_RATIO),
        "CPU that the server takes for a request, in the same way; the factor says how much less it is:\n",
        _winners(report, CPU_RATIO),
        "## Why\n",
        reasons.strip() + "\n",
        "## Figures\n",
        "Means over the rounds, with the half of a 95 % interval behind ± or the whole of it in brackets. "
        "*Of tundish's* is the ratio to tundish by the same transport.\n",
        *_tables(report, plots, place),
        "## How it was measured\n",
        *(f"{escaped(paragraph)}\n" for paragraph in how),
        _REPEAT,
    ]
    return "\n".join(parts)


def escaped(text: str) -> str:
    """The text as Markdown shows it, in one line, whatever it holds."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _machine(report: Report) -> str:
    machine = report.machine
    packages = ", ".join(f"{name} {version}" for name, version in machine.packages.items())
    return (
        f"{machine.cores} cores of {escaped(machine.processor)} ({escaped(', '.join(machine.instructions))}) with "
        f"{escaped(packages)}"
    )


def _winners(report: Report, ratio: str) -> str:
    """A table: who wins, by workload and callers."""
    callers = list(dict.fromkeys(row.settings["callers"] for row in report.rows))
    lines = [_line(["", *(callers_in_words(int(count)) for count in callers)]), _line(["---"] * (len(callers) + 1))]
    for workload, rows in by_workload(report).items():
        cells = [_winner([row for row in rows if row.settings["callers"] == count], ratio) for count in callers]
        lines.append(_line([escaped(workload), *cells]))
    return "\n".join(lines) + "\n"


def _winner(rows: Sequence[Row], name: str) -> str:
    """Of the rows under one number of callers: tundish, or the peer that is best beside it."""
    ratios = [(row, figure) for row in rows if (figure := row.figure(name)) is not None]
    if not ratios:
        return ""
    more_is_better = ratios[0][1].better == "more"
    pick: Callable[..., tuple[Row, Figure]] = max if more_is_better else min
    row, figure = pick(ratios, key=lambda pair: pair[1].value)
    peer = escaped(str(row.settings["server"]))
    advantage = figure.value if more_is_better else 1 / figure.value
    if figure.interval is None or figure.interval.low <= 1 <= figure.interval.high:
        return f"even: {peer} {advantage:.2f}"
    return f"**{peer}**, {advantage:.2f}" if advantage > 1 else f"tundish, {1 / advantage:.2f} x {peer}"


def _tables(report: Report, plots: Sequence[Plot], place: str) -> Iterator[str]:
    for workload, rows in by_workload(report).items():
        yield f"### {escaped(workload)}\n"
        for plot in plots:
            if plot.workload == workload:
                yield f"![{escaped(plot.says)}]({place}/{plot.name})\n"
        lines = [_line(["callers", "server", *(heading for _, heading in _COLUMNS)])]
        lines.append(_line(["---:", "---", *("---:" for _ in _COLUMNS)]))
        for row in rows:
            figures = [_cell(row.figure(name)) for name, _ in _COLUMNS]
            lines.append(_line([str(row.settings["callers"]), escaped(str(row.settings["server"])), *figures]))
        yield "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(figure: Figure | None) -> str:
    if figure is None:
        return ""
    if figure.unit == "x":
        interval = figure.interval
        return readable(figure.value) + (f" ({readable(interval.low)} - {readable(interval.high)})" if interval else "")
    return with_interval(figure) if figure.name in ("throughput", "server CPU") else readable(figure.value)
