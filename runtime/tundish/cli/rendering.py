"""How answers look: as tables for people, as JSON for programs. Shared by the commands that show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from tundish.errors import TundishError
from tundish.manifest import Accuracy, Composition, Interval, Manifest, SliceAccuracy
from tundish.results import (
    DetectedObject,
    DocumentQuestionAnswering,
    DocumentReading,
    Entity,
    FeatureExtraction,
    FillMask,
    ImageSegmentation,
    Label,
    ObjectDetection,
    Prediction,
    QuestionAnswering,
    Result,
    Segment,
    SentenceSimilarity,
    StageTimes,
    TextDetection,
    TextLine,
    TextRanking,
    TextRecognition,
    TokenClassification,
    VisualQuestionAnswering,
)

_BAR_WIDTH = 24
_SHOWN_VALUES = 6


def prediction_table(name: str, prediction: Prediction) -> RenderableType:
    """An answer for a person: the result, and where the time went."""
    result = prediction.result
    title = Text.assemble((name, "bold"), f"  {prediction.model} version {prediction.version}")
    parts: list[RenderableType] = [title, _body(result), _times(prediction.stage_times)]
    if getattr(result, "truncated", False):
        parts.append(Text("The text was longer than the model reads; the rest was left out.", style="yellow"))
    return Group(*parts, Text(""))


def prediction_json(name: str, outcome: Prediction | TundishError) -> dict[str, Any]:
    """An answer for a program."""
    if isinstance(outcome, TundishError):
        return {"input": name, "error": str(outcome), "status": outcome.status.name}
    result = outcome.result
    content: dict[str, Any] = {"input": name, "model": outcome.model, "version": outcome.version}
    content |= result_json(result)
    if hasattr(result, "truncated"):
        content["truncated"] = result.truncated
    times = outcome.stage_times
    content["stage_times"] = {field: getattr(times, field) for field in StageTimes.__slots__}
    return content


def result_json(result: Result) -> dict[str, Any]:
    """What a result says, but for whether it was truncated."""
    match result:
        case FeatureExtraction():
            return {"vector": result.vector.tolist()}
        case ObjectDetection():
            return {"objects": [_object_json(found) for found in result.objects]}
        case TokenClassification():
            return {"entities": [asdict(entity) for entity in result.entities]}
        case ImageSegmentation():
            return {"segments": [_segment_json(segment) for segment in result.segments]}
        case TextRanking() | SentenceSimilarity():
            return {"score": result.score}
        case QuestionAnswering() | DocumentQuestionAnswering() | VisualQuestionAnswering():
            return {"answers": [asdict(answer) for answer in result.answers]}
        case FillMask():
            return {"masks": [[asdict(filled) for filled in mask] for mask in result.masks]}
        case TextDetection():
            corners = [[corner._asdict() for corner in region.corners] for region in result.regions]
            scores = [region.score for region in result.regions]
            return {"regions": [{"corners": each, "score": score} for each, score in zip(corners, scores, strict=True)]}
        case DocumentReading():
            return {"lines": [_line_json(line) for line in result.lines]}
        case TextRecognition():
            return {"text": result.text, "score": result.score}
        case _:
            return {"labels": [asdict(label) for label in result.labels]}


def _object_json(found: DetectedObject) -> dict[str, Any]:
    """Corners alone of an oriented box, as x and y each."""
    content = {"label": found.label, "score": found.score, "box": found.box._asdict()}
    return content if found.corners is None else content | {"corners": [list(corner) for corner in found.corners]}


def _line_json(line: TextLine) -> dict[str, Any]:
    return {"text": line.text, "score": line.score, "corners": [corner._asdict() for corner in line.corners]}


def _segment_json(segment: Segment) -> dict[str, Any]:
    mask = {"size": segment.mask.size, "counts": segment.mask.counts.decode()}
    return {"label": segment.label, "score": segment.score, "mask": mask}


def ranking_table(query: str, scored: Sequence[tuple[str, TextRanking]]) -> RenderableType:
    """The texts that a model for text-ranking has scored for a query, the best one first."""
    table = Table.grid(padding=(0, 2))
    ranked = sorted(scored, key=lambda each: each[1].score, reverse=True)
    for place, (text, result) in enumerate(ranked, 1):
        table.add_row(f"  {place}", f"{result.score:.4f}", Text(text))
    return Group(Text(query, style="bold"), table, Text(""))


def tensors_table(tensors: Mapping[str, NDArray[Any]]) -> Table:
    """Output tensors with their first values."""
    table = Table("output", "shape", "dtype", "first values")
    for name, array in tensors.items():
        table.add_row(Text(name), str(list(array.shape)), str(array.dtype), Text(_first_values(array)))
    return table


def variants_table(manifest: Manifest) -> Table:
    """The gate's table: each variant's accuracy and its drop from the float model's, its size and its latency.

    Below the drop stands its interval, and below the accuracy the agreement with the float model, if it is known.
    """
    measured = [variant.accuracy for variant in manifest.variants if variant.accuracy]
    caption = f"{measured[0].metric} on {samples_of(measured[0])}" if measured else "accuracy was not measured"
    table = Table(caption=f"{caption}; median time of one item on one thread")
    table.add_column("variant", no_wrap=True)
    accuracy_headings = [measured[0].metric if measured else "accuracy"]
    if any(accuracy.agreement is not None for accuracy in measured):
        accuracy_headings.append("agreement")
    confidences = {accuracy.interval.confidence for accuracy in measured if accuracy.interval}
    drop_headings = ["drop", *(f"{percent(confidence)} interval" for confidence in sorted(confidences))]
    for headings in (accuracy_headings, drop_headings, ["size"], ["latency"]):
        table.add_column("\n".join(headings), justify="right", no_wrap=True)
    table.add_column("gate", no_wrap=True)
    for variant in manifest.variants:
        size = sum(file.bytes for file in variant.files)
        table.add_row(
            variant.name,
            *_accuracy_cells(variant.accuracy),
            file_size(size) if size else "not kept",
            f"{variant.latency.median_milliseconds:.2f} ms",
            "[green]passed[/]" if variant.gate.passed else "[red]failed[/]",
        )
    return table


def file_size(count: int) -> str:
    """Bytes as people read them."""
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


def _accuracy_cells(accuracy: Accuracy | None) -> tuple[str, str]:
    if accuracy is None:
        return "", ""
    agreement = "" if accuracy.agreement is None else f"\n{accuracy.agreement:.4f}"
    return f"{accuracy.value:.4f}{agreement}", _drop_cell(accuracy)


def steps_table(composition: Composition) -> Table:
    """How an item goes through the components: what each step takes, and what it makes."""
    table = Table("step", "component", "takes", "remembers")
    for step in composition.steps:
        remembered = f"the last {step.remembered:,}" if step.remembered else ""
        elementwise = step.elementwise(composition.steps)
        taken = [f"each of {name}" if name in elementwise else name for name in step.inputs]
        table.add_row(step.name, step.component, ", ".join(taken), remembered)
    return table


TOGETHER = "fastest together"
"""What the variants that a composed model serves are called where one would have a name."""


def slices_table(manifest: Manifest | Composition) -> Table | None:
    """Each slice's accuracy by the float model, and what each variant loses there; None if nothing was sliced."""
    if isinstance(manifest, Manifest):
        measured = {variant.name: variant.accuracy for variant in manifest.variants if variant.accuracy}
    else:
        measured = {} if manifest.accuracy is None else {TOGETHER: manifest.accuracy}
    first = next(iter(measured.values()), None)
    if first is None or not first.slices:
        return None
    table = Table(caption=f"{first.metric} by slice: the float model's, and the drop of each variant")
    table.add_column("slice")
    for heading in ("samples", first.metric, *measured):
        table.add_column(heading, justify="right", no_wrap=heading not in measured)
    for index, part in enumerate(first.slices):
        drops = [_drop_cell(accuracy.slices[index]) for accuracy in measured.values()]
        samples = f"{part.samples:,}\n{_groups_of(part)}".rstrip()
        table.add_row(escape(part.name), samples, f"{part.reference:.4f}", *drops)
    return table


def _drop_cell(accuracy: Accuracy | SliceAccuracy) -> str:
    interval = "" if accuracy.interval is None else f"\n{interval_points(accuracy.interval)}"
    # Adding zero turns a rounded -0.0 into 0.0.
    return f"{round(100 * (accuracy.reference - accuracy.value), 2) + 0.0:+.2f} points{interval}"


def samples_of(accuracy: Accuracy | SliceAccuracy) -> str:
    """How many samples were measured on, and of how many groups if they belong together."""
    samples = f"{accuracy.samples:,} {'sample' if accuracy.samples == 1 else 'samples'}"
    return samples if accuracy.groups is None else f"{samples} of {_groups_of(accuracy)}"


def _groups_of(accuracy: Accuracy | SliceAccuracy) -> str:
    return "" if accuracy.groups is None else f"{accuracy.groups:,} {'group' if accuracy.groups == 1 else 'groups'}"


def points(share: float) -> str:
    """A share in percentage points, with two digits."""
    return f"{round(100 * share, 2) + 0.0:.2f}"


def interval_points(interval: Interval) -> str:
    """An interval in percentage points."""
    return f"{points(interval.low)} to {points(interval.high)}"


def percent(share: float) -> str:
    """A share in percent, with the digits that it has."""
    return f"{100 * share:.6g} %"


def _body(result: Result) -> RenderableType:
    if isinstance(result, FeatureExtraction):
        return _vector(result)
    if isinstance(result, ObjectDetection):
        return _objects(result)
    if isinstance(result, TokenClassification):
        return _entities(result.entities)
    if isinstance(result, ImageSegmentation):
        return _segments(result.segments)
    if isinstance(result, TextRanking | SentenceSimilarity):
        return Text(f"  {result.score:.4f}")
    if isinstance(result, QuestionAnswering | DocumentQuestionAnswering):
        return _answers(result)
    if isinstance(result, VisualQuestionAnswering):
        return _labels(result.answers)
    if isinstance(result, FillMask):
        return _masks(result)
    if isinstance(result, TextDetection):
        return _regions(result)
    if isinstance(result, DocumentReading):
        return _lines(result)
    if isinstance(result, TextRecognition):
        return Text.assemble(f"  {result.score:.4f}  ", result.text or ("nothing read", "dim"))
    return _labels(result.labels)


def _answers(result: QuestionAnswering | DocumentQuestionAnswering) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for answer in result.answers:
        place = f"{answer.start}-{answer.end}" if answer.text else ""
        table.add_row(f"  {answer.score:.4f}", place, Text(answer.text or "no answer"))
    return table if result.answers else Text("  no answer")


def _masks(result: FillMask) -> RenderableType:
    """A line for each token, with the number of its mask where there are several."""
    table = Table.grid(padding=(0, 2))
    for number, mask in enumerate(result.masks, 1):
        for filled in mask:
            mark = f"{number}  " if len(result.masks) > 1 else ""
            table.add_row(Text(f"  {mark}{filled.token}"), f"{filled.score:.4f}", Text(filled.sequence))
    return table


def _entities(entities: tuple[Entity, ...]) -> RenderableType:
    if not entities:
        return Text("  no entities")
    table = Table.grid(padding=(0, 2))
    for entity in entities:
        table.add_row(
            Text(f"  {entity.label}"), f"{entity.score:.4f}", f"{entity.start}-{entity.end}", Text(entity.text)
        )
    return table


def _labels(labels: tuple[Label, ...]) -> Table:
    table = Table.grid(padding=(0, 2))
    for label in labels:
        table.add_row(Text(f"  {label.name}"), f"{label.score:.4f}", _bar(label.score))
    return table


def _bar(score: float) -> Text:
    return Text("█" * round(_BAR_WIDTH * min(max(score, 0.0), 1.0)), style="cyan")


def _objects(result: ObjectDetection) -> RenderableType:
    """A line for each object: where it is, from its upper left corner to its lower right one, or all four if turned."""
    if not result.objects:
        return Text("  nothing found")
    table = Table.grid(padding=(0, 2))
    for found in result.objects:
        box = found.box
        place = f"({box.x_min:.0f}, {box.y_min:.0f}) to ({box.x_max:.0f}, {box.y_max:.0f})"
        if found.corners is not None:
            place = " ".join(f"({corner.x:.0f}, {corner.y:.0f})" for corner in found.corners)
        table.add_row(Text(f"  {found.label}"), f"{found.score:.4f}", place, _bar(found.score))
    return table


def _lines(result: DocumentReading) -> RenderableType:
    """Each line with its score, and the corner at which it begins."""
    if not result.lines:
        return Text("  no text found")
    table = Table.grid(padding=(0, 2))
    for line in result.lines:
        x, y = line.corners[0]
        table.add_row(f"  {line.score:.4f}", f"({x:.0f}, {y:.0f})", Text(line.text))
    return table


def _regions(result: TextDetection) -> RenderableType:
    """A line for each region, in reading order: its corners, clockwise from the upper left one."""
    if not result.regions:
        return Text("  no text found")
    table = Table.grid(padding=(0, 2))
    for region in result.regions:
        table.add_row(f"  {region.score:.4f}", *(f"({x:.0f}, {y:.0f})" for x, y in region.corners))
    return table


def _segments(segments: tuple[Segment, ...]) -> RenderableType:
    """A line for each segment: its share of the image, and the pixels that it lies between."""
    if not segments:
        return Text("  nothing found")
    table = Table.grid(padding=(0, 2))
    for segment in segments:
        pixels = segment.mask.to_array()
        score = "" if segment.score is None else f"{segment.score:.4f}"
        share = float(pixels.mean())
        table.add_row(Text(f"  {segment.label}"), score, f"{share:7.2%}", _extent(pixels), _bar(share))
    return table


def _extent(pixels: NDArray[np.bool_]) -> str:
    """From the upper left corner to the lower right one, as of an object; empty if no pixel is left of the segment."""
    rows, columns = (np.flatnonzero(pixels.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return ""
    return f"({columns[0]}, {rows[0]}) to ({columns[-1] + 1}, {rows[-1] + 1})"


def _vector(result: FeatureExtraction) -> Text:
    return Text(f"  {list(result.vector.shape)} float32  {_first_values(result.vector)}")


def _first_values(array: NDArray[Any]) -> str:
    values = array.ravel()[:_SHOWN_VALUES]
    shown = (value.decode(errors="replace") if isinstance(value, bytes) else f"{value:.4g}" for value in values)
    return ", ".join(shown) + (", …" if array.size > _SHOWN_VALUES else "")


def _times(times: StageTimes) -> Text:
    stages = {
        "queue": times.queue_nanoseconds,
        "preprocess": times.preprocess_nanoseconds,
        "compute": times.compute_nanoseconds,
        "postprocess": times.postprocess_nanoseconds,
    }
    shown = "  ".join(f"{stage} {nanoseconds * 1e-6:.2f} ms" for stage, nanoseconds in stages.items())
    together = f"  (batch of {times.batch_size})" if times.batch_size > 1 else ""
    return Text(f"  {shown}{together}", style="dim")
