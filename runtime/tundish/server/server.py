"""The server process: binds the address, serves the fronts until it is told to stop, then finishes what it accepted."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Callable

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from tundish.errors import AddressError
from tundish.runtime import Runtime
from tundish.server.admission import Admission
from tundish.server.calls import Context
from tundish.server.open_inference import OpenInferenceFront
from tundish.server.services import handler
from tundish.server.shared_memory import SharedMemory
from tundish.server.typed import TypedFront
from tundish_proto import model_config_pb2, open_inference_pb2
from tundish_proto.v1 import inference_pb2

_LOG = logging.getLogger(__name__)

GRACE_SECONDS = 30.0
"""How long accepted requests may take to finish once the server is told to stop."""

_FAREWELL_SECONDS = 0.2
"""Long enough for the last answers, and for a watch's last word, to leave."""

_OPEN_INFERENCE = open_inference_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"]
_TYPED = inference_pb2.DESCRIPTOR.services_by_name["InferenceService"]

_OPTIONS = (
    # Both ways, what existing clients expect: a batch of tensors is easily over gRPC's default of 4 MB.
    ("grpc.max_send_message_length", 2**31 - 1),
    ("grpc.max_receive_message_length", 2**31 - 1),
    # Without this a second server would share the port in silence, and each would get half of the requests.
    ("grpc.so_reuseport", 0),
)


async def serve(
    runtime: Runtime, *, host: str, port: int, shared_memory: bool = False, on_ready: Callable[[int], None]
) -> None:
    """Serves until SIGTERM or SIGINT; returns when every accepted request is answered.

    With `shared_memory`, clients may leave inputs and find outputs in shared memory of this machine, which they name.
    `on_ready` is called with the port once requests are taken; port 0 lets the system choose one.

    Raises:
        AddressError: the address cannot be listened on.
    """
    admission = Admission()
    server = grpc.aio.server(options=_OPTIONS)
    server.add_generic_rpc_handlers(
        (
            handler(_OPEN_INFERENCE, OpenInferenceFront(runtime, admission, SharedMemory(enabled=shared_memory))),
            handler(_TYPED, TypedFront(runtime, admission)),
        )
    )
    health_servicer = await _add_health(server, admission.stopping)
    _add_reflection(server)
    bound = _bind(server, host, port)

    _stop_on_signals(admission)
    await server.start()
    on_ready(bound)
    await admission.stopping.wait()
    _LOG.info("Stopping: no new requests; finishing those accepted.")
    await health_servicer.enter_graceful_shutdown()
    # gRPC would refuse new calls with whatever status they happen to meet; until the last answer is out, we do it.
    await admission.drain(GRACE_SECONDS)
    await server.stop(_FAREWELL_SECONDS)


def _stop_on_signals(admission: Admission) -> None:
    """For the rest of the process's life: a second signal must not kill it while its last answers are on their way."""
    loop = asyncio.get_running_loop()

    def stop(*_: object) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(admission.stopping.set)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)


def _bind(server: grpc.aio.Server, host: str, port: int) -> int:
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    bound = 0
    try:
        _try_address(host, port)
        bound = server.add_insecure_port(address)
    except (OSError, RuntimeError) as error:
        raise AddressError(
            f"{address} cannot be listened on: {getattr(error, 'strerror', None) or error}; "
            "choose another with --grpc-port or --host."
        ) from error
    return bound


def _try_address(host: str, port: int) -> None:
    """Binds and lets go: an OSError says why the address cannot be had, which gRPC tells only its own log."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as trial:
        # As gRPC has it: a port is free also while connections of its last owner fade.
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        trial.bind(address)


class _HealthServicer(health.aio.HealthServicer):  # type: ignore[name-defined,misc]  # its stubs lack aio
    """Ends its watches when the server stops, which otherwise would wait for them."""

    def __init__(self, stopping: asyncio.Event) -> None:
        super().__init__()
        self._stopping = stopping

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Context) -> None:  # noqa: N802
        watching = asyncio.ensure_future(super().Watch(request, context))
        stopped = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait((watching, stopped), return_when=asyncio.FIRST_COMPLETED)
            # Long enough for the watch to tell its client that the server no longer serves.
            await asyncio.wait((watching,), timeout=_FAREWELL_SECONDS)
        finally:
            watching.cancel()
            stopped.cancel()


async def _add_health(server: grpc.aio.Server, stopping: asyncio.Event) -> _HealthServicer:
    servicer = _HealthServicer(stopping)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    for name in ("", _OPEN_INFERENCE.full_name, _TYPED.full_name):
        await servicer.set(name, health_pb2.HealthCheckResponse.SERVING)
    return servicer


def _add_reflection(server: grpc.aio.Server) -> None:
    """The services' descriptors live in two pools, ours and protobuf's default; reflection answers from one."""
    pool = DescriptorPool()
    for module in (model_config_pb2, open_inference_pb2, inference_pb2, health_pb2, reflection_pb2):
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    names = (_OPEN_INFERENCE.full_name, _TYPED.full_name, health.SERVICE_NAME, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server, pool)
