"""Texts are cut into the pieces, and get the vectors, that wordllama gives them."""

from __future__ import annotations

import hashlib
import json
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworthy.text import embedding as text_embedding

PROJECT = Path(__file__).resolve().parents[2]
FOLDER = PROJECT / "src/tuneworthy/text/wordllama"
RECORDED = json.loads((PROJECT / "tests/fixtures/pieces.json").read_text("utf-8"))
LETTERS = "aAeEt \u2581\n\t<s>/unk0.ß中日🙂\u0301\x00"
TEXTS = st.text(LETTERS, max_size=80) | st.text(max_size=40)


@cache
def names() -> dict[int, str]:
    """What each piece is."""
    vocabulary = json.loads((FOLDER / "tokenizer.json").read_text("utf-8"))["model"][
        "vocab"
    ]
    return {number: name for name, number in vocabulary.items()}


def spelled(numbers: list[int]) -> str:
    """The text that pieces stand for, with the space in front of it."""
    data = b""
    for number in numbers:
        byte = re.fullmatch(r"<0x([0-9A-F]{2})>", names()[number])
        data += bytes.fromhex(byte[1]) if byte else names()[number].encode()
    return data.decode().replace("\u2581", " ")


def test_every_recorded_text_is_cut_as_the_tokenizer_cut_it() -> None:
    """What the tokenizer of wordllama gave, for texts that are hard to cut: ``tools/vendor.py``."""
    cut = text_embedding.tokenizer()
    assert len(RECORDED) > 200
    for text, wanted in RECORDED:
        assert cut.pieces(text) == wanted, text


def test_the_table_is_the_one_its_note_names() -> None:
    noted = re.findall(r"`([0-9a-f]{64})`", (FOLDER / "README.md").read_text("utf-8"))
    for name in ("vectors.npy", "steps.npy", "tokenizer.json"):
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() in noted
    assert "MIT" in (FOLDER / "LICENSE").read_text("utf-8")


@pytest.mark.slow
@given(TEXTS.filter(lambda text: "<" not in text))
def test_the_pieces_of_a_text_spell_it(text: str) -> None:
    expected = " " + text.replace("\u2581", " ") if text else ""
    assert spelled(text_embedding.tokenizer().pieces(text)) == expected


@given(st.lists(TEXTS, max_size=4))
def test_what_was_cut_before_changes_nothing(texts: list[str]) -> None:
    first = [text_embedding.tokenizer().pieces(text) for text in texts]
    assert [
        text_embedding.tokenizer().pieces(text) for text in reversed(texts)
    ] == first[::-1]


@given(st.lists(st.text(st.characters(codec=None), max_size=40), max_size=4))
def test_any_texts_have_unit_vectors(texts: list[str]) -> None:
    vectors = text_embedding.embed(texts)
    assert vectors.shape == (len(texts), 256)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_a_vector_is_the_mean_of_those_of_the_pieces() -> None:
    steps = np.load(FOLDER / "steps.npy").astype(np.float32)
    table = np.load(FOLDER / "vectors.npy") * steps[:, np.newaxis]
    text = "Where is my card?"
    (vector,) = text_embedding.mean_vectors([text])
    assert np.array_equal(
        vector, table[text_embedding.tokenizer().pieces(text)].mean(axis=0)
    )
    assert not text_embedding.mean_vectors([""]).any()


def test_alike_questions_are_near_and_others_are_not() -> None:
    card, lost, weather = text_embedding.embed(
        ["My card has not arrived", "my card hasn't come yet", "Will it rain tomorrow?"]
    )
    assert card @ lost > 0.6 > card @ weather


def test_a_long_text_without_a_space_is_cut_in_no_time() -> None:
    assert len(text_embedding.tokenizer().pieces("ab" * 50_000)) > 10_000
