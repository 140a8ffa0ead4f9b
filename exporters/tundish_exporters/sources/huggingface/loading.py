"""Loads a directory's network, or an adapter's merged into its base; nothing is fetched, and no code of it is run."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypeVar

from transformers import AutoConfig

from tundish import manifest
from tundish_exporters.errors import ExportError
from tundish_exporters.sources import adapters

ThingT = TypeVar("ThingT")

LOCAL: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
"""Nothing is fetched, and transformers does not ask at the terminal whether it may run the directory's code."""

_ALIKE_HEADS = ("ForSequenceClassification", "ForTokenClassification")
"""Classes whose last layers have the same names, so that the weights of one load into the other."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """What transformers makes a network by, for a task."""

    task: manifest.TaskName
    auto_class: Any
    """An `AutoModelFor…`."""
    optional: str | None = None
    """A layer of the network that it can do without: if its weights are missing, it is taken out."""
    exported_as: str | None = None
    """Optimum's name for what the network does, where it has not the task's."""


@dataclass(frozen=True, slots=True)
class Network:
    """A network in evaluation mode, and what it is held against."""

    model: Any
    """As it was trained: an adapter beside its base."""
    exported: Any
    """The same, merged."""
    base: Path | None
    """Of an adapter."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Where a directory's weights stand, and how they may be read."""

    base: Path | None
    """Of an adapter, if the adapter does not say where it lies."""
    trust_pickle: bool
    """Whether pickles may do more than make tensors: then they can run code."""


def load_network(directory: Path, architecture: Architecture, weights: Weights) -> Network:
    """The network of a directory.

    Raises:
        ExportError: it cannot be loaded, or has no trained weights for the task; or it is an adapter that does not fit
            its base.
    """
    if not adapters.is_adapter(directory):
        model = _load_model(directory, architecture, weights)
        return Network(model, model, None)
    base = adapters.find_base(directory, weights.base)
    unadapted = _load_base(base, directory, architecture, weights)
    model, merged = loaded(directory, lambda: adapters.with_adapter(unadapted, directory))
    return Network(model, merged, base)


def loaded(directory: Path, load: Callable[[], ThingT]) -> ThingT:
    """What `load` gives; raises ExportError with the first line of what transformers says of it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return load()
    except ExportError:
        raise
    except Exception as error:  # the errors of these libraries have no common base
        if _began_with_a_pickle(error):
            raise ExportError(
                f"The weights of {directory} are a pickle of more than tensors, which can run code when it is loaded; "
                "save the model with save_pretrained(safe_serialization=True), or pass --trust-pickle if you trust its "
                "maker."
            ) from error
        reason = str(error).strip().split("\n")[0]
        raise ExportError(f"{directory} cannot be loaded by transformers: {reason}") from error


def _began_with_a_pickle(error: BaseException | None) -> bool:
    """Whether PyTorch refused a pickle, whatever transformers made of it."""
    while error is not None and not isinstance(error, UnpicklingError):
        error = error.__cause__ or error.__context__
    return error is not None


def _load_model(directory: Path, architecture: Architecture, weights: Weights) -> Any:
    config = loaded(directory, lambda: AutoConfig.from_pretrained(directory, **LOCAL))
    model, missing = _load_weights(directory, config, architecture, weights)
    _check_head(directory, config, model, architecture)
    if missing:
        raise ExportError(
            f"{directory} has no trained weights for {architecture.task}: {', '.join(missing[:3])} are missing; "
            "fine-tune the model for the task first, or give its own task."
        )
    return model


def _check_head(directory: Path, config: Any, model: Any, architecture: Architecture) -> None:
    """Raises ExportError if the weights are those of another head, of the same names and shapes."""
    saved = config.architectures or ()
    kind = type(model).__name__
    if kind in saved or not kind.endswith(_ALIKE_HEADS):
        return
    if others := [name for name in saved if name.endswith(_ALIKE_HEADS)]:
        raise ExportError(
            f"{directory} holds a {others[0]}, which was not trained for {architecture.task}; give its own task."
        )


def _load_base(base: Path, adapter: Path, architecture: Architecture, weights: Weights) -> Any:
    """The base model, made for the labels that the adapter was trained for."""
    configured = adapter if (adapter / "config.json").is_file() else base
    config = loaded(configured, lambda: AutoConfig.from_pretrained(configured, **LOCAL))
    count = adapters.label_count(adapter)
    if count is not None and count != config.num_labels:
        config.num_labels = count  # and with it the labels' names, which nobody has said
    model, missing = _load_weights(base, config, architecture, weights, other_sizes=True)
    trained = adapters.trained_modules(adapter)
    missing = [key for key in missing if not set(key.split(".")) & set(trained)]
    if missing:
        raise ExportError(
            f"Neither {base} nor its adapter {adapter} has trained weights for {architecture.task}: "
            f"{', '.join(missing[:3])} are missing; train the adapter with these modules in modules_to_save."
        )
    return model


def _load_weights(
    directory: Path, config: Any, architecture: Architecture, weights: Weights, *, other_sizes: bool = False
) -> tuple[Any, list[str]]:
    """The model, and which of its weights are not in the directory; with `other_sizes`, or are there in another size.

    transformers fills what is missing with random numbers, and only warns.
    """
    model, loading = loaded(
        directory,
        lambda: architecture.auto_class.from_pretrained(
            directory,
            config=config,
            **LOCAL,
            use_safetensors=bool(list(directory.glob("*.safetensors"))),
            weights_only=not weights.trust_pickle,
            output_loading_info=True,
            ignore_mismatched_sizes=other_sizes,
            dtype="float32",
        ),
    )
    missing = {*loading["missing_keys"], *loading["mismatched_keys"]}
    optional = {key for key in missing if architecture.optional and key.startswith(f"{architecture.optional}.")}
    if optional:
        setattr(model, str(architecture.optional), None)
    return model.eval(), sorted(missing - optional)
