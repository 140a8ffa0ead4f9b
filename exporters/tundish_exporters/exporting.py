"""The way of an export: float graph, parity with the source, quantisation, measurement, gate, bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tundish.bundle import Bundle, describe_file, next_version, publish_bundle, staged_bundle
from tundish.engines import Arrays
from tundish.manifest import ClassificationPostprocess, Manifest, ModelSpec, Precision, Serving, Variant
from tundish.placement.machine import usable_cores
from tundish.results import Result
from tundish.tasks import Task
from tundish.tasks.registry import load_task
from tundish_exporters.batch_limits import BatchTimes, batch_groups, best_limits, measure_batches
from tundish_exporters.candidates import ENGINES, Candidate, openvino_floats
from tundish_exporters.errors import DataError, ExportError
from tundish_exporters.export_data import ExportData, GateData, load_export_data
from tundish_exporters.export_options import ExportOptions
from tundish_exporters.finals import Final, measure_finals
from tundish_exporters.judging import Judge
from tundish_exporters.parity import Parity, check_parity, parity_task
from tundish_exporters.progress import Progress, silent
from tundish_exporters.quantize import Recipe, recipes_for
from tundish_exporters.report import write_report
from tundish_exporters.report.collecting import Findings, collect
from tundish_exporters.report.trials import report_layers, report_trials
from tundish_exporters.search.trial import Trial
from tundish_exporters.shortlist import Contender, Shortlist, first_guess, search_shortlist
from tundish_exporters.sources import Source

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
    floating = _write_float(source, directory, progress)
    spec, task, parity, answers = _check(source, floating, data, directory, progress)
    inputs = [task.collate([task.prepare(item)]) for item in data.inputs]
    calibration = data.calibration(inputs, spec.inputs)
    final_judge, shortlist, not_made = _shortlist(
        floating, calibration, inputs, spec, directory, data, answers, options, progress
    )
    floats = [floating, *openvino_floats(floating, _float_precisions(options, data))]
    places = [*((Contender(each),) for each in floats), *shortlist.places]
    places.sort(key=lambda place: ENGINES.index(place[0].candidate.engine))
    finals, not_taken = measure_finals(places, spec, final_judge, inputs, progress)
    measured = [final.variant() for final in finals]
    variants = _chosen(measured, options)
    batch_times = _batch_times(finals, variants, task, data, progress) if spec.takes_batches else []
    limits = best_limits(batch_times)
    described = source.describe().model_copy(update=options.statements)
    findings = Findings(
        model=model,
        version=version,
        spec=spec,
        source=described,
        directory=directory,
        data=data,
        inputs=inputs,
        floating=floating,
        candidates=[final.candidate for final in finals],
        measured=measured,
        served=_fastest(variants),
        judgements={final.candidate.name: final.judgement for final in finals},
        judged=final_judge.data,
        float_results=final_judge.float_results,
        parity=parity,
        batches=batch_times,
        options=options,
        trials=report_trials(finals, measured, _fastest(variants), shortlist.trials),
        layers=report_layers(shortlist.layers, finals),
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
    return Built(
        manifest, parity, (*data.warnings, *not_made, *not_taken, *_warnings(variants, data, options)), shortlist.trials
    )


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


def _shortlist(
    floating: Candidate,
    calibration: Sequence[Arrays],
    inputs: Sequence[Arrays],
    spec: ModelSpec,
    directory: Path,
    data: ExportData,
    source_answers: Sequence[Result],
    options: ExportOptions,
    progress: Progress,
) -> tuple[Judge, Shortlist, list[str]]:
    """Whoever judges in the end, what is judged then besides the float ones, and warnings.

    What is not in fp32 must pass the gate, which needs data.
    """

    def judge(samples: GateData | None) -> Judge:
        return Judge(
            spec,
            directory,
            floating,
            samples,
            options,
            progress,
            parity_inputs=data.parity_inputs,
            source_answers=source_answers,
        )

    if data.gate is None or options.precision in ("fp32", "bf16"):
        return judge(data.gate), Shortlist(), []
    recipes = _asked(recipes_for(floating.path, engines=ENGINES), options)
    if not recipes:
        return judge(data.gate), Shortlist(), ["There is no int8: the network has no weights that recipes quantise."]
    if options.search_minutes:
        seen, kept = data.gate.halves()
        shortlist = search_shortlist(recipes, floating, calibration, inputs, spec, judge(seen), seen, options, progress)
        return (
            judge(kept),
            shortlist,
            ["The search was interrupted; the best so far was taken."] if shortlist.was_interrupted else [],
        )
    try:
        return judge(data.gate), first_guess(recipes, floating, calibration, progress), []
    except ExportError as error:
        if options.precision != "auto":
            raise
        return judge(data.gate), Shortlist(), [f"There is no {recipes[0].precision}: {error}"]


def _float_precisions(options: ExportOptions, data: ExportData) -> list[Precision]:
    """Those in which the float network may be tried on other engines; bf16 must pass the gate, which needs data."""
    asked: Sequence[Precision] = ("fp32", "bf16") if options.precision == "auto" else (options.precision,)
    return [precision for precision in asked if precision == "fp32" or data.gate is not None]


def _asked(recipes: Sequence[Recipe], options: ExportOptions) -> list[Recipe]:
    """Those of the precision that was asked for; unsearched, in int8 unless another was."""
    unsearched = "int8" if options.precision == "auto" and not options.search_minutes else options.precision
    return [recipe for recipe in recipes if unsearched in ("auto", recipe.precision)]


def _chosen(variants: Sequence[Variant], options: ExportOptions) -> tuple[Variant, ...]:
    """Those of the precision that was asked for."""
    if options.precision == "auto":
        return tuple(variants)
    chosen = tuple(variant for variant in variants if variant.precision == options.precision)
    if not chosen:
        raise ExportError(f"No engine here makes {options.precision} of this network; leave --precision out.")
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


def _warnings(variants: Sequence[Variant], data: ExportData, options: ExportOptions) -> tuple[str, ...]:
    warnings = []
    if data.gate is None:
        untried = "" if options.precision == "fp32" else "int8 was not tried and "
        warnings.append(f"No data was given, so {untried}parity was checked on made-up inputs.")
    measured = [variant.accuracy for variant in variants if variant.accuracy is not None]
    if not all(accuracy.reference for accuracy in measured):
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
