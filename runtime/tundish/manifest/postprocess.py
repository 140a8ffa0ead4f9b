"""Post-processing: from a network's outputs to a typed result."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from tundish.manifest.terms import Part, PositiveInt

Aggregation = Literal["none", "simple", "first", "average", "max"]
"""How tokens become entities; transformers' strategies of the same names."""
Subtask = Literal["panoptic", "instance", "semantic"]
"""What the segments of an image are; transformers' subtasks of the same names.

`panoptic`: things, each by itself, and stretches of what is no thing; no pixel has two. `instance`: things alone.
`semantic`: of each label, all that has it.
"""

MAX_LISTED = 100
"""Answers to a question, or tokens for a mask, that a result may list."""


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


class VectorPostprocess(Part):
    """From vectors `[batch, dimensions]`, which the network makes itself, to one vector an item."""

    kind: Literal["vector"] = "vector"
    of: Literal["projection", "pooler", "first-token", "map"]
    """What the network makes it of, for people: its projection to what texts are compared in, its own pooling layer, or
    the token before all others; or a map `[batch, dimensions, height, width]` of vectors for another network."""


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


class BoxPostprocess(DetectionPostprocess):
    """From candidates to the best of them: greedy non-maximum suppression.

    `boxes` is `[batch, candidates, 4]` and `scores` `[batch, candidates, labels]`, or with `candidates_last`
    `[batch, 4, candidates]` and `[batch, labels, candidates]`; an oriented box has 5 numbers. A candidate has the label
    of its highest score, of equal ones the first. Of those above the threshold the one with the highest score is an
    object, of equal ones the first; those of its label whose intersection over union with it is above `iou` are
    dropped; and so on with what is left.
    """

    kind: Literal["boxes"] = "boxes"
    box_form: Literal["corners", "centre", "oriented"]
    """x_min, y_min, x_max, y_max, or centre x, centre y, width, height; in pixels of the network's input. `oriented`:
    these, and an angle in radians by which the box is turned about its centre, from the x axis to the y axis."""
    candidates_last: bool = False
    iou: Annotated[float, Field(ge=0, le=1)]
    class_agnostic: bool = False
    """Whether an object also drops candidates of other labels."""
    max_objects: Annotated[int, Field(gt=0, le=65_536)] = 300
    """Of an image; the search ends there."""


class ListedPostprocess(DetectionPostprocess):
    """From objects that the network has chosen itself to those above the threshold, highest score first.

    `boxes` is `[batch, objects, 4]`, or of 5 numbers if they are oriented; `scores` and `classes` are
    `[batch, objects]`. Classes count the labels from 0, as whole numbers of FP32.
    """

    kind: Literal["listed"] = "listed"
    box_form: Literal["corners", "oriented"] = "corners"
    """As `BoxPostprocess.box_form`."""


class SegmentationPostprocess(Part):
    """What is common to every way from a network's outputs to segments; each is a class with a `kind` of its own."""


class SemanticPostprocess(SegmentationPostprocess):
    """From `logits` `[batch, labels, height, width]` to one segment for each label that a pixel has; without scores.

    Logits are interpolated to the image's size (bilinear, centres aligned); a pixel has the label of its highest. Where
    images are letterboxed, logits are of the size of the network's input, and those around the image are cut off first.
    """

    kind: Literal["semantic"] = "semantic"
    labels: Annotated[tuple[str, ...], Field(min_length=1)]
    """A name may stand for several classes."""


class PixelIndexPostprocess(SegmentationPostprocess):
    """From `indices` `[batch, height, width]`, of each pixel's label, as `SemanticPostprocess` makes segments.

    Indices are whole numbers of FP32. A pixel of the image has that of the cell in which its centre lies, between two
    that of the second; where that is no label's, there is no segment.
    """

    kind: Literal["pixel-indices"] = "pixel-indices"
    labels: Annotated[tuple[str, ...], Field(min_length=1)]
    """A name may stand for several classes."""


class MaskQueriesPostprocess(SegmentationPostprocess):
    """MaskFormer's: a set of queries, each with the logits of its label and of its mask's pixels.

    From `class_queries_logits` `[batch, queries, labels + 1]`, the last of which says that there is nothing, and
    `masks_queries_logits` `[batch, queries, height, width]`; a pixel's probability is its logit's sigmoid.
    """

    kind: Literal["mask-queries"] = "mask-queries"
    labels: Annotated[tuple[str, ...], Field(min_length=1)]
    """A name may stand for several classes."""
    subtask: Subtask
    threshold: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """What a segment's score is above (`panoptic`), or at least (`instance`)."""
    mask_threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Of `panoptic`: the probability, times the score, from which on a pixel belongs to a query's whole mask."""
    overlap_threshold: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Of `panoptic`: the share of its whole mask that a query must be the best of, or it is left out."""
    mask_size: tuple[PositiveInt, PositiveInt] | None = None
    """Height and width to which the masks' logits are interpolated before all else; None if they stay as they are."""


class PrototypeMasksPostprocess(SegmentationPostprocess):
    """YOLO's instances: objects, each with a mask that is a weighted sum of prototypes, cut at the object's box.

    From what `objects` reads, `coefficients`, which are `[batch, candidates, prototypes]` as `boxes` are with so many
    numbers, and `prototypes` `[batch, prototypes, height, width]`, whose cells divide the network's input evenly. The
    sums are logits, interpolated to the pixels of the image (bilinear, centres aligned). A pixel is in the mask where
    that is above 0 and its centre lies in the box; an object without any pixel is left out.
    """

    kind: Literal["prototype-masks"] = "prototype-masks"
    objects: Annotated[BoxPostprocess | ListedPostprocess, Field(discriminator="kind")]
    """Which there are; their boxes are not oriented."""

    @field_validator("objects")
    @classmethod
    def _has_no_oriented_boxes(cls, objects: BoxPostprocess | ListedPostprocess) -> BoxPostprocess | ListedPostprocess:
        if objects.box_form == "oriented":
            raise ValueError("masks are cut at boxes along the image's edges, got oriented ones")
        return objects


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
    """From `start_logits` and `end_logits` `[windows, tokens]` to the stretches of a context that answer a question.

    Or of the words of a page.
    """

    kind: Literal["answers"] = "answers"
    top_k: Annotated[int, Field(gt=0, le=MAX_LISTED)] = 1
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
    top_k: Annotated[int, Field(gt=0, le=MAX_LISTED)] = 5
    """How many tokens a result lists for each mask, at most."""
    tidy_spaces: bool
    """Whether spaces before punctuation and contractions are left out of decoded texts, as the tokenizer has it."""


class PromptMaskPostprocess(Part):
    """From logits of a mask `[batch, height, width]`, and its score `[batch]`, to a segment.

    They are of the size of what the image's encoder sees: cut to the image, resized to its size as PyTorch's bilinear
    `interpolate`, and a pixel is in the mask where they are above 0.
    """

    kind: Literal["prompt-mask"] = "prompt-mask"


class TextRegionPostprocess(Part):
    """DB's: from the probability of each pixel to be text, `[batch, 1, height, width]`, to regions of text.

    What is above `threshold` and hangs together lies in a rectangle, of the smallest area and any angle, whose score is
    the mean of the probabilities in it. The networks learn texts that have shrunk, so it is grown on all sides by its
    area times `unclip_ratio`, over its perimeter.
    """

    kind: Literal["text-regions"] = "text-regions"
    threshold: Annotated[float, Field(ge=0, lt=1)] = 0.3
    """Of a pixel."""
    box_threshold: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """A region's score is at least that."""
    unclip_ratio: Annotated[float, Field(gt=0, le=10)] = 1.6
    dilation: bool = True
    """Whether each pixel of a text also counts for those below and to the right of it, which joins broken strokes."""
    max_regions: Annotated[int, Field(gt=0, le=1000)] = 1000
    """Of an image; the search ends there."""


class CtcPostprocess(Part):
    """From `[batch, steps, classes]` to a text: the best class of each step, without repeats and blanks."""

    kind: Literal["ctc"] = "ctc"
    characters: Annotated[tuple[str, ...], Field(min_length=1)]
    """Of each class but the first, which is the blank."""
    in_network: bool = True
    """Whether softmax is the network's own last step, so that its outputs are the scores."""


Postprocess = Annotated[
    ClassificationPostprocess
    | PoolingPostprocess
    | VectorPostprocess
    | PromptMaskPostprocess
    | DetrPostprocess
    | SigmoidDetrPostprocess
    | BoxPostprocess
    | ListedPostprocess
    | EntityPostprocess
    | SemanticPostprocess
    | PixelIndexPostprocess
    | MaskQueriesPostprocess
    | PrototypeMasksPostprocess
    | ScorePostprocess
    | AnswerPostprocess
    | MaskPostprocess
    | TextRegionPostprocess
    | CtcPostprocess,
    Field(discriminator="kind"),
]
