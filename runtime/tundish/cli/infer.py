"""`tundish infer`: asks a running server."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape

from tundish.cli.mask_files import MaskFiles
from tundish.cli.rendering import prediction_json, prediction_table, ranking_table, tensors_table
from tundish.client import Client
from tundish.errors import InvalidInputError, TundishError
from tundish.inputs import Inputs, read_list
from tundish.results import Prediction, TextRanking


def infer(
    model: Annotated[str, typer.Argument(help="Name of the model; NAME.engine for --tensors to its bare engine.")],
    image: Annotated[list[Path] | None, typer.Option(help="Image file; may be given several times.")] = None,
    text: Annotated[list[str] | None, typer.Option(help="Text; may be given several times.")] = None,
    text_pair: Annotated[list[str] | None, typer.Option(help="Second text, of a model that compares two.")] = None,
    question: Annotated[list[str] | None, typer.Option(help="Question to a context, an image or a page.")] = None,
    context: Annotated[list[str] | None, typer.Option(help="Text that holds the answer.")] = None,
    query: Annotated[list[str] | None, typer.Option(help="What to rank texts by.")] = None,
    page: Annotated[list[Path] | None, typer.Option(help="JSON file with a page's words and their places.")] = None,
    candidate_labels: Annotated[
        list[str] | None, typer.Option(help="What to compare an image with; commas between.")
    ] = None,
    prompt: Annotated[
        list[str] | None,
        typer.Option(help="What to segment: a point 'x,y', a box 'left,top,right,bottom', or JSON; several times."),
    ] = None,
    tensors: Annotated[Path | None, typer.Option(help=".npz file with one array for each input.")] = None,
    url: Annotated[str, typer.Option(help="Address of the server.")] = "127.0.0.1:8001",
    version: Annotated[int | None, typer.Option(help="Version of the model; the default is the highest.")] = None,
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds after which an answer is of no use.")] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, for programs.")] = False,
    save_masks: Annotated[
        Path | None, typer.Option(help="Directory for the masks of segments, a PNG file each; made if it is not there.")
    ] = None,
) -> None:
    """Ask MODEL of a running server about images, texts or tensors, and show its answers.

    Of a model that reads several things, give each as often, or once for all.
    """
    given: dict[str, Sequence[Any] | None] = {
        "image": image,
        "text": text,
        "text_pair": text_pair,
        "question": question,
        "context": context,
        "query": query,
        "page": page,
        "candidate_labels": None if candidate_labels is None else [read_list(each) for each in candidate_labels],
        "prompts": None if prompt is None else [[_prompt(each) for each in prompt]],
    }
    items = _items({name: values for name, values in given.items() if values})
    if bool(items) == bool(tensors):
        raise typer.BadParameter("give --tensors, or what the model reads, such as --image or --text")
    masks = None if save_masks is None else MaskFiles(save_masks, image or ())
    console = Console(highlight=False)
    with Client(url, timeout=timeout) as client:
        if tensors:
            outputs = client.infer(model, _read_tensors(tensors), version=version)
            if as_json:
                print(json.dumps({name: _jsonable(array) for name, array in outputs.items()}))
            else:
                console.print(tensors_table(outputs))
            return
        failed = False
        ranked: dict[str, list[tuple[str, TextRanking]]] = {}
        for item, outcome in _predict(client, model, items, version, timeout):
            name = " | ".join(map(_shown, item.values()))
            failed |= isinstance(outcome, TundishError)
            if masks is not None and isinstance(outcome, Prediction):
                masks.write(str(item["image"]), outcome)
            if as_json:
                print(json.dumps(prediction_json(name, outcome)))
            elif isinstance(outcome, TundishError):
                console.print(f"[bold]{escape(name)}[/]: [red]error:[/] {escape(str(outcome))}", soft_wrap=True)
            elif isinstance(outcome.result, TextRanking):
                ranked.setdefault(item["query"], []).append((item["text"], outcome.result))
            else:
                console.print(prediction_table(name, outcome))
        for asked, scored in ranked.items():
            console.print(ranking_table(asked, scored))
    if failed:
        raise typer.Exit(1)


def _items(given: Mapping[str, Sequence[Any]]) -> list[Inputs]:
    """What is asked about; a part that is given once goes with each of the others."""
    count = max(map(len, given.values()), default=0)
    if odd := [name for name, values in given.items() if len(values) not in (1, count)]:
        flag = f"--{odd[0].replace('_', '-')}"
        raise typer.BadParameter(f"{flag} is given {len(given[odd[0]])} times; give it once, or {count} times")
    columns = [itertools.repeat(values[0], count) if len(values) == 1 else values for values in given.values()]
    return [cast("Inputs", dict(zip(given, row, strict=True))) for row in zip(*columns, strict=True)]


def _predict(
    client: Client, model: str, items: list[Inputs], version: int | None, timeout: float
) -> Iterator[tuple[Inputs, Prediction | TundishError]]:
    outcomes = client.predict_stream(model, items, version=version, timeout=timeout)
    # Not strict: an unreadable file ends the stream early, and says so itself.
    yield from zip(items, outcomes, strict=False)
    yield from ((items[-1], outcome) for outcome in outcomes)


def _prompt(text: str) -> str:
    """A prompt as JSON, of the coordinates of a point or a box."""
    numbers = read_list(text)
    if text.lstrip().startswith("{"):
        return text
    try:
        coordinates = [float(number) for number in numbers]
        if len(coordinates) not in (2, 4):
            raise ValueError(coordinates)
    except ValueError:
        raise typer.BadParameter(f"--prompt takes 'x,y', 'left,top,right,bottom' or JSON, not '{text}'") from None
    return json.dumps({"points": [coordinates]} if len(coordinates) == 2 else {"box": coordinates})


def _shown(part: object) -> str:
    return ", ".join(map(str, part)) if isinstance(part, list) else str(part)


def _read_tensors(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, AttributeError) as error:
        raise InvalidInputError(f"{path} is not an .npz file of plain arrays: {error}") from None


def _jsonable(array: NDArray[Any]) -> Any:
    if array.dtype == np.object_:
        return np.vectorize(lambda element: element.decode(errors="replace"), otypes=[object])(array).tolist()
    return array.tolist()
