"""A recipe that is known to destroy a network does not get past the gate."""

from __future__ import annotations

from pathlib import Path

import pytest

from tundish_exporters import export_huggingface, shortlist
from tundish_exporters.quantize.static import StaticRecipe

SUBJECTS = ("A dull sequel", "Her performance", "This remake")
VERDICTS = ("bored me to tears.", "is a small wonder.", "is what everybody talks about.", "was better on the page.")


def test_a_transformer_whose_every_operator_is_static_int8_is_refused(
    tmp_path: Path, minilm_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shortlist, "recipes_for", lambda *_, **__: [StaticRecipe(operators="all")])
    texts = tmp_path / "texts.txt"
    texts.write_text("\n".join(f"{subject} {verdict}" for subject in SUBJECTS for verdict in VERDICTS))
    exported = export_huggingface(
        minilm_directory, task="feature-extraction", name="vectors", repository=tmp_path / "models", calibration=texts
    )
    floating, quantised = exported.bundle.manifest.variants
    assert floating.gate.passed
    assert not quantised.gate.passed
    assert quantised.accuracy is not None
    assert quantised.accuracy.metric == "cosine"
    assert quantised.accuracy.value < 0.9
