"""The paths of the protocol's REST form, and what each asks of the Open Inference front."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tundish.errors import InvalidInputError, TundishError
from tundish.server.http import schemas
from tundish.server.http.answers import Endpoint, answering, as_json, http_error, json_response, outcome, unless_gone
from tundish.server.http.bodies import Bodies, compress
from tundish.server.http.inference import (
    HEADER_LENGTH,
    Question,
    raw_request,
    read_request,
    set_parameters,
    write_response,
)
from tundish.server.open_inference import OpenInferenceFront
from tundish.server.open_inference.requests import InferRequest
from tundish.server.waiting import on_loop
from tundish_proto import open_inference_pb2 as oip

Ask = Callable[[Request], Awaitable[Any]]


def make_app(front: OpenInferenceFront, registry: CollectorRegistry, *, max_body_bytes: int) -> Starlette:
    """The application; a request's body may have `max_body_bytes`, before and after its compression is undone.

    All that it holds at a time may have `BODIES_AT_A_TIME` times as many.
    """
    rest = _Rest(front, max_body_bytes)

    async def metrics(request: Request) -> Response:
        try:
            encode, media_type = choose_encoder(request.headers.get("accept", ""))
        except TypeError:  # of a version that is none
            encode, media_type = choose_encoder("")
        return Response(encode(registry), headers={"Content-Type": media_type})

    def of_model(path: str, endpoint: Endpoint, *methods: str) -> list[Route]:
        bases = ("/v2/models/{name}", "/v2/models/{name}/versions/{version}")
        return [Route(base + path, endpoint, methods=methods or ["GET"]) for base in bases]

    return Starlette(
        routes=[
            Route("/metrics", answering(metrics)),
            Route("/v2", _as_json(rest.server_metadata)),
            Route("/v2/health/live", _as_json(rest.live)),
            Route("/v2/health/ready", _as_json(rest.ready)),
            Route("/v2/models/stats", _as_json(rest.statistics)),
            *of_model("/infer", answering(rest.infer), "POST"),
            *of_model("", _as_json(rest.metadata)),
            *of_model("/ready", _as_json(rest.model_ready)),
            *of_model("/config", _as_json(rest.config)),
            *of_model("/stats", _as_json(rest.statistics)),
            Route("/v2/repository/index", _as_json(rest.index), methods=["POST"]),
            Route("/v2/repository/models/{name}/load", _as_json(rest.load), methods=["POST"]),
            Route("/v2/repository/models/{name}/unload", _as_json(rest.unload), methods=["POST"]),
            *_memory("/v2/systemsharedmemory", rest.system_status, rest.system_register, rest.system_unregister),
            *_memory("/v2/cudasharedmemory", rest.cuda_status, rest.cuda_register, rest.cuda_unregister),
            Route("/v2/trace/setting", _as_json(rest.trace_settings), methods=["GET", "POST"]),
            Route("/v2/models/{name}/trace/setting", _as_json(rest.trace_settings), methods=["GET", "POST"]),
            Route("/v2/logging", _as_json(rest.log_settings), methods=["GET", "POST"]),
        ],
        exception_handlers={HTTPException: http_error},
    )


def _as_json(ask: Ask) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        return json_response(await ask(request))

    return answering(endpoint)


def _memory(base: str, status: Ask, register: Ask, unregister: Ask) -> list[Route]:
    """Of one region, or of all where that makes sense."""
    one = f"{base}/region/{{region}}"
    return [
        *(Route(f"{place}/status", _as_json(status)) for place in (base, one)),
        Route(f"{one}/register", _as_json(register), methods=["POST"]),
        *(Route(f"{place}/unregister", _as_json(unregister), methods=["POST"]) for place in (base, one)),
    ]


class _Rest:
    """What is asked at each path; all but `infer` return what JSON holds."""

    def __init__(self, front: OpenInferenceFront, max_body_bytes: int) -> None:
        self._front = front
        self._bodies = Bodies(max_body_bytes)

    async def infer(self, request: Request) -> Response:
        asked = False
        try:
            async with self._bodies.read(request, self._bodies.largest) as body:
                question = await self._question(request, body)
                asked = True
                infer = on_loop(self._front.ModelInfer(InferRequest(question.message, question.raw_contents), None))
                answer = await unless_gone(request, infer)
        except (TundishError, HTTPException) as error:
            if not asked:
                self._front.count_refusal(request.path_params["name"], outcome(error))
            raise
        response = write_response(answer, question.binary)
        await compress(request, response)
        return response

    async def _question(self, request: Request, body: bytes) -> Question:
        header_length = request.headers.get(HEADER_LENGTH)
        if header_length == "0":
            model = await self._front.ModelMetadata(oip.ModelMetadataRequest(**_named(request)), None)
            question = raw_request(body, [(spec.name, spec.datatype, list(spec.shape)) for spec in model.inputs])
        else:
            question = read_request(body, header_length)
        question.message.model_name = request.path_params["name"]
        question.message.model_version = request.path_params.get("version", "")
        return question

    async def server_metadata(self, _: Request) -> Any:
        return as_json(await self._front.ServerMetadata(oip.ServerMetadataRequest(), None))

    async def live(self, _: Request) -> Any:
        return as_json(await self._front.ServerLive(oip.ServerLiveRequest(), None))

    async def ready(self, _: Request) -> Any:
        # The message says no more than whether it is; the error says why it is not.
        self._front.check_ready()
        return {"ready": True}

    async def metadata(self, request: Request) -> Any:
        return as_json(await self._front.ModelMetadata(oip.ModelMetadataRequest(**_named(request)), None))

    async def model_ready(self, request: Request) -> Any:
        # Only who answers has metadata; the error says why another does not.
        await self._front.ModelMetadata(oip.ModelMetadataRequest(**_named(request)), None)
        return {"ready": True}

    async def config(self, request: Request) -> Any:
        response = await self._front.ModelConfig(oip.ModelConfigRequest(**_named(request)), None)
        return as_json(response.config)

    async def statistics(self, request: Request) -> Any:
        return as_json(await self._front.ModelStatistics(oip.ModelStatisticsRequest(**_named(request)), None))

    async def index(self, request: Request) -> Any:
        wanted = await self._read(request, schemas.IndexRequest)
        index = await self._front.RepositoryIndex(oip.RepositoryIndexRequest(ready=wanted.ready), None)
        return as_json(index)["models"]

    async def load(self, request: Request) -> Any:
        message = oip.RepositoryModelLoadRequest(model_name=request.path_params["name"])
        set_parameters(message.parameters, (await self._read(request, schemas.ModelParameters)).parameters)
        return as_json(await on_loop(self._front.RepositoryModelLoad(message, None)))

    async def unload(self, request: Request) -> Any:
        message = oip.RepositoryModelUnloadRequest(model_name=request.path_params["name"])
        set_parameters(message.parameters, (await self._read(request, schemas.ModelParameters)).parameters)
        return as_json(await on_loop(self._front.RepositoryModelUnload(message, None)))

    async def system_status(self, request: Request) -> Any:
        message = oip.SystemSharedMemoryStatusRequest(name=_region(request))
        return list(as_json(await self._front.SystemSharedMemoryStatus(message, None))["regions"].values())

    async def system_register(self, request: Request) -> Any:
        region = await self._read(request, schemas.SystemRegion)
        message = oip.SystemSharedMemoryRegisterRequest(
            name=_region(request), key=region.key, offset=region.offset, byte_size=region.byte_size
        )
        return as_json(await self._front.SystemSharedMemoryRegister(message, None))

    async def system_unregister(self, request: Request) -> Any:
        message = oip.SystemSharedMemoryUnregisterRequest(name=_region(request))
        return as_json(await self._front.SystemSharedMemoryUnregister(message, None))

    async def cuda_status(self, request: Request) -> Any:
        message = oip.CudaSharedMemoryStatusRequest(name=_region(request))
        return list(as_json(await self._front.CudaSharedMemoryStatus(message, None))["regions"].values())

    async def cuda_register(self, request: Request) -> Any:
        region = await self._read(request, schemas.CudaRegion)
        message = oip.CudaSharedMemoryRegisterRequest(
            name=_region(request),
            raw_handle=region.raw_handle.b64,
            device_id=region.device_id,
            byte_size=region.byte_size,
        )
        return as_json(await self._front.CudaSharedMemoryRegister(message, None))

    async def cuda_unregister(self, request: Request) -> Any:
        message = oip.CudaSharedMemoryUnregisterRequest(name=_region(request))
        return as_json(await self._front.CudaSharedMemoryUnregister(message, None))

    async def trace_settings(self, request: Request) -> Any:
        message = oip.TraceSettingRequest(model_name=request.path_params.get("name", ""))
        for name, value in (await self._read(request, schemas.Settings)).values.items():
            # A level is a list; null clears a setting.
            texts = value if isinstance(value, list) else [] if value is None else [value]
            if not all(isinstance(text, str) for text in texts):
                raise InvalidInputError(f"The trace setting '{name}' must be a text, a list of texts or null.")
            message.settings[name].value.extend(texts)
        settings = (await self._front.TraceSetting(message, None)).settings
        return {
            name: list(setting.value) if name == "trace_level" else setting.value[0]
            for name, setting in sorted(settings.items())
        }

    async def log_settings(self, request: Request) -> Any:
        message = oip.LogSettingsRequest()
        for name, value in (await self._read(request, schemas.Settings)).values.items():
            setting = message.settings[name]
            if isinstance(value, bool):
                setting.bool_param = value
            elif isinstance(value, int) and 0 <= value < 2**32:
                setting.uint32_param = value
            elif isinstance(value, str):
                setting.string_param = value
            else:
                raise InvalidInputError(f"The log setting '{name}' must be true, false, a number or a text.")
        settings = (await self._front.LogSettings(message, None)).settings
        return {
            name: getattr(setting, setting.WhichOneof("parameter_choice") or "")
            for name, setting in sorted(settings.items())
        }

    async def _read(self, request: Request, schema: type[schemas.SchemaT]) -> schemas.SchemaT:
        async with self._bodies.read(request, min(self._bodies.largest, schemas.MAX_JSON_BYTES)) as body:
            return schemas.parse(schema, body)


def _named(request: Request) -> dict[str, str]:
    """The model and version of the path."""
    return {name: request.path_params[name] for name in ("name", "version") if name in request.path_params}


def _region(request: Request) -> str:
    """The region of the path; all of them have the empty name."""
    name: str = request.path_params.get("region", "")
    return name
