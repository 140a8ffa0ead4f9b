"""Which versions of which models there are, what state each is in, and how they come and go."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Literal

from tundish.bundle import AnyBundle
from tundish.composed_model import ComposedModel
from tundish.errors import ModelNotFoundError, ModelNotReadyError, TundishError, answerable
from tundish.memory import give_back_memory
from tundish.model import Model
from tundish.repository import UNKNOWN, Entry, scan, scan_model

State = Literal["READY", "LOADING", "UNLOADING", "UNAVAILABLE"]

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a model."""

    model: str
    number: int
    state: State
    loaded: Model | None = None
    """If it is READY."""
    reason: str = ""
    """Why it is not."""
    failed: bool = False
    """Whether it was to be loaded and could not be."""


class ModelTable:
    """The versions of a repository. Any number of threads may ask it; changes are made one at a time, and block."""

    def __init__(self, repository: Path, load: Callable[[AnyBundle], Model]) -> None:
        self._repository = repository
        self._make = load
        self._versions: dict[str, dict[int, Version]] = {}
        self._lock = threading.Lock()
        self._changing = threading.Lock()

    def load_all(self) -> None:
        """Loads every version that lies in the repository; what cannot be loaded is logged, and says why when asked.

        Raises:
            RepositoryError: the repository is not there, or is empty.
        """
        with self._changing:
            for entry in scan(self._repository):
                self._set(self._loaded(entry))

    def load(self, name: str) -> None:
        """Loads the versions of a model as they now lie in the repository, and lets go of those that lie there no more.

        A version that is loaded and has not changed stays; one that has is replaced once its successor is ready, and a
        successor that cannot be loaded leaves it in place.

        Raises:
            ModelNotFoundError: the repository has no such model, or none any more.
            BundleError: its directory cannot be read; what was loaded stays.
            ModelNotReadyError: versions cannot be loaded; names each.
        """
        with self._changing:
            entries = list(scan_model(self._repository, name))
            refusals = [refusal for entry in entries if (refusal := self._replace(entry))]
            answered = any(version.loaded for version in self._versions.get(name, {}).values())
            for number in set(self._versions.get(name, {})) - {entry.version for entry in entries}:
                self._remove(name, number)
            if not entries:
                done = " any more, so what answered of it was unloaded" if answered else ""
                raise ModelNotFoundError(
                    f"The repository has no model '{name}'{done}; export one of that name into it."
                )
            if refusals:
                raise ModelNotReadyError(" ".join(refusals))

    def unload(self, name: str) -> None:
        """Takes no new work for a model, and returns when what was accepted is answered.

        Raises:
            ModelNotFoundError: there is no such model.
        """
        with self._changing:
            for number in list(self._check_known(name)):  # not the table's own, which would keep the models
                self._unload(name, number)

    def find(self, name: str, version: str | int | None = None) -> Model:
        """The version asked for; without one, the highest that is ready. `NAME.COMPONENT` is a component of one.

        Raises:
            ModelNotFoundError: there is no such model, version or component.
            ModelNotReadyError: it is there but does not answer.
        """
        whole, dot, component = name.partition(".")
        found = self._find(whole, version)
        if not dot:
            return found
        if not isinstance(found, ComposedModel):
            raise self._unknown(name)
        return _component(found, component)

    def _find(self, name: str, version: str | int | None) -> Model:
        versions = self._check_known(name)
        title = f"Model '{name}'"
        if version is None or version == "":
            ready = [number for number, found in versions.items() if found.loaded]
            found = versions[max(ready, default=max(versions))]
        else:
            # As text, since that is what a request has: it may be no number, or one of any length.
            by_text = {str(number): found for number, found in sorted(versions.items())}
            if str(version) not in by_text and UNKNOWN not in versions:
                raise ModelNotFoundError(f"Model '{name}' has no version '{version}'; it has {', '.join(by_text)}.")
            found = by_text.get(str(version)) or versions[UNKNOWN]
            title += f" version {version}"
        if found.loaded is None:
            raise ModelNotReadyError(f"{title} is not ready. {found.reason}")
        return found.loaded

    def __contains__(self, name: str) -> bool:
        """Whether there is a model of this name, whatever its state."""
        return name in self._versions

    def check_ready(self) -> None:
        """Returns if each model has a version that answers, but for models that were unloaded.

        Raises:
            ModelNotReadyError: names each model that has none, and says why its highest version does not answer.
        """
        reasons = []
        for name, group in groupby(self.versions(), lambda version: version.model):
            versions = list(group)
            wanted = [version for version in versions if version.failed or version.state == "LOADING"]
            if wanted and not any(version.loaded for version in versions):
                reasons.append(f"Model '{name}' is not ready. {wanted[-1].reason}")
        if reasons:
            raise ModelNotReadyError(" ".join(reasons))

    def versions(self) -> list[Version]:
        """Every version, by name and number."""
        with self._lock:
            return [
                version for _, versions in sorted(self._versions.items()) for _, version in sorted(versions.items())
            ]

    def close(self) -> None:
        """Answers what was accepted, and lets go of everything."""
        for version in self.versions():
            if version.loaded:
                version.loaded.close()

    def _check_known(self, name: str) -> dict[int, Version]:
        """The versions of a model."""
        versions = self._versions.get(name)
        if versions is None:
            raise self._unknown(name)
        return versions

    def _unknown(self, name: str) -> ModelNotFoundError:
        return ModelNotFoundError(
            f"There is no model '{name}'; there are {', '.join(sorted(self._versions)) or 'none'}."
        )

    def _set(self, version: Version) -> None:
        with self._lock:
            # A new dictionary, because readers of the old one take no lock.
            self._versions[version.model] = {**self._versions.get(version.model, {}), version.number: version}

    def _remove(self, name: str, number: int) -> None:
        self._unload(name, number)
        with self._lock:
            left = {other: found for other, found in self._versions[name].items() if other != number}
            if left:
                self._versions[name] = left
            else:
                del self._versions[name]

    def _loaded(self, entry: Entry, *, answers_as_before: bool = False) -> Version:
        """The version after an attempt to load it, beside one of its number that may answer meanwhile."""
        try:
            if isinstance(entry.content, TundishError):
                raise entry.content
            model = self._make(entry.content)
        except Exception as failure:  # whatever it is, it is this version's fault and costs no other
            error = answerable(failure)
            unexpected = None if error is failure else failure
            version = Version(entry.model, entry.version, "UNAVAILABLE", reason=str(error), failed=True)
            _LOG.error("%s", _refusal(version, answers_as_before=answers_as_before), exc_info=unexpected)
            return version
        _LOG.info(
            "Model '%s' version %d is ready: %s by %s.",
            entry.model,
            entry.version,
            model.manifest.task,
            model.placed,
        )
        return Version(entry.model, entry.version, "READY", loaded=model)

    def _replace(self, entry: Entry) -> str | None:
        """Loads a version in place of what there is of it; what to say if it cannot be."""
        old = self._versions.get(entry.model, {}).get(entry.version)
        before = old.loaded if old else None
        content = entry.content
        if before and not isinstance(content, TundishError) and before.manifest == content.manifest:
            return None
        if not before:
            self._set(Version(entry.model, entry.version, "LOADING", reason="It is being loaded."))
        new = self._loaded(entry, answers_as_before=before is not None)
        if new.loaded or not before:
            self._set(new)
        if new.loaded and before:
            before.close()
            del old, before
            give_back_memory()
        return None if new.loaded else _refusal(new, answers_as_before=before is not None)

    def _unload(self, name: str, number: int) -> None:
        loaded = self._versions[name][number].loaded
        if loaded is not None:
            self._set(Version(name, number, "UNLOADING", reason="It is being unloaded."))
            loaded.close()
            del loaded
            give_back_memory()
        self._set(Version(name, number, "UNAVAILABLE", reason="It was unloaded; load it again to use it."))


def _refusal(version: Version, *, answers_as_before: bool) -> str:
    """What to say of one that could not be loaded, and may be answering from what was loaded before."""
    title = (
        f"Model '{version.model}'" if version.number == UNKNOWN else f"Model '{version.model}' version {version.number}"
    )
    if answers_as_before:
        return f"{title} answers as before: what lies there now is not served. {version.reason}"
    return f"{title} is not served: {version.reason}"


def _component(model: ComposedModel, name: str) -> Model:
    components = model.components
    if name not in components:
        known = ", ".join(f"'{model.name}.{each}'" for each in components)
        raise ModelNotFoundError(f"Model '{model.name}' has no component '{name}'; it has {known}.")
    return components[name]
