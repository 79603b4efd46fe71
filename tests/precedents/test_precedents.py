"""What happened to others: likeness and rates by hand, their laws, and how they are shown."""

from __future__ import annotations

import json
import math
import re
import sys
from collections import Counter
from datetime import date
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wcwidth
from hypothesis import given
from hypothesis import strategies as st

from tuneworthy import Dossier, decide, load_case, load_framework
from tuneworthy.answers import weigh as answers_weigh
from tuneworthy.cases.reports import render
from tuneworthy.cli import run
from tuneworthy.framework import load as framework_load
from tuneworthy.framework.rules import compile_rules
from tuneworthy.model import precedents as model_precedents
from tuneworthy.model.base import State, Unknown
from tuneworthy.pipeline import framework_of
from tuneworthy.precedents import section as precedents_section
from tuneworthy.precedents.record import record_of
from tuneworthy.precedents.section import shipped_index
from tuneworthy.report import render as render_document
from tuneworthy.report.sections import precedents as sections_precedents

sys.path.append(str(Path(__file__).parents[2] / "evidence" / "published"))

import index as tool  # it makes the index, and is a script beside the package
from index import address, precedent_of
from published import PublishedCase, published_cases

DAY = date(2026, 11, 24)
ROOT = Path(__file__).parents[2]
FITTED = str(ROOT / "evidence" / "published" / "precedent.yaml")
EXAMPLES = sorted(path.parent for path in (ROOT / "examples").glob("*/case.yaml"))


def published(name: str, **more: Any) -> PublishedCase:
    """A published case; ``answers`` are given by both blind coders alike."""
    answers = more.pop("answers", {})
    factors = {key: {"blind": [state, state]} for key, state in answers.items()}
    return PublishedCase.model_validate(
        {"id": name, "winner": "prompt", "factors": factors, **more}
    )


VOCABULARY = {
    "invoice*": ["accounting"],
    "fields": ["extracting"],
    "voice": ["a voice"],
    "from": [],
}


def precedent(name: str, **more: Any) -> model_precedents.Precedent:
    """One about accounting, if nothing else is said."""
    made: model_precedents.Precedent = precedent_of(
        published(name, **{"task": "invoices", **more}), VOCABULARY
    )
    return made


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@cache
def decided(folder: Path) -> Dossier:
    case = load_case(folder)
    return decide(case, framework_of(case), as_of=DAY)


def shown(dossier: Dossier) -> model_precedents.PrecedentsResult:
    assert isinstance(dossier.precedents, model_precedents.PrecedentsResult)
    return dossier.precedents


# Likeness, by hand -------------------------------------------------------------------------------

A = precedent(
    "a", goal_kind="extraction", winner="fine_tune", task="fields from invoices",
    answers={"brand_voice": "yes", "low_volume": "no"},
)  # fmt: skip
B = precedent(
    "b", goal_kind="extraction", answers={"brand_voice": "no", "low_volume": "no"}
)
C = precedent(
    "c", goal_kind="persona", winner="rag", task="say", answers={"brand_voice": "no"}
)
MINE: dict[str, State] = {
    "brand_voice": "yes",
    "low_volume": "no",
    "exploration_phase": "yes",
}

# Of three published answers about brand voice one is a yes: with one added for each answer 2 of 5,
# and a no has 3 of 5. Of the two about low volume both are a no: 3 of 4. Of three goals, with one
# added for each of the nine, extraction has 3 of 12. Two of the three cases are about accounting,
# with one added 3 of 4, and one is about extracting: 2 of 4. All are untitled: 4 of 4.
VOICE_YES, VOICE_NO, VOLUME_NO, EXTRACTION, ACCOUNTING, EXTRACTING = (
    math.log2(5 / 2), math.log2(5 / 3), math.log2(4 / 3), 2.0, math.log2(4 / 3), 1.0,
)  # fmt: skip


def index_of(
    cases: list[model_precedents.Precedent], **more: Any
) -> model_precedents.PrecedentIndex:
    return model_precedents.PrecedentIndex(
        tuple(cases), VOCABULARY, tool.every_rate(cases), **more
    )


THREE = index_of([A, B, C])
TEXT = "Fields of an invoice"


def precedents_text(dossier: Dossier) -> str:
    return render_document(sections_precedents.precedents(dossier), everything=True)


def precedents_markdown(dossier: Dossier) -> str:
    return render_document(sections_precedents.precedents(dossier), "markdown")


def test_likeness_is_the_surprise_of_subjects_goal_and_answers() -> None:
    found = precedents_section.likeness(THREE, TEXT, MINE, ("extraction",))
    differing = (VOICE_YES + VOICE_NO) / 2
    assert {near.case.shown["id"]: near.bits for near in found} == pytest.approx({
        "a": EXTRACTION + ACCOUNTING + EXTRACTING + (VOICE_YES + VOLUME_NO) / 2,
        "b": EXTRACTION + ACCOUNTING + (VOLUME_NO - differing) / 2,
        "c": -differing,
    })  # fmt: skip
    assert [near.case.shown["id"] for near in found] == ["a", "b", "c"]
    assert [set(near.subjects) for near in found] == [
        {"accounting", "extracting"}, {"accounting"}, set(),
    ]  # fmt: skip
    assert [{name for name, bits in near.answers.items() if bits < 0} for near in found] == [
        set(), {"brand_voice"}, {"brand_voice"},
    ]  # fmt: skip


def test_another_word_in_common_counts_half_of_a_subject() -> None:
    cases = [precedent("a", task="invoices of harbours"), precedent("b")]
    (first, second) = precedents_section.likeness(index_of(cases), "A harbour", {})
    assert first.case.shown["id"] == "a"
    assert first.bits == pytest.approx(math.log2(3 / 2) / 2)
    assert second.bits == 0


def test_without_a_subject_in_common_or_enough_bits_nobody_is_alike() -> None:
    many = [precedent(f"n{k}", task="say") for k in range(100)]
    index = index_of([precedent("about", goal_kind="persona"), *many])
    # the goal alone
    assert precedents_section.nearest(index, "", {}, ("persona",)) == ()
    # too few bits
    assert precedents_section.nearest(THREE, TEXT, MINE, ("extraction",)) == ()
    assert [
        near.case.shown["id"]
        for near in precedents_section.nearest(index, "invoices", {})
    ] == ["about"]


@pytest.mark.parametrize(
    ("text", "subjects", "words"),
    [
        ("Reads invoices.", {"accounting"}, {"reads"}),
        ("INVOICE-fields", {"accounting", "extracting"}, set()),
        ("from the sea", set(), set()),
        ("", set(), set()),
        ("voiceless", set(), {"voicel"}),
    ],
)
def test_a_text_tells_of_subjects_by_words_and_their_beginnings(
    text: str, subjects: set[str], words: set[str]
) -> None:
    told = precedents_section.described(text, VOCABULARY)
    assert (set(told[0]), set(told[1])) == (subjects, words)


def test_a_goal_that_is_not_the_primary_one_counts_half() -> None:
    found = precedents_section.likeness(
        index_of([A]), "", {}, ("persona", "extraction")
    )
    assert found[0].bits == pytest.approx(math.log2(10 / 2) / 2)


def test_only_what_both_blind_coders_answer_alike_counts() -> None:
    blind = {
        "brand_voice": ["yes", "no"],
        "low_volume": ["yes", "unknown"],
        "domain_knowledge": ["no", "no"],
        "cost_optimization": ["yes"],
    }
    factors = {
        name: {"value": "yes", "blind": states} for name, states in blind.items()
    }
    case = published(
        "x", factors=factors, extra_factors_blind={"narrow_task": ["yes", "yes"]}
    )
    assert precedent_of(case, {}).answers == {
        "domain_knowledge": "no",
        "narrow_task": "yes",
    }


# Likeness, its laws ------------------------------------------------------------------------------

QUESTIONS = ("brand_voice", "low_volume", "house_convention", "narrow_task")
STATES = st.sampled_from(("yes", "no", "unknown"))
ANSWERS = st.dictionaries(st.sampled_from(QUESTIONS), STATES)
CASES = st.lists(
    st.builds(
        dict[str, Any],
        goal_kind=st.sampled_from(("persona", "format", None)),
        winner=st.sampled_from(("fine_tune", "hybrid", "prompt", "rag", "tie")),
        cluster=st.sampled_from(("x", "y", None)),
        year=st.sampled_from((2023, 2024, None)),
        source_status=st.sampled_from(("read", "recalled", None)),
        answers=ANSWERS,
    ),
    min_size=1,
    max_size=12,
).map(lambda many: [precedent(f"case-{n}", **one) for n, one in enumerate(many)])
GOALS = st.sampled_from(((), ("persona",), ("format", "persona")))


TEXTS = st.sampled_from(("", "fields of invoices", "a voice", "untitled"))


@pytest.mark.slow
@given(CASES, ANSWERS, GOALS, st.randoms(use_true_random=False))
def test_the_order_of_the_file_changes_nothing(
    cases: list[model_precedents.Precedent],
    mine: dict[str, State],
    goals: tuple[str, ...],
    chance: Any,
) -> None:
    mixed = chance.sample(cases, len(cases))
    assert precedents_section.likeness(
        index_of(mixed), TEXT, mine, goals
    ) == precedents_section.likeness(index_of(cases), TEXT, mine, goals)


@given(CASES, TEXTS, ANSWERS, GOALS)
def test_an_unknown_answer_makes_no_case_more_or_less_alike(
    cases: list[model_precedents.Precedent],
    text: str,
    mine: dict[str, State],
    goals: tuple[str, ...],
) -> None:
    index = index_of(cases)
    told = {name: state for name, state in mine.items() if state != "unknown"}
    assert precedents_section.likeness(
        index, text, mine, goals
    ) == precedents_section.likeness(index, text, told, goals)


@given(CASES, TEXTS, ANSWERS, GOALS)
def test_one_more_answer_in_common_never_makes_a_case_less_alike_than_one_that_differs(
    cases: list[model_precedents.Precedent],
    text: str,
    mine: dict[str, State],
    goals: tuple[str, ...],
) -> None:
    index = index_of(cases)
    bits = {
        state: {
            near.case.shown["id"]: near.bits
            for near in precedents_section.likeness(
                index, text, {**mine, "low_volume": state}, goals
            )
        }
        for state in ("yes", "no")
    }
    for case in cases:
        if (its := case.answers.get("low_volume")) is not None:
            other = "no" if its == "yes" else "yes"
            assert bits[its][case.shown["id"]] > bits[other][case.shown["id"]]


@given(CASES, TEXTS, ANSWERS, GOALS)
def test_there_are_at_most_five_and_two_of_a_cluster(
    cases: list[model_precedents.Precedent],
    text: str,
    mine: dict[str, State],
    goals: tuple[str, ...],
) -> None:
    near = precedents_section.nearest(index_of(cases), text, mine, goals)
    assert len(near) <= 5
    assert max(Counter(one.case.cluster for one in near).values(), default=0) <= 2
    assert all(one.bits >= 5 and one.subjects for one in near)
    assert [one.bits for one in near] == sorted(
        (one.bits for one in near), reverse=True
    )


@given(CASES, TEXTS, ANSWERS, GOALS)
def test_how_a_case_ended_makes_it_no_more_alike(
    cases: list[model_precedents.Precedent],
    text: str,
    mine: dict[str, State],
    goals: tuple[str, ...],
) -> None:

    turned = [
        case._replace(shown={**case.shown, "winner": "fine_tune", "margin": "all"})
        for case in cases
    ]
    before, after = (
        [
            (near.case.shown["id"], near.bits)
            for near in precedents_section.likeness(index_of(each), text, mine, goals)
        ]
        for each in (cases, turned)
    )
    assert before == after


def test_equals_stand_in_a_fixed_order() -> None:
    cases = [
        precedent("z-old", year=2020, source_status="read"),
        precedent("recalled", year=2026, source_status="recalled"),
        precedent("b-new", year=2025, source_status="read"),
        precedent("a-new", year=2025, source_status="read"),
    ]
    found = precedents_section.likeness(index_of(cases), "", {})
    assert [one.case.shown["id"] for one in found] == [
        "a-new",
        "b-new",
        "z-old",
        "recalled",
    ]


# Rates -------------------------------------------------------------------------------------------


def won(n: int, wins: int, **more: Any) -> list[model_precedents.Precedent]:
    return [
        precedent(f"w{i}", winner="hybrid" if i < wins else "rag", **more)
        for i in range(n)
    ]


def test_a_rate_of_few_clusters_is_wilsons() -> None:
    found = tool.rate(won(10, 8), rng=rng())
    assert found is not None
    assert (found.n, found.won, found.clusters, found.method) == (
        10,
        8,
        10,
        "wilson_by_cluster",
    )
    assert (round(found.low, 4), round(found.high, 4)) == (
        0.4902,
        0.9433,
    )  # published for 8 of 10


def test_cases_of_one_paper_count_together() -> None:
    """Two papers of two cases, one all won and one all lost, are worth two cases, of which one won.

    Wilson for 1 of 2, by its formula: 1.96 · √(0.25 / 2 + 3.84 / 16) / (1 + 3.84 / 2) = 0.4055 on
    either side of one half.
    """
    cases = [
        precedent("a1", cluster="a", winner="fine_tune"),
        precedent("a2", cluster="a", winner="fine_tune"),
        precedent("b1", cluster="b"),
        precedent("b2", cluster="b"),
    ]
    found = tool.rate(cases, rng=rng())
    assert found is not None
    assert (found.n, found.won, found.clusters) == (4, 2, 2)
    assert (round(found.low, 4), round(found.high, 4)) == (0.0945, 0.9055)


def test_a_rate_of_many_clusters_is_drawn_by_cluster() -> None:
    found = tool.rate(won(40, 20), rng=rng())
    assert found is not None
    assert found.method == "cluster_bootstrap"
    # 40 independent cases of which half won: the normal half width is 1.96 · sqrt(0.25 / 40)
    assert found.low == pytest.approx(0.5 - 0.155, abs=0.03)
    assert found.high == pytest.approx(0.5 + 0.155, abs=0.03)


@given(st.integers(1, 60), st.data(), st.integers(1, 60))
def test_the_interval_holds_the_rate(n: int, data: st.DataObject, groups: int) -> None:
    wins = data.draw(st.integers(0, n))
    cases = [
        precedent(
            f"w{i}", cluster=f"g{i % groups}", winner="hybrid" if i < wins else "rag"
        )
        for i in range(n)
    ]
    found = tool.rate(cases, rng=rng(), draws=200)
    assert found is not None
    assert 0 <= found.low <= found.won / found.n <= found.high <= 1
    assert found.won == wins


def test_ties_are_in_no_rate() -> None:
    cases = [*won(3, 2), precedent("tie", winner="tie")]
    found = tool.rate(cases, rng=rng())
    assert found is not None
    assert found.n == 3
    assert tool.rate(cases[3:], rng=rng()) is None


def test_a_rate_takes_enough_cases_to_be_one() -> None:
    index = index_of(won(9, 5, goal_kind="persona"))
    few = precedents_section.goal_rate(index, "persona", 10)
    assert isinstance(few, Unknown)
    assert (
        "one more published cases of persona: there are nine, and a rate takes ten"
        in few.ask
    )
    enough = precedents_section.goal_rate(index, "persona", 9)
    assert isinstance(enough, model_precedents.BaseRate)
    assert (enough.n, enough.won, enough.rate) == (9, 5, 5 / 9)
    none = precedents_section.goal_rate(index, "format", 1)
    assert isinstance(none, Unknown)
    assert "there are no, and a rate takes one" in none.ask


def test_rates_of_kinds_and_years_take_enough_cases_too() -> None:
    cases = won(10, 5, kind="paper", year=2025, goal_kind="persona") + [
        precedent(f"i{k}", kind="industry", year=2024) for k in range(9)
    ]
    found = section(index_of(cases), {"goals": ["persona"]})
    assert isinstance(found, model_precedents.PrecedentsResult)
    assert [(rate.of, rate.n, rate.won) for rate in found.rates] == [
        ("published papers", 10, 5), ("published cases of 2025", 10, 5),
    ]  # fmt: skip


# The rules' own record ---------------------------------------------------------------------------


def test_the_record_is_for_the_goal_or_for_all_where_too_few_have_it() -> None:
    every = record_of(load_framework(), shipped_index())
    assert not isinstance(every, Unknown)
    for goal, of, n in (
        ("extraction", "published cases of extraction", 19),
        ("classification", "published cases of classification", 27),
        ("persona", "published cases", 141),
    ):
        found = section(shipped_index(), {"goals": [goal]})
        assert isinstance(found, model_precedents.PrecedentsResult)
        rules = [row.rule for row in found.record]
        assert rules == ["tree_granted", "score", "difference", "always"]
        for row in found.record:
            assert (row.of, row.n) == (of, n)
            assert row.low <= row.right / row.n <= row.high
        if n == 141:
            assert found.record == every


def test_a_rule_is_right_where_it_says_what_came_out() -> None:
    yes = dict.fromkeys(list(load_framework().indicators), "yes")
    cases = [
        precedent("a", winner="fine_tune", answers=yes),
        precedent("b", winner="hybrid"),
        precedent("c", winner="rag", answers=yes),
        precedent("d", winner="tie", answers=yes),
    ]
    record = record_of(load_framework(), index_of(cases))
    assert not isinstance(record, Unknown)
    right = {row.rule: (row.right, row.n) for row in record}
    assert right == dict.fromkeys(("tree_granted", "score", "difference"), (1, 3)) | {
        "always": (2, 3)
    }


def test_a_framework_has_no_record_on_cases_it_was_fitted_to_or_that_answer_nothing() -> (
    None
):
    fitted = record_of(load_framework(FITTED), shipped_index())
    assert isinstance(fitted, Unknown)
    assert "fitted" in fitted.ask
    silent = record_of(load_framework(), index_of([precedent("a")]))
    assert isinstance(silent, Unknown)
    assert "none of its questions" in silent.ask


def test_the_record_stands_beside_the_count(capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("insurance-claims", "bank-call-routing"):
        case = str(ROOT / "examples" / folder)
        assert run(["decide", case, "--format", "markdown", "--all"]) == 0
        told = " ".join(
            capsys.readouterr().out.replace("|", " ").replace("*", " ").split()
        )
        assert re.search(
            r"Record[\w ]* [Oo]n \d+ published cases of \w+ the decision tree was right \w+ times",
            told,
        )


def test_answers_that_another_framework_asks_are_kept_and_count_for_likeness(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    case: dict[str, Any] = {
        "name": "x",
        "description": "Fields from invoices",
        "goals": ["extraction"],
        "factors": {"narrow_task": "yes"},
    }
    dossier = decide(load_case(case), load_framework(), as_of=DAY)
    plain = decide(load_case({**case, "factors": {}}), load_framework(), as_of=DAY)
    assert (dossier.counts, dossier.rules) == (plain.counts, plain.rules)
    assert [
        each.says for each in dossier.verdict.caveats if each.id == "kept_answers"
    ] == ["not asked by the lesson framework, kept and not counted: narrow task"]
    found = shown(dossier).nearest
    assert isinstance(found, tuple)
    assert any(near.shared == {"narrow_task": "yes"} for near in found)
    folder = tmp_path / "case"
    assert run(["init", str(folder), "--name", "x"]) == 0
    assert run(["answer", str(folder), "house_convention=yes"]) == 0
    assert run(["decide", str(folder)]) == 0
    assert (
        run(
            ["decide", str(ROOT / "examples" / "credit-memos"), "--framework", "lesson"]
        )
        == 0
    )
    assert run(["answer", str(folder), "hose_convention=yes"]) == 2


# The index ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_index_is_what_its_tool_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["index.py", "--check"])
    assert tool.main() == 0
    assert tool.PATH.name == precedents_section.INDEX_FILE


def test_the_index_reads_as_the_cases_do() -> None:
    index = shipped_index()
    assert list(index.cases) == [
        precedent_of(case, index.vocabulary) for case in published_cases()
    ]
    for goal, winners in framework_load.published_counts().items():
        found = index.rates[f"goal={goal}"]
        assert found.n == sum(winners.values())
        assert found.won == winners.get("fine_tune", 0) + winners.get("hybrid", 0)
    every = index.rates[""]
    assert (every.n, every.won, every.clusters) == (141, 81, 118)
    for what in ("kind", "year"):
        assert (
            sum(each.n for key, each in index.rates.items() if key.startswith(what))
            == 141
        )


@pytest.mark.parametrize(
    ("source", "url"),
    [
        ("https://a.org/x", "https://a.org/x"),
        ("https://a.org/x ; https://b.org", "https://a.org/x"),
        ("see (https://a.org/x).", "https://a.org/x"),
        ("https://a.org/x_(y) and more", "https://a.org/x_(y)"),
        ("https://a.org/a, b", "https://a.org/a"),
        ("ftp://a.org javascript:alert(1)", ""),
        ("a book", ""),
        ("", ""),
        ("https://a.org/\u202egnp.exe", "https://a.org/"),
        ('https://a.org/"onclick="x', "https://a.org/"),
        ("https://a.org/x](javascript:y)<b>", "https://a.org/x"),
        ("https://?", ""),
    ],
)
def test_an_address_is_a_plain_web_address_or_none(source: str, url: str) -> None:
    assert address(source) == url


# One case against them ---------------------------------------------------------------------------


def section(
    index: model_precedents.PrecedentIndex, data: dict[str, Any]
) -> model_precedents.PrecedentsResult:
    case, framework = load_case({"name": "x", **data}), load_framework()
    return precedents_section.precedents(
        index,
        case,
        framework,
        compile_rules(framework),
        answers_weigh.weigh(case, framework),
    )


def told_of(
    index: model_precedents.PrecedentIndex, data: dict[str, Any]
) -> tuple[model_precedents.Neighbour, ...]:
    found = section(index, data)
    assert isinstance(found, model_precedents.PrecedentsResult)
    assert isinstance(found.nearest, tuple)
    return found.nearest


def test_what_is_alike_is_told_with_why_and_what_differs() -> None:
    others = [precedent(f"n{k}", task="say", goal_kind="format") for k in range(30)]
    near = told_of(index_of([A, B, C, *others]), {
        "description": TEXT, "goals": ["extraction", "persona"],
        "factors": {"brand_voice": "yes", "low_volume": "no"},
    })  # fmt: skip
    about = "Both about extracting and accounting. Same goal (extraction)"
    assert near[0].why == f"{about}. Same answers: brand voice yes and low volume no"
    about = "Both about accounting. Same goal (extraction)"
    assert (
        near[1].why
        == f"{about}. Same answers: low volume no. Other answers there: brand voice no"
    )
    assert near[1].shared == {"low_volume": "no"}
    assert near[1].differs == {"brand_voice": "yes"}
    assert near[0].subjects == ("extracting", "accounting")


def test_a_goal_of_few_cases_has_no_rate() -> None:
    found = section(THREE, {"goals": ["extraction"]})
    assert isinstance(found, model_precedents.PrecedentsResult)
    assert isinstance(found.base_rate, Unknown)
    assert (
        "eight more published cases of extraction: there are two" in found.base_rate.ask
    )
    assert (found.every_rate.n, found.every_rate.won) == (3, 1)


def test_a_text_that_tells_nothing_shows_nobody_and_asks_for_one() -> None:
    found = section(
        shipped_index(), {"goals": ["extraction"], "factors": {"brand_voice": "yes"}}
    )
    assert isinstance(found, model_precedents.PrecedentsResult)
    assert isinstance(found.nearest, Unknown)
    assert "what goes in and what comes out" in found.nearest.ask


@pytest.mark.parametrize(
    ("goal", "text", "ids"),
    [
        ("safety", "Takes down hateful comments", {"haiku-moderation-bedrock",
         "loraland-toxicity-jigsaw", "safetykit-moderation-rft", "stream-moderation-prompt"}),
        ("tool_calling", "Calls functions of apps on the device, offline",
         {"octopus-v2-android", "tinyagent-macos"}),
        ("generation", "Corrects the grammar of Welsh texts", {"icelandic-gec"}),
    ],
)  # fmt: skip
def test_moderation_a_device_and_a_small_language_find_their_own(
    goal: str, text: str, ids: set[str]
) -> None:
    found = told_of(shipped_index(), {"goals": [goal], "description": text})
    assert {near.id for near in found[: len(ids)]} == ids


def test_checks_and_signals_are_not_compared() -> None:
    coded = precedent(
        "x", answers={"few_shot": "yes", "voice_drift": "yes", "low_volume": "yes"}
    )
    others = [precedent(f"n{k}", task="say") for k in range(60)]
    (near,) = told_of(index_of([coded, *others]), {
        "description": "invoices",
        "ceiling": {"few_shot": "yes"},
        "signals": {"voice_drift": "yes"},
        "factors": {"low_volume": "yes"},
    })  # fmt: skip
    assert near.shared == {"low_volume": "yes"}
    assert precedents_section.known_answers(index_of([coded]), {"few_shot": "yes"}) == {
        "few_shot": "yes"
    }


# The chance that is withdrawn --------------------------------------------------------------------

CHANCE = re.compile(
    r"hadn.t seen|multipl\w+ the odds|earned its place|second opinion|Brier score \d"
    r"|take no side|lean (towards|away)|(agree|disagree) with the verdict",
    re.IGNORECASE,
)
"""What the fitted chance, its record and what moved it were told in."""


def names_a_framework(folder: Path) -> bool:
    """Whether a case has a framework of its own, which may ask what no other does."""
    return "\nframework:" in (folder / "case.yaml").read_text("utf-8")


IN_FITTED = [folder for folder in EXAMPLES if not names_a_framework(folder)][::4]
"""Cases that are judged by the fitted framework too: with it every case goes the same road."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("folder", "framework"),
    [*((each, "") for each in EXAMPLES), *((each, FITTED) for each in IN_FITTED)],
    ids=lambda place: Path(place).stem,
)
def test_no_surface_shows_a_chance_from_published_cases(
    folder: Path, framework: str
) -> None:
    dossier = decided(folder)
    if framework:
        dossier = decide(load_case(folder), load_framework(framework), as_of=DAY)
    told = [render(dossier, form) for form in ("text", "markdown", "record", "html")]
    told += [precedents_text(dossier), precedents_markdown(dossier)]
    for text in told:
        assert CHANCE.search(" ".join(text.split())) is None
    if not isinstance(dossier.precedents, Unknown):
        assert not {"p_fine_tune", "track_record"} & set(
            json.loads(dossier.to_json())["precedents"]
        )
        for text in told[3:]:
            assert "is withdrawn. On 38 cases kept aside" in " ".join(text.split())


def test_the_fitted_framework_ships_no_more(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["framework", "show", "precedent"]) == 2
    assert run(["framework", "list"]) == 0
    assert "precedent" not in capsys.readouterr().out


# As people see it --------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
def test_every_gallery_case_is_held_against_others(folder: Path) -> None:
    dossier = decided(folder)
    for form in ("markdown", "record", "html"):
        told = render(dossier, form, memo=False)
        if isinstance(dossier.precedents, Unknown):
            continue
        nearest_cases = dossier.precedents.nearest
        assert isinstance(nearest_cases, Unknown) or 1 <= len(nearest_cases) <= 5
        assert ("Others" if form == "record" else "happened to others") in told
    case = load_case(folder)
    again = decide(case, framework_of(case), as_of=DAY)
    assert again.to_json() == dossier.to_json()
    assert Dossier.model_validate(json.loads(dossier.to_json())) == dossier


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
def test_the_page_fits_a_terminal_and_breaks_no_address(folder: Path) -> None:
    text = precedents_text(decided(folder))
    for line in text.splitlines():
        assert wcwidth.width(line) <= 80 or re.fullmatch(
            r" +Source +https?://\S+", line
        ), line
        assert line == line.rstrip()
    assert re.findall(r"\bNone\b|\bnan\b|\binf\b|[{}]| [;.,]", text) == []


@pytest.mark.slow
def test_a_figure_from_memory_says_so() -> None:
    read = precedent("r", source_status="read")
    recalled = precedent("m", source_status="recalled")
    found = section(amid(read, recalled), {"description": "invoices"})
    assert isinstance(found, model_precedents.PrecedentsResult)
    text = precedents_text(with_precedents(found))
    assert text.count("recalled") == 1  # in a column: its words may be on two lines
    assert (
        precedents_markdown(with_precedents(found)).count("recalled from memory") == 1
    )


def amid(*cases: model_precedents.Precedent) -> model_precedents.PrecedentIndex:
    """An index in which these are about something rare."""
    others = [precedent(f"n{k}", task="say", goal_kind="format") for k in range(250)]
    return index_of([*cases, *others])


def with_precedents(found: model_precedents.PrecedentsResult) -> Dossier:
    return decided(ROOT / "examples" / "task-api").model_copy(
        update={"precedents": found}
    )


def test_what_was_tried_is_told_once_with_its_figures() -> None:
    arm = {"approach": "few-shot", "model": "M", "metric": "F1", "value": "0.5"}
    case = precedent(
        "x", goal_kind="persona", baseline=arm, best_prompt=arm,
        fine_tuned={"approach": "LoRA", "train_examples": "1200", "metric": "F1", "value": 0.7},
    )  # fmt: skip
    (near,) = told_of(amid(case), {"description": "invoices"})
    assert precedents_section.tried_text(near) == (
        "by F1: start (few-shot, M): 0.5; tuning (LoRA, 1,200 examples): 0.7"
    )


EVIL = (
    "<script>alert(1)</script> | [x](javascript:alert(2)) \x1b[31m\u202e`# h`\n\n## head "
    "<img src=x onerror=y> &lt; ![i](https://evil.test/i.png)"
)
SOURCES = (
    'https://good.test/"><script>alert(3)</script>',
    "javascript:alert(4)",
    "https://good.test/x)](javascript:alert(5))",
    "data:text/html,<script>alert(6)</script> https://good.test/y>z",
)


def hostile_dossier() -> Dossier:
    arms = {"approach": EVIL, "model": EVIL, "metric": EVIL, "value": EVIL}
    cases = [
        precedent(
            f"evil-{n}", title=EVIL[:200], goal_kind="persona", margin=EVIL, source_url=source,
            fine_tuned={**arms, "train_examples": EVIL}, rag={**arms, "metric": "F1"},
        )
        for n, source in enumerate(SOURCES)
    ]  # fmt: skip
    found = section(amid(*cases), {"description": "invoices", "goals": ["persona"]})
    assert isinstance(found, model_precedents.PrecedentsResult)
    return with_precedents(found)


@pytest.mark.slow
def test_what_a_published_case_says_moves_no_cursor() -> None:
    for text in (precedents_text(hostile_dossier()), render(hostile_dossier(), "text")):
        assert "\x1b" not in text
        assert "\u202e" not in text


@pytest.mark.slow
def test_what_a_published_case_says_is_no_markup() -> None:
    for text in (
        precedents_markdown(hostile_dossier()),
        render(hostile_dossier(), "markdown"),
        render(hostile_dossier(), "record"),
    ):
        assert "<script" not in text
        assert "<img" not in text
        assert "![i](" not in text
        assert "\n## head" not in text
        for target in re.findall(r"(?<!\\)\]\((.*)", text):
            assert re.match(r"<https?://good\.test/[^<>]*>\)", target), target


class Links(HTMLParser):
    """Tags of a page, and where its links lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags = Counter[str]()
        self.links: list[dict[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        if tag == "a":
            self.links.append(dict(attrs))


@pytest.mark.slow
def test_only_web_addresses_are_links_and_they_tell_nothing_about_the_reader() -> None:
    page = Links(render(hostile_dossier(), "html"))
    assert not {"img", "b"} & {*page.tags}
    assert page.tags["script"] == 1  # the report's own
    outside = [link for link in page.links if not str(link["href"]).startswith("#")]
    assert {str(link["href"]) for link in outside} == {
        "https://good.test/", "https://good.test/x", "https://good.test/y",
    }  # fmt: skip
    assert all(link["rel"] == "noopener noreferrer nofollow" for link in outside)


# The command -------------------------------------------------------------------------------------


def test_the_command_tells_it_in_three_forms(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = str(ROOT / "examples" / "insurance-claims")
    assert run(["show", folder, "others", "--all", "--as-of", "2026-11-24"]) == 0
    assert capsys.readouterr().out == precedents_text(decided(Path(folder)))
    assert run(["show", folder, "others", "--format", "json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert list(data) == ["case", "framework", "as_of", "precedents"]
    assert {"id", "title", "winner", "source_url"} <= set(
        data["precedents"]["nearest"][0]
    )
    assert {"n", "low", "high"} <= set(data["precedents"]["base_rate"])
    file = tmp_path / "others.md"
    assert (
        run(["show", folder, "others", "--format", "markdown", "--output", str(file)])
        == 0
    )
    assert capsys.readouterr().out == ""
    assert file.read_text("utf-8").startswith(
        "# Claim intake: what happened to others\n"
    )


def test_the_command_takes_a_what_if(capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(ROOT / "examples" / "first-idea")
    assert run(["show", folder, "others"]) == 0
    assert "name the goals" in " ".join(capsys.readouterr().out.split())
    answers = ("goals=persona", "brand_voice=yes", "description=Posts in our voice")
    assert (
        run(["show", folder, "others", *(f"--set={answer}" for answer in answers)]) == 0
    )
    assert "The most similar cases" in " ".join(capsys.readouterr().out.split())


def test_wrong_input_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(["show", str(tmp_path / "nowhere"), "others"]) == 2
    assert (
        run(
            [
                "show",
                str(ROOT / "examples" / "task-api"),
                "others",
                "--set",
                "nothing=yes",
            ]
        )
        == 2
    )
    told = capsys.readouterr()
    assert told.out == ""
    assert len(told.err.splitlines()) == 2
