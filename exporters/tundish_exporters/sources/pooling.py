"""How a directory turns token vectors into one vector: sentence-transformers' modules, if it has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tundish.manifest import PoolingPostprocess
from tundish_exporters.errors import ExportError

if TYPE_CHECKING:
    import torch

_MODES: dict[str, Any] = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
}


def read_pooling(directory: Path, tokenizer: Any) -> PoolingPostprocess:
    """The rule of `modules.json`; without that file a text's result is its tokens' vectors, as transformers has it.

    Raises:
        ExportError: the modules do more than pool and normalise, or change the text before it is tokenized.
    """
    path = directory / "modules.json"
    if not path.is_file():
        return PoolingPostprocess(pooling="none", normalize=False)
    _check_texts(directory, tokenizer)
    modules = _read_json(path)
    try:
        kinds = [module["type"].rsplit(".", maxsplit=1)[-1] for module in modules]
    except (KeyError, TypeError):
        raise ExportError(f"{path} is not a list of sentence-transformers' modules.") from None
    if kinds not in (["Transformer"], ["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        raise ExportError(f"{path} has the modules {kinds}; tundish reproduces Transformer, Pooling and Normalize.")
    if len(kinds) == 1:
        return PoolingPostprocess(pooling="none", normalize=False)
    config_path = directory / modules[1]["path"] / "config.json"
    config = _read_json(config_path)
    modes = _modes(config)
    if len(modes) != 1 or modes[0] not in _MODES.values():
        raise ExportError(f"{config_path} asks for {modes}; tundish reproduces one of mean, cls and max.")
    return PoolingPostprocess(pooling=modes[0], normalize="Normalize" in kinds)


def _modes(config: Any) -> list[Any]:
    """The ways of pooling that are asked for: as sentence-transformers 5 writes them, or by a flag for each."""
    said = config.get("pooling_mode")
    if said is None:
        on = [key for key, value in config.items() if key.startswith("pooling_mode") and value is True]
        return [_MODES.get(key, key) for key in on]
    return said if isinstance(said, list) else [said]


def _check_texts(directory: Path, tokenizer: Any) -> None:
    path = directory / "config_sentence_transformers.json"
    if path.is_file() and (prompt := _read_json(path).get("default_prompt_name")):
        raise ExportError(f"{path} puts the prompt '{prompt}' before each text, which tundish does not reproduce.")
    path = directory / "sentence_bert_config.json"
    lowers = path.is_file() and _read_json(path).get("do_lower_case")
    if lowers and not getattr(tokenizer, "do_lower_case", False):
        raise ExportError(f"{path} asks for lower case, which neither the tokenizer nor tundish makes.")


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ExportError(f"{path} cannot be read: {error}.") from error


def pooled(tokens: torch.Tensor, mask: torch.Tensor, rule: PoolingPostprocess) -> torch.Tensor:
    """The rule on one text's `[1, tokens, dimensions]` in PyTorch: the oracle of the runtime's own form."""
    import torch  # not for those who read the rule alone

    if rule.pooling == "none":
        return tokens[0]
    weights = mask.unsqueeze(-1).to(tokens.dtype)
    if rule.pooling == "mean":
        vector = (tokens * weights).sum(1) / weights.sum(1)
    elif rule.pooling == "max":
        vector = tokens.masked_fill(weights == 0, -torch.inf).amax(1)
    else:
        vector = tokens[:, 0]
    return (torch.nn.functional.normalize(vector, dim=1) if rule.normalize else vector)[0]
