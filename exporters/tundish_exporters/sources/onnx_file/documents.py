"""What the networks of documents have in common: they read images as those of PP-OCR do, of nearly any size."""

from __future__ import annotations

from dataclasses import replace

from tundish import manifest
from tundish.tasks.opencv import load_opencv
from tundish_exporters.errors import ExportError
from tundish_exporters.onnx_hints import OnnxHints
from tundish_exporters.sources.onnx_file.onnx_source import OnnxSource
from tundish_exporters.sources.onnx_file.reading import OnnxFile

_HALF = 0.5
"""The mean and the standard deviation of each channel, in RapidOCR's configuration."""


class DocumentSource(OnnxSource):
    """See `Source`."""

    def __init__(self, file: OnnxFile, hints: OnnxHints) -> None:
        """See `OnnxSource`; raises ExportError also if hints belong to other tasks, or OpenCV is not installed."""
        load_opencv()
        self._said_nothing = not hints.says_how_to_normalize and hints.color is None
        if not hints.says_how_to_normalize:
            hints = replace(hints, mean=_HALF, std=_HALF)
        super().__init__(file, replace(hints, color=hints.color or "bgr"))

    @property
    def warnings(self) -> tuple[str, ...]:
        """See `OnnxSource.warnings`."""
        if not self._said_nothing:
            return ()
        return (
            "Nothing says how the network reads images, so they are read as RapidOCR reads them for PP-OCR's: BGR, "
            "pixels from -1 to 1; if it was trained otherwise, pass --color, --mean, --std or --scale.",
        )

    def _refuse(self, hints: OnnxHints, *, but: str) -> None:
        """Raises ExportError if hints are said that no network of documents has, apart from one that this has."""
        given = [name for name in ("labels", "activation", "resize") if getattr(hints, name) is not None]
        if said := [f"--{name.replace('_', '-')}" for name in (*given, *hints.detector.said) if name != but]:
            raise ExportError(f"A network for {self.task} has no {', '.join(said)}; leave that out.")

    def _rule_for(self, default: manifest.Resize) -> manifest.ImagePreprocess:
        # Half a grey level more or less moves regions by pixels, and spaces to other places of a text.
        return super()._rule_for(default).model_copy(update={"resampling": "opencv"})
