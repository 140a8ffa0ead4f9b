"""Masks are filled as transformers' pipeline does: in process, and served, by every way to ask."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers
import tritonclient.grpc
from support.commands import call_tundish
from support.measuring import measure
from support.model_families import POSITIONS
from support.server_process import ServerProcess
from support.text_tasks import save_mask_filler

import tundish
from tundish.client import AsyncClient, Client
from tundish.errors import InvalidInputError
from tundish.manifest import MaskPostprocess
from tundish.results import FilledToken, FillMask
from tundish_exporters import export_huggingface
from tundish_exporters.equality import compare_results

TEXTS = (
    "Bearing seven runs {0} again.",
    "{0} isn't {0}, he said ; façade {0} !",
    "{0} the tundish stands between the ladle and the moulds " + "and again " * 60 + "{0}",
)
"""With one mask, with several, and with one that is behind what any model here reads."""

Masks = tuple[tuple[FilledToken, ...], ...]


def ask(source: Path, text: str) -> Masks:
    """What a user of transformers gets."""
    pipeline: Any = transformers.pipeline("fill-mask", model=str(source))
    answer = pipeline(text, tokenizer_kwargs={"truncation": True, "max_length": POSITIONS})
    masks = answer if isinstance(answer[0], list) else [answer]
    return tuple(
        tuple(FilledToken(each["token_str"], each["score"], each["token"], each["sequence"]) for each in mask)
        for mask in masks
    )


def assert_masks(expected: Masks, actual: Masks) -> None:
    assert [[(each.token, each.token_id, each.sequence) for each in mask] for mask in expected] == [
        [(each.token, each.token_id, each.sequence) for each in mask] for mask in actual
    ]
    scores = [[each.score for each in mask] for mask in actual]
    np.testing.assert_allclose(scores, [[each.score for each in mask] for mask in expected], atol=1e-3, rtol=0)


@pytest.mark.parametrize("family", ["bert", "distilbert", "electra", "mpnet", "roberta", "albert", "deberta"])
def test_masks_are_filled_as_by_the_pipeline(family: str, tmp_path: Path, minilm_directory: Path) -> None:
    source = save_mask_filler(tmp_path / "source", family, minilm_directory)
    bundle = export_huggingface(
        source, task="fill-mask", name="masks", repository=tmp_path / "models", precision="fp32"
    ).bundle
    rule = bundle.manifest.postprocess
    assert isinstance(rule, MaskPostprocess)
    assert bundle.manifest.outputs[0].shape[:2] == ("batch_size", "masks")
    with tundish.open(tmp_path / "models", instances=1) as runtime:
        for text in (text.format(rule.mask_token) for text in TEXTS):
            result = runtime.predict("masks", text=text).result
            assert isinstance(result, FillMask)
            assert_masks(ask(source, text), result.masks)
            assert result.truncated == (len(text) > 500)
        for count, said in ((0, r"has 0 masks; write \S+ for 1 to 32 tokens of it"), (33, "has 33 masks")):
            with pytest.raises(InvalidInputError, match=said):
                runtime.predict("masks", text=f"the {rule.mask_token * count}")


async def test_masks_are_served_by_every_way(tmp_path: Path, minilm_directory: Path) -> None:
    source = save_mask_filler(tmp_path / "source", "bert", minilm_directory)
    texts = [text.format("[MASK]") for text in TEXTS]
    (tmp_path / "texts.txt").write_text("\n".join(texts))
    exported = export_huggingface(
        source, task="fill-mask", name="masks", repository=tmp_path / "models", calibration=tmp_path / "texts.txt",
        max_drop=1.0,
    )  # fmt: skip
    assert "int8" in {variant.precision for variant in exported.bundle.manifest.variants}
    export_huggingface(source, task="fill-mask", name="exact", repository=tmp_path / "models", precision="fp32")
    expected = [ask(source, text) for text in texts]
    with ServerProcess(tmp_path / "models", "--instances", "1") as process:
        with Client(process.url) as client:
            assert isinstance(client.predict("masks", text=texts[0]).result, FillMask)
            answers = [client.predict("exact", text=text).result for text in texts]
        async with AsyncClient(process.url) as awaiting:
            answers += [(await awaiting.predict("exact", text=text)).result for text in texts]
        for result, masks in zip(answers, [*expected, *expected], strict=True):
            assert isinstance(result, FillMask)
            assert_masks(masks, result.masks)
        ran = json.loads(call_tundish("infer", "exact", "--text", texts[1], "--url", process.url, "--json").stdout)
        assert_masks(expected[1], tuple(tuple(FilledToken(**each) for each in mask) for mask in ran["masks"]))
        shown = call_tundish("infer", "exact", "--text", texts[0], "--url", process.url).stdout
        assert expected[0][0][0].token in shown
        stock = tritonclient.grpc.InferenceServerClient(process.url)
        tensor = tritonclient.grpc.InferInput("text", [len(texts), 1], "BYTES")
        tensor.set_data_from_numpy(np.array([[text.encode()] for text in texts], np.object_))
        answer = stock.infer("exact", [tensor])
        for row, masks in enumerate(expected):
            for name, field in (("token", "token"), ("sequence", "sequence")):
                tokens = answer.as_numpy(name)[row]
                assert [[each.decode() for each in mask] for mask in tokens.tolist()] == [
                    [getattr(each, field) for each in mask] for mask in masks
                ] + [[""] * 5] * (3 - len(masks))
        stock.close()


def filled(*ids: int, score: float = 0.5, sequence: str = "a") -> FillMask:
    return FillMask((tuple(FilledToken(str(number), score, number, sequence) for number in ids),))


def test_the_gate_counts_texts_whose_best_tokens_are_equal() -> None:
    assert measure([filled(1, 2), filled(2, 1)], [filled(1, 3), filled(1, 2)]).value == 0.5


@pytest.mark.parametrize(
    ("actual", "fault"),
    [
        (filled(1, score=0.5004), ""),
        (filled(1, score=0.502), "'token 1' has the score 0.5020, not 0.5000"),
        (filled(3), "'token 3' has the score 0.5000, not nan"),
        (filled(1, sequence="b"), "token 1 makes 'b', not 'a'"),
        (FillMask(()), "it has 0 masks, not 1"),
    ],
)
def test_parity_says_where_masks_part(actual: FillMask, fault: str) -> None:
    assert compare_results(filled(1, 2), actual)[1] == fault
