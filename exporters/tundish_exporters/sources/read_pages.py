"""Questions about images of pages: a reader of documents, and a network that is asked about the words it has read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tundish import manifest
from tundish.errors import InvalidInputError
from tundish.results import DocumentQuestionAnswering
from tundish.tasks import Item, parts_of
from tundish.tasks.pages import page_of
from tundish.tasks.read_page_answering import ANSWERS
from tundish_exporters.composed_sources import Asked, Parts
from tundish_exporters.errors import DataError
from tundish_exporters.sources import Source
from tundish_exporters.sources.huggingface.page_answering import PageAnswerFinder
from tundish_exporters.sources.onnx_file.document_reader import DocumentReader
from tundish_exporters.sources.pillow_images import image_size

_ANSWERER = "answerer"
_MADE_UP_QUESTION = b"What is written at the top?"


class ReadPages:
    """See `ComposedSource`: `document-question-answering` by the image alone."""

    task: manifest.TaskName = "document-question-answering"
    reads: tuple[manifest.InputName, ...] = ("image", "question")

    def __init__(self, answerer: PageAnswerFinder, reader: DocumentReader) -> None:
        self._answerer = answerer
        self._reader = reader
        self.postprocess = manifest.ReadPagePostprocess(lines=reader.postprocess)

    @property
    def components(self) -> Mapping[str, Source]:
        """See `ComposedSource.components`."""
        return {**self._reader.components, _ANSWERER: self._answerer}

    @property
    def steps(self) -> tuple[manifest.Step, ...]:
        """See `ComposedSource.steps`."""
        reading = self._reader.steps
        asked = ("image", "question", *(step.name for step in reading))
        return (*reading, manifest.Step(name=ANSWERS, component=_ANSWERER, inputs=asked))

    def describe(self) -> manifest.Source:
        """See `ComposedSource.describe`; that of the directory, with the files of the reader."""
        source = self._answerer.describe()
        return source.model_copy(update={"files": {**source.files, **self._reader.describe().files}})

    def asked_of(self, component: str, samples: Sequence[Parts]) -> list[Asked]:
        """See `ComposedSource.asked_of`; raises DataError if nothing is written in an image."""
        if component != _ANSWERER:
            return self._reader.asked_of(component, samples)
        asked = []
        for place, sample in enumerate(samples):
            if set(sample) == set(self.reads):
                try:
                    asked.append(Asked((sample["question"], self._page(sample["image"])), place))
                except InvalidInputError as error:
                    raise DataError(f"Sample {place}: {error}") from error
        return asked

    def completed(self, sample: Parts) -> Item:
        """See `ComposedSource.completed`."""
        return self._reader.completed(sample), sample.get("question", _MADE_UP_QUESTION)

    def predict(self, item: Item) -> DocumentQuestionAnswering:
        """See `ComposedSource.predict`; by the reader's files as they are, and transformers' pipeline."""
        image, question = parts_of(item)
        return self._answerer.predict((question, self._page(image)))

    def _page(self, image: Any) -> bytes:
        return page_of(image_size(image), self._reader.read(image))
