"""What of a public call can be refused before PyTorch and transformers are loaded, which takes seconds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from tundish.manifest import MAX_LISTED, Aggregation, Subtask, TaskName
from tundish_exporters.errors import ExportError
from tundish_exporters.export_options import PathLike
from tundish_exporters.sources.adapters import CONFIG, check_adapter, find_base, is_adapter


def check_choice(name: str, value: object, task: str, tasks: Sequence[str]) -> None:
    """Raises ExportError if a value is given that belongs to other tasks."""
    if value is not None and task not in tasks:
        raise ExportError(f"{name} is for {' and '.join(tasks)}, not for {task}; leave it out.")


def check_task(task: str) -> None:
    """Raises ExportError if there is no such task."""
    known = get_args(TaskName)
    if task not in known:
        raise ExportError(f"There is no task '{task}'; there are {', '.join(known)}.")


def check_threshold(task: str, threshold: float | None) -> None:
    """Raises ExportError unless the task has scores that this can bound; None is always right."""
    if threshold is None:
        return
    if task not in ("object-detection", "image-segmentation"):
        raise ExportError(f"A threshold is for the objects or segments of an image; {task} has none.")
    if not 0 <= threshold < 1:
        raise ExportError(f"A threshold is a score from 0 to below 1, got {threshold}.")


def check_subtask(task: str, subtask: str | None) -> None:
    """Raises ExportError unless the task has this subtask; None is always right."""
    if subtask is None:
        return
    if task != "image-segmentation":
        raise ExportError(f"A subtask is one of image-segmentation; {task} has none.")
    known = get_args(Subtask)
    if subtask not in known:
        raise ExportError(f"There is no subtask '{subtask}'; there are {', '.join(known)}.")


def check_aggregation(task: str, aggregation: str | None) -> None:
    """Raises ExportError unless the task joins tokens so; None is always right."""
    if aggregation is None:
        return
    if task != "token-classification":
        raise ExportError(f"An aggregation is for the tokens of token-classification; {task} joins none.")
    known = get_args(Aggregation)
    if aggregation not in known:
        raise ExportError(f"There is no aggregation '{aggregation}'; there are {', '.join(known)}.")


def check_candidates(task: str, labels: Sequence[str] | None, template: str | None) -> None:
    """Raises ExportError unless labels are given where the task needs them, and nowhere else."""
    if task != "zero-shot-image-classification":
        if labels is not None or template is not None:
            raise ExportError(
                f"Candidate labels and their template are for zero-shot-image-classification, not {task}."
            )
        return
    if not labels:
        raise ExportError(f"{task} compares images with labels: pass --candidate-labels 'a crack, a dent'.")
    check_template(template)


def check_template(template: str | None) -> None:
    """Raises ExportError unless a template has one place for the label; None is always right."""
    if template is not None and (template.count("{}") != 1 or {"{", "}"} & set(template.replace("{}", ""))):
        raise ExportError(f"The template '{template}' must have one {{}}, where the label comes, and no other brace.")


def check_top_k(top_k: int | None) -> None:
    """Raises ExportError unless a result may list so many; None is always right."""
    if top_k is not None and not 1 <= top_k <= MAX_LISTED:
        raise ExportError(f"top_k is a number of answers or tokens from 1 to {MAX_LISTED}, got {top_k}.")


def is_promptable(directory: Path) -> bool:
    """Whether a directory is that of Segment Anything, by its configuration."""
    try:
        config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False  # which the export says in its own words
    return isinstance(config, dict) and config.get("model_type") == "sam"


def check_directory(directory: Path, base: PathLike | None) -> None:
    """Raises ExportError unless this is a model's directory, or an adapter's whose base is one; needs no framework."""
    if is_adapter(directory):
        check_adapter(directory)
        check_directory(find_base(directory, None if base is None else Path(base)), None)
        return
    if base is not None:
        raise ExportError(f"{directory} is no adapter, it has no {CONFIG}; leave the base {base} out.")
    if not (directory / "config.json").is_file():
        if not directory.exists():
            raise ExportError(f"There is no directory {directory}; models are not fetched by name, download it first.")
        raise ExportError(f"{directory} is not a Hugging Face model: it has no config.json.")
    if not [*directory.glob("*.safetensors"), *directory.glob("pytorch_model*.bin")]:
        raise ExportError(
            f"{directory} has no weights, neither .safetensors nor pytorch_model.bin; write them with save_pretrained."
        )
