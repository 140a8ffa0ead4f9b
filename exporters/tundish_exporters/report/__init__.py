"""The bundle's report: `report.json` for programs, `report.html` for people, of the same figures.

The page needs nothing but itself, and no script: it opens without a network, and what a model's maker or a sample's
author has written in a label or a text stays text.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tundish_exporters.report.content import ComposedContent, ReportContent
from tundish_exporters.report.page import composed_page, page

JSON_NAME = "report.json"
PAGE_NAME = "report.html"


def write_report(directory: Path, content: ReportContent | ComposedContent) -> tuple[str, str]:
    """Writes both files into a bundle's directory; returns their names."""
    html = page(content) if isinstance(content, ReportContent) else composed_page(content)
    written = json.dumps(_plain(asdict(content)), indent=2, ensure_ascii=False, allow_nan=False)
    for name, text in ((JSON_NAME, written + "\n"), (PAGE_NAME, html)):
        # A label or a text may hold half a surrogate pair, which UTF-8 cannot carry.
        (directory / name).write_text(text, encoding="utf-8", errors="backslashreplace")
    return JSON_NAME, PAGE_NAME


def _plain(value: Any) -> Any:
    """Numbers that JSON has no form for as strings, as in the manifest."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")
    return value
