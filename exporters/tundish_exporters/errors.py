"""The errors that exporters add to the runtime's tree."""

from __future__ import annotations

import grpc

from tundish.errors import TundishError


class ExportError(TundishError):
    """A source cannot be exported as asked; nothing was written to the repository."""

    status = grpc.StatusCode.FAILED_PRECONDITION


class DataError(ExportError):
    """Calibration or evaluation data cannot be read, or does not fit the model."""


class TooFewError(DataError):
    """Samples are good, and too few of them, or too much alike, to measure by."""


class ParityError(ExportError):
    """The exported model answers differently from its source; says at which stage the two part."""
