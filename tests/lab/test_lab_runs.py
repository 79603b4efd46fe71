"""What a lab's user met on the way: the order of keys, what counts as tried, what the page says."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from faulty import Fake
from lab_world import CAREFUL, folder_of, known
from tuneworthy import Dossier, decide, load_case, load_framework
from tuneworthy.lab import ceiling
from tuneworthy.lab.pool import Pool, answer_text
from tuneworthy.lab.prepare import PreparedLab, prepare
from tuneworthy.llm.choose import echo
from tuneworthy.model.base import Unknown
from tuneworthy.model.evalset import EvalCase
from tuneworthy.model.evidence import Evidence
from tuneworthy.model.lab import Arm, CeilingResult, Contrast, Reply, Request, Stand
from tuneworthy.report.sections import lab as section_lab
from tuneworthy.report.sections import lab_ceiling as section_lab_ceiling
from tuneworthy.report.sections.lab_ceiling import ceiling_rows
from tuneworthy.scoring import Marker
from tuneworthy.scoring.base import Output

AS_OF = date(2026, 11, 24)
LESSON = load_framework("lesson")


def test_constrained_output_is_written_in_the_order_of_the_schema(
    tmp_path: Path,
) -> None:
    schema = {"type": "object", "properties": {"why": {"type": "string"}, "answer": {}}}
    folder_of(tmp_path, n=20, prompts={"p": CAREFUL})
    (tmp_path / "out.json").write_text(json.dumps(schema))
    told = (tmp_path / "case.yaml").read_text()
    (tmp_path / "case.yaml").write_text(
        told.replace("data: {", "data: {output_schema: out.json, ")
    )
    plan = prepare(tmp_path, as_of=AS_OF).plan
    (arm,) = (one for one in plan.arms if one.constrained == "schema")
    sent = next(plan.calls([arm], plan.select))[0].request.response_schema
    assert sent is not None
    assert json.loads(sent) == schema
    assert sent.index('"why"') < sent.index('"answer"')


def test_an_example_is_shown_in_the_order_its_author_wrote() -> None:
    assert answer_text({"why": "ä", "answer": 1}) == '{"why": "ä", "answer": 1}'
    near = EvalCase(id="e", input="Where?", reference={"z": [], "a": []})
    nearest = Arm(id="n", kind="baseline", of="nearest_neighbour")
    assert (
        Pool([near]).look_up(nearest, EvalCase(id="c", input="Where is it?"))
        == '{"z": [], "a": []}'
    )


def after_a_lab(low: float, high: float, *, arms: int, target: float = 0.9) -> Dossier:
    """A case whose lab ran some arms with the nearest examples and with constrained output."""
    told: dict[str, Any] = {
        "name": "x", "goals": ["classification"], "ceiling": dict.fromkeys(LESSON.ceiling, "yes"),
        "targets": {"quality": {"at_least": target}},
        "data": {"examples": {"count": 5000, "usable": 5000}},
    }  # fmt: skip
    lab = {
        "n": 100,
        "unit": "share of cases",
        "id": "success_share",
        "factor": "today.quality",
    }
    found = [
        Evidence.model_validate(
            {**lab, "value": (low + high) / 2, "low": low, "high": high}
        )
    ]
    found += [
        Evidence(id=name, value=arms, low=arms, high=arms, unit="arms")
        for name in ("nearest_example_arms", "constrained_arms")
    ]
    return decide(
        load_case(told), LESSON, as_of=AS_OF, evidence={one.id: one for one in found}
    )


def advised(dossier: Dossier) -> dict[str, str]:
    named = ("retrieved_examples", "constrained_output")
    return {way.id: way.because for way in dossier.ways if way.id in named}


@pytest.mark.parametrize(
    ("low", "high", "arms", "tried"),
    [(0.5, 0.7, 2, True), (0.5, 0.7, 0, False), (0.85, 0.95, 2, False)],
    ids=["run and missed", "not run", "whether it is missed isn't known"],
)
def test_what_a_lab_has_run_in_vain_is_not_advised_again(
    low: float, high: float, arms: int, tried: bool
) -> None:
    found = advised(after_a_lab(low, high, arms=arms))
    assert len(found) == 2
    assert all(("still missed" in why) is tried for why in found.values())


def test_an_option_that_a_lab_has_run_is_no_attempt_of_the_case() -> None:
    assert after_a_lab(0.5, 0.7, arms=2).stages == ()


def test_a_lab_counts_its_arms_with_the_nearest_examples_and_constraints(
    tmp_path: Path,
) -> None:
    from tuneworthy.lab import ceiling as api

    prompts = {
        "plain": CAREFUL,
        "tight": f"---\nconstrained: grammar\nfew_shot: {{k: 1, from: fixed}}\n---\n{CAREFUL}",
    }
    folder_of(tmp_path, n=60, prompts=prompts, cases={"reference": "shelf"})
    done = api.run(prepare(tmp_path, as_of=AS_OF), cap_usd=0, transport=Fake(echo))
    assert not isinstance(done.dossier.evidence, Unknown)
    told = {one.id: one.value for one in done.dossier.evidence}
    # two prompts, each as written and with the nearest example; one has the grammar and an example
    assert (told["nearest_example_arms"], told["constrained_arms"]) == (2, 2)


def result_of(**more: Any) -> CeilingResult:
    share = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 40, "clusters": 40}
    none = {"ask": "nobody knows"}
    told = {
        "best": "p", "contrasts": (), "target": 0.9, "reached": "yes", "upper": 0.6, "effort": 1,
        "plateau": none, "cases_needed": none, "checks": {}, "reported": share, "arms": (),
        "quote": {"calls": 0, "reused": 0, "usd_most": 0, "usd_likely": 0},
        "spend": {"paid": 0, "held": 0, "cap": 0, "calls": 0, "failed": 0, "in_doubt": 0,
                  "reused": 0},
    }  # fmt: skip
    return CeilingResult.model_validate(told | more)


def ranked(*kinds: str) -> list[dict[str, Any]]:
    share = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 40, "clusters": 40}
    none = {"ask": "it wasn't run"}
    return [
        {"arm": {"id": f"an {kind}", "kind": kind}, "quality": share, "usd_per_case": none,
         "latency_p95_s": none}
        for kind in kinds
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kinds", "says"),
    [(("baseline", "prompt"), True), (("prompt", "baseline"), False), (("tuned",), False),
     ((), False)],
)  # fmt: skip
def test_the_board_says_when_a_baseline_is_ahead(
    kinds: tuple[str, ...], says: bool
) -> None:
    note = section_lab_ceiling.board_note(result_of(arms=ranked(*kinds)))
    assert note.endswith("Ahead here is an baseline, which calls no model.") is says
    assert ("Ahead" in note) is says


def test_every_parameter_that_a_model_refused_is_named_whichever_arm_sent_it() -> None:
    """The arm that came last hid what the others of its model were refused."""
    thinks, cool, plain = ranked("prompt", "prompt", "prompt")
    for arm, changed in ((thinks, ["no effort"]), (cool, ["no seed"]), (plain, [])):
        arm["changed"] = changed
        arm["arm"]["model"] = "m"
    rows = dict(ceiling_rows(result_of(arms=[thinks, cool, plain])))
    assert rows["Sent"] == "m: no effort, no seed"


@pytest.mark.parametrize(("wrong", "says"), [(20, False), (26, True)])
def test_a_score_by_parts_says_how_many_cases_are_wholly_right(
    wrong: int, says: bool
) -> None:
    failures = [{"signal": "wrong_answer", "n": wrong, "of": 40, "mends": "unknown"}]
    best = dict(ceiling_rows(result_of(failures=failures)))["Best prompt"]
    assert ("Every part is right" in best) is says  # 20 of 40 is the 0.50 itself
    assert ("14 of 40" in best) is says


def test_a_difference_that_rounds_to_zero_has_no_sign() -> None:
    one = Contrast(first="a", second="b", difference=-0.004, low=-0.08, high=0.004, n=40,
                   told_apart="no", cases_needed=9)  # fmt: skip
    assert section_lab.difference_text(one) == "0.00 (-0.08 to 0.00)"


# Scoring beside the calls -------------------------------------------------------------------------


class Slow:
    """A scorer that says nothing before it may."""

    def __init__(self, marker: Marker) -> None:
        self._score = marker.score
        self.begun, self.may_go = threading.Event(), threading.Event()
        self.at_once = self.most = 0

    def score(self, output: Output, *told: Any) -> Any:
        if output.text == "door":  # what a baseline says: it calls nobody
            return self._score(output, *told)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        self.begun.set()
        assert self.may_go.wait(30), "the calls waited for the scorer"
        self.at_once -= 1
        return self._score(output, *told)


class Counting:
    """A model whose later calls wait until a scorer has begun."""

    def __init__(self, slow: Slow, first: int) -> None:
        self._slow, self._first, self._fake = (
            slow,
            first,
            known({"careful": 1.0, "Answer": 0.2}),
        )
        self.calls = self.on_wire = self.most = 0
        self.after: Callable[[], object] = slow.may_go.set

    async def send(self, request: Request) -> Reply:
        self.calls += 1
        self.on_wire += 1
        self.most = max(self.most, self.on_wire)
        try:
            if self.calls > self._first:
                # else nothing is scored beside the calls
                async with asyncio.timeout(30):
                    while not self._slow.begun.is_set():  # noqa: ASYNC110  # set by a thread
                        await asyncio.sleep(0.01)
                self.after()
            await asyncio.sleep(0.001)  # as whatever answers over a wire
            return await self._fake.send(request)
        finally:
            self.on_wire -= 1

    async def close(self) -> None:
        """Nothing is open."""


def slow_lab(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[PreparedLab, Slow, Counting]:
    lab = prepare(folder_of(tmp_path, n=240))
    slow = Slow(lab.scores.marker)
    monkeypatch.setattr(lab.scores.marker, "score", slow.score)
    return lab, slow, Counting(slow, first=16)


@pytest.mark.slow
def test_calls_and_progress_do_not_wait_for_a_scorer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab, slow, model = slow_lab(tmp_path, monkeypatch)
    seen: list[Stand] = []
    done = ceiling.run(lab, cap_usd=0, at_once=8, transport=model, watch=seen.append)
    assert (model.most, slow.most) == (8, 1)
    assert done.result.stopped == ""
    assert seen[-1].done == seen[-1].of
    plain = prepare(folder_of(tmp_path / "plain", n=240))
    known_ = known({"careful": 1.0, "Answer": 0.2})
    again = ceiling.run(plain, cap_usd=0, transport=known_)
    assert done.result.arms == again.result.arms


@pytest.mark.slow
def test_a_stop_is_heard_while_a_scorer_is_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab, slow, model = slow_lab(tmp_path, monkeypatch)

    def stop() -> None:
        signal.raise_signal(signal.SIGINT)  # as Ctrl-C does
        asyncio.get_running_loop().call_later(0.2, slow.may_go.set)

    model.after = stop
    done = ceiling.run(lab, cap_usd=0, at_once=4, transport=model)
    assert "user" in done.result.stopped
    assert model.calls <= 16 + 4
