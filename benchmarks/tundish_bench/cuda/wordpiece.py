"""wordpiece from texts of the host to padded rows in the GPU's memory.

Not only the GPU is timed: each call puts its texts into the workspace, for which it waits until the copy of the call
before is done, and sends them over the bus. The copy that it stands beside does not leave the GPU's memory.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tundish_bench.cuda.gpu import STREAM, Gpu
from tundish_bench.cuda.timing import Case
from tundish_bench.errors import BenchmarkError
from tundish_kernels import WordPiece, cuda, pack, wordpiece

_VOCABULARY = 30000
"""Words; about as many as BERT's."""


def cases(gpu: Gpu, small: bool) -> Iterator[Case]:
    """Plain ASCII, a kilobyte a text; about every other word is a subword as it stands, the others are two or more."""
    yield _case(gpu, *((3, 10, 16) if small else (1024, 150, 256)))


def _case(gpu: Gpu, batch: int, words: int, length: int) -> Case:
    generator = np.random.default_rng(0)
    letters = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz", np.uint8)
    stems = [
        letters[generator.integers(0, 26, size)].tobytes().decode() for size in generator.integers(3, 9, _VOCABULARY)
    ]
    subwords = dict.fromkeys(["[UNK]", "[CLS]", "[SEP]", *stems, *(f"##{stem[:3]}" for stem in stems)])
    host = WordPiece(
        {subword: number for number, subword in enumerate(subwords)},
        single=((1, 0), ("A", 0), (2, 0)),
        pair=((1, 0), ("A", 0), (2, 0), ("B", 1), (2, 1)),
    )
    chosen = generator.integers(0, _VOCABULARY, (batch, words, 2))
    texts = [
        " ".join(stems[first] + (stems[second][:3] if first % 2 else "") for first, second in text)
        for text in chosen.tolist()
    ]
    text_bytes = sum(map(len, texts))
    rows, mask, types = (gpu.array(np.zeros((batch, length), np.int64)) for _ in range(3))
    lengths, truncated = gpu.array(np.zeros(batch, np.int32)), gpu.array(np.zeros(batch, np.bool_))
    tokenizer = cuda.WordPiece(gpu.device, host)
    workspace = cuda.Workspace(gpu.device, cuda.wordpiece_workspace_bytes(batch, text_bytes, length=length))
    destination = cuda.TokenBatch(rows, mask, types, lengths, truncated)

    def operator() -> int:
        return cuda.wordpiece_into(destination, tokenizer, texts, workspace=workspace, stream=STREAM)

    def check() -> None:
        if (left := operator()) != 0:
            raise BenchmarkError(f"wordpiece left {left} texts to the CPU.")
        made = wordpiece(host, texts, maximum_tokens=length)
        expected = pack(made.ids, made.starts, made.type_ids, length=length)
        for array, wanted in zip((rows, mask, types), expected, strict=True):
            if wanted is None or not np.array_equal(array.get(), wanted):
                raise BenchmarkError("wordpiece differs from the CPU form.")
        if not (
            np.array_equal(lengths.get(), np.diff(made.starts)) and np.array_equal(truncated.get(), made.truncated)
        ):
            raise BenchmarkError("wordpiece differs from the CPU form.")

    return Case(
        name=f"wordpiece {batch} x {text_bytes // batch} bytes to {length}",
        operator=operator,
        bytes_moved=text_bytes + 3 * rows.content.nbytes + lengths.content.nbytes + truncated.content.nbytes,
        check=check,
    )
