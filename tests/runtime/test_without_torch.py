"""The wheel, alone in a new environment with ONNX Runtime: what an edge box has. No PyTorch, and it serves."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pytest
from support.bundles import make_bundle
from support.commands import run_tundish
from support.images import encoded
from support.server_process import ServerProcess

import tundish

ROOT = Path(__file__).parents[2]
BUILD_REQUIREMENTS = ("scikit_build_core", "nanobind", "grpc_tools", "google.protobuf")
LEFT_AT_HOME = ("torch", "transformers", "optimum", "onnx", "sympy", "tritonclient", "sentence_transformers")
TEXT = "A tense, beautifully shot thriller that never lets go of you."

pytestmark = pytest.mark.timeout(600)


def run(*command: str | Path) -> str:
    ran = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=ROOT, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from this checkout in the build directory of `make install`, where little is left to build."""
    directory = tmp_path_factory.mktemp("wheel")
    importable = all(importlib.util.find_spec(name) for name in BUILD_REQUIREMENTS)
    run(
        *(sys.executable, "-m", "pip", "wheel", ROOT, "--no-deps", "--wheel-dir", directory),
        *(["--no-build-isolation"] if importable else []),
    )
    (path,) = directory.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a new environment that holds the wheel with its extra `cpu`, and nothing else."""
    directory = tmp_path_factory.mktemp("edge-box")
    venv.create(directory)
    executable = directory / "bin" / "python"
    run(
        *(sys.executable, "-m", "pip", "--python", executable, "install", "--no-compile"),
        *("--constraint", ROOT / "constraints.txt", f"tundish[cpu] @ {wheel.as_uri()}"),
    )
    return executable


def test_the_environment_holds_what_is_installed_and_not_this_checkout(python: Path) -> None:
    found = run(python, "-I", "-c", "import tundish; print(tundish.__version__, tundish.__file__)").split()
    assert found[0] == tundish.__version__
    assert Path(found[1]).is_relative_to(python.parents[1])


@pytest.mark.parametrize("package", LEFT_AT_HOME)
def test_what_exports_models_is_not_there(python: Path, package: str) -> None:
    script = f"import importlib.util; print(importlib.util.find_spec({package!r}))"
    assert run(python, "-I", "-c", script) == "None\n"


def test_the_command_lists_what_it_can_do_without_the_exporter(python: Path) -> None:
    ran = run_tundish("--help", executable=python)
    assert ran.returncode == 0, ran.stderr
    for command in ("serve", "infer", "models"):
        assert re.search(rf"\b{command}\b", ran.stdout)


def test_an_export_says_what_to_install(python: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("config.json", "model.safetensors"):
        (source / name).touch()
    ran = run_tundish(
        *("export", source, "--task", "text-classification", "--name", "any", "--repository", tmp_path / "models"),
        executable=python,
    )
    assert ran.returncode in (1, 2)
    assert "tundish[export]" in " ".join(ran.stderr.split())
    assert "Traceback" not in ran.stderr


def test_it_serves_an_image_and_a_text(
    python: Path, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = tmp_path / "models"
    make_bundle(models)
    shutil.copytree(repository / "sentiment", models / "sentiment")
    image = tmp_path / "image.png"
    image.write_bytes(encoded("green"))

    monkeypatch.setattr(sys, "executable", str(python))  # what server processes are started with
    with ServerProcess(models) as process:

        def infer(*arguments: str | Path) -> dict[str, Any]:
            ran = run_tundish("infer", *arguments, "--url", process.url, "--json", executable=python)
            assert ran.returncode == 0, ran.stderr
            answer: dict[str, Any] = json.loads(ran.stdout)
            return answer

        assert infer("colors", "--image", image)["labels"][0]["name"] == "green"
        labels = infer("sentiment", "--text", TEXT)["labels"]
        assert str(python.parents[1]) in Path(f"/proc/{process.pid}/cmdline").read_text()
    with tundish.open(models, instances=1) as here:
        expected = here.predict("sentiment", text=TEXT).result
    assert isinstance(expected, tundish.TextClassification)
    assert [label["name"] for label in labels] == [label.name for label in expected.labels]
    assert [label["score"] for label in labels] == pytest.approx([label.score for label in expected.labels], abs=1e-6)
