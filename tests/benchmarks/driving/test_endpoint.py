"""URLs of servers."""

import pytest

from tundish_bench.driving.endpoint import Endpoint, Tls, parse_endpoint
from tundish_bench.errors import BenchmarkError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:8001", Endpoint("grpc", "127.0.0.1", 8001)),
        ("grpc://a-host:1", Endpoint("grpc", "a-host", 1)),
        ("http://localhost:8000/", Endpoint("http", "localhost", 8000)),
        ("http://[::1]:8000", Endpoint("http", "::1", 8000)),
        ("https://a-host:443", Endpoint("http", "a-host", 443, Tls())),
        ("grpcs://a-host:443", Endpoint("grpc", "a-host", 443, Tls())),
    ],
)
def test_what_is_read(text: str, expected: Endpoint) -> None:
    assert parse_endpoint(text) == expected
    assert parse_endpoint(str(expected)) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ws://host:1", "'ws://host:1' is by 'ws', which is not spoken here; give grpc://HOST:PORT"),
        ("host", "'host' is no address of a server"),
        ("grpc://host:70000", "is no address"),
        ("http://host:80/v2/models", "is no address"),
        ("http://user:word@host:80", "is no address"),
        ("", "is no address"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(BenchmarkError, match=message):
        parse_endpoint(text)


@pytest.mark.parametrize(
    ("text", "authorities", "message"),
    [
        ("http://host:80", "", "is in plain text, and certificates are for grpcs:// and https://"),
        ("https://host:80", "no PEM", "The certificates are not readable as PEM"),
        ("grpcs://host:80", "", "The certificates are not readable as PEM"),
    ],
)
def test_certificates_that_are_none_are_refused(text: str, authorities: str, message: str) -> None:
    with pytest.raises(BenchmarkError, match=message):
        parse_endpoint(text, authorities=authorities)
