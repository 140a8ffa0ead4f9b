"""A server of hand-made bundles, which starts in a second and answers in a millisecond."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import tritonclient.grpc as triton
from support.bundles import make_bundle
from support.server_process import ServerProcess


@pytest.fixture(scope="module")
def colors_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`colors` in the versions 1 and 3."""
    root = tmp_path_factory.mktemp("colors")
    make_bundle(root)
    make_bundle(root, version=3)
    return root


@pytest.fixture(scope="module")
def colors(colors_repository: Path) -> Iterator[ServerProcess]:
    """Serves it; still running when the tests are done."""
    with ServerProcess(colors_repository) as process:
        yield process
        assert process.running, process.output


@pytest.fixture
def client(colors: ServerProcess) -> Iterator[triton.InferenceServerClient]:
    """NVIDIA's client, unmodified."""
    with triton.InferenceServerClient(colors.url) as connection:
        yield connection
