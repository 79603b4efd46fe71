"""The gallery: every case folder under examples/ against the verdict somebody wrote by hand.

``expected.yaml`` is worked out on paper from the lesson (or from the case's own framework) and is
never regenerated: where it and the tool differ, one of the two is wrong.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tuneworthy import Case, decide, load_case, load_framework, verdicts
from tuneworthy.model.framework import OUTCOMES
from tuneworthy.pipeline import framework_of
from tuneworthy.verdict.challenges import ALL

GALLERY = Path(__file__).resolve().parents[2] / "examples"
SLUGS = sorted(path.parent.name for path in GALLERY.glob("*/case.yaml"))
AS_OF = date(2026, 11, 24)
CHALLENGES = frozenset(rule.id for rule in ALL)
ROUNDED = 0.005  # expected.yaml is written to two digits behind the point

GOALS = set(load_framework("lesson").goals)
KEYS = {
    "why", "outcome", "final", "answer", "rule", "first", "leaning", "counts", "score",
    "score_band", "difference", "difference_band", "strength", "gates", "break_even_months",
    "stages", "challenges",
}  # fmt: skip


@cache
def case_of(slug: str) -> Case:
    return load_case(GALLERY / slug)


@cache
def dossier(slug: str) -> Any:
    """The case's dossier as plain values, under its own framework or the lesson."""
    case = case_of(slug)
    return decide(case, framework_of(case), as_of=AS_OF).to_dict()


@cache
def expected(slug: str) -> Any:
    """What was worked out by hand; YAML's own yes and no become words again."""
    return _words(
        yaml.safe_load((GALLERY / slug / "expected.yaml").read_text(encoding="utf-8"))
    )


def _words(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return {key: _words(inner) for key, inner in value.items()}
    return [_words(inner) for inner in value] if isinstance(value, list) else value


def agrees(told: Any, written: Any) -> bool:
    """A number to two digits, a range end by end, a word to the letter."""
    if isinstance(written, dict):
        return (
            isinstance(told, dict)
            and set(told) == set(written)
            and all(agrees(told[key], written[key]) for key in written)
        )
    if isinstance(written, int | float) and isinstance(told, int | float):
        return bool(abs(told - written) <= ROUNDED + 1e-9)
    return bool(told == written)


def said(found: Any) -> dict[str, Any]:
    """The parts of a dossier that ``expected.yaml`` speaks of, under its names."""
    verdict, rules, investment = found["verdict"], found["rules"], found["investment"]
    known = not investment.get("unknown")
    return {
        "outcome": verdict["outcome"],
        "final": "yes" if verdict["final"] else "no",
        "answer": {False: "no", True: "yes"}.get(verdict["answer"], verdict["answer"]),
        "first": found["recommendation"]["steps"][0]["option"],
        "rule": verdict["rule"],
        "leaning": verdict["leaning"],
        "counts": found["counts"],
        "score": rules["score"]["value"],
        "score_band": rules["score"]["band"],
        "difference": rules["difference"]["value"],
        "difference_band": rules["difference"]["band"],
        "strength": found["strength"],
        "gates": {gate["id"]: gate["state"] for gate in verdict["gates"]},
        "break_even_months": investment["break_even_months"]["point"]
        if known
        else "unknown",
        "stages": [stage["outcome"] for stage in found["stages"]],
    }


def fired(slug: str) -> set[str]:
    return {one["id"] for one in dossier(slug)["challenges"]}


@pytest.mark.slow
@pytest.mark.parametrize("slug", SLUGS)
def test_the_verdict_is_the_one_worked_out_by_hand(slug: str) -> None:
    written, told = expected(slug), said(dossier(slug))
    wrong = {
        key: {"tool": told[key], "by hand": written[key]}
        for key in told.keys() & written.keys()
        if not agrees(told[key], written[key])
    }
    assert wrong == {}


@pytest.mark.slow
@pytest.mark.parametrize("slug", SLUGS)
def test_exactly_the_expected_challenges_fire(slug: str) -> None:
    written = expected(slug)["challenges"]
    assert fired(slug) == set(written["fire"])
    assert fired(slug).isdisjoint(written["not"])


@pytest.mark.parametrize("slug", SLUGS)
def test_expectations_are_whole(slug: str) -> None:
    written = expected(slug)
    assert set(written) | {"leaning"} == KEYS
    assert ("leaning" in written) == (written["outcome"] == "undecided")
    assert len(written["why"]) > 40
    named = [*written["challenges"]["fire"], *written["challenges"]["not"]]
    assert set(named) <= CHALLENGES
    assert len(named) == len(set(named))


@pytest.mark.slow
@pytest.mark.parametrize("slug", SLUGS)
def test_equal_inputs_give_equal_bytes(slug: str) -> None:
    first, again = (load_case(GALLERY / slug), load_case(GALLERY / slug / "case.yaml"))
    told = [
        decide(case, framework_of(case), as_of=AS_OF).to_json()
        for case in (first, again)
    ]
    assert told[0] == told[1]


@pytest.mark.parametrize("slug", SLUGS)
def test_the_batch_form_says_the_same(slug: str) -> None:
    case = case_of(slug)
    (quickly,) = verdicts([case], framework_of(case))
    assert quickly.outcome == dossier(slug)["verdict"]["outcome"]
    assert quickly.final == dossier(slug)["verdict"]["final"]
    shares = dossier(slug)["distribution"]
    assert quickly.distribution == pytest.approx(
        {o: shares[o] for o in quickly.distribution}
    )


@pytest.mark.parametrize("slug", SLUGS)
def test_data_a_case_names_lie_beside_it(slug: str) -> None:
    """But for the case whose point is that they don't."""
    assert ("data_missing" in fired(slug)) == (slug == "newsroom")


# What the gallery covers ------------------------------------------------------------------------


def test_the_gallery_is_large_enough_and_whole() -> None:
    assert len(SLUGS) >= 16
    assert {path.name for path in GALLERY.iterdir() if path.is_dir()} == set(SLUGS)
    assert all((GALLERY / slug / "expected.yaml").is_file() for slug in SLUGS)


def test_every_outcome_is_shown() -> None:
    shown = {expected(slug)["outcome"] for slug in SLUGS}
    assert shown == {*OUTCOMES, "undecided"}


def test_every_rule_is_shown() -> None:
    """A proof takes a measurement, and an end takes that all was tried: no case here has them."""
    shown = {expected(slug)["rule"] for slug in SLUGS}
    assert shown == {*load_framework("lesson").judgement, "no_target"} - {
        "proven",
        "nothing_left",
    }


def test_every_goal_is_primary_somewhere() -> None:
    assert {case_of(slug).goals[0] for slug in SLUGS if case_of(slug).goals} == GOALS


def test_every_gate_is_shown_in_every_state() -> None:
    shown = {
        (gate, state)
        for slug in SLUGS
        for gate, state in expected(slug)["gates"].items()
    }
    names = ("feasibility", "safety", "investment")
    assert shown == {
        (name, state) for name in names for state in ("yes", "no", "unknown")
    }


@pytest.mark.parametrize(
    "name",
    # No example's files go stale (test_evidence); of the others test_challenges has a pair.
    sorted(
        {*CHALLENGES}
        - {"evidence_changed", "evaluation_gap", "two_figures_for_what_runs"}
    ),
)
def test_every_challenge_fires_somewhere_and_is_silent_somewhere(name: str) -> None:
    firing = [slug for slug in SLUGS if name in expected(slug)["challenges"]["fire"]]
    assert firing, (
        f"let an examples/*/case.yaml show it, and list {name} there under fire"
    )
    assert len(firing) < len(SLUGS), "let a case of the gallery not show it"
    silent = any(name in expected(slug)["challenges"]["not"] for slug in SLUGS)
    assert silent, (
        f"list {name} under not in an examples/*/expected.yaml where it doesn't fire"
    )


def test_the_hard_corners_are_in_it() -> None:
    months = {slug: expected(slug)["break_even_months"] for slug in SLUGS}
    assert 6.0 in months.values()  # not under six
    assert "never" in months.values()
    assert any(isinstance(m, dict) and m["high"] == "open" for m in months.values())
    assert any(case_of(slug).model_fields_set == {"name"} for slug in SLUGS)
    assert any(len(expected(slug)["challenges"]["fire"]) >= 20 for slug in SLUGS)


def test_own_frameworks_are_in_it() -> None:
    own = {
        slug: framework_of(case_of(slug)) for slug in SLUGS if case_of(slug).framework
    }
    lesson = load_framework("lesson")
    assert any(len(one.factors) > len(lesson.factors) for one in own.values())
    assert any(one.tree != lesson.tree for one in own.values())
    assert any(one.thresholds != lesson.thresholds for one in own.values())
    assert all(one.scoring.weights == "counted" for one in own.values())
    assert any(
        isinstance(f.weight, float)
        for one in own.values()
        for f in one.factors.values()
    )
    assert own


def test_the_guide_lists_every_case_with_its_verdict() -> None:
    text = (GALLERY.parent / "docs" / "guides" / "gallery.md").read_text(
        encoding="utf-8"
    )
    rows = [line for line in text.splitlines() if line.startswith("| [")]
    listed = {row.split("](../../examples/")[1].split(")")[0]: row for row in rows}
    assert set(listed) == set(SLUGS)
    for slug, row in listed.items():
        assert f"`{expected(slug)['outcome']}`" in row
        assert f"`{expected(slug)['answer']}`" in row


@pytest.mark.parametrize("slug", SLUGS)
def test_whether_it_pays_is_said_once(slug: str) -> None:
    """The section about money says what the gate says."""
    found = dossier(slug)
    gates = {gate["id"]: gate for gate in found["verdict"]["gates"]}
    money = found["investment"]
    if "justified" in money:
        pays = {"id": "investment", "state": money["justified"], "why": money["why"]}
        assert gates["investment"] == pays
