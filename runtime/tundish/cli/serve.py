"""`tundish serve`: the server in the foreground."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from tundish.runtime import Runtime
from tundish.scheduling import RUN_LIMIT_SECONDS, any_instance_hangs
from tundish.server.server import serve as run_server


def serve(
    repository: Annotated[Path, typer.Argument(help="Directory of <model>/<version>/bundle.json.")],
    host: Annotated[
        str, typer.Option(help="Address to listen on; the default takes requests of this machine only.")
    ] = "127.0.0.1",
    grpc_port: Annotated[int, typer.Option(min=0, max=65535, help="gRPC port; 0 lets the system choose.")] = 8001,
    instances: Annotated[
        int | None,
        typer.Option(min=1, help="Engines a model, one thread each; the default is what is measured best here."),
    ] = None,
    run_limit_seconds: Annotated[
        float, typer.Option(min=0.1, help="An engine that takes longer for a batch is given up and loaded again.")
    ] = RUN_LIMIT_SECONDS,
    shared_memory: Annotated[
        bool, typer.Option("--shared-memory", help="Let clients of this machine name shared memory to read and write.")
    ] = False,
) -> None:
    """Serve every model of REPOSITORY over gRPC until SIGTERM or Ctrl-C, then finish the accepted requests."""
    with Runtime(repository, instances=instances, run_limit_seconds=run_limit_seconds) as runtime:

        def announce(bound: int) -> None:
            print(f"Serving gRPC on {host}:{bound}. Stop with Ctrl-C.", flush=True)

        uvloop.run(run_server(runtime, host=host, port=grpc_port, shared_memory=shared_memory, on_ready=announce))
    if any_instance_hangs():
        # The interpreter cannot end while a thread is inside an engine: it would be aborted. Everything is answered.
        logging.shutdown()
        os._exit(0)
