"""What the models have done since they were loaded."""

from __future__ import annotations

from collections.abc import Iterator

from tundish.server.open_inference.targets import Methods, Target, targets_of
from tundish.statistics import Snapshot, Total
from tundish_proto import open_inference_pb2 as oip


class StatisticsMethods(Methods):
    """Statistics."""

    async def ModelStatistics(
        self, request: oip.ModelStatisticsRequest, until: float | None
    ) -> oip.ModelStatisticsResponse:
        return oip.ModelStatisticsResponse(model_stats=map(_statistics, self._chosen(request.name, request.version)))

    def _chosen(self, name: str, version: str) -> Iterator[Target]:
        """One version if it is given, else all that are ready; both entries of every model if no name is given."""
        if name and version:
            yield self._target(name, version)
            return
        if name:
            self._target(name, version)  # raises for one that there is not
        for model in self._runtime.ready_models():
            yield from (target for target in targets_of(model) if not name or target.name == name)


def _statistics(target: Target) -> oip.ModelStatistics:
    figures = target.statistics.snapshot()
    return oip.ModelStatistics(
        name=target.name,
        version=target.version,
        last_inference=round(figures.last_answer_seconds * 1e3),
        inference_count=figures.items,
        execution_count=figures.batch_count,
        inference_stats=oip.InferStatistics(
            success=_duration(figures.succeeded),
            fail=_duration(figures.failed),
            queue=_stage(figures, "queue"),
            compute_input=_stage(figures, "preprocess"),
            compute_infer=_stage(figures, "compute"),
            compute_output=_stage(figures, "postprocess"),
        ),
        batch_stats=[
            oip.InferBatchStatistics(
                batch_size=size,
                compute_input=_duration(totals.preprocess),
                compute_infer=_duration(totals.compute),
                compute_output=_duration(totals.postprocess),
            )
            for size, totals in sorted(figures.batches.items())
        ],
    )


def _duration(total: Total) -> oip.StatisticDuration:
    return oip.StatisticDuration(count=total.count, ns=total.nanoseconds)


def _stage(figures: Snapshot, stage: str) -> oip.StatisticDuration:
    histogram = figures.stages[stage]
    return oip.StatisticDuration(count=sum(histogram.counts), ns=histogram.nanoseconds)
