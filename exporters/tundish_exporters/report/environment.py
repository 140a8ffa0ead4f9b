"""The machine that an export ran on, and what it exported."""

from __future__ import annotations

import platform

from tundish.manifest import Source
from tundish.placement.machine import this_machine
from tundish_exporters.report.content import Environment

_KINDS = {"huggingface": "a Hugging Face directory", "module": "a PyTorch module", "onnx": "an ONNX file"}


def environment() -> Environment:
    """This machine, as the server's placement tells machines apart."""
    machine = this_machine()
    return Environment(
        machine=platform.machine(),
        processor=machine.processor,
        cores=machine.cores,
        python=platform.python_version(),
        instructions=machine.instructions,
        packages=machine.packages,
    )


def source_in_words(source: Source) -> str:
    """What was exported, and what read it."""
    packages = ", ".join(f"{name} {version}" for name, version in source.frameworks.items())
    return _KINDS[source.kind] + (f" ({packages})" if packages else "")
