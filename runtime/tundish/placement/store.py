"""Keeps what was measured, for each machine, beside the repository: bundles themselves never change.

    <repository>/.tundish/placements/<fingerprint of the machine>/<model>.<version>.json

Readers of repositories pass over names with a dot before them. A file may be deleted at any time; its version is then
measured anew.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from tundish.files import write_at_once
from tundish.manifest import Manifest
from tundish.placement.figures import Figures, Measured
from tundish.placement.machine import Machine, this_machine
from tundish.placement.placement import Placement

_LOG = logging.getLogger(__name__)

_MAX_BYTES = 64 * 2**10


class Choice(BaseModel):
    """A placement that was chosen, and why."""

    model_config = ConfigDict(frozen=True)

    format_version: Literal[1] = 1
    model: str
    version: int
    digest: str
    """Of the manifest that was measured."""
    placement: Placement
    figures: Figures
    slo_milliseconds: float | None
    """What p99 had to stay under, if anything."""
    inputs: str
    """What was measured on, for people."""
    chosen_by: Literal["first load", "tune"]
    chosen_at: datetime
    machine: Machine

    @classmethod
    def of(
        cls,
        manifest: Manifest,
        measured: Measured,
        machine: Machine,
        *,
        chosen_by: Literal["first load", "tune"],
        inputs: str = "made",
        slo_milliseconds: float | None = None,
    ) -> Choice:
        """The choice of a placement that was measured now."""
        return cls(
            model=manifest.model,
            version=manifest.version,
            digest=manifest.digest,
            placement=measured.placement,
            figures=measured.figures,
            slo_milliseconds=slo_milliseconds,
            inputs=inputs,
            chosen_by=chosen_by,
            chosen_at=datetime.now(UTC),
            machine=machine,
        )


class PlacementStore:
    """The choices for this machine. Never raises: what cannot be read or written is logged and done without."""

    def __init__(self, repository: Path) -> None:
        self.machine = this_machine()
        self._directory = repository / ".tundish" / "placements" / self.machine.fingerprint
        self._kept: dict[str, Choice] = {}
        """By digest: what this process has chosen, which may not be writable."""

    def find(self, manifest: Manifest) -> Choice | None:
        """What was chosen on this machine for just this manifest."""
        return self._kept.get(manifest.digest) or self._read(manifest)

    def keep(self, choice: Choice) -> Path | None:
        """Keeps a choice for this process, and in a file if it can; the file."""
        self._kept[choice.digest] = choice
        path = self._path(choice.model, choice.version)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_at_once(path, choice.model_dump_json(indent=2) + "\n")
        except OSError as error:
            _LOG.warning(
                "The placement of '%s' version %d is forgotten when this process ends: %s cannot be written (%s).",
                choice.model,
                choice.version,
                path,
                error.strerror,
            )
            return None
        return path

    def _path(self, model: str, version: int) -> Path:
        return self._directory / f"{model}.{version}.json"

    def _read(self, manifest: Manifest) -> Choice | None:
        path = self._path(manifest.model, manifest.version)
        try:
            if not path.is_file():
                return None
            with path.open("rb") as stream:
                content = stream.read(_MAX_BYTES + 1)
            if len(content) > _MAX_BYTES:
                raise ValueError(f"it has more than {_MAX_BYTES} bytes")
            choice = Choice.model_validate_json(content)
            if choice.digest != manifest.digest:
                _LOG.info("'%s' version %d has changed since it was placed.", manifest.model, manifest.version)
                return None
            if choice.machine != self.machine:
                raise ValueError("it was made on another machine")
            if not choice.placement.fits(manifest):
                raise ValueError(f"the bundle has no variant '{choice.placement.variant}' to serve")
            if choice.placement.instances * choice.placement.threads > self.machine.cores:
                raise ValueError(f"{choice.placement} needs more cores than the {self.machine.cores} there are")
        except (OSError, ValueError) as error:
            reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
            _LOG.warning("%s is passed over: %s.", path, reason)
            return None
        return choice
