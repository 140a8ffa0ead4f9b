"""The way of an export: float graph, parity with the source, quantisation, measurement, gate, bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tundish.bundle import Bundle, describe_file, next_version, publish_bundle, staged_bundle
from tundish.engines import Arrays
from tundish.manifest import (
    ClassificationPostprocess,
    Latency,
    Manifest,
    ModelSpec,
    Serving,
    Variant,
)
from tundish.placement.machine import usable_cores
from tundish.results import Result
from tundish.tasks import Task
from tundish.tasks.registry import load_task
from tundish_exporters.batch_limits import BatchTimes, batch_groups, best_limits, measure_batches
from tundish_exporters.candidates import Candidate, load_for_latency, openvino_candidates
from tundish_exporters.errors import DataError, ExportError
from tundish_exporters.export_data import ExportData, load_export_data
from tundish_exporters.export_options import ExportOptions
from tundish_exporters.judging import Judge, Judgement
from tundish_exporters.latency import measure_latency
from tundish_exporters.parity import Parity, check_parity, parity_task
from tundish_exporters.progress import Progress, silent
from tundish_exporters.quantize import apply, recipes_for
from tundish_exporters.report import write_report
from tundish_exporters.sources import Source

REPORT_NAME = "report.json"

AnyTask = Task[Any, Result]


@dataclass(frozen=True, slots=True)
class Exported:
    """A published bundle, and what its maker should know."""

    bundle: Bundle
    parity: Parity
    warnings: tuple[str, ...]


def export(source: Source, options: ExportOptions, progress: Progress = silent) -> Exported:
    """Exports a source and publishes the bundle as the model's next version, in one rename.

    Raises:
        ExportError: the source cannot be exported, the export answers differently, the data do not fit, or an explicit
            precision fails the gate. Nothing was written to the repository then.
    """
    data = load_export_data(
        source,
        calibration=options.calibration,
        evaluation=options.evaluation,
        slice_column=options.slice_column,
    )
    if options.precision == "int8" and data.gate is None:
        raise DataError("int8 must pass the gate, which needs data: pass --evaluation, --calibration or both.")
    with staged_bundle(options.repository, options.name) as staging:
        version = next_version(options.repository, options.name)
        built = build(source, data, staging, options, model=options.name, version=version, progress=progress)
        return Exported(publish_bundle(staging, built.manifest), built.parity, built.warnings)


@dataclass(frozen=True, slots=True)
class Built:
    """A bundle whose files are written, but for its manifest."""

    manifest: Manifest
    parity: Parity
    warnings: tuple[str, ...]


def build(
    source: Source,
    data: ExportData,
    directory: Path,
    options: ExportOptions,
    *,
    model: str,
    version: int,
    progress: Progress,
) -> Built:
    """Exports a source into an empty directory; raises ExportError as `export` does."""
    assets = source.write_assets(directory)
    floating = _write_float(source, directory, progress)
    spec, task, parity, answers = _check(source, floating, data, directory, progress)
    inputs = [task.collate([task.prepare(item)]) for item in data.inputs]
    candidates, not_made = _candidates(floating, inputs, data, options, progress)
    engines, not_taken = load_for_latency(candidates, spec, inputs[0])
    latencies = measure_latency({each.name: engine for each, engine in engines.items()}, inputs, progress)
    judge = Judge(spec, directory, data, answers, floating, options, progress)
    judgements = {each: judge.judge(each) for each in engines}
    variants = _chosen([_variant(each, latencies[each.name], judgements[each]) for each in engines], options)
    batch_times = _batch_times(list(engines), variants, task, data, progress) if spec.takes_batches else []
    limits = best_limits(batch_times)
    write_report(
        directory / REPORT_NAME,
        parity=parity,
        batches=batch_times,
        labels={each.name: judgement.labels for each, judgement in judgements.items()},
    )
    manifest = Manifest(
        **dict(spec),
        model=model,
        version=version,
        source=source.describe().model_copy(update=options.statements),
        assets=tuple(describe_file(directory, name) for name in [*assets, REPORT_NAME]),
        variants=variants,
        serving=Serving(max_batch_size=limits.size, max_batch_tokens=limits.tokens),
    )
    _remove_rejected(candidates, variants)
    return Built(manifest, parity, (*not_made, *not_taken, *_warnings(variants, data)))


def _write_float(source: Source, staging: Path, progress: Progress) -> Candidate:
    progress("export to ONNX", 0, 1)
    candidate = Candidate("onnx", "fp32", staging / "onnx-fp32-cpu.onnx", "as exported")
    source.write_onnx(candidate.path)
    progress("export to ONNX", 1, 1)
    return candidate


def _check(
    source: Source, floating: Candidate, data: ExportData, staging: Path, progress: Progress
) -> tuple[ModelSpec, AnyTask, Parity, list[Result]]:
    engine = floating.load(threads=usable_cores())
    spec = ModelSpec(
        task=source.task,
        inputs=engine.inputs,
        outputs=engine.outputs,
        preprocess=source.preprocess,
        postprocess=source.postprocess,
    )
    _check_batch(spec)
    _check_labels(spec)
    task = load_task(spec, staging)
    compared = parity_task(spec, staging)
    parity, answers = check_parity(source, compared, engine, data.parity_inputs, progress)
    return spec, task, parity, answers


def _check_batch(spec: ModelSpec) -> None:
    tensors = (*spec.inputs, *spec.outputs)
    if all(tensor.shape and tensor.shape[0] == 1 for tensor in tensors):
        return  # a network of one item at a time
    for tensor in tensors:
        if not tensor.shape or isinstance(tensor.shape[0], int):
            raise ExportError(
                f"Tensor '{tensor.name}' has the shape {list(tensor.shape)}: its first dimension is no batch."
            )


def _check_labels(spec: ModelSpec) -> None:
    if not isinstance(spec.postprocess, ClassificationPostprocess):
        return
    labels = spec.postprocess.labels
    if twice := sorted({label for label in labels if labels.count(label) > 1}):
        raise ExportError(f"The label '{twice[0]}' stands twice; give each label a name of its own.")
    shape, count = spec.outputs[0].shape, len(spec.postprocess.labels)
    if len(shape) != 2 or shape[1] not in (count, str(shape[1])):  # a name stands for a size that is not known
        raise ExportError(f"The network gives logits of the shape {list(shape)} for {count} labels.")


def _candidates(
    floating: Candidate, inputs: Sequence[Arrays], data: ExportData, options: ExportOptions, progress: Progress
) -> tuple[list[Candidate], list[str]]:
    """The float one first, and warnings. What is not in fp32 must pass the gate, which needs data."""
    made, warnings = [floating], []
    if options.precision != "fp32" and data.gate is not None:
        try:
            made.append(_quantize(floating, inputs, progress))
        except ExportError as error:
            if options.precision == "int8":
                raise
            warnings.append(f"There is no int8: {error}")
    asked = [each for each in made if options.precision in ("auto", each.precision)]
    return [*made, *openvino_candidates(asked, bf16=options.precision == "auto" and data.gate is not None)], warnings


def _quantize(floating: Candidate, inputs: Sequence[Arrays], progress: Progress) -> Candidate:
    path = floating.path.with_name("onnx-int8-cpu.onnx")
    recipes = recipes_for(floating.path, engines=("onnx",))
    recipe = next((each for each in recipes if each.precision == "int8"), None)
    if recipe is None:
        raise ExportError(f"{floating.path.name} has no weights of convolutions, products or embeddings.")
    apply(recipe, floating.path, path, inputs, progress)
    return Candidate("onnx", recipe.precision, path, recipe.description)


def _variant(candidate: Candidate, latency: Latency, judgement: Judgement) -> Variant:
    """A rejected variant is recorded with its figures, but its files are not kept."""
    names = sorted(path.name for path in candidate.path.parent.glob(f"{candidate.path.name}*"))
    kept = judgement.gate.passed
    return Variant(
        name=candidate.name,
        engine=candidate.engine,
        precision=candidate.precision,
        device="cpu",
        recipe=candidate.recipe,
        files=tuple(describe_file(candidate.path.parent, name) for name in names) if kept else (),
        accuracy=judgement.accuracy,
        latency=latency,
        gate=judgement.gate,
        preprocess=judgement.preprocess,
    )


def _chosen(variants: Sequence[Variant], options: ExportOptions) -> tuple[Variant, ...]:
    """Those of the precision that was asked for."""
    if options.precision != "int8":
        return tuple(variants)
    chosen = tuple(variant for variant in variants if variant.precision == "int8")
    if not any(variant.gate.passed for variant in chosen):
        raise ExportError(f"int8 does not pass the gate: {chosen[0].gate.reason} Nothing was written.")
    return chosen


def _batch_times(
    candidates: Sequence[Candidate], variants: Sequence[Variant], task: AnyTask, data: ExportData, progress: Progress
) -> list[BatchTimes]:
    """What batches cost the variant that will be served."""
    fastest = min((each for each in variants if each.gate.passed), key=lambda each: each.latency.median_milliseconds)
    served = next(candidate for candidate in candidates if candidate.name == fastest.name)
    return measure_batches(served.load(threads=1), batch_groups(task, data.inputs), progress)


def _remove_rejected(candidates: Sequence[Candidate], variants: Sequence[Variant]) -> None:
    kept = {file.path for variant in variants for file in variant.files}
    for candidate in candidates:
        for path in candidate.path.parent.glob(f"{candidate.path.name}*"):
            if path.name not in kept:
                path.unlink()


def _warnings(variants: Sequence[Variant], data: ExportData) -> tuple[str, ...]:
    warnings = []
    if data.gate is None:
        warnings.append("No data was given, so int8 was not tried and parity was checked on made-up inputs.")
    measured = [variant.accuracy for variant in variants if variant.accuracy is not None]
    if any(accuracy.metric == "accuracy" and not accuracy.reference for accuracy in measured):
        warnings.append(
            "The float model is right on none of the labelled samples, so the gate proves nothing: do the labels of "
            "the evaluation data mean what the model's do?"
        )
    warnings += [
        f"{variant.name} does not pass the gate and will not be served: {variant.gate.reason}"
        for variant in variants
        if not variant.gate.passed
    ]
    return tuple(warnings)
