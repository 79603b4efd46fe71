"""A call that got no answer says nothing about a model: no verdict moves, whatever refuses it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_labs_verify import RIGHT

from faulty import Fake
from lab_world import chance, folder_of, known
from loopback import LoopbackServer
from tuneworthy.cli import run as command
from tuneworthy.lab import ceiling
from tuneworthy.lab import result as lab_result
from tuneworthy.lab import verify as lab_held
from tuneworthy.lab import verify as lab_verify
from tuneworthy.lab.prepare import prepare
from tuneworthy.lab.scores import Scores
from tuneworthy.model import lab as model_lab
from tuneworthy.model.base import Unknown
from tuneworthy.model.evalset import EvalCase
from tuneworthy.model.lab import Arm, ChatMessage, Contrast, Request
from tuneworthy.scoring import Marker, scorer_for
from tuneworthy.scoring.base import Kit, Output
from worlds_withheld import WAYS, World

AS_OF = date(2026, 11, 24)
AT_ONCE = 4
NO_TEMPERATURE = "Unsupported value: 'temperature' does not support 0 with this model"

Manner = Callable[[Request], tuple[int, dict[str, Any]] | None]
"""What an endpoint says to a request in place of an answer; None where it answers."""


@dataclass
class Endpoint:
    """An endpoint on the loopback, and what was asked of it."""

    fake: Fake
    manner: Manner = lambda _: None
    base_url: str = ""
    seen: list[str] = field(default_factory=list)
    """The model of each request."""

    def says(self, request: Request) -> tuple[int, dict[str, Any]]:
        self.seen.append(request.model)
        return self.manner(request) or (200, chat(self.fake._answer(request)))


def chat(text: str, finish: str = "stop") -> dict[str, Any]:
    return {
        "choices": [{"message": {"content": text}, "finish_reason": finish}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 2},
    }


def error(message: str) -> dict[str, Any]:
    return {"error": {"message": message}}


@contextmanager
def served(shares: dict[str, float], **more: Any) -> Iterator[Endpoint]:
    """An endpoint whose models are right in known shares of cases."""
    endpoint = Endpoint(known(shares, **more))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            messages = tuple(ChatMessage(**one) for one in asked["messages"])
            request = Request(
                provider="x", base_url="", model=asked["model"], messages=messages
            )
            more = {"max_tokens": asked.get("max_tokens")}
            status, body = endpoint.says(request.model_copy(update=more))
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *ignored: Any) -> None:
            del ignored

    server = LoopbackServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint.base_url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()


def models(endpoint: Endpoint, *names: str, tuned: str = "") -> str:
    free = "usd_per_mtok: {input: 0, output: 0}"
    kinds = {
        name: ", kind: tuned" if name == tuned else ""
        for name in (*names, tuned)
        if name
    }
    listed = (
        f"{{id: 'my:{name}', base_url: '{endpoint.base_url}', {free}{kind}}}"
        for name, kind in kinds.items()
    )
    return f"[{', '.join(listed)}]"


def lab(name: str, folder: Path, *more: str) -> int:
    return command(
        [name, str(folder), "--as-of", "2026-11-24", "--at-once", str(AT_ONCE), *more]
    )


def verdict(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    command(["decide", str(folder), "--format", "json", "--as-of", "2026-11-24"])
    return capsys.readouterr().out


def evidence(folder: Path) -> dict[str, float]:
    path = folder / ".tuneworthy" / "evidence.jsonl"
    if not path.exists():
        return {}
    (line,) = path.read_text().splitlines()
    return {one["id"]: one["value"] for one in json.loads(line)["evidence"]}


# Ceiling ------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "body", "quoted"),
    [
        (404, error("no such path"), "HTTP 404"),
        (400, error(NO_TEMPERATURE), "temperature"),
        (302, {}, "HTTP 302"),
        (307, {}, "HTTP 307"),
        (422, error("unknown field"), "HTTP 422"),
        (200, chat(""), "empty"),
        (200, chat("", "length"), "cut off"),
        (200, chat("shelf", "length"), "cut off"),
        (200, chat("I'm", "content_filter"), "content filter"),
        (200, chat("Provider returned error", "error"), "it ended as"),
        (200, chat("shelf", "abort"), "it ended as"),
        (200, chat("shelf") | error("provider failed"), "provider failed"),
        (200, chat("\u200b\u200d\ufe0f\u3164"), "empty"),
        (200, chat("shelf", "tool_calls"), "none was offered"),
    ],
)
def test_where_nothing_is_answered_nothing_is_judged_and_no_verdict_moves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str],
    status: int, body: dict[str, Any], quoted: str,
) -> None:  # fmt: skip
    with served({"careful": 0.9}) as endpoint:
        endpoint.manner = lambda _: (status, body)
        folder = folder_of(tmp_path, models=models(endpoint, "a", "b"))
        before = verdict(folder, capsys)
        assert lab("ceiling", folder) == 3
        page = " ".join(capsys.readouterr().out.split())
        assert quoted in page
        assert "not judged" in page
        assert "Ceiling" in page
        assert " reached" not in page
        assert evidence(folder) == {}
        assert verdict(folder, capsys) == before
        assert len(endpoint.seen) <= 2 * (5 + AT_ONCE)
        assert lab("ceiling", folder, "--format", "json") == 3
    told = json.loads(capsys.readouterr().out)
    assert told["reached"] == "unknown"
    assert "ask" in told["reported"]
    assert {
        one["failed"] for one in told["arms"] if one["arm"]["kind"] == "prompt"
    } != {0}
    assert "yes" not in told["checks"].values()


@pytest.mark.slow
def test_half_refused_is_not_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def half(request: Request) -> tuple[int, dict[str, Any]] | None:
        lucky = chance("half", request.messages[-1].content) < 0.5
        return None if lucky else (400, error("too long a prompt"))

    with served({"careful": 0.9}) as endpoint:
        endpoint.manner = half
        folder = folder_of(tmp_path, models=models(endpoint, "a"))
        before = verdict(folder, capsys)
        assert lab("ceiling", folder) == 3
        page = capsys.readouterr().out
    assert "too long a prompt" in page
    assert "Ceiling      not judged" in page
    assert evidence(folder) == {}
    assert verdict(folder, capsys) == before


@pytest.mark.slow
def test_a_server_that_cuts_off_a_quarter_is_not_judged_and_with_room_it_is_right(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once it got "Ceiling reached", and 0.76 as a measured quality."""

    def quarter(request: Request) -> tuple[int, dict[str, Any]] | None:
        thinks = chance("quarter", request.messages[-1].content) < 0.25
        return (200, chat("", "length")) if thinks else None

    with served({"careful": 1.0, "Answer": 1.0}) as endpoint:
        endpoint.manner = quarter
        folder = folder_of(tmp_path, models=models(endpoint, "a"))
        before = verdict(folder, capsys)
        assert lab("ceiling", folder) == 3
        page = " ".join(capsys.readouterr().out.split())
        assert "Ceiling not judged: too many calls got no answer" in page
        assert "raise the tokens an answer may have" in page
        assert evidence(folder) == {}
        assert verdict(folder, capsys) == before
        endpoint.manner = lambda _: None  # with room to think
        assert lab("ceiling", folder, "--max-tokens", "1200") == 0
        assert "not reached" in capsys.readouterr().out
        assert evidence(folder)["best_prompt_share"] == 1.0


@pytest.mark.slow
def test_what_ended_in_an_error_is_asked_anew_once_that_is_mended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with served({"careful": 0.6, "Answer": 0.5}) as endpoint:
        endpoint.manner = lambda _: (200, chat("Provider returned error", "error"))
        folder = folder_of(tmp_path, models=models(endpoint, "a"))
        assert lab("ceiling", folder) == 3
        endpoint.manner = lambda _: None
        assert lab("ceiling", folder) == 0
        assert "Best prompt" in capsys.readouterr().out
        asked = len(endpoint.seen)
        assert lab("ceiling", folder) == 0
        # nothing that was answered is asked for twice
        assert len(endpoint.seen) == asked


def only(model: str, status: int = 404) -> Manner:
    return lambda request: (
        (status, error("no such model")) if request.model == model else None
    )


@pytest.mark.slow
def test_an_arm_that_may_be_better_keeps_the_others_from_settling_anything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with served({"good": 0.98, "poor": 0.3}) as endpoint:
        endpoint.manner = only("good")
        folder = folder_of(
            tmp_path,
            prompts={"p": "Answer.\n"},
            models=models(endpoint, "good", "poor"),
        )
        assert lab("ceiling", folder) == 3
        page = capsys.readouterr().out
        assert "no such model" in page
        assert " reached" not in page
        assert evidence(folder) == {}
        endpoint.manner = lambda _: None  # corrected: it goes on, and has its answer
        assert lab("ceiling", folder) == 0
        assert "not reached" in capsys.readouterr().out


@pytest.mark.slow
def test_an_answered_arm_that_meets_the_target_is_enough(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with served({"good": 1.0, "poor": 0.3}) as endpoint:
        endpoint.manner = only("poor")
        folder = folder_of(
            tmp_path,
            prompts={"p": "Answer.\n"},
            models=models(endpoint, "good", "poor"),
        )
        assert lab("ceiling", folder) == 0
    assert "not reached" in capsys.readouterr().out
    found = evidence(folder)
    assert found["best_prompt_share"] == 1.0
    assert found["families_scored"] == 1  # the one that answered
    assert found["distinct_prompts"] == 1


@pytest.mark.slow
def test_a_silent_arm_leaves_nobody_behind(tmp_path: Path) -> None:
    """Half right, as an unknown case counts in the race, would beat every arm below a half."""
    with served({"poor": 0.05}) as endpoint:
        # one answer, so that the model isn't given up
        endpoint.manner = lambda request: (
            (400, error("no"))
            if request.model == "silent" and "7?" not in str(request)
            else None
        )
        folder = folder_of(
            tmp_path,
            n=240,
            prompts={"p": "Answer.\n"},
            models=models(endpoint, "silent", "poor"),
        )
        result = ceiling.run(prepare(folder, as_of=AS_OF), cap_usd=0).result
    assert all(one.dropped_after is None for one in result.arms)


# One and the same answer --------------------------------------------------------------------------

SENTENCE = "Service temporarily unavailable.\x1b[31m " + "Please try again later. " * 20


def answered(
    *texts: str, kind: Any = "prompt", same_input: bool = False
) -> tuple[Scores, Arm]:
    """An arm with an answer to each of as many cases; "right" is the right one."""
    scores = Scores(Marker((scorer_for("match", Kit()),), Kit()))
    arm = Arm(id="v1 · my:one", kind=kind)
    for case, text in zip(asked(len(texts), same_input=same_input), texts, strict=True):
        scores.answer(arm.id, case, Output(text))
    return scores, arm


def asked(n: int, *, same_input: bool = False) -> list[EvalCase]:
    inputs = ["Which?" if same_input else f"Which, {i}?" for i in range(n)]
    return [EvalCase(id=f"c{i}", input=inputs[i], reference="right") for i in range(n)]


def test_one_wrong_answer_to_twenty_different_inputs_is_no_measurement() -> None:
    scores, arm = answered(*[SENTENCE, f" {SENTENCE}\n"] * 10)
    cases = asked(20)
    why = scores.unanswered(arm, cases)
    assert why.startswith(
        'every answer of v1 · my:one to 20 inputs was: "Service temporarily'
    )
    assert "\x1b" not in why
    assert len(why) < 200
    assert scores.estimate(arm, cases) is None
    assert isinstance(scores.share(arm, cases), Unknown)
    assert isinstance(lab_result.contrast(scores, arm, arm, cases).difference, Unknown)
    assert not scores.unanswered(arm, cases[:19])
    assert scores.estimate(arm, cases[:19]) is not None


@pytest.mark.parametrize(
    ("texts", "more"),
    [
        (["no"] * 24 + ["right"], {}),
        (["no"] * 24 + ["nothing"], {}),
        (["right"] * 25, {}),
        (["no"] * 25, {"kind": "baseline"}),  # it calls no model
        (["no"] * 25, {"same_input": True}),
    ],
)
def test_every_other_arm_is_measured_however_bad_it_is(
    texts: list[str], more: dict[str, Any]
) -> None:
    scores, arm = answered(*texts, **more)
    cases = asked(len(texts), same_input=bool(more.get("same_input")))
    assert not scores.unanswered(arm, cases)
    assert scores.estimate(arm, cases) is not None


@pytest.mark.slow
def test_an_arm_of_one_sentence_is_not_left_behind_and_not_asked_for_ever(
    tmp_path: Path,
) -> None:
    with served({"good": 0.9}) as endpoint:
        endpoint.manner = lambda request: (
            (200, chat("Try again later.")) if request.model == "gateway" else None
        )
        folder = folder_of(
            tmp_path,
            n=400,
            prompts={"p": "Answer.\n"},
            models=models(endpoint, "good", "gateway"),
        )
        result = ceiling.run(prepare(folder, as_of=AS_OF), cap_usd=0).result
    rows = {row.arm.model: row for row in result.arms if row.arm.kind == "prompt"}
    assert all(row.dropped_after is None for row in rows.values())
    assert isinstance(rows["my:gateway"].quality, Unknown)
    assert endpoint.seen.count("gateway") < 80 < endpoint.seen.count("good")
    assert result.models == 1  # as a model that was tried


# Verify -------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("lost", ["base", "mine"])
def test_a_side_that_is_refused_is_not_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lost: str
) -> None:
    general = {"base": RIGHT, "mine": RIGHT}
    with served({"base": 0.5, "mine": 0.5}, general=general) as endpoint:
        endpoint.manner = only(lost)
        folder = folder_of(
            tmp_path,
            prompts={"p": "Answer.\n"},
            models=models(endpoint, "base", tuned="mine"),
        )
        assert lab("verify", folder) == 3
        said = capsys.readouterr()
        assert "not judged" in said.err
        assert "HTTP 404" in said.err
        assert "no such model" in said.err
        assert said.out == ""
        assert not (folder / ".tuneworthy" / "verify-plan.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("part", ["untouched", "general"])
def test_a_side_that_is_refused_later_is_not_judged_either(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], part: str
) -> None:
    general = {"base": RIGHT, "mine": RIGHT}
    with served({"base": 0.5, "mine": 0.95}, general=general) as endpoint:
        folder = folder_of(
            tmp_path, n=240, prompts={"p": "Answer.\n"},
            models=models(endpoint, "base", tuned="mine"),
        )  # fmt: skip
        untouched = {case.text for case in prepare(folder, as_of=AS_OF).plan.report}
        lost = untouched if part == "untouched" else set(RIGHT)
        endpoint.manner = lambda request: (
            (400, error("not now"))
            if request.model == "base" and request.messages[-1].content in lost
            else None
        )
        assert lab("verify", folder) == 3
        page = capsys.readouterr().out
    assert page.startswith("Not judged: ")
    assert "not now" in page


# Laws ---------------------------------------------------------------------------------------------

SHARES = {"careful": 0.97, "plain": 0.4, "loud": 0.85}
TUNED = {"careful": 0.5, "plain": 0.3, "mine": 0.9}
PLAN = model_lab.VerifyPlan(
    tuned="t", untuned="u", margin=0, general_margin=0.1, cases=99, general=40,
    inputs="", written_on=AS_OF,
)  # fmt: skip
SAME = Contrast(first="t", second="u", difference=0, low=-0.05, high=0.05, n=40, clusters=40,
                told_apart="no", cases_needed=Unknown(ask=""))  # fmt: skip
ORDERS = ("any", "right ones", "wrong ones", "of the best")
MANY = 20
TARGETS = (0.3, 0.5, 0.75, 0.85, 0.9, 0.98)
ANSWERS = {
    "yes",
    "no",
    "improved",
    "regressed",
    "no_gain",
    "meets",
    "misses",
    "not_needed",
}


@pytest.mark.parametrize("way", WAYS)
def test_an_answer_that_is_withheld_in_any_way_is_no_wrong_answer(way: str) -> None:
    world = World(SHARES, 120, way=way)
    lab, _ = replace(world, held=frozenset(world.order("any"))).raced()
    for arm in lab.plan.arms:
        rows = lab.scores.arm_scores(arm).rows_of(lab.plan.select)
        assert all(row.lost and not row.scored and not row.unjudged for row in rows)
        assert lab.scores.estimate(arm, lab.plan.select) is None


@pytest.mark.slow
@pytest.mark.parametrize(("how", "turns"), list(zip(ORDERS, (1, 4, 4, 1), strict=True)))
def test_for_every_number_of_withheld_answers_the_ceiling_says_the_same_or_nothing(
    how: str, turns: int
) -> None:
    world = World({"careful": 0.85, "plain": 0.4, "loud": 0.6}, 120 + 40 * turns, turns)
    lab, chosen = world.raced()
    bounds = lab_result.answer_ceiling(lab, chosen, 0.9).bounds
    reported = lab.scores.estimate(chosen[0], world.plan.report, exact=True)
    assert bounds is not None
    assert reported is not None
    near = (
        reported.low + 1e-9,
        bounds.upper - 1e-9,
        bounds.upper + 1e-9,
    )  # one answer from another
    full = {
        target: lab_result.answer_ceiling(lab, chosen, target).reached
        for target in (*TARGETS, *near)
    }
    assert {"yes", "no", "too_few_cases"} == set(full.values())
    order = world.order(how)
    for k in range(len(order) + 1):
        if k > MANY and k % (2 * MANY):
            continue  # by now every arm lacks too much
        lab, chosen = replace(world, held=frozenset(order[:k])).raced()
        for target, before in full.items():
            told = lab_result.answer_ceiling(lab, chosen, target).reached
            assert told == before or told not in ANSWERS, (k, target, before, told)


def outcome(plan: Any, contrast: Any) -> str:
    """What verify says where no target is stated and general skills were kept."""
    nothing = lab_held.HeldArm({}, "unknown", "unknown", "", "unknown")
    return lab_verify.judge_outcome(plan, contrast, SAME, nothing, "yes")[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "mine"),
    [("any", 0.5), ("right ones", None), ("wrong ones", 0.1), ("of the best", None),
     ("of the best", 0.5), ("right ones", 0.1)],
)  # fmt: skip
def test_for_every_number_of_withheld_answers_verify_says_the_same_or_nothing(
    how: str, mine: float | None
) -> None:
    shares = TUNED if mine is None else {**TUNED, "mine": mine}
    world = World(shares, 160)
    apart = world.compared()
    assert apart is not None
    near = (apart.low + 1e-9, apart.high - 1e-9, apart.high)  # one answer from another
    plans = [
        PLAN.model_copy(update={"margin": max(0.0, margin), "cases": apart.n})
        for margin in (0.0, 0.5, *near)
    ]
    order = world.order(how)
    for k in range(len(order) + 1):
        if k > MANY and k % (2 * MANY):
            continue
        held = replace(world, held=frozenset(order[:k])).compared()
        for plan in plans:
            before, told = (
                outcome(plan, apart),
                held and outcome(plan, held),
            )
            assert told in (before, None) or told not in ANSWERS, (
                k,
                plan.margin,
                before,
                told,
            )


@pytest.mark.slow
@example(
    n=60,
    turns=1,
    seed=0,
    shares=(1.0, 0.0, 0.85),
    lost=(2, 0, 1),
    right=True,
    target=0.8,
)
@settings(max_examples=60, deadline=None)
@given(
    n=st.sampled_from([60, 120, 300]), turns=st.integers(1, 5), seed=st.integers(0, 9999),
    shares=st.tuples(*[st.sampled_from([0.0, 0.2, 0.5, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0])] * 3),
    lost=st.tuples(*[st.integers(0, 8)] * 3), right=st.booleans(),
    target=st.floats(0.05, 1.0),
)  # fmt: skip
def test_withheld_answers_never_turn_not_reached_into_reached(
    n: int, turns: int, seed: int, shares: tuple[float, ...], lost: tuple[int, ...],
    right: bool, target: float,
) -> None:  # fmt: skip
    world = World(dict(zip(SHARES, shares, strict=True)), n, turns, seed)
    order = world.order("right ones" if right else "any")
    held = [
        call
        for key, k in zip(SHARES, lost, strict=True)
        for call in [call for call in order if call[0] == key][:k]
    ]
    before, told = (
        world.reached(target),
        replace(world, held=frozenset(held)).reached(target),
    )
    assert (before, told) not in {("no", "yes"), ("yes", "no")}
