"""The versions of the packages that an export depends on, for the manifest."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

_PACKAGES = ("tundish", "torch", "transformers", "optimum", "optimum-onnx", "onnx", "onnxruntime")


def versions() -> dict[str, str]:
    """Package name to its installed version."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
