"""What the models have done since they were loaded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tundish.server.open_inference.targets import Methods, Target, targets_of
from tundish.statistics import Total
from tundish_proto import open_inference_pb2 as oip


class StatisticsMethods(Methods):
    """Statistics."""

    async def ModelStatistics(
        self, request: oip.ModelStatisticsRequest, until: float | None
    ) -> oip.ModelStatisticsResponse:
        return oip.ModelStatisticsResponse(model_stats=map(_statistics, self._chosen(request.name, request.version)))

    def _chosen(self, name: str, version: str) -> Iterator[Target]:
        """One version if it is given, else all that are ready; every entry of every model if no name is given."""
        if name and version:
            yield self._target(name, version)
        elif name:
            newest = self._target(name, version)
            for model in self._runtime.ready_models():
                if model.name == newest.model.name:
                    yield replace(newest, model=model)
        else:
            for model in self._runtime.ready_models():
                yield from targets_of(model)


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
            # Clients divide each by the number of requests.
            queue=_duration(figures.longest["queue"]),
            compute_input=_duration(figures.longest["preprocess"]),
            compute_infer=_duration(figures.longest["compute"]),
            compute_output=_duration(figures.longest["postprocess"]),
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
