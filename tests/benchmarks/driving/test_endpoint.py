"""URLs of servers."""

import pytest

from tundish_bench.driving.endpoint import Endpoint, parse_endpoint
from tundish_bench.errors import BenchmarkError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:8001", Endpoint("grpc", "127.0.0.1", 8001)),
        ("grpc://a-host:1", Endpoint("grpc", "a-host", 1)),
        ("http://localhost:8000/", Endpoint("http", "localhost", 8000)),
        ("http://[::1]:8000", Endpoint("http", "::1", 8000)),
    ],
)
def test_what_is_read(text: str, expected: Endpoint) -> None:
    assert parse_endpoint(text) == expected
    assert parse_endpoint(str(expected)) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("https://host:1", "'https://host:1' is by 'https', which is not spoken here; give grpc://HOST:PORT"),
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
