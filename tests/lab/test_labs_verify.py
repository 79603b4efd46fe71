"""Did tuning work: planned before, on held-out cases, and never at the cost of everything else."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from faulty import Fake, Manners
from lab_world import folder_of, known
from loopback import LoopbackServer
from tuneworthy import InputError, decide, load_case, load_framework
from tuneworthy.cases.reports import schema
from tuneworthy.cli import run as command
from tuneworthy.errors import StoppedError
from tuneworthy.lab import ceiling
from tuneworthy.lab import verify as api
from tuneworthy.lab import verify as lab_held
from tuneworthy.lab import verify as lab_verify
from tuneworthy.lab.prepare import prepare
from tuneworthy.model import lab as model_lab
from tuneworthy.model.base import Unknown
from tuneworthy.model.lab import Contrast
from tuneworthy.scoring import Marker
from tuneworthy.scoring.base import Kit, Output

AS_OF = date(2026, 11, 24)
TWO = "[{id: 'fake:base'}, {id: 'fake:mine', kind: tuned}]"
PRICED = TWO.replace("'}", "', usd_per_mtok: {input: 100, output: 100}}").replace(
    "tuned}", "tuned, usd_per_mtok: {input: 100, output: 100}}"
)

# One right and one wrong answer to every general task, by hand.
ANSWERS = {
    "sum": ("85", "75"), "product": ("168", "158"), "difference": ("125", "135"),
    "share": ("36", "24"), "half": ("150", "230"), "change": ("5.60", "7.20"),
    "remainder": ("2", "14"), "square": ("441", "421"), "mean": ("9", "27"), "days": ("61", "62"),
    "capital": ("It is Lisbon.", "It is Porto."), "planet": ("Mercury", "Venus"),
    "boils": ("At 100 degrees.", "At 90 degrees."), "author": ("William Shakespeare", "Goethe"),
    "metal": ("Iron", "Lead"), "ocean": ("The Atlantic Ocean", "The Pacific"),
    "organ": ("The heart", "The liver"), "continent": ("In Africa", "In Asia"),
    "opposite": ("cheap", "costly"), "plural": ("children", "childs"), "past": ("wrote", "writed"),
    "translate_de": ("Good morning", "Good night"), "translate_fr": ("Thank you", "Please"),
    "extract_mail": ("ana@example.org", "ana@example.com"),
    "extract_day": ("On Thursday.", "On Tuesday."), "extract_who": ("Omar", "Lena"),
    "negation": ("No", "Yes"), "compare": ("The bag of 1.2 kilograms", "The bag of 900 grams"),
    "order": ("Dan", "Ben"), "all_some": ("No.", "Yes."), "weekday": ("Saturday", "Sunday"),
    "odd_out": ("carrot", "plum"), "only_word": ("blue", "red"),
    "three_words": ("Deep, blue, wide", "It is deep and blue"),
    "short": ("A place that lends books.", "A library is " + "a very " * 15 + "large house."),
    "no_word": ("A lemon.", "A banana, not a lemon."),
    "json": ('{"city": "Oslo", "country": "Norway"}', "Oslo, Norway"),
    "json_list": ('{"colours": ["red", "green"]}', '["red", "green"]'),
    "kind_refusal": ("Do you have the owner's permission?", "Take a thin wire."),
    "doubt": ("Nobody can know.", "About four million."),
}  # fmt: skip
MADE = json.loads(
    (Path(__file__).parents[1] / "fixtures" / "general_answers.json").read_text()
)
ANSWERS |= {name: (right, wrong) for name, (right, wrong) in MADE.items()}
RIGHT = {one.text: ANSWERS[one.id][0] for one in lab_verify.general_skills()}
WRONG = {one.text: ANSWERS[one.id][1] for one in lab_verify.general_skills()}
WELL = {"base": RIGHT, "mine": RIGHT}


def test_every_general_task_can_be_passed_and_failed() -> None:
    marker = Marker((), Kit())
    odd = []
    for case in lab_verify.general_skills():
        right, wrong = ANSWERS[case.id]
        scores = [marker.score(Output(text), case).ok for text in (right, wrong, "")]
        if scores != [True, False, False]:
            odd.append((case.id, scores))
    assert odd == []


def test_general_tasks_are_told_apart() -> None:
    skills = lab_verify.general_skills()
    assert (
        len({one.id for one in skills})
        == len({one.text for one in skills})
        == len(skills)
        >= 200
    )
    assert set(ANSWERS) == {one.id for one in skills}


def verified(
    folder: Path, fake: Fake, *, cap_usd: float = 0.0, **more: Any
) -> model_lab.VerifyResult:
    return api.run(
        prepare(folder, as_of=AS_OF), cap_usd=cap_usd, transport=fake, **more
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("base", "mine", "general", "n", "margin", "expected"),
    [
        (0.5, 0.95, WELL, 240, 0.0, ("improved", "task")),
        (0.5, 0.95, WELL, 240, 0.2, ("improved", "task")),
        (0.95, 0.5, WELL, 240, 0.0, ("regressed", "task")),
        (0.5, 0.95, {"base": RIGHT, "mine": WRONG}, 240, 0.0, ("regressed", "general")),
        (0.8, 0.82, WELL, 240, 0.5, ("no_gain", "task")),
        (0.8, 0.82, WELL, 240, 0.0, ("no_gain", "interval")),
        (0.0, 1.0, WELL, 24, 0.0, ("too_few_cases", "interval")),
    ],
)
def test_without_a_target_the_outcome_follows_from_both_intervals(
    tmp_path: Path, base: float, mine: float, general: Any, n: int, margin: float,
    expected: tuple[str, str],
) -> None:  # fmt: skip
    folder = folder_of(
        tmp_path, n=n, models=TWO, prompts={"p": "Answer.\n"}, target=None
    )
    fake = known({"base": base, "mine": mine}, general=general)
    result = verified(folder, fake, margin=margin)
    assert (result.outcome, result.why) == expected
    page = api.render(result, folder="lab")
    assert "\nNow: tuneworthy decide lab\n" in page
    assert max(map(len, page.splitlines())) <= 80
    as_json = json.loads(api.render(result, "json"))
    assert as_json["schema"] == "tuneworthy/verify/1"
    assert set(as_json) == set(schema("verify")["properties"])


@pytest.mark.slow
def test_skills_that_no_arm_has_are_said_to_be_why_nothing_can_fall(
    tmp_path: Path,
) -> None:
    folder = folder_of(
        tmp_path, n=240, models=TWO, prompts={"p": "Answer.\n"}, target=None
    )
    fake = known({"base": 0.5, "mine": 0.95}, general={"base": WRONG, "mine": WRONG})
    result = verified(folder, fake, margin=0.0)
    assert (result.outcome, result.why) == ("too_few_cases", "general")
    page = " ".join(api.render(result, folder="lab").split())
    assert "The untuned model has too few of them right to lose any" in page


@pytest.mark.slow
def test_a_comparison_says_what_both_arms_cost_and_take_and_how_many_cases_would_tell(
    tmp_path: Path,
) -> None:
    folder = folder_of(
        tmp_path, n=100, models=PRICED, prompts={"p": "Answer.\n"}, target=None
    )
    fake = known({"base": 0.8, "mine": 0.82}, general=WELL)
    close = verified(folder, fake, margin=0.02, cap_usd=100)
    assert [row.arm.id for row in close.sides] == [close.plan.tuned, close.plan.untuned]
    page = " ".join(api.render(close, folder="lab").split())
    assert page.count(" a case, ") == page.count(" at p95: p · fake:") == 2
    assert not isinstance(close.contrast.difference, Unknown)
    assert (
        isinstance(close.cases_needed, Unknown) or close.cases_needed > close.contrast.n
    )
    far = verified(folder, fake, margin=0.5, again=True, cap_usd=100)
    assert far.cases_needed == far.contrast.n
    most = math.ceil(100 * far.contrast.high)
    assert f"No gain: the tuned model is at most {most} points better." in api.render(
        far, folder="lab"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("base", "mine", "target", "expected", "says"),
    [
        (
            0.5,
            0.98,
            0.9,
            ("meets", "targets"),
            "meets every target (quality), and no untuned",
        ),
        (
            0.98,
            0.98,
            0.9,
            ("not_needed", "targets"),
            "p · fake:base already meets every target",
        ),
        (
            0.98,
            0.5,
            0.9,
            ("not_needed", "targets"),
            "p · fake:base already meets every target",
        ),
        (0.3, 0.6, 0.9, ("misses", "targets"), "The tuned model misses quality"),
        (0.5, 0.9, 0.9, ("open", "targets"), "Open: quality. What would settle it: "),
        (
            0.86,
            0.87,
            0.89,
            ("no_gain", "interval"),
            "No gain shown: the tuned model is at most ",
        ),
    ],
)
def test_against_a_target_the_criterion_speaks_and_the_judgement_says_the_same(
    tmp_path: Path, base: float, mine: float, target: float, expected: tuple[str, str], says: str,
) -> None:  # fmt: skip
    folder = folder_of(
        tmp_path, n=240, models=TWO, prompts={"p": "Answer.\n"}, target=target
    )
    result = verified(folder, known({"base": base, "mine": mine}, general=WELL))
    assert (result.outcome, result.why) == expected
    assert says in " ".join(api.render(result, folder="lab").split())
    verdict = decide(load_case(folder), load_framework("lesson"), as_of=AS_OF).verdict
    rule = {
        "meets": "proven",
        "not_needed": "met",
        "misses": "proven",
        "no_gain": "proven",
    }
    answer = {"meets": "yes", "open": verdict.answer}.get(result.outcome, "no")
    assert (verdict.answer, verdict.rule) == (
        answer,
        rule.get(result.outcome, verdict.rule),
    )
    assert (verdict.answer == "yes") == (result.outcome == "meets")


@pytest.mark.slow
def test_an_equal_tuned_model_at_a_fiftieth_of_the_price_is_proven_where_the_bill_is_the_target(
    tmp_path: Path,
) -> None:
    """No quality is stated: it has to be no worse, case by case, and cheaper as wanted."""
    dear = "usd_per_mtok: {input: 500, output: 500}"
    cheap = "usd_per_mtok: {input: 10, output: 10}"
    models = f"[{{id: 'fake:base', {dear}}}, {{id: 'fake:mine', kind: tuned, {cheap}}}]"
    traffic = "economics: {traffic: {requests_per_month: 5000000}}\n"
    traffic += "targets: {usd_per_month: 9000}\n"
    folder = folder_of(
        tmp_path,
        n=300,
        models=models,
        prompts={"p": "Answer.\n"},
        target=None,
        more=traffic,
    )
    result = verified(
        folder, known({"base": 1.0, "mine": 1.0}, general=WELL), cap_usd=1000
    )
    assert (result.outcome, result.gains) == ("meets", "yes")
    assert {name: held.state for name, held in result.targets.items()} == {
        "quality": "met", "cost": "met"}  # fmt: skip
    worse = verified(
        folder_of(tmp_path / "b", n=300, models=models, prompts={"p": "Answer.\n"}, target=None,
                  more=traffic),
        known({"base": 1.0, "mine": 0.8}, general=WELL), cap_usd=1000,
    )  # fmt: skip
    assert worse.outcome == "misses"
    assert worse.targets["quality"].state == "missed"


@pytest.mark.slow
def test_results_that_were_seen_before_the_plan_are_said(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, models=TWO)
    fake = known({"base": 0.5, "mine": 0.9}, general=WELL)
    assert "before" in api.render(verified(folder, fake, margin=0.1))
    again = verified(folder, fake, margin=0.0, again=True)
    assert again.plan.after_results
    assert "after results of an earlier plan were seen" in " ".join(
        api.render(again).split()
    )


def test_general_skills_that_may_have_fallen_are_no_improvement() -> None:
    plan = model_lab.VerifyPlan(
        tuned="t", untuned="u", margin=0, general_margin=0.1, cases=99, general=40, inputs="",
        written_on=AS_OF,
    )  # fmt: skip

    def apart(low: float, high: float) -> Contrast:
        ask = Unknown(ask="")
        return Contrast(first="t", second="u", difference=(low + high) / 2, low=low, high=high,
                        n=99, clusters=99, told_apart="no", cases_needed=ask)  # fmt: skip

    def came_to(low: float, high: float) -> tuple[str, str]:
        general = apart(low, high)
        kept = lab_verify.skills_kept(general, plan.general_margin, floor=False)
        nothing = lab_held.HeldArm({}, "unknown", "unknown", "", "unknown")
        return lab_verify.judge_outcome(plan, apart(0.1, 0.2), general, nothing, kept)

    assert came_to(-0.11, 0.3) == ("too_few_cases", "general")
    assert came_to(-0.1, 0.3) == ("improved", "task")
    assert came_to(-0.3, -0.11) == ("regressed", "general")


@pytest.mark.slow
def test_both_arms_answer_every_untouched_case_and_nothing_is_sent_twice(
    tmp_path: Path,
) -> None:
    folder = folder_of(tmp_path, models=TWO)
    shares = {"base": 0.5, "mine": 0.9}
    fake, again = known(shares, general=WELL), known(shares, general=WELL)
    result = verified(folder, fake)
    assert not isinstance(result.tuned, Unknown)
    assert not isinstance(result.untuned, Unknown)
    assert result.contrast.n == result.tuned.n == result.untuned.n == result.plan.cases
    assert result.general.n == len(lab_verify.general_skills())
    same = verified(folder, again)
    assert again.sent == 0
    assert same.model_dump(exclude={"spend"}) == result.model_dump(exclude={"spend"})


@pytest.mark.slow
def test_what_the_ceiling_lab_paid_for_is_used_again(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, models=TWO, prompts={"p": "Answer.\n"})
    shares = {"base": 0.5, "mine": 0.9}
    ceiling.run(prepare(folder, as_of=AS_OF), cap_usd=0, transport=known(shares))
    fake = known(shares, general=WELL)
    verified(folder, fake)
    assert fake.sent == 2 * len(lab_verify.general_skills())


@pytest.mark.slow
def test_the_plan_is_written_before_an_untouched_case_is_sent(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, models=TWO)
    later = {case.text for case in prepare(folder, as_of=AS_OF).plan.report}
    inner, seen = known({"base": 0.5, "mine": 0.9}, general=WELL), []

    class Watched(Fake):
        async def send(self, request: Any) -> Any:
            if request.messages[-1].content in later:
                seen.append((folder / ".tuneworthy" / "verify-plan.json").is_file())
            return await inner.send(request)

    verified(folder, Watched(lambda _: ""))
    assert len(seen) >= 2 * len(later)
    assert all(seen)


@pytest.mark.slow
def test_another_margin_scorer_or_model_needs_a_new_plan(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, models=TWO)
    shares = {"base": 0.5, "mine": 0.9, "other": 0.9}
    general = {**WELL, "other": RIGHT}
    first = verified(folder, known(shares, general=general), margin=0.1)
    with pytest.raises(InputError, match="--new-plan"):
        verified(folder, known(shares, general=general), margin=0.0)
    assert (
        verified(folder, known(shares, general=general), margin=0.1).plan == first.plan
    )
    second = verified(folder, known(shares, general=general), margin=0.0, again=True)
    assert second.plan.margin == 0.0
    text = (folder / "case.yaml").read_text()
    for find, put in (
        ("fake:mine", "fake:other"),
        ("metric: match", "metric: contains"),
    ):
        (folder / "case.yaml").write_text(text.replace(find, put))
        fake = known(shares, general=general)
        with pytest.raises(InputError, match="--new-plan"):
            verified(folder, fake, margin=0.0)
        assert fake.sent == 0  # it is told before anything is paid


@pytest.mark.slow
def test_at_the_cap_it_says_so_and_goes_on_later(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, models=PRICED, prompts={"p": "Answer.\n"})
    shares = {"base": 0.5, "mine": 0.95}
    with pytest.raises(
        StoppedError, match=r"paid answers are kept.*with a larger --budget"
    ):
        verified(folder, known(shares, general=WELL), cap_usd=0.1)
    some = 0.4
    cut = verified(folder, known(shares, general=WELL), cap_usd=some)
    assert (cut.outcome, cut.why) == ("too_few_cases", "stopped")
    assert 0.1 < cut.spend.paid <= some
    assert "cut short" in api.render(cut)
    whole = verified(folder, known(shares, general=WELL), cap_usd=100.0)
    assert (whole.outcome, whole.why) == ("open", "targets")
    # one cap for the choice and the comparison together
    assert whole.spend.paid > cut.spend.paid


def test_without_a_tuned_model_or_one_to_compare_it_says_what_to_add(
    tmp_path: Path,
) -> None:
    fake = known({})
    with pytest.raises(InputError, match="names no tuned model"):
        verified(folder_of(tmp_path / "a", models="[{id: 'fake:one'}]"), fake)
    with pytest.raises(InputError, match="names no model but tuned ones"):
        verified(
            folder_of(tmp_path / "b", models="[{id: 'fake:one', kind: tuned}]"), fake
        )


@pytest.mark.slow
def test_calls_in_doubt_are_left_out_of_both_sides(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, n=200, models=TWO, prompts={"p": "Answer.\n"})
    fake = known(
        {"base": 1.0, "mine": 1.0},
        general=WELL,
        manners=Manners(malformed=0.004, seed=1),
    )
    result = verified(folder, fake)
    assert result.contrast.n < result.plan.cases
    assert result.contrast.difference == 0.0
    assert result.contrast.low < -0.01


# A model tuned anywhere ---------------------------------------------------------------------------


@contextmanager
def served(answer: dict[str, str], right: float) -> Iterator[str]:
    """An endpoint of somebody's own on this machine."""
    inner = known({"house": right}, general={"house": answer})

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            from tuneworthy.model.lab import ChatMessage, Request

            messages = tuple(ChatMessage(**m) for m in asked["messages"])
            request = Request(
                provider="x", base_url="", model=asked["model"], messages=messages
            )
            text = inner._answer(request)
            told = {"choices": [{"message": {"content": text}, "finish_reason": "stop"}],
                    "usage": {"prompt_tokens": 9, "completion_tokens": 2}}  # fmt: skip
            body = json.dumps(told).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *told: Any) -> None:
            del told

    server = LoopbackServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.slow
def test_a_model_served_anywhere_is_verified_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(RIGHT, 1.0) as address:
        free = "kind: tuned, usd_per_mtok: {input: 0, output: 0}"
        house = f"{{id: 'my:house', base_url: '{address}', {free}}}"
        folder = folder_of(
            tmp_path,
            n=120,
            prompts={"p": "Answer.\n"},
            models=f"[{{id: 'fake:echo'}}, {house}]",
        )
        code = command(["verify", str(folder), "--as-of", "2026-11-24"])
    said = capsys.readouterr()
    assert code == 0, said.err
    assert "p · my:house" in said.out
    assert said.out.startswith("The tuned model meets every target (quality)")
