"""What becomes of an image and a question before the network, and of its logits: with NumPy for the oracle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.images import encoded
from support.wordpiece import hugging_face_tokenizer

from tundish.errors import BundleError, EngineError
from tundish.manifest import (
    ClassificationPostprocess,
    ImagePreprocess,
    ImageTextPreprocess,
    ModelSpec,
    ShortestEdgeResize,
    TensorSpec,
    TextPreprocess,
    VectorPostprocess,
)
from tundish.results import Label, VisualQuestionAnswering
from tundish.tasks.visual_question_answering import VisualQuestionAnsweringTask

TEXT_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def spec(**changes: Any) -> ModelSpec:
    images = ImagePreprocess(
        resize=ShortestEdgeResize(length=8, longest=13, multiple_of=4, rounding="half-up"),
        crop=None, rescale=1 / 255, mean=(0, 0, 0), std=(1, 1, 1),
    )  # fmt: skip
    return ModelSpec(
        task="visual-question-answering",
        inputs=(
            TensorSpec(name="pixels", datatype="FP32", shape=("batch", 3, "height", "width")),
            *(TensorSpec(name=name, datatype="INT64", shape=("batch", "tokens")) for name in TEXT_INPUTS),
        ),
        outputs=(TensorSpec(name="logits", datatype="FP32", shape=("batch", 3)),),
        preprocess=ImageTextPreprocess(image=images, text=TextPreprocess(reads=("question",), maximum_tokens=6)),
        postprocess=ClassificationPostprocess(labels=("red", "yes", "no"), function="sigmoid", top_k=2),
    ).model_copy(update=changes)


@pytest.fixture
def task(tmp_path: Path) -> VisualQuestionAnsweringTask:
    hugging_face_tokenizer().save(str(tmp_path / "tokenizer.json"))
    return VisualQuestionAnsweringTask(spec(), tmp_path)


def test_questions_are_padded_and_images_are_not(task: VisualQuestionAnsweringTask) -> None:
    items = [task.prepare((encoded("red", size=(20, 10)), question)) for question in (b"the", b"the the the")]
    assert [task.shape(item) for item in items] == [(4, 12), (4, 12)]
    batch = task.collate(items)
    assert list(batch) == ["pixels", *TEXT_INPUTS]
    assert batch["pixels"].shape == (2, 3, 4, 12)
    np.testing.assert_allclose(
        batch["pixels"].astype(np.float64)[:, :, 2, 5], [[250 / 255, 10 / 255, 10 / 255]] * 2, atol=1e-6
    )
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]
    assert task.length(items[0]) == task.length(items[1]) == 0, "the scheduler may put them together"


def test_answers_are_the_sigmoids_of_the_logits(task: VisualQuestionAnsweringTask) -> None:
    items = [task.prepare((encoded("red"), question)) for question in (b"the", b"the the the the the the", b"the")]
    logits = np.array([[0.5, -1, 2], [3, -4, -5], [0, np.nan, 0]], np.float32)
    short, long, broken = task.finish({"logits": logits}, items)
    assert isinstance(broken, EngineError)
    assert isinstance(short, VisualQuestionAnswering)
    assert isinstance(long, VisualQuestionAnswering)
    assert (short.truncated, long.truncated) == (False, True)
    assert [answer.name for answer in short.answers] == ["no", "red"]
    expected = 1 / (1 + np.exp(-np.array([2, 0.5])))
    np.testing.assert_allclose([answer.score for answer in short.answers], expected, atol=1e-6)
    tensors = task.to_tensors([short, long])
    assert [spec.name for spec in task.output_specs] == list(tensors)
    assert tensors["answer"].tolist() == [[b"no", b"red"], [b"red", b"yes"]]
    assert all(tensors[spec.name].shape == (2, spec.shape[1]) for spec in task.output_specs)


def test_messages_keep_all_of_a_result() -> None:
    result = VisualQuestionAnswering((Label("no", 0.75), Label("red", 0.5)), truncated=True)
    message = VisualQuestionAnsweringTask.to_message(result)
    assert VisualQuestionAnsweringTask.from_message(type(message).FromString(message.SerializeToString())) == result


def test_a_bundle_that_gives_no_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="must read images with texts and give labels"):
        VisualQuestionAnsweringTask(spec(postprocess=VectorPostprocess(of="pooler")), tmp_path)
