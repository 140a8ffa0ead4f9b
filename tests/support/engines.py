"""Bundles whose variants run on other engines, and an environment without OpenVINO."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tundish.bundle import Bundle, publish_bundle, staged_bundle
from tundish.manifest import Variant


@contextmanager
def hidden_openvino() -> Iterator[None]:
    """OpenVINO is not installed, as far as this process can tell."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "openvino", None)
        yield


def by_openvino(variant: Variant, *, precision: str | None = None, milliseconds: float | None = None) -> Variant:
    """The same file on OpenVINO, and in which precision and how fast it is said to be."""
    latency = variant.latency
    precision = precision or variant.precision
    changes: dict[str, Any] = {"engine": "openvino", "precision": precision, "name": f"openvino-{precision}-cpu"}
    if milliseconds is not None:
        changes["latency"] = latency.model_copy(update={"median_milliseconds": milliseconds})
    return variant.model_copy(update=changes)


def republish(bundle: Bundle, repository: Path, *variants: Variant) -> Bundle:
    """Publishes the bundle elsewhere with these variants instead of its own."""
    with staged_bundle(repository, bundle.manifest.model) as staging:
        shutil.copytree(bundle.directory, staging, dirs_exist_ok=True)
        return publish_bundle(staging, bundle.manifest.model_copy(update={"variants": variants}))
