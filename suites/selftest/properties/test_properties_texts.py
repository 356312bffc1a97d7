"""Any text gives the reference tokeniser's tokens, end of text in place; a caption that is no text is refused in a sentence."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st

from fixtures.datasets import load_dataset
from fixtures.errors import BadInput
from fixtures.models import Model
from suites.selftest.properties.settings import hold

START, END, LENGTH = 49406, 49407, 77
PIECES = [
    "",
    "a dog",
    "😀",
    "👩‍👩‍👧",
    "שלום",
    "مرحبا",
    "一只狗",
    "\0",
    "\u200f",
    "é",
    "&amp;",
    "\n\t ",
    "\ud800",
    "\udfff",
    "1/2",
    "'s",
]


def test_any_text(model: Model) -> None:
    """OpenAI's own tokeniser gives the same tokens, of empty texts, long ones, emoji, right-to-left, NUL, lone surrogates."""
    clip = pytest.importorskip("clip", reason="the reference tokeniser: pip install openai-clip 'setuptools<82'")

    def check(text: str) -> None:
        found = model.tokenize([text])
        assert found.shape == (1, LENGTH) and found.dtype == np.int64
        assert found[0, 0] == START and found[0].max() == END and (found[0, found[0].argmax() + 1 :] == 0).all()
        assert np.array_equal(found, clip.tokenize([text], truncate=True).numpy())

    pieces = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)
    hold(
        "any text", check, 300, text=st.one_of(st.text(max_size=300), pieces, pieces.map(lambda part: (part * 10_000)[:10_000]))
    )


def test_captions_are_read_or_refused(dataset: Path) -> None:
    """A caption is kept as it is, or the file and line are named: empty texts and lone surrogates cannot be captions."""

    def check(text: str) -> None:
        row = {"text": text, "images": ["scene_000.jpg"]}
        (dataset / "captions.jsonl").write_text(json.dumps(row), encoding="utf-8")
        try:
            assert load_dataset(dataset).queries[0].text == json.loads(json.dumps(text))  # which joins two halves of a pair
        except BadInput as error:
            assert "captions.jsonl:1" in str(error) and "expected" in str(error) and "\n" not in str(error)
            assert not text or any("\ud800" <= letter <= "\udfff" for letter in text)

    hold("any caption", check, 150, text=st.one_of(st.text(max_size=50), st.lists(st.sampled_from(PIECES)).map("".join)))
