"""A bare gRPC server that gives every question the same answer: the floor of the transport.

`python -m tundish_bench.echo PORT` serves `ModelInfer` of the Open Inference Protocol on the loopback, with the event
loop, the options and the generated messages of tundish's own server, and nothing behind them.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import grpc
import uvloop

from tundish_bench.processes import HOST, ServerProcess, free_port
from tundish_proto import open_inference_pb2 as oip
from tundish_proto.open_inference_pb2_grpc import (
    GRPCInferenceServiceServicer,
    add_GRPCInferenceServiceServicer_to_server,
)

_LABEL = b"a label"
_TOP_K = 5
_ANSWER = {
    "label": ("BYTES", _TOP_K * (len(_LABEL).to_bytes(4, "little") + _LABEL)),
    "score": ("FP32", struct.pack(f"<{_TOP_K}f", *[0.2] * _TOP_K)),
}
"""As large as what an image classifier answers."""


class _Echo(GRPCInferenceServiceServicer):
    async def ServerReady(self, request: oip.ServerReadyRequest, context: object) -> oip.ServerReadyResponse:
        return oip.ServerReadyResponse(ready=True)

    async def ModelInfer(self, request: oip.ModelInferRequest, context: object) -> oip.ModelInferResponse:
        response = oip.ModelInferResponse(model_name=request.model_name, model_version="1", id=request.id)
        for name, (datatype, raw) in _ANSWER.items():
            response.outputs.add(name=name, datatype=datatype, shape=[1, _TOP_K])
            response.raw_output_contents.append(raw)
        return response


def echo_server(name: str, log: Path) -> ServerProcess:
    """This file's server, as a process."""
    port = free_port()
    return ServerProcess(name, [sys.executable, "-m", "tundish_bench.echo", str(port)], port=port, log=log)


async def _serve(port: int) -> None:
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    add_GRPCInferenceServiceServicer_to_server(_Echo(), server)
    server.add_insecure_port(f"{HOST}:{port}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
