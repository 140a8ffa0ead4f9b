"""Files that readers find whole."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def write_at_once(path: Path, content: str | bytes) -> None:
    """Writes a file that everybody may read, text as UTF-8: a reader finds the old content or the new.

    Raises:
        OSError: it cannot be written; nothing is left behind.
    """
    encoded = content.encode() if isinstance(content, str) else content
    descriptor, temporary = tempfile.mkstemp(prefix=".writing-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(encoded)
        Path(temporary).chmod(0o644)  # who reads it, such as a server, may be another user
        Path(temporary).replace(path)
    except BaseException:  # Ctrl-C, too
        with suppress(OSError):
            Path(temporary).unlink()
        raise
