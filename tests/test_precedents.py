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

from internals import (
    INDEX_FILE,
    BaseRate,
    Precedent,
    PrecedentIndex,
    PrecedentsResult,
    PublishedCase,
    State,
    Unknown,
    framework_of,
    goal_rate,
    known_answers,
    likeness,
    nearest,
    pattern_key,
    pattern_rate,
    precedents,
    precedents_document,
    published_counts,
    render,
    render_document,
    run,
    shipped_cases,
    shipped_index,
    tried_text,
    weigh,
)
from tuneworthy import Dossier, decide, load_case, load_framework

sys.path.append(str(Path(__file__).parents[1] / "tools"))

import precedents as tool  # it makes the index, and is a script beside the package

DAY = date(2026, 11, 24)
ROOT = Path(__file__).parents[1]
EXAMPLES = sorted(path.parent for path in (ROOT / "examples").glob("*/case.yaml"))


def published(name: str, **more: Any) -> PublishedCase:
    """A published case; ``answers`` are given by both blind coders alike."""
    answers = more.pop("answers", {})
    factors = {key: {"blind": [state, state]} for key, state in answers.items()}
    return PublishedCase.model_validate(
        {"id": name, "winner": "prompt", "factors": factors, **more}
    )


def precedent(name: str, **more: Any) -> Precedent:
    made: Precedent = tool.precedent_of(published(name, **more))
    return made


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@cache
def decided(folder: Path) -> Dossier:
    case = load_case(folder)
    return decide(case, framework_of(case), as_of=DAY)


def shown(dossier: Dossier) -> PrecedentsResult:
    assert isinstance(dossier.precedents, PrecedentsResult)
    return dossier.precedents


# Likeness, by hand -------------------------------------------------------------------------------

A = precedent(
    "a", goal_kind="extraction", winner="fine_tune",
    answers={"brand_voice": "yes", "low_volume": "no"},
)  # fmt: skip
B = precedent("b", goal_kind="extraction", answers={"brand_voice": "no", "low_volume": "no"})
C = precedent("c", goal_kind="persona", winner="rag", answers={"brand_voice": "no"})
THREE = (A, B, C)
MINE: dict[str, State] = {"brand_voice": "yes", "low_volume": "no", "exploration_phase": "yes"}

# Of three published answers about brand voice one is a yes: with one added for each answer 2 of 5,
# and a no has 3 of 5. Of the two about low volume both are a no: 3 of 4. Of three goals, with one
# added for each of the nine, extraction has 3 of 12.
VOICE_YES, VOICE_NO, VOLUME_NO, EXTRACTION = (
    math.log2(5 / 2), math.log2(5 / 3), math.log2(4 / 3), 2.0,
)  # fmt: skip


def precedents_text(dossier: Dossier) -> str:
    return render_document(precedents_document(dossier), everything=True)


def precedents_markdown(dossier: Dossier) -> str:
    return render_document(precedents_document(dossier), "markdown")


def test_likeness_is_the_surprise_of_what_is_shared_less_that_of_what_differs() -> None:
    found = likeness(THREE, MINE, ("extraction",))
    differing = (VOICE_YES + VOICE_NO) / 2
    assert {near.case.id: near.bits for near in found} == pytest.approx({
        "a": EXTRACTION + VOICE_YES + VOLUME_NO,
        "b": EXTRACTION - differing + VOLUME_NO,
        "c": -differing,
    })  # fmt: skip
    assert [near.case.id for near in found] == ["a", "b", "c"]
    assert [near.shared for near in found] == [("brand_voice", "low_volume"), ("low_volume",), ()]
    assert [near.differs for near in found] == [(), ("brand_voice",), ("brand_voice",)]
    assert [near.same_goal for near in found] == [True, True, False]


def test_a_case_that_differs_more_than_it_shares_is_no_neighbour() -> None:
    near, behind = nearest(THREE, MINE, ("extraction",))
    assert [one.case.id for one in near] == ["a", "b"]
    assert behind == 0


def test_a_goal_that_is_not_the_primary_one_counts_half() -> None:
    found = likeness([A], {}, ("persona", "extraction"))
    assert found[0].bits == pytest.approx(math.log2(10 / 2) / 2)


def test_only_what_both_blind_coders_answer_alike_counts() -> None:
    blind = {
        "brand_voice": ["yes", "no"],
        "low_volume": ["yes", "unknown"],
        "domain_knowledge": ["no", "no"],
        "cost_optimization": ["yes"],
    }
    factors = {name: {"value": "yes", "blind": states} for name, states in blind.items()}
    case = published("x", factors=factors, extra_factors_blind={"narrow_task": ["yes", "yes"]})
    assert tool.precedent_of(case).answers == {"domain_knowledge": "no", "narrow_task": "yes"}


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


@given(CASES, ANSWERS, GOALS, st.randoms(use_true_random=False))
def test_the_order_of_the_file_changes_nothing(
    cases: list[Precedent], mine: dict[str, State], goals: tuple[str, ...], chance: Any
) -> None:
    mixed = chance.sample(cases, len(cases))
    assert nearest(mixed, mine, goals) == nearest(cases, mine, goals)
    assert tool.most_informative(mixed) == tool.most_informative(cases)


@given(CASES, ANSWERS, GOALS)
def test_an_unknown_answer_makes_no_case_more_or_less_alike(
    cases: list[Precedent], mine: dict[str, State], goals: tuple[str, ...]
) -> None:
    told = {name: state for name, state in mine.items() if state != "unknown"}
    assert likeness(cases, mine, goals) == likeness(cases, told, goals)
    for name, state in told.items():
        without = {key: other for key, other in told.items() if key != name}
        before = {near.case.id: near.bits for near in likeness(cases, without, goals)}
        for near in likeness(cases, told, goals):
            if name not in near.case.answers:
                assert near.bits == before[near.case.id]
            elif near.case.answers[name] == state:
                assert near.bits > before[near.case.id]
            else:
                assert near.bits < before[near.case.id]


@given(CASES, ANSWERS, GOALS)
def test_there_are_at_most_five_and_two_of_a_cluster(
    cases: list[Precedent], mine: dict[str, State], goals: tuple[str, ...]
) -> None:
    near, behind = nearest(cases, mine, goals)
    assert len(near) <= 5
    assert max(Counter(one.case.cluster for one in near).values(), default=0) <= 2
    assert all(one.bits > 0 for one in near)
    assert [one.bits for one in near] == sorted((one.bits for one in near), reverse=True)
    assert behind == 0 or len(near) == 5


@given(CASES, ANSWERS, GOALS)
def test_how_a_case_ended_makes_it_no_more_alike(
    cases: list[Precedent], mine: dict[str, State], goals: tuple[str, ...]
) -> None:

    turned = [case._replace(winner="fine_tune", won=True, margin="all") for case in cases]
    ids = [(near.case.id, near.bits) for near in nearest(cases, mine, goals)[0]]
    assert [(near.case.id, near.bits) for near in nearest(turned, mine, goals)[0]] == ids


def test_equals_stand_in_a_fixed_order() -> None:
    same: dict[str, Any] = {"goal_kind": "persona"}
    cases = [
        precedent("z-old", year=2020, source_status="read", **same),
        precedent("recalled", year=2026, source_status="recalled", **same),
        precedent("b-new", year=2025, source_status="read", **same),
        precedent("a-new", year=2025, source_status="read", **same),
    ]
    near, _ = nearest(cases, {}, ("persona",))
    assert [one.case.id for one in near] == ["a-new", "b-new", "z-old", "recalled"]


def test_those_as_alike_as_the_last_one_are_counted() -> None:
    cases = [precedent(f"p{n}", goal_kind="persona") for n in range(8)]
    assert nearest(cases, {}, ("persona",))[1] == 3
    of_one = [precedent(f"q{n}", goal_kind="persona", cluster="same") for n in range(8)]
    near, behind = nearest(of_one, {}, ("persona",))
    assert (len(near), behind) == (2, 0)


# Rates -------------------------------------------------------------------------------------------


def won(n: int, wins: int, **more: Any) -> list[Precedent]:
    return [precedent(f"w{i}", winner="hybrid" if i < wins else "rag", **more) for i in range(n)]


def test_a_rate_of_few_clusters_is_wilsons() -> None:
    found = tool.rate(won(10, 8), rng=rng())
    assert found is not None
    assert (found.n, found.won, found.clusters, found.method) == (10, 8, 10, "wilson_by_cluster")
    assert (round(found.low, 4), round(found.high, 4)) == (0.4902, 0.9433)  # published for 8 of 10


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
        precedent(f"w{i}", cluster=f"g{i % groups}", winner="hybrid" if i < wins else "rag")
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
    few = goal_rate(index, "persona", 10)
    assert isinstance(few, Unknown)
    assert "one more published cases of persona: there are nine, and a rate takes ten" in few.ask
    enough = goal_rate(index, "persona", 9)
    assert isinstance(enough, BaseRate)
    assert (enough.n, enough.won, enough.rate) == (9, 5, 5 / 9)
    none = goal_rate(index, "format", 1)
    assert isinstance(none, Unknown)
    assert "there are no, and a rate takes one" in none.ask


def test_a_pattern_grows_while_enough_cases_have_all_of_it() -> None:
    both = {"house_convention": "yes", "narrow_task": "yes"}
    cases = [*won(10, 9, answers=both)]
    cases += [
        precedent(f"h{i}", answers={"house_convention": "yes", "narrow_task": "no"})
        for i in range(5)
    ]
    order = ("house_convention", "narrow_task", "low_volume")
    index = PrecedentIndex(tuple(cases), order, tool.every_rate(cases))
    mine: Any = {"low_volume": "yes", "narrow_task": "yes", "house_convention": "yes"}

    def pattern(least: int, answers: Any = mine) -> BaseRate | Unknown:
        return pattern_rate(index, answers, {}, least)

    found = pattern(10)
    assert isinstance(found, BaseRate)
    assert (found.answers, found.n) == (both, 10)
    found = pattern(11)
    assert isinstance(found, BaseRate)
    assert (found.answers, found.n) == ({"house_convention": "yes"}, 15)
    found = pattern(16)
    assert isinstance(found, Unknown)
    assert "one more published cases with house convention yes" in found.ask
    found = pattern(1, {"brand_voice": "yes"})
    assert isinstance(found, Unknown)
    assert "framework precedent" in found.ask


def test_the_question_that_parts_won_from_lost_tells_most() -> None:
    cases = [
        precedent(f"w{i}", winner="rag" if i % 2 else "fine_tune", answers={
            "narrow_task": "no" if i % 2 else "yes",  # parts them all: one bit
            "house_convention": "yes" if i < 6 else "no",  # parts none of them: no bit
            **({"low_volume": "yes" if i % 2 else "no"} if i < 2 else {}),  # a bit, for a quarter
        })
        for i in range(8)
    ]  # fmt: skip
    assert tool.most_informative(cases)[:2] == ("narrow_task", "low_volume")
    assert set(tool.most_informative(cases)) == set(tool.SEPARATING)


# The index ---------------------------------------------------------------------------------------


def test_the_index_is_what_its_tool_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["precedents.py", "--check"])
    assert tool.main() == 0
    assert tool.PATH.name == INDEX_FILE


def test_the_index_reads_as_the_cases_do() -> None:
    index = shipped_index()
    assert list(index.cases) == [tool.precedent_of(case) for case in shipped_cases()]
    for goal, winners in published_counts().items():
        n, wins, *_ = index.rates[f"goal={goal}"]
        assert n == sum(winners.values())
        assert wins == winners.get("fine_tune", 0) + winners.get("hybrid", 0)
    assert list(index.rates[""][:3]) == [84, 46, 73]


def test_a_rate_of_the_index_counts_the_cases_of_its_pattern() -> None:
    index = shipped_index()
    pattern: dict[str, State] = {"house_convention": "yes", "narrow_task": "yes"}
    alike = [
        case for case in index.cases
        if case.winner != "tie" and pattern.items() <= case.answers.items()
    ]  # fmt: skip
    found = index.rates[pattern_key(pattern)]
    assert list(found[:2]) == [len(alike), sum(case.won for case in alike)]


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
    assert tool.address(source) == url


# One case against them ---------------------------------------------------------------------------


def index_of(cases: list[Precedent]) -> PrecedentIndex:
    return PrecedentIndex(tuple(cases), tool.most_informative(cases), tool.every_rate(cases))


def section(index: PrecedentIndex, data: dict[str, Any]) -> PrecedentsResult | Unknown:
    case, framework = load_case({"name": "x", **data}), load_framework()
    return precedents(index, case.goals, framework, weigh(case, framework))


def test_nothing_known_gives_no_neighbour_and_says_what_to_answer() -> None:
    found = section(index_of([*THREE]), {})
    assert isinstance(found, Unknown)
    assert "goals" in found.ask


def test_what_is_alike_is_told_with_why_and_what_differs() -> None:
    found = section(index_of([*THREE]), {
        "goals": ["extraction"], "factors": {"brand_voice": "yes", "low_volume": "no"},
    })  # fmt: skip
    assert isinstance(found, PrecedentsResult)
    assert isinstance(found.nearest, tuple)
    assert [near.why for near in found.nearest] == [
        "same goal (extraction); in both brand voice yes and low volume no",
        "same goal (extraction); in both low volume no; but there brand voice no",
    ]
    assert found.nearest[1].shared == {"low_volume": "no"}
    assert found.nearest[1].differs == {"brand_voice": "yes"}
    assert isinstance(found.base_rate, Unknown)
    assert "eight more published cases of extraction: there are two" in found.base_rate.ask
    assert isinstance(found.pattern_rate, Unknown)
    assert (found.every_rate.n, found.every_rate.won) == (3, 1)


def test_a_goal_that_is_not_the_primary_one_is_called_so() -> None:
    found = section(index_of([A]), {"goals": ["persona", "extraction"]})
    assert isinstance(found, PrecedentsResult)
    assert isinstance(found.nearest, tuple)
    assert found.nearest[0].why == "a goal of both (extraction)"


def test_known_answers_that_nobody_shares_say_so() -> None:
    found = section(index_of([B]), {"factors": {"brand_voice": "yes"}})
    assert isinstance(found, PrecedentsResult)
    assert isinstance(found.nearest, Unknown)


def test_checks_and_signals_are_not_compared() -> None:
    coded = precedent("x", answers={"few_shot": "yes", "voice_drift": "yes", "low_volume": "yes"})
    data = {
        "ceiling": {"few_shot": "yes"},
        "signals": {"voice_drift": "yes"},
        "factors": {"low_volume": "yes"},
    }
    found = section(index_of([coded]), data)
    assert isinstance(found, PrecedentsResult)
    assert isinstance(found.nearest, tuple)
    assert found.nearest[0].shared == {"low_volume": "yes"}
    assert known_answers([coded], {"few_shot": "yes"}) == {"few_shot": "yes"}


def test_the_short_form_compares_nothing() -> None:
    case = load_case(ROOT / "examples" / "task-api")
    found = decide(case, load_framework(), as_of=DAY, quick=True).precedents
    assert isinstance(found, Unknown)
    assert "--quick" in found.ask


# The chance that is withdrawn --------------------------------------------------------------------

CHANCE = re.compile(
    r"hadn.t seen|a chance of \d|multipl\w+ the odds|earned its place|second opinion|Brier score \d"
    r"|take no side|lean (towards|away)|(agree|disagree) with the verdict",
    re.IGNORECASE,
)
"""What the fitted chance, its record and what moved it were told in."""


def no_chance(section: Any) -> None:
    """The names of the dossier that held the chance say that it is withdrawn, and why."""
    for name in ("p_fine_tune", "p_interval", "p_open", "track_record"):
        assert section[name]["unknown"] is True
        assert "withdrawn on 2026-11-27" in section[name]["ask"]
        assert "38 such cases" in section[name]["ask"]
    assert section["moves"] == []
    assert "withdrawn" in section["disagrees"]


@pytest.mark.parametrize("framework", ["", "precedent"], ids=["its own", "precedent"])
@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
def test_no_surface_shows_a_chance_from_published_cases(folder: Path, framework: str) -> None:
    case = load_case(folder)
    other = framework and case.framework is None  # a case's own may ask what no other does
    rules = load_framework(framework) if other else framework_of(case)
    dossier = decide(case, rules, as_of=DAY)
    told = [render(dossier, form) for form in ("text", "markdown", "record", "html")]
    told += [precedents_text(dossier), precedents_markdown(dossier)]
    for text in told:
        assert CHANCE.search(" ".join(text.split())) is None
    if not isinstance(dossier.precedents, Unknown):
        no_chance(json.loads(dossier.to_json())["precedents"])
        for text in told[3:]:
            assert "is withdrawn. On 38 cases kept aside" in " ".join(text.split())


@pytest.mark.parametrize(
    "arguments",
    [["framework", "show", "precedent"], ["framework", "list"],
     ["backtest", "--framework", "precedent"],
     ["backtest", "--framework", "precedent", "--format", "json"]],
    ids=" ".join,
)  # fmt: skip
def test_no_command_shows_the_record_of_the_withdrawn_chance(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert CHANCE.search(told) is None
    assert re.search(r"accuracy|brier_gain|0\.75\b|75%", told) is None


# As people see it --------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
def test_every_gallery_case_is_held_against_others(folder: Path) -> None:
    dossier = decided(folder)
    for form in ("text", "markdown", "record", "html"):
        told = render(dossier, form)
        if isinstance(dossier.precedents, Unknown):
            continue
        nearest_cases = dossier.precedents.nearest
        assert isinstance(nearest_cases, tuple)
        assert 1 <= len(nearest_cases) <= 5
        assert ("Others" if form in ("text", "record") else "happened to others") in told
    case = load_case(folder)
    again = decide(case, framework_of(case), as_of=DAY)
    assert again.to_json() == dossier.to_json()
    assert Dossier.model_validate(json.loads(dossier.to_json())) == dossier


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
def test_the_page_fits_a_terminal_and_breaks_no_address(folder: Path) -> None:
    text = precedents_text(decided(folder))
    for line in text.splitlines():
        assert wcwidth.width(line) <= 80 or re.fullmatch(r" +Source +https?://\S+", line), line
        assert line == line.rstrip()
    assert re.findall(r"\bNone\b|\bnan\b|\binf\b|[{}]| [;.,]", text) == []


def test_a_figure_from_memory_says_so() -> None:
    read = precedent("r", goal_kind="persona", source_status="read")
    recalled = precedent("m", goal_kind="persona", source_status="recalled")
    found = section(index_of([read, recalled]), {"goals": ["persona"]})
    assert isinstance(found, PrecedentsResult)
    text = precedents_text(with_precedents(found))
    assert text.count("recalled") == 1  # in a column: its words may be on two lines
    assert precedents_markdown(with_precedents(found)).count("recalled from memory") == 1


def with_precedents(found: PrecedentsResult) -> Dossier:
    return decided(ROOT / "examples" / "task-api").model_copy(update={"precedents": found})


def test_what_was_tried_is_told_once_with_its_figures() -> None:
    arm = {"approach": "few-shot", "model": "M", "metric": "F1", "value": "0.5"}
    case = precedent(
        "x", goal_kind="persona", baseline=arm, best_prompt=arm,
        fine_tuned={"approach": "LoRA", "train_examples": "1200", "metric": "F1", "value": 0.7},
    )  # fmt: skip
    found = section(index_of([case]), {"goals": ["persona"]})
    assert isinstance(found, PrecedentsResult)
    assert isinstance(found.nearest, tuple)
    assert tried_text(found.nearest[0]) == (
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
    found = section(index_of(cases), {"goals": ["persona"]})
    assert isinstance(found, PrecedentsResult)
    return with_precedents(found)


def test_what_a_published_case_says_moves_no_cursor() -> None:
    for text in (precedents_text(hostile_dossier()), render(hostile_dossier(), "text")):
        assert "\x1b" not in text
        assert "\u202e" not in text


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
        self.tags: set[str] = set()
        self.links: list[dict[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "a":
            self.links.append(dict(attrs))


def test_only_web_addresses_are_links_and_they_tell_nothing_about_the_reader() -> None:
    page = Links(render(hostile_dossier(), "html"))
    assert not {"script", "img", "b"} & page.tags
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
    assert run(["precedents", folder, "--as-of", "2026-11-24"]) == 0
    assert capsys.readouterr().out == precedents_text(decided(Path(folder)))
    assert run(["precedents", folder, "--format", "json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert list(data) == ["case", "framework", "as_of", "precedents"]
    assert {"id", "title", "winner", "source_url"} <= set(data["precedents"]["nearest"][0])
    assert {"n", "low", "high"} <= set(data["precedents"]["base_rate"])
    file = tmp_path / "others.md"
    assert run(["precedents", folder, "--format", "markdown", "--output", str(file)]) == 0
    assert capsys.readouterr().out == ""
    assert file.read_text("utf-8").startswith("# Claim intake: what happened to others\n")


def test_the_command_takes_a_what_if(capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(ROOT / "examples" / "first-idea")
    assert run(["precedents", folder]) == 0
    assert "name the goals" in " ".join(capsys.readouterr().out.split())
    assert run(["precedents", folder, "--set", "goals=persona", "--set", "brand_voice=yes"]) == 0
    assert "The nearest published cases" in " ".join(capsys.readouterr().out.split())


def test_wrong_input_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(["precedents", str(tmp_path / "nowhere")]) == 2
    assert run(["precedents", str(ROOT / "examples" / "task-api"), "--set", "nothing=yes"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert len(told.err.splitlines()) == 2
