"""`tundish export`: a checkpoint in, a bundle out."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Column

from tundish.cli.leaving import INTERRUPTED
from tundish.inputs import read_list
from tundish.manifest import MAX_LISTED, Aggregation, Subtask, TaskName
from tundish_exporters.api import export_huggingface, export_onnx
from tundish_exporters.call_checks import is_promptable
from tundish_exporters.composed_api import export_promptable, export_towers
from tundish_exporters.document_flags import DOCUMENTS, DetectorFlag, DirectionFlag, Readers, RecognizerFlag
from tundish_exporters.errors import ExportError
from tundish_exporters.export_options import SEARCH_MINUTES, RequestedPrecision
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
    TokenizerFlag,
    is_onnx,
    read_hints,
)
from tundish_exporters.onnx_hints import OnnxHints
from tundish_exporters.progress import Progress
from tundish_exporters.showing import show_export

if TYPE_CHECKING:
    from tundish_exporters.composing import ExportedComposition
    from tundish_exporters.exporting import Exported

_TASKS = ", ".join(task for task in get_args(TaskName) if task != "prompted-segmentation")
_ZERO_SHOT: TaskName = "zero-shot-image-classification"
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
        RequestedPrecision,
        typer.Option(help="auto keeps fp32 beside the fastest that passes the gate; another must pass it."),
    ] = "auto",
    search_minutes: Annotated[
        float,
        typer.Option(
            min=0,
            help="How long recipes of quantisation are tried; 0 takes the first. Ctrl-C takes the best so far.",
        ),
    ] = SEARCH_MINUTES,
    calibration: Annotated[
        Path | None,
        typer.Option(
            help="Data to calibrate on: folder of images, COCO's .json, .txt, .csv, .tsv, .jsonl, .parquet or .npz; "
            "docs/data.md has their columns."
        ),
    ] = None,
    evaluation: Annotated[
        Path | None, typer.Option(help="Data for the gate that say what is right, in the same forms.")
    ] = None,
    stock_operators: Annotated[
        bool,
        typer.Option(
            "--stock-operators",
            help="Use no operators but ONNX Runtime's own, so that int8 files open in any program that has it; "
            "tundish's kernels are faster, and answer a text the same whatever it is batched with.",
        ),
    ] = False,
    max_drop: Annotated[
        float, typer.Option(min=0, max=1, help="Most accuracy that a variant may lose; 0.005 is half a point.")
    ] = 0.005,
    slice_column: Annotated[
        str | None, typer.Option("--slice", help="Column of the evaluation table to tell the accuracy apart by.")
    ] = None,
    group_column: Annotated[
        str | None,
        typer.Option(
            "--group",
            metavar="COLUMN",
            help="Column of the evaluation table that says which samples belong together, such as frames of one camera "
            "run or reviews of one author: they are no proof for each other.",
        ),
    ] = None,
    max_slice_drop: Annotated[
        float | None, typer.Option(min=0, max=1, help="Most that any slice of 20 samples or more may lose.")
    ] = None,
    confidence: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="With which the drop must be within its bound, such as 0.95; default: the drop decides."
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|MODULE:FUNCTION",
            help="What the gate measures instead of the task's own: one of its others, or a Python function.",
        ),
    ] = None,
    license_name: Annotated[
        str | None, typer.Option("--license", help="Of the weights; the default is what the model card says.")
    ] = None,
    intended_use: Annotated[
        str | None, typer.Option(help="What the model is for and what it is not, for who finds the bundle.")
    ] = None,
    samples_in_report: Annotated[
        bool, typer.Option(help="Show the samples whose answers changed in the bundle's report.html.")
    ] = True,
    base: Annotated[
        Path | None,
        typer.Option(
            help="Base model of an adapter, if the adapter does not name a directory here.",
            rich_help_panel=_HUGGING_FACE,
        ),
    ] = None,
    aggregation: Annotated[
        Aggregation | None,
        typer.Option(help="How tokens become entities, for token-classification; default simple."),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Score that an object must be above (default 0.5), or a segment (default 0.9), of ONNX files 0.25; or "
            "that a region of text must have (default 0.5)."
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
        ),
    ] = None,
    no_answer: Annotated[
        bool | None,
        typer.Option(
            "--no-answer",
            help="A context or a page may hold no answer, as in SQuAD 2; for question-answering and of documents.",
            rich_help_panel=_HUGGING_FACE,
        ),
    ] = None,
    top_k: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MAX_LISTED,
            help="Answers to a question (default 1, out of those a network knows 5), or tokens of fill-mask (5).",
            rich_help_panel=_HUGGING_FACE,
        ),
    ] = None,
    detector: DetectorFlag = None,
    recognizer: RecognizerFlag = None,
    direction: DirectionFlag = None,
    labels: LabelsFlag = None,
    tokenizer: TokenizerFlag = None,
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
    readers = Readers(detector=detector, recognizer=recognizer, direction=direction, labels=labels)
    hints = read_hints(
        source,
        labels=labels if is_onnx(source) or not readers.given else None,
        tokenizer=tokenizer,
        aggregation=aggregation if is_onnx(source) else None,
        pairs=pairs if is_onnx(source) else None,
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
        "aggregation": None if is_onnx(source) else aggregation,
        "threshold": None if is_onnx(source) else threshold,
        "subtask": subtask,
        "candidate_labels": None if candidate_labels is None else read_list(candidate_labels),
        "hypothesis_template": hypothesis_template,
        "pairs": None if is_onnx(source) else pairs,
        "no_answer": no_answer,
        "top_k": top_k,
        "trust_pickle": trust_pickle or None,
    }
    of_directory = {flag: value for flag, value in of_directory.items() if value is not None}
    try:
        with loading_frameworks(), progress_bars(console) as progress:
            asked: dict[str, Any] = {
                "name": name,
                "repository": repository,
                "precision": precision,
                "search_minutes": search_minutes,
                "stock_operators": stock_operators,
                "calibration": calibration,
                "evaluation": evaluation,
                "max_drop": max_drop,
                "slice_column": slice_column,
                "group_column": group_column,
                "max_slice_drop": max_slice_drop,
                "confidence": confidence,
                "metric": metric,
                "license": license_name,
                "intended_use": intended_use,
                "samples_in_report": samples_in_report,
                "progress": progress,
            }
            exported = _export(source, task, hints, readers, of_directory, asked)
    except KeyboardInterrupt:
        Console(stderr=True, highlight=False).print("Interrupted: nothing was exported.")
        raise typer.Exit(INTERRUPTED) from None
    from tundish_exporters.report import PAGE_NAME

    show_export(console, exported)
    console.print(f"How it was made: {exported.bundle.directory / PAGE_NAME}", markup=False, soft_wrap=True)
    console.print(f"Serve it with: tundish serve {repository}", markup=False, soft_wrap=True)


def _export(
    source: Path,
    task: TaskName,
    hints: OnnxHints | None,
    readers: Readers,
    of_directory: dict[str, Any],
    asked: dict[str, Any],
) -> Exported | ExportedComposition:
    if hints is not None:
        _check_flags(of_directory, (), f"{source} is an ONNX file")
        if task == DOCUMENTS:
            return readers.export_documents(source, hints, asked)
        readers.refuse(task)
        return export_onnx(source, task=task, hints=hints, **asked)
    if task == DOCUMENTS:
        raise ExportError(f"{DOCUMENTS} takes two ONNX files: that of a text detector, and --recognizer.")
    if readers.given:
        _check_flags(of_directory, ("base", "no_answer", "top_k", "trust_pickle"), f"{source} is exported for {task}")
        return readers.export_read_pages(source, task, of_directory, asked)
    if task == _ZERO_SHOT and "candidate_labels" not in of_directory:
        _check_flags(of_directory, ("hypothesis_template", "trust_pickle"), f"{source} is exported for {task}")
        return export_towers(source, **of_directory, **asked)
    if task == "image-segmentation" and is_promptable(source):
        _check_flags(of_directory, ("trust_pickle",), f"{source} segments by prompts")
        return export_promptable(source, **of_directory, **asked)
    return export_huggingface(source, task=task, **of_directory, **asked)


def _check_flags(given: dict[str, Any], known: Sequence[str], reason: str) -> None:
    if odd := [f"--{flag.replace('_', '-')}" for flag in given if flag not in known]:
        raise ExportError(f"{reason}, to which {', '.join(odd)} do not belong; leave them out.")


@contextmanager
def loading_frameworks() -> Iterator[None]:
    """Turns a missing extra into one sentence; keeps transformers quiet and offline, and threads from spinning."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    # PyTorch's threads spin while they wait for each other: where others need the cores, too, an export took ten times
    # as long. OpenMP reads it once, when PyTorch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        yield
    except ModuleNotFoundError as error:
        raise ExportError(f"The package '{error.name}' is not installed; run pip install 'tundish[export]'.") from error


@contextmanager
def progress_bars(console: Console) -> Iterator[Progress]:
    """A bar for each thing that is done, one below the other."""
    columns = (
        TextColumn("{task.description:31}", table_column=Column(min_width=31)),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn(
            "{task.fields[note]}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)
        ),
    )
    with Bars(*columns, console=console, expand=True) as bars:
        known = {}

        def progress(description: str, done: int, total: int, note: str = "", /) -> None:
            if description not in known:
                known[description] = bars.add_task(description, total=total, note="")
            bars.update(known[description], completed=done, total=total, note=note)

        yield progress
