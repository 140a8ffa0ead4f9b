"""A metric of the maker's own: a Python function of answers and what is right."""

from __future__ import annotations

import importlib
import inspect
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from numbers import Real
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from tundish.cli.rendering import result_json
from tundish.results import Result
from tundish_exporters.errors import DataError, ExportError
from tundish_exporters.export_options import MetricFunction
from tundish_exporters.metrics.metric import Metric, Rows
from tundish_exporters.metrics.sources import hash_of_sources
from tundish_exporters.truths import Truth


def own_metric(asked: str | MetricFunction) -> Metric:
    """The metric of a function, or of what `module:function` names; the module may lie in the working directory.

    Raises:
        ExportError: there is no such function, or its module cannot be imported.
    """
    name, function = (asked, _imported(asked)) if isinstance(asked, str) else (_name_of(asked), asked)

    def value(rows: Rows) -> float:
        answers, truths = rows.T.tolist()
        try:
            figure = function(answers, truths)
        except (Exception, SystemExit) as error:  # whatever the maker's code raises
            raise DataError(f"The metric '{name}' failed: {type(error).__name__}: {error}.") from error
        if not isinstance(figure, Real):
            raise DataError(f"The metric '{name}' must give a number, got {figure!r:.100}.")
        if abs(figure) > 1:  # a drop's bound is a share, and so would be 100 times as strict
            raise DataError(f"The metric '{name}' must give a number from 0 to 1, got {figure}; of percents, divide.")
        return float(figure)

    return Metric(name, _rows, value, _code_of(function))


def _imported(name: str) -> MetricFunction:
    module, _, attribute = name.partition(":")
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        function = getattr(importlib.import_module(module), attribute)
    except Exception as error:  # whatever the module's own code raises
        raise ExportError(f"The metric '{name}' cannot be imported: {type(error).__name__}: {error}.") from error
    finally:
        sys.path.remove(here)
    if not callable(function):
        raise ExportError(f"The metric '{name}' is no function, but {function!r:.100}.")
    imported: MetricFunction = function
    return imported


def _code_of(function: MetricFunction) -> str:
    """A hash of the files that a function is written in; another each time if those do not say all that it does."""
    if inspect.isfunction(function) and function.__closure__ is None:
        try:
            return hash_of_sources(function)
        except OSError:  # typed at a prompt
            pass
    return uuid4().hex


def _name_of(function: MetricFunction) -> str:
    return str(getattr(function, "__name__", type(function).__name__))


def _rows(results: Sequence[Result], truths: Sequence[Truth]) -> Rows:
    rows = np.empty((len(results), 2), object)
    for row, result, truth in zip(rows, results, truths, strict=True):
        row[:] = result_json(result), _plain(truth)
    return rows


def _plain(truth: Any) -> Any:
    """In JSON's terms."""
    if isinstance(truth, float) and not math.isfinite(truth):
        return None
    if isinstance(truth, str | float | int):
        return truth
    if isinstance(truth, Path):
        return str(truth)
    if isinstance(truth, frozenset):
        return sorted(truth)
    if is_dataclass(truth) and not isinstance(truth, type):
        return {name: _plain(part) for name, part in asdict(truth).items()}
    if hasattr(truth, "_asdict"):
        return truth._asdict()
    return [_plain(part) for part in truth]
