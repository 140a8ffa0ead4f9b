"""Tables in parquet, also with images in them, as Hugging Face's datasets write them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tundish_exporters.data.rows import Columns, Row, check_columns
from tundish_exporters.data.tables import MAX_TABLE_BYTES
from tundish_exporters.errors import DataError

_ROWS = 64
"""Unpacked at a time: a column may repeat a large value in all its rows, and be small on disk."""


def read_parquet(path: Path, columns: Columns) -> Iterator[Row]:
    """The rows of a table, of which no other columns are read.

    Raises:
        DataError: it cannot be read, has not a column that it needs, or over `MAX_TABLE_BYTES` in those that are read.
    """
    try:
        yield from _rows(path, columns)
    except DataError:
        raise
    except (ModuleNotFoundError, MemoryError):
        raise
    except Exception as error:  # Arrow's errors are of many kinds, of which some are not its own
        raise DataError(f"{path} cannot be read as .parquet: {error}.") from error


def _rows(path: Path, columns: Columns) -> Iterator[Row]:
    from pyarrow.parquet import ParquetFile  # takes half a second, which other data need not wait for

    size = before = 0
    with ParquetFile(path) as table:
        there = table.schema_arrow.names
        if table.metadata.num_rows:
            check_columns(path, there, columns)
        for batch in table.iter_batches(_ROWS, columns=[name for name in columns.names if name in there]):
            size += batch.nbytes
            if size > MAX_TABLE_BYTES:
                raise DataError(
                    f"{path} has over {MAX_TABLE_BYTES} bytes in the columns {columns.names}, the limit; give a random "
                    "few thousand of its rows."
                )
            for number, cells in enumerate(batch.to_pylist(), before + 1):
                yield Row(f"row {number}", cells)
            before += batch.num_rows
