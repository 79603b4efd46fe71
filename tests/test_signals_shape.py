"""What answers show by themselves: form and facts are told apart without a word of the goal."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from internals import Evidence, ShapeSignal, Unknown
from plain_engine import batch, measure

N = 60
ASKED = [f"Question {n} about the plan of team {n % 7}?" for n in range(N)]


def found(**columns: Any) -> dict[str, Evidence]:
    """Measurements over traces, each a conversation of its own."""
    told = {"input": ASKED} | columns
    return {each.id: each for each in measure(ShapeSignal(), batch(**told)).evidence}


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
    held: Any = {"system": given, "contexts": [given], "messages": [("user", given)]}[column]
    told = found(output=["It takes 14 days as Maria said."] * N, **{column: [held] * N})
    assert value(told, "own_facts_share") == 0.0


def test_the_first_word_of_a_sentence_is_no_name() -> None:
    told = found(output=["Certainly. Take the left one.\nThen wait: Nothing else."] * N)
    assert value(told, "own_facts_share") == 0.0


def test_many_questions_to_few_answers() -> None:
    few = [f"Refunds of kind {n % 4} take some days to arrive in full." for n in range(N)]
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
    again = found(**{name: [values[at] for at in order] for name, values in columns.items()})
    for name, one in told.items():
        assert one.value == again[name].value
        assert isinstance(one.value, Unknown) or 0 <= one.value <= 1
