"""What is asked of an export."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from pydantic import TypeAdapter, ValidationError

from tundish.manifest import MAX_STATEMENT, ModelName
from tundish_exporters.errors import ExportError

RequestedPrecision = Literal["auto", "fp32", "int8"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """What an export is to write, and by which bound."""

    name: str
    """Letters, digits, '_' and '-', beginning with a letter or digit."""
    repository: Path
    precision: RequestedPrecision = "auto"
    """`auto` tries int8 beside fp32, and bf16 if an engine computes in it; `int8` fails unless int8 passes the gate."""
    calibration: Path | None = None
    evaluation: Path | None = None
    max_drop: float = 0.005
    """The most accuracy that a variant may lose to the float model; 0.005 is half a percentage point."""

    slice_column: str | None = None
    """The column of the evaluation data by whose values accuracy is told apart."""
    max_slice_drop: float | None = None
    """The most that a slice may lose; None for any."""
    license: str | None = None
    intended_use: str | None = None

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
        if not 0 <= self.max_drop <= 1:
            raise ExportError(f"max_drop is a share between 0 and 1, got {self.max_drop}.")
        if self.max_slice_drop is not None and not 0 <= self.max_slice_drop <= 1:
            raise ExportError(f"max_slice_drop is a share between 0 and 1, got {self.max_slice_drop}.")
        if self.max_slice_drop is not None and self.slice_column is None:
            raise ExportError(f"max_slice_drop {self.max_slice_drop} bounds slices; say by which column, with slice.")
        for field, text in self.statements.items():
            if len(text) > MAX_STATEMENT:
                raise ExportError(f"{field} may have {MAX_STATEMENT} characters, got {len(text)}.")
