"""Gathers what an export found out into its report's content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tundish.cli.rendering import TOGETHER
from tundish.engines import Arrays
from tundish.manifest import Accuracy, ClassificationPostprocess, Composition, ModelSpec, SliceAccuracy, Source, Variant
from tundish.pipeline import Pipeline
from tundish.results import Result
from tundish.tasks.registry import load_task
from tundish_exporters.agreement import ScoreFunction
from tundish_exporters.batch_limits import BatchTimes
from tundish_exporters.candidates import FLOAT_NAME, Candidate
from tundish_exporters.export_data import ExportData, GateData
from tundish_exporters.export_options import ExportOptions
from tundish_exporters.gauge import CONFIDENCE
from tundish_exporters.judging import Judgement
from tundish_exporters.parity import Parity
from tundish_exporters.progress import Progress
from tundish_exporters.report.activations import activation_histograms
from tundish_exporters.report.comparing import compare
from tundish_exporters.report.content import (
    About,
    ActivationHistogram,
    Comparison,
    ComposedContent,
    ComposedParity,
    GroupAccuracy,
    LayerError,
    ReportContent,
    StageMedians,
    Trial,
)
from tundish_exporters.report.environment import environment, source_in_words
from tundish_exporters.report.folders import Folders
from tundish_exporters.report.stages import measure_stages
from tundish_exporters.report.wording import headline


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What an export found out about one network, before its files are tidied up."""

    model: str
    version: int
    spec: ModelSpec
    source: Source
    directory: Path
    """Of the bundle in the making."""
    data: ExportData
    inputs: Sequence[Arrays]
    """The network's, of the data's inputs."""
    floating: Candidate
    """In ONNX Runtime, as exported."""
    candidates: Sequence[Candidate]
    """Those that were measured."""
    measured: Sequence[Variant]
    """What became of each, in the same order, whether it is kept or not."""
    served: Variant
    """The fastest that passed."""
    judgements: Mapping[str, Judgement]
    """By variant."""
    judged: GateData | None
    """The samples that they are of, which need not be all of the data; None if there are none."""
    float_results: Sequence[Result]
    """What the float model answers to these samples."""
    parity: Parity
    batches: Sequence[BatchTimes]
    options: ExportOptions
    trials: Sequence[Trial]
    """The variants, and what else a search has tried."""
    layers: Sequence[LayerError]
    warnings: Sequence[str]
    """What the export says that its maker should mind."""


def collect(findings: Findings, progress: Progress) -> ReportContent:
    """The content of a report; measures where the time goes, and how activations lie to their ranges."""
    samples = () if findings.data.gate is None else findings.data.gate.samples
    folders = Folders(findings.options, samples=samples, bundle=findings.directory)
    trials = tuple(replace(trial, reason=folders.without(trial.reason)) for trial in findings.trials)
    source = findings.source
    return ReportContent(
        about=About(
            model=findings.model,
            version=findings.version,
            task=findings.spec.task,
            source=source_in_words(source),
            license=source.license,
            intended_use=source.intended_use,
        ),
        headline=headline(findings.model, trials),
        warnings=tuple(map(folders.without, findings.warnings)),
        parity=findings.parity,
        environment=environment(),
        max_drop=findings.options.max_drop if findings.judged else None,
        trials=trials,
        comparison=_comparison(findings),
        labels={name: _groups(judgement.labels) for name, judgement in findings.judgements.items()},
        slices={each.name: _groups(each.accuracy.slices) for each in findings.measured if each.accuracy is not None},
        layers=tuple(findings.layers),
        activations=_activations(findings, progress),
        stages=_stages(findings, progress),
        batches=tuple(findings.batches),
    )


def trials_of(measured: Sequence[Variant], served: Variant) -> list[Trial]:
    """A trial for each variant, with the fastest that passed as the one that is served."""
    floating = next((each for each in measured if each.name == FLOAT_NAME), None)
    return [_trial(each, served, floating) for each in measured]


def _trial(variant: Variant, served: Variant, floating: Variant | None) -> Trial:
    milliseconds = variant.latency.median_milliseconds
    reason = variant.gate.reason
    if variant.gate.passed and variant.name != served.name:
        reason = f"{reason} {served.name} is faster."
    trial = Trial(
        name=variant.name,
        engine=variant.engine,
        precision=variant.precision,
        recipe=variant.recipe,
        outcome="served" if variant.name == served.name else "passed" if variant.gate.passed else "failed",
        reason=reason,
        milliseconds=milliseconds,
        speedup=floating.latency.median_milliseconds / milliseconds if floating else None,
        bytes=sum(file.bytes for file in variant.files) or None,
    )
    return with_accuracy(trial, variant.accuracy)


def with_accuracy(trial: Trial, accuracy: Accuracy | None) -> Trial:
    """The trial with what was measured of it, if anything was."""
    if accuracy is None:
        return trial
    interval = accuracy.interval
    return replace(
        trial,
        metric=accuracy.metric,
        value=accuracy.value,
        reference=accuracy.reference,
        drop=accuracy.reference - accuracy.value,
        interval=None if interval is None else (interval.low, interval.high),
        confidence=CONFIDENCE if interval is None else interval.confidence,
        samples=accuracy.samples,
        groups=accuracy.groups,
    )


def _groups(measured: Sequence[SliceAccuracy]) -> tuple[GroupAccuracy, ...]:
    return tuple(
        GroupAccuracy(
            name=each.name,
            value=each.value,
            reference=each.reference,
            samples=each.samples,
            groups=each.groups,
            interval=None if each.interval is None else (each.interval.low, each.interval.high),
        )
        for each in measured
    )


def _comparison(findings: Findings) -> Comparison | None:
    """Of the variant that is served; if that is the float one, of the fastest that was not accurate enough."""
    judged, served = findings.judged, findings.served
    rivals = [each for each in findings.measured if each.precision != "fp32"]
    rivals.sort(key=lambda each: (each.name != served.name, each.latency.median_milliseconds))
    if judged is None or not rivals:
        return None
    results = findings.judgements[rivals[0].name].results
    if not results:
        return None
    preprocess, postprocess = findings.spec.preprocess, findings.spec.postprocess
    function: ScoreFunction = postprocess.function if isinstance(postprocess, ClassificationPostprocess) else "softmax"
    return compare(
        rivals[0].name,
        results,
        findings.float_results,
        samples=judged.samples,
        truths=judged.truths,
        reads=() if preprocess is None else preprocess.reads,
        function=function,
        is_served=rivals[0].name == served.name,
        with_samples=findings.options.samples_in_report,
    )


def _activations(findings: Findings, progress: Progress) -> tuple[ActivationHistogram, ...]:
    """Those of the variant that is served, or of the first that has static ones."""
    made = sorted(
        (each for each in findings.candidates if each.precision == "int8"),
        key=lambda candidate: candidate.name != findings.served.name,
    )
    if not made:
        return ()
    progress("look at activations", 0, 1)
    looked_at = (
        activation_histograms(findings.floating.path, path, findings.inputs)
        for path in dict.fromkeys(candidate.path for candidate in made)
    )
    found = next(filter(None, looked_at), ())
    progress("look at activations", 1, 1)
    return found


def _stages(findings: Findings, progress: Progress) -> tuple[StageMedians, ...]:
    pipelines = {}
    for candidate, variant in zip(findings.candidates, findings.measured, strict=True):
        if variant.gate.passed:
            rule = {} if variant.preprocess is None else {"preprocess": variant.preprocess}
            task = load_task(findings.spec.model_copy(update=rule), findings.directory)
            pipelines[variant.name] = Pipeline(task, candidate.load(threads=1))
    return measure_stages(pipelines, findings.data.inputs, progress)


def collect_composed(
    composition: Composition,
    *,
    samples: int,
    scores: float,
    parities: Mapping[str, Parity],
    served: Mapping[str, str],
    warnings: Sequence[str],
    options: ExportOptions,
) -> ComposedContent:
    """The content of a composed model's report.

    Args:
        composition: its manifest.
        samples: on which the whole equals its source.
        scores: the largest difference of a score there.
        parities: how close each component is to its source.
        served: the variant of each component that is served.
        warnings: what the export says that its maker should mind.
        options: what was asked of it.
    """
    return ComposedContent(
        about=About(
            model=composition.model,
            version=composition.version,
            task=composition.task,
            source=source_in_words(composition.source),
            license=composition.source.license,
            intended_use=composition.source.intended_use,
        ),
        headline=f"{composition.model} works with {len(parities)} networks: {', '.join(parities)}.",
        warnings=tuple(map(Folders(options).without, warnings)),
        parity=ComposedParity(samples, scores),
        components=parities,
        served=served,
        verdict=composition.gate.reason,
        slices={} if composition.accuracy is None else {TOGETHER: _groups(composition.accuracy.slices)},
        environment=environment(),
    )
