"""`tundish export`: a checkpoint in, a bundle out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from tundish.cli.rendering import slices_table, variants_table
from tundish.manifest import MAX_LISTED, Aggregation, Manifest, Subtask, TaskName
from tundish_exporters.api import export_huggingface, export_onnx
from tundish_exporters.errors import ExportError
from tundish_exporters.export_options import RequestedPrecision
from tundish_exporters.onnx_flags import (
    ActivationFlag,
    AnchorsFlag,
    BackgroundFlag,
    BoxFormFlag,
    BoxUnitFlag,
    ClassAgnosticFlag,
    ColorFlag,
    InterpolationFlag,
    IouFlag,
    LabelsFlag,
    LayoutFlag,
    MeanFlag,
    NmsFlag,
    PaddingFlag,
    ResizeFlag,
    ScaleFlag,
    SizeFlag,
    StdFlag,
    is_onnx,
    read_hints,
)
from tundish_exporters.progress import Progress

if TYPE_CHECKING:
    from tundish_exporters.exporting import Exported

_TASKS = ", ".join(get_args(TaskName))
_FEW_SAMPLES = 100
"""Below so many, one sample is more than a point."""
_HUGGING_FACE = "Hugging Face sources"


def export(
    source: Annotated[
        Path,
        typer.Argument(
            help="Hugging Face directory (a model with its processor, or a PEFT adapter), or an .onnx file."
        ),
    ],
    task: Annotated[TaskName, typer.Option(metavar="TASK", help=f"What the model was fine-tuned for: {_TASKS}.")],
    name: Annotated[str, typer.Option(help="Name of the model in the repository.")],
    repository: Annotated[Path, typer.Option(help="Directory of bundles; made if it is not there.")] = Path("models"),
    precision: Annotated[
        RequestedPrecision, typer.Option(help="auto keeps fp32 and what passes the gate: int8, and bf16 by OpenVINO.")
    ] = "auto",
    calibration: Annotated[
        Path | None, typer.Option(help="Data to calibrate on: folder of images, .txt, .csv, .tsv or .jsonl.")
    ] = None,
    evaluation: Annotated[Path | None, typer.Option(help="Labelled data for the gate, in the same forms.")] = None,
    max_drop: Annotated[
        float, typer.Option(min=0, max=1, help="Most accuracy that a variant may lose; 0.005 is half a point.")
    ] = 0.005,
    slice_column: Annotated[
        str | None, typer.Option("--slice", help="Column of the evaluation table to tell the accuracy apart by.")
    ] = None,
    max_slice_drop: Annotated[
        float | None, typer.Option(min=0, max=1, help="Most that any slice of 20 samples or more may lose.")
    ] = None,
    license_name: Annotated[
        str | None, typer.Option("--license", help="Of the weights; the default is what the model card says.")
    ] = None,
    intended_use: Annotated[
        str | None, typer.Option(help="What the model is for and what it is not, for who finds the bundle.")
    ] = None,
    base: Annotated[
        Path | None,
        typer.Option(
            help="Base model of an adapter, if the adapter does not name a directory here.",
            rich_help_panel=_HUGGING_FACE,
        ),
    ] = None,
    aggregation: Annotated[
        Aggregation | None,
        typer.Option(
            help="How tokens become entities, for token-classification; default simple.", rich_help_panel=_HUGGING_FACE
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Score that an object must be above (default 0.5), or a segment (default 0.9); of ONNX files 0.25."
        ),
    ] = None,
    subtask: Annotated[
        Subtask | None,
        typer.Option(
            help="What segments are, for image-segmentation by queries; default panoptic.",
            rich_help_panel=_HUGGING_FACE,
        ),
    ] = None,
    candidate_labels: Annotated[
        str | None,
        typer.Option(
            help="What images are compared with, for zero-shot-image-classification; commas between.",
            rich_help_panel=_HUGGING_FACE,
        ),
    ] = None,
    hypothesis_template: Annotated[
        str | None,
        typer.Option(
            help="What makes a text of each of these; default 'This is a photo of {}.'.", rich_help_panel=_HUGGING_FACE
        ),
    ] = None,
    trust_pickle: Annotated[
        bool,
        typer.Option(
            "--trust-pickle",
            help="Read weights from a pickle of more than tensors; it can run any code of its maker.",
            rich_help_panel=_HUGGING_FACE,
        ),
    ] = False,
    pairs: Annotated[
        bool | None,
        typer.Option(
            "--pairs",
            help="The model reads two texts, text and text_pair, for text-classification.",
            rich_help_panel=_HUGGING_FACE,
        ),
    ] = None,
    no_answer: Annotated[
        bool | None,
        typer.Option(
            "--no-answer",
            help="A context may hold no answer, as in SQuAD 2; for question-answering.",
            rich_help_panel=_HUGGING_FACE,
        ),
    ] = None,
    top_k: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MAX_LISTED,
            help="Answers of question-answering, default 1, or tokens of fill-mask, default 5.",
            rich_help_panel=_HUGGING_FACE,
        ),
    ] = None,
    labels: LabelsFlag = None,
    mean: MeanFlag = None,
    std: StdFlag = None,
    scale: ScaleFlag = None,
    layout: LayoutFlag = None,
    size: SizeFlag = None,
    resize: ResizeFlag = None,
    padding: PaddingFlag = None,
    interpolation: InterpolationFlag = None,
    color: ColorFlag = None,
    activation: ActivationFlag = None,
    iou: IouFlag = None,
    class_agnostic: ClassAgnosticFlag = None,
    nms: NmsFlag = None,
    box_form: BoxFormFlag = None,
    box_unit: BoxUnitFlag = None,
    anchors: AnchorsFlag = None,
    background: BackgroundFlag = None,
) -> None:
    """Export a fine-tuned model to a quantised, measured bundle, checked against its source."""
    console = Console(highlight=False)
    hints = read_hints(
        source,
        labels=labels,
        mean=mean,
        std=std,
        scale=scale,
        layout=layout,
        size=size,
        resize=resize,
        padding=padding,
        interpolation=interpolation,
        color=color,
        activation=activation,
        threshold=threshold if is_onnx(source) else None,
        iou=iou,
        class_agnostic=class_agnostic,
        nms=nms,
        box_form=box_form,
        box_unit=box_unit,
        anchors=anchors,
        background=background,
    )
    of_directory: dict[str, Any] = {
        "base": base,
        "aggregation": aggregation,
        "threshold": None if is_onnx(source) else threshold,
        "subtask": subtask,
        "candidate_labels": _listed(candidate_labels),
        "hypothesis_template": hypothesis_template,
        "pairs": pairs,
        "no_answer": no_answer,
        "top_k": top_k,
        "trust_pickle": trust_pickle or None,
    }
    of_directory = {flag: value for flag, value in of_directory.items() if value is not None}
    with loading_frameworks(), progress_bars(console) as progress:
        asked: Any = {
            "task": task,
            "name": name,
            "repository": repository,
            "precision": precision,
            "calibration": calibration,
            "evaluation": evaluation,
            "max_drop": max_drop,
            "slice_column": slice_column,
            "max_slice_drop": max_slice_drop,
            "license": license_name,
            "intended_use": intended_use,
            "progress": progress,
        }
        if hints is None:
            exported = export_huggingface(source, **of_directory, **asked)
        elif of_directory:
            flags = ", ".join(f"--{flag.replace('_', '-')}" for flag in of_directory)
            raise ExportError(f"{source} is an ONNX file, to which {flags} do not belong; leave them out.")
        else:
            exported = export_onnx(source, hints=hints, **asked)
    show_export(console, exported)
    console.print(f"Serve it with: tundish serve {repository}", markup=False, soft_wrap=True)


def _listed(labels: str | None) -> list[str] | None:
    return None if labels is None else [label.strip() for label in labels.split(",") if label.strip()]


def show_export(console: Console, exported: Exported) -> None:
    """Prints the parity, the gate's table and the warnings of an export."""
    manifest, parity = exported.bundle.manifest, exported.parity
    console.print(
        f"[bold]{manifest.model}[/] version {manifest.version}: {escape(str(exported.bundle.directory))}",
        soft_wrap=True,
    )
    console.print(
        f"Equal to its source on {parity.samples} samples. Largest differences: pre-processing "
        f"{parity.preprocessing.absolute:.1e}, network {parity.network.absolute:.1e} "
        f"(relative {parity.network.relative:.1e}), result {parity.scores:.1e}.",
        soft_wrap=True,
    )
    console.print(variants_table(manifest))
    if slices := slices_table(manifest):
        console.print(slices)
    warnings = [*exported.warnings, *_cautions(manifest)]
    for warning in warnings:
        console.print(f"[yellow]warning:[/] {escape(warning)}", soft_wrap=True)


def _cautions(manifest: Manifest) -> list[str]:
    """What the gate's data cannot show, if they are few."""
    counted = [variant.accuracy for variant in manifest.variants if variant.accuracy and variant.precision != "fp32"]
    few = [accuracy.samples for accuracy in counted if accuracy.metric != "cosine" and accuracy.samples < _FEW_SAMPLES]
    if not few:
        return []
    step = 100 / few[0]
    return [
        f"The gate had {few[0]} samples, of which each is {step:.2g} points: it cannot see a smaller drop; "
        "pass more with --evaluation or --calibration."
    ]


@contextmanager
def loading_frameworks() -> Iterator[None]:
    """Turns a missing extra into one sentence, and keeps transformers off the network and quiet."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    try:
        yield
    except ModuleNotFoundError as error:
        raise ExportError(f"The package '{error.name}' is not installed; run pip install 'tundish[export]'.") from error


@contextmanager
def progress_bars(console: Console) -> Iterator[Progress]:
    """A bar for each thing that is done, one below the other."""
    columns = (TextColumn("{task.description:31}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, console=console) as bars:
        known = {}

        def progress(description: str, done: int, total: int) -> None:
            if description not in known:
                known[description] = bars.add_task(description, total=total)
            bars.update(known[description], completed=done, total=total)

        yield progress
