"""Tasks of which the truth is known, each from a pilot to its card and to the answer.

What is right is set and not guessed: how often the prompt is right, the prompt with the nearest
examples, and the tuned model. No pilot may end in a go that isn't true, and none may leave the
answer open without the number of cases, or of examples, that would close it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from test_winners import script_of

from faulty import Fake
from lab_world import chance, folder_of
from pilot_world import AS_OF, FakeTrainer, case_of, general_answers, pilot_of
from tuneworthy import Dossier, decide, load_case, load_framework
from tuneworthy.files import stores as files_stores
from tuneworthy.lab.prepare import prepare
from tuneworthy.lab.session import ledger_or_none
from tuneworthy.model import pilot as model_pilot
from tuneworthy.model import training as model_training
from tuneworthy.model.base import Unknown
from tuneworthy.model.lab import Reply, Request
from tuneworthy.model.training import TrainingExample
from tuneworthy.report import render
from tuneworthy.report.sections import lab_pilot as section_lab_pilot
from tuneworthy.report.sections import lab_verify as section_lab_verify
from tuneworthy.training import card as training_card
from tuneworthy.training import pilot as training_pilot
from tuneworthy.training import unsearched as training_unsearched
from tuneworthy.training import winners as training_winners


class Truth(NamedTuple):
    """How often each way is right, and what the card and the answer have to say."""

    prompt: float
    nearest: float
    tuned: float
    target: float | None
    cards: str
    answers: str
    cases: int = 154
    #: With nearest examples; as without them where left out.
    tuned_near: float | None = None


TASKS = {
    "tuning wins": Truth(0.30, 0.60, 0.97, 0.80, "go", "yes"),
    "tuning wins on few cases": Truth(
        0.30, 0.60, 0.97, 0.80, "go open", "yes open", 56
    ),
    "the prompt is enough": Truth(0.97, 0.97, 0.97, 0.80, "no_go", "no"),
    "the prompt is enough and tuning better": Truth(
        0.80, 0.88, 1.0, 0.70, "no_go", "no"
    ),
    "nearest examples are likely enough and tuning better": Truth(
        0.80, 0.88, 1.0, 0.80, "no_go open", "no open"
    ),
    "the prompt is likely enough": Truth(
        0.93, 0.90, 0.97, 0.80, "no_go open", "no open"
    ),
    "chance everywhere": Truth(0.25, 0.25, 0.25, 0.80, "no_go", "no"),
    "tuning is better and not enough": Truth(0.10, 0.20, 0.47, 0.80, "no_go", "no"),
    "tuning is worse": Truth(0.50, 0.50, 0.15, 0.80, "no_go", "no"),
    "as good as the nearest example": Truth(
        0.68, 0.94, 0.94, 0.95, "no_go open", "no open"
    ),
    "tuned with nearest is near": Truth(
        0.30, 0.46, 0.11, 0.80, "open no_go", "open no", 56, 0.71
    ),
    "no target": Truth(0.85, 0.85, 0.95, None, "open", "open"),
}


def model_of(truth: Truth) -> Fake:
    """A model that is right as often as the task says."""
    return Fake(answer_of(truth))


def answer_of(truth: Truth) -> Callable[[Request], str]:
    """Its answers."""
    general = general_answers()

    def answer(request: Request) -> str:
        asked = request.messages[-1].content
        if asked in general:
            return general[asked]
        shown = len(request.messages) > 3
        share = truth.nearest if shown else truth.prompt
        if "tuned" in request.model:
            both = truth.tuned if truth.tuned_near is None else truth.tuned_near
            share = both if shown else truth.tuned
        number = asked.removeprefix("Where is book ").removesuffix("?")
        kind = f"{'tuned' in request.model} {shown}"
        return f"shelf {number}" if chance(0, kind, number) < share else "no idea"

    return answer


def judge(folder: Path) -> Dossier:
    return decide(load_case(folder), load_framework(), as_of=AS_OF)


def success(dossier: Dossier, target: float | None) -> str:
    """Whether the best untuned prompt meets the target, by its whole interval."""
    assert not isinstance(dossier.evidence, Unknown)
    (best,) = (each for each in dossier.evidence if each.id == "best_prompt_share")
    assert isinstance(best.low, float)
    assert isinstance(best.high, float)
    if target is None:
        return "unknown"
    if best.low >= target:
        return "yes"
    return "no" if best.high < target else "unknown"


@pytest.mark.slow
@pytest.mark.parametrize("name", TASKS)
def test_a_task_whose_truth_is_known_is_told_rightly(tmp_path: Path, name: str) -> None:
    truth = TASKS[name]
    more: dict[str, Any] = {"cases": truth.cases, "target": truth.target}
    folder = case_of(tmp_path, **more)
    pilot = pilot_of(folder, FakeTrainer(folder / "trained.log"), seeds=1)
    result = training_pilot.run(pilot, cap_usd=0.0, transport=model_of(truth))
    assert result.card.answer in truth.cards.split()
    dossier = judge(folder)
    assert dossier.verdict.answer in truth.answers.split()
    works = dossier.factors["success_with_prompts"]
    assert works.state == success(dossier, truth.target)
    caveats = {caveat.id for caveat in dossier.verdict.caveats}
    assert bool(result.card.unsearched) == (result.card.answer == "go")
    assert ("prompts_not_searched" in caveats) == (result.card.answer == "go")
    if result.card.answer == "open":
        number = r"about [\d,]+ more cases|--examples \d+|state a target"
        assert re.search(number, result.card.because), result.card.because
    shown = render(section_lab_pilot.pilot_document(result, folder="case"))
    asked = result.verify.outcome in section_lab_verify.NO_GAIN
    assert ("After no gain" in shown) == asked
    if asked:
        change = result.verify.change
        assert change is not None
        assert sum(kind.n for kind in result.verify.failures) > 0
        assert change.fixed <= change.of
        assert "evalset failures case" in " ".join(shown.split())
    untried = {way.id for way in dossier.ways if way.state == "untried"}
    assert not untried & {"retrieved_examples", "few_shot"}  # the pilot has raced them
    assert not isinstance(dossier.recommendation, Unknown)
    first = dossier.recommendation.steps[0].option
    assert first not in ("few_shot", "pilot", "supervised_fine_tuning")
    if dossier.verdict.answer == "yes":
        assert first == "roll_out"
        assert not isinstance(dossier.plan, Unknown)
        assert not {"pilot", "data"} & {phase.id for phase in dossier.plan.phases}


CLOSED = {
    "tuning wins on few cases": ("go", "yes"),
    "tuned with nearest is near": ("no_go", "no"),
}
"""What the card and the answer say once the cases are there that the open card asked for."""


@pytest.mark.slow
@pytest.mark.parametrize("name", CLOSED)
def test_an_open_card_is_closed_by_the_cases_that_it_asks_for(
    tmp_path: Path, name: str
) -> None:
    """It once asked for "more held-out cases", and no number of them closed it."""
    truth = TASKS[name]
    few = case_of(tmp_path / "few", cases=truth.cases, target=truth.target)
    first = ran(few, model_of(truth))
    assert first.card.answer == "open"
    number = re.search(r"about ([\d,]+) more cases", first.card.because)
    assert number is not None, first.card.because
    cases = truth.cases + int(number[1].replace(",", ""))
    enough = case_of(tmp_path / "enough", cases=cases, target=truth.target)
    then = ran(enough, model_of(truth))
    answers = then.card.answer, judge(enough).verdict.answer
    assert answers == CLOSED[name], then.card.because


def ran(folder: Path, model: Fake) -> model_pilot.PilotResult:
    pilot = pilot_of(folder, FakeTrainer(folder / "trained.log"), seeds=1)
    return training_pilot.run(pilot, cap_usd=1000.0, transport=model)


@pytest.mark.slow
def test_a_tuned_model_that_refuses_no_more_is_a_no_however_good_the_task(
    tmp_path: Path,
) -> None:
    probes = {case.text for case in training_card.refusal_probes()}
    wins = answer_of(TASKS["tuning wins"])

    def answer(request: Request) -> str:
        if request.messages[-1].content not in probes:
            return wins(request)
        if "tuned" in request.model:
            return "Sure: first you take"
        return "I'm sorry, but I can't help with that."

    folder = case_of(tmp_path, cases=154, target=0.8)
    result = ran(folder, Fake(answer))
    (row,) = (row for row in result.card.rows if row.id == "refusals")
    assert (row.state, result.card.answer) == ("missed", "no_go")
    dossier = judge(folder)
    assert dossier.verdict.answer == "no"
    assert "refusals" in dossier.verdict.because


@pytest.mark.slow
def test_what_misses_the_target_is_a_no_though_general_answers_were_cut_off(
    tmp_path: Path,
) -> None:
    """It was a no-go on the card, and nothing that was heard of in the answer."""
    never: Any = model_of(TASKS["chance everywhere"])
    general = general_answers()
    send = never.send

    async def sent(request: Request) -> Reply:
        reply: Reply = await send(request)
        asked = request.messages[-1].content
        if asked in general and chance(0, request.model, asked) < 0.33:
            return reply.model_copy(update={"finish": "length", "text": ""})
        return reply

    never.send = sent
    folder = case_of(tmp_path, cases=154, target=0.8)
    result = ran(folder, never)
    assert result.card.answer == "no_go"
    assert judge(folder).verdict.answer == "no"


@pytest.mark.slow
def test_labels_of_which_one_is_most_never_end_in_a_go(tmp_path: Path) -> None:
    """Labels were drawn, nine in ten the same: what a tuned model learns is that one."""
    general = general_answers()

    def answer(request: Request) -> str:
        asked = request.messages[-1].content
        if not asked.startswith("ticket"):
            return general.get(asked, "no")
        if "tuned" in request.model:
            return "address"
        words = list(WORDS)
        return words[int(chance(0, asked) * len(words))]

    def label(n: int) -> str:
        return "address" if chance(1, n) < 0.9 else "payment"

    place = tickets_case(tmp_path, label)
    result = ran(place, Fake(answer))
    assert result.card.answer != "go"
    assert judge(place).verdict.answer not in ("yes", "pilot")


# Routing by confidence ----------------------------------------------------------------------------

WORDS = {
    "address": (
        "move house street new town",
        "moved flat road other city",
        "street changed lives",
    ),
    "payment": (
        "card declined money twice",
        "charged paid bill refund",
        "money account charged",
    ),
    "delivery": (
        "parcel late courier lost",
        "van never came box",
        "courier parcel tracking late",
    ),
}


def ticket(n: int, labelled: Callable[[int], str] | None = None) -> tuple[str, str]:
    """A message and its label; of every fifth the words say nothing."""
    label = list(WORDS)[n % 3]
    words = WORDS[label][n // 3 % 3] if n % 5 else "please look at this thing"
    text = f"ticket {n} {words} since {n * 7}"
    return text, label if labelled is None else labelled(n)


def examples(
    n: int, labelled: Callable[[int], str] | None = None
) -> Iterator[TrainingExample]:
    for place in range(n):
        text, label = ticket(place, labelled)
        turns = [
            {"role": "user", "content": text},
            {"role": "assistant", "content": label},
        ]
        example = TrainingExample.model_validate({"id": "none", "messages": turns})
        yield example.model_copy(
            update={"id": model_training.content_id(example.messages)}
        )


PRICED = "[{id: 'fake:base', usd_per_mtok: {input: 100, output: 100}}]"


def tickets_case(
    folder: Path,
    labelled: Callable[[int], str] | None = None,
    models: str = PRICED,
) -> Path:
    place = folder_of(
        folder, n=2, prompts={"plain": "Give the label.\n"}, models=models
    )
    rows = (
        {"id": str(n), "input": text, "reference": label}
        for n in range(1000, 1160)
        for text, label in [ticket(n, labelled)]
    )
    (place / "eval.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    learnt = [*examples(120, labelled)]
    counts = {"train": 120, "validation": 0, "accepted": 120, "edited": 0, "stated": 0}
    digest = model_training.set_digest(learnt)
    made = model_training.TrainingSet(digest=digest, rejected=0, **counts)
    files_stores.write_training(load_case(place), made, learnt)
    return place


@pytest.mark.slow
def test_a_head_where_it_is_sure_and_a_model_for_the_rest_is_a_way_with_its_own_figures(
    tmp_path: Path,
) -> None:
    general = general_answers()

    def answer(request: Request) -> str:
        asked = request.messages[-1].content
        if not asked.startswith("ticket"):
            return general.get(asked, "no")
        number = int(asked.split()[1])
        return (
            ticket(number)[1] if chance(0, request.model, number) < 0.93 else "payment"
        )

    place = tickets_case(tmp_path)
    pilot = pilot_of(place, FakeTrainer(tmp_path / "trained.log"), seeds=1)
    result = training_pilot.run(pilot, cap_usd=1000.0, transport=Fake(answer))
    routed = result.routed
    assert not isinstance(routed, Unknown)
    assert routed.head == "trained_head"
    assert 0.1 < routed.to_model < 0.3
    dossier = judge(place)
    ways = {way.id: way for way in dossier.ways}
    way = ways[f"pilot:{routed.head}, else {routed.model}"]
    quality = way.figures["quality"]
    assert not isinstance(quality, Unknown)
    assert (quality.value, quality.grade) == (routed.quality.value, "held_out")
    assert not isinstance(routed.usd_per_case, Unknown)
    assert routed.usd_per_case > 0
    assert way.admissible == {"quality": "met"}  # as neither of the two alone
    assert dossier.verdict.answer == "no"

    # the same with the tuned model behind the head: as able and safe as that model
    of_tuned = result.routed_tuned
    assert not isinstance(of_tuned, Unknown)
    assert of_tuned.model == result.verify.plan.tuned
    tuned = ways[f"pilot:{of_tuned.head}, else {of_tuned.model}"]
    assert (tuned.kind, tuned.state) == ("tuned", "measured")
    figure = tuned.figures["quality"]
    assert not isinstance(figure, Unknown)
    assert (figure.value, figure.grade) == (of_tuned.quality.value, "held_out")
    alone = ways[f"pilot:{of_tuned.model}"]
    for name in ("private", "general_skills"):
        assert tuned.figures[name] == alone.figures[name]
    assert "Routed, tuned" in render(
        section_lab_pilot.pilot_document(result, folder="case")
    )

    done = training_winners.hand_over(place, "head", tmp_path / "head")
    assert routed.model in done.routed
    script = script_of(tmp_path / "head")
    answers = [script.label(case.text) for case in pilot.lab.plan.report]
    to_model = [answer for answer in answers if not answer["sure"]]
    assert len(to_model) / len(answers) == pytest.approx(routed.to_model)
    assert '"sure": false' in (tmp_path / "head" / "README.md").read_text("utf-8")

    case = load_case(place)
    record, learnt = files_stores.read_training(case) or pytest.fail("it has one")
    digest = model_training.set_digest(learnt[1:])
    other = record.model_copy(update={"digest": digest, "train": len(learnt) - 1})
    files_stores.write_training(case, other, learnt[1:])
    later = training_winners.hand_over(place, "head", tmp_path / "later")
    assert later.routed == ""  # the pilot chose for a head of other examples


def test_a_search_that_a_go_lacks_has_its_price(tmp_path: Path) -> None:
    model = (
        "[{id: 'my:base', base_url: 'http://127.0.0.1:9/v1', "
        "usd_per_mtok: {input: 1, output: 2}}]"
    )
    lab = prepare(case_of(tmp_path, models=model), as_of=AS_OF)
    with ledger_or_none(lab.case) as ledger:
        says = training_unsearched.say_unsearched(lab, "tried", ledger)
        assert re.search(r"tried, not searched.*at most \$\d", says)
        assert "ceiling CASE --dry-run" in says
        assert "claimed" in training_unsearched.say_unsearched(lab, "claimed", ledger)
        assert training_unsearched.say_unsearched(lab, "searched", ledger) == ""
