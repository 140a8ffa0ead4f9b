"""Servers that are reached by TLS, as most are beyond one machine, and that let in who has a key."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest
import trustme
from support.delayed_server import KEY

from tundish_bench.driving.contents import Wanted
from tundish_bench.driving.endpoint import Endpoint, WireName, parse_endpoint
from tundish_bench.driving.load import Closed
from tundish_bench.driving.measuring import Plan
from tundish_bench.driving.session import open_session
from tundish_bench.errors import BenchmarkError
from tundish_bench.processes import free_port
from tundish_bench.reports import Row

PLAN = Plan(repeats=2, seconds=2.0, most_warm_up_seconds=1.0)
WIRES: tuple[WireName, ...] = ("grpc", "http")


class Front:
    """Ends TLS for servers behind it, as a proxy does, on a thread of its own."""

    def __init__(self, authority: trustme.CA) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.set_alpn_protocols(["h2", "http/1.1"])
        authority.issue_cert("localhost", "127.0.0.1").configure_cert(self._context)
        self._servers: list[asyncio.Server] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def before(self, endpoint: Endpoint) -> int:
        """The port that leads to it."""
        port = free_port()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            behind_reader, behind_writer = await asyncio.open_connection(endpoint.host, endpoint.port)
            await asyncio.gather(_pump(reader, behind_writer), _pump(behind_reader, writer))

        serving = asyncio.start_server(accept, "127.0.0.1", port, ssl=self._context)
        self._servers.append(asyncio.run_coroutine_threadsafe(serving, self._loop).result(10))
        return port

    def close(self) -> None:
        async def end() -> None:
            for server in self._servers:
                server.close()
            pumps = asyncio.all_tasks() - {asyncio.current_task()}
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(2**16):
            writer.write(data)
            await writer.drain()
    writer.close()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def urls(authority: trustme.CA, endpoints: dict[WireName, Endpoint]) -> Iterator[dict[WireName, str]]:
    """Of the server of known delays, by TLS."""
    front = Front(authority)
    yield {wire: f"{wire}s://localhost:{front.before(endpoint)}" for wire, endpoint in endpoints.items()}
    front.close()


def certificates(authority: trustme.CA) -> str:
    return authority.cert_pem.bytes().decode()


def measured(endpoint: Endpoint, model: str) -> Row:
    session = open_session(endpoint, model, Wanted(), timeout_seconds=10)
    return session.measure(Closed(3), PLAN)


@pytest.mark.parametrize("wire", WIRES)
def test_a_server_behind_tls_is_loaded(urls: dict[WireName, str], authority: trustme.CA, wire: WireName) -> None:
    endpoint = parse_endpoint(urls[wire], authorities=certificates(authority))
    assert str(endpoint) == urls[wire]
    figure = measured(endpoint, f"fixed-tls-{wire}").figure("p50")
    assert figure is not None
    assert figure.value == pytest.approx(400, rel=0.2)


@pytest.mark.parametrize("wire", WIRES)
def test_a_server_that_nobody_vouches_for_is_asked_nothing(urls: dict[WireName, str], wire: WireName) -> None:
    stranger = certificates(trustme.CA())
    for authorities in (None, stranger):
        endpoint = parse_endpoint(urls[wire], authorities=authorities)
        with pytest.raises(BenchmarkError, match=r"(?i)s://localhost:\d+ does not say .* certificate"):
            open_session(endpoint, "fixed", Wanted(), timeout_seconds=10)


@pytest.mark.parametrize("wire", WIRES)
def test_headers_go_with_every_request(endpoints: dict[WireName, Endpoint], wire: WireName) -> None:
    without = endpoints[wire]
    with pytest.raises(BenchmarkError, match=r"Who are you\?"):
        open_session(without, "guarded", Wanted(), timeout_seconds=10)
    given = parse_endpoint(str(without), headers=[KEY])
    assert KEY[1] not in repr(given), "what lets one in is in no log"
    row = measured(given, "guarded")
    assert row.figure("p50") is not None
    errors = row.figure("errors")
    assert errors is None or errors.value == 0
