"""From logits at masks to tokens, with PyTorch and transformers' decoding for the oracle."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
import transformers
from numpy.typing import NDArray

from tundish.errors import BundleError, EngineError, InvalidInputError
from tundish.manifest import ClassificationPostprocess, MaskPostprocess, ModelSpec, TensorSpec, TextPreprocess
from tundish.results import FilledToken, FillMask
from tundish.tasks.fill_mask import MASK_POSITIONS, FillMaskTask

VOCABULARY = 30522
MASK = 103
RULE = MaskPostprocess(mask_token="[MASK]", mask_id=MASK, tidy_spaces=False, top_k=3)
TEXTS = ("the [MASK] runs , isn't it ?", "[MASK] [MASK]", "a long one that ends in a [MASK]")
INPUTS = ("input_ids", "attention_mask", MASK_POSITIONS)


def spec(rule: Any = RULE, inputs: tuple[str, ...] = INPUTS, side: Literal["left", "right"] = "right") -> ModelSpec:
    return ModelSpec(
        task="fill-mask",
        inputs=tuple(TensorSpec(name=name, datatype="INT64", shape=("batch", "tokens")) for name in inputs),
        outputs=(TensorSpec(name="logits", datatype="FP32", shape=("batch", "masks", VOCABULARY)),),
        preprocess=TextPreprocess(maximum_tokens=16, padding_side=side),
        postprocess=rule,
    )


@pytest.mark.parametrize("tidy", [True, False])
@pytest.mark.parametrize("side", ["right", "left"])
def test_a_batch_says_where_the_masks_are_and_what_they_stand_for(
    side: Literal["left", "right"], tidy: bool, minilm_directory: Path
) -> None:
    task = FillMaskTask(spec(RULE.model_copy(update={"tidy_spaces": tidy}), side=side), minilm_directory)
    items = [task.prepare(text.encode()) for text in TEXTS]
    arrays = task.collate(items)
    positions = arrays[MASK_POSITIONS]
    assert positions.shape == (3, 2)
    for row, count in enumerate((1, 2, 1)):
        (masks,) = np.nonzero(arrays["input_ids"][row] == MASK)
        assert positions[row].tolist() == [*masks.tolist(), 0][:2]
        assert len(masks) == count
    logits = np.random.default_rng(4).normal(0, 3, (3, 2, VOCABULARY)).astype(np.float32)
    load: Any = transformers.AutoTokenizer.from_pretrained
    tokenizer = load(minilm_directory, clean_up_tokenization_spaces=tidy)
    for text, row, result in zip(TEXTS, logits, task.finish({"logits": logits}, items), strict=True):
        assert isinstance(result, FillMask)
        count = text.count("[MASK]")
        assert len(result.masks) == count
        scores, ids = torch.from_numpy(row[:count]).softmax(-1).topk(3)
        (masks,) = np.nonzero(np.array(tokenizer(text)["input_ids"]) == MASK)
        for place, filled, wanted_scores, wanted in zip(
            masks.tolist(), result.masks, scores.tolist(), ids.tolist(), strict=True
        ):
            assert [each.token_id for each in filled] == wanted
            assert [each.score for each in filled] == pytest.approx(wanted_scores, rel=1e-5)
            for each in filled:
                whole = [*tokenizer(text)["input_ids"]]
                whole[place] = each.token_id
                assert each.token == tokenizer.decode([each.token_id])
                assert each.sequence == tokenizer.decode(whole, skip_special_tokens=count == 1)


def test_an_item_without_numbers_fails_alone(minilm_directory: Path) -> None:
    task = FillMaskTask(spec(), minilm_directory)
    items = [task.prepare(text.encode()) for text in TEXTS[:2]]
    logits: NDArray[np.float32] = np.zeros((2, 2, VOCABULARY), np.float32)
    logits[0, 1] = np.nan  # behind its only mask
    logits[1, 1, 7] = np.nan
    good, failed = task.finish({"logits": logits}, items)
    assert isinstance(good, FillMask)
    assert isinstance(failed, EngineError)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no mask", r"The text has 0 masks; write \[MASK\] for 1 to 32 tokens of it"),
        ("word " * 20 + "[MASK]", "has 0 masks among those that this model reads"),
    ],
)
def test_a_text_without_a_mask_is_refused(text: str, said: str, minilm_directory: Path) -> None:
    with pytest.raises(InvalidInputError, match=said):
        FillMaskTask(spec(), minilm_directory).prepare(text.encode())


RESULTS = (
    FillMask(((FilledToken("é", 0.5, 7, "é b"), FilledToken("c", 0.25, 8, "c b")),), truncated=True),
    FillMask(tuple(((FilledToken("x", 0.75, 9, "x"), FilledToken("y", 0.125, 10, "y")),) * 2)),
)


@pytest.mark.parametrize("result", RESULTS)
def test_a_message_holds_all_of_a_result(result: FillMask) -> None:
    message = FillMaskTask.to_message(result)
    assert FillMaskTask.from_message(type(message).FromString(message.SerializeToString())) == result


def test_tensors_are_filled_up_to_the_text_with_the_most_masks() -> None:
    tensors = {name: array.tolist() for name, array in FillMaskTask.to_tensors(RESULTS).items()}
    assert tensors == {
        "token": [[["é".encode(), b"c"], [b"", b""]], [[b"x", b"y"], [b"x", b"y"]]],
        "score": [[[0.5, 0.25], [0, 0]], [[0.75, 0.125], [0.75, 0.125]]],
        "sequence": [[["é b".encode(), b"c b"], [b"", b""]], [[b"x", b"y"], [b"x", b"y"]]],
    }


def test_a_bundle_that_fills_no_masks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="must have the input mask_positions to do fill-mask"):
        FillMaskTask(spec(inputs=INPUTS[:2]), tmp_path)
    with pytest.raises(BundleError, match="must read text and fill masks"):
        FillMaskTask(spec(ClassificationPostprocess(labels=("a",), function="softmax")), tmp_path)
