"""The way of an export of a composed model: each component's own, then all of them together against the source.

Two things are asked of the whole. In fp32 it answers as the source does; and with the fastest variants, each of which
has passed its own gate, it agrees with itself in fp32 as the gate demands: what one component gets wrong, the next may
get more wrong. Where it does not, the components are served in fp32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tundish.bundle import (
    MANIFEST_NAME,
    Bundle,
    ComposedBundle,
    component_directory,
    component_name,
    describe_file,
    next_version,
    publish_bundle,
    staged_bundle,
    write_manifest,
)
from tundish.manifest import Accuracy, BundleFile, Component, Composition, Gate, Manifest
from tundish_exporters import gate
from tundish_exporters.composed_answers import answer_all
from tundish_exporters.composed_data import ComposedData, load_composed_data
from tundish_exporters.composed_sources import ComposedSource
from tundish_exporters.equality import compare_results
from tundish_exporters.errors import DataError, ExportError, ParityError
from tundish_exporters.export_options import ExportOptions
from tundish_exporters.exporting import build
from tundish_exporters.gauge import CONFIDENCE, Gauge
from tundish_exporters.parity import Parity
from tundish_exporters.progress import Progress, silent, tracked
from tundish_exporters.report import write_report
from tundish_exporters.report.collecting import collect_composed
from tundish_exporters.slices import measure_slices


@dataclass(frozen=True, slots=True)
class ExportedComposition:
    """A published bundle of bundles, and what its maker should know."""

    bundle: ComposedBundle
    samples: int
    """On which it equals its source."""
    scores: float
    """The largest difference of a score there."""
    warnings: tuple[str, ...]


def export_composed(source: ComposedSource, options: ExportOptions, progress: Progress = silent) -> ExportedComposition:
    """Exports all components and publishes the bundle of them as the model's next version, in one rename.

    Raises:
        ExportError: a component cannot be exported, the data do not fit, or the whole answers otherwise than its
            source. Nothing was written to the repository then.
    """
    _check(options)
    data = load_composed_data(source, options, progress)
    with staged_bundle(options.repository, options.name) as staging:
        assembly = _Assembly(source, options, staging, next_version(options.repository, options.name))
        parities, said = assembly.build(data, progress)
        warnings = [*data.warnings, *said]
        scores = _check_parity(source, assembly, data, progress)
        accuracy, verdict = _judge(assembly, data, options, progress)
        if not verdict.passed:
            warnings.append(f"The fastest variants together do not pass the gate, so fp32 is served: {verdict.reason}")
            assembly.serve_float(verdict)
            accuracy, verdict = None, _passed(options, "Served in fp32.")
        samples = len(data.parity)
        composition = assembly.composition(accuracy, verdict)
        content = collect_composed(
            composition,
            samples=samples,
            scores=scores,
            parities=parities,
            served=assembly.served,
            warnings=warnings,
            options=options,
        )
        composition = assembly.composition(accuracy, verdict, write_report(staging, content))
        return ExportedComposition(publish_bundle(staging, composition), samples, scores, tuple(warnings))


class _Assembly:
    """A composed bundle in the making."""

    def __init__(self, source: ComposedSource, options: ExportOptions, staging: Path, version: int) -> None:
        self._source = source
        self._options = options
        self._staging = staging
        self._version = version
        self._manifests: dict[str, Manifest] = {}

    def build(self, data: ComposedData, progress: Progress) -> tuple[dict[str, Parity], list[str]]:
        """Exports each component; how close each is to its source, and warnings."""
        parities, warnings = {}, []
        minutes = self._options.search_minutes / len(self._source.components)
        shared = replace(self._options, search_minutes=minutes)
        for name, component in self._source.components.items():
            directory = component_directory(self._staging, name)
            directory.mkdir(parents=True)
            built = build(
                component,
                data.of_component(self._source, name),
                directory,
                shared,
                model=component_name(self._options.name, name),
                version=self._version,
                progress=_prefixed(name, progress),
            )
            self._keep(name, built.manifest)
            parities[name] = built.parity
            warnings += [f"{name}: {warning}" for warning in built.warnings]
        return parities, warnings

    def serve_float(self, verdict: Gate) -> None:
        """Has no component serve what is not fp32, by a gate that all of them together did not pass."""
        for name, manifest in self._manifests.items():
            variants = [
                variant
                if variant.precision == "fp32" or not variant.gate.passed
                else variant.model_copy(update={"gate": verdict, "files": ()})
                for variant in manifest.variants
            ]
            kept = manifest.model_copy(update={"variants": tuple(variants)})
            for file in set(manifest.files) - set(kept.files):
                (component_directory(self._staging, name) / file.path).unlink()
            self._keep(name, kept)

    def composition(self, accuracy: Accuracy | None, verdict: Gate, assets: Sequence[str] = ()) -> Composition:
        """The manifest of the whole."""
        source = self._source
        return Composition(
            task=source.task,
            reads=source.reads,
            components=tuple(Component(name=name, bundle=self._describe(name)) for name in self._manifests),
            steps=source.steps,
            postprocess=source.postprocess,
            model=self._options.name,
            version=self._version,
            source=source.describe().model_copy(update=self._options.statements),
            assets=tuple(describe_file(self._staging, name) for name in assets),
            accuracy=accuracy,
            gate=verdict,
        )

    @property
    def served(self) -> dict[str, str]:
        """The variant that a server takes first, by component."""
        return {name: manifest.servable[0].name for name, manifest in self._manifests.items()}

    def bundle(self) -> ComposedBundle:
        """The bundle as it is, for asking it."""
        components = {
            name: Bundle(component_directory(self._staging, name), manifest)
            for name, manifest in self._manifests.items()
        }
        return ComposedBundle(self._staging, self.composition(None, _passed(self._options, "")), components)

    def _keep(self, name: str, manifest: Manifest) -> None:
        self._manifests[name] = manifest
        write_manifest(component_directory(self._staging, name), manifest)

    def _describe(self, name: str) -> BundleFile:
        path = component_directory(self._staging, name).relative_to(self._staging) / MANIFEST_NAME
        return describe_file(self._staging, str(path))


def _check(options: ExportOptions) -> None:
    if options.precision not in ("auto", "fp32"):
        raise ExportError("A model of several networks is exported in auto or fp32; each takes int8 where it passes.")


def _prefixed(name: str, progress: Progress) -> Progress:
    def prefixed(description: str, done: int, total: int, note: str = "", /) -> None:
        progress(f"{name}: {description}", done, total, note)

    return prefixed


def _passed(options: ExportOptions, reason: str) -> Gate:
    return Gate(passed=True, max_drop=options.max_drop, reason=reason)


def _check_parity(source: ComposedSource, assembly: _Assembly, data: ComposedData, progress: Progress) -> float:
    """The largest difference of a score from the source's own answers.

    Raises:
        ParityError: an answer is another one.
    """
    largest = 0.0
    answers = answer_all(assembly.bundle(), [item for _, item in data.parity], precision="fp32")
    for (name, item), actual in tracked(list(zip(data.parity, answers, strict=True)), "compare the whole", progress):
        try:
            expected = source.predict(item)
        except Exception as error:  # whatever the source's own code raises
            raise ParityError(f"The source itself fails on calibration {name}: {error}") from error
        distance, fault = compare_results(expected, actual)
        largest = max(largest, distance)
        if fault:
            raise ParityError(
                f"Each component equals its source, but together they differ on calibration {name}: {fault}."
            )
    return largest


def _judge(
    assembly: _Assembly, data: ComposedData, options: ExportOptions, progress: Progress
) -> tuple[Accuracy | None, Gate]:
    """What the fastest variants get right beside those in fp32, or agree on with them."""
    bundle = assembly.bundle()
    if all(component.manifest.servable[0].precision == "fp32" for component in bundle.components.values()):
        return None, _passed(options, "Served in fp32.")
    if not data.gate:
        return None, _passed(options, "No data was given for all of its inputs; each component passed its own gate.")
    progress("evaluate the whole", 0, 1)
    floating = answer_all(bundle, data.gate, precision="fp32")
    gauge = Gauge(floating, data.truths, data.metric, confidence=options.confidence or CONFIDENCE, groups=data.groups)
    try:
        comparison = gauge.compare(answer_all(bundle, data.gate, precision="fastest"))
        accuracy = comparison.accuracy(() if data.slices is None else measure_slices(comparison, data.slices))
    except DataError as error:
        reason = f"They fail on what those in fp32 answer. {error}"
        return None, Gate(passed=False, max_drop=options.max_drop, reason=reason)
    progress("evaluate the whole", 1, 1)
    verdict = gate.judge(
        accuracy, options.max_drop, max_slice_drop=options.max_slice_drop, confidence=options.confidence
    )
    return accuracy, verdict
