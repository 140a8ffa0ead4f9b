"""The server process: binds the address, serves the fronts until it is told to stop, then finishes what it accepted."""

from __future__ import annotations

import asyncio
import logging
import resource
import signal
from collections.abc import Callable

from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health, health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc
from starlette.applications import Starlette

from tundish.errors import UnsupportedError
from tundish.memory import keep_for_good
from tundish.runtime import Runtime
from tundish.server.addresses import bound_socket, explaining, written
from tundish.server.admission import Admission
from tundish.server.grpc_server import GrpcServer
from tundish.server.health import FAREWELL_SECONDS, add_health
from tundish.server.http import Listener, make_app
from tundish.server.metrics import make_registry
from tundish.server.open_inference import OpenInferenceFront
from tundish.server.open_inference.requests import parse_request
from tundish.server.services import Handlers, streams, unary_methods
from tundish.server.shared_memory import SharedMemory
from tundish.server.typed import TypedFront
from tundish_proto import model_config_pb2, open_inference_pb2
from tundish_proto.v1 import inference_pb2

_LOG = logging.getLogger(__name__)

GRACE_SECONDS = 30.0
"""How long accepted requests may take to finish once the server is told to stop."""

_LEAST_FILES = 64
"""An idle server has 20 to 30 open; without any left it would neither answer nor stop, and say nothing."""

_HOLD_SECONDS = 0.03
"""How long refusals are held back before and after connections begin to close; callers ask again sooner than that."""

_OPEN_INFERENCE = open_inference_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"]
_TYPED = inference_pb2.DESCRIPTOR.services_by_name["InferenceService"]

_PARSERS = {"ModelInfer": parse_request, "ModelStreamInfer": parse_request}

_OPTIONS = (
    # Both ways, what existing clients expect: a batch of tensors is easily over gRPC's default of 4 MB.
    ("grpc.max_send_message_length", 2**31 - 1),
    ("grpc.max_receive_message_length", 2**31 - 1),
    # Without this a second server would share the port in silence, and each would get half of the requests.
    ("grpc.so_reuseport", 0),
)


async def serve(
    runtime: Runtime,
    *,
    host: str,
    grpc_port: int,
    http_port: int,
    shared_memory: bool,
    max_http_body_bytes: int,
    on_ready: Callable[[str, str], None],
) -> None:
    """Serves until SIGTERM, SIGINT or SIGHUP; returns when every accepted request is answered.

    With `shared_memory`, clients may leave inputs and find outputs in shared memory of this machine, which they name.
    `on_ready` is called with the addresses of gRPC and HTTP once requests are taken; port 0 lets the system choose one.

    Raises:
        AddressError: an address cannot be listened on.
    """
    admission = Admission()
    open_inference = OpenInferenceFront(runtime, admission, SharedMemory(enabled=shared_memory))
    fronts = ((_OPEN_INFERENCE, open_inference), (_TYPED, TypedFront(runtime, admission)))
    handlers = Handlers(*(streams(service, front, _PARSERS) for service, front in fronts))
    names = (_OPEN_INFERENCE.full_name, _TYPED.full_name)
    health_servicer = add_health(handlers, names, open_inference.check_ready, admission.stopping)
    _add_reflection(handlers)
    server = GrpcServer(
        {
            path: method
            for service, front in fronts
            for path, method in unary_methods(service, front, admission, _PARSERS)
        },
        handlers,
        loop=asyncio.get_running_loop(),
        options=_OPTIONS,
    )
    bound_grpc = _bind(server, host, grpc_port)
    app = make_app(open_inference, make_registry(runtime), max_body_bytes=max_http_body_bytes)
    http, bound_http = _bind_http(app, host, http_port)

    _stop_on_signals(admission)
    server.start()
    await http.start()
    following = asyncio.ensure_future(health_servicer.follow())
    keep_for_good()
    on_ready(written(host, bound_grpc), written(host, bound_http))
    await admission.stopping.wait()
    _LOG.info("Stopping: no new requests; finishing those accepted.")
    await following
    # gRPC would refuse new calls with whatever status they happen to meet; until the last answer is out, we do it.
    await admission.drain(GRACE_SECONDS)
    await asyncio.sleep(_HOLD_SECONDS)
    closing = asyncio.gather(server.stop(FAREWELL_SECONDS), http.stop())
    await asyncio.sleep(_HOLD_SECONDS)
    admission.leaving.set_result(None)
    await closing


def allow_many_connections() -> None:
    """A connection is a file descriptor: a process has a thousand, unless it asks for as many as it may have.

    Raises:
        UnsupportedError: it may have less than `_LEAST_FILES`.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < _LEAST_FILES:
        raise UnsupportedError(
            f"A server needs {_LEAST_FILES} open files at least, and this process may have {most}; raise its hard "
            "limit (`ulimit -n 4096`, or LimitNOFILE= of systemd)."
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _stop_on_signals(admission: Admission) -> None:
    """For the rest of the process's life: a second signal must not kill it while its last answers are on their way.

    A terminal that is closed sends SIGHUP; who has had it ignored, as `nohup` does, means the server to go on.
    """
    loop = asyncio.get_running_loop()

    def stop(*_: object) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(admission.stopping.set)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, stop)


def _bind(server: GrpcServer, host: str, port: int) -> int:
    with explaining(host, port, "--grpc-port"):
        # Tried first: why an address cannot be had, gRPC tells only its own log.
        bound_socket(host, port).close()
        return server.bind(written(host, port))


def _bind_http(app: Starlette, host: str, port: int) -> tuple[Listener, int]:
    with explaining(host, port, "--http-port"):
        bound = bound_socket(host, port)
        # So that no other can have it as well.
        bound.listen()
    return Listener(app, bound), bound.getsockname()[1]


def _add_reflection(handlers: Handlers) -> None:
    """The services' descriptors live in two pools, ours and protobuf's default; reflection answers from one."""
    pool = DescriptorPool()
    for module in (model_config_pb2, open_inference_pb2, inference_pb2, health_pb2, reflection_pb2):
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    names = (_OPEN_INFERENCE.full_name, _TYPED.full_name, health.SERVICE_NAME, reflection.SERVICE_NAME)
    servicer = reflection.aio.ReflectionServicer(names, pool=pool)  # type: ignore[attr-defined]  # its stubs lack aio
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, handlers)
