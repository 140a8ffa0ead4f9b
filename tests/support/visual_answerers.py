"""A small ViLT that has learnt for a moment to answer questions about coloured squares, and pictures of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from PIL import Image

from support.model_families import Made

hf: Any = transformers

_COLORS = {"red": (220, 40, 40), "green": (40, 200, 60), "blue": (50, 60, 220)}
ANSWERS = (*_COLORS, "yes", "no", "nothing")
"""What the model knows; the last is never right."""
COLOR_QUESTION = "What colour is the square?"
SIZE_QUESTION = "Is it a large one?"

POSITIONS = 16
"""The most tokens of a question."""
_PATCH = 16
_SIDE = 64
_NOISE = 20
_STEPS = 70
_BATCH = 16


def vilt(words: Path, **settings: Any) -> Made:
    """Untrained, with the processors that a directory keeps: for images, and MiniLM's word pieces."""
    config = hf.ViltConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, vocab_size=30522,
        image_size=_SIDE, patch_size=_PATCH, max_position_embeddings=POSITIONS, initializer_range=0.2,
        id2label=dict(enumerate(ANSWERS)), label2id={name: index for index, name in enumerate(ANSWERS)},
        **{"max_image_length": -1, **settings},
    )  # fmt: skip
    model = hf.ViltForQuestionAnswering(config)
    with torch.no_grad():  # which begin as zeros
        model.vilt.embeddings.position_embeddings.normal_(0, 0.5)
        model.vilt.embeddings.cls_token.normal_(0, 0.5)
    images = hf.ViltImageProcessor(size={"shortest_edge": _SIDE}, size_divisor=_PATCH)
    tokenizer = hf.BertTokenizerFast(vocab_file=str(words / "vocab.txt"), tokenizer_file=str(words / "tokenizer.json"))
    return model, hf.ViltProcessor(images, tokenizer)


def save_visual_answerer(directory: Path, words: Path, **settings: Any) -> Path:
    """Untrained."""
    for part in vilt(words, **settings):
        part.save_pretrained(directory)
    return directory


def save_trained_visual_answerer(directory: Path, words: Path) -> Path:
    torch.manual_seed(5)
    model, processor = vilt(words)
    draw = np.random.default_rng(6)
    # The vectors of thirty thousand words stay as they were drawn: to move them all at each step is most of the work.
    model.get_input_embeddings().weight.requires_grad_(False)
    optimizer = torch.optim.AdamW([each for each in model.parameters() if each.requires_grad], lr=4e-3)
    model.train()
    for _ in range(_STEPS):
        asked = [_asked(draw, _SIDE, _SIDE) for _ in range(_BATCH)]
        pictures, questions, answers = zip(*asked, strict=True)
        inputs = processor(list(pictures), list(questions), padding=True, truncation=True, return_tensors="pt")
        labels = torch.nn.functional.one_hot(torch.tensor(list(map(ANSWERS.index, answers))), len(ANSWERS))
        optimizer.zero_grad()
        model(**inputs, labels=labels.float()).loss.backward()
        optimizer.step()
    model.eval()
    model.save_pretrained(directory)
    processor.save_pretrained(directory)
    return directory


def write_questions(directory: Path, count: int) -> Path:
    """A table with `image`, `question` and `label` beside pictures of several shapes that the model has not seen."""
    directory.mkdir(parents=True)
    draw = np.random.default_rng(7)
    rows = ["image,question,label"]
    for number in range(count):
        height, width = (int(side) for side in draw.integers(60, 180, 2))
        pixels, question, answer = _asked(draw, height, width)
        Image.fromarray(pixels).save(directory / f"{number}.png")
        rows.append(f"{number}.png,{question},{answer}")
    path = directory / "questions.csv"
    path.write_text("\n".join(rows))
    return path


def _asked(draw: np.random.Generator, height: int, width: int) -> tuple[NDArray[np.uint8], str, str]:
    """Pixels with a square, a question about it, and the answer."""
    name = str(draw.choice(list(_COLORS)))
    large = bool(draw.integers(2))
    side = int(min(height, width) * (draw.uniform(0.6, 0.8) if large else draw.uniform(0.2, 0.3)))
    y, x = int(draw.integers(0, height - side)), int(draw.integers(0, width - side))
    pixels = np.full((height, width, 3), 110.0)
    pixels[y : y + side, x : x + side] = _COLORS[name]
    pixels += draw.normal(0, _NOISE, pixels.shape)
    picture = np.clip(pixels, 0, 255).astype(np.uint8)
    if draw.integers(2):
        return picture, COLOR_QUESTION, name
    return picture, SIZE_QUESTION, "yes" if large else "no"
