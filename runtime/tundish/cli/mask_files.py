"""Writes the masks of answers as PNG files, for `tundish infer --save-masks`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import typer

from tundish.errors import InvalidInputError
from tundish.results import ImageSegmentation, Prediction


class MaskFiles:
    """A directory with a file for each segment of each image: `part-1-scratch.png` is of `part.jpg`."""

    def __init__(self, directory: Path, images: Sequence[Path]) -> None:
        """Makes the directory if it is not there.

        Raises:
            typer.BadParameter: two images would have files of the same names, or there is no image.
            InvalidInputError: the directory cannot be made.
        """
        if not images:
            raise typer.BadParameter("--save-masks is for --image; leave it out")
        stem, count = Counter(path.stem for path in images).most_common(1)[0]
        if count > 1:
            raise typer.BadParameter(f"{count} images are named '{stem}', and so would be their masks; ask one by one")
        self._directory = directory
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidInputError(f"Masks cannot be saved in {directory}: {error.strerror}.") from None

    def write(self, image: str, prediction: Prediction) -> None:
        """Writes the masks of one image, in the order of the answer, over files that are there.

        Raises:
            InvalidInputError: the answer has no masks, or a file cannot be written.
        """
        if not isinstance(prediction.result, ImageSegmentation):
            raise InvalidInputError(f"'{prediction.model}' answers no masks; leave --save-masks out.")
        for number, segment in enumerate(prediction.result.segments, start=1):
            label = re.sub(r"[^\w-]+", "-", segment.label)
            path = self._directory / f"{Path(image).stem}-{number}-{label}.png"
            try:
                path.write_bytes(segment.mask.to_png())
            except OSError as error:
                raise InvalidInputError(f"The mask {path} cannot be written: {error.strerror}.") from None
