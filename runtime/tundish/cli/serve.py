"""`tundish serve`: the server in the foreground."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from tundish.cli.leaving import leave_at_once
from tundish.runtime import Runtime
from tundish.scheduling import RUN_LIMIT_SECONDS, SEQUENCE_IDLE_SECONDS, any_instance_hangs
from tundish.server.addresses import check_addresses
from tundish.server.server import allow_many_connections
from tundish.server.server import serve as run_server

_LOG = logging.getLogger(__name__)


def serve(
    repository: Annotated[Path, typer.Argument(help="Directory of <model>/<version>/bundle.json.")],
    host: Annotated[
        str, typer.Option(help="Address to listen on; the default takes requests of this machine only.")
    ] = "127.0.0.1",
    grpc_port: Annotated[int, typer.Option(min=0, max=65535, help="gRPC port; 0 lets the system choose.")] = 8001,
    http_port: Annotated[int, typer.Option(min=0, max=65535, help="HTTP port; 0 lets the system choose.")] = 8000,
    max_http_body_megabytes: Annotated[
        int,
        typer.Option(
            min=1, max=2048, help="Of an HTTP body; all at a time may have four times as many. gRPC takes 2 GB."
        ),
    ] = 64,
    instances: Annotated[
        int | None,
        typer.Option(min=1, help="Engines a model, one thread each; the default is what is measured best here."),
    ] = None,
    run_limit_seconds: Annotated[
        float, typer.Option(min=0.1, help="An engine that takes longer for a batch is given up and loaded again.")
    ] = RUN_LIMIT_SECONDS,
    sequence_idle_seconds: Annotated[
        float, typer.Option(min=0.1, help="A stateful model's sequence ends when no request has come for so long.")
    ] = SEQUENCE_IDLE_SECONDS,
    shared_memory: Annotated[
        bool, typer.Option("--shared-memory", help="Let clients of this machine name shared memory to read and write.")
    ] = False,
) -> None:
    """Serve every model of REPOSITORY over gRPC and HTTP until SIGTERM, SIGHUP or Ctrl-C; finish what was accepted."""
    allow_many_connections()
    check_addresses(host, grpc_port=grpc_port, http_port=http_port)
    with Runtime(
        repository,
        instances=instances,
        run_limit_seconds=run_limit_seconds,
        sequence_idle_seconds=sequence_idle_seconds,
    ) as runtime:
        uvloop.run(
            run_server(
                runtime,
                host=host,
                grpc_port=grpc_port,
                http_port=http_port,
                shared_memory=shared_memory,
                max_http_body_bytes=max_http_body_megabytes * 2**20,
                on_ready=_announce,
            )
        )
    if any_instance_hangs():  # everything is answered all the same
        leave_at_once(0)


def _announce(grpc: str, http: str) -> None:
    said = f"Serving gRPC on {grpc} and HTTP on {http}."
    try:
        print(f"{said} Stop with Ctrl-C.", flush=True)
    except OSError as error:
        # Whoever was to read it has gone, or its disk is full: no reason not to serve.
        _LOG.warning("%s Standard output does not take this line: %s.", said, error.strerror)
        # What it did not take is still to be written when the process ends, whose exit code would say that it failed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
