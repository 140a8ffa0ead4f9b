"""What an export has once the float network is known to equal its source, and quantisation begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tundish.engines import Arrays
from tundish.manifest import ModelSpec
from tundish.results import Result
from tundish_exporters.candidates import Candidate
from tundish_exporters.export_data import ExportData, GateData
from tundish_exporters.export_options import ExportOptions
from tundish_exporters.judging import Judge
from tundish_exporters.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A bundle in the making."""

    directory: Path
    spec: ModelSpec
    floating: Candidate
    """In ONNX Runtime, as exported."""
    inputs: Sequence[Arrays]
    """The network's, of the data's items; what latency is measured with."""
    calibration: Sequence[Arrays]
    data: ExportData
    source_answers: Sequence[Result]
    """To the data's parity inputs."""
    options: ExportOptions

    def judge(self, samples: GateData | None, progress: Progress) -> Judge:
        """Whoever holds candidates against the float network on these samples; raises DataError as `Judge` does."""
        return Judge(
            self.spec,
            self.directory,
            self.floating,
            samples,
            self.options,
            progress,
            parity_inputs=self.data.parity_inputs,
            source_answers=self.source_answers,
        )
