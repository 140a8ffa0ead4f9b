"""`tundish serve`: the server in the foreground."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tundish.runtime import Runtime
from tundish.server.server import serve as run_server


def serve(
    repository: Annotated[Path, typer.Argument(help="Directory of <model>/<version>/bundle.json.")],
    host: Annotated[
        str, typer.Option(help="Address to listen on; the default takes requests of this machine only.")
    ] = "127.0.0.1",
    grpc_port: Annotated[int, typer.Option(min=0, max=65535, help="gRPC port; 0 lets the system choose.")] = 8001,
    instances: Annotated[
        int | None, typer.Option(min=1, help="Engines a model, one thread each; the default is one a core.")
    ] = None,
) -> None:
    """Serve every model of REPOSITORY over gRPC until SIGTERM or Ctrl-C, then finish the accepted requests."""
    console = Console(highlight=False)
    with Runtime(repository, instances=instances) as runtime:
        console.print(_table(runtime))

        def announce(port: int) -> None:
            console.print(f"Serving gRPC on {host}:{port}. Stop with Ctrl-C.")

        asyncio.run(run_server(runtime, host=host, port=grpc_port, on_ready=announce))


def _table(runtime: Runtime) -> Table:
    table = Table()
    for heading in ("model", "version", "task", "variant", "instances", "batch"):
        table.add_column(heading, no_wrap=True)
    for model in runtime.ready_models():
        table.add_row(
            model.name,
            str(model.manifest.version),
            model.task.name,
            model.variant.name,
            str(model.instances),
            str(model.batching.max_batch_size),
        )
    return table
