"""The recipe that nncf makes for OpenVINO: ranges per channel where layers allow it, SmoothQuant, corrected biases."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import onnx

from tundish.engines import Arrays
from tundish.manifest import EngineName, Precision
from tundish_exporters.errors import ExportError
from tundish_exporters.progress import Progress
from tundish_exporters.quantize.biases import correct_biases, with_biases
from tundish_exporters.quantize.ends import find_ends
from tundish_exporters.quantize.heads import fit_heads, shrink_heads
from tundish_exporters.quantize.nncf_worker import write_inputs
from tundish_exporters.quantize.observing import calibration_inputs
from tundish_exporters.quantize.preparing import prepare
from tundish_exporters.quantize.ranges import observe
from tundish_exporters.quantize.recipe import describe_keeping, name_keeping, one_sentence


@dataclass(frozen=True, kw_only=True)
class NncfRecipe:
    """Static Q/DQ as OpenVINO prefers it.

    docs/decisions/2026-11-26-recipes.md says what of it ONNX Runtime cannot fuse.
    """

    transformer: bool
    """Whether it has attention, which nncf leaves alone then."""
    kept: frozenset[str] = frozenset()

    precision: ClassVar[Precision] = "int8"
    engines: ClassVar[tuple[EngineName, ...]] = ("openvino",)

    @property
    def name(self) -> str:
        """See `Recipe.name`."""
        return name_keeping("nncf-transformer" if self.transformer else "nncf", self.kept)

    @property
    def description(self) -> str:
        """See `Recipe.description`."""
        special = "SmoothQuant" if self.transformer else "heads in float and fitted"
        return describe_keeping(f"static Q/DQ by nncf, biases corrected, {special}, embeddings in float", self.kept)

    def keeping(self, layers: frozenset[str]) -> NncfRecipe:
        """See `Recipe.keeping`."""
        return replace(self, kept=self.kept | layers)

    def prepare(self, source: Path, destination: Path, calibration: Sequence[Arrays], progress: Progress) -> None:  # noqa: ARG002  # folded alone
        """See `Recipe.prepare`."""
        prepare(source, destination)

    def write(self, prepared: Path, destination: Path, calibration: Sequence[Arrays], progress: Progress) -> None:
        """See `Recipe.write`."""
        inputs = calibration_inputs(calibration)
        with one_sentence("quantisation by nncf"), tempfile.TemporaryDirectory(dir=destination.parent) as scratch:
            if self.transformer:  # its weights are scaled, too, and differ from the float ones by more than rounding
                self._quantize(prepared, destination, inputs, Path(scratch), progress)
            else:
                self._quantize_and_correct(prepared, destination, inputs, Path(scratch), progress)

    def _quantize_and_correct(
        self, prepared: Path, destination: Path, inputs: Sequence[Arrays], scratch: Path, progress: Progress
    ) -> None:
        source, written = scratch / "float.onnx", scratch / "quantised.onnx"
        floating = onnx.load(prepared)
        convolutions, ends = with_biases(floating.graph, floating.graph.node), find_ends(floating.graph)
        onnx.save(floating, source)
        self.keeping(frozenset(ends.heads))._quantize(source, written, inputs, scratch, progress)
        read = sorted({each.input for each in convolutions})
        means = observe(floating, read, inputs, progress, means_of=read).means
        quantised = onnx.load(written)
        correct_biases(quantised.graph, convolutions, means)
        fit_heads(floating, quantised, ends.heads, inputs, progress)
        shrink_heads(quantised, self.kept)
        onnx.save(quantised, destination)

    def _quantize(
        self, prepared: Path, destination: Path, inputs: Sequence[Arrays], scratch: Path, progress: Progress
    ) -> None:
        progress("quantise by nncf", 0, 1)
        archive = scratch / "inputs.npz"
        write_inputs(archive, inputs)
        settings = json.dumps({"transformer": self.transformer, "kept": sorted(self.kept)})
        arguments = [*map(str, (prepared, destination, archive)), settings]
        ran = subprocess.run(  # noqa: S603  # arguments of our own
            [sys.executable, "-m", "tundish_exporters.quantize.nncf_worker", *arguments],
            capture_output=True,
            text=True,
            check=False,
            # What goes through sets comes out in one order.
            env={**os.environ, "PYTHONHASHSEED": "0"},
        )
        if ran.returncode < 0:  # where memory runs out, the kernel ends what takes most
            raise ExportError(f"Quantisation by nncf was ended by signal {-ran.returncode}.") from ChildProcessError()
        if ran.returncode != 0:
            reason = ran.stderr.strip().rsplit("\n", maxsplit=1)[-1]
            raise ExportError(f"Quantisation by nncf failed: {reason}")
        progress("quantise by nncf", 1, 1)
