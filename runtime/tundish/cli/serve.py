"""`tundish serve`: the server in the foreground."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from tundish.runtime import Runtime
from tundish.scheduling import RUN_LIMIT_SECONDS, SEQUENCE_IDLE_SECONDS, any_instance_hangs
from tundish.server.server import serve as run_server


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
    with Runtime(
        repository,
        instances=instances,
        run_limit_seconds=run_limit_seconds,
        sequence_idle_seconds=sequence_idle_seconds,
    ) as runtime:

        def announce(grpc: str, http: str) -> None:
            print(f"Serving gRPC on {grpc} and HTTP on {http}. Stop with Ctrl-C.", flush=True)

        uvloop.run(
            run_server(
                runtime,
                host=host,
                grpc_port=grpc_port,
                http_port=http_port,
                shared_memory=shared_memory,
                max_http_body_bytes=max_http_body_megabytes * 2**20,
                on_ready=announce,
            )
        )
    if any_instance_hangs():
        # The interpreter cannot end while a thread is inside an engine: it would be aborted. Everything is answered.
        logging.shutdown()
        os._exit(0)
