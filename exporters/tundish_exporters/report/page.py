"""The page of a report: templates filled with its content, its style sheet inside, and nothing else needed."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tundish.cli.rendering import file_size
from tundish_exporters.report.content import ComposedContent, Confusion, GroupAccuracy, ReportContent, Trial
from tundish_exporters.report.glossary import words_in
from tundish_exporters.report.pareto import front_of, pareto_plot, points_of
from tundish_exporters.report.plots import MOST_LAYERS, histogram_plot, layers_plot, stages_plot
from tundish_exporters.report.verdicts import verdicts_of
from tundish_exporters.report.wording import (
    PRECISIONS,
    difference,
    engine_name,
    points,
    quantity,
    sentence,
    short,
    signed,
    tensor_names,
)

_TEMPLATES = Path(__file__).parent / "templates"
_SHADES = 6
"""Of a cell of the table of confusions."""
_MOST_GROUPS = 50
"""Rows of a table of labels or slices; the JSON has all."""


def page(content: ReportContent) -> str:
    """The HTML of one network's report."""
    trials = content.trials
    names = tensor_names([each.tensor for each in content.activations])
    return _rendered(
        "report.html",
        content=content,
        verdicts=verdicts_of(content),
        words=words_in(trials),
        pareto=pareto_plot(trials, content.max_drop),
        front={point.number for point in front_of(points_of(trials))},
        layers=layers_plot(content.layers),
        histograms=[(each, names[each.tensor], histogram_plot(each)) for each in content.activations],
        stages=stages_plot(content.stages),
        most_layers=MOST_LAYERS,
        labels=_of_interest(content.labels, trials),
        slices=_of_interest(content.slices, trials),
        most_groups=_MOST_GROUPS,
    )


def composed_page(content: ComposedContent) -> str:
    """The HTML of a composed model's report, which leads to those of its components."""
    slices = {name: rows for name, rows in content.slices.items() if rows}
    return _rendered("composed.html", content=content, slices=slices, most_groups=_MOST_GROUPS)


def _rendered(template: str, **values: Any) -> str:
    return _templates().get_template(template).render(**values)


@cache
def _templates() -> Environment:
    style = (_TEMPLATES / "style.css").read_text(encoding="utf-8")
    templates = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals |= {
        "style": Markup(style),  # noqa: S704  # of this package
        "style_hash": base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        "precisions": PRECISIONS,
        "shade": shade,
    }
    templates.filters |= {
        "points": points,
        "quantity": quantity,
        "signed": signed,
        "size": file_size,
        "difference": difference,
        "engine": engine_name,
        "sentence": sentence,
        "short": short,
    }
    return templates


def shade(confusion: Confusion, row: int, column: int) -> str:
    """The class of a cell: how much of its row it holds, and whether both models give the same label there."""
    counts = confusion.counts[row]
    if not counts[column]:
        return "empty"
    whole = sum(counts) if row == column else sum(counts) - counts[row]  # changes are few beside what stays
    degree = max(1, round(_SHADES * counts[column] / whole))
    return f"{'same' if row == column else 'other'} shade-{degree}"


def _of_interest(groups: Mapping[str, tuple[GroupAccuracy, ...]], trials: Sequence[Trial]) -> dict[str, Any]:
    """The groups of each variant that has some; those of fp32, which loses nothing, if there are no others."""
    floating = {trial.name for trial in trials if trial.precision == "fp32"}
    known = {name: rows for name, rows in groups.items() if rows}
    return {name: rows for name, rows in known.items() if name not in floating} or known
