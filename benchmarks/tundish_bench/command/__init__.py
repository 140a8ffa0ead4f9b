"""`tundish bench`: the command.

What it runs is imported when it runs: the `tundish` command loads this module at every start, also where the extra
`bench` is not installed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tundish_bench.command.missing import needing_extra


def bench(
    target: Annotated[
        str,
        typer.Argument(
            metavar="URL_OR_REPOSITORY",
            help="grpc://HOST:PORT or http://HOST:PORT of any server of the Open Inference Protocol, grpcs:// or "
            "https:// by TLS, or a repository, which is served for it; with --compare, the report from before.",
        ),
    ],
    model: Annotated[str, typer.Argument(help="Name of the model; with --compare, the report from after.")],
    callers: Annotated[
        str,
        typer.Option(help="Closed loop: so many callers that each ask when they are answered; several with commas."),
    ] = "",
    rate: Annotated[
        str, typer.Option(help="Open loop: so many requests a second, whether it keeps up or not; several with commas.")
    ] = "",
    even: Annotated[
        bool, typer.Option("--even", help="Open loop: all equally far apart, not as a Poisson process.")
    ] = False,
    batch: Annotated[
        str, typer.Option(help="Items in a request; several with commas for --sweep and --engines.")
    ] = "1",
    instances: Annotated[
        str, typer.Option(help="Of a repository's server: engines of the model; several with commas for --sweep.")
    ] = "",
    wire: Annotated[str, typer.Option(help="Of a repository's server: grpc, unless it says http.")] = "",
    ca: Annotated[
        Path | None,
        typer.Option(help="Of a server by TLS: file with the certificates to trust, as PEM, not the usual ones."),
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option(help="NAME:VALUE for each request, as authorization:Bearer ...; metadata by gRPC."),
    ] = None,
    inputs: Annotated[
        Path | None,
        typer.Option(
            help="Directory of images, file with a text a line, or .npz with an array for each input; made up without."
        ),
    ] = None,
    shape: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME:3,224,224, of an item of an input whose sizes the server leaves open; "
            "NAME:FP32:3,224,224 where the server says no inputs."
        ),
    ] = None,
    repeats: Annotated[int, typer.Option(min=2, max=1000, help="Of each load; the intervals are over them.")] = 5,
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="Of each repeat.")] = 5.0,
    warm_up_seconds: Annotated[
        float, typer.Option(min=1, max=3600, help="At most: it ends as soon as the server is steady.")
    ] = 30.0,
    timeout_seconds: Annotated[float, typer.Option(min=0.001, max=3600, help="Of each request.")] = 30.0,
    pid: Annotated[int | None, typer.Option(help="Of the server's process, if its port does not tell.")] = None,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="Go through callers x batch x instances; the curve and its knee.")
    ] = False,
    slo_ms: Annotated[
        float | None, typer.Option(min=0.001, help="With --sweep: find the highest rate that keeps p99 under it.")
    ] = None,
    engines: Annotated[
        bool, typer.Option("--engines", help="A repository's variants in this process, side by side, without a server.")
    ] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="With --engines: of each engine; one without.")] = None,
    compare: Annotated[
        bool,
        typer.Option(
            "--compare",
            help="Compare two reports; exit code 1 if something got worse for certain, 2 if they cannot be compared.",
        ),
    ] = False,
    tolerance: Annotated[
        float | None,
        typer.Option(min=0, max=1000, help="With --compare: changes of so many per cent, or of less, do not count; 3."),
    ] = None,
    report: Annotated[
        list[Path] | None, typer.Option(help="File to write, as its suffix says: .json, .csv, .html, .svg, .png.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON, for programs.")] = False,
) -> None:
    """Load a server and say what can be believed: throughput, latencies from when a request was due, CPU and memory."""
    with needing_extra():
        from tundish_bench.command.running import Options, run

    run(
        Options(
            target=target,
            model=model,
            callers=callers,
            rate=rate,
            even=even,
            batch=batch,
            instances=instances,
            wire=wire,
            ca=ca,
            headers=tuple(header or ()),
            inputs=inputs,
            shapes=tuple(shape or ()),
            repeats=repeats,
            seconds=seconds,
            warm_up_seconds=warm_up_seconds,
            timeout_seconds=timeout_seconds,
            pid=pid,
            sweep=sweep,
            slo_milliseconds=slo_ms,
            engines=engines,
            threads=threads,
            compare=compare,
            tolerance_percent=tolerance,
            reports=tuple(report or ()),
            as_json=as_json,
        )
    )
