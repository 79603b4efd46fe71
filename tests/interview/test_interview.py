"""The interview's core: what it asks, what it writes, when it pushes back, when it is done."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import date
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import jsonschema
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from answering import answer_in, keep_both
from tuneworthy import Case, CaseError, Framework, decide, load_case, load_framework
from tuneworthy.cli import run
from tuneworthy.errors import ConflictError
from tuneworthy.files import case as files_case
from tuneworthy.files import disk as lock
from tuneworthy.framework import load as framework_load
from tuneworthy.framework import schema as framework_schemas
from tuneworthy.interview import pages as interview_pages
from tuneworthy.interview import questions as interview_questions
from tuneworthy.interview.questions import next_ask, part_asks
from tuneworthy.interview.start import start_case
from tuneworthy.model import base as model_base
from tuneworthy.model import interview as model_interview
from tuneworthy.syntax import edit as syntax_edit
from tuneworthy.syntax.document import parse
from tuneworthy.terminal import lines as terminal_lines
from tuneworthy.terminal.session import InterviewSession

AS_OF = date(2026, 11, 24)
COST, LOW = "factors.cost_optimization", "factors.low_volume"
CLASH = "cost_reason_with_low_volume"
FILES = ("eval.jsonl", "schema.json", "glossary.yaml", "prompts/a.md", "voice/a.md", "logs/a.jsonl",
         "map.yaml")  # fmt: skip
PATHS = {
    "data.traces": "logs/*.jsonl", "data.evaluation": "eval.jsonl", "data.prompts": "prompts",
    "data.trace_map": "map.yaml", "workload": "growing",
    "data.output_schema": "schema.json", "data.glossary": "glossary.yaml", "data.voice": "voice",
}  # fmt: skip


@cache
def lesson() -> Framework:
    return load_framework("lesson")


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A case in which nothing is answered, to be copied."""
    folder = tmp_path_factory.mktemp("begun") / "case"
    start_case(folder, "A case")
    for name in FILES:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("", encoding="utf-8")
    return folder


@pytest.fixture
def folder(begun: Path, tmp_path: Path) -> Path:
    """A case in which nothing is answered."""
    return shutil.copytree(begun, tmp_path / "case")


def say(
    folder: Path, ask: str, given: str, **more: Any
) -> model_interview.AnswerResult:
    return answer_in(folder, ask, given, as_of=AS_OF, **more)


def text_of(folder: Path) -> str:
    return (folder / "case.yaml").read_text("utf-8")


def told(case: Case) -> Any:
    """All that a case says, wherever it was read from."""
    return case.model_dump(mode="json")


def reset(folder: Path, text: str) -> None:
    (folder / "case.yaml").write_text(text, encoding="utf-8")


def some_answer(ask: model_interview.Ask) -> str:
    """An answer that fits a question."""
    if ask.id in PATHS:
        return PATHS[ask.id]
    if ask.id.endswith("usd_per_mtok"):
        return "2.50, 10"
    answers = {
        "state": "yes",
        "count": "7",
        "number": "0.5",
        "amount": "0.1-0.3",
        "text": "words",
    }
    if ask.kind in answers:
        return answers[ask.kind]
    return ask.choices[0].id


# What is asked ----------------------------------------------------------------------------------


def test_goals_are_asked_first_and_then_what_removes_most_doubt_for_its_time() -> None:
    case = load_case({"name": "x"})
    first = next_ask(case, lesson())
    assert first is not None
    assert (first.id, first.kind) == ("goals", "choices")
    case = load_case({"name": "x", "goals": "format"})
    second = next_ask(case, lesson())
    assert second is not None
    best = decide(case, lesson()).next_questions[0]
    assert second.id.split(".")[1] == best.factor
    assert second.gain_bits == best.gain_bits


def test_where_the_money_is_known_the_answer_worth_most_for_its_time_is_asked_next() -> (
    None
):
    monthly = {"quality_value_usd": 20_000, "ongoing_usd": 500}
    money = {"hourly_rate_usd": 100, "upfront": {"hours": 60}, "monthly": monthly}
    data = {"examples": 3000}
    case = load_case({"name": "x", "goals": "format", "economics": money, "data": data})
    passed, worth = list[str](), decide(case, lesson(), as_of=AS_OF).next_questions
    value = {one.factor: one.worth_usd for one in worth}
    assert any(isinstance(usd, float) and usd > 0 for usd in value.values())
    while (ask := next_ask(case, lesson(), passed=passed, worth=worth)) is not None:
        if (usd := value.get(ask.id.partition(".")[2])) is not None and usd:
            assert ask.worth_usd == usd
            assert "worth most for its time: up to $" in interview_pages.why_text(ask)
        passed.append(ask.id)
    assert [name.partition(".")[2] for name in passed][: len(worth)] == [
        q.factor for q in worth
    ]
    assert len(passed) == 5 + 10  # the examples answer whether they are too few


STATES = st.sampled_from(["yes", "no", "unknown"])


@pytest.mark.slow
@given(
    checks=st.fixed_dictionaries(dict.fromkeys(load_framework().ceiling, STATES)),
    factors=st.fixed_dictionaries(dict.fromkeys(load_framework().factors, STATES)),
)
@example(checks={}, factors={})
def test_every_question_of_the_lesson_that_is_open_is_asked_once_whatever_is_settled(
    checks: Mapping[str, str], factors: Mapping[str, str]
) -> None:
    case = load_case(
        {"name": "x", "goals": "format", "ceiling": checks, "factors": factors}
    )
    said = {**{f"ceiling.{n}": s for n, s in checks.items()},
            **{f"factors.{n}": s for n, s in factors.items()}}  # fmt: skip
    dossier, passed = decide(case, lesson(), as_of=AS_OF), list[str]()
    worth = [one.factor for one in dossier.next_questions]
    while (ask := next_ask(case, lesson(), passed=passed)) is not None:
        assert ask.of == 1 + 5 + 11
        assert ask.number == ask.of - len(passed_of(said)) + len(passed) + 1
        passed.append(ask.id)
    assert sorted(passed) == passed_of(said)
    assert [name.partition(".")[2] for name in passed][: len(worth)] == worth


def passed_of(said: Mapping[str, str]) -> list[str]:
    """Ids of the lesson that nobody answered, sorted."""
    every = [
        *(f"ceiling.{n}" for n in lesson().ceiling),
        *(f"factors.{n}" for n in lesson().factors),
    ]
    return sorted(name for name in every if said.get(name, "unknown") == "unknown")


def test_what_the_missing_checks_would_change_is_said_with_the_answers_it_hangs_on() -> (
    None
):
    case = load_case({"name": "x", "goals": "format", "ceiling": {"few_shot": "no"}})
    found = interview_questions.if_done(decide(case, lesson(), as_of=AS_OF), lesson())
    assert found is not None
    assert (found.missing, len(found.depends)) == (("few-shot examples",), 15)
    pro = dict.fromkeys(lesson().indicators, "no")
    none = dict.fromkeys(lesson().ceiling, "no")
    case = load_case({"name": "x", "ceiling": none, "factors": pro})
    found = interview_questions.if_done(decide(case, lesson(), as_of=AS_OF), lesson())
    assert found is not None
    assert (found.depends, found.outcome) == ((), "improve_rag_or_switch_model")
    assert (
        interview_questions.if_done(
            decide(load_case({"name": "x"}), lesson()), lesson()
        )
        is None
    )


def test_it_offers_all_three_parts_when_the_round_is_over(folder: Path) -> None:
    say(folder, "goals", "format")
    step = say(folder, "few_shot", "no")
    assert step.dossier.verdict.final
    waiting = part_asks(step.case, lesson())
    assert len(waiting) == 15
    open_parts = interview_questions.offers(step.case, lesson(), passed=waiting)
    assert [offer.part for offer in open_parts] == ["evaluate", "options", "investment"]
    assert all(offer.open > 0 for offer in open_parts)
    left = next_ask(step.case, lesson(), part="evaluate")
    assert left is not None
    assert left.gain_bits is None


def test_what_was_passed_is_not_asked_and_what_is_left_is_offered() -> None:
    case = load_case({"name": "x"})
    passed: set[str] = set()
    while (ask := next_ask(case, lesson(), passed=passed)) is not None:
        assert ask.id not in passed
        passed.add(ask.id)
    assert len(passed) == 1 + 5 + 11
    open_parts = {
        offer.part: offer.open
        for offer in interview_questions.offers(case, lesson(), passed=passed)
    }
    assert open_parts["evaluate"] == 6  # the signals
    for part in model_interview.PARTS:
        passed |= set(part_asks(case, lesson(), part))
    assert interview_questions.offers(case, lesson(), passed=passed) == ()


def asked_fields() -> list[str]:
    """Ids of the fields that are asked whatever the framework, of a first attempt and model."""
    places = {"attempts": "attempts.1", "models": "models.1"}
    return [
        path.replace(room, places.get(room, room), 1)
        for path, field in framework_load.case_fields().items()
        for room in [path.split(".")[0]]
        if field.part in ("options", "investment") and room != "safety"
    ]


def fields_of(model: type[BaseModel], above: str = "") -> Iterator[str]:
    """Paths of all that can be written in a case, down to what has an entry of its own."""
    for name, field in model.model_fields.items():
        path = f"{above}{name}"
        inside = (
            [] if path in framework_load.case_fields() else [*walked(field.annotation)]
        )
        if inside and path not in ("ceiling", "factors", "signals"):
            yield from fields_of(inside[0], f"{path}.")
        else:
            yield path


def walked(kind: Any) -> Iterator[type[BaseModel]]:
    """The records in a type."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    for part in get_args(kind):
        yield from walked(part)


def test_every_field_of_a_case_has_an_entry_and_every_entry_a_field() -> None:
    asked_by_the_framework = {"ceiling", "factors", "signals"}
    paths = {*fields_of(Case)} - asked_by_the_framework
    entries = {
        path
        for path in framework_load.case_fields()
        if not path.startswith(("factors.", "ceiling."))
    }
    inside = {"data.examples.usable"}
    assert paths == entries - inside


def test_every_question_of_the_lesson_is_askable() -> None:
    fields = asked_fields()
    case = load_case(
        {"name": "x", "attempts": [{"name": "a"}], "models": [{"id": "b"}]}
    )
    framework = load_framework("lesson")
    own = [*(f"ceiling.{one}" for one in framework.ceiling),
           *(f"factors.{one}" for one in framework.factors),
           *(f"signals.{one}" for one in framework.signals)]  # fmt: skip
    for path in (*own, *fields, "goals"):
        ask = interview_questions.ask_of(case, framework, path)
        assert ask.id == path
        assert ask.question
        assert ask.title
    if framework.safety is not None:
        assert (
            "?"
            in interview_questions.ask_of(
                case, framework, "safety.process_named"
            ).question
        )


@pytest.mark.parametrize(
    "name",
    ["nothing", "factors.nothing", "attempts.2.change", "attempts.0.name", "attempts.x.name",
     "attempts.99999999999.name", "models.1", "economics", "factors.brand_voice.note", "a.b.c.d",
     "attempts.\u0661.name", "safety.nothing", ""],
)  # fmt: skip
def test_what_nobody_asks_is_refused_in_one_line(name: str, folder: Path) -> None:
    before = text_of(folder)
    with pytest.raises(CaseError) as caught:
        say(folder, name, "yes")
    assert "\n" not in str(caught.value)
    assert text_of(folder) == before


@pytest.mark.slow
def test_every_open_question_can_be_answered_and_is_then_not_asked_again(
    folder: Path,
) -> None:
    """All of the three conversations, to their end, but for a third attempt and a third model."""
    say(folder, "goals", "safety, knowledge, persona, format")
    passed: set[str] = {"attempts.2.name", "models.2.id"}
    for name in ("terminology_errors", "rapidly_changing_requirements", "brand_voice"):
        say(folder, name, "yes")
    step = say(folder, LOW, "no")
    asked: list[str] = []
    for part in model_interview.PARTS:
        while (
            ask := next_ask(step.case, lesson(), passed=passed, part=part)
        ) is not None:
            assert ask.id not in asked
            asked.append(ask.id)
            assert ask.value == ""
            step = say(folder, ask.id, some_answer(ask), read_digest=step.digest)
            again = interview_questions.ask_of(step.case, lesson(), ask.id)
            assert again.value != ""
    assert {*asked_fields()} <= set(asked)
    assert {"factors.low_volume.now", "factors.low_volume.by_month"} <= set(asked)
    assert {"safety.data_reviewed", "safety.process_named"} <= set(asked)
    assert interview_questions.offers(step.case, lesson(), passed=passed) == ()
    kept = text_of(folder)
    for name in asked[
        ::4
    ]:  # what is shown can be given again, and then nothing changes
        say(folder, name, interview_questions.ask_of(step.case, lesson(), name).value)
        assert text_of(folder) == kept
    schema = framework_schemas.case_schema(lesson())
    jsonschema.validate(
        step.case.model_dump(mode="json", exclude_defaults=True), schema
    )


# What is written --------------------------------------------------------------------------------

SOME = {
    "goals": "persona, format", "ceiling.few_shot": "yes", "ceiling.prompt_variations": "6",
    "ceiling.foundation_models": "no", LOW: "no", COST: "no", "signals.latency": "yes",
    "economics.hourly_rate_usd": "80-120", "economics.traffic.growth_per_month": "-5% to 10%",
    "economics.monthly.ongoing_usd": "1.1k", "strategic_value": "high", "tuning.pilot": "yes",
    "data.examples": "1,200", "targets.quality.at_least": "90%", "safety.data_reviewed": "no",
    "description": "a: b, [c] # d", "today.api": "own", "models.1.id": "openai:gpt-4o",
    "attempts.1.name": "first",
}  # fmt: skip
OTHER = {
    "goals": "safety", "ceiling.few_shot": "no", "ceiling.prompt_variations": "yes",
    "ceiling.foundation_models": "3", LOW: "yes", COST: "yes", "signals.latency": "no",
    "economics.hourly_rate_usd": "90", "economics.traffic.growth_per_month": "0.2",
    "economics.monthly.ongoing_usd": "500 to 600 to 900", "strategic_value": "low",
    "tuning.pilot": "no", "data.examples": "5", "targets.quality.at_least": "0.5",
    "safety.data_reviewed": "yes", "description": "something else", "today.api": "third_party",
    "models.1.id": "local:smollm2", "attempts.1.name": "renamed",
}  # fmt: skip


@cache
def answered_in(order: tuple[str, ...]) -> tuple[Any, str]:
    """What a case says, and its digest, when it was answered in some order."""
    with TemporaryDirectory() as place:
        folder = Path(place) / "case"
        start_case(folder, "A case")
        for name in order:
            say(folder, name, SOME[name])
        return told(load_case(folder)), model_base.digest(load_case(folder))


@pytest.mark.slow
@settings(max_examples=2)
@given(order=st.permutations(sorted(SOME)))
def test_any_order_of_answers_gives_the_same_case(order: list[str]) -> None:
    assert answered_in(tuple(order)) == answered_in(tuple(sorted(SOME)))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SOME))
def test_going_back_and_answering_again_equals_answering_once(
    name: str, folder: Path
) -> None:
    empty = text_of(folder)
    once = told(say(folder, name, OTHER[name]).case)
    reset(folder, empty)
    assert told(say(folder, name, SOME[name]).case) != once
    assert told(say(folder, name, OTHER[name]).case) == once


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(SOME) - {"models.1.id", "attempts.1.name"}))
def test_an_answer_taken_back_leaves_the_case_as_it_was(
    name: str, folder: Path
) -> None:
    before = told(load_case(folder))
    assert told(say(folder, name, SOME[name]).case) != before
    assert told(say(folder, name, "unknown").case) == before


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*SOME, "data.evaluation", "attempts.1.name"}))
def test_not_knowing_what_nobody_said_writes_nothing(name: str, folder: Path) -> None:
    before = text_of(folder)
    assert say(folder, name, "?").conflicts == ()
    assert text_of(folder) == before


def test_a_name_on_record_cant_become_unknown(folder: Path) -> None:
    say(folder, "attempts.1.name", "first")
    with pytest.raises(CaseError, match="is on record"):
        say(folder, "attempts.1.name", "unknown")


GIVEN = {
    ("economics.hourly_rate_usd", "$80-120"): (80, 100, 120),
    ("economics.hourly_rate_usd", "80 – 90 – 120"): (80, 90, 120),
    ("economics.hourly_rate_usd", "1,500"): (1500, 1500, 1500),
    ("economics.hourly_rate_usd", "1.5k to 2k"): (1500, 1750, 2000),
    ("economics.traffic.requests_per_month", "2M"): (2e6, 2e6, 2e6),
    ("economics.traffic.growth_per_month", "-10%--5%"): (-0.1, -0.075, -0.05),
    ("economics.traffic.growth_per_month", "7%"): (0.07, 0.07, 0.07),
}


@pytest.mark.slow
@pytest.mark.parametrize("asked", sorted(GIVEN))
def test_amounts_are_read_as_people_write_them(
    asked: tuple[str, str], folder: Path
) -> None:
    case = say(folder, *asked).case
    found: Any = case
    for step in asked[0].split("."):
        found = getattr(found, step)
    assert (found.low, found.likely, found.high) == pytest.approx(GIVEN[asked], abs=0)


REFUSED = [
    ("few_shot", "maybe"), ("few_shot", "6"), ("ceiling.prompt_variations", "many"),
    ("ceiling.prompt_variations", "-3"), ("ceiling.prompt_variations", "9" * 400),
    ("economics.hourly_rate_usd", "about 90"), ("economics.hourly_rate_usd", "1,5"),
    ("economics.hourly_rate_usd", "120-80"), ("economics.hourly_rate_usd", "1-2-3-4"),
    ("economics.hourly_rate_usd", "5%"), ("economics.hourly_rate_usd", "9" * 400),
    ("economics.hourly_rate_usd", "nan"), ("economics.hourly_rate_usd", "-5"),
    ("economics.traffic.growth_per_month", "2000%"), ("today.quality", "1.5"),
    ("today.quality", "150%"), ("goals", "fame"), ("goals", "10"), ("goals", "0"),
    ("strategic_value", "enormous"), ("today.api", "mine"), ("description", "a\x1b[31mb"),
    ("description", "a\nb"), ("description", "\u202etxt"), ("description", "x" * 5000),
    ("few_shot", "   y\x00"), ("data.evaluation", "../secret"),
    ("data.evaluation", "/etc/passwd"), ("data.evaluation", "gone.jsonl"),
    ("data.traces", "gone/*.jsonl"), ("attempts.1.name", "x" * 201), ("models.1.id", "x" * 201),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("name", "given_"), REFUSED)
def test_what_is_no_answer_is_refused_in_one_line_and_not_written(
    name: str, given_: str, folder: Path
) -> None:
    before = text_of(folder)
    with pytest.raises(CaseError) as caught:
        say(folder, name, given_)
    assert caught.value.fix
    assert str(caught.value).isprintable()
    assert text_of(folder) == before


@pytest.mark.slow
@given(text=st.text(max_size=40), name=st.sampled_from(sorted(SOME)))
@settings(max_examples=40)
def test_whatever_is_given_is_written_and_read_back_or_refused(
    text: str, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "anything"
    if not folder.exists():
        start_case(folder, "A case")
    before = text_of(folder)
    try:
        step = say(folder, name, text)
    except CaseError:
        assert text_of(folder) == before
    else:
        assert told(load_case(folder)) == told(step.case)
        if (
            name == "description"
            and text.strip().casefold() not in model_base.UNKNOWN_WORDS
        ):
            assert step.case.description == text.strip()


def test_a_path_beside_a_count_is_kept(folder: Path) -> None:
    files_case.write_answers(folder, {("data", "examples"): "logs/a.jsonl"})
    assert say(folder, "data.examples", "900").case.data.examples is not None
    say(folder, "data.examples.usable", "700")
    held = say(folder, "data.examples", "1000").case.data.examples
    assert held is not None
    assert (held.path, held.count, held.usable) == ("logs/a.jsonl", 1000, 700)
    held = say(folder, "data.examples", "unknown").case.data.examples
    assert held is not None
    assert (held.path, held.count, held.usable) == ("logs/a.jsonl", None, None)


@pytest.mark.slow
def test_notes_and_later_answers_stay_when_an_answer_changes(folder: Path) -> None:
    files_case.write_answers(
        folder, {("factors", "low_volume"): {"value": "no", "note": "growth, they say"}}
    )
    say(folder, f"{LOW}.now", "yes")
    answer = say(folder, f"{LOW}.by_month", "6").case.factors["low_volume"]
    assert (answer.value, answer.now, answer.by_month) == ("no", "yes", 6)
    assert answer.note == "growth, they say"
    assert say(folder, LOW, "yes").case.factors["low_volume"].note == "growth, they say"


# Pushing back -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_cost_with_low_volume_is_challenged_at_once_whichever_comes_last(
    folder: Path,
) -> None:
    empty = text_of(folder)
    for first, last in ((COST, LOW), (LOW, COST)):
        reset(folder, empty)
        assert say(folder, first, "yes").conflicts == ()
        (clash,) = say(folder, last, "yes").conflicts
        assert clash.challenge.id == CLASH
        assert clash.others == (first,)
        assert clash.recordable


def test_requests_that_give_low_volume_are_the_other_side_too(folder: Path) -> None:
    say(folder, "economics.traffic.requests_per_month", "300")
    (clash,) = say(folder, COST, "yes").conflicts
    assert (clash.challenge.id, clash.others) == (CLASH, (LOW,))


@pytest.mark.slow
def test_keeping_both_is_on_record_and_not_asked_about_again(folder: Path) -> None:
    say(folder, COST, "yes")
    step = say(folder, LOW, "yes")
    kept = keep_both(folder, LOW, CLASH, read_digest=step.digest, as_of=AS_OF)
    answer = load_case(folder).factors["low_volume"]
    assert (answer.value, answer.note) == ("yes", f"both kept: {CLASH}")
    assert "note: both kept" in text_of(folder).replace('"', "")
    jsonschema.validate(
        kept.case.model_dump(mode="json", exclude_defaults=True),
        framework_schemas.case_schema(lesson()),
    )
    assert CLASH in {
        one.id for one in kept.dossier.challenges
    }  # a report says it all the same
    say(folder, COST, "no")
    assert say(folder, COST, "yes").conflicts == ()
    once = text_of(folder)
    keep_both(folder, COST, CLASH, as_of=AS_OF)
    keep_both(folder, LOW, CLASH, as_of=AS_OF)
    assert text_of(folder).count("both kept") == 2
    assert once != text_of(folder)


@pytest.mark.slow
def test_a_note_about_keeping_goes_with_the_answer_it_was_about(folder: Path) -> None:
    files_case.write_answers(
        folder, {("factors", "low_volume"): {"value": "unknown", "note": "asked twice"}}
    )
    say(folder, COST, "yes")
    say(folder, LOW, "yes")
    kept = keep_both(folder, LOW, CLASH, as_of=AS_OF).case.factors["low_volume"]
    assert kept.note == f"asked twice; both kept: {CLASH}"
    assert say(folder, LOW, "no").case.factors["low_volume"].note == "asked twice"
    (clash,) = say(folder, LOW, "yes").conflicts
    assert clash.challenge.id == CLASH


def test_what_nobody_has_spoken_of_yet_is_no_clash(folder: Path) -> None:
    step = say(folder, "brand_voice", "yes")
    assert "brand_voice_without_samples" in {one.id for one in step.dossier.challenges}
    assert step.conflicts == ()


def test_an_expectation_of_its_own_is_pushed_back(folder: Path) -> None:
    (clash,) = say(folder, "tuning.pilot", "no").conflicts
    assert (clash.challenge.id, clash.others, clash.recordable) == (
        "no_pilot",
        (),
        False,
    )
    before = text_of(folder)
    keep_both(folder, "tuning.pilot", "no_pilot", as_of=AS_OF)
    assert text_of(folder) == before


@pytest.mark.slow
def test_what_was_there_before_an_answer_is_not_brought_up_by_it(folder: Path) -> None:
    say(folder, "today.usd_per_month", "36")
    say(folder, "economics.traffic.requests_per_month", "2000")
    (clash,) = say(folder, "economics.monthly.api_savings_usd", "1500").conflicts
    assert clash.challenge.id == "saving_above_bill"
    step = say(folder, "economics.monthly.api_savings_usd", "1600")
    assert "saving_above_bill" in {one.id for one in step.dossier.challenges}
    assert step.conflicts == ()


def test_what_no_longer_clashes_cant_be_kept(folder: Path) -> None:
    with pytest.raises(CaseError, match="doesn't hold any more"):
        keep_both(folder, LOW, CLASH)


# Two editors ------------------------------------------------------------------------------------


def test_the_second_of_two_editors_gets_a_clear_error_and_loses_nothing(
    folder: Path,
) -> None:
    seen = files_case.read_with_digest(folder).digest
    mine = say(folder, "few_shot", "yes", read_digest=seen)
    kept = text_of(folder)
    with pytest.raises(ConflictError, match="was changed by somebody else meanwhile"):
        say(folder, "brand_voice", "no", read_digest=seen)
    assert text_of(folder) == kept
    theirs = say(folder, "brand_voice", "no", read_digest=mine.digest).case
    assert theirs.ceiling["few_shot"].value == "yes"
    assert files_case.read_with_digest(folder).digest != mine.digest
    with pytest.raises(ConflictError):  # also where there is nothing to write
        say(folder, "retrieval_optimised", "unknown", read_digest=seen)


NAMES_HELD = (
    "few_shot",
    "retrieval_optimised",
    "structured_prompt",
    "foundation_models",
)


@pytest.mark.slow
def test_no_answer_of_many_writers_is_lost(folder: Path) -> None:
    """Four threads and a process write at once, each its own answer, again and again."""
    code = (
        "import sys; from tuneworthy.files.case import write_answers as put\n"
        "for n in range(25):\n"
        "    put(sys.argv[1], {('factors', 'brand_voice'): 'yes' if n % 2 else 'no'})\n"
        "put(sys.argv[1], {('factors', 'brand_voice'): 'yes'})"
    )
    other = subprocess.Popen([sys.executable, "-c", code, str(folder)])
    failed: list[Exception] = []

    def write(name: str) -> None:
        try:
            for n in range(25):
                files_case.write_answers(
                    folder, {("ceiling", name): "yes" if n % 2 else "no"}
                )
            files_case.write_answers(folder, {("ceiling", name): "yes"})
        except Exception as caught:  # noqa: BLE001  # whatever it is, the test shall show it
            failed.append(caught)

    threads = [threading.Thread(target=write, args=(name,)) for name in NAMES_HELD]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert other.wait(60) == 0
    assert failed == []
    case = load_case(folder)
    assert [case.ceiling[name].value for name in NAMES_HELD] == ["yes"] * 4
    assert case.factors["brand_voice"].value == "yes"
    assert sorted(path.name for path in folder.iterdir() if path.is_file()) == sorted(
        ["case.yaml", "case.schema.json", *(name for name in FILES if "/" not in name)]
    )


def test_of_two_who_saw_the_same_file_exactly_one_writes(folder: Path) -> None:
    seen = files_case.read_with_digest(folder).digest
    came: list[str] = []
    gate = threading.Barrier(2)

    def write(name: str) -> None:
        gate.wait(10)
        try:
            files_case.write_answers(
                folder, {("ceiling", name): "yes"}, read_digest=seen
            )
            came.append(name)
        except ConflictError:
            came.append("conflict")

    threads = [threading.Thread(target=write, args=(name,)) for name in NAMES_HELD[:2]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    (winner,) = set(came) - {"conflict"}
    assert len(came) == 2
    held = {
        name for name in NAMES_HELD if load_case(folder).ceiling[name].value == "yes"
    }
    assert held == {winner}


def test_the_lock_is_that_of_the_file_that_stands_there_now(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    path, real = folder / "case.yaml", fcntl.flock
    replaced: list[Path] = []

    def flock(descriptor: int, how: int) -> None:
        if not replaced:  # between opening and locking, somebody else has written
            replaced.append(path)
            (folder / "new").write_text(text_of(folder), encoding="utf-8")
            (folder / "new").replace(path)
        real(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    with lock.alone(path), path.open() as other, pytest.raises(BlockingIOError):
        real(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with path.open() as other:  # and it is let go
        real(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_file_that_stays_locked_is_said_to_be(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "MOST_WAIT_S", 0.05)
    before = text_of(folder)
    with (
        lock.alone(folder / "case.yaml"),
        pytest.raises(CaseError, match="is being written"),
    ):
        files_case.write_answers(folder, {("ceiling", "few_shot"): "yes"})
    assert text_of(folder) == before
    files_case.write_answers(folder, {("ceiling", "few_shot"): "yes"})


# Lists and whole values in a file ---------------------------------------------------------------

EDITS: dict[str, tuple[str, tuple[str | int, ...], syntax_edit.Value, str]] = {
    "an item after the last": (
        "a:\n  - x: 1  # one\n    y: 2\n# end\n", ("a", 1, "x"), "3",
        "a:\n  - x: 1  # one\n    y: 2\n  - x: 3\n# end\n",
    ),
    "an item after dashes that aren't indented": (
        "a:\n- x: 1\nb: 2\n", ("a", 1, "x"), "3", "a:\n- x: 1\n- x: 3\nb: 2\n",
    ),
    "an item in brackets": (
        "a: [{x: 1}]  # c\n", ("a", 1, "x"), "3", "a: [{x: 1}, {x: 3}]  # c\n",
    ),
    "the first item of a list that isn't there": (
        "b: 2\n", ("a", 0, "x"), "3", "b: 2\na:\n  - x: 3\n",
    ),
    "the first item of an empty list": ("a: []  # c\n", ("a", 0, "x"), "3", "a: [{x: 3}]  # c\n"),
    "a key of an item": (
        "a:\n  - x: 1\n  - x: 2\n", ("a", 0, "y"), "3", "a:\n  - x: 1\n    y: 3\n  - x: 2\n",
    ),
    "a list in the place of one": (
        "a:   # c\n  # d\n  - x\n  - y  # e\nb: 1\n", ("a",), ("p", "q, r"),
        'a: [p, "q, r"]   # c\n  # d  # e\nb: 1\n',
    ),
    "a list in the place of dashes that aren't indented": (
        "a:\n- x\nb: 1\n", ("a",), ("p",), "a: [p]\nb: 1\n",
    ),
    "a plain value in the place of a mapping": (
        "a:\n  low: 1\n  high: 2\nb: 1\n", ("a",), syntax_edit.WholeValue("7"), "a: 7\nb: 1\n",
    ),
    "a mapping in the place of a plain value": (
        "a: 7  # c\n", ("a",), {"low": "1", "high": "2"}, "a: {low: 1, high: 2}  # c\n",
    ),
    "the values of a mapping with the same keys": (
        "a:\n  low: 1  # c\n  high: 2\n", ("a",), {"low": "1", "high": "3"},
        "a:\n  low: 1  # c\n  high: 3\n",
    ),
    "a key more for a mapping": (
        "a:\n  value: no  # c\n", ("a",), {"value": "no", "note": "x: y"},
        'a:\n  value: no  # c\n  note: "x: y"\n',
    ),
    "nothing": ("a: 7  # c\n", ("a",), None, "a: null  # c\n"),
    "the same again": ("a: { low: 1 }\n", ("a",), {"low": "1"}, "a: { low: 1 }\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_changes_its_own_characters(name: str) -> None:
    text, keys, value, wanted = EDITS[name]
    assert syntax_edit.edit(text, {keys: value}, "f", CaseError) == wanted


@pytest.mark.parametrize(
    ("text", "keys"),
    [("a: [1]\n", ("a", 3, "x")), ("a: 1\n", ("a", 0)), ("a: {x: 1}\n", ("a", 0)),
     ("a: [1]\n", ("a", "x", "y")), ("a: [1]\n", ("a", 2))],
)  # fmt: skip
def test_an_edit_leads_through_no_plain_value_and_past_no_end(
    text: str, keys: tuple[str | int, ...]
) -> None:
    with pytest.raises(CaseError):
        syntax_edit.edit(text, {keys: "9"}, "f", CaseError)


VALUES = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=8
)


@given(
    rows=st.lists(
        st.dictionaries(st.sampled_from("xyz"), VALUES, min_size=1), max_size=4
    )
)
def test_a_list_grows_item_by_item_and_key_by_key(rows: list[dict[str, str]]) -> None:
    text, wanted = "b: 1  # stays\n", []
    for place, row in enumerate(rows):
        for key, value in row.items():
            text = syntax_edit.edit(text, {("a", place, key): value}, "f", CaseError)
        wanted.append(row)
        assert parse(text, "f", CaseError).data["a"] == wanted
        assert "b: 1  # stays" in text


# Any talk comes to what its answers come to -----------------------------------------------------


class Person(terminal_lines.LineTerminal):
    """Somebody who does at each prompt what a number says, and leaves when the numbers are over."""

    def __init__(self, numbers: list[int], folder: Path) -> None:
        super().__init__()
        self.numbers, self.folder, self.shown = iter(numbers), folder, ""
        self.ways: list[str] = []
        self.last: dict[
            str, str
        ] = {}  #: What was last said to a question, the latest last.

    def say(self, page: object) -> None:
        self.shown += page if isinstance(page, str) else page.text()  # type: ignore[attr-defined]  # a sheet

    def ask(self, ask: model_interview.Ask) -> terminal_lines.Entry:
        answers = [some_answer(ask)] * 5
        answers += ["n" if ask.kind in ("state", "count") else some_answer(ask)] * 2
        named = ask.id.endswith((".name", ".id"))
        self.ways = [
            *answers,
            "n\x00",
            "?",
            "",
            "b",
            "s",
            *([] if named else ["d", "d"]),
        ]
        entry = super().ask(ask)
        text = {"answer": entry.text, "unknown": "unknown"}.get(entry.act)
        if text is not None and text.isprintable():
            if (
                text == "n"
                and ask.kind == "count"
                and not ask.id.startswith("ceiling.")
            ):
                return entry  # refused: no number
            self.last.pop(ask.id, None)
            self.last[ask.id] = text
        return entry

    def choose(self, page: Any, ways: Any) -> str:
        self.ways = [*(key for key, _ in ways), "x"]
        return super().choose(page, ways)

    def _line(self) -> str | None:
        number = next(self.numbers, None)
        if number is None:
            return None
        if number == 99:
            raise KeyboardInterrupt
        return f"{self.ways[number % len(self.ways)]}\n"


def every_ask(case: Case) -> Iterator[str]:
    """Ids of all that may be asked of a case, whether it is answered or not."""
    for room in ("ceiling", "factors", "signals"):
        yield from (f"{room}.{name}" for name in getattr(lesson(), room))
    for part in model_interview.PARTS:
        yield from (
            path for path, _ in interview_questions._fields(case, lesson(), part)
        )


def without_notes(case: Case) -> Any:
    """What a case says, but for notes that two answers were kept."""
    data = told(case)
    for room in ("ceiling", "factors", "signals"):
        for name, answer in list(data[room].items()):
            answer["note"] = ""
            if answer == type(getattr(case, room)[name])().model_dump(mode="json"):
                del data[room][name]
    return data


CLASHING = frozenset({
    *(f"ceiling.{name}" for name in load_framework().ceiling),
    *(f"factors.{name}" for name in load_framework().factors
      if name not in ("cost_optimization", "low_volume", "rapidly_changing_requirements")),
})  # fmt: skip
"""What is passed over so that what clashes is asked at once."""
MOVES = st.lists(st.integers(0, 40), min_size=8, max_size=40)


@pytest.mark.slow
@settings(max_examples=4)
@given(
    numbers=MOVES,
    ends=st.sampled_from([[], [99]]),
    passed=st.sampled_from([frozenset[str](), CLASHING]),
)
@example(
    numbers=[0] * 12, ends=[], passed=CLASHING
)  # yes to all, and what clashes is changed
@example(numbers=[1] * 12, ends=[], passed=CLASHING)  # the other side is
@example(numbers=[2] * 12, ends=[], passed=CLASHING)  # both are kept
@example(numbers=[3] * 12, ends=[], passed=CLASHING)  # nobody knows
@example(numbers=[4] * 12, ends=[99], passed=CLASHING)  # back
def test_any_talk_ends_in_the_case_file_that_answer_would_write(
    numbers: list[int], ends: list[int], passed: frozenset[str], begun: Path
) -> None:
    with TemporaryDirectory() as place:
        talked, typed = Path(place) / "talked", Path(place) / "typed"
        shutil.copytree(begun, talked)
        shutil.copytree(begun, typed)
        person = Person([*numbers, *ends], talked)
        with suppress(KeyboardInterrupt):
            session = InterviewSession(str(talked), person, AS_OF)
            session.passed |= passed
            session.run()
        assert not list(talked.rglob("*.part"))
        if person.last:
            given_ = [f"{name}={text}" for name, text in person.last.items()]
            assert run(["answer", str(typed), *given_]) == 0
        assert without_notes(load_case(talked)) == without_notes(load_case(typed))
        again = Path(place) / "again"
        shutil.copytree(begun, again)
        case = load_case(talked)
        shown = {
            name: interview_questions.ask_of(case, lesson(), name).value
            for name in every_ask(case)
        }
        given_ = [f"{name}={text}" for name, text in shown.items() if text]
        if given_:
            assert run(["answer", str(again), *given_]) == 0
        assert without_notes(load_case(again)) == without_notes(case)
