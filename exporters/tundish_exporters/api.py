"""The public calls. They load PyTorch and transformers when they are called, so that importing them is cheap."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from tundish.manifest import (
    ClassificationPostprocess,
    ImagePreprocess,
    PoolingPostprocess,
    TaskName,
    TextPreprocess,
)
from tundish_exporters.errors import ExportError
from tundish_exporters.export_options import ExportOptions, RequestedPrecision
from tundish_exporters.progress import Progress, silent

if TYPE_CHECKING:
    import torch

    from tundish_exporters.exporting import Exported

PathLike = str | os.PathLike[str]

DEFAULT_THRESHOLD = 0.5
"""Of an object's score."""


def export_huggingface(
    directory: PathLike,
    *,
    task: TaskName,
    name: str,
    repository: PathLike,
    precision: RequestedPrecision = "auto",
    calibration: PathLike | None = None,
    evaluation: PathLike | None = None,
    max_drop: float = 0.005,
    threshold: float | None = None,
    progress: Progress = silent,
) -> Exported:
    """Exports a Hugging Face directory (config.json, safetensors, processor) to a bundle in `repository`.

    Args:
        directory: what `save_pretrained` wrote; nothing of it is executed, nothing is fetched.
        task: a Hugging Face pipeline task.
        name: of the model in the repository; the bundle becomes its next version.
        repository: directory of bundles; made if it is not there.
        precision: `auto` tries int8 and keeps fp32 beside it; `int8` fails unless int8 passes the gate.
        calibration: data to calibrate and compare on; see `tundish_exporters.data` for the forms.
        evaluation: labelled data for the gate.
        max_drop: the most accuracy that a variant may lose to the float model; 0.005 is half a percentage point.
        threshold: of object-detection, the score that an object must be above; 0.5, as in transformers' pipeline, if
            none is given.
        progress: called with what is being done, the steps done and the steps in all.

    Raises:
        ExportError: see `tundish_exporters.exporting.export`.
    """
    options = _options(name, repository, precision, calibration, evaluation, max_drop)
    _check_task(task)
    _check_threshold(task, threshold)
    _check_directory(Path(directory))  # before the frameworks, which take seconds to load

    from tundish_exporters.exporting import export
    from tundish_exporters.sources.huggingface import HuggingFaceSource

    progress("load the source", 0, 1)
    source = HuggingFaceSource(Path(directory), task, threshold=DEFAULT_THRESHOLD if threshold is None else threshold)
    progress("load the source", 1, 1)
    return export(source, options, progress)


def export_module(
    module: torch.nn.Module,
    example_inputs: Mapping[str, torch.Tensor],
    *,
    task: TaskName,
    preprocess: ImagePreprocess | TextPreprocess,
    postprocess: ClassificationPostprocess | PoolingPostprocess,
    name: str,
    repository: PathLike,
    tokenizer: PathLike | None = None,
    precision: RequestedPrecision = "auto",
    calibration: PathLike | None = None,
    evaluation: PathLike | None = None,
    max_drop: float = 0.005,
    progress: Progress = silent,
) -> Exported:
    """Exports any `nn.Module` to a bundle in `repository`.

    Args:
        module: returns one tensor: logits `[batch, labels]`, or token vectors `[batch, tokens, dimensions]`.
        example_inputs: the module's arguments by name, a batch of any size. For images: `pixel_values
            [n, 3, height, width] float32`; for texts `input_ids`, `attention_mask` and `token_type_ids`
            `[n, tokens] int64`, as needed.
        task: what the module was trained for.
        preprocess: how an image or a text becomes the inputs, as in training.
        postprocess: how the output becomes a result.
        name: see `export_huggingface`, as for what follows.
        repository: directory of bundles.
        tokenizer: for texts, a file in the `tokenizers` library's JSON form.
        precision: `auto`, `fp32` or `int8`.
        calibration: data to calibrate and compare on.
        evaluation: labelled data for the gate.
        max_drop: the most accuracy that a variant may lose.
        progress: called with what is being done, the steps done and the steps in all.

    Raises:
        ExportError: see `tundish_exporters.exporting.export`.
    """
    from tundish_exporters.exporting import export
    from tundish_exporters.sources.module import ModuleSource

    options = _options(name, repository, precision, calibration, evaluation, max_drop)
    _check_task(task)
    source = ModuleSource(
        module,
        example_inputs,
        task=task,
        preprocess=preprocess,
        postprocess=postprocess,
        tokenizer=None if tokenizer is None else Path(tokenizer),
    )
    return export(source, options, progress)


def _check_task(task: str) -> None:
    known = get_args(TaskName)
    if task not in known:
        raise ExportError(f"There is no task '{task}'; there are {', '.join(known)}.")


def _check_threshold(task: str, threshold: float | None) -> None:
    if threshold is None:
        return
    if task != "object-detection":
        raise ExportError(f"A threshold is for the objects of object-detection; {task} has none.")
    if not 0 <= threshold < 1:
        raise ExportError(f"A threshold is a score from 0 to below 1, got {threshold}.")


def _check_directory(directory: Path) -> None:
    if not (directory / "config.json").is_file():
        raise ExportError(f"{directory} is not a Hugging Face model: it has no config.json.")
    if not list(directory.glob("*.safetensors")):
        raise ExportError(
            f"{directory} has no .safetensors weights; save the model with save_pretrained(safe_serialization=True). "
            "Pickled weights are not read, because loading them can run code."
        )


def _options(
    name: str,
    repository: PathLike,
    precision: RequestedPrecision,
    calibration: PathLike | None,
    evaluation: PathLike | None,
    max_drop: float,
) -> ExportOptions:
    return ExportOptions(
        name=name,
        repository=Path(repository),
        precision=precision,
        calibration=None if calibration is None else Path(calibration),
        evaluation=None if evaluation is None else Path(evaluation),
        max_drop=max_drop,
    )
