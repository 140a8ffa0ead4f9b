"""What is asked of an export."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict, get_args

from pydantic import TypeAdapter, ValidationError

from tundish.manifest import MAX_STATEMENT, ModelName
from tundish_exporters.errors import ExportError

RequestedPrecision = Literal["auto", "fp32", "fp16", "bf16", "int8", "int4"]
SEARCH_MINUTES = 5.0
"""Enough on two cores for MiniLM or MobileNetV2."""
_MOST_MINUTES = 7 * 24 * 60
PathLike = str | os.PathLike[str]

MetricFunction = Callable[[list[dict[str, Any]], list[Any]], float]
"""From answers and what is right for each to a figure, higher being better and 1 the best.

An answer is what `tundish infer --json` prints of it. What is right has the forms of `tundish_exporters.truths`, in
JSON's terms: sets and tuples are lists, entities and objects dictionaries, paths strings.
"""


class ExportSettings(TypedDict, total=False):
    """What every public call of an export takes besides its source; `ExportOptions` has the defaults."""

    precision: RequestedPrecision
    """`auto` keeps fp32 beside the fastest that passes; another fails unless one of its recipes passes the gate."""
    search_minutes: float
    """How long recipes may be tried for the fastest that passes; with 0, the most promising one is taken unsearched."""
    stock_operators: bool
    """Whether variants have no operators but ONNX Runtime's own, so that their files open in any program that has it;
    those of tundish's kernels are faster."""
    calibration: PathLike | None
    """Data to calibrate and compare on; see `tundish_exporters.data` for the forms."""
    evaluation: PathLike | None
    """Labelled data for the gate."""
    max_drop: float
    """The most accuracy that a variant may lose to the float model; 0.005 is half a percentage point."""
    slice_column: str | None
    """Of the evaluation data's table, by whose values the accuracy is told apart as well."""
    group_column: str | None
    """Of the same table: samples with the same value in it belong together, such as the frames of one camera run."""
    max_slice_drop: float | None
    """The most that a slice of 20 samples or more may lose."""
    confidence: float | None
    """With which the drop must be within its bound, such as 0.95; the drop itself decides without."""
    metric: str | MetricFunction | None
    """What the gate measures: a name out of `tundish_exporters.metrics`, or a function, also as `module:function`."""
    license: str | None
    """Of the weights; the default is what the source's model card says."""
    intended_use: str | None
    """What the model is for and what it is not, for those who find the bundle."""
    samples_in_report: bool
    """Whether the report shows samples whose answers changed, as small pictures or texts; by default it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """What an export is to write, and by which bound."""

    name: str
    """Letters, digits, '_' and '-', beginning with a letter or digit."""
    repository: Path
    precision: RequestedPrecision = "auto"
    """`auto` keeps fp32 beside the fastest that passes; another fails unless one of its recipes passes the gate."""
    search_minutes: float = SEARCH_MINUTES
    """How long recipes may be tried; with 0, the most promising one is taken, and all of the gate's data report it.
    Otherwise one half of them is what the search sees, and the other half reports what it chose."""
    stock_operators: bool = False
    """Whether variants have no operators but ONNX Runtime's own, so that their files open in other programs."""
    calibration: Path | None = None
    evaluation: Path | None = None
    max_drop: float = 0.005
    """The most accuracy that a variant may lose to the float model; 0.005 is half a percentage point."""

    slice_column: str | None = None
    """The column of the evaluation data by whose values accuracy is told apart."""
    group_column: str | None = None
    """The column of the evaluation data that says which samples belong together, and are no proof for each other."""
    max_slice_drop: float | None = None
    """The most that a slice may lose; None for any."""
    confidence: float | None = None
    """Of the interval of the drop that must lie within the bound; None if the drop itself decides."""
    metric: str | MetricFunction | None = None
    """None for the task's own."""
    license: str | None = None
    intended_use: str | None = None
    samples_in_report: bool = True
    """Whether the report shows samples whose answers changed; then the bundle carries somebody's data."""

    @classmethod
    def of(cls, name: str, repository: PathLike, settings: ExportSettings) -> ExportOptions:
        """Those of a public call.

        Raises:
            ExportError: one of them cannot be.
        """
        given: dict[str, Any] = dict(settings)
        given |= {key: Path(given[key]) for key in ("calibration", "evaluation") if given.get(key) is not None}
        return cls(name=name, repository=Path(repository), **given)

    @property
    def statements(self) -> dict[str, str]:
        """What the maker says of the source, by the fields of the manifest; its model card stands for the rest."""
        said = {"license": self.license, "intended_use": self.intended_use}
        return {field: text for field, text in said.items() if text is not None}

    def __post_init__(self) -> None:
        try:
            TypeAdapter(ModelName).validate_python(self.name)
        except ValidationError:
            raise ExportError(
                f"A model cannot be named '{self.name}': use letters, digits, '_' and '-', at most 128."
            ) from None
        if self.precision not in get_args(RequestedPrecision):
            known = ", ".join(get_args(RequestedPrecision))
            raise ExportError(f"There is no precision '{self.precision}'; there are {known}.")
        if not 0 <= self.search_minutes <= _MOST_MINUTES:
            raise ExportError(
                f"search_minutes is a number of minutes from 0 to {_MOST_MINUTES}, got {self.search_minutes}."
            )
        if not 0 <= self.max_drop <= 1:
            raise ExportError(f"max_drop is a share between 0 and 1, got {self.max_drop}.")
        if self.max_slice_drop is not None and not 0 <= self.max_slice_drop <= 1:
            raise ExportError(f"max_slice_drop is a share between 0 and 1, got {self.max_slice_drop}.")
        if self.max_slice_drop is not None and self.slice_column is None:
            raise ExportError(f"max_slice_drop {self.max_slice_drop} bounds slices; say by which column, with --slice.")
        if self.confidence is not None and not 0 < self.confidence < 1:
            raise ExportError(f"confidence is a share between 0 and 1, such as 0.95; got {self.confidence}.")
        for field, text in self.statements.items():
            if len(text) > MAX_STATEMENT:
                raise ExportError(f"{field} may have {MAX_STATEMENT} characters, got {len(text)}.")
