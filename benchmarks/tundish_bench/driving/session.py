"""Loads on one model of one server: what is asked is made once, and every load is measured the same way."""

from __future__ import annotations

from dataclasses import dataclass, field

from tundish_bench.driving.asking import Asking
from tundish_bench.driving.contents import Wanted, make_contents
from tundish_bench.driving.cores import generator_cores
from tundish_bench.driving.endpoint import Endpoint
from tundish_bench.driving.generator import Order
from tundish_bench.driving.load import Load
from tundish_bench.driving.measuring import Meter, OnProgress, Plan, measure
from tundish_bench.driving.meters import ServerMeter, StageMeter
from tundish_bench.driving.questions import Question
from tundish_bench.driving.requests import grpc_requests, http_requests
from tundish_bench.driving.server import server_says
from tundish_bench.errors import BenchmarkError
from tundish_bench.reports import Row
from tundish_bench.watching import find_server

_BINARY = "binary_tensor_data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A server, a model and what it is asked; see `open_session`."""

    server: str
    """Its name and version."""
    model: str
    asking: Asking
    batch: int
    pid: int | None
    """Of the server's process, if it runs here."""
    settings: dict[str, str | int | float] = field(default_factory=dict)
    """What all rows of this session have in common, and other sessions of one report have otherwise."""

    def measure(self, load: Load, plan: Plan, on_progress: OnProgress | None = None) -> Row:
        """A load's row.

        Raises:
            BenchmarkError: the server answers nothing.
        """
        order = Order(asking=self.asking, load=load, block_seconds=plan.seconds, cores=generator_cores(self.pid))
        endpoint = self.asking.endpoint
        meters: list[Meter] = [StageMeter(endpoint, self.model), ServerMeter(endpoint.host, self.pid)]
        row = measure(order, plan, batch=self.batch, meters=meters, on_progress=on_progress)
        others = [f"{name} {value}" for name, value in self.settings.items()]
        return row.model_copy(
            update={"name": ", ".join([row.name, *others]), "settings": {**load.settings, **self.settings}}
        )


def open_session(
    endpoint: Endpoint,
    model: str,
    wanted: Wanted,
    *,
    timeout_seconds: float,
    pid: int | None = None,
    settings: dict[str, str | int | float] | None = None,
) -> Session:
    """Asks the server what the model takes, and makes the requests.

    Raises:
        BenchmarkError: the server does not say it, or the contents do not fit.
    """
    says = server_says(endpoint, model)
    inputs = says.inputs or wanted.declared
    if not inputs:
        unknown = f" of a known datatype; not so {', '.join(wanted.shapes)}" if wanted.shapes else ""
        raise BenchmarkError(
            f"{says.server} does not say what '{model}' takes; give --shape NAME:DATATYPE:SIZES for each of its "
            f"inputs, as --shape x:FP32:3,224,224 or --shape text:BYTES:1{unknown}."
        )
    questions = [Question(model, contents) for contents in make_contents(inputs, wanted)]
    requests = (
        grpc_requests(questions)
        if endpoint.wire == "grpc"
        else http_requests(questions, binary=_BINARY in says.extensions)
    )
    return Session(
        server=says.server,
        model=model,
        asking=Asking(
            endpoint=endpoint,
            requests=requests,
            timeout_seconds=timeout_seconds,
            reads_form=True,
        ),
        batch=wanted.batch,
        pid=pid if pid is not None else find_server(endpoint.host, endpoint.port),
        settings=settings or {},
    )
