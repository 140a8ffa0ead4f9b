"""The typed results of the tasks, and the prediction that carries one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tundish.masks import Mask


@dataclass(frozen=True, slots=True)
class Label:
    """A class name with its score."""

    name: str
    score: float


@dataclass(frozen=True, slots=True)
class ImageClassification:
    """Labels of an image, highest score first."""

    labels: tuple[Label, ...]


@dataclass(frozen=True, slots=True)
class TextClassification:
    """Labels of a text, highest score first."""

    labels: tuple[Label, ...]
    truncated: bool = False
    """The text was longer than the model reads; the rest was left out."""


@dataclass(frozen=True, slots=True, eq=False)
class FeatureExtraction:
    """The vector of a text, or the vectors of its tokens."""

    vector: NDArray[np.float32]
    """`[dimensions]` if the model pools, `[tokens, dimensions]` if not."""
    truncated: bool = False


class Box(NamedTuple):
    """A rectangle in pixels of the image as people see it: of its file's size, the right way up.

    Edges may have fractions, and may lie outside the image, as the model has them.
    """

    x_min: float
    y_min: float
    x_max: float
    y_max: float


class Point(NamedTuple):
    """A place in pixels of the image, as the edges of a `Box`."""

    x: float
    y: float


Corners = tuple[Point, Point, Point, Point]


@dataclass(frozen=True, slots=True)
class DetectedObject:
    """A thing in an image, and where it is."""

    label: str
    score: float
    box: Box
    """Of an oriented box, the smallest that holds its corners."""
    corners: Corners | None = None
    """Of an oriented box, clockwise as people see them, from the one that was its upper left before it was turned: its
    width lies between the first two. None if the model's boxes lie along the image's edges."""


@dataclass(frozen=True, slots=True)
class ObjectDetection:
    """What was found in an image, highest score first; there may be nothing."""

    objects: tuple[DetectedObject, ...]


@dataclass(frozen=True, slots=True)
class Entity:
    """A stretch of a text that has a label, such as a name."""

    label: str
    score: float
    start: int
    """Of its first character in the text as it was sent, in Unicode code points."""
    end: int
    """Of what is behind its last character."""
    text: str
    """The characters themselves."""

    @property
    def place(self) -> tuple[str, int, int]:
        """What makes it the same entity, whatever its score."""
        return self.label, self.start, self.end


@dataclass(frozen=True, slots=True)
class TokenClassification:
    """The entities of a text, in its order."""

    entities: tuple[Entity, ...]
    truncated: bool = False
    """The text was longer than the model reads; no entity of the rest is there."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of an image that has a label: a thing, or all that is of a kind."""

    label: str
    score: float | None
    """None if the model gives none, as semantic segmentation does not."""
    mask: Mask
    """Of the image's size."""


@dataclass(frozen=True, slots=True)
class ImageSegmentation:
    """The segments of an image, highest score first, or in the order of the labels; there may be none."""

    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class TextRanking:
    """How well a text answers a query: higher is better, and what the scores are is the model's own."""

    score: float
    truncated: bool = False
    """The query and the text were longer than the model reads; the rest was left out."""


@dataclass(frozen=True, slots=True)
class RankedText:
    """One of the texts that a client had ranked."""

    index: int
    """Its place among the texts as they were given."""
    text: str
    score: float


@dataclass(frozen=True, slots=True)
class SentenceSimilarity:
    """How alike two texts are: the cosine of the angle between their vectors."""

    score: float
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class FoundAnswer:
    """A stretch of a context that answers a question; an empty one says that the context holds no answer."""

    text: str
    score: float
    start: int
    """Of its first character in the context as it was sent, in Unicode code points."""
    end: int
    """Of what is behind its last character."""


@dataclass(frozen=True, slots=True)
class QuestionAnswering:
    """Answers to a question, best first; there are none where the context has no token to begin with."""

    answers: tuple[FoundAnswer, ...]


@dataclass(frozen=True, slots=True)
class PageAnswer:
    """Words of a page that answer a question; an answer without text says that the page holds none."""

    text: str
    """The words, a space between each two."""
    score: float
    start: int
    """The place of its first word among the page's."""
    end: int
    """The place behind that of its last word."""


@dataclass(frozen=True, slots=True)
class DocumentQuestionAnswering:
    """Answers to a question about a page, best first; there are none where no word of it may be one."""

    answers: tuple[PageAnswer, ...]


@dataclass(frozen=True, slots=True)
class VisualQuestionAnswering:
    """Answers to a question about an image, of all that the model knows those with the highest scores, best first.

    A score is each answer's own probability; they need not sum to 1.
    """

    answers: tuple[Label, ...]
    truncated: bool = False
    """The question was longer than the model reads; the rest was left out."""


@dataclass(frozen=True, slots=True)
class FilledToken:
    """A token that a mask may stand for."""

    token: str
    score: float
    token_id: int
    """In the tokenizer's vocabulary."""
    sequence: str
    """The text with the token in the mask's place, as the tokenizer writes it; other masks stay."""


@dataclass(frozen=True, slots=True)
class FillMask:
    """For each mask of a text, in its order, the tokens that it may stand for, best first."""

    masks: tuple[tuple[FilledToken, ...], ...]
    truncated: bool = False
    """The text was longer than the model reads; no mask of the rest is there."""


@dataclass(frozen=True, slots=True)
class TextRegion:
    """Where a line of text is: a quadrilateral, as lines may be turned."""

    corners: Corners
    """Clockwise from the upper left one."""
    score: float


@dataclass(frozen=True, slots=True)
class TextDetection:
    """The lines of text of an image in reading order: from top to bottom, and from left to right; there may be none."""

    regions: tuple[TextRegion, ...]


@dataclass(frozen=True, slots=True)
class TextRecognition:
    """What a line of text says; empty if nothing was read."""

    text: str
    score: float
    """The mean of the scores of its characters; 0 if there are none."""


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line of text, and where it stands."""

    text: str
    score: float
    """The mean of the scores of its characters."""
    corners: Corners
    """See `TextRegion`."""


@dataclass(frozen=True, slots=True)
class DocumentReading:
    """The lines of text of an image in reading order; there may be none."""

    lines: tuple[TextLine, ...]

    @property
    def text(self) -> str:
        """The lines, one below the other."""
        return "\n".join(line.text for line in self.lines)


Result = (
    ImageClassification
    | TextClassification
    | FeatureExtraction
    | ObjectDetection
    | TokenClassification
    | ImageSegmentation
    | TextRanking
    | SentenceSimilarity
    | QuestionAnswering
    | DocumentQuestionAnswering
    | VisualQuestionAnswering
    | FillMask
    | TextDetection
    | TextRecognition
    | DocumentReading
)


@dataclass(frozen=True, slots=True)
class StageTimes:
    """Where the time between acceptance and answer went; a batch's stages count in full for each of its items."""

    queue_nanoseconds: int
    preprocess_nanoseconds: int
    compute_nanoseconds: int
    postprocess_nanoseconds: int
    batch_size: int
    """How many items the engine ran together."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """A model's answer to one input."""

    model: str
    version: int
    result: Result
    stage_times: StageTimes
