"""The `tundish` command: one file a subcommand; those of other rooms come by entry point."""

from __future__ import annotations

import atexit
import gc
import logging
import os
import sys
from importlib.metadata import entry_points
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from tundish import __version__
from tundish.cli.infer import infer
from tundish.cli.models import app as models
from tundish.cli.serve import serve
from tundish.cli.tune import tune
from tundish.errors import TundishError

_STATE = {"debug": False}

app = typer.Typer(
    help="From a fine-tuned PyTorch checkpoint to a measured, quantised bundle and a gRPC server that answers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(serve)
app.command()(infer)
app.command()(tune)
app.add_typer(models, name="models")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"tundish {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and debug messages.")] = False,
    version: Annotated[  # noqa: ARG001
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    _STATE["debug"] = debug
    if not debug:
        # gRPC's own log would say before us, and longer, what the exceptions say.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    for room in ("tundish", "tundish_exporters"):
        logging.getLogger(room).setLevel(logging.DEBUG if debug else logging.INFO)


def _errors() -> Console:
    """Coloured if standard error is a terminal when something is said, whatever it was when this was loaded."""
    return Console(stderr=True, highlight=False)


def main() -> None:
    """Runs the command. Exit code 0 for success, 2 for a usage error, 1 for a failure, said in one sentence."""
    # The interpreter would look for garbage in all that it is about to give back: a quarter of a second of a stop.
    atexit.register(gc.freeze)
    # Loaded here and not above, because those rooms import from this one.
    for entry_point in entry_points(group="tundish.commands"):
        app.command(entry_point.name)(entry_point.load())
    try:
        app()
    except TundishError as error:
        if _STATE["debug"]:
            raise
        _errors().print(f"[bold red]error:[/] {escape(str(error))}", soft_wrap=True)
        sys.exit(1)
    except Exception as error:
        if _STATE["debug"]:
            raise
        _errors().print(
            f"error: tundish failed unexpectedly: {type(error).__name__}: {error} (run `tundish --debug …` for the "
            "traceback)",
            markup=False,
            soft_wrap=True,
        )
        sys.exit(1)
