"""A published figure of a tuned model: shown with its date, and never taken for a measurement."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from internals import (
    TUNED,
    Z95,
    Evidence,
    Unknown,
    figures,
    html,
    markdown,
    models_text,
    prepare,
    quoted,
    reach,
    report_text,
    serving_costs,
    short,
)
from internals import lab_ceiling as api
from internals import run as command
from lab_world import folder_of, known
from tuneworthy import Case, CaseError, Dossier, decide, load_case, load_framework

AS_OF = date(2026, 11, 24)
LESSON = load_framework("lesson")
PAPER: dict[str, Any] = {
    "metric": "exact match", "quality": 0.9366, "cases": 3080,
    "source": "Somebody et al. 2020, table 3", "dated": "2020-03-10",
}  # fmt: skip
SHARES = {"careful": 0.7, "Answer the question": 0.4}
TEAM: dict[str, Any] = {
    "goals": ["classification"],
    "ceiling": dict.fromkeys(LESSON.ceiling, "yes"),
    "factors": dict.fromkeys(
        ("consistent_behavior", "domain_knowledge", "latency_requirements", "cost_optimization"),
        "yes",
    )
    | dict.fromkeys(
        ("brand_voice", "data_sovereignty", "low_volume", "rapidly_changing_requirements",
         "exploration_phase", "insufficient_data"), "no",
    ),
}  # fmt: skip
"""A team whose answers make it a candidate, whatever the lab finds."""


def paper(**other: Any) -> dict[str, Any]:
    return {"id": "a paper's model", "kind": "tuned", "published": PAPER | other}


def lab(
    folder: Path, *models: dict[str, Any], target: float | None = 0.9, n: int = 120
) -> tuple[api.CeilingRun, int]:
    """A lab's result, and how many calls were sent for it."""
    more = "".join(f"{name}: {json.dumps(value)}\n" for name, value in TEAM.items())
    told = json.dumps([{"id": "fake:one"}, *models])
    folder_of(folder, models=told, target=target, more=more, n=n)
    fake = known(SHARES)
    return api.run(prepare(folder, as_of=AS_OF), cap_usd=0, transport=fake), fake.sent


def judged(*models: dict[str, Any], target: float = 0.9, today: float | None = None) -> Dossier:
    """A dossier without a lab; ``today`` is the quality of 400 cases."""
    told: dict[str, Any] = {
        "name": "x", "targets": {"quality": {"at_least": target}}, "models": list(models), **TEAM,
    }  # fmt: skip
    if today is not None:
        told["today"] = {"quality": today, "cases": 400}
    return decide(load_case(told), LESSON, as_of=AS_OF)


def tuning(dossier: Dossier) -> Any:
    assert not isinstance(dossier.options, Unknown)
    return next(one for one in dossier.options if one.kind == "tuning" and one.id != "hybrid")


def caveat(dossier: Dossier) -> str:
    found = [one.says for one in dossier.verdict.caveats if one.id == "published_figure"]
    return found[0] if found else ""


# It is no arm -------------------------------------------------------------------------------------


def test_a_published_figure_changes_nothing_that_the_lab_measures(tmp_path: Path) -> None:
    without, sent = lab(tmp_path / "a")
    with_it, sent_with = lab(tmp_path / "b", paper())
    assert len(with_it.result.published) == 1
    same = with_it.result.model_copy(update={"published": (), "spend": without.result.spend})
    assert same == without.result
    assert sent_with == sent
    assert without.dossier.verdict.gates == with_it.dossier.verdict.gates


def test_its_interval_is_wilsons_by_its_share_and_cases() -> None:
    (one,) = figures(load_case({"name": "x", "models": [paper()]}))
    assert one.low < one.value < one.high
    for end in (one.low, one.high):  # Wilson's ends are the roots of this equation
        assert (one.value - end) ** 2 == pytest.approx(Z95**2 * end * (1 - end) / 3080, rel=1e-9)


def test_the_page_shows_it_under_the_arms_with_its_date_and_what_it_does_not_tell(
    tmp_path: Path,
) -> None:
    done, _ = lab(tmp_path, paper(), paper(quality=0.5) | {"id": "a second"})
    lines = api.render(done).splitlines()
    (at,) = (i for i, line in enumerate(lines) if line.startswith("  a paper's model (published"))
    board = next(i for i, line in enumerate(lines) if "majority" in line)
    assert at > board
    assert "0.94 (0.93–0.94)" in lines[at]
    page = " ".join(api.render(done).split())
    assert "(published, 10 Mar 2020, not measured here)" in page.replace(" 0.94 (0.93–0.94)", "")
    assert page.index("a paper's model (") < page.index("a second (published")
    assert "which meets the target 0.90 (Somebody et al. 2020, table 3)" in page
    assert "not what it would reach here" in page
    told = json.loads(api.render(done, "json"))
    assert [one["model"] for one in told["published"]] == ["a paper's model", "a second"]
    assert "a paper's model" not in {one["arm"]["model"] for one in told["arms"]}


def test_the_quote_says_that_it_is_not_called(tmp_path: Path) -> None:
    lab(tmp_path, paper())
    ready = prepare(tmp_path, as_of=AS_OF)
    page = api.render_quote(ready, quoted(ready))
    assert "Shown beside them as published, and not called: a paper's model" in page


def test_verify_refuses_a_figure_with_a_plain_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lab(tmp_path, paper())
    assert command(["verify", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "only published figures of tuned models, and a figure can't be called" in said
    assert "kind: tuned" in said


def test_a_lab_needs_a_model_that_can_be_called(tmp_path: Path) -> None:
    folder_of(tmp_path, models=json.dumps([paper()]))
    with pytest.raises(CaseError, match="names no models that can be called"):
        prepare(tmp_path, as_of=AS_OF)


def test_nothing_reaches_prices_or_serves_a_figure(tmp_path: Path) -> None:
    (model,) = load_case({"name": "x", "models": [paper()]}).models
    with pytest.raises(CaseError, match="nothing can be called"):
        reach(model)
    folder_of(tmp_path, models=json.dumps([paper()]))
    listed = models_text(tmp_path, as_of=AS_OF)
    assert "a published figure, no model to call" in listed
    assert "no price" not in listed.split("Endpoints")[0]
    money: dict[str, Any] = {
        "economics": {
            "traffic": {"requests_per_month": 1e6, "input_tokens": 500, "output_tokens": 50},
            "serving": {"gpu_usd_per_hour": 2, "requests_per_gpu_hour": 3600},
        },
        "tuning": {"service": "self_hosted"},
        "name": "x",
    }
    plain = {"id": "openai:gpt-4o"}
    one, other = (
        serving_costs(load_case({**money, "models": models}), {}, "no").costs
        for models in ([plain], [plain, paper()])
    )
    assert one == other
    tuned = [cost.option.model for cost in one if cost.option.tuned]
    assert tuned == [TUNED]  # nobody has listed one


# What follows from it -----------------------------------------------------------------------------


def test_a_target_that_prompts_miss_and_the_figure_meets_asks_for_a_pilot(tmp_path: Path) -> None:
    done, _ = lab(tmp_path, paper(), target=0.9)
    verdict, option = done.dossier.verdict, tuning(done.dossier)
    assert done.result.reached == "yes"
    assert {g.id: g.state for g in verdict.gates}["need"] == "yes"
    assert verdict.action == "pilot"
    assert done.result.published[0].meets == "yes"
    assert "meets the target 0.90" in caveat(done.dossier)
    assert "not what it would reach here" in caveat(done.dossier)
    assert option.moves["quality"].grade == "rule_of_thumb"  # of this case's own nobody knows


def test_a_target_that_prompts_meet_keeps_the_prompt_whatever_was_published(
    tmp_path: Path,
) -> None:
    done, _ = lab(tmp_path, paper(), target=0.4)
    verdict = done.dossier.verdict
    assert done.result.reached == "no"
    assert {g.id: g.state for g in verdict.gates}["need"] == "no"
    assert verdict.action == "keep_prompting"
    assert caveat(done.dossier) == ""
    page = " ".join(api.render(done).split())
    assert re.search(r"Fine-tune\? (no, as before|.+ before, no now)", page)


def test_another_target_is_judged_by_the_same_answers(tmp_path: Path) -> None:
    _, sent = lab(tmp_path, paper(), target=0.9)
    done, again = lab(tmp_path, paper(), target=0.4)
    assert sent > 100
    assert again == 0
    assert done.dossier.verdict.action == "keep_prompting"


def with_data(told_of: dict[str, Any], **more: Any) -> Dossier:
    data = {"data": {"examples": {"count": 5000, "usable": 5000}}}
    told = {"name": "x", "models": [paper(**more)], **TEAM, **data, **told_of}
    return decide(load_case(told), LESSON, as_of=AS_OF)


@pytest.mark.parametrize(
    ("target", "helps", "grade", "says"),
    [
        (0.92, "yes", "published_cases", "meets the target 0.92"),
        (0.93, "yes", None, "can't be told from the target 0.93"),  # the interval is 0.927–0.945
        (0.94, "yes", None, "can't be told from the target 0.94"),
        (0.97, "partly", None, "falls short of the target 0.97"),
    ],
)
def test_tuning_is_judged_by_where_the_whole_interval_lies(
    target: float, helps: str, grade: str | None, says: str
) -> None:
    goal = {
        "goals": ["format"], "signals": {"inconsistent_format": "yes"},
        "targets": {"quality": {"at_least": target}}, "today": {"quality": 0.7, "cases": 400},
    }  # fmt: skip
    found, plain = with_data(goal), with_data(goal | {"models": []})
    assert (tuning(found).helps, tuning(plain).helps) == (helps, "yes")
    assert tuning(found).grade == (grade or tuning(plain).grade)
    assert says in caveat(found)
    assert says in f"{tuning(found).because} {tuning(found).published}"


def test_a_figure_by_another_metric_is_held_against_no_target() -> None:
    told = {"quality": {"metric": "label", "at_least": 0.9}}
    for metric, held in (("Accuracy", True), ("label ", True), ("macro F1", False)):
        case = load_case({"name": "x", "targets": told, "models": [paper(metric=metric)]})
        (one,) = figures(case)
        assert isinstance(one.target, Unknown) is not held
        assert one.meets == ("yes" if held else "unknown")
    found = with_data({"targets": told}, metric="macro F1")
    assert "isn't compared with a target (the target is by label: find a figure" in caveat(found)


def test_without_a_target_nothing_is_met_or_missed(tmp_path: Path) -> None:
    done, _ = lab(tmp_path, paper(), target=None, n=40)
    (one,) = done.result.published
    assert (one.meets, isinstance(one.target, Unknown)) == ("unknown", True)
    assert "isn't compared with a target" in " ".join(api.render(done).split())


shares = st.floats(0, 1)


@given(shares, st.integers(1, 10**9), shares, st.sampled_from([None, 0.2, 0.7, 0.95]))
def test_no_published_figure_ever_settles_an_answer(
    value: float, cases: int, target: float, today: float | None
) -> None:
    told = judged(paper(quality=value, cases=cases), target=target, today=today)
    plain = judged(target=target, today=today)
    for part in ("ceiling", "signals", "factors", "counts", "rules", "strength", "distribution",
                 "bounds", "flips", "next_questions", "approaches", "investment"):  # fmt: skip
        assert getattr(told, part) == getattr(plain, part)
    for part in ("outcome", "final", "leaning", "action", "gates"):
        assert getattr(told.verdict, part) == getattr(plain.verdict, part)


@given(shares, st.integers(1, 10**9))
def test_a_published_figure_lies_in_its_own_interval(value: float, cases: int) -> None:
    (one,) = figures(load_case({"name": "x", "models": [paper(quality=value, cases=cases)]}))
    assert 0 <= one.low <= one.value <= one.high <= 1


def test_a_published_grade_in_the_ledger_settles_nothing_either() -> None:
    case = load_case({"name": "x", "targets": {"quality": {"at_least": 0.9}}, **TEAM,
                      "today": {"api": "own"}})  # fmt: skip
    for grade, state in (("measured", "yes"), ("published", "unknown")):
        one = Evidence.model_validate(
            {"id": "success_share", "value": 0.99, "low": 0.98, "high": 1.0, "n": 500,
             "unit": "share of cases", "grade": grade, "factor": "today.quality"}
        )  # fmt: skip
        found = decide(case, LESSON, as_of=AS_OF, evidence={"success_share": one})
        assert found.factors["success_with_prompts"].state == state


# How it is told -----------------------------------------------------------------------------------


def test_it_is_evidence_of_the_grade_published() -> None:
    dossier = judged(paper(), paper(quality=0.5) | {"id": "second"})
    assert not isinstance(dossier.evidence, Unknown)
    first, second = dossier.evidence
    assert (first.id, first.grade, first.role) == ("published_share", "published", "supports")
    assert (second.id, second.n, str(second.observed_on)) == (
        "published_share_2", 3080, "2020-03-10",
    )  # fmt: skip
    assert first.factor == ""
    assert first.source == PAPER["source"]


def test_no_report_calls_it_measured() -> None:
    dossier = judged(paper())
    assert "Measured" not in report_text.render(short(dossier))
    told = markdown(dossier)
    assert "Nothing was measured." in told
    assert "not measured here" in told
    assert "not what it would reach here" in told
    page = html(dossier)
    assert "Nothing was measured." in page
    assert "What others published, not measured here." in page
    assert judged().evidence != dossier.evidence


HOSTILE = "\x1b[31m<script>alert(1)</script> | x"


def test_a_hostile_name_stays_text(tmp_path: Path) -> None:
    model = paper(source=HOSTILE, metric="exact match") | {"id": HOSTILE}
    done, _ = lab(tmp_path, model, n=40)
    markup = (markdown(done.dossier), html(done.dossier))
    for page in (api.render(done), report_text.render(short(done.dossier)), *markup):
        assert "\x1b" not in page
    assert not any("<script>alert" in page for page in markup)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (paper() | {"kind": "prompted"}, "isn't tuned"),
        (paper() | {"base_url": "http://127.0.0.1:1/v1"}, "has base_url beside a published figure"),
        (paper() | {"quality": 0.9}, "has quality beside a published figure"),
        (paper(cases=0), "Use 1 or more"),
        (paper(quality=93.66), "Use 1 or less"),
        (paper(dated="soon"), "dated"),
        ({"id": "x", "kind": "tuned", "published": {"quality": 0.9}}, "metric"),
        (paper(n=3080), '"n" is not a key'),
    ],
)
def test_a_figure_that_is_none_is_refused_in_one_line(model: dict[str, Any], says: str) -> None:
    with pytest.raises(CaseError) as caught:
        load_case({"name": "x", "models": [model]})
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_case_keeps_its_figures_when_measurements_are_put_in(tmp_path: Path) -> None:
    done, _ = lab(tmp_path, paper(), n=60)
    assert done.result.published == figures(load_case(tmp_path))
    case = Case.model_validate(load_case(tmp_path).model_dump(exclude_defaults=True))
    assert [model.id for model in case.callable_models] == ["fake:one"]
