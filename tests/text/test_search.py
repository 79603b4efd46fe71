"""Many patterns in many texts: what is found is what one text by itself says."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneworthy.model import base as model_base
from tuneworthy.text import search as text_search

LETTERS = "aAbB1 -.+\n_éÉäÄßs日本\u0301\xa0\ud800x"
TEXTS = st.lists(st.none() | st.text(LETTERS, max_size=30), max_size=8)
LITERALS = st.text("aAbB1 -+éÄß日s", min_size=1, max_size=5).filter(
    lambda text: text.strip()
)
LITERAL = st.builds(
    text_search.Pattern, LITERALS, st.just(True), st.booleans(), st.booleans()
)
EXPRESSIONS = (
    r"a\d",
    r"\ba+b\b",
    r"[^a]b",
    r"a.b",
    r"(?:ab|ä)1?",
    r"a\s\w",
    r"\Wx",
    r"(a)(b)",
    r"[ab]{2,3}-",
    r"a\Bb",
)
EXPRESSION = st.builds(
    text_search.Pattern,
    st.sampled_from(EXPRESSIONS),
    st.just(False),
    st.just(False),
    st.booleans(),
)
PATTERNS = st.lists(LITERAL | EXPRESSION, min_size=1, max_size=6)


def found(pattern: text_search.Pattern, *texts: str | None) -> list[bool]:
    """Which texts a pattern is found in; a literal is looked for in each by itself, too."""
    rows = list(text_search.Searcher({"it": pattern}).rows(texts)["it"].tolist())
    if pattern.literal:
        needle = text_search.make("it", pattern)
        assert rows == [
            text is not None and text_search.is_in(needle, text) for text in texts
        ]
    return rows


def literal(
    text: str, *, word: bool = False, caseless: bool = False
) -> text_search.Pattern:
    return text_search.Pattern(text, literal=True, word=word, caseless=caseless)


@given(LITERAL, TEXTS)
def test_a_literal_is_found_in_a_batch_where_it_is_found_in_one_text(
    pattern: text_search.Pattern, texts: list[str | None]
) -> None:
    assert len(found(pattern, *texts)) == len(texts)


@given(PATTERNS, TEXTS)
def test_a_text_is_found_whatever_stands_beside_it(
    patterns: list[text_search.Pattern], texts: list[str | None]
) -> None:
    searcher = text_search.Searcher(
        {str(at): pattern for at, pattern in enumerate(patterns)}
    )
    together = searcher.rows(texts)
    for row, text in enumerate(texts):
        alone = searcher.rows([text])
        assert {name: bool(hits[row]) for name, hits in together.items()} == {
            name: bool(hits[0]) for name, hits in alone.items()
        }


@given(PATTERNS, TEXTS)
def test_shipped_patterns_are_found_alike_before_and_after_they_are_compiled(
    patterns: list[text_search.Pattern], texts: list[str | None]
) -> None:
    named = {str(at): pattern for at, pattern in enumerate(patterns)}
    compiled = text_search.Searcher(named).rows(texts)
    alone = text_search.Searcher(named, shipped=True).rows(texts)
    assert {name: hits.tolist() for name, hits in compiled.items()} == {
        name: hits.tolist() for name, hits in alone.items()
    }


def test_half_of_a_surrogate_pair_beside_a_word_is_no_letter() -> None:
    for half in ("\ud800", "\udfff"):
        assert (
            found(literal("é", word=True), f"{half}é", f"é{half}", f"a{half}é")
            == [True] * 3
        )
        assert found(literal("é", word=True), f"{half}aé", f"éa{half}") == [False] * 2


def test_a_list_that_was_searched_is_known_again_only_as_the_same_list() -> None:
    searcher = text_search.Searcher({"it": literal("a")})
    lists: list[list[str | None]] = [
        ["a", "b"],
        ["b", "a"],
        [None, "a"],
        ["b", "b"],
        ["a", "a"],
        ["a", "b"],
    ]
    expected = [[text == "a" for text in texts] for texts in lists]
    for _ in range(2):
        assert [searcher.rows(texts)["it"].tolist() for texts in lists] == expected
    assert text_search.Searcher({"it": literal("b")}).rows(lists[0])["it"].tolist() == [
        False,
        True,
    ]


@given(EXPRESSION, TEXTS)
def test_an_expression_is_found_where_re_finds_it_in_the_bytes(
    pattern: text_search.Pattern, texts: list[str | None]
) -> None:
    expression = re.compile(
        pattern.text.replace("ä", "(?:ä|Ä)" if pattern.caseless else "(?:ä)").encode(),
        re.IGNORECASE if pattern.caseless else 0,
    )
    expected = [
        text is not None and bool(expression.search(model_base.as_bytes(text)))
        for text in texts
    ]
    assert found(pattern, *texts) == expected


@given(st.text("abé", min_size=1, max_size=3), TEXTS)
def test_a_plain_literal_is_found_where_it_is_contained(
    needle: str, texts: list[str | None]
) -> None:
    accents = needle.replace("é", "e\u0301")
    expected = [
        text is not None and (needle in text or accents in text) for text in texts
    ]
    assert found(literal(needle), *texts) == expected


def test_a_whole_word_is_touched_by_no_letter_of_any_alphabet() -> None:
    texts = (
        "art",
        "the art.",
        "party",
        "éart",
        "arté",
        "art\u0301",
        "“art”",
        "art_",
        "4art",
        "жart",
    )
    expected = [True, True, False, False, False, False, True, False, False, False]
    assert found(literal("art", word=True), *texts) == expected


def test_a_word_that_ends_in_a_sign_may_be_followed_by_anything() -> None:
    assert found(literal("C++", word=True), "C++", "C++11", "xC++") == [
        True,
        True,
        False,
    ]


def test_scripts_that_set_no_spaces_have_no_edges() -> None:
    assert found(literal("日本", word=True), "我日本人", "日 本") == [True, False]


def test_capitals_count_as_small_letters_in_every_alphabet() -> None:
    texts = ("ÄRGER", "ärger", "Ärger", "A\u0308rger", "arger")
    assert found(literal("Ärger", caseless=True), *texts) == [
        True,
        True,
        True,
        True,
        False,
    ]
    assert found(literal("Ärger"), *texts) == [False, False, True, True, False]
    assert found(literal("straße", caseless=True), "STRASSE", "STRAẞE") == [True, True]


def test_a_space_in_a_literal_is_any_short_run_of_spaces() -> None:
    texts = (
        "data base",
        "data \n base",
        "data\xa0base",
        "database",
        "data" + " " * 5 + "base",
    )
    assert found(literal("data base"), *texts) == [True, True, True, False, False]


def test_no_match_goes_from_one_text_into_the_next() -> None:
    assert found(text_search.Pattern("a[^x]b"), "a", "b") == [False, False]
    assert found(text_search.Pattern("a.{1,3}b"), "a", "", "b") == [False, False, False]
    assert found(literal("ab"), "a", "b") == [False, False]


def test_none_and_the_empty_text_hold_nothing_and_no_texts_give_nothing() -> None:
    assert found(literal("a"), None, "", "a") == [False, False, True]
    assert found(literal("a")) == []
    assert text_search.Searcher({}).rows(["a"]) == {}


def test_a_long_batch_is_gone_through_in_several_passes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tuneworthy.text.search._PASS_BYTES", 10)
    texts = ("x" * 30, "a", "b" * 9 + "a", "c", None, "aaaa")
    assert found(literal("a"), *texts) == [False, True, True, False, False, True]


def test_more_hits_than_may_be_kept_change_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tuneworthy.text.search._RESOLVE_AT", 3)
    assert found(literal("a"), "aaaaaaa", "b", "aaaa") == [True, False, True]


@pytest.mark.slow
def test_hundreds_of_terms_are_told_apart() -> None:
    terms = {f"{at}": literal(f"term{at}x", word=True) for at in range(300)}
    rows = text_search.Searcher(terms).rows(["term7x and term299x", "term70"])
    assert [name for name, hits in rows.items() if hits[0]] == ["7", "299"]
    assert not any(hits[1] for hits in rows.values())


@pytest.mark.parametrize(
    "text",
    ["^a", "a$", "(?=a)b", r"(a)\1", "a*", "[ä]", "(", r"\Aa", "(?<!a)b"],
)
def test_what_not_both_hyperscan_and_re_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="pattern it"):
        text_search.Searcher({"it": text_search.Pattern(text)})


def test_a_literal_without_a_character_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to look for"):
        text_search.Searcher({"it": literal("  ")})
