"""The corpus of film reviews as its package has it: snippets, fresh or rotten, and plots of the films."""

from __future__ import annotations

import bz2
import csv
import io
from pathlib import Path

from tundish_exporters.demo.assets import REVIEWS


def read_corpus(directory: Path) -> list[dict[str, str]]:
    """The rows of the corpus that `fetch` put into this directory: `text`, `category` and `movie_name`."""
    packed = (directory / REVIEWS.members[0]).read_bytes()
    return list(csv.DictReader(io.StringIO(bz2.decompress(packed).decode("utf-8"))))
