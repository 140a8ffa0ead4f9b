"""The public calls. They load PyTorch and transformers when they are called, so that importing them is cheap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from tundish.manifest import (
    Aggregation,
    ClassificationPostprocess,
    ImagePreprocess,
    PoolingPostprocess,
    Subtask,
    TaskName,
    TextPreprocess,
)
from tundish_exporters.call_checks import (
    check_aggregation,
    check_candidates,
    check_choice,
    check_directory,
    check_subtask,
    check_task,
    check_threshold,
    check_top_k,
)
from tundish_exporters.export_options import ExportOptions, ExportSettings, PathLike
from tundish_exporters.onnx_hints import OnnxHints
from tundish_exporters.progress import Progress, silent

if TYPE_CHECKING:
    import torch

    from tundish_exporters.exporting import Exported

_FINDING_ANSWERS = ("question-answering", "document-question-answering")


def export_huggingface(
    directory: PathLike,
    *,
    task: TaskName,
    name: str,
    repository: PathLike,
    base: PathLike | None = None,
    aggregation: Aggregation | None = None,
    threshold: float | None = None,
    subtask: Subtask | None = None,
    candidate_labels: Sequence[str] | None = None,
    hypothesis_template: str | None = None,
    trust_pickle: bool = False,
    pairs: bool | None = None,
    no_answer: bool | None = None,
    top_k: int | None = None,
    progress: Progress = silent,
    **settings: Unpack[ExportSettings],
) -> Exported:
    """Exports a Hugging Face directory (config.json, weights, processor) to a bundle in `repository`.

    The directory may be that of a PEFT adapter, such as LoRA's, which is merged into its base model.

    Args:
        directory: what `save_pretrained` wrote, its weights as safetensors or as a pickle of tensors alone; nothing of
            it is executed, nothing is fetched.
        task: a Hugging Face pipeline task.
        name: of the model in the repository; the bundle becomes its next version.
        repository: directory of bundles; made if it is not there.
        base: of an adapter, the directory of its base model, if the adapter does not name one that is here.
        aggregation: of token-classification, how tokens become entities: as transformers' strategy of that name;
            `simple` if none is given.
        threshold: the score that an object of object-detection must be above, or a segment of image-segmentation; if
            none is given, 0.5 and 0.9, as in transformers' pipeline.
        subtask: of image-segmentation by queries, what its segments are; `panoptic` if none is given.
        candidate_labels: of zero-shot-image-classification, the texts that images are compared with.
        hypothesis_template: what makes a sentence of each of these; "This is a photo of {}." if none is given.
        trust_pickle: read weights from a pickle of more than tensors, which can run any code of its maker.
        pairs: of text-classification, whether the model reads two texts, as those for inference, paraphrases or
            likeness do; data then have the columns `text` and `text_pair`. It reads one if nothing is said.
        no_answer: of question-answering and document-question-answering, whether a result may say that the context or
            the page holds no answer, as models for SQuAD 2 do; it may not if nothing is said.
        top_k: how many answers question-answering and document-question-answering list, or visual-question-answering,
            or tokens fill-mask for each mask; 1, 5 and 5, as in transformers' pipelines, if nothing is said.
        progress: called with what is being done, the steps done and the steps in all.
        settings: see `ExportSettings`.

    Raises:
        ExportError: see `tundish_exporters.exporting.export`.
    """
    options = ExportOptions.of(name, repository, settings)
    check_task(task)
    check_threshold(task, threshold)
    check_subtask(task, subtask)
    check_aggregation(task, aggregation)
    check_candidates(task, candidate_labels, hypothesis_template)
    check_choice("pairs", pairs, task, ("text-classification",))
    check_choice("no_answer", no_answer, task, _FINDING_ANSWERS)
    check_choice("top_k", top_k, task, (*_FINDING_ANSWERS, "visual-question-answering", "fill-mask"))
    check_top_k(top_k)
    check_directory(Path(directory), base)  # before the frameworks, which take seconds to load

    from tundish_exporters.exporting import export
    from tundish_exporters.sources.huggingface import load_source
    from tundish_exporters.sources.huggingface.source import Choices

    progress("load the source", 0, 1)
    given: dict[str, Any] = {
        "base": None if base is None else Path(base),
        "threshold": threshold,
        "subtask": subtask,
        "aggregation": aggregation,
        "candidate_labels": None if candidate_labels is None else tuple(candidate_labels),
        "hypothesis_template": hypothesis_template,
        "trust_pickle": trust_pickle,
        "pairs": pairs,
        "no_answer": no_answer,
        "top_k": top_k,
    }
    choices = Choices(**{name: value for name, value in given.items() if value is not None})
    source = load_source(Path(directory), task, choices)
    progress("load the source", 1, 1)
    return export(source, options, progress)


def export_module(
    module: torch.nn.Module | torch.export.ExportedProgram,
    example_inputs: Mapping[str, torch.Tensor],
    *,
    task: TaskName,
    preprocess: ImagePreprocess | TextPreprocess,
    postprocess: ClassificationPostprocess | PoolingPostprocess,
    name: str,
    repository: PathLike,
    tokenizer: PathLike | None = None,
    progress: Progress = silent,
    **settings: Unpack[ExportSettings],
) -> Exported:
    """Exports any `nn.Module`, or a program of `torch.export`, to a bundle in `repository`.

    Args:
        module: returns one tensor: logits `[batch, labels]`, or token vectors `[batch, tokens, dimensions]`. A softmax
            or sigmoid at its end is recognised, and not applied again.
        example_inputs: the module's arguments by name, a batch of any size. For images: `pixel_values
            [n, 3, height, width] float32`; for texts `input_ids`, `attention_mask` and `token_type_ids`
            `[n, tokens] int64`, as needed.
        task: what the module was trained for.
        preprocess: how an image or a text becomes the inputs, as in training.
        postprocess: how the output becomes a result.
        name: of the model in the repository; the bundle becomes its next version.
        repository: directory of bundles; made if it is not there.
        tokenizer: for texts, a file in the `tokenizers` library's JSON form.
        progress: called with what is being done, the steps done and the steps in all.
        settings: see `ExportSettings`.

    Raises:
        ExportError: see `tundish_exporters.exporting.export`.
    """
    from tundish_exporters.exporting import export
    from tundish_exporters.sources.module import ModuleSource

    options = ExportOptions.of(name, repository, settings)
    check_task(task)
    source = ModuleSource(
        module,
        example_inputs,
        task=task,
        preprocess=preprocess,
        postprocess=postprocess,
        tokenizer=None if tokenizer is None else Path(tokenizer),
    )
    return export(source, options, progress)


def export_onnx(
    model: PathLike,
    *,
    task: TaskName,
    name: str,
    repository: PathLike,
    hints: OnnxHints = OnnxHints(),  # noqa: B008  # immutable
    progress: Progress = silent,
    **settings: Unpack[ExportSettings],
) -> Exported:
    """Exports a ready ONNX file that reads images or texts to a bundle; needs no PyTorch.

    Args:
        model: the file; one input `[batch, 3, height, width]` or `[batch, height, width, 3] float32`. A classifier has
            an output with a score or logit for each label; the forms of detectors and segmenters stand in
            `tundish_exporters.sources.onnx_file.layouts` and `pixel_map`. A text detector gives a probability for each
            pixel, `[batch, 1, height, width]`, and a recogniser scores of characters, `[batch, steps, classes]`, as
            PP-OCR's do. A model of texts takes `input_ids`, `attention_mask` and `token_type_ids`
            `[batch, tokens] int64`, as needed. Weights may lie in files beside it.
        task: `image-classification`, `object-detection`, `image-segmentation`, `text-detection`, `text-recognition`,
            `text-classification`, `token-classification` or `feature-extraction`.
        name: of the model in the repository; the bundle becomes its next version.
        repository: directory of bundles; made if it is not there.
        hints: what the file does not say of itself.
        progress: called with what is being done, the steps done and the steps in all.
        settings: see `ExportSettings`.

    Raises:
        ExportError: see `tundish_exporters.exporting.export` and `load_onnx`.
    """
    options = ExportOptions.of(name, repository, settings)
    check_task(task)

    from tundish_exporters.exporting import export
    from tundish_exporters.sources.onnx_file import load_onnx

    progress("load the source", 0, 1)
    source = load_onnx(Path(model), task, hints)
    progress("load the source", 1, 1)
    return export(source, options, progress)
