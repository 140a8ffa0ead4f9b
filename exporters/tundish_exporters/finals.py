"""The last measurements of an export: what the gate says of the shortlist, and the latencies of those it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tundish.bundle import describe_file
from tundish.engines import Arrays, Engine, check_tensors
from tundish.errors import EngineError
from tundish.manifest import Latency, ModelSpec, Variant
from tundish_exporters.candidates import FLOAT_NAME, Candidate
from tundish_exporters.errors import DataError, ExportError
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
    """The first contender of each place that passes, or the last that can be judged; and warnings of those that cannot.

    ONNX Runtime must take what was exported for it. An engine may lack an operator or a datatype of any other file, or
    fail on a sample; that costs the network no more than that candidate.

    Raises:
        EngineError: ONNX Runtime does not take the float file, or fails on the inputs.
        DataError: see `Judge.judge`.
    """
    warnings: list[str] = []
    settled = [each for each in (_settled(place, spec, judge, inputs[0], warnings) for place in places) if each]
    latencies = measure_latency({each.contender.candidate.name: each.engine for each in settled}, inputs, progress)
    finals: list[Final] = []
    for each in settled:
        latency = latencies[each.contender.candidate.name]
        if isinstance(latency, Latency):
            finals.append(Final(each.contender, each.judgement, latency))
        else:
            _pass_over(each.contender, latency, warnings)
    return finals, warnings


@dataclass(frozen=True, slots=True)
class _Settled:
    """A place that is taken."""

    contender: Contender
    judgement: Judgement
    engine: Engine


def _settled(
    place: Sequence[Contender], spec: ModelSpec, judge: Judge, sample: Arrays, warnings: list[str]
) -> _Settled | None:
    """Who takes the place; None if no contender can be judged. Adds a warning for each that cannot."""
    settled = None
    for contender in place:
        try:
            engine = _load(contender.candidate, spec, sample)
            settled = _Settled(contender, _judge(contender, judge), engine)
        except DataError:
            raise
        except (EngineError, ExportError) as error:
            _pass_over(contender, error, warnings)
            continue
        if settled.judgement.gate.passed:
            break
    return settled


def _pass_over(contender: Contender, error: EngineError | ExportError, warnings: list[str]) -> None:
    """The float file in ONNX Runtime must work; whatever else does not is left out."""
    candidate = contender.candidate
    if candidate.name == FLOAT_NAME:
        raise error
    recipe = f" ({candidate.recipe})" if contender.trial else ""
    warnings.append(f"There is no {candidate.name}{recipe}: {error}")


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
