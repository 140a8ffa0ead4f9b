"""The last measurements of an export: what the gate says of the shortlist, and the latencies of those it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tundish.bundle import describe_file
from tundish.engines import Arrays, Engine, check_tensors
from tundish.errors import EngineError
from tundish.manifest import Latency, ModelSpec, Variant
from tundish_exporters.candidates import Candidate
from tundish_exporters.judging import Judge, Judgement
from tundish_exporters.latency import measure_latency
from tundish_exporters.progress import Progress
from tundish_exporters.shortlist import Contender


@dataclass(frozen=True, slots=True)
class Final:
    """A candidate that becomes a variant, servable or not."""

    contender: Contender
    judgement: Judgement
    latency: Latency

    @property
    def candidate(self) -> Candidate:
        """What is measured."""
        return self.contender.candidate

    def variant(self) -> Variant:
        """A rejected one is recorded with its figures, but its files are not kept."""
        path = self.candidate.path
        names = sorted(part.name for part in path.parent.glob(f"{path.name}*"))
        kept = self.judgement.gate.passed
        return Variant(
            name=self.candidate.name,
            engine=self.candidate.engine,
            precision=self.candidate.precision,
            device="cpu",
            recipe=self.candidate.recipe,
            files=tuple(describe_file(path.parent, name) for name in names) if kept else (),
            accuracy=self.judgement.accuracy,
            latency=self.latency,
            gate=self.judgement.gate,
            preprocess=self.judgement.preprocess,
        )


def measure_finals(
    places: Sequence[Sequence[Contender]],
    spec: ModelSpec,
    judge: Judge,
    inputs: Sequence[Arrays],
    progress: Progress,
) -> tuple[list[Final], list[str]]:
    """The first contender of each place that passes, or the last; and a warning for each that an engine does not take.

    ONNX Runtime must take what was exported for it. OpenVINO may lack an operator or a datatype of the network; that
    costs the network its variants by OpenVINO.

    Raises:
        EngineError: ONNX Runtime does not take a file, or fails on the inputs.
        DataError: see `Judge.judge`.
    """
    judged: dict[Contender, Judgement] = {}
    engines: dict[str, Engine] = {}
    warnings: list[str] = []
    for place in places:
        for contender in place:
            candidate = contender.candidate
            try:
                engine = _load(candidate, spec, inputs[0])
            except EngineError as error:
                if candidate.engine == "onnx":
                    raise
                warnings.append(f"There is no {candidate.name}: {error}")
                break
            judgement = _judge(contender, judge)
            if judgement.gate.passed or contender is place[-1]:
                judged[contender], engines[candidate.name] = judgement, engine
                break
    latencies = measure_latency(engines, inputs, progress)
    return [Final(each, judgement, latencies[each.candidate.name]) for each, judgement in judged.items()], warnings


def _load(candidate: Candidate, spec: ModelSpec, sample: Arrays) -> Engine:
    engine = candidate.load(threads=1)
    check_tensors(engine, spec, candidate.path)
    engine.run(sample)
    return engine


def _judge(contender: Contender, judge: Judge) -> Judgement:
    """What has failed before the eyes of the search does not pass by the luck of other samples."""
    judgement = judge.judge(contender.candidate)
    if contender.fault is not None and judgement.gate.passed:
        reason = f"On the samples that the search saw: {contender.fault.reason}"
        return replace(judgement, gate=contender.fault.model_copy(update={"reason": reason}))
    return judgement
