"""Post-processing: from a network's outputs to a typed result."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tundish.manifest.terms import Part, PositiveInt

Aggregation = Literal["none", "simple", "first", "average", "max"]
"""How tokens become entities; transformers' strategies of the same names."""


class ClassificationPostprocess(Part):
    """From logits `[batch, labels]` to labels with scores, highest first."""

    kind: Literal["classification"] = "classification"
    labels: Annotated[tuple[str, ...], Field(min_length=1)]
    function: Literal["softmax", "sigmoid", "none"]
    in_network: bool = False
    """Whether the function is the network's own last step, so that its outputs are the scores."""
    top_k: PositiveInt = 5
    """How many labels a result lists, at most."""


class PoolingPostprocess(Part):
    """From token vectors `[batch, tokens, dimensions]` to one vector a text, or to its tokens' vectors."""

    kind: Literal["pooling"] = "pooling"
    pooling: Literal["mean", "cls", "max", "none"]
    normalize: bool
    """Scale each pooled vector to Euclidean length 1."""


class DetectionPostprocess(Part):
    """What every way from a network's outputs to objects says; each way is a class with a `kind` of its own."""

    labels: Annotated[tuple[str, ...], Field(min_length=1)]
    """A name may stand for several classes."""
    threshold: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """An object's score is above it."""


class DetrPostprocess(DetectionPostprocess):
    """From `logits` `[batch, queries, labels + 1]` and `pred_boxes` `[batch, queries, 4]`: one object a query, at most.

    A query's score is the highest of its labels' after softmax over all, the last of which says that there is nothing.
    Boxes are centre x, centre y, width and height as shares of the image's.
    """

    kind: Literal["detr"] = "detr"


class SigmoidDetrPostprocess(DetectionPostprocess):
    """From `logits` `[batch, queries, labels]` and `pred_boxes` as in `DetrPostprocess`: each label of each query.

    Its score is its logit's sigmoid.
    """

    kind: Literal["detr-sigmoid"] = "detr-sigmoid"
    top_k: PositiveInt
    """How many objects a result lists, at most."""


class EntityPostprocess(Part):
    """From logits `[batch, tokens, labels]` to a text's entities; those labelled `O` are left out."""

    kind: Literal["entities"] = "entities"
    labels: Annotated[tuple[str, ...], Field(min_length=1)]
    """`B-` begins an entity, `I-` or no prefix continues one of the same label."""
    aggregation: Aggregation = "simple"
    """`none`: every token is an entity. `simple`: tokens of a label join. The rest label words: by the first token, by
    the mean of all, or by the one with the highest score."""
    unknown_id: int | None = None
    """Of the token for what the tokenizer does not know, which is always a word of its own; None if it has none."""


class ScorePostprocess(Part):
    """From a logit `[batch, 1]` to one score."""

    kind: Literal["score"] = "score"
    function: Literal["sigmoid", "none"]


class AnswerPostprocess(Part):
    """From `start_logits` and `end_logits` `[windows, tokens]` to the stretches of a context that answer a question."""

    kind: Literal["answers"] = "answers"
    top_k: PositiveInt = 1
    """How many answers a result lists, at most."""
    maximum_tokens: PositiveInt = 15
    """Of an answer."""
    no_answer: bool = False
    """Whether a result may say that the context holds none, as models for SQuAD 2 do."""
    cls_id: int | None = None
    """Of the token that stands for having no answer, which counts beside the context's; None if there is none."""


class MaskPostprocess(Part):
    """From logits `[batch, masks, vocabulary]` to the tokens that each mask of a text may stand for."""

    kind: Literal["masks"] = "masks"
    mask_token: str
    """As it is written in a text."""
    mask_id: int
    top_k: PositiveInt = 5
    """How many tokens a result lists for each mask, at most."""
    tidy_spaces: bool
    """Whether spaces before punctuation and contractions are left out of decoded texts, as the tokenizer has it."""


Postprocess = Annotated[
    ClassificationPostprocess
    | PoolingPostprocess
    | DetrPostprocess
    | SigmoidDetrPostprocess
    | EntityPostprocess
    | ScorePostprocess
    | AnswerPostprocess
    | MaskPostprocess,
    Field(discriminator="kind"),
]
