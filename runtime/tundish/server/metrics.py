"""What the models have done and are doing, as Prometheus reads it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import get_args

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from tundish.model import Model
from tundish.model_table import State
from tundish.runtime import Runtime
from tundish.statistics import BUCKET_SECONDS, Histogram

_MODEL = ("model", "version")
_ENTRY = (*_MODEL, "entry")


def make_registry(runtime: Runtime) -> CollectorRegistry:
    """The metrics of a runtime, and those of its process that are usual."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_ModelCollector(runtime))
    ProcessCollector(registry=registry)
    return registry


class _ModelCollector(Collector):
    """Of each version, at each of its entries: `pipeline` is the model's own name, `engine` is `NAME.engine`."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def collect(self) -> Iterable[Metric]:
        """Figures of this moment; a version that is loaded anew begins at nothing."""
        yield self._states()
        models = list(self._runtime.ready_models())
        yield from _present(models)
        yield from _past(models, self._runtime.refusals.snapshot())

    def _states(self) -> Metric:
        states = GaugeMetricFamily(
            "tundish_model_state", "Whether a version is in this state (1) or not (0).", labels=(*_MODEL, "state")
        )
        for version in self._runtime.table.versions():
            for state in get_args(State):
                states.add_metric((version.model, str(version.number), state), float(version.state == state))
        return states


def _present(models: Iterable[Model]) -> Iterator[Metric]:
    queued = GaugeMetricFamily("tundish_queue_items", "Items that wait for an instance.", labels=_MODEL)
    instances = GaugeMetricFamily("tundish_instances", "Instances that take batches.", labels=_MODEL)
    for model in models:
        labels = (model.name, str(model.manifest.version))
        queued.add_metric(labels, model.waiting)
        instances.add_metric(labels, model.live_instances)
    yield from (queued, instances)


def _past(models: Iterable[Model], refusals: Mapping[tuple[str, str], int]) -> Iterator[Metric]:
    requests = CounterMetricFamily(
        "tundish_requests",
        "Inference requests that were answered, by the name of their gRPC status. Without version and entry: refused "
        "before a version had them, as malformed ones are; without a model: they named none that there is.",
        labels=(*_ENTRY, "outcome"),
    )
    for (model, outcome), count in refusals.items():
        requests.add_metric((model, "", "", outcome), count)
    items = CounterMetricFamily("tundish_items", "Items of requests that succeeded.", labels=_ENTRY)
    batches = CounterMetricFamily(
        "tundish_batches", "Batches that an engine ran, by their number of items.", labels=(*_ENTRY, "batch_size")
    )
    durations = HistogramMetricFamily(
        "tundish_request_duration_seconds", "From acceptance to answer, of requests that succeeded.", labels=_ENTRY
    )
    stages = HistogramMetricFamily(
        "tundish_stage_duration_seconds",
        "What an item waited, or its batch took in a stage; of requests that succeeded.",
        labels=(*_ENTRY, "stage"),
    )
    snapshots = (
        ((model.name, str(model.manifest.version), entry), statistics.snapshot())
        for model in models
        for entry, statistics in model.statistics.items()
    )
    for labels, figures in snapshots:
        for outcome, count in {"OK": figures.succeeded.count, **figures.failures}.items():
            requests.add_metric((*labels, outcome), count)
        items.add_metric(labels, figures.items)
        for size, totals in sorted(figures.batches.items()):
            batches.add_metric((*labels, str(size)), totals.compute.count)
        durations.add_metric(labels, _cumulative(figures.requests), figures.requests.nanoseconds * 1e-9)
        for stage, histogram in figures.stages.items():
            stages.add_metric((*labels, stage), _cumulative(histogram), histogram.nanoseconds * 1e-9)
    yield from (requests, items, batches, durations, stages)


def _cumulative(histogram: Histogram) -> list[tuple[str, float]]:
    """Each bucket's upper end, with how many durations were at most that."""
    ends = [*map(floatToGoString, BUCKET_SECONDS), "+Inf"]
    return list(zip(ends, map(float, itertools.accumulate(histogram.counts)), strict=True))
