"""A model of any kind for the peers' servers, and its answers as they go over HTTP."""

# mypy: ignore-errors
# Its imports exist in the peers' environments only: what they look like in ours, if they are there, is not what runs.

from __future__ import annotations


def load_model(settings):
    """The model that `settings` describes; its `run` takes a list of items and returns a row an item of each output."""
    # Imported here: whoever serves texts alone does not need OpenCV in memory.
    if settings["reads"] == "image":
        from image_classifier import ImageClassifier

        return ImageClassifier(settings)
    if settings["reads"] == "text":
        from text_classifier import TextClassifier

        return TextClassifier(settings)
    from tensor_engine import TensorEngine

    return TensorEngine(settings)


def http_answers(model, items):
    """An answer an item: a classifier's labels and scores, for JSON, or a bare network's float32 as they are."""
    outputs = model.run(items)
    if len(outputs) == 1:
        return [row.tobytes() for row in outputs[0]]
    return [{"label": list(row), "score": scores.tolist()} for row, scores in zip(*outputs, strict=True)]
