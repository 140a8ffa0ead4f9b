"""What PyTorch's tracer freezes or its ONNX exporter gets wrong, in forms that both get right."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

_linspace, _as_tensor = torch.linspace, torch.as_tensor


@contextmanager
def traceable_functions() -> Iterator[None]:
    """PyTorch's `linspace` and `as_tensor` may be traced, until the context is left; not for several threads at a time.

    Deformable DETR makes its points of reference by them, in images of every size.
    """
    torch.linspace, torch.as_tensor = _traceable_linspace, _traceable_as_tensor  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.linspace, torch.as_tensor = _linspace, _as_tensor


def _traceable_linspace(start: Any, end: Any, steps: Any, **options: Any) -> torch.Tensor:
    """The ONNX exporter's own form divides by zero if there is one step."""
    if not _is_tracing():
        return _linspace(start, end, steps, **options)
    intervals = _as_tensor(steps - 1).clamp(min=1)
    spaced: torch.Tensor = start + torch.arange(steps, **options) * ((end - start) / intervals)
    return spaced


def _traceable_as_tensor(data: Any, **options: Any) -> torch.Tensor:
    """Of the sizes of feature maps the tracer keeps those of its example, unless they are stacked."""
    if _is_tracing() and isinstance(data, list) and data and all(isinstance(row, tuple) for row in data):
        return torch.stack([torch.stack([_as_tensor(value, **options) for value in row]) for row in data])
    return _as_tensor(data, **options)


def _is_tracing() -> bool:
    return bool(torch.jit.is_tracing())  # type: ignore[attr-defined]
