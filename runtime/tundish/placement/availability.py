"""Which variants of a bundle can run on this machine: a bundle may come from one that has other engines."""

from __future__ import annotations

import logging

from tundish.bundle import Bundle
from tundish.engines import obstacle
from tundish.errors import EngineError
from tundish.manifest import Manifest

_LOG = logging.getLogger(__name__)


def obstacles(manifest: Manifest) -> dict[str, str]:
    """Why servable variants cannot run here: a sentence, by the name of each that cannot."""
    reasons = {variant.name: obstacle(variant.engine, variant.precision) for variant in manifest.servable}
    return {name: reason for name, reason in reasons.items() if reason}


def on_this_machine(bundle: Bundle) -> Bundle:
    """The bundle without the servable variants that cannot run here; the log says which it goes without.

    Raises:
        EngineError: none of them can run here.
    """
    manifest = bundle.manifest
    left_out = obstacles(manifest)
    if not left_out:
        return bundle
    reasons = " ".join(dict.fromkeys(left_out.values()))
    variants = tuple(variant for variant in manifest.variants if variant.name not in left_out)
    if len(left_out) == len(manifest.servable):
        raise EngineError(f"'{manifest.model}' version {manifest.version} has no variant that runs here: {reasons}")
    _LOG.info("'%s' version %d goes without %s: %s", manifest.model, manifest.version, ", ".join(left_out), reasons)
    return Bundle(bundle.directory, manifest.model_copy(update={"variants": variants}))
