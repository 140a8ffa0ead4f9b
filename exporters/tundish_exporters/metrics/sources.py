"""The files that a function's work is written in: its own, and what it imports from the directory that it came from."""

from __future__ import annotations

import ast
import hashlib
import inspect
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

_INSTALLED = ("site-packages", "dist-packages")


def hash_of_sources(function: Callable[..., Any]) -> str:
    """Of the file of a function and of those that it imports, at once or later, from the same tree of directories.

    Packages that are installed and Python's own are not among them, nor what is imported by a name that is computed.
    Raises OSError if the function stands in no file.
    """
    file = Path(inspect.getfile(function)).resolve(strict=True)
    root = _import_root(file, function.__module__)
    digest = hashlib.sha256()
    for path in [file] if _is_installed(root) else sorted(_with_imports(file, root)):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(root)} {len(content)} ".encode())
        digest.update(content)
    return digest.hexdigest()


def _import_root(file: Path, module: str) -> Path:
    """The directory by which modules beside it are imported: `package.module` lies in one of it."""
    folders = 0 if module == "__main__" else module.count(".") + (file.name == "__init__.py")
    return file.parents[min(folders, len(file.parents) - 1)]


def _is_installed(root: Path) -> bool:
    return any(part in _INSTALLED for part in root.parts) or root.is_relative_to(sysconfig.get_path("stdlib"))


def _with_imports(file: Path, root: Path) -> set[Path]:
    known, waiting = {file}, [file]
    while waiting:
        for found in _imported(waiting.pop(), root):
            if found not in known:
                known.add(found)
                waiting.append(found)
    return known


def _imported(file: Path, root: Path) -> Iterator[Path]:
    try:
        nodes = list(ast.walk(ast.parse(file.read_bytes())))
    except (SyntaxError, ValueError):  # which says so itself when it is imported
        return
    package = file.relative_to(root).parent.parts
    for node in nodes:
        match node:
            case ast.Import(names=names):
                for each in names:
                    yield from _files(root, each.name.split("."))
            case ast.ImportFrom(module=module, names=names, level=level):
                base = package[: len(package) + 1 - level] if level else ()
                for each in names:
                    yield from _files(root, [*base, *(module.split(".") if module else ()), each.name])


def _files(root: Path, parts: Sequence[str]) -> Iterator[Path]:
    """Of a module and the packages that it lies in, those that are there: what is imported may be a part of one."""
    for count in range(1, len(parts) + 1):
        path = root.joinpath(*parts[:count])
        for file in (path / "__init__.py", path.with_name(f"{path.name}.py")):
            if file.is_file():
                yield file
