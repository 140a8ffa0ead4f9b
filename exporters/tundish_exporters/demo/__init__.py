"""`tundish demo`: the whole line on real models, from fine-tuning to an answered request."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from tundish.bundle import read_bundle, versions_in
from tundish.errors import BundleError
from tundish_exporters.api import export_huggingface, export_module
from tundish_exporters.cli import loading_frameworks, progress_bars
from tundish_exporters.demo.assets import PHOTOGRAPHS, default_cache, fetch
from tundish_exporters.errors import ExportError
from tundish_exporters.progress import Progress
from tundish_exporters.showing import show_export

if TYPE_CHECKING:
    from tundish_exporters.exporting import Exported

REVIEW_MODEL = "review-sentiment"
PHOTO_MODEL = "photo-labels"

_SEARCH_MINUTES = 1.0
"""Shows what a search does; an export of one's own takes five by default."""
_PHOTO_MAX_DROP = 0.02
"""A thousand views of twenty photographs tell a drop to about 0.6 points, its standard error: half a point, the default
bound, would be decided by chance."""

_TEXT = "A tense, beautifully shot thriller that never lets go of you."
_READY = re.compile(r"Serving gRPC on (\S+) and HTTP on (\S+?)\. ")
_STOP_SECONDS = 40


def demo(
    directory: Annotated[Path, typer.Option(help="Where the demo keeps its data and models.")] = Path(".demo"),
) -> None:
    """Fine-tune two real models, export them through the gate, serve them, and ask the server."""
    console = Console(highlight=False)
    repository = directory / "models"
    for name, export in ((REVIEW_MODEL, export_reviews), (PHOTO_MODEL, export_photographs)):
        console.rule(name)
        if _is_exported(repository, name):
            console.print(f"{repository / name} is there already; remove {directory} to begin anew.", markup=False)
            continue
        with loading_frameworks(), progress_bars(console) as progress:
            exported = export(directory / name, repository, progress)
        show_export(console, exported)

    photograph = sorted(fetch(PHOTOGRAPHS, default_cache()).rglob("*.jpg"))[0]
    console.rule("server")
    with _server(repository) as url:
        for arguments in ([PHOTO_MODEL, "--image", str(photograph)], [REVIEW_MODEL, "--text", _TEXT]):
            console.print(f"$ tundish infer {' '.join(arguments)}", markup=False, soft_wrap=True, style="bold")
            subprocess.run([*_tundish(), "infer", *arguments, "--url", url], check=True)  # noqa: S603

    command = Path(sys.argv[0]) if Path(sys.argv[0]).name == "tundish" else "tundish"
    console.rule("your turn")
    console.print(f"{command} serve {repository}", markup=False, soft_wrap=True)
    console.print("and in another terminal:", style="dim")
    console.print(
        f'{command} infer {REVIEW_MODEL} --text "Two hours that I will never get back."', markup=False, soft_wrap=True
    )
    console.print(f"{command} infer {PHOTO_MODEL} --image {photograph}", markup=False, soft_wrap=True)
    console.print(f"{command} models show {repository} {PHOTO_MODEL}", markup=False, soft_wrap=True)


def export_reviews(directory: Path, repository: Path, progress: Progress) -> Exported:
    """Fine-tunes MiniLM on film reviews below `directory`, and exports it."""
    from tundish_exporters.demo.reviews import fine_tune_reviews

    written = fine_tune_reviews(default_cache(), directory, progress)
    return export_huggingface(
        written.model,
        task="text-classification",
        name=REVIEW_MODEL,
        repository=repository,
        calibration=written.calibration,
        evaluation=written.evaluation,
        search_minutes=_SEARCH_MINUTES,
        progress=progress,
    )


def export_photographs(directory: Path, repository: Path, progress: Progress) -> Exported:
    """Exports MobileNetV2 with ImageNet's own head, evaluated on views of real photographs below `directory`."""
    import torch

    from tundish_exporters.demo.photographs import GROUP_COLUMN, PREPROCESS, prepare_photographs

    model = prepare_photographs(default_cache(), directory, progress)
    return export_module(
        model.network,
        {"pixel_values": torch.zeros(1, 3, *PREPROCESS.size)},
        task="image-classification",
        preprocess=PREPROCESS,
        postprocess=model.postprocess,
        name=PHOTO_MODEL,
        repository=repository,
        calibration=model.calibration,
        evaluation=model.evaluation,
        group_column=GROUP_COLUMN,
        max_drop=_PHOTO_MAX_DROP,
        search_minutes=0,  # twenty photographs are too few to choose by one half of their views and judge by the other
        progress=progress,
    )


def _is_exported(repository: Path, name: str) -> bool:
    versions = versions_in(repository / name)
    try:
        return bool(versions) and bool(read_bundle(repository / name / str(versions[-1])))
    except BundleError:
        return False


@contextmanager
def _server(repository: Path) -> Iterator[str]:
    """A server process of the repository, on ports of the system's choice; stopped on leaving."""
    command = [*_tundish(), "serve", str(repository), "--grpc-port", "0", "--http-port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            yield _url_of(process)
        finally:
            process.terminate()
            process.wait(_STOP_SECONDS)


def _url_of(process: subprocess.Popen[str]) -> str:
    """Shows what the server says until it says where it listens."""
    assert process.stdout is not None
    for line in process.stdout:
        print(line, end="")
        if match := _READY.search(line):
            return match[1]
    raise ExportError("The server ended before it was ready; what it said stands above.")


def _tundish() -> list[str]:
    return [sys.executable, "-m", "tundish"]
