"""The one judgement: its rules, its laws, and the expert cases that are scored."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from internals import (
    Evidence,
    Recommendation,
    State,
    Unknown,
    framework_of,
    headline,
    interview_answers,
    money_investment,
    run,
)
from tuneworthy import Dossier, decide, load_case, load_framework

PROJECT = Path(__file__).resolve().parents[1]
EXPERT = PROJECT.parent / "shared" / "expert-cases"
GALLERY = sorted((PROJECT / "examples").glob("*/case.yaml"))
LESSON = load_framework("lesson")
DAY = date(2026, 11, 24)
HELD = dict.fromkeys(LESSON.ceiling, "yes")
FOR = dict.fromkeys(LESSON.indicators, "yes")
AGAINST = dict.fromkeys(LESSON.anti_indicators, "no")
CANDIDATE: dict[str, Any] = {
    "name": "x", "goals": ["generation"], "ceiling": HELD,
    "factors": {**FOR, **AGAINST, "cost_optimization": "no", "latency_requirements": "no"},
}  # fmt: skip


def judged(case: dict[str, Any], framework: Any = LESSON, **evidence: Evidence) -> Dossier:
    return decide(load_case(case), framework, as_of=DAY, evidence=evidence)


def steps(dossier: Dossier) -> list[str]:
    assert not isinstance(dossier.recommendation, Unknown)
    return [step.option for step in dossier.recommendation.steps]


def rules(dossier: Dossier) -> list[str]:
    return [departure.rule for departure in dossier.verdict.departs]


def deep(case: dict[str, Any], **parts: Any) -> dict[str, Any]:
    """A case with parts of it replaced, one level down."""
    merged = {name: {**case.get(name, {}), **value} if isinstance(value, dict) else value
              for name, value in parts.items()}  # fmt: skip
    return {**case, **merged}


# Each named rule, where it fires and where it doesn't ------------------------------------------


def test_the_count_alone_gives_a_pilot_and_a_candidate_needs_proof_to_go_ahead() -> None:
    found = judged(CANDIDATE)
    assert (found.verdict.outcome, found.verdict.answer) == ("fine_tune_candidate", "pilot")
    assert rules(found) == []


def test_where_every_target_is_met_there_is_nothing_to_tune_for() -> None:
    targets = {"targets": {"quality": {"metric": "f1", "at_least": 0.9}}}
    met = judged(deep(CANDIDATE, **targets, today={"quality": 0.97, "cases": 900}))
    assert (met.verdict.answer, rules(met)[-1], steps(met)[0]) == ("no", "need", "keep_prompt")
    also = deep(CANDIDATE, goals=["format"], signals={"inconsistent_format": "yes"}, **targets)
    assert steps(judged(also))[0] == "constrained_output"
    assert steps(judged(deep(also, today={"quality": 0.97, "cases": 900}))) == ["keep_prompt"]
    missed = judged(deep(CANDIDATE, **targets, today={"quality": 0.7, "cases": 900}))
    assert missed.verdict.answer == "pilot"


def test_a_task_that_moves_waits_whatever_the_count_says() -> None:
    moves = {"value": "yes", "changes": "policy"}
    for factor in ({"exploration_phase": "yes"}, {"rapidly_changing_requirements": moves}):
        found = judged(
            deep(
                CANDIDATE,
                factors={**factor, "domain_knowledge": "no", "latency_requirements": "yes"},
            )
        )
        assert found.verdict.outcome == "fine_tune_candidate"  # one reason against is too few
        assert (found.verdict.answer, rules(found)[-1]) == ("not_yet", "cannot_coexist")
    content = {"rapidly_changing_requirements": {"value": "yes", "changes": "content"}}
    assert judged(deep(CANDIDATE, factors=content)).verdict.answer != "no"


MONEY: dict[str, Any] = {
    "models": [{"id": "m", "usd_per_mtok": {"input": 2.5, "output": 10}}],
    "economics": {
        "hourly_rate_usd": 100,
        "traffic": {"requests_per_month": 20_000, "input_tokens": 3000, "output_tokens": 10},
    },
}


def test_a_job_that_runs_once_is_never_repaid() -> None:
    once = deep(CANDIDATE, **MONEY)
    once["economics"] = {**MONEY["economics"], "traffic": {
        **MONEY["economics"]["traffic"], "growth_per_month": -1}}  # fmt: skip
    found = judged(once)
    assert (found.verdict.answer, rules(found)[-1]) == ("no", "cannot_coexist")
    assert "runs once" in found.verdict.headline
    assert steps(found)[0] == "keep_prompt"
    takes = [one.what for one in found.verdict.takes if one.towards == "pilot"]
    assert takes[0] == "A bill that repays the work, or another target counted and missed."


def test_a_small_bill_refutes_the_reason_cost() -> None:
    few = {"consistent_behavior": "no", "cost_optimization": "yes"}
    case = deep(CANDIDATE, **MONEY, factors=few)  # four reasons, cost among them
    found = judged(case)
    assert found.verdict.outcome == "fine_tune_candidate"
    assert found.verdict.answer == "not_yet"
    assert rules(found)[0] == "refuted"
    assert "the whole bill is $152 a month" in found.verdict.headline
    large = {**MONEY, "economics": {**MONEY["economics"], "traffic": {
        "requests_per_month": 20_000_000, "input_tokens": 3000, "output_tokens": 10}}}  # fmt: skip
    assert "refuted" not in rules(judged(deep(CANDIDATE, **large, factors=few)))


MISSED: dict[str, Any] = {
    "targets": {"quality": {"metric": "f1", "at_least": 0.9}, "latency_p95_s": 0.3},
    "today": {"quality": 0.6, "cases": 900, "latency_p95_s": 0.9},
}


def test_a_dead_end_of_the_count_is_a_pilot_and_an_untried_simpler_way_none() -> None:
    weak = {"brand_voice": "no", "domain_knowledge": "no"}
    case = deep(CANDIDATE, **MISSED, factors=weak, data={"examples": 4000})
    found = judged(case)
    assert found.verdict.outcome == "improve_rag_or_switch_model"
    assert (found.verdict.answer, rules(found)) == ("pilot", ["dead_end"])
    untried = deep(case, ceiling={"foundation_models": "unknown"})
    assert judged(untried).verdict.answer == "not_yet"
    off = load_framework({"name": "own", "extends": "lesson", "judgement": {
        "need": {"says": "only this one"}}})  # fmt: skip
    assert judged(case, off).verdict.answer == "not_yet"  # the rule is off


def test_what_is_cheaper_and_untried_comes_before_a_pilot() -> None:
    varies = {"signals": {"inconsistent_format": "yes"}, "data": {"examples": 4000}}
    found = judged(deep({**CANDIDATE, "goals": ["format"]}, **varies))
    assert (found.verdict.answer, rules(found)) == ("pilot", ["cheaper_first"])
    assert steps(found)[0] == "constrained_output"
    assert steps(found)[-1] == "instruction_tuning"


def gain(outcome: str, value: float, low: float, high: float) -> Evidence:
    return Evidence(
        id="tuned_gain", value=value, low=low, high=high, unit="share of cases", n=400,
        clusters=400, source="verify", method="paired", observed_on=DAY,
        details={"outcome": outcome, "why": "task", "margin": 0.0},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("outcome", "ends", "answer"),
    [
        ("improved", (0.08, 0.04, 0.12), "yes"),
        ("no_gain", (0.0, -0.02, 0.0), "no"),
        ("regressed", (-0.08, -0.12, -0.04), "no"),
        ("too_few_cases", (0.02, -0.04, 0.08), "pilot"),
    ],
)
def test_a_comparison_on_untouched_cases_goes_before_everything(
    outcome: str, ends: tuple[float, float, float], answer: str
) -> None:
    found = judged(CANDIDATE, tuned_gain=gain(outcome, *ends))
    assert found.verdict.answer == answer
    assert ("proven" in rules(found)) == (answer != "pilot")
    assert found.verdict.basis.measured == (answer != "pilot")  # else it rests on what is stated
    assert found.verdict.outcome == "fine_tune_candidate"  # the count is the lesson's, whatever


@pytest.mark.parametrize(("source", "meets"), [("log.jsonl", {"weak"}), ("ceiling lab: a", set())])
def test_what_is_scored_counts_for_the_model_in_use_and_a_labs_best_arm_is_not_in_use(
    source: str, meets: set[str]
) -> None:
    models = [{"id": name, "usd_per_mtok": {"input": 1, "output": 2}} for name in ("weak", "good")]
    traffic = {"requests_per_month": 1_000, "input_tokens": 1_000, "output_tokens": 100}
    wanted = {"quality": {"metric": "accuracy", "at_least": 0.9}}
    case = {"name": "Intents", "goals": ["classification"], "targets": wanted, "models": models}
    case = deep(case, economics={"traffic": traffic})
    share = Evidence(
        id="success_share", value=0.98, low=0.95, high=0.995, unit="share of cases", n=300,
        clusters=300, source=source, method="exact", observed_on=DAY, factor="today.quality",
    )  # fmt: skip
    money = judged(case, success_share=share).investment
    assert not isinstance(money, Unknown)
    assert not isinstance(money.computed, Unknown)
    admissible = {way.model: way.admissible for way in money.computed.servings if not way.tuned}
    assert {name for name, state in admissible.items() if state == "yes"} == meets


def test_a_proof_does_not_pass_the_gate_of_safety() -> None:
    unsafe = deep(CANDIDATE, safety={"data_reviewed": "no"})
    found = judged(unsafe, tuned_gain=gain("improved", 0.08, 0.04, 0.12))
    assert found.verdict.answer == "not_yet"
    assert "proven" not in rules(found)


def test_a_contradicted_success_holds_a_pilot_up() -> None:
    found = judged(deep(CANDIDATE, factors={"success_with_prompts": "yes"}))
    assert "success_with_ceiling_reached" in {item.id for item in found.challenges}
    assert found.verdict.answer in ("not_yet", "open")


# Laws ------------------------------------------------------------------------------------------

STATE = st.sampled_from(["yes", "no", "unknown"])
RANDOM = st.fixed_dictionaries(
    {
        "goals": st.lists(st.sampled_from(sorted(LESSON.goals)), unique=True, max_size=3),
        "ceiling": st.fixed_dictionaries(dict.fromkeys(LESSON.ceiling, STATE)),
        "signals": st.fixed_dictionaries(dict.fromkeys(LESSON.signals, STATE)),
        "factors": st.fixed_dictionaries(dict.fromkeys(LESSON.factors, STATE)),
    },
    optional={
        "targets": st.fixed_dictionaries(
            {},
            optional={
                "quality": st.just({"metric": "f1", "at_least": 0.9}),
                "latency_p95_s": st.sampled_from([0.5, 4]),
                "usd_per_month": st.sampled_from([50, 9000]),
            },
        ),
        "today": st.fixed_dictionaries(
            {},
            optional={
                "quality": st.sampled_from([0.5, 0.9, 0.97]),
                "cases": st.just(800),
                "latency_p95_s": st.just(1.5),
                "retrieval_recall": st.sampled_from([0.5, 0.95]),
                "api": st.sampled_from(["own", "third_party"]),
            },
        ),
        "economics": st.sampled_from(
            [MONEY["economics"], {"traffic": {"requests_per_month": 300}}]
        ),
        "models": st.just(MONEY["models"]),
        "data": st.fixed_dictionaries({}, optional={"examples": st.sampled_from([0, 300, 9000])}),
        "safety": st.fixed_dictionaries({"data_reviewed": STATE, "process_named": STATE}),
    },
)


Pairs = dict[str, Callable[[Dossier], bool]]


def helps_of(found: Dossier) -> Mapping[str, str]:
    """What each option, and each family of options, is judged."""
    listed = () if isinstance(found.options, Unknown) else found.options
    helps = {o.variant_of: o.helps for o in reversed(listed) if o.variant_of != "none"}
    return helps | {option.id: option.helps for option in listed}


def advice(found: Dossier) -> Recommendation:
    assert not isinstance(found.recommendation, Unknown)
    return found.recommendation


def first_step_is_one(found: Dossier) -> bool:
    first = advice(found).steps[0]
    named = first.because[:-1] if first.option == "measure" else first.title
    told = found.verdict.answer == "no" and first.option == "keep_prompt"
    in_headline = told or named.lower() in found.verdict.headline.lower()
    return (found.verdict.next, found.reach.first_steps[0], in_headline) == (
        advice(found).says, first.option, True)  # fmt: skip


def steps_help(found: Dossier) -> bool:
    helps = helps_of(found)
    return all(helps.get(step.option, "yes") in ("yes", "partly") for step in advice(found).steps)


def plan_follows(found: Dossier) -> bool:
    if isinstance(found.plan, Unknown):
        return True
    tunes = (found.plan.aim == "tune") == (found.verdict.answer in ("pilot", "yes"))
    text = " ".join(step.lower() for phase in found.plan.phases for step in phase.steps)
    no = [o for o in LESSON.options if LESSON.options[o].variant_of == "better_retrieval"
          and helps_of(found).get(o) == "no"]  # fmt: skip
    return tunes and not any(f"{name.replace('_', ' ')}: " in text for name in no)


def a_pilot_is_possible(found: Dossier) -> bool:
    if found.verdict.answer not in ("pilot", "yes"):
        return advice(found).choice not in ("fine_tune", "both")
    listed = () if isinstance(found.options, Unknown) else found.options
    return (
        advice(found).choice in ("fine_tune", "both")
        and any(o.kind == "tuning" and o.helps != "no" for o in listed)
        and all(gate.state != "no" for gate in found.verdict.gates if gate.id != "strength")
        and not all(each.state == "met" for each in found.targets.values())
    )


def departs_are_told(found: Dossier) -> bool:
    """Another answer than the count's has a rule, or a gate or option that holds it up."""
    default = {"fine_tune_candidate": "pilot", "undecided": "open"}.get(
        found.verdict.outcome, "not_yet"
    )
    held_up = (default, found.verdict.answer) == ("pilot", "not_yet")
    alike = found.verdict.outcome == "undecided"  # every outcome that is left has that answer
    told = bool(found.verdict.departs) or held_up or alike
    return found.verdict.answer == default or told


def targets_agree(found: Dossier) -> bool:
    missed = {name for name, each in found.targets.items() if each.state == "missed"}
    met = not missed and "every target is met" in found.verdict.headline
    listed = () if isinstance(found.options, Unknown) else found.options
    known = {name for name, each in found.targets.items() if each.state != "unknown"}
    false = any(
        "is missed, and it moves something else" in o.because and known and not missed
        for o in listed
    )
    return not false and (not met or "missed" not in {found.targets[n].state for n in known})


def reach_holds(found: Dossier) -> bool:
    """The answer is within reach, and what alone would change it isn't said to change nothing."""
    answer, answers = found.verdict.answer, found.reach.answers
    states = {n: f.state for n, f in found.factors.items()} | {
        n: c.state for n, c in found.ceiling.checks.items()}  # fmt: skip
    turns = any(states.get(name) == "unknown" for name in found.verdict.basis.turning)
    closed = answer != "open" and len(answers) == 1
    return (answer == "open" or answer in answers) and not (closed and turns)


def basis_counts(found: Dossier) -> bool:
    basis = found.verdict.basis
    known = [one.source for one in found.factors.values() if one.state != "unknown"]
    known += [one.source for one in found.ceiling.checks.values() if one.state != "unknown"]
    same = basis.measured + basis.stated + basis.assumed == len(known)
    return same and len(basis.turning) <= basis.flips


def contradictions_counted(found: Dossier) -> bool:
    heavy = sum(item.severity == "contradiction" for item in found.challenges)
    return ("to settle." in found.verdict.headline) == bool(heavy)


def refuted_is_beside(found: Dossier) -> bool:
    """What the count counts and the judgement doesn't is told beside the count, and only there."""
    refuted = any(item.rule == "refuted" for item in found.verdict.departs)
    return ("which counts" in found.verdict.summary) == refuted


def takes_fit(found: Dossier) -> bool:
    towards = {take.towards for take in found.verdict.takes}
    return ("pilot" in towards) <= (found.verdict.answer not in ("pilot", "yes"))


def signs_are_confirmed(found: Dossier) -> bool:
    return all(
        not sign.confirm or (sign.state, sign.source != "measured") == ("yes", True)
        for sign in found.signals.values()
    )


def finality_is_of_the_count(found: Dossier) -> bool:
    kinds = {item.id for item in found.verdict.caveats}
    words = ("justified", "go ahead", "final")
    bold = any(word in found.verdict.headline.lower() for word in words)
    return ("open_after_final" not in kinds or found.verdict.final) and not (
        bold and found.verdict.answer != "yes"
    )


def what_is_missed_is_not_looked_for(found: Dossier) -> bool:
    """A plan doesn't look for a target that the prompt misses where the page says which are."""
    missed = any(target.state == "missed" for target in found.targets.values())
    phases = () if isinstance(found.plan, Unknown) else found.plan.phases
    return not (missed and any("find a target" in phase.title for phase in phases))


def never_is_said(found: Dossier) -> bool:
    """A pilot that doesn't pay back in money has the reason in the headline."""
    money = None if isinstance(found.investment, Unknown) else found.investment
    never = money is not None and money.break_even_months.point == "never"
    inside = found.factors["data_sovereignty"].state == "yes"
    told = "never pays back in money" in found.verdict.headline
    return told == (found.verdict.answer == "pilot" and never and inside)


def proof_for_a_yes(found: Dossier) -> bool:
    return (found.verdict.answer == "yes") <= ("proven" in rules(found))


def open_answers_counted(found: Dossier) -> bool:
    """The headline counts what nobody answered."""
    many = [state for _, state in rooms(found).values()].count("unknown")
    said = re.search(r"it depends on (\w+) open answer", found.verdict.headline)
    words = ("", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    return said is None or said[1] == dict(enumerate(words)).get(many, str(many))


def met_is_kept(found: Dossier) -> bool:
    """Where nothing is missing, nothing comes before keeping the prompt."""
    return "need" not in rules(found) or steps(found)[0] == "keep_prompt"


PAIRS: Pairs = {
    "headline, next step, recommendation and reach name one first step": first_step_is_one,
    "steps and options: no option that doesn't help is sent to": steps_help,
    "answer and plan: tuning is planned for a pilot, and nothing judged no": plan_follows,
    "answer, gates, options and targets: a pilot is possible": a_pilot_is_possible,
    "answer and count: another answer than the count's says why": departs_are_told,
    "headline, targets and options agree on what is missed": targets_agree,
    "answer and what open answers reach": reach_holds,
    "what it rests on and the sources of the answers": basis_counts,
    "headline and challenges count the same contradictions": contradictions_counted,
    "count and judgement: what is refuted is shown next to the count": refuted_is_beside,
    "answer and what it would take": takes_fit,
    "signs and what was measured of them": signs_are_confirmed,
    "final is the count, and no headline says so": finality_is_of_the_count,
    "a yes and its proof": proof_for_a_yes,
    "headline and money: a pilot that never pays back says so": never_is_said,
    "plan and targets: what is missed is not looked for": what_is_missed_is_not_looked_for,
    "headline and reasons count the same open answers": open_answers_counted,
    "answer and first step: a prompt that meets every target is kept": met_is_kept,
}
"""Statements of one page that could disagree, by what they are about."""


def holds(found: Dossier) -> None:
    """No two statements of a page disagree, whatever the case says."""
    assert [pair for pair, agrees in PAIRS.items() if not agrees(found)] == []


def test_every_pair_that_can_disagree_is_written_down() -> None:
    text = (PROJECT / "docs" / "concepts" / "judgement.md").read_text(encoding="utf-8")
    assert re.findall(r"^\* (?:\*\*)?(.+?)\.$", text.split("## Statements that could disagree")[1]
                      .split("\n## ")[0], re.MULTILINE) == [
        f"{pair[0].upper()}{pair[1:]}" for pair in PAIRS
    ]  # fmt: skip


@given(RANDOM)
def test_no_dossier_contradicts_itself(case: dict[str, Any]) -> None:
    holds(judged({"name": "random", **case}))


@pytest.mark.parametrize("path", GALLERY, ids=lambda path: path.parent.name)
def test_no_case_of_the_gallery_contradicts_itself(path: Path) -> None:
    case = load_case(path)
    found = decide(case, framework_of(case), as_of=DAY)
    holds(found)
    assert headline(found) == found.verdict.headline


def rooms(found: Dossier) -> dict[str, tuple[str, State]]:
    """Room and state of every check and factor."""
    checks = {name: ("ceiling", check.state) for name, check in found.ceiling.checks.items()}
    return checks | {name: ("factors", factor.state) for name, factor in found.factors.items()}


def said_truly(before: Dossier, name: str, state: State, after: Sequence[Dossier]) -> bool:
    """What one answer alone changes is what was said of it, and an open one stays within reach."""
    answers = {found.verdict.answer for found in after}
    turns = answers != {before.verdict.answer}
    told = answers <= {*before.reach.answers, "open"} or state != "unknown"
    return told and turns == (name in before.verdict.basis.turning)


@given(RANDOM, st.integers(0, 10**6))
def test_an_answer_turns_exactly_what_it_is_said_to_turn(case: dict[str, Any], seed: int) -> None:
    before = judged({"name": "random", **case})
    name, (room, state) = sorted(rooms(before).items())[seed % len(rooms(before))]
    others = (to for to in ("yes", "no") if to != state)
    after = [judged({"name": "random", **deep(case, **{room: {name: to}})}) for to in others]
    assert said_truly(before, name, state, after), (name, before.verdict.headline)


DRAWS = money_investment.RememberedDraws()


def supposed(path: Path, **answers: str) -> Dossier:
    """The dossier of a case with other answers, as a what-if."""
    case = load_case(path)
    if answers:
        text = path.read_text(encoding="utf-8")
        case = interview_answers.type_in(text, path, answers, framework_of).supposed
    return decide(case, framework_of(case), as_of=DAY, draw=DRAWS)


@pytest.mark.parametrize("path", GALLERY, ids=lambda path: path.parent.name)
def test_what_a_case_of_the_gallery_says_of_one_answer_is_so(path: Path) -> None:
    before, first = supposed(path), []
    for name, (_, state) in rooms(before).items():
        after = [supposed(path, **{name: to}) for to in ("yes", "no") if to != state]
        assert said_truly(before, name, state, after), name
        was = before.verdict.answer, steps(before)[0]
        first += [name for one in after if (one.verdict.answer, steps(one)[0]) != was][:1]
    assert len(first) == before.verdict.basis.flips


DOES: dict[str, dict[str, str]] = {
    "the data isn't reviewed": {"safety.data_reviewed": "yes"},
    "no process is named": {"safety.process_named": "yes"},
    "strategic value is": {"strategic_value": "high"},
    "is left to pay": {"economics.monthly.quality_value_usd": "20000"},
    "the service ended": {"tuning.until": "2028-01-01"},
    "preference pairs": {"data.preference_pairs": "20000"},
    "documents, ": {"data.documents": "200000"},
    "examples, ": {"data.examples": "20000"},
    "What contradicts": {"today.api": "own", "tuning.service": "self_hosted"},
    "measured and missed": {"targets.quality.at_least": "0.97", "today.quality": "0.5",
                            "today.cases": "300"},
}  # fmt: skip
"""What does a part of what it would take."""


def does(found: Dossier) -> Iterator[tuple[str, str]]:
    """Answers that do all of what it would take to get to a pilot."""
    every, listed = rooms(found), () if isinstance(found.options, Unknown) else found.options
    for says in (take.what for take in found.verdict.takes if take.towards == "pilot"):
        pro = [n for n, f in found.factors.items() if f.kind == "indicator" and f.state != "yes"]
        free = [name for name in pro if name not in ("cost_optimization", "data_sovereignty")]
        con = [n for n, f in found.factors.items() if f.kind == "anti_indicator"]
        if "checks done" in says:
            yield from ((name, "yes") for name, (room, _) in every.items() if room == "ceiling")
        if "more reason" in says:
            many = ["One", "Two", "Three", "Four"].index(says.split()[0]) + 1
            yield from ((name, "yes") for name in (free + pro)[:many])
        if "More reasons" in says:
            yield from ((name, "yes") for name in free)
        if "cleared" in says or "answered no" in says:
            wanted = "yes" if "cleared" in says else "unknown"
            yield from ((name, "no") for name in con if every[name][1] == wanted)
        if " tried, and" in says:
            names = ", ".join(o.id for o in listed if o.helps == "yes" and o.kind != "tuning")
            yield "attempts", f"[{{name: all, tried: [{names}]}}]"
        yield from (pair for part, pairs in DOES.items() if part in says for pair in pairs.items())


@pytest.mark.parametrize("path", GALLERY, ids=lambda path: path.parent.name)
def test_doing_what_it_would_take_gets_to_a_pilot(path: Path) -> None:
    before = supposed(path)
    if answers := dict(does(before)):
        after = supposed(path, **answers)
        assert after.verdict.answer == "pilot", (before.verdict.takes, after.verdict.headline)
    else:
        assert before.verdict.answer in ("pilot", "yes")


# The expert cases ------------------------------------------------------------------------------


@pytest.mark.skipif(not EXPERT.is_dir(), reason="the shared materials are not beside this project")
def test_expert_cases_get_the_answer_and_the_first_step_that_an_engineer_signs() -> None:
    every = yaml.safe_load((EXPERT / "expected.yaml").read_text(encoding="utf-8"))
    wanted = [row for row in every if row["id"][0] in "cx"]  # the ones it was built beside
    answers = firsts = 0
    for one in wanted:
        case = load_case(EXPERT / one["id"])
        found = decide(case, framework_of(case), as_of=date(2026, 11, 26))
        holds(found)
        allowed = ["no" if answer is False else answer for answer in one["answer"]]
        answers += found.verdict.answer in allowed
        firsts += steps(found)[0] in one["first"]
        assert steps(found)[0] not in one["never"], one["id"]
    assert len(wanted) == 14
    assert answers >= 13
    assert firsts >= 12


# What a person and a script read ------------------------------------------------------------------


def test_a_script_may_require_an_answer(capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(PROJECT / "examples" / "first-idea")
    codes = [run(["decide", folder, "--require", answer]) for answer in ("no", "not_yet", "yes")]
    assert codes == [1, 1, 1]
    pilot = str(PROJECT / "examples" / "task-api")
    assert run(["decide", pilot, "--require", "pilot"]) == 0
    assert run(["decide", pilot, "--require", "yes"]) == 1
    capsys.readouterr()


def test_names_of_models_in_a_log_are_no_comparison() -> None:
    """Two sizes of one maker, by routing, answer no check; scores of two makers do."""
    case = {"name": "x", "ceiling": {"foundation_models": "no"}}
    counted: dict[str, Any] = {
        "unit": "models", "n": 900, "source": "log", "method": "counted", "low": 2, "value": 2,
        "high": "open", "observed_on": DAY,
    }  # fmt: skip
    seen = judged(case, models_seen=Evidence(id="models_seen", **counted))
    assert seen.ceiling.checks["foundation_models"].state == "no"
    counted["high"] = 2  # a test counts, a log is open upwards
    scored = judged(case, families_scored=Evidence(id="families_scored", **counted))
    assert scored.ceiling.checks["foundation_models"].source == "measured"


def test_every_step_says_why_when_to_stop_and_how() -> None:
    for path in GALLERY:
        case = load_case(path)
        found = decide(case, framework_of(case), as_of=DAY)
        assert not isinstance(found.recommendation, Unknown)
        for step in found.recommendation.steps:
            assert step.because.endswith((".", "?"))
            assert step.stop_when
            assert step.command.startswith("tuneworthy ")


def test_what_a_page_says_in_its_middle_fits_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A column without an entry, a bill that is met and a name that is spelled in two ways."""
    case = deep(
        CANDIDATE,
        goals=["knowledge"],
        factors={"cost_optimization": "yes", "latency_requirements": {"value": "yes", "now": "no"}},
        targets={"usd_per_month": 900},
        today={"usd_per_month": 200},
        attempts=[{"name": "four models"}],
        data={"examples": 0},
    )
    found = judged(case)
    assert helps_of(found)["batching"] == "no"
    assert (
        "supervised fine-tuning takes" in {g.id: g.why for g in found.verdict.gates}["feasibility"]
    )
    (tmp_path / "case.yaml").write_text(yaml.safe_dump(case), encoding="utf-8")
    assert run(["decide", str(tmp_path)]) == 0
    page = capsys.readouterr().out
    assert "four models" in page
    assert "What came of it" not in page
    assert "The answer about latency counts, and doesn't hold yet." in page
