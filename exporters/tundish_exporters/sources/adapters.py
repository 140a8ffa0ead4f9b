"""PEFT adapters, such as LoRA's: a few weights that were trained beside those of a base model, which they change.

An engine runs one network, so the two are merged. The merged network is what is exported; what it is held against is
the base with the adapter beside it, as it was trained, so that a merge that changes the answers is found.
"""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

from tundish_exporters.errors import ExportError

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"

_HEAD = re.compile(r"(?:^|\.)(?:classifier|score)(?:\.out_proj|\.1)?\.weight$")
"""How transformers' architectures name the last layer of a classifier."""


def is_adapter(directory: Path) -> bool:
    """Whether it is an adapter's directory, not a whole model's."""
    return (directory / CONFIG).is_file()


def check_adapter(directory: Path) -> None:
    """Looks at an adapter before any framework is loaded.

    Raises:
        ExportError: it has no weights that may be read, or names modules to import.
    """
    if not (directory / WEIGHTS).is_file():
        raise ExportError(
            f"{directory} has no {WEIGHTS}; save the adapter with save_pretrained(safe_serialization=True). Pickled "
            "weights are not read, because loading them can run code."
        )
    if _config(directory).get("megatron_config"):
        raise ExportError(f"{directory / CONFIG} names a module to import, for Megatron; that is not done.")


def find_base(directory: Path, base: Path | None) -> Path:
    """The base model's directory: the one given, else the one that the adapter names; nothing is fetched.

    Raises:
        ExportError: none is given, and the adapter names none that is here.
    """
    if base is not None:
        return base
    named = str(_config(directory).get("base_model_name_or_path") or "")
    if named and Path(named).is_dir():
        return Path(named)
    raise ExportError(
        f"{directory} is an adapter of the base model '{named}', which is no directory here; pass it as --base."
    )


def label_count(directory: Path) -> int | None:
    """Of how many labels the classifier is that was trained with the adapter; None if none was."""
    from safetensors import safe_open

    with safe_open(directory / WEIGHTS, framework="np") as weights:
        heads = [name for name in weights.keys() if _HEAD.search(name)]  # noqa: SIM118 - it is no dictionary
        return int(weights.get_slice(heads[0]).get_shape()[0]) if heads else None


def trained_modules(directory: Path) -> tuple[str, ...]:
    """The modules that were trained whole, as a classifier's head is; the adapter brings their weights."""
    return tuple(_config(directory).get("modules_to_save") or ())


def with_adapter(model: Any, directory: Path) -> tuple[Any, Any]:
    """The base model with the adapter beside its weights, and the same merged into them.

    Raises:
        ExportError: the adapter does not fit the base, or is of a kind that changes the inputs, not the weights.
    """
    from peft import PeftModel

    adapted: Any = PeftModel.from_pretrained(model, str(directory)).eval()
    if adapted.active_peft_config.is_prompt_learning:
        kind = adapted.active_peft_config.peft_type.value
        raise ExportError(f"{directory} is of the kind {kind}, which cannot be merged into weights; train a LoRA.")
    merged = copy.deepcopy(adapted).merge_and_unload(safe_merge=True)
    # Inside, it is the architecture's own class, which transformers' pipelines know.
    return adapted.base_model.model, merged.eval()


def _config(directory: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads((directory / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ExportError(f"{directory / CONFIG} cannot be read: {error}.") from error
    if not isinstance(config, dict):
        raise ExportError(f"{directory / CONFIG} holds no adapter's settings.")
    return config
