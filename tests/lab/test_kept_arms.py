"""Arms of labs as they are kept: each with its own figures; four worlds of known truth."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_labs_unanswered import Endpoint, chat, served
from test_labs_verify import RIGHT

from faulty import Fake
from lab_world import folder_of, known
from pilot_world import FakeTrainer, answers, case_of, pilot_of, rising
from plain_engine import batch, measure
from tuneworthy import decide, load_case, load_framework
from tuneworthy.answers import arms as answers_arms
from tuneworthy.answers import weigh as answers_weigh
from tuneworthy.cli import run as command
from tuneworthy.files import stores as files_stores
from tuneworthy.lab import ceiling as lab_ceiling
from tuneworthy.lab import verify as lab_verify
from tuneworthy.lab.prepare import prepare
from tuneworthy.lab.quote import quoted
from tuneworthy.measure.signals.running import RunningSignal
from tuneworthy.model import ways as model_ways
from tuneworthy.model.base import Unknown
from tuneworthy.model.case import Materials, PromptWording
from tuneworthy.model.evidence import Message, Series
from tuneworthy.model.lab import Reply, Request, Usage
from tuneworthy.model.ways import LabArm
from tuneworthy.scoring import base as scoring_base
from tuneworthy.training import pilot as training_pilot
from ways_world import sure

AS_OF = date(2026, 11, 24)
LESSON = load_framework("lesson")
P = {"p": "Answer.\n"}


def arms_of(folder: Path) -> dict[tuple[str, str], LabArm]:
    """Every arm that lies beside a case, by its lab and its name."""
    case = load_case(folder)
    arms = answers_arms.lab_arms(case, *files_stores.read_latest(case))
    return {(arm.lab, arm.id): arm for arm in arms}


def number(value: float | Unknown) -> float:
    assert not isinstance(value, Unknown)
    return value


def raced(folder: Path, fake: Fake, **more: Any) -> dict[tuple[str, str], LabArm]:
    lab_ceiling.run(prepare(folder, as_of=AS_OF), cap_usd=100, transport=fake, **more)
    return arms_of(folder)


def price(usd: float) -> str:
    return f"usd_per_mtok: {{input: {usd}, output: {usd}}}"


class Paced(Fake):
    """A model whose answers take as long as is known, by its name, and cost by their tokens."""

    def __init__(self, base: Fake, seconds: dict[str, float]) -> None:
        super().__init__(base._answer)
        self.seconds = seconds

    async def send(self, request: Request) -> Reply:
        reply = await super().send(request)
        usage = Usage(input_tokens=100, output_tokens=10)
        return reply.model_copy(
            update={"latency_s": self.seconds[request.model], "usage": usage}
        )


# The table ----------------------------------------------------------------------------------------

numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False), st.integers(-5, 5)
)
cells = st.one_of(
    numbers, st.text(st.characters(codec="utf-8"), max_size=8), st.booleans()
)


@given(
    st.dictionaries(
        st.sampled_from(
            ["arm", "kind", "model", "made_of", "quality", "quality_low", "quality_grade",
             "latency_p95_s", "usd_per_call", "observed_on", "card", "safe", "title"]
        ),
        st.lists(cells, max_size=4),
    ),
    st.sampled_from(["arms_ceiling", "arms_verify", "arms_pilot", "arms_import", "arms", "other"]),
)  # fmt: skip
@settings(deadline=None)
def test_a_table_that_somebody_else_wrote_is_read_or_left_out(
    columns: dict[str, list[Any]], name: str
) -> None:
    case = load_case({"name": "x"})
    table = Series(
        id=name, columns={key: tuple(column) for key, column in columns.items()}
    )
    for arm in answers_arms.lab_arms(case, {}, [table]):
        assert arm.lab in name or name == "arms"


figures = st.one_of(st.floats(0, 1), st.just(Unknown(ask="run it")))


@given(st.lists(st.tuples(figures, figures, figures), min_size=1, max_size=4))
@settings(deadline=None)
def test_what_is_kept_of_an_arm_is_what_is_read(
    told: list[tuple[Any, Any, Any]],
) -> None:
    def figure(value: Any) -> Any:
        if isinstance(value, Unknown):
            return value
        return model_ways.Figure(
            value=value,
            low=value,
            high=value,
            grade="measured",
            cases=9,
            source="a lab",
        )

    arms = tuple(
        LabArm(
            id=f"arm {place}", title="an arm", lab="pilot", kind="tuned", model="a:b", prompt="p",
            made_of=("few_shot", "reasoning_effort"), quality=figure(quality),
            latency_p95_s=figure(latency), usd_per_call=figure(usd), general_skills="yes",
            safe="no", card="no_go", card_says="it gains nothing", observed_on=AS_OF,
        )
        for place, (quality, latency, usd) in enumerate(told)
    )  # fmt: skip
    written = answers_arms.arms_series("pilot", arms)
    read = Series.model_validate_json(written.model_dump_json())
    assert answers_arms.lab_arms(load_case({"name": "x"}), {}, [read]) == arms


# Every arm ----------------------------------------------------------------------------------------


def test_every_arm_of_a_ceiling_lab_is_kept_and_those_on_held_out_cases_say_so(
    tmp_path: Path,
) -> None:
    folder = folder_of(tmp_path)
    lab = prepare(folder, as_of=AS_OF)
    done = lab_ceiling.run(
        lab, cap_usd=0, transport=known({"careful": 0.9, "Answer": 0.5})
    )
    arms = arms_of(folder)
    assert {name for _, name in arms} == {arm.id for arm in lab.plan.arms}
    chosen = {done.result.best, *(each.second for each in done.result.contrasts)}
    for (_, name), arm in arms.items():
        assert sure(arm.quality).grade == ("held_out" if name in chosen else "measured")
        part = lab.plan.report if name in chosen else lab.plan.select
        dropped = next(
            row for row in done.result.arms if row.arm.id == name
        ).dropped_after
        assert number(sure(arm.quality).cases) == (
            len(part) if dropped is None else dropped
        )
        assert (
            number(sure(arm.quality).low)
            <= sure(arm.quality).value
            <= number(sure(arm.quality).high)
        )


@pytest.mark.slow
def test_an_interval_among_many_arms_is_wider_than_that_of_one(tmp_path: Path) -> None:
    one, many = folder_of(tmp_path / "a", prompts=P), folder_of(
        tmp_path / "b", prompts={**P, **{f"p{n}": f"Answer, {n}.\n" for n in range(6)}}
    )  # fmt: skip
    widths = []
    for folder in (one, many):
        lab = prepare(folder, as_of=AS_OF)
        lab_ceiling.run(lab, cap_usd=0, transport=known({"Answer": 0.7}))
        arms = [
            arm
            for arm in arms_of(folder).values()
            if sure(arm.quality).grade == "measured"
        ]
        arm = next(arm for arm in arms if arm.kind in {"no_model", "prompted"})
        estimate = lab.scores.estimate
        plain = next(each for each in lab.plan.arms if each.id == arm.id)
        alone = estimate(plain, lab.plan.select, exact=True)
        assert alone is not None
        widths.append(
            number(sure(arm.quality).high)
            - number(sure(arm.quality).low)
            - alone.high
            + alone.low
        )
    assert 0 <= widths[0] < widths[1]


def test_an_arm_is_made_of_the_options_that_it_makes_use_of(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, prompts=P)
    arms = raced(folder, known({"Answer": 0.5}))
    made_of = {name: arm.made_of for (_, name), arm in arms.items()}
    assert made_of.pop("p · fake:one") == ()
    assert made_of.pop("majority") == ()
    assert made_of.pop("nearest_neighbour") == ("plain_classifier",)
    for name, options in made_of.items():
        assert options == (
            ("retrieved_examples",) if "nearest" in name else ("few_shot",)
        )


@pytest.mark.slow
def test_arms_of_one_lab_never_take_the_place_of_another_labs(tmp_path: Path) -> None:
    two = "[{id: 'fake:base'}, {id: 'fake:mine', kind: tuned}]"
    folder = folder_of(tmp_path, models=two, prompts=P, n=160)
    fake = known({"base": 0.5, "mine": 0.9}, general={"base": RIGHT, "mine": RIGHT})
    raced(folder, fake)
    lab_verify.run(prepare(folder, as_of=AS_OF), cap_usd=0, transport=fake)
    arms = arms_of(folder)
    assert {lab for lab, _ in arms} == {"ceiling", "verify"}
    tuned = arms["verify", "p · fake:mine"]
    assert (tuned.kind, tuned.general_skills) == ("tuned", "yes")
    # the newest counts
    later = raced(folder_of(tmp_path, models=two, prompts=P, n=200), fake)
    assert later["verify", "p · fake:mine"] == tuned
    assert number(sure(later["ceiling", "p · fake:mine"].quality).cases) > number(
        sure(arms["ceiling", "p · fake:mine"].quality).cases
    )


def test_a_lab_that_was_cut_short_keeps_no_arm(tmp_path: Path) -> None:
    models = f"[{{id: 'fake:one', {price(1000)}}}]"
    folder = folder_of(tmp_path, models=models)
    lab_ceiling.run(
        prepare(folder, as_of=AS_OF), cap_usd=0.5, transport=known({"careful": 0.9})
    )
    assert arms_of(folder) == {}


# Today is production ------------------------------------------------------------------------------


def log_of(folder: Path, system: str, model: str = "one", **more: Any) -> None:
    rows = (
        {
            "input": f"Where is book {n}?",
            "output": f"shelf {n}",
            "system": system,
            "model": model,
        }
        | more
        for n in range(60)
    )
    (folder / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert command(["measure", str(folder), "--from", str(folder / "log.jsonl")]) == 0


def test_a_labs_best_arm_is_an_arm_and_not_today(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, more="today: {quality: 0.6, cases: 200}\n")
    raced(folder, known({"careful": 1.0, "Answer": 0.2}))
    case = answers_weigh.with_own_evidence(load_case(folder))[0]
    assert (case.today.quality, case.today.cases) == (0.6, 200)
    dossier = decide(load_case(folder), LESSON, as_of=AS_OF)
    assert dossier.factors["success_with_prompts"].source != "measured"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("system", "model", "runs"),
    [
        ("You are a careful clerk of a library. Think of every shelf, then give the place alone.",
         "one", True),
        ("Answer the question.", "one-2026-05-01", True),
        ("Answer the question.", "two", False),
        ("Answer the question, please.", "one", False),
    ],
)  # fmt: skip
def test_the_arm_that_the_log_shows_is_today_and_no_other(
    tmp_path: Path, system: str, model: str, runs: bool
) -> None:
    folder = folder_of(tmp_path, more="today: {quality: 0.3, cases: 200}\n")
    raced(folder, known({"careful": 0.9, "Answer": 0.5}))
    log_of(folder, system, model)
    running = [arm for arm in arms_of(folder).values() if arm.runs_today]
    assert len(running) == runs
    case = answers_weigh.with_own_evidence(load_case(folder))[0]
    if not runs:
        assert case.today.quality == 0.3
        return
    (arm,) = running
    assert arm.prompt == ("careful" if "careful" in system else "plain")
    assert arm.made_of == ()
    assert case.today.quality == sure(arm.quality).value


def test_what_ledgers_of_earlier_versions_say_of_a_lab_is_not_today() -> None:
    from tuneworthy.model.evidence import Evidence

    old = Evidence(
        id="success_share", value=0.9, low=0.8, high=0.95, unit="share of cases", n=99,
        clusters=99, factor="today.quality", source="ceiling lab: v3 · fake:one",
    )  # fmt: skip
    case = load_case({"name": "x", "today": {"quality": 0.5, "cases": 100}})
    ledger = answers_weigh.usable_evidence({"success_share": old}, case)
    assert set(ledger) == {"best_prompt_share"}
    assert answers_weigh.with_evidence(case, ledger)[0].today.quality == 0.5


# What production runs, by its log ----------------------------------------------------------------


WORDINGS = (
    PromptWording("plain", ("Answer the question.",)),
    PromptWording("named", ("You help customers of", "with their orders. Be brief.")),
    PromptWording("short", ("You help", "")),
)


def running(
    columns: dict[str, list[Any]], prompts: tuple[PromptWording, ...] = WORDINGS
) -> Any:
    """What the log of these columns shows of production."""
    found = measure(RunningSignal(Materials(prompts=prompts)), batch(**columns))
    return {item.id: item for item in found.evidence}.get("running_prompt_share")


def calls(system: str, n: int = 40, **more: list[Any]) -> dict[str, list[Any]]:
    texts = [system.replace("NAME", f"shop {place}") for place in range(n)]
    return {"output": ["x"] * n, "system": texts, "model": ["one"] * n} | more


@pytest.mark.parametrize(
    ("system", "prompt"),
    [
        ("Answer the question.", "plain"),
        ("  Answer\nthe question.\n", "plain"),
        ("You help customers of NAME with their orders. Be brief.", "named"),
        ("You help customers of NAME with their orders. Be long.", ""),
        ("Answer the question, NAME.", ""),
    ],
)
def test_a_prompt_file_runs_where_its_template_is_followed(
    system: str, prompt: str
) -> None:
    found = running(calls(system))
    assert (found.details["prompt"] if found else "") == prompt


def test_one_call_in_ten_of_another_prompt_leaves_open_what_runs_two_do_so_less() -> (
    None
):
    mixed = calls("Answer the question.")
    mixed["system"] = ["Answer the question."] * 36 + ["Say no."] * 4
    assert running(mixed).details == {"prompt": "plain", "model": "one"}
    mixed["system"] = ["Answer the question."] * 35 + ["Say no."] * 5
    assert running(mixed) is None


def test_runs_of_a_test_and_calls_with_solved_examples_show_no_prompt_file() -> None:
    plain = calls("Answer the question.")
    assert running(plain | {"case": [str(n) for n in range(40)]}) is None
    solved = [
        [Message("user", "a"), Message("assistant", "b"), Message("user", "c")]
    ] * 40
    assert running(plain | {"messages": solved}) is None
    assert running(plain, prompts=()) is None


def test_a_name_tells_the_prompt_file_where_no_system_prompt_is_logged() -> None:
    named = {"output": ["x"] * 40, "prompt": ["Plain"] * 40, "model": ["one"] * 40}
    assert running(named).details["prompt"] == "plain"


# A pilot is a lab ---------------------------------------------------------------------------------


def piloted(
    folder: Path, shares: dict[str, float], **more: Any
) -> dict[tuple[str, str], LabArm]:
    pilot = pilot_of(folder, FakeTrainer(folder / "trained.log"), **more)
    training_pilot.run(pilot, cap_usd=0, transport=answers(shares))
    return arms_of(folder)


@pytest.mark.slow
def test_a_pilot_keeps_its_arms_whatever_its_card_says(tmp_path: Path) -> None:
    flat = dict.fromkeys(rising(), 0.2)
    arms = piloted(case_of(tmp_path), flat)
    found = files_stores.read_pilot(load_case(tmp_path))
    assert found is not None
    assert found.card.answer == "no_go"
    tuned = arms["pilot", found.verify.plan.tuned]
    assert (tuned.card, tuned.card_says) == ("no_go", found.card.because)
    assert tuned.model == "fake:base"
    assert number(sure(tuned.quality).high) < 0.9
    assert {arm.kind for arm in arms.values()} == {"prompted", "tuned", "no_model"}
    assert all(
        sure(arm.quality).grade == "held_out"
        for (_, name), arm in arms.items()
        if name in {row.arm.id for row in found.arms}
    )


@pytest.mark.slow
def test_a_no_go_is_kept_where_general_skills_could_not_be_judged(
    tmp_path: Path,
) -> None:
    """Cut off at a few tokens, most general answers came to nothing."""
    folder, flat = case_of(tmp_path), dict.fromkeys(rising(), 0.2)
    pilot = pilot_of(folder, FakeTrainer(folder / "trained.log"))
    full = answers(flat)

    class Cut(Fake):
        async def send(self, request: Request) -> Reply:
            reply = await super().send(request)
            asked = request.messages[-1].content
            if asked in RIGHT and len(asked) % 3:
                return reply.model_copy(update={"finish": "length"})
            return reply

    done = training_pilot.run(pilot, cap_usd=0, transport=Cut(full._answer))
    assert done.verify.outcome == "unknown"
    tuned = arms_of(folder)["pilot", done.verify.plan.tuned]
    assert tuned.general_skills == "unknown"
    assert tuned.card == done.card.answer == "no_go"


@pytest.mark.slow
def test_a_pilot_says_of_untuned_ways_what_a_ceiling_lab_says(tmp_path: Path) -> None:
    by_pilot, by_lab = case_of(tmp_path / "a"), case_of(tmp_path / "b")
    piloted(by_pilot, rising())
    lab_ceiling.run(
        prepare(by_lab, as_of=AS_OF), cap_usd=0, transport=answers(rising())
    )

    def tried(folder: Path) -> dict[str, Any]:
        (run,) = files_stores.read_evidence(load_case(folder))
        return {item.id: item.value for item in run.evidence}

    pilot, lab = tried(by_pilot), tried(by_lab)
    assert set(lab) - {"plateau_gain"} <= set(pilot)
    assert {name: pilot[name] for name in lab if name.endswith("_arms")} == {
        name: lab[name] for name in lab if name.endswith("_arms")
    }
    assert pilot["distinct_prompts"] == lab["distinct_prompts"]


# Results of other tools ---------------------------------------------------------------------------


def test_prompts_and_models_of_another_tools_results_are_arms(tmp_path: Path) -> None:
    (tmp_path / "case.yaml").write_text(
        "name: x\nmodels: [{id: 'my:small'}, {id: 'my:mine', kind: tuned}]\n"
    )
    rows = (
        {
            "case": str(n), "prompt_version": prompt, "model": model, "output": "x", "usd": 0.001,
            "latency_s": 0.1 + n / 1000, "score": float((n * 7 + len(prompt)) % 10 < right),
        }
        for prompt, model, right in (("v1", "small", 6), ("v2", "small", 9), ("v1", "mine", 8))
        for n in range(100)
    )  # fmt: skip
    (tmp_path / "results.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in rows)
    )
    assert (
        command(["measure", str(tmp_path), "--from", str(tmp_path / "results.jsonl")])
        == 0
    )
    arms = arms_of(tmp_path)
    assert set(arms) == {("import", f"{p} · {m}") for p, m in (
        ("v1", "small"), ("v2", "small"), ("v1", "mine"))}  # fmt: skip
    best, tuned = arms["import", "v2 · small"], arms["import", "v1 · mine"]
    assert (best.kind, tuned.kind) == ("prompted", "tuned")
    assert (best.model, tuned.model) == ("my:small", "my:mine")
    assert sure(best.quality).value == pytest.approx(0.9)
    assert number(sure(best.quality).low) < 0.9 < number(sure(best.quality).high)
    assert sure(best.latency_p95_s).value == pytest.approx(0.194, abs=0.002)
    assert sure(best.usd_per_call).value == pytest.approx(0.001)


# Four worlds of known truth -----------------------------------------------------------------------


def judged(folder: Path) -> Any:
    """The dossier of a folder, by all that lies beside it."""
    return decide(load_case(folder), LESSON, as_of=AS_OF)


def state_targets(folder: Path, wanted: str, requests: int) -> Path:
    """Put targets beside quality into a case, and its traffic."""
    text = (folder / "case.yaml").read_text()
    text = text.replace("at_least: 0.9}}", f"at_least: 0.9}}, {wanted}}}")
    traffic = f"economics: {{traffic: {{requests_per_month: {requests}}}}}\n"
    (folder / "case.yaml").write_text(text + traffic)
    return folder


@pytest.mark.slow
def test_a_cheaper_tuned_model_as_good_as_its_teacher_is_told_so(
    tmp_path: Path,
) -> None:
    """The teacher is right, slow and dear; the tuned model is as right, at a hundredth of both."""
    models = f"[{{id: 'fake:teacher', {price(10)}}}, {{id: 'fake:mine', kind: tuned, {price(0.1)}}}]"
    folder = folder_of(tmp_path, models=models, prompts=P, n=400)
    state_targets(folder, "latency_p95_s: 0.5, usd_per_month: 500", requests=1_000_000)
    right = known(
        {"teacher": 0.97, "mine": 0.97}, general={"teacher": RIGHT, "mine": RIGHT}
    )
    fake = Paced(right, {"teacher": 2.0, "mine": 0.02})
    result = lab_verify.run(prepare(folder, as_of=AS_OF), cap_usd=100, transport=fake)
    arms = arms_of(folder)
    tuned, teacher = arms["verify", "p · fake:mine"], arms["verify", "p · fake:teacher"]
    assert {sure(tuned.quality).grade, sure(teacher.quality).grade} == {"held_out"}
    assert number(sure(tuned.quality).low) > 0.9
    assert sure(tuned.latency_p95_s).value == pytest.approx(0.02)
    assert sure(teacher.latency_p95_s).value == pytest.approx(2.0)
    assert sure(teacher.usd_per_call).value == pytest.approx(
        100 * sure(tuned.usd_per_call).value
    )
    assert tuned.general_skills == "yes"
    gain = files_stores.read_latest(load_case(folder))[0].get("tuned_gain")
    assert gain is not None
    assert gain.number == result.contrast.difference
    assert gain.n == result.contrast.n
    assert (result.outcome, result.gains) == ("meets", "yes")
    assert {name: held.state for name, held in result.targets.items()} == dict.fromkeys(
        ("quality", "latency", "cost"), "met"
    )
    dossier = judged(folder)
    assert (dossier.verdict.answer, dossier.verdict.rule) == ("yes", "proven")
    assert dossier.recommendation.steps[0].way == "verify:p · fake:mine"
    # verify asks no such thing
    assert "its refusals are tested" in dossier.verdict.conditions
    assert "its general skills are tested" not in dossier.verdict.conditions


@pytest.mark.slow
def test_a_small_rival_that_meets_everything_is_kept_with_its_own_figures(
    tmp_path: Path,
) -> None:
    models = f"[{{id: 'fake:big', {price(10)}}}, {{id: 'fake:small', {price(0.1)}}}]"
    folder = folder_of(tmp_path, models=models, prompts=P, n=600)
    state_targets(folder, "latency_p95_s: 0.3, usd_per_month: 500", requests=1_000_000)
    right = known({"big": 1.0, "small": 0.97})
    arms = raced(folder, Paced(right, {"big": 0.5, "small": 0.16}))
    big, small = arms["ceiling", "p · fake:big"], arms["ceiling", "p · fake:small"]
    assert {sure(big.quality).grade, sure(small.quality).grade} == {"held_out"}
    assert number(sure(small.quality).low) > 0.9
    assert sure(small.latency_p95_s).value == pytest.approx(0.16)
    assert sure(small.usd_per_call).value < sure(big.usd_per_call).value / 50
    assert sure(big.latency_p95_s).value == pytest.approx(0.5)
    dossier = judged(folder)
    assert (dossier.verdict.answer, dossier.verdict.rule) == ("no", "met")
    assert dossier.recommendation.steps[0].way == "ceiling:p · fake:small"
    assert "p · fake:small" in dossier.verdict.headline.lower()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("small_usd", "target", "reports"),
    [(0.1, 0.9, True), (0.1, None, False), (0.1, 0.995, False), (20.0, 0.9, False)],
    ids=["cheaper and good enough", "no target", "too far below it", "dearer"],
)
def test_another_model_reports_only_where_it_is_cheaper_and_may_be_enough(
    tmp_path: Path, small_usd: float, target: float | None, *, reports: bool
) -> None:
    models = (
        f"[{{id: 'fake:big', {price(10)}}}, {{id: 'fake:small', {price(small_usd)}}}]"
    )
    folder = folder_of(tmp_path, models=models, prompts=P, n=240, target=target)
    fake = Paced(known({"big": 1.0, "small": 0.95}), {"big": 0.5, "small": 0.2})
    most = quoted(prepare(folder, as_of=AS_OF))
    arms = raced(folder, fake)
    grade = sure(arms["ceiling", "p · fake:small"].quality).grade
    assert grade == ("held_out" if reports else "measured")
    plan = json.loads((folder / ".tuneworthy" / "ceiling-plan.json").read_text())
    assert plan["rivals"] == (["p · fake:small"] if reports else [])
    assert fake.sent <= most.calls


@pytest.mark.slow
def test_a_slower_best_prompt_has_the_fastest_that_may_be_enough_beside_it(
    tmp_path: Path,
) -> None:
    models = f"[{{id: 'fake:big', {price(1)}}}, {{id: 'fake:small', {price(2)}}}]"
    folder = folder_of(tmp_path, models=models, prompts=P, n=240)
    text = (folder / "case.yaml").read_text()
    wanted = "at_least: 0.9}, latency_p95_s: 0.3}"
    (folder / "case.yaml").write_text(text.replace("at_least: 0.9}}", wanted))
    fake = Paced(known({"big": 1.0, "small": 0.95}), {"big": 0.5, "small": 0.2})
    arms = raced(folder, fake)
    small = arms["ceiling", "p · fake:small"]
    assert sure(small.quality).grade == "held_out"
    assert sure(small.latency_p95_s).value < 0.3


THINKING = "<think>\nIs it on shelf 3? No.\nMaybe </thought> then.\n</think>\n\n"


@pytest.mark.parametrize(
    ("thought", "answer"),
    [
        (f"{THINKING}shelf 1", "shelf 1"),
        ("  <thinking>a</thinking>shelf 1", "shelf 1"),
        (
            "Let me see.\n</think>\nshelf 1",
            "shelf 1",
        ),  # the first tag was part of the prompt
        ("<think>it never ends", "<think>it never ends"),
        ("shelf 1 <think>a</think>", "shelf 1 <think>a</think>"),
        ("shelf 1", "shelf 1"),
    ],
)
def test_thinking_in_the_open_before_an_answer_is_no_part_of_it(
    thought: str, answer: str
) -> None:
    assert scoring_base.without_thinking(thought) == answer


def thinking(endpoint: Endpoint) -> None:
    """Make an endpoint think in the open before each answer."""
    plain = endpoint.fake._answer
    endpoint.manner = lambda request: (200, chat(THINKING + plain(request)))


@pytest.mark.slow
def test_a_model_that_thinks_in_the_open_is_scored_by_its_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with served({"careful": 0.95, "Answer": 0.5}) as endpoint:
        thinking(endpoint)
        models = f"[{{id: 'my:one', base_url: '{endpoint.base_url}', {price(0)}}}]"
        folder = folder_of(tmp_path, models=models, n=160, target=0.8)
        done = lab_ceiling.run(prepare(folder, as_of=AS_OF), cap_usd=0)
    assert done.result.reached == "no"
    rows = {row.arm.id: row for row in done.result.arms if row.arm.kind == "prompt"}
    select = len(done.plan.select)
    assert {row.aloud for row in rows.values() if row.dropped_after is None} == {select}
    best = arms_of(folder)["ceiling", done.result.best]
    assert number(sure(best.quality).low) > 0.8
    assert best.prompt == "careful"
    page = " ".join(lab_ceiling.render(done).split())
    assert "Thinking in the open, by my:one: cut from" in page
    dossier = judged(folder)
    assert (dossier.verdict.answer, dossier.verdict.rule) == ("no", "met")
    assert dossier.recommendation.steps[0].way == f"ceiling:{done.result.best}"
    capsys.readouterr()


@pytest.mark.slow
def test_a_tuned_model_that_thinks_in_the_open_is_never_called_worse(
    tmp_path: Path,
) -> None:
    with served(
        {"base": 0.6, "mine": 0.97}, general={"base": RIGHT, "mine": RIGHT}
    ) as endpoint:
        thinking(endpoint)
        place = f"base_url: '{endpoint.base_url}', {price(0)}"
        models = (
            f"[{{id: 'my:base', {place}}}, {{id: 'my:mine', kind: tuned, {place}}}]"
        )
        folder = folder_of(tmp_path, models=models, prompts=P, n=300, target=0.85)
        result = lab_verify.run(prepare(folder, as_of=AS_OF), cap_usd=0)
    assert (result.outcome, result.why) == ("meets", "targets")
    assert result.aloud == 2 * result.plan.cases
    assert judged(folder).verdict.answer == "yes"


@pytest.mark.slow
def test_a_gain_that_misses_the_target_is_told_as_both(tmp_path: Path) -> None:
    two = "[{id: 'fake:base'}, {id: 'fake:mine', kind: tuned}]"
    folder = folder_of(tmp_path, models=two, prompts=P, n=400, target=0.95)
    fake = known({"base": 0.5, "mine": 0.8}, general={"base": RIGHT, "mine": RIGHT})
    result = lab_verify.run(prepare(folder, as_of=AS_OF), cap_usd=0, transport=fake)
    assert (result.outcome, result.gains) == ("misses", "yes")
    verdict = judged(folder).verdict
    assert verdict.answer in ("no", "not_yet")
    assert "quality" in verdict.because
    assert "The tuned model misses quality" in lab_verify.render(result)
    tuned = arms_of(folder)["verify", "p · fake:mine"]
    base = arms_of(folder)["verify", "p · fake:base"]
    assert number(sure(base.quality).high) < number(sure(tuned.quality).low)
    assert number(sure(tuned.quality).high) < 0.95
    latest = files_stores.read_latest(load_case(folder))[0]
    gain = latest["tuned_gain"]
    assert gain.low is not None
    assert gain.low > 0


@pytest.mark.slow
def test_two_equal_arms_are_equal_once_there_are_cases_enough(tmp_path: Path) -> None:
    """No margin is given: at nought equal arms would stay open for ever."""
    two = "[{id: 'fake:base'}, {id: 'fake:mine', kind: tuned}]"
    folder = folder_of(tmp_path, models=two, prompts=P, n=300, target=None)
    fake = known(
        {"": 1.0, "base": 1.0, "mine": 1.0}, general={"base": RIGHT, "mine": RIGHT}
    )
    result = lab_verify.run(prepare(folder, as_of=AS_OF), cap_usd=0, transport=fake)
    assert (result.outcome, result.plan.margin) == ("no_gain", lab_verify.MARGIN)
