"""What PyTorch's tracer freezes or its ONNX exporter gets wrong, in forms that both get right."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from optimum.utils import DummyVisionInputGenerator

_linspace, _as_tensor, _tensor = torch.linspace, torch.as_tensor, torch.tensor
_adaptive_avg_pool2d = torch.nn.functional.adaptive_avg_pool2d
_avg_pool2d = torch.nn.functional.avg_pool2d


@contextmanager
def traceable_functions() -> Iterator[None]:
    """A few functions of PyTorch may be traced, until the context is left; not for several threads at a time.

    Deformable DETR and Mask2Former make their points of reference by `linspace`, `as_tensor` and `tensor`, in images of
    every size; UPerNet and BEiT pool to sizes that do not divide their feature maps; EfficientNet pools all of a map by
    a window that is larger than it, which OpenVINO does not take.
    """
    with _replaced(
        (torch, "linspace", _traceable_linspace),
        (torch, "as_tensor", partial(_traceable_tensor, _as_tensor)),
        (torch, "tensor", partial(_traceable_tensor, _tensor)),
        (torch.nn.functional, "adaptive_avg_pool2d", _traceable_adaptive_avg_pool2d),
        (torch.nn.functional, "avg_pool2d", _traceable_avg_pool2d),
    ):
        yield


@contextmanager
def examples_of(height: int, width: int) -> Iterator[None]:
    """Images that optimum traces with are of this size, until the context is left; see `traceable_functions`.

    optimum takes the configuration's size, or 64 pixels where that has none, whatever the processor crops to; what
    tracing freezes is then wrong for the images that come.
    """
    make = DummyVisionInputGenerator.__init__

    def make_of_size(self: Any, *arguments: Any, **settings: Any) -> None:
        make(self, *arguments, **settings)
        self.image_size = self.height, self.width = height, width

    with _replaced((DummyVisionInputGenerator, "__init__", make_of_size)):
        yield


@contextmanager
def plain_functions() -> Iterator[None]:
    """What transformers has compiled is traced as it was written, until the context is left; see `traceable_functions`.

    Else its branches become those of the graph, as DeBERTa's do, which OpenVINO does not take.
    """
    compiled = [
        (module, name, function._torchdynamo_inline)  # type: ignore[attr-defined]  # PyTorch's decorator sets it
        for key, module in list(sys.modules.items())
        if key.startswith("transformers.models.") and ".modeling_" in key
        for name, function in list(vars(module).items())
        if isinstance(function, torch.jit.ScriptFunction)
    ]
    with _replaced(*compiled):
        yield


@contextmanager
def _replaced(*replacements: tuple[Any, str, Any]) -> Iterator[None]:
    """Attributes of objects are others, by their names, until the context is left."""
    originals = [(owner, name, getattr(owner, name)) for owner, name, _ in replacements]
    for owner, name, replacement in replacements:
        setattr(owner, name, replacement)
    try:
        yield
    finally:
        for owner, name, original in originals:
            setattr(owner, name, original)


def _traceable_linspace(start: Any, end: Any, steps: Any, **options: Any) -> torch.Tensor:
    """The ONNX exporter's own form divides by zero if there is one step."""
    if not _is_tracing():
        return _linspace(start, end, steps, **options)
    intervals = _as_tensor(steps - 1).clamp(min=1)
    spaced: torch.Tensor = start + torch.arange(steps, **options) * ((end - start) / intervals)
    return spaced


def _traceable_tensor(make: Callable[..., torch.Tensor], data: Any, **options: Any) -> torch.Tensor:
    """Of the sizes of feature maps the tracer keeps those of its example, unless they are stacked."""
    if _is_tracing() and isinstance(data, list) and data and all(isinstance(row, tuple | list) for row in data):
        return torch.stack([torch.stack([_as_tensor(value, **options) for value in row]) for row in data])
    return make(data, **options)


def _traceable_adaptive_avg_pool2d(input: torch.Tensor, output_size: Any) -> torch.Tensor:  # noqa: A002  # PyTorch's name
    """As products with constant matrices of means, for images of the example's size alone; of all of a map as it is."""
    if not _is_tracing() or output_size in (1, (1, 1), [1, 1]):
        return _adaptive_avg_pool2d(input, output_size)
    height, width = (output_size, output_size) if isinstance(output_size, int) else output_size
    rows, columns = _means(int(input.shape[-2]), height), _means(int(input.shape[-1]), width)
    pooled: torch.Tensor = rows @ input @ columns.T
    return pooled


def _traceable_avg_pool2d(
    input: torch.Tensor,  # noqa: A002  # PyTorch's name
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> torch.Tensor:
    """A window that is cut at the map's edges, and holds all of it, is the mean of the map."""
    window = (kernel_size, kernel_size) if isinstance(kernel_size, int) else tuple(kernel_size)
    is_plain = ceil_mode and padding in (0, (0, 0)) and divisor_override is None
    if _is_tracing() and is_plain and all(edge >= int(n) for edge, n in zip(window, input.shape[-2:], strict=True)):
        return input.mean((-2, -1), keepdim=True)
    return _avg_pool2d(input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def _means(count: int, pooled: int) -> torch.Tensor:
    """`[pooled, count]`: what of each of `count` values is in each mean, by PyTorch's rule for where means begin."""
    means = torch.zeros(pooled, count)
    for index in range(pooled):
        begin, end = index * count // pooled, -(-(index + 1) * count // pooled)
        means[index, begin:end] = 1 / (end - begin)
    return means


def _is_tracing() -> bool:
    return bool(torch.jit.is_tracing())  # type: ignore[attr-defined]
