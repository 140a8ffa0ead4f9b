"""What is decided of a model when it is placed on a machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from tundish.manifest import Manifest

_Count = Annotated[int, Field(ge=1, le=4096)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """How a version runs."""

    variant: str
    instances: _Count
    threads: _Count
    """Of each instance, its own included."""
    max_batch_size: _Count

    def __str__(self) -> str:
        instances = f"{self.instances} instance{'s' if self.instances > 1 else ''}"
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        return f"{self.variant}, {instances} of {threads}, batches up to {self.max_batch_size}"

    def fits(self, manifest: Manifest) -> bool:
        """Whether the manifest has the variant, and lets it be served."""
        return any(variant.name == self.variant for variant in manifest.servable)


def unmeasured(manifest: Manifest, instances: int) -> Placement:
    """What the exporter found best, on so many instances of one thread."""
    return Placement(
        variant=manifest.servable[0].name,
        instances=instances,
        threads=1,
        max_batch_size=manifest.serving.max_batch_size,
    )
