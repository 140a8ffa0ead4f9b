"""The way of an export: float graph, parity with the source, quantisation, measurement, gate, bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tundish.bundle import Bundle, describe_file, next_version, publish_bundle, staged_bundle
from tundish.engines import Arrays
from tundish.errors import EngineError, InvalidInputError
from tundish.manifest import ClassificationPostprocess, Manifest, ModelSpec, Serving, Variant
from tundish.placement.machine import usable_cores
from tundish.results import Result
from tundish.tasks import Task
from tundish.tasks.registry import load_task
from tundish_exporters.batch_limits import BatchTimes, batch_groups, best_limits, measure_batches
from tundish_exporters.candidates import Candidate
from tundish_exporters.draft import Draft
from tundish_exporters.errors import DataError, ExportError
from tundish_exporters.export_data import PARITY_SAMPLES, ExportData, load_export_data
from tundish_exporters.export_options import ExportOptions
from tundish_exporters.finals import Final, measure_finals
from tundish_exporters.parity import Parity, check_parity, parity_task
from tundish_exporters.progress import Progress, silent
from tundish_exporters.report import write_report
from tundish_exporters.report.collecting import Findings, collect
from tundish_exporters.report.trials import report_layers, report_trials
from tundish_exporters.search.trial import Trial
from tundish_exporters.shortlist import make_shortlist
from tundish_exporters.sources import Source
from tundish_exporters.variant_warnings import variant_warnings

AnyTask = Task[Any, Result]


@dataclass(frozen=True, slots=True)
class Exported:
    """A published bundle, and what its maker should know."""

    bundle: Bundle
    parity: Parity
    warnings: tuple[str, ...]
    trials: tuple[Trial, ...] = ()
    """Of the search, in their order; none if there was no search."""


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
        group_column=options.group_column,
        metric=options.metric,
        progress=progress,
    )
    if options.precision not in ("auto", "fp32") and data.gate is None:
        raise DataError(
            f"{options.precision} must pass the gate, which needs data: pass --evaluation, --calibration or both."
        )
    with staged_bundle(options.repository, options.name) as staging:
        version = next_version(options.repository, options.name)
        built = build(source, data, staging, options, model=options.name, version=version, progress=progress)
        return Exported(publish_bundle(staging, built.manifest), built.parity, built.warnings, built.trials)


@dataclass(frozen=True, slots=True)
class Built:
    """A bundle whose files are written, but for its manifest."""

    manifest: Manifest
    parity: Parity
    warnings: tuple[str, ...]
    trials: tuple[Trial, ...]


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
    draft, task, parity = _draft(source, data, directory, options, progress)
    spec = draft.spec
    listed = make_shortlist(draft, progress)
    finals, not_taken = measure_finals(listed.shortlist.places, spec, listed.judge, draft.inputs, progress)
    measured = [final.variant() for final in finals]
    variants = _chosen(measured, options, [*not_taken, *listed.warnings])
    batch_times = _batch_times(finals, variants, task, data, progress) if spec.takes_batches else []
    limits = best_limits(batch_times)
    described = source.describe().model_copy(update=options.statements)
    warnings = (
        *source.warnings,
        *data.warnings,
        *listed.warnings,
        *not_taken,
        *variant_warnings(variants, _fastest(variants), data, options),
    )
    findings = Findings(
        model=model,
        version=version,
        spec=spec,
        source=described,
        directory=directory,
        data=data,
        inputs=draft.inputs,
        floating=draft.floating,
        candidates=[final.candidate for final in finals],
        measured=measured,
        served=_fastest(variants),
        judgements={final.candidate.name: final.judgement for final in finals},
        judged=listed.judge.data,
        float_results=listed.judge.float_results,
        parity=parity,
        batches=batch_times,
        options=options,
        trials=report_trials(finals, measured, _fastest(variants), listed.shortlist.trials),
        layers=report_layers(listed.shortlist.layers, finals),
        warnings=warnings,
    )
    reports = write_report(directory, collect(findings, progress))
    manifest = Manifest(
        **dict(spec),
        model=model,
        version=version,
        source=described,
        assets=tuple(describe_file(directory, name) for name in [*assets, *reports]),
        variants=variants,
        serving=Serving(max_batch_size=limits.size, max_batch_tokens=limits.tokens),
    )
    _remove_all_but(directory, manifest)
    return Built(manifest, parity, warnings, listed.shortlist.trials)


def _draft(
    source: Source, data: ExportData, directory: Path, options: ExportOptions, progress: Progress
) -> tuple[Draft, AnyTask, Parity]:
    """The float network, known to equal its source and to take all data."""
    floating = _write_float(source, directory, progress)
    spec, task, parity, answers = _check(source, floating, data, directory, progress)
    inputs = _prepared(task, data)
    calibration = data.calibration(inputs, spec.inputs)
    _check_calibration(floating, data, calibration)
    draft = Draft(
        directory=directory,
        spec=spec,
        floating=floating,
        inputs=inputs,
        calibration=calibration,
        data=data,
        source_answers=answers,
        options=options,
    )
    return draft, task, parity


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


def _prepared(task: AnyTask, data: ExportData) -> list[Arrays]:
    """The network's inputs of each item; raises DataError if one cannot be prepared."""
    inputs: list[Arrays] = []
    for name, item in data.named_inputs:
        try:
            inputs.append(task.collate([task.prepare(item)]))
        except InvalidInputError as error:
            raise DataError(f"Calibration {name} cannot be used: {error}") from error
    return inputs


def _check_calibration(floating: Candidate, data: ExportData, calibration: Sequence[Arrays]) -> None:
    """Raises DataError if the float network refuses an input: then it is the data's fault, and no recipe's.

    Those that it was compared with its source on are known to be good.
    """
    if data.network_inputs is None:
        names, compared = [name for name, _ in data.named_inputs], PARITY_SAMPLES
    else:
        names, compared = [f"{each} of {data.network_inputs.path}" for each in data.network_inputs.samples], 0
    if len(names) <= compared:
        return
    engine = floating.load(threads=usable_cores())
    for name, arrays in list(zip(names, calibration, strict=True))[compared:]:
        try:
            engine.run(arrays)
        except EngineError as error:
            raise DataError(f"Calibration {name} cannot be used: {error}") from error


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


def _chosen(variants: Sequence[Variant], options: ExportOptions, reasons: Sequence[str]) -> tuple[Variant, ...]:
    """Those of the precision that was asked for; `reasons` say why there may be none."""
    if options.precision == "auto":
        return tuple(variants)
    chosen = tuple(variant for variant in variants if variant.precision == options.precision)
    if not chosen:
        why = "".join(f" {reason}" for reason in reasons)
        raise ExportError(f"No engine here serves {options.precision} of this network; leave --precision out.{why}")
    if not any(variant.gate.passed for variant in chosen):
        raise ExportError(f"{options.precision} does not pass the gate: {chosen[0].gate.reason} Nothing was written.")
    return chosen


def _fastest(variants: Sequence[Variant]) -> Variant:
    """Of those that passed: what a server takes first."""
    return min((each for each in variants if each.gate.passed), key=lambda each: each.latency.median_milliseconds)


def _batch_times(
    finals: Sequence[Final], variants: Sequence[Variant], task: AnyTask, data: ExportData, progress: Progress
) -> list[BatchTimes]:
    """What batches cost the variant that will be served."""
    served = next(final.candidate for final in finals if final.candidate.name == _fastest(variants).name)
    return measure_batches(served.load(threads=1), batch_groups(task, data.inputs), progress)


def _remove_all_but(directory: Path, manifest: Manifest) -> None:
    """What was made and is not served."""
    kept = {file.path for file in manifest.files}
    for path in directory.glob("*.onnx*"):
        if path.name not in kept:
            path.unlink()
