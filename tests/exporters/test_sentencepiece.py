"""Checkpoints whose tokenizer is a SentencePiece model and no more, as DeBERTa v3's and SigLIP's are."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sentencepiece
import transformers
from PIL import Image
from support.model_families import POSITIONS, save_family, save_towers

import tundish
from tundish.results import ImageClassification, TextClassification
from tundish.tasks.registry import load_task
from tundish_exporters import export_huggingface

hf: Any = transformers

SENTENCES = (
    "The tundish stands between the ladle and the moulds.",
    "Bearing seven runs hot again; please send someone before the night shift.",
    "Größe, façade, naïve: pressure below the limit.",
)
TEXTS = (*SENTENCES, "", "x", "A roller is worn, 12.5 mm (1.4301)!?", "漢字", "pressure falls " * 100)
PIECES = 56
SCORE_TOLERANCE = 1e-3


def write_pieces(path: Path, **marks: Any) -> Path:
    """A SentencePiece model of the sentences, with the marks at 0 to 3."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 20),
        model_writer=model,
        vocab_size=PIECES,
        pad_id=0,
        bos_id=1,
        eos_id=2,
        unk_id=3,
        minloglevel=2,
        **marks,
    )
    path.write_bytes(model.getvalue())
    return path


def test_tokens_and_answers_of_a_text_classifier_are_those_of_transformers(tmp_path: Path) -> None:
    config = hf.DebertaV2Config(
        vocab_size=PIECES + 2, max_position_embeddings=POSITIONS, type_vocab_size=0, relative_attention=True,
        pos_att_type=["p2c", "c2p"], position_biased_input=False, hidden_size=32, num_hidden_layers=1,
        num_attention_heads=2, intermediate_size=64, num_labels=3,
    )  # fmt: skip
    marks = {"pad_piece": "[PAD]", "bos_piece": "[CLS]", "eos_piece": "[SEP]", "unk_piece": "[UNK]"}
    # SentencePiece's own code makes these tokens; a bundle has those of the tokenizer that transformers makes of it.
    oracle = hf.DebertaV2Tokenizer(str(write_pieces(tmp_path / "spm.model", **marks)))
    source = save_family(tmp_path / "source", (hf.DebertaV2ForSequenceClassification(config), oracle))
    assert not (source / "tokenizer.json").exists()
    exported = export_huggingface(
        source, task="text-classification", name="model", repository=tmp_path / "models", precision="fp32"
    )

    task = load_task(exported.bundle.manifest, exported.bundle.directory)
    ask = hf.pipeline("text-classification", model=str(source))
    scores = []
    with tundish.open(tmp_path / "models", instances=1) as runtime:
        for text in TEXTS:
            tokens = task.collate([task.prepare(text.encode())])["input_ids"]
            assert tokens.tolist() == [oracle(text, truncation=True, max_length=POSITIONS)["input_ids"]], text
            result = runtime.predict("model", text=text).result
            assert isinstance(result, TextClassification)
            expected = ask(text, top_k=None, truncation=True, max_length=POSITIONS)
            wanted = {entry["label"]: entry["score"] for entry in expected}
            assert {label.name: label.score for label in result.labels} == pytest.approx(wanted, abs=SCORE_TOLERANCE)
            scores.append([wanted[label] for label in sorted(wanted)])
    assert np.ptp(np.array(scores), axis=0).max() > 10 * SCORE_TOLERANCE


def test_labels_are_read_by_a_tokenizer_that_has_no_fast_form(tmp_path: Path, photographs: list[Path]) -> None:
    source = save_towers(tmp_path / "source", "siglip")
    for path in source.glob("tokenizer*"):
        path.unlink()
    hf.SiglipTokenizer(str(write_pieces(tmp_path / "spiece.model"))).save_pretrained(source)
    labels = ("a crack", "a worn roller", "the night shift")
    export_huggingface(
        source, task="zero-shot-image-classification", name="model", repository=tmp_path / "models", precision="fp32",
        candidate_labels=labels,
    )  # fmt: skip
    expected = hf.pipeline("zero-shot-image-classification", model=str(source))(
        Image.open(photographs[0]), candidate_labels=list(labels)
    )
    with tundish.open(tmp_path / "models", instances=1) as runtime:
        result = runtime.predict("model", image=photographs[0]).result
    assert isinstance(result, ImageClassification)
    wanted = {entry["label"]: entry["score"] for entry in expected}
    assert {label.name: label.score for label in result.labels} == pytest.approx(wanted, abs=SCORE_TOLERANCE)
