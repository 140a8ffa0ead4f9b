"""Loads a directory's network, or an adapter's merged into its base; nothing is fetched, and no code of it is run."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypeVar

import transformers
from transformers import AutoConfig

from tundish import manifest
from tundish.errors import reason_of
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
    other_class: Any | None = None
    """Another, which makes the network if the first does not know its configuration."""
    optional: str | None = None
    """A layer of the network that it can do without: if its weights are missing, it is taken out."""
    exported_as: str | None = None
    """Optimum's name for what the network does, where it has not the task's."""

    @property
    def classes(self) -> tuple[Any, ...]:
        """All that make such networks."""
        return (self.auto_class,) if self.other_class is None else (self.auto_class, self.other_class)

    def class_for(self, config: Any) -> Any | None:
        """What makes a network of this configuration; None if it is of no architecture for the task."""
        return next((each for each in self.classes if _makes(each, config, self.task)), None)


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
    """What `load` gives; raises ExportError with what transformers says of it."""
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
        raise ExportError(f"{directory} cannot be loaded by transformers: {reason_of(error)}") from error


def _began_with_a_pickle(error: BaseException | None) -> bool:
    """Whether PyTorch refused a pickle, whatever transformers made of it."""
    while error is not None and not isinstance(error, UnpicklingError):
        error = error.__cause__ or error.__context__
    return error is not None


def load_config(directory: Path, architecture: Architecture) -> Any:
    """The configuration of a network for the task.

    Raises:
        ExportError: it cannot be loaded, or is of an architecture that transformers does not know, or not for the task.
    """
    written, _ = loaded(directory, lambda: transformers.PretrainedConfig.get_config_dict(directory, **LOCAL))
    kind = written.get("model_type")
    does_not = f"which transformers {transformers.__version__} does not know"
    if kind in (None, *transformers.CONFIG_MAPPING) or "auto_map" in written:
        config = loaded(directory, lambda: AutoConfig.from_pretrained(directory, **LOCAL))
        if architecture.class_for(config) is not None:
            return config
        kind, does_not = config.model_type, f"which does not do {architecture.task}"
        if tasks := _tasks_of(config):
            raise ExportError(
                f"{directory} is of the architecture '{kind}', {does_not}; of tundish's tasks, transformers knows it "
                f"for {', '.join(tasks)}: give the one that it was trained for."
            )
    classes = " and ".join(each.__name__ for each in architecture.classes)
    raise ExportError(
        f"{directory} is of the architecture '{kind}', {does_not}; for {architecture.task}, tundish exports those of "
        f"transformers' {classes}, and by tundish_exporters.export_module any module that you load yourself."
    )


def _makes(auto_class: Any, config: Any, task: manifest.TaskName) -> bool:
    """Whether transformers makes a network for the task of it."""
    kind = type(config)
    if auto_class is not transformers.AutoModel:
        return kind in auto_class._model_mapping  # nothing else says it
    # This one makes networks of all kinds; what they read says what they are for.
    if task == "image-feature-extraction":
        compares = kind in transformers.AutoModelForZeroShotImageClassification._model_mapping
        return compares or kind not in transformers.TOKENIZER_MAPPING
    return kind not in transformers.IMAGE_PROCESSOR_MAPPING and kind not in transformers.FEATURE_EXTRACTOR_MAPPING


def _tasks_of(config: Any) -> list[manifest.TaskName]:
    """What there are architectures for that the configuration is of."""
    from tundish_exporters.sources.huggingface import ARCHITECTURES  # which are made of this module

    return list(dict.fromkeys(each.task for each in ARCHITECTURES if each.class_for(config) is not None))


def _load_model(directory: Path, architecture: Architecture, weights: Weights) -> Any:
    config = load_config(directory, architecture)
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
    config = load_config(configured, architecture)
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
    auto_class: Any = architecture.class_for(config)
    model, loading = loaded(
        directory,
        lambda: auto_class.from_pretrained(
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
