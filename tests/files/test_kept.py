"""What is kept in the cache folder is a help: nothing that is measured hangs on it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tuneworthy.measure import sample as measure_sample
from tuneworthy.text import kept as text_kept
from tuneworthy.text import search as text_search

PATTERNS = {
    "mail": text_search.Pattern(r"[a-z]+@[a-z]+\.com"),
    "number": text_search.Pattern(r"\b\d{4}\b"),
}
TEXTS = ["write to anna@example.com", "in 2026", None, "nothing", "ß 1234 b@c.com"]
ENOUGH = ["x" * 200_000]  # to compile patterns for

QUESTIONS = ["Wie bekomme ich mein Geld zurück?", "Where is my parcel, please?"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder with nothing in it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "tuneworthy"


def found_by_a_new_searcher(*, after_much: bool) -> dict[str, list[bool]]:
    """What shipped patterns find in a few texts, alone or behind a long one."""
    searcher = text_search.Searcher(PATTERNS, shipped=True)
    if after_much:
        searcher.rows(ENOUGH)
    return {name: rows.tolist() for name, rows in searcher.rows(TEXTS).items()}


def test_kept_patterns_find_what_new_ones_find(folder: Path) -> None:
    new = found_by_a_new_searcher(after_much=False)
    assert len([*folder.glob("patterns-*")]) == 1
    assert found_by_a_new_searcher(after_much=True) == new


@pytest.mark.parametrize("content", [b"", b"\0" * 1000, b"not a database"])
def test_damaged_patterns_are_compiled_again(folder: Path, content: bytes) -> None:
    before = found_by_a_new_searcher(after_much=True)
    (kept,) = folder.glob("patterns-*")
    kept.write_bytes(content)
    assert found_by_a_new_searcher(after_much=True) == before
    assert kept.stat().st_size > len(content)


def test_half_a_file_of_patterns_is_none(folder: Path) -> None:
    before = found_by_a_new_searcher(after_much=True)
    (kept,) = folder.glob("patterns-*")
    kept.write_bytes(kept.read_bytes()[: kept.stat().st_size // 2])
    assert found_by_a_new_searcher(after_much=False) == before


def test_only_so_many_are_kept_and_the_newest_stays(folder: Path) -> None:
    for number in range(5):
        text_kept.keep("sheet", str(number), b"%d" % number, most=2)
        os.utime(folder / f"sheet-{number}", (number, number))
    assert len([*folder.iterdir()]) == 2
    kept = text_kept.open_kept("sheet", "4")
    assert kept is not None
    with kept:
        assert kept.read() == b"4"


def test_a_file_that_others_may_write_counts_as_nothing(folder: Path) -> None:
    text_kept.keep("sheet", "1", b"1")
    (folder / "sheet-1").chmod(0o666)
    assert text_kept.open_kept("sheet", "1") is None


def test_a_folder_that_nobody_can_write_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "a file"
    place.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(place))
    assert found_by_a_new_searcher(after_much=True) == found_by_a_new_searcher(
        after_much=False
    )


def test_two_lists_of_parts_have_one_key_only_if_they_are_one() -> None:
    assert text_kept.key_of([b"ab", b"c"]) == text_kept.key_of([b"ab", b"c"])
    assert text_kept.key_of([b"ab", b"c"]) != text_kept.key_of([b"a", b"bc"])


@pytest.mark.slow
def test_a_kept_model_of_languages_says_what_the_packed_one_says(folder: Path) -> None:
    answers = []
    for content in (None, None, b"PK\x03\x04 torn"):
        measure_sample._language_model.cache_clear()
        if content is not None:
            (kept,) = folder.glob("languages-*")
            kept.write_bytes(content)
        answers.append(measure_sample.languages(QUESTIONS))
    measure_sample._language_model.cache_clear()
    assert answers == [["de", "en"]] * 3
    assert (next(folder.glob("languages-*"))).stat().st_size > 1_000_000


@pytest.mark.slow
def test_the_model_of_languages_is_kept_once_for_all_environments(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from py3langid import langid

    packed = Path(langid.MODEL_DIR) / langid.MODEL_FILE
    kept = []
    for name in ("first", "second"):
        copy = tmp_path / name / langid.MODEL_FILE
        copy.parent.mkdir(parents=True)
        shutil.copy(packed, copy)
        monkeypatch.setattr(langid, "MODEL_DIR", tmp_path / name)
        measure_sample._language_model.cache_clear()
        assert measure_sample.languages(QUESTIONS) == ["de", "en"]
        kept.append([*folder.glob("languages-*")])
    measure_sample._language_model.cache_clear()
    assert kept[0] == kept[1]
    assert len(kept[0]) == 1
