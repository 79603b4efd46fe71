"""Laws of the terms signal: when a term is due, and when a word is wrong for it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plain_engine import batch, measure
from planted import faults
from tuneworthy.measure.signals.terms import TermsSignal as Terms
from tuneworthy.model.base import Unknown
from tuneworthy.model.case import Materials, Term
from tuneworthy.model.evidence import COLUMNS, Batch, Evidence
from worlds_outputs import WORLDS, glossary

LIST = Term(term="task list", forbidden=("task", "to-do"), due_when=("backlog",))
SAYS = "Always say task list."


def found(terms: tuple[Term, ...] | None, **columns: Any) -> Evidence:
    """What the signal says about traces, each a conversation of its own."""
    return measure(Terms(Materials(glossary=terms)), batch(**columns)).evidence[0]


def share_of(
    terms: tuple[Term, ...], outputs: list[str | None], **columns: Any
) -> float:
    """The share, for outputs that are repeated until there are enough of them."""
    columns = {name: values * 20 for name, values in columns.items()}
    columns.setdefault(
        "system", [" ".join(term.term for term in terms)] * 20 * len(outputs)
    )
    told = found(terms, output=outputs * 20, **columns)
    assert isinstance(told.value, float), told.value
    return told.value


def ask(told: Evidence) -> str:
    """What would settle an unknown value."""
    assert isinstance(told.value, Unknown)
    return told.value.ask


def test_the_share_is_of_outputs_in_which_the_term_is_due() -> None:
    """Due in four of five: said right, said wrong, asked for by a word of the input, and both."""
    told = found(
        (LIST,),
        output=[
            "Your task list.",
            "Your to-do.",
            "Here.",
            "The to-do task list.",
            "Hi.",
        ]
        * 20,
        input=["", "", "My backlog?", "", "Hi"] * 20,
        system=[SAYS] * 100,
    )
    assert (told.id, told.value, told.n, told.clusters) == (
        "forbidden_term_share",
        0.5,
        80,
        80,
    )
    assert told.examples == ('"to-do" for "task list" (40 in the sample)',)
    assert told.factor == "terminology_errors"


@pytest.mark.parametrize(
    ("output", "wrong"),
    [
        ("Your task.", 1),
        ("Your TASK", 1),
        ("Your task list.", 0),
        ("Your Task\n List.", 0),
        ("The task list holds a task.", 1),
        ("A task and a task list.", 1),
        ("Multitasking on the task list.", 0),
        ("The tasks of the task list.", 0),
        ("task_id of the task list", 0),
        ("The task-list is a task list.", 1),  # another spelling is not the term
    ],
)
def test_a_wrong_word_counts_as_a_whole_word_outside_the_right_term(
    output: str, wrong: int
) -> None:
    assert share_of((LIST,), [output, "the task list"]) == wrong / 2


def test_a_wrong_word_inside_the_right_word_of_another_term_does_not_count() -> None:
    terms = (Term(term="member", forbidden=("account",)), Term(term="account manager"))
    assert share_of(terms, ["Ask your account manager, member."]) == 0
    assert share_of(terms, ["Ask your account manager about the account."]) == 1


def test_capitals_matter_only_where_the_glossary_says_so() -> None:
    strict = Term(term="Hub", forbidden=("hub",), case_sensitive=True)
    assert share_of((strict,), ["The Hub.", "The hub."]) == 0.5
    loose = Term(term="Straße", forbidden=("ÉCOLE",))
    assert share_of((loose,), ["STRASSE Straße", "l'école", "STRAẞE"]) == pytest.approx(
        1 / 3
    )


@pytest.mark.parametrize("alphabet", ["клиент", "πελάτης", "客户", "müşteri"])
def test_words_of_any_alphabet_are_found(alphabet: str) -> None:
    terms = (Term(term="member", forbidden=(alphabet,)),)
    assert share_of(terms, [f"«{alphabet}».", "member"]) == 0.5


def test_a_word_with_signs_at_its_edges_is_found_whole() -> None:
    terms = (Term(term="C#", forbidden=("C++", ".NET")),)
    assert share_of(terms, ["in C++.", "in .NET", "C#", "a C+ or NET"]) == 2 / 3


def test_where_the_prompt_does_not_say_it_right_it_is_the_prompt_that_needs_work() -> (
    None
):
    told = found(
        (LIST,), output=["Your task."] * 30, system=["Be kind to the multitasker."] * 30
    )
    assert ask(told).startswith("say it right in the prompt first")
    assert told.details["due_but_not_in_prompt"] == 30
    assert told.details["wrong_but_not_in_prompt_share"] == 1


def test_traces_whose_prompt_holds_the_term_are_told_from_others() -> None:
    told = found(
        (LIST,),
        output=["Your task."] * 30 + ["Your task list."] * 30,
        system=[None] * 10 + ["Hello."] * 10 + [SAYS] * 40,
    )
    assert (told.value, told.n) == (0.25, 40)
    assert told.details["due_but_not_in_prompt"] == 20


def test_two_terms_in_one_output_count_once_and_each_by_its_own_prompt() -> None:
    terms = (LIST, Term(term="member", forbidden=("client",)))
    told = measure(
        Terms(Materials(glossary=terms)),
        batch(
            output=["A task of a client."] * 40, system=[SAYS] * 20 + ["member"] * 20
        ),
    )
    assert (told.evidence[0].value, told.evidence[0].n) == (1, 40)
    assert told.evidence[0].examples == (
        '"task" for "task list" (40 in the sample)',
        '"client" for "member" (40 in the sample)',
    )


def test_a_user_who_says_the_wrong_word_makes_the_term_due_and_no_fault() -> None:
    told = found(
        (LIST,), output=["Sure."] * 30, input=["My task?"] * 30, system=[SAYS] * 30
    )
    assert (told.value, told.n) == (0, 30)


def test_errors_and_missing_outputs_are_not_counted() -> None:
    told = found(
        (LIST,),
        output=["task list"] * 30 + ["task"] * 10 + [None] * 5,
        system=[SAYS] * 45,
        input=["My backlog?"] * 45,
        error=[None] * 30 + ["timeout"] * 10 + [None] * 5,
    )
    assert (told.value, told.n) == (0, 30)


@pytest.mark.parametrize(
    ("terms", "columns", "says"),
    [
        (None, {"output": ["a"] * 30, "system": [SAYS] * 30}, "data.glossary"),
        ((), {"output": ["a"] * 30, "system": [SAYS] * 30}, "data.glossary"),
        ((LIST,), {"output": ["a"] * 30, "system": [SAYS] * 30}, "none is"),
        ((LIST,), {"output": ["task"] * 30}, "field system"),
        ((LIST,), {"output": ["task"] * 19, "system": [SAYS] * 19}, "20 conversations"),
    ],
)
def test_what_is_missing_is_named(
    terms: tuple[Term, ...] | None, columns: dict[str, Any], says: str
) -> None:
    assert says in ask(found(terms, **columns))


@pytest.mark.slow
def test_a_long_glossary_is_looked_for_whole() -> None:
    terms = tuple(Term(term=f"right{n}", forbidden=(f"wrong{n}",)) for n in range(130))
    outputs: list[str | None] = [f"wrong{n}" for n in range(130)]
    assert share_of(terms, outputs) == 1
    told = found(
        terms, output=outputs, system=[" ".join(t.term for t in terms[:65])] * 130
    )
    assert (told.value, told.n, told.details["due_but_not_in_prompt"]) == (1, 65, 65)


def test_blank_words_and_strange_ones_are_harmless() -> None:
    terms = (
        Term(term=" ", forbidden=("x",)),
        Term(term="(a|b)*", forbidden=(" ", "\\", "[", "a{9999}"), due_when=("\t",)),
    )
    told = found(terms, output=["(a|b)* and a{9999}"] * 30, system=["(a|b)*"] * 30)
    assert (told.value, told.n) == (1, 30)


@pytest.mark.slow
@given(st.lists(st.integers(1, 60), max_size=5), st.integers(0, 9))
def test_batches_may_be_cut_anywhere(cuts: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    whole, signal = glossary(rng, faults(rng, 0.2, conversations=30, turns=2))
    ends = sorted({0, *cuts, len(whole)})
    parts = [
        Batch(**{name: getattr(whole, name)[a:b] for name in COLUMNS})
        for a, b in pairwise(ends)
    ]
    assert measure(signal, whole) == measure(signal, *parts)


@given(
    st.lists(st.text(alphabet="task lisTABC-\n", max_size=30), min_size=1, max_size=12)
)
def test_wrong_words_are_those_that_a_plain_reading_finds(outputs: list[str]) -> None:
    """By hand: split into words, walk over them, skip the right term, look for the wrong one."""
    term = Term(term="task list", forbidden=("task",))
    signal = Terms(Materials(glossary=(term,)))
    flags = signal.rows(batch(output=outputs))["wrong_0"]
    for text, flag in zip(outputs, flags, strict=True):
        assert bool(flag) == _plainly_wrong(text), text


def _plainly_wrong(text: str) -> bool:
    words: list[str] = []
    for letter in text.casefold():
        if letter.isalnum():
            if not words or not words[-1].isalnum():
                words.append("")
            words[-1] += letter
        elif words and words[-1].isspace() and letter.isspace():
            words[-1] += letter
        else:
            words.append(letter)
    place = 0
    while place < len(words):
        if words[place] == "task":
            gap = words[place + 1 : place + 3]
            if (
                len(gap) == 2
                and gap[0].isspace()
                and len(gap[0]) <= 4
                and gap[1] == "list"
            ):
                place += 3
                continue
            return True
        place += 1
    return False


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "least", "most"), [(0.0, 0, 1), (0.2, 18, 20)])
def test_clean_traces_fire_seldom_and_a_fault_in_five_is_found(
    rate: float, least: int, most: int
) -> None:
    """Twenty sets of docs/evidence/accuracy.md's two hundred."""
    world, measured, limit = WORLDS["terms"]
    rng, yes = np.random.default_rng(7), 0
    for _ in range(20):
        traces, signal = world(rng, faults(rng, rate, conversations=100, turns=4))
        told = next(e for e in measure(signal, traces).evidence if e.id == measured)
        assert isinstance(told.low, float)
        yes += told.low > limit
    assert least <= yes <= most
