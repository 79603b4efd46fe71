"""What answers show by themselves: form and facts are told apart without a word of the goal."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plain_engine import batch, measure
from tuneworthy.measure.signals import shape as signal_shape
from tuneworthy.model.base import Unknown
from tuneworthy.model.case import Materials
from tuneworthy.model.evidence import Evidence

N = 60
ASKED = [f"Question {n} about the plan of team {n % 7}?" for n in range(N)]


def found(**columns: Any) -> dict[str, Evidence]:
    """Measurements over traces, each a conversation of its own."""
    told = {"input": ASKED} | columns
    return {
        each.id: each
        for each in measure(signal_shape.ShapeSignal(), batch(**told)).evidence
    }


def value(told: dict[str, Evidence], name: str) -> float:
    measured = told[name].value
    assert isinstance(measured, float), (name, measured)
    return measured


FORMS: dict[str, tuple[list[str], str]] = {
    "labels": ([("billing", "Sales team", "other")[n % 3] for n in range(N)], "label"),
    "JSON": ([f'{{"n": {n}}}' for n in range(N)], "json"),
    "fenced": ([f"```json\n[{n}]\n```" for n in range(N)], "json"),
    "SQL": ([f"SELECT name FROM plans WHERE id = {n};" for n in range(N)], "sql"),
    "with": ([f"WITH a AS (SELECT {n}) SELECT * FROM a" for n in range(N)], "sql"),
}


@pytest.mark.parametrize("name", FORMS)
def test_answers_of_a_fixed_form_are_seen_as_such(name: str) -> None:
    answers, kind = FORMS[name]
    told = found(output=answers)
    assert value(told, "fixed_form_share") == 1.0
    assert told["fixed_form_share"].details == {kind: N}
    assert isinstance(told["own_facts_share"].value, Unknown)  # there is no prose


def test_calls_of_tools_are_a_fixed_form() -> None:
    told = found(output=[None] * N, tool_calls=[[("book", "{}")]] * N)
    assert told["fixed_form_share"].details == {"tool_call": N}


def test_short_answers_that_are_all_different_are_no_labels() -> None:
    told = found(output=[f"It is plan {n}" for n in range(N)])
    assert value(told, "fixed_form_share") == 0.0


def test_a_fact_is_what_nothing_that_was_given_holds() -> None:
    told = found(output=[f"It takes {1000 + n} days, says Maria." for n in range(N)])
    assert value(told, "own_facts_share") == 1.0
    told = found(output=[f"That is question {n} of team {n % 7}." for n in range(N)])
    assert value(told, "own_facts_share") == 0.0


@pytest.mark.parametrize("column", ["system", "contexts", "messages"])
def test_what_was_given_is_no_fact_of_the_answer(column: str) -> None:
    given = "It takes 14 days, Maria says."
    held: Any = {"system": given, "contexts": [given], "messages": [("user", given)]}[
        column
    ]
    told = found(output=["It takes 14 days as Maria said."] * N, **{column: [held] * N})
    assert value(told, "own_facts_share") == 0.0


def test_the_first_word_of_a_sentence_is_no_name() -> None:
    told = found(output=["Certainly. Take the left one.\nThen wait: Nothing else."] * N)
    assert value(told, "own_facts_share") == 0.0


def test_many_questions_to_few_answers() -> None:
    few = [
        f"Refunds of kind {n % 4} take some days to arrive in full." for n in range(N)
    ]
    assert value(found(output=few), "repeated_answer_share") == 1.0
    different = [f"Refund {n} takes some days to arrive in full." for n in range(N)]
    assert value(found(output=different), "repeated_answer_share") == 0.0
    one_talk = found(output=few, conversation=["one"] * N)
    assert isinstance(one_talk["repeated_answer_share"].value, Unknown)


def test_what_stands_in_a_passage_is_copied() -> None:
    passage = "The warranty lasts for two years and covers every part of the frame."
    told = found(output=["It lasts: the warranty lasts for two years and covers."] * N,
                 contexts=[[passage]] * N)  # fmt: skip
    assert value(told, "copied_share") == 1.0
    told = found(output=["Nobody can tell you that before the summer is over."] * N,
                 contexts=[[passage]] * N)  # fmt: skip
    assert value(told, "copied_share") == 0.0
    assert isinstance(found(output=["a b c d e f"] * N)["copied_share"].value, Unknown)


def test_refusals_and_errors_are_no_answers() -> None:
    refusal = "I'm sorry, I can't help with that."
    answers = [FORMS["JSON"][0][n] if n % 2 else refusal for n in range(N)]
    assert value(found(output=answers), "fixed_form_share") == 1.0
    errors = [None if n % 2 else "timeout" for n in range(N)]
    told = found(output=["prose that is no answer, " * 3] * N, error=errors)
    assert told["fixed_form_share"].n == N // 2


@given(st.lists(st.text(max_size=40), min_size=1, max_size=60), st.data())
def test_shares_are_shares_and_the_order_of_traces_moves_nothing(
    texts: list[str], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(texts))))
    columns: dict[str, list[Any]] = {
        "output": texts,
        "input": texts[::-1],
        "contexts": [[each] for each in texts],
    }
    told = found(**columns)
    again = found(
        **{name: [values[at] for at in order] for name, values in columns.items()}
    )
    for name, one in told.items():
        assert one.value == again[name].value
        assert isinstance(one.value, Unknown) or 0 <= one.value <= 1


# Lengths and languages.

SPOKEN = {
    "en": "My card was declined at the supermarket this morning.",
    "de": "Meine Karte wurde heute Morgen im Supermarkt abgelehnt.",
    "fr": "Ma carte a été refusée ce matin au supermarché.",
    "ja": "今朝スーパーでカードが使えませんでした。",
}


def texts(cases: Sequence[str] = (), **columns: Any) -> dict[str, Evidence]:
    found = measure(
        signal_shape.TextsSignal(Materials(asked=tuple(cases))), batch(**columns)
    )
    return {each.id: each for each in found.evidence}


def test_lengths_are_a_median_and_a_95th_percentile() -> None:
    told = texts(input=["x" * n for n in range(1, 202)], output=["four"] * 201)
    assert value(told, "question_characters") == 101
    assert told["question_characters"].details["p95"] == 191
    low, high = (
        told["question_characters"].details[f"p95_{end}"] for end in ("low", "high")
    )
    assert isinstance(low, float)
    assert isinstance(high, float)
    assert low < 191 < high
    assert value(told, "answer_characters") == 4


def test_languages_are_counted_and_what_is_short_or_code_is_unknown() -> None:
    asked = (
        [*SPOKEN.values()] * 10
        + [SPOKEN["en"]] * 20
        + ["hello", "x = f(12) + y[3]; return x"] * 5
    )
    told = texts(input=asked)["other_language_share"]
    assert told.details == {"en": 30, "de": 10, "fr": 10, "ja": 10, "unknown": 10}
    assert (told.value, told.n) == (0.5, 60)


def test_what_the_evaluation_set_lacks_of_what_is_asked_is_counted() -> None:
    asked = [SPOKEN["en"]] * 30 + [SPOKEN["de"]] * 20 + [SPOKEN["fr"]] * 10
    told = texts([SPOKEN["en"], SPOKEN["de"]], input=asked)
    gap, longer = told["evalset_language_gap"], told["evalset_length_gap"]
    assert gap.value == pytest.approx(1 / 6)
    assert gap.details == {"fr": 10}
    longest = max(len(SPOKEN[code]) for code in ("en", "de"))
    assert longer.value == pytest.approx((len(SPOKEN["fr"]) > longest) / 6)
    assert texts(asked, input=asked)["evalset_language_gap"].value == 0
    assert texts(["x" * 999], input=asked)["evalset_length_gap"].value == 0
    # which two may be in any language
    short = texts(["hello", "12", SPOKEN["de"]], input=asked)
    assert "evalset_language_gap" not in short
    late = [SPOKEN["en"]] * 1_000 + [SPOKEN["de"], SPOKEN["fr"]]
    assert texts(late, input=asked)["evalset_language_gap"].value == 0
    assert "evalset_length_gap" not in texts(input=asked)


def test_questions_too_short_to_tell_leave_their_language_unknown() -> None:
    told = texts(input=["hello", "\ud83d", "12", "ok"] * 30)["other_language_share"]
    assert isinstance(told.value, Unknown)
    assert "10 letters" in told.value.ask
    assert isinstance(
        texts(input=[*SPOKEN.values()])["other_language_share"].value, Unknown
    )
    silent = texts(output=["An answer without its question."] * 30)
    for name in ("question_characters", "other_language_share"):
        unasked = silent[name].value
        assert isinstance(unasked, Unknown)
        assert "log `input`" in unasked.ask


def test_turns_of_one_conversation_are_no_independent_questions() -> None:
    asked = [SPOKEN["en"], SPOKEN["de"]] * 60
    apart = texts(input=asked)["other_language_share"]
    talks = [f"c{row // 4 * 2 + row % 2}" for row in range(120)]  # each in one language
    together = texts(input=asked, conversation=talks)["other_language_share"]
    assert apart.value == together.value == 0.5
    assert apart.clusters == 2 * together.clusters == 120
    assert float(together.low or 0) < float(apart.low or 0)


def test_english_questions_of_others_are_in_no_other_language(shared: Path) -> None:
    with (shared / "real" / "banking77" / "test.csv").open(
        encoding="utf-8", newline=""
    ) as file:
        asked = [row["text"] for row in csv.DictReader(file)][::4]
    told = texts(input=asked)["other_language_share"]
    assert told.value == 0.0
    assert told.details.keys() == {"en", "unknown"}
