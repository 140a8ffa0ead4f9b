"""The demo's models and data, as the benchmarks of servers use them; what is not there yet is made below a scratch."""

from __future__ import annotations

import itertools
import random
import shutil
from pathlib import Path

from rich.console import Console

from tundish.bundle import Bundle, publish_bundle, read_single_bundle, staged_bundle, versions_in
from tundish.manifest import Manifest, Variant
from tundish.placement.machine import usable_cores
from tundish.placement.placement import Placement, unmeasured
from tundish.placement.store import PlacementStore
from tundish.tasks.registry import load_task
from tundish_bench.errors import BenchmarkError
from tundish_exporters.api import export_huggingface
from tundish_exporters.cli import loading_frameworks, progress_bars
from tundish_exporters.demo import PHOTO_MODEL, REVIEW_MODEL, export_photographs
from tundish_exporters.demo.assets import PHOTOGRAPHS, REVIEWS, default_cache, fetch
from tundish_exporters.demo.corpus import read_corpus

DEMO_REPOSITORY = Path(".demo/models")

_REVIEW_CHECKPOINT = Path(".demo") / REVIEW_MODEL
_REVIEW_MAX_DROP = 0.05
"""Of an export for the benchmark alone: its answers need not be good, but the same from all servers' one file."""

_SEED = 0
_PLOT_SHARE = 0.4
"""Of the texts: so that half have 35 tokens or less, and one in ten has 140 or more; snippets alone are short."""
_LEAST_TOKENS, _MOST_TOKENS = 8, 256


def photograph_paths() -> list[Path]:
    """Twenty JPEG files of 512 x 512 pixels."""
    return sorted(fetch(PHOTOGRAPHS, default_cache()).rglob("*.jpg"))


def photo_repository(repository: Path | None, scratch: Path, console: Console) -> Path:
    """The repository that was asked for, else the demo's; if there is none, one below `scratch`, exported to now."""
    if repository or versions_in(DEMO_REPOSITORY / PHOTO_MODEL):
        return repository or DEMO_REPOSITORY
    exported = scratch / "photo-export"
    with loading_frameworks(), progress_bars(console) as progress:
        export_photographs(scratch / PHOTO_MODEL, exported, progress)
    return exported


def review_repository(repository: Path | None, scratch: Path, console: Console, *, int8: bool = True) -> Path:
    """The repository that was asked for, else the demo's, else one exported now; with `int8`, if that passed its gate.

    What is made lies below `scratch`, and is of the demo's checkpoint, or of one that is fine-tuned for it.
    """
    if repository:
        return repository
    is_there = bool(versions_in(DEMO_REPOSITORY / REVIEW_MODEL))
    if is_there and (not int8 or _onnx_int8(newest_bundle(DEMO_REPOSITORY, REVIEW_MODEL))):
        return DEMO_REPOSITORY
    exported = scratch / "review-export"
    console.print(
        f"{DEMO_REPOSITORY} has no {REVIEW_MODEL} whose int8 variant passed the gate; one is exported for this "
        f"benchmark, which may lose {100 * _REVIEW_MAX_DROP:g} points of accuracy.",
        soft_wrap=True,
    )
    with loading_frameworks(), progress_bars(console) as progress:
        from tundish_exporters.demo.reviews import FineTunedReviews, fine_tune_reviews

        written = FineTunedReviews.at(_REVIEW_CHECKPOINT)
        if not written.model.is_dir():
            written = fine_tune_reviews(default_cache(), scratch / REVIEW_MODEL, progress)
        export_huggingface(
            written.model,
            task="text-classification",
            name=REVIEW_MODEL,
            repository=exported,
            calibration=written.calibration,
            search_minutes=0,
            evaluation=written.calibration,  # a fifth of the texts, and so of the time
            max_drop=_REVIEW_MAX_DROP,
            progress=progress,
        )
    return exported


def int8_bundle(repository: Path, model: str, destination: Path) -> Bundle:
    """A model's newest version with one variant alone, int8 by ONNX Runtime, as a new repository at `destination`.

    Servers are compared, not engines: all run this file.

    Raises:
        BenchmarkError: the repository has no such model, or the variant did not pass its gate.
    """
    bundle = newest_bundle(repository, model)
    variants = _onnx_int8(bundle)
    if not variants:
        raise BenchmarkError(
            f"{bundle.directory} has no int8 variant by ONNX Runtime that may be served; export it anew."
        )
    return copied_bundle(bundle, bundle.manifest.model_copy(update={"variants": variants}), destination)


def copied_bundle(bundle: Bundle, manifest: Manifest, destination: Path) -> Bundle:
    """The bundle with another manifest, of another name or fewer variants, in the repository at `destination`."""
    with staged_bundle(destination, manifest.model) as staging:
        for file in manifest.files:
            (staging / file.path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(bundle.path(file), staging / file.path)
        return publish_bundle(staging, manifest)


def newest_bundle(repository: Path, model: str) -> Bundle:
    """The highest version of a model.

    Raises:
        BenchmarkError: the repository has none.
    """
    versions = versions_in(repository / model)
    if not versions:
        raise BenchmarkError(f"{repository} holds no model '{model}'; run tundish demo, or leave --repository out.")
    return read_single_bundle(repository / model / str(versions[-1]))


def repository_of(directory: Path, *bundles: Bundle) -> Path:
    """A new repository at `directory` of just these bundles, by links: without what was measured in theirs before."""
    for bundle in bundles:
        model = directory / bundle.manifest.model
        model.mkdir(parents=True)
        (model / str(bundle.manifest.version)).symlink_to(bundle.directory.resolve(), target_is_directory=True)
    return directory


def placement_of(repository: Path, bundle: Bundle) -> Placement:
    """How a server of the repository that has been ready once runs the bundle on this machine."""
    choice = PlacementStore(repository).find(bundle.manifest)
    return choice.placement if choice else unmeasured(bundle.manifest, usable_cores())


def review_texts(bundle: Bundle, count: int) -> list[str]:
    """So many texts of film reviews and plots, of 8 to 256 tokens by the bundle's tokenizer; always the same ones."""
    rows = read_corpus(fetch(REVIEWS, default_cache()))
    draw = random.Random(_SEED)
    snippets = [row["text"].strip() for row in rows if row["category"] != "plot"]
    plots = [row["text"].strip() for row in rows if row["category"] == "plot"]
    draw.shuffle(snippets)
    draw.shuffle(plots)
    task = load_task(bundle.manifest, bundle.directory)

    def fits(text: str) -> bool:
        item = task.prepare(text.encode())
        return not item.truncated and _LEAST_TOKENS <= task.length(item) <= _MOST_TOKENS

    wanted_plots = round(count * _PLOT_SHARE)
    texts = [
        *itertools.islice(filter(fits, snippets), count - wanted_plots),
        *itertools.islice(filter(fits, plots), wanted_plots),
    ]
    if len(texts) < count:
        raise BenchmarkError(f"The corpus has only {len(texts)} such texts, fewer than {count}; ask for fewer.")
    draw.shuffle(texts)
    return texts


def _onnx_int8(bundle: Bundle) -> tuple[Variant, ...]:
    """The one variant that servers are compared with, or none."""
    return tuple(each for each in bundle.manifest.servable if (each.engine, each.precision) == ("onnx", "int8"))
