"""The public calls for models of several networks; see `api.py`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from tundish.manifest import TaskName
from tundish_exporters.call_checks import check_directory, check_template, check_top_k
from tundish_exporters.export_options import ExportOptions, ExportSettings, PathLike
from tundish_exporters.onnx_hints import OnnxHints
from tundish_exporters.progress import Progress, silent

if TYPE_CHECKING:
    from tundish_exporters.composing import ExportedComposition


def export_towers(
    directory: PathLike,
    *,
    name: str,
    repository: PathLike,
    hypothesis_template: str | None = None,
    trust_pickle: bool = False,
    progress: Progress = silent,
    **settings: Unpack[ExportSettings],
) -> ExportedComposition:
    """Exports CLIP's or SigLIP's directory to a bundle that compares images with labels that come with them.

    Both towers are components of it, `NAME.image` and `NAME.text`, which give their vectors also by themselves. Labels
    that are known at export cost less as `candidate_labels` of `export_huggingface`.

    Args:
        directory: see `export_huggingface`.
        name: of the model in the repository; the bundle becomes its next version.
        repository: directory of bundles; made if it is not there.
        hypothesis_template: what makes a sentence of each label; "This is a photo of {}." if none is given.
        trust_pickle: see `export_huggingface`.
        progress: called with what is being done, the steps done and the steps in all.
        settings: see `ExportSettings`; data for both towers are a table with the columns `image` and
            `candidate_labels`, a folder of images has none for that of texts.

    Raises:
        ExportError: see `tundish_exporters.composing.export_composed`.
    """
    check_template(hypothesis_template)
    choices: dict[str, Any] = {"trust_pickle": trust_pickle}
    if hypothesis_template is not None:
        choices["hypothesis_template"] = hypothesis_template
    return _export_composed(
        directory, "zero-shot-image-classification", choices, ExportOptions.of(name, repository, settings), progress
    )


def export_promptable(
    directory: PathLike,
    *,
    name: str,
    repository: PathLike,
    trust_pickle: bool = False,
    progress: Progress = silent,
    **settings: Unpack[ExportSettings],
) -> ExportedComposition:
    """Exports Segment Anything's directory to a bundle that segments what prompts point at, with points or boxes.

    Args:
        directory: see `export_huggingface`.
        name: of the model in the repository; the bundle becomes its next version.
        repository: directory of bundles; made if it is not there.
        trust_pickle: see `export_huggingface`.
        progress: called with what is being done, the steps done and the steps in all.
        settings: see `ExportSettings`; data are a table with the columns `image` and `prompts`, or a folder of images,
            which are then asked about what is in their middle.

    Raises:
        ExportError: see `tundish_exporters.composing.export_composed`.
    """
    options = ExportOptions.of(name, repository, settings)
    return _export_composed(directory, "image-segmentation", {"trust_pickle": trust_pickle}, options, progress)


def export_documents(
    detector: PathLike,
    recognizer: PathLike,
    *,
    name: str,
    repository: PathLike,
    hints: OnnxHints = OnnxHints(),  # noqa: B008  # immutable
    labels: PathLike | None = None,
    direction: PathLike | None = None,
    progress: Progress = silent,
    **settings: Unpack[ExportSettings],
) -> ExportedComposition:
    """Exports ONNX files, as PP-OCR's, to a bundle that reads the lines of text of an image.

    Args:
        detector: of text, see `export_onnx`.
        recognizer: of the text of a line, see there.
        name: of the model in the repository; the bundle becomes its next version.
        repository: directory of bundles; made if it is not there.
        hints: what the detector's file does not say of itself.
        labels: a file of the recogniser's characters, one a line, if its own does not name them.
        direction: a classifier of lines that stand upright or upside down, as PP-OCR's; None reads all lines as they
            stand.
        progress: called with what is being done, the steps done and the steps in all.
        settings: see `ExportSettings`; data are a folder of images, or a table with a column of them.

    Raises:
        ExportError: see `tundish_exporters.composing.export_composed`.
    """
    options = ExportOptions.of(name, repository, settings)

    from tundish_exporters.composing import export_composed
    from tundish_exporters.sources.onnx_file.document_reader import DocumentReader

    progress("load the source", 0, 1)
    source = DocumentReader(
        Path(detector),
        Path(recognizer),
        hints,
        labels=None if labels is None else Path(labels),
        direction=None if direction is None else Path(direction),
    )
    progress("load the source", 1, 1)
    return export_composed(source, options, progress)


def export_read_pages(
    directory: PathLike,
    detector: PathLike,
    recognizer: PathLike,
    *,
    name: str,
    repository: PathLike,
    labels: PathLike | None = None,
    direction: PathLike | None = None,
    base: PathLike | None = None,
    no_answer: bool = False,
    top_k: int | None = None,
    trust_pickle: bool = False,
    progress: Progress = silent,
    **settings: Unpack[ExportSettings],
) -> ExportedComposition:
    """Exports LayoutLM's directory with a reader of documents to a bundle that is asked about images of pages.

    Args:
        directory: for `document-question-answering`, see `export_huggingface`.
        detector: of text, see `export_documents`.
        recognizer: see there.
        name: of the model in the repository; the bundle becomes its next version.
        repository: directory of bundles; made if it is not there.
        labels: see `export_documents`.
        direction: see there.
        base: see `export_huggingface`.
        no_answer: see there.
        top_k: see there.
        trust_pickle: see there.
        progress: called with what is being done, the steps done and the steps in all.
        settings: see `ExportSettings`; data are a table with the columns `image` and `question`, or a folder of images.

    Raises:
        ExportError: see `tundish_exporters.composing.export_composed`.
    """
    check_top_k(top_k)
    check_directory(Path(directory), base)
    options = ExportOptions.of(name, repository, settings)

    from tundish_exporters.composing import export_composed
    from tundish_exporters.sources.huggingface.page_answering import PageAnswerFinder
    from tundish_exporters.sources.huggingface.source import Choices
    from tundish_exporters.sources.onnx_file.document_reader import DocumentReader
    from tundish_exporters.sources.read_pages import ReadPages

    progress("load the source", 0, 1)
    choices = Choices(
        base=None if base is None else Path(base), no_answer=no_answer, top_k=top_k, trust_pickle=trust_pickle
    )
    answerer = PageAnswerFinder(Path(directory), choices)
    reader = DocumentReader(
        Path(detector),
        Path(recognizer),
        OnnxHints(),
        labels=None if labels is None else Path(labels),
        direction=None if direction is None else Path(direction),
    )
    progress("load the source", 1, 1)
    return export_composed(ReadPages(answerer, reader), options, progress)


def _export_composed(
    directory: PathLike, task: TaskName, choices: dict[str, Any], options: ExportOptions, progress: Progress
) -> ExportedComposition:
    check_directory(Path(directory), None)

    from tundish_exporters.composing import export_composed
    from tundish_exporters.sources.huggingface import load_composed_source
    from tundish_exporters.sources.huggingface.source import Choices

    progress("load the source", 0, 1)
    source = load_composed_source(Path(directory), task, Choices(**choices))
    progress("load the source", 1, 1)
    return export_composed(source, options, progress)
