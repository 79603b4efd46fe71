"""No call is paid twice, no cap is passed, and what nobody knows is called in doubt."""

from __future__ import annotations

import asyncio
import json
import math
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faulty import Fake, Manners
from lab_world import folder_of
from tuneworthy import CaseError, InputError, load_case
from tuneworthy import cli as cli_room
from tuneworthy.cli import run as command_line
from tuneworthy.errors import StoppedError
from tuneworthy.lab.session import ledger_of
from tuneworthy.llm import endpoints as llm_endpoints
from tuneworthy.llm import runner as llm_runner
from tuneworthy.llm.choose import FREE, echo, prices_of, transport_for
from tuneworthy.llm.endpoints import PRESETS, Busy, Refused, reach
from tuneworthy.llm.ledger import Ledger, ReadOnlyLedger
from tuneworthy.llm.runner import Job, Outcome, Runner
from tuneworthy.model import case as model_case
from tuneworthy.model import lab as model_lab
from tuneworthy.model.case import Model, TokenPrice
from tuneworthy.model.lab import ChatMessage, Reply, Request

A_DOLLAR_A_TOKEN = model_case.Price(input=1e6, output=1e6)
DAY = date(2026, 11, 24)


def asked(text: str, *, model: str = "m", most: int | None = 4) -> Job:
    """A call whose one message is a text."""
    message = ChatMessage(role="user", content=text)
    return Job(Request(provider="other", base_url="https://a.test/v1", model=model,
                       messages=(message,), max_tokens=most))  # fmt: skip


def many(count: int) -> list[Job]:
    return [asked(f"case {number}") for number in range(count)]


def send(
    ledger: Ledger, transport: llm_endpoints.Transport, jobs: list[Job], *,
    price: model_case.Price | None = FREE, cap_usd: float = 1e4, at_once: int = 16,
) -> Outcome:  # fmt: skip
    runner = Runner(
        ledger, transport, lambda _: price, run="r", cap_usd=cap_usd, at_once=at_once
    )  # fmt: skip
    return asyncio.run(runner.all(jobs))


# The cap ----------------------------------------------------------------------------------------


@pytest.mark.slow
@given(
    prices=st.lists(st.sampled_from([0.0, 1e3, 1e5, 7e6]), min_size=1, max_size=4),
    kinds=st.lists(
        st.tuples(st.integers(0, 9), st.sampled_from([None, 0, 1, 4, 50]), st.integers(0, 3)),
        min_size=1, max_size=90,
    ),
    counts=st.booleans(), cap=st.floats(0, 400), doubt=st.sampled_from([0.0, 0.3]),
)  # fmt: skip
def test_sixty_four_at_once_never_pass_the_cap(
    prices: list[float], kinds: list[tuple[int, int | None, int]], counts: bool, cap: float,
    doubt: float,
) -> None:  # fmt: skip
    fake = Fake(echo, Manners(latency_s=1e-4, counts_tokens=counts, malformed=doubt))
    jobs = [asked(f"case {n}", model=f"m{p}", most=most) for n, most, p in kinds]
    with TemporaryDirectory() as place, Ledger(Path(place) / "c.sqlite3") as ledger:
        seen: list[float] = []

        def look(_: object) -> None:
            spend = ledger.spend("r")
            seen.append(spend.paid + spend.held)

        def price_of(request: Request) -> model_case.Price:
            each = prices[int(request.model[1:]) % len(prices)]
            return model_case.Price(input=each, output=each)

        runner = Runner(
            ledger, fake, price_of, run="r", cap_usd=cap, at_once=64, progress=look
        )  # fmt: skip
        outcome = asyncio.run(runner.all(jobs))
        look(None)
        assert max(seen) <= cap + 1e-9
        distinct = {job.key for job in jobs}
        assert fake.sent <= len(distinct)
        unbounded = {job.key for job in jobs if job.request.max_tokens is None}
        assert outcome.stop.by == "cap" or set(outcome.settled) == distinct
        assert all(
            found.status == "failed"
            or prices[int(job.request.model[1:]) % len(prices)] == 0
            for job in jobs
            if job.key in unbounded
            and (found := outcome.settled.get(job.key)) is not None
        )


def test_usage_above_what_was_put_aside_counts_and_stops_the_run(
    tmp_path: Path,
) -> None:
    """As where an endpoint keeps to no limit: the answer is as long as it is counted."""
    fake = Fake(lambda _: "word " * 1000, Manners(latency_s=0.001, usage_factor=1000))
    with Ledger(tmp_path / "c.sqlite3") as ledger:
        outcome = send(ledger, fake, many(200), price=A_DOLLAR_A_TOKEN, at_once=8)
        spend = ledger.spend("r")
    assert outcome.stop.by == "cap"
    assert fake.sent <= 8
    # Two words are read and four written, counted a thousandfold, at a dollar each.
    assert spend.paid == pytest.approx(6000 * fake.sent)
    assert spend.miscounted == 0


@pytest.mark.parametrize(
    "usage",
    [
        model_lab.Usage(input_tokens=2, output_tokens=10**9),
        model_lab.Usage(input_tokens=10**9, output_tokens=2),
        model_lab.Usage(input_tokens=2, output_tokens=10**9, reasoning_tokens=10**9),
    ],
)
def test_a_count_of_tokens_that_cannot_be_is_none(
    tmp_path: Path, usage: model_lab.Usage
) -> None:
    """Once three calls cost "$6,000 of $5", and no run of the case went on."""

    class Counts(Fake):
        async def send(self, request: Request) -> Reply:
            return (await super().send(request)).model_copy(update={"usage": usage})

    with Ledger(tmp_path / "c.sqlite3") as ledger:
        outcome = send(ledger, Counts(echo), many(3), price=A_DOLLAR_A_TOKEN)
        spend = ledger.spend("r")
        most = [llm_endpoints.most_usd(j.request, A_DOLLAR_A_TOKEN) for j in many(3)]
        calls = ledger.find_all([job.key for job in many(3)])
        assert ledger.usual("m") == (0, 0, 0)  # a quote is none the wiser
    assert not outcome.stop
    assert spend.paid == pytest.approx(sum(usd or 0.0 for usd in most))
    assert (spend.calls, spend.miscounted) == (3, 3)
    assert all("can't be" in call.why and call.whole for call in calls.values())


@pytest.mark.parametrize(
    ("costs", "bill", "doubtful"),
    [([3, 0, 7], 1 / 3, 1), ([1], 1e3, 0), ([2, 2, 2], 0.0, 2), ([0], 5.0, 0)],
)
def test_a_bill_corrects_a_sum_and_leaves_what_is_put_aside(
    costs: list[int], bill: float, doubtful: int
) -> None:
    """The ledger adds up afterwards, and what is left of the cap is by the bill."""
    with TemporaryDirectory() as place:
        path = Path(place) / "c.sqlite3"
        with Ledger(path) as ledger:
            for number, cost in enumerate([*costs, *[1] * doubtful]):
                key = f"{number}"
                ledger.reserve(key, run="r", model="m", usd=9, cap_usd=1e4)
                if number < len(costs):
                    ledger.settle(key, Reply(text="a"), cost)
                else:
                    ledger.doubt(key, "late")
            ledger.correct("r", bill)
        with Ledger(path) as ledger:
            spend = ledger.spend("r")
            found = ledger.find_all([f"{number}" for number in range(len(costs))])
            left = 9 * doubtful + bill
            price = {"run": "r", "model": "m", "usd": 0.5}
            assert ledger.reserve("one", **price, cap_usd=left + 0.51) == "go"  # type: ignore[arg-type] # names as stated
            assert ledger.reserve("two", **price, cap_usd=left + 0.99) == "over_cap"  # type: ignore[arg-type] # the same
    assert spend.paid == pytest.approx(bill)
    assert spend.held == pytest.approx(9 * doubtful)
    assert sum(call.usd for call in found.values()) <= bill + 1e-9


def test_a_small_cap_waits_for_what_is_on_the_wire(tmp_path: Path) -> None:
    """40 tokens are put aside for each call and 4 are paid: 100 calls fit in 440 one by one."""
    fake, jobs = Fake(echo, Manners(latency_s=0.001)), many(100)
    most = llm_endpoints.most_usd(jobs[-1].request, A_DOLLAR_A_TOKEN)
    assert most == 16 * 2 + len("case 99") + 4
    with Ledger(tmp_path / "c.sqlite3") as ledger:
        outcome = send(
            ledger, fake, jobs, price=A_DOLLAR_A_TOKEN, cap_usd=445, at_once=64
        )
    assert not outcome.stop.by
    assert fake.answered == 100
    assert fake.most_at_once > 1


def test_the_cap_ends_a_run_with_its_own_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Ledger(tmp_path / "c.sqlite3") as ledger:
        outcome = send(ledger, Fake(echo), many(9), price=A_DOLLAR_A_TOKEN, cap_usd=50)
        assert ledger.spend("r").paid + ledger.spend("r").held <= 50
    assert "cap of 50 USD" in outcome.stop.why

    def stopped(*_: object, **__: object) -> None:
        raise StoppedError(outcome.stop.why)

    monkeypatch.setattr("tuneworthy.cli.cli.main", stopped)
    assert command_line([]) == cli_room.STOPPED
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("cap", [-1.0, float("inf"), float("nan")])
def test_what_is_no_amount_is_no_cap(tmp_path: Path, cap: float) -> None:
    with (
        Ledger(tmp_path / "c.sqlite3") as ledger,
        pytest.raises(InputError, match="not a valid cap"),
    ):
        Runner(ledger, Fake(echo), lambda _: FREE, run="r", cap_usd=cap)


@given(st.floats(0, 1e5, allow_nan=False))
def test_picodollars_are_never_less_than_the_dollars(usd: float) -> None:
    from fractions import Fraction

    assert (
        0 <= llm_endpoints.pico(usd) - Fraction(repr(usd)) * 10**12 < 1
        or llm_endpoints.pico(usd) == 10**17
    )


@pytest.mark.parametrize(
    ("usage", "usd"),
    [
        (model_lab.Usage(input_tokens=3, output_tokens=2), 5.0),
        (model_lab.Usage(input_tokens=3, output_tokens=2, cached_tokens=2), 3.5),
        (model_lab.Usage(), 9.0),
        (model_lab.Usage(input_tokens=3), 9.0),  # it wrote and doesn't say how much
        (model_lab.Usage(output_tokens=20), 20.0),
    ],
)
def test_an_answer_without_a_whole_count_costs_the_most_it_could(
    usage: model_lab.Usage, usd: float
) -> None:
    price = model_case.Price(input=1e6, output=1e6, cached_input=0.25e6)
    assert llm_endpoints.paid_usd(Reply(text="said", usage=usage), price, 9.0) == usd


def test_a_model_without_a_price_is_refused_with_the_fix(tmp_path: Path) -> None:
    fake = Fake(echo)
    with Ledger(tmp_path / "c.sqlite3") as ledger:
        found = send(ledger, fake, [asked("a")], price=None).settled
    assert [one.status for one in found.values()] == ["failed"]
    assert "0 is a price on this machine alone" in next(iter(found.values())).why
    assert fake.sent == 0


# Paid once --------------------------------------------------------------------------------------


@pytest.mark.slow
@given(st.lists(st.integers(0, 5), min_size=1, max_size=60))
def test_equal_requests_are_sent_once_and_kept_for_ever(numbers: list[int]) -> None:
    jobs, distinct = [asked(str(number)) for number in numbers], len(set(numbers))
    with TemporaryDirectory() as place:
        fake = Fake(echo, Manners(latency_s=1e-4))
        with Ledger(Path(place) / "c.sqlite3") as ledger:
            first = send(ledger, fake, jobs)
        assert fake.sent == distinct
        assert first.reused == len(jobs) - distinct
        with Ledger(Path(place) / "c.sqlite3") as ledger:
            again = send(ledger, fake, jobs)
        assert fake.sent == distinct
        assert again.reused == len(jobs)
        assert set(again.settled) == set(first.settled)


def test_one_answer_that_cant_be_kept_loses_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle = Ledger.settle

    def careful(ledger: Ledger, key: str, reply: Reply, *more: Any) -> Any:
        if reply.text.endswith("7"):
            raise ValueError("this one can't be kept")
        return settle(ledger, key, reply, *more)

    monkeypatch.setattr(Ledger, "settle", careful)
    jobs = [asked(str(number)) for number in range(10)]
    with Ledger(tmp_path / "c.sqlite3") as ledger:
        with pytest.raises(ValueError, match="this one"):
            send(ledger, Fake(echo), jobs, at_once=10)
        kept = [ledger.find(job.key) for job in jobs]
    assert sum(one is not None and one.status == "settled" for one in kept) == 9


def test_repeats_are_calls_of_their_own(tmp_path: Path) -> None:
    fake, request = Fake(echo), asked("a").request
    with Ledger(tmp_path / "c.sqlite3") as ledger:
        send(ledger, fake, [Job(request, repeat) for repeat in range(5)])
    assert fake.sent == 5


def test_a_call_in_doubt_stays_so_until_somebody_releases_it(tmp_path: Path) -> None:
    lost, jobs = Fake(echo, Manners(hangs=1.0, timeout_s=0.001)), many(5)
    with Ledger(tmp_path / "c.sqlite3") as ledger:
        send(ledger, lost, jobs, price=A_DOLLAR_A_TOKEN)
        held = ledger.spend("r").held
        assert held == sum(
            llm_endpoints.most_usd(job.request, A_DOLLAR_A_TOKEN) or 0 for job in jobs
        )
    good = Fake(echo)
    with Ledger(tmp_path / "c.sqlite3") as ledger:
        found = send(ledger, good, jobs, price=A_DOLLAR_A_TOKEN)
        assert {one.status for one in found.settled.values()} == {"in_doubt"}
        assert (good.sent, found.reused, ledger.spend("r").held) == (0, 0, held)
        assert (len(ledger.doubtful("r")), ledger.release("another")) == (5, 0)
        assert (ledger.release("r"), ledger.release("r")) == (5, 0)
        spent = ledger.spend("r")  # it may have been paid
        assert spent.held == 0
        assert spent.paid == pytest.approx(held)
        send(ledger, good, jobs, price=A_DOLLAR_A_TOKEN)
        assert good.sent == 5
        assert ledger.doubtful() == ()


@pytest.mark.slow
def test_every_case_is_answered_or_in_doubt_whatever_goes_wrong(tmp_path: Path) -> None:
    manners = Manners(busy=0.10, retry_after_s=0.005, broken=0.02, malformed=0.01, hangs=0.002,
                      timeout_s=0.02, latency_s=0.0005, seed=3)  # fmt: skip
    fake, jobs = Fake(echo, manners), many(1000)
    with Ledger(tmp_path / "c.sqlite3") as ledger:
        runner = Runner(ledger, fake, lambda _: FREE, run="r", cap_usd=0, at_once=64)
        runner._wait_s = lambda *_: 0.005  # type: ignore[method-assign]  # a test can't wait
        found = asyncio.run(runner.all(jobs)).settled
    told = [found[job.key].status for job in jobs]
    assert set(told) == {"settled", "in_doubt"}
    # busy ones were not paid, and no other was sent again
    assert fake.answered == len(jobs)
    assert 2 <= told.count("in_doubt") <= 30


def test_a_wrong_key_ends_the_run_at_once(tmp_path: Path) -> None:
    fake = Fake(echo, Manners(wrong_key=True, latency_s=0.001))
    with Ledger(tmp_path / "c.sqlite3") as ledger:
        outcome = send(ledger, fake, many(500), at_once=8)
    assert outcome.stop.by == "refused"
    assert fake.sent <= 8
    assert "401" in outcome.stop.why


class Picky(Fake):
    """A model that refuses some cases at once, and takes its time for an answer."""

    def __init__(self, refuses: Callable[[str], str]) -> None:
        super().__init__(echo, Manners(latency_s=0.02))
        self.refuses, self.offered = refuses, 0

    async def send(self, request: Request) -> Reply:
        self.offered += 1
        if why := self.refuses(request.messages[0].content):
            raise Refused(why)
        return await super().send(request)


def test_a_model_that_refuses_everything_is_soon_asked_nothing_more(
    tmp_path: Path,
) -> None:
    fake = Picky(lambda _: "HTTP 404: no such path")
    with Ledger(tmp_path / "c.sqlite3") as ledger:
        outcome = send(ledger, fake, many(500), at_once=8)
    assert fake.offered <= 5 + 8
    assert outcome.stop.by == ""
    assert {one.why for one in outcome.settled.values()} == {"HTTP 404: no such path"}
    assert len(outcome.settled) == 500


@pytest.mark.parametrize(
    "refuses",
    [
        # an answer is on its way
        lambda case: "" if case == "case 3" else "HTTP 400: no",
        lambda case: f"HTTP 400: {case} is too long",  # each about itself
    ],
)
def test_a_model_that_may_answer_others_is_asked_on(
    tmp_path: Path, refuses: Callable[[str], str]
) -> None:
    fake = Picky(refuses)
    with Ledger(tmp_path / "c.sqlite3") as ledger:
        send(ledger, fake, many(100), at_once=8)
    assert fake.offered == 100


def test_a_fault_of_ours_ends_the_run_and_leaves_no_call_unkept(tmp_path: Path) -> None:
    class Odd(Fake):
        async def send(self, request: Request) -> Reply:
            if request.messages[0].content == "case 20":
                raise ZeroDivisionError
            return await super().send(request)

    odd = Odd(echo, Manners(latency_s=0.002))
    with Ledger(tmp_path / "c.sqlite3") as ledger:
        with pytest.raises(ZeroDivisionError):
            send(ledger, odd, many(500), at_once=8)
        spend = ledger.spend("r")
    assert spend.calls == odd.sent < 40
    assert spend.in_doubt == 1


def test_stopping_waits_for_nothing_but_the_wire(tmp_path: Path) -> None:
    fake = Fake(echo, Manners(busy=1.0, retry_after_s=500.0))
    with Ledger(tmp_path / "c.sqlite3") as ledger:
        runner = Runner(ledger, fake, lambda _: FREE, run="r", cap_usd=1)

        async def stopped_soon() -> Outcome:
            asyncio.get_running_loop().call_later(0.05, runner.stop)
            return await runner.all(many(30))

        before = time.monotonic()
        assert asyncio.run(stopped_soon()).stop.by == "user"
    assert time.monotonic() - before < 20


# The gate ---------------------------------------------------------------------------------------


def test_the_gate_closes_for_all_and_halves_and_opens_by_a_little() -> None:
    async def scene() -> None:
        gate = llm_runner.Gate(16)
        for _ in range(4):
            await gate.enter()
        before = time.monotonic()
        await gate.refused(0.2)
        await gate.refused(0.1)  # it was on the wire when the gate closed
        assert gate.limit == 8
        waiting = [asyncio.create_task(gate.enter()) for _ in range(12)]
        for _ in range(4):
            gate.leave(answered=False)
        done, open_ = await asyncio.wait(waiting, timeout=0.15)
        assert not done or time.monotonic() - before >= 0.2
        await asyncio.wait(open_, return_when=asyncio.FIRST_COMPLETED)
        assert time.monotonic() - before >= 0.2
        await asyncio.sleep(0)
        assert sum(task.done() for task in waiting) == 8
        for _ in range(7):  # six answers open one place
            gate.leave(answered=True)
            await asyncio.sleep(0)
        assert gate.limit == 9
        while not all(task.done() for task in waiting):
            gate.leave(answered=True)
            await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(scene(), 20))


def answering(calls: int) -> llm_runner.Gate:
    """A gate through which some calls came back answered."""
    gate = llm_runner.Gate(4)
    for _ in range(calls):
        gate._busy += 1
        gate.leave(answered=True)
    return gate


def test_a_stop_ends_every_wait_at_a_gate() -> None:
    async def scene() -> None:
        gate = answering(10)
        alone = asyncio.create_task(gate.refused(20))
        await asyncio.sleep(0)
        assert not alone.done()
        await gate.refused(600)  # so long a wait is everybody's
        waiting = [asyncio.create_task(gate.enter()) for _ in range(50)]
        await asyncio.sleep(0)
        gate.open()
        assert gate.limit == math.inf
        await asyncio.gather(alone, *waiting)
        await gate.refused(600)

    asyncio.run(asyncio.wait_for(scene(), 20))


def test_the_last_try_waits_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lasts: list[bool] = []

    async def refused(_: llm_runner.Gate, seconds: float, *, last: bool) -> None:
        assert seconds == 20
        lasts.append(last)

    class Grudging(Fake):
        async def send(self, request: Request) -> Reply:
            if request.messages[0].content == "case 25":
                raise Busy("HTTP 429", 20)
            return await super().send(request)

    monkeypatch.setattr(llm_runner.Gate, "refused", refused)
    with Ledger(tmp_path / "c.sqlite3") as ledger:
        found = send(ledger, Grudging(echo), many(30), at_once=1).settled
    assert lasts == [False] * (llm_runner.MOST_TRIES - 1) + [True]
    assert [found[job.key].status for job in many(30)].count("failed") == 1


def test_a_busy_endpoint_that_answers_nobody_is_spoken_of_again_and_again(
    tmp_path: Path,
) -> None:
    """Once a job stood still for twelve minutes without a word."""
    notices: list[str] = []

    class Full(Fake):
        async def send(self, request: Request) -> Reply:
            raise Busy("HTTP 429: too many requests", 300)

    def notice(why: str) -> None:
        notices.append(why)
        if len(notices) == 3:
            runner.stop()

    with Ledger(tmp_path / "c.sqlite3") as ledger:
        runner = Runner(
            ledger,
            Full(echo),
            lambda _: FREE,
            run="r",
            cap_usd=1.0,
            waiting=notice,
            notice_s=0.01,
        )
        outcome = asyncio.run(asyncio.wait_for(runner.all(many(3)), 20))
    assert outcome.stop.by == "user"
    assert all("HTTP 429: too many requests" in why for why in notices)


class FastLoop(asyncio.SelectorEventLoop):
    """Nobody waits in it: where nothing is to be done its clock goes on to what comes next."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def time(self) -> float:
        return self.now

    def _run_once(self) -> None:
        ready: object = self._ready  # type: ignore[attr-defined] # a clock of our own needs it
        if self._scheduled and not ready:  # type: ignore[attr-defined] # the same
            self.now = max(self.now, self._scheduled[0].when())  # type: ignore[attr-defined] # the same
        super()._run_once()  # type: ignore[misc] # the same


@pytest.mark.parametrize("retry_after_s", [None, 0.0, 1.0, 20.0, 300.0])
@pytest.mark.parametrize("says", ["HTTP 429", "HTTP 500"])
def test_an_endpoint_that_is_busy_for_ever_ends_the_run_within_a_quarter_of_an_hour(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    retry_after_s: float | None,
    says: str,
) -> None:
    """One that asked for five minutes each time once held a run for forty."""
    loop = FastLoop()
    monkeypatch.setattr(time, "monotonic", loop.time)
    notices: list[str] = []

    class Full(Fake):
        async def send(self, request: Request) -> Reply:
            await asyncio.sleep(0.1)
            raise Busy(says, retry_after_s)

    with Ledger(tmp_path / "c.sqlite3") as ledger:
        money = {"run": "r", "cap_usd": 1.0, "waiting": notices.append}
        runner = Runner(ledger, Full(echo), lambda _: FREE, **money)  # type: ignore[arg-type] # names as stated
        outcome = loop.run_until_complete(runner.all(many(100)))
        loop.close()
        assert ledger.spend("r").held == 0
    assert outcome.stop.by == "refused"
    assert says in outcome.stop.why
    assert loop.now - 1000 < 15 * 60
    assert len(notices) >= 9  # one a minute


def test_nobody_is_told_to_wait_while_answers_come(tmp_path: Path) -> None:
    notices: list[str] = []
    with Ledger(tmp_path / "c.sqlite3") as ledger:
        runner = Runner(
            ledger, Fake(echo, Manners(latency_s=0.02)), lambda _: FREE, run="r", cap_usd=1.0,
            waiting=notices.append, notice_s=0.005,
        )  # fmt: skip
        asyncio.run(runner.all(many(20)))
    assert notices == []


def test_who_asks_for_a_call_on_the_wire_gets_its_answer(tmp_path: Path) -> None:
    class Slow(Fake):
        async def send(self, request: Request) -> Reply:
            on_the_wire.set()
            await goes_on.wait()
            return await super().send(request)

    async def both() -> list[str]:
        slow = Slow(echo)
        runner = Runner(ledger, slow, lambda _: FREE, run="r", cap_usd=1.0, at_once=16)
        first = asyncio.ensure_future(runner.all(many(1)))
        await on_the_wire.wait()
        second = asyncio.ensure_future(runner.all(many(1)))
        for _ in range(9):  # turns of the loop, in which the second comes to the call
            await asyncio.sleep(0)
        goes_on.set()
        outcomes = await asyncio.gather(first, second)
        assert slow.sent == 1
        return [outcome.settled[many(1)[0].key].status for outcome in outcomes]

    on_the_wire, goes_on = asyncio.Event(), asyncio.Event()
    with Ledger(tmp_path / "c.sqlite3") as ledger:
        assert asyncio.run(both()) == ["settled", "settled"]


class Crowd(Fake):
    """Refuses some calls by chance, and every one past the number it has room for."""

    def __init__(self, share: float, room: int) -> None:
        super().__init__(echo, Manners())
        self.share, self.room, self.inside, self.refused = share, room, 0, 0
        self.chance, self.crowds = random.Random(1), list[int]()

    async def send(self, request: Request) -> Reply:
        self.inside += 1
        try:
            await asyncio.sleep(0.005)
            # in the middle: those of one moment come together
            self.crowds.append(self.inside)
            await asyncio.sleep(0.005)
            if self.inside > self.room or self.chance.random() < self.share:
                self.refused += 1
                raise Busy("HTTP 429", 0.02)
            return await super().send(request)
        finally:
            self.inside -= 1


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.02, 0.1])
def test_refusals_by_chance_hold_up_only_themselves(
    tmp_path: Path, share: float
) -> None:
    crowd = Crowd(share, room=10_000)
    with Ledger(tmp_path / "c.sqlite3") as ledger:
        outcome = send(ledger, crowd, many(1500), at_once=32)
    assert sum(one.status == "settled" for one in outcome.settled.values()) == 1500
    # most find over half of the places
    assert sorted(crowd.crowds)[len(crowd.crowds) // 2] > 16


@pytest.mark.slow
def test_a_full_endpoint_is_not_crowded(tmp_path: Path) -> None:
    crowd = Crowd(0.0, room=8)
    with Ledger(tmp_path / "c.sqlite3") as ledger:
        outcome = send(ledger, crowd, many(1500), at_once=64)
    assert sum(one.status == "settled" for one in outcome.settled.values()) == 1500
    assert crowd.refused < 0.25 * len(crowd.crowds)
    assert sorted(crowd.crowds)[len(crowd.crowds) // 2] <= 12


@pytest.mark.slow
def test_nobody_is_sent_while_an_endpoint_asks_to_wait(tmp_path: Path) -> None:
    times: list[float] = []

    class Asking(Fake):
        async def send(self, request: Request) -> Reply:
            times.append(time.monotonic())
            if len(times) == 1:
                raise Busy("HTTP 429", 0.4)
            return await super().send(request)

    with Ledger(tmp_path / "c.sqlite3") as ledger:
        send(ledger, Asking(echo, Manners(latency_s=0.001)), many(40), at_once=4)
    assert max(after - before for before, after in pairwise(times)) >= 0.39
    assert sum(one < times[0] + 0.39 for one in times) <= 4


def test_an_endpoint_that_nobody_reaches_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuneworthy.llm.runner._FIRST_WAIT_S", 0.0005)
    waits: list[float] = []
    plain = llm_runner.Gate.refused

    async def refused(gate: llm_runner.Gate, seconds: float, *, last: bool) -> None:
        waits.append(seconds)
        await plain(gate, seconds, last=last)

    monkeypatch.setattr(llm_runner.Gate, "refused", refused)
    fake = Fake(echo, Manners(not_sent=1.0))
    with Ledger(tmp_path / "c.sqlite3") as ledger:
        outcome = send(ledger, fake, many(1000), at_once=64)
        assert ledger.spend("r").held == 0
    assert (outcome.stop.by, fake.sent) == ("refused", 0)
    assert len(outcome.settled) <= 64
    # not one wait after another for each call
    assert len(waits) <= 64 + 8 + 32 + 16 + 8 + 4 + 2


# The ledger -------------------------------------------------------------------------------------


def test_one_process_at_a_time_may_pay(tmp_path: Path) -> None:
    with Ledger(tmp_path / "c.sqlite3"), pytest.raises(InputError, match="in use"):
        Ledger(tmp_path / "c.sqlite3")
    Ledger(tmp_path / "c.sqlite3").close()


def test_what_was_on_the_wire_is_in_doubt_when_the_ledger_is_opened(
    tmp_path: Path,
) -> None:
    with Ledger(tmp_path / "c.sqlite3") as ledger:
        assert ledger.reserve("k", run="r", model="m", usd=2, cap_usd=3) == "go"
    with Ledger(tmp_path / "c.sqlite3") as ledger:
        assert [one.usd for one in ledger.doubtful("r")] == [2]
        assert (
            ledger.reserve("other", run="r", model="m", usd=2, cap_usd=3) == "over_cap"
        )


def test_a_stranger_is_no_ledger(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite3"
    path.write_bytes(b"no database at all, however one looks at it" * 50)
    with pytest.raises(InputError, match="not a ledger"):
        Ledger(path)
    path.unlink()
    Ledger(path).close()
    base = sqlite3.connect(path)
    base.execute("CREATE TRIGGER t AFTER INSERT ON calls BEGIN DELETE FROM runs; END")
    base.close()
    with pytest.raises(InputError, match="not a ledger"):
        Ledger(path)


@pytest.mark.parametrize("code", [3, 5, 6, 8, 10, 778, 13, 14, 23])
def test_a_sound_ledger_is_never_to_be_moved_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """Who follows that pays everything again, and begins again at a cap of nothing paid."""
    path = tmp_path / "c.sqlite3"
    Ledger(path).close()

    class Full:
        def execute(self, *_: object) -> None:
            fault = sqlite3.OperationalError("the disk is full")
            fault.sqlite_errorcode = code
            raise fault

        def close(self) -> None:
            pass

    monkeypatch.setattr(sqlite3, "connect", lambda *_, **__: Full())
    for opened in (Ledger, ReadOnlyLedger):
        with pytest.raises(InputError, match="can't be used now") as told:
            opened(path)
        assert "move" not in str(told.value)
        assert "sound" in str(told.value)


@pytest.mark.slow
def test_on_a_full_disk_a_quote_reads_the_ledger_and_a_run_is_refused(
    tmp_path: Path,
) -> None:
    folder = folder_of(tmp_path, n=60, models="[{id: 'fake:echo'}]")
    assert command_line(["ceiling", str(folder), "--max-tokens", "9"]) == 0
    limited = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0));"
        "from tuneworthy.cli import run; sys.exit(run(sys.argv[1:]))"
    )

    def full(*more: str) -> tuple[int, str]:
        told = [
            sys.executable,
            "-c",
            limited,
            "ceiling",
            str(folder),
            "--max-tokens",
            "9",
            *more,
        ]
        done = subprocess.run(told, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    code, said = full("--dry-run")
    assert (code, "answers kept from before" in said) == (0, True), said
    code, said = full()
    assert code == 2
    assert "move it away" not in said
    assert "Traceback" not in said


def test_an_answer_that_somebody_spoilt_is_one_plain_error(tmp_path: Path) -> None:
    with Ledger(tmp_path / "c.sqlite3") as ledger:
        send(ledger, Fake(echo), many(1))
    base = sqlite3.connect(tmp_path / "c.sqlite3")
    base.execute("UPDATE calls SET reply = '[[['")
    base.commit()
    base.close()
    with (
        Ledger(tmp_path / "c.sqlite3") as ledger,
        pytest.raises(InputError, match="can't be read"),
    ):
        ledger.find(many(1)[0].key)


def test_no_ledger_lies_outside_its_case(tmp_path: Path) -> None:
    (tmp_path / "case").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "case" / "case.yaml").write_text("name: Inside")
    case = load_case(tmp_path / "case")
    (tmp_path / "case" / ".tuneworthy").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CaseError, match="leads out"):
        ledger_of(case)


# Quotes, recordings and which transport carries what --------------------------------------------


def test_a_quote_counts_what_is_new_and_sends_nothing(tmp_path: Path) -> None:
    jobs = many(3)
    bound = sum(
        llm_endpoints.most_usd(job.request, A_DOLLAR_A_TOKEN) or 0 for job in jobs
    )
    told = llm_runner.quote([*jobs, *jobs], None, lambda _: A_DOLLAR_A_TOKEN)
    assert (told.calls, told.reused, told.usd_most) == (3, 0, bound)
    # a quarter of the tokens that the texts can have at most, and half of the four of an answer
    assert told.usd_likely == sum(job.tokens for job in jobs) / 4 + 3 * 2
    short = [llm_runner.Job(job.request, expects=1) for job in jobs]
    assert llm_runner.quote(short, None, lambda _: A_DOLLAR_A_TOKEN).usd_likely == (
        pytest.approx(told.usd_likely - 3)
    )
    with Ledger(tmp_path / "c.sqlite3") as ledger:
        send(ledger, Fake(lambda _: "one"), jobs[:1])
        told = llm_runner.quote(jobs, ledger, lambda _: A_DOLLAR_A_TOKEN)
        assert (told.calls, told.reused) == (2, 1)
        # as the call that was answered: what its text had, and one token written
        read = ledger.find(jobs[0].key).reply.usage.input_tokens  # type: ignore[union-attr] # it is
        assert told.usd_likely == pytest.approx(2 * (read + 1))
        anew = llm_runner.quote(jobs, ledger, lambda _: A_DOLLAR_A_TOKEN, anew=True)
        assert (anew.calls, anew.reused) == (3, 0)
        assert llm_runner.quote(jobs, ledger, lambda _: None).unpriced == ("m",)
        assert (
            llm_runner.quote(
                [asked("x", most=None)], ledger, lambda _: A_DOLLAR_A_TOKEN
            ).calls
            == 0
        )


def test_a_price_is_stated_or_listed_or_nothing_at_all() -> None:
    models = (
        Model(id="openai:gpt-4o-mini"),
        Model(id="openai:ft-ours", kind="tuned"),
        Model(id="ollama:llama3"),
        Model(id="vllm:ours", usd_per_mtok=TokenPrice(input=0, output=0)),
        Model(id="fake:echo"),
    )
    price = prices_of(models, DAY)

    def of(model: Model) -> model_case.Price | None:
        place = reach(model)
        return price(asked("a").request.model_copy(
            update={"provider": place.provider, "base_url": place.base_url, "model": place.name}
        ))  # fmt: skip

    found = [of(model) for model in models]
    assert found[0] is not None
    assert found[0].output > found[0].input > 0
    assert found[1:3] == [None, None]
    assert found[3:] == [FREE, FREE]
    assert price(asked("a").request) is None


@pytest.mark.parametrize("stated", [0.0, 1e-6, 1.0, 9e9])
@pytest.mark.parametrize("kind", ["prompted", "tuned"])
@pytest.mark.parametrize(
    "told", [{"id": "openai:gpt-4o"}, {"id": "x:gpt-4o", "base_url": "https://api.openai.com/v1"},
             {"id": "gpt-4o", "base_url": "https://api.openai.com/v1/"},
             {"id": "openai:gpt-4o", "base_url": "https://API.openai.com:443/v1"}],
)  # fmt: skip
def test_a_file_cannot_make_a_vendor_cheaper_than_its_list(
    told: dict[str, str], kind: str, stated: float
) -> None:
    model = Model.model_validate(
        {**told, "kind": kind, "usd_per_mtok": {"input": stated, "output": stated}}
    )
    place = reach(model)
    request = asked("a").request.model_copy(
        update={
            "provider": place.provider,
            "base_url": place.base_url,
            "model": place.name,
        }
    )
    listed = prices_of([Model(id="openai:gpt-4o")], DAY)(request.model_copy(
        update={"provider": "openai", "base_url": "https://api.openai.com/v1"}
    ))  # fmt: skip
    assert listed is not None
    counted = prices_of([model], DAY)(request)
    assert counted is not None
    assert counted.input == max(stated, listed.input)
    assert counted.output == max(stated, listed.output)
    trusted = prices_of([model], DAY, {model.id})(request)  # said on the command line
    assert trusted is not None
    assert (trusted.input, trusted.output) == (stated, stated)


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("gpt-4o:latest", (150.0, 600.0)),  # the dearest of all that it has listed
        ("gpt-of-tomorrow", (150.0, 600.0)),
        ("ft:gpt-4o:me:x", (2.5, 10.0)),  # its base
    ],
)
@pytest.mark.parametrize("kind", ["prompted", "tuned"])
def test_a_name_that_is_not_listed_lifts_no_cap_at_a_vendor(
    name: str, least: tuple[float, float], kind: str
) -> None:
    """A file once said 0.0001 for ``gpt-4o:latest``, and a budget of a cent sufficed."""

    def of(
        usd: float, trusted: frozenset[str] = frozenset()
    ) -> tuple[float, float] | None:
        price = {"input": usd, "output": usd}
        stated = {"id": f"openai:{name}", "kind": kind, "usd_per_mtok": price}
        place = {"provider": "openai", "base_url": PRESETS["openai"].base_url}
        request = asked("a").request.model_copy(update={**place, "model": name})
        model = Model.model_validate(stated)
        counted = prices_of([model], DAY, trusted)(request)
        return None if counted is None else (counted.input, counted.output)

    assert of(1e-30) == of(1e-4) == least
    assert of(1e4) == (1e4, 1e4)
    assert of(0.0) is None  # as before: 0 is a price on this machine alone
    assert of(1e-4, frozenset({f"openai:{name}"})) == (1e-4, 1e-4)


def test_a_price_of_nothing_counts_on_this_machine_alone() -> None:
    free = TokenPrice(input=0, output=0)

    def of(
        address: str, trusted: frozenset[str] = frozenset()
    ) -> model_case.Price | None:
        model = Model(id="ours:m", base_url=address, usd_per_mtok=free)
        place = {"provider": "ours", "base_url": address, "model": "m"}
        request = asked("a").request.model_copy(update=place)
        return prices_of([model], DAY, trusted)(request)

    assert of("http://127.0.0.1:8000/v1") == of("http://localhost:1/v1") == FREE
    assert of("https://llm.example.org/v1") is None
    assert of("https://llm.example.org/v1", frozenset({"ours:m"})) == FREE


def test_a_missing_key_is_told_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(CaseError, match="OPENAI_API_KEY"):
        transport_for([reach(Model(id="openai:gpt-4o"))])
    with pytest.raises(CaseError, match="no model"):
        transport_for([reach(Model(id="fake:nobody"))])


def test_fakes_are_models_like_any_other(tmp_path: Path) -> None:
    place = reach(Model(id="fake:parrot"))
    talk = (
        ChatMessage(role="assistant", content="said"),
        ChatMessage(role="user", content="q"),
    )
    request = Request(
        provider="fake", base_url="", model="parrot", messages=talk, max_tokens=9
    )
    with Ledger(tmp_path / "c.sqlite3") as ledger:
        job = Job(request)
        found = send(ledger, transport_for([place]), [job]).get(job.key)
    assert found is not None
    reply = found.reply
    assert reply is not None
    assert reply.text == "said"
    assert json.loads(reply.model_dump_json())["usage"]["input_tokens"] == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["echo", "parrot"])
def test_half_a_surrogate_pair_in_a_case_ends_no_lab(name: str, tmp_path: Path) -> None:
    half = {"id": "half", "input": "\ud800", "reference": "\udfff"}
    cases = [
        half,
        *({"id": f"c{i}", "input": f"q{i}", "reference": f"q{i}"} for i in range(12)),
    ]
    (tmp_path / "eval.jsonl").write_text(
        "".join(json.dumps(one) + "\n" for one in cases)
    )
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "plain.md").write_text("{{ input }}")
    (tmp_path / "case.yaml").write_text(
        f"name: Half\nmodels: [{{id: 'fake:{name}'}}]\ntargets: {{quality: {{at_least: 0.8}}}}\n"
        "data: {evaluation: eval.jsonl, prompts: prompts}\n"
    )
    assert command_line(["ceiling", str(tmp_path)]) == 0
    with Ledger(tmp_path / ".tuneworthy" / "calls.sqlite3") as ledger:
        assert ledger.spend("ceiling").calls >= len(cases)
        assert ledger.doubtful() == ()


def test_half_a_surrogate_pair_in_an_answer_becomes_a_question_mark(
    tmp_path: Path,
) -> None:
    with Ledger(tmp_path / "c.sqlite3") as ledger:
        job = asked("a \ud800")
        send(ledger, Fake(echo), [job])
        assert ledger.text(job.key) == "a ?"


def test_a_call_that_cannot_be_kept_ends_the_run_and_loses_no_call_of_another_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Ledger.settle

    def settle(ledger: Ledger, key: str, reply: Reply, *more: Any) -> Any:
        if reply.text == "case 20":
            raise ValueError("it can't be written")
        return plain(ledger, key, reply, *more)

    monkeypatch.setattr(Ledger, "settle", settle)
    with (
        Ledger(tmp_path / "c.sqlite3") as ledger,
        pytest.raises(ValueError, match="be written"),
    ):
        send(ledger, Fake(echo), many(100), at_once=4)
    with Ledger(tmp_path / "c.sqlite3") as ledger:
        settled = sum(found is not None and found.status == "settled"
                      for found in (ledger.find(job.key) for job in many(100)))  # fmt: skip
        assert 12 <= settled <= 24
        # those of its own moment: never sent again unasked
        assert 1 <= len(ledger.doubtful()) <= 4


class Seen:
    """Answers in one token, and says what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def send(self, request: Request) -> Reply:
        self.asked.append(request.key())
        await asyncio.sleep(0)
        return Reply(text="x", usage=model_lab.Usage(input_tokens=1, output_tokens=1))

    async def close(self) -> None:
        """Nothing is open."""


@pytest.mark.slow
@given(st.integers(0, 60), st.integers(1, 12), st.integers(1, 12))
@settings(deadline=None)
def test_who_is_cancelled_while_its_money_is_put_aside_was_not_asked(
    steps: int, calls: int, at_once: int
) -> None:
    seen = Seen()

    async def go(runner: Runner) -> None:
        run = asyncio.ensure_future(runner.all(many(calls)))
        for _ in range(steps):
            await asyncio.sleep(0)
        run.cancel()
        await asyncio.wait([run])

    with TemporaryDirectory() as place, Ledger(Path(place) / "c.sqlite3") as ledger:
        price = model_case.Price(input=0, output=1e6)
        asyncio.run(
            go(
                Runner(
                    ledger, seen, lambda _: price, run="r", cap_usd=50, at_once=at_once
                )
            )
        )
        with ReadOnlyLedger(Path(place) / "c.sqlite3") as found:
            assert {one.key for one in found.doubtful()} <= set(seen.asked)
            spend = found.spend("r")
            assert spend.held == 4 * spend.in_doubt


@pytest.mark.slow
@given(st.permutations([50, 4, 4, 60, 4]), st.integers(1, 5))
@settings(deadline=None, max_examples=30)
def test_what_does_not_fit_under_a_cap_waits_for_what_does(
    mosts: list[int], at_once: int
) -> None:
    jobs = [asked(f"case {n}", most=most) for n, most in enumerate(mosts)]
    fit = {job.key for job, most in zip(jobs, mosts, strict=True) if most == 4}
    with TemporaryDirectory() as place, Ledger(Path(place) / "c.sqlite3") as ledger:
        price = model_case.Price(input=0, output=1e6)
        outcome = send(ledger, Seen(), jobs, price=price, cap_usd=30, at_once=at_once)
    assert outcome.stop.by == "cap"
    first = {job.key for job in jobs[: min(at_once, 5)]}  # all of one batch
    assert first & fit <= set(outcome.settled) <= fit


def test_a_run_leaves_its_answers_in_the_ledger(tmp_path: Path) -> None:
    with Ledger(tmp_path / "c.sqlite3") as ledger:
        runner = Runner(ledger, Fake(echo), lambda _: FREE, run="r", cap_usd=1)
        outcome = asyncio.run(runner.all(many(30)))
        assert all(one.reply is None for one in outcome.settled.values())
        for job in many(30):
            found = outcome.get(job.key)
            assert found is not None
            assert found.reply is not None
            assert found.reply.text == job.request.messages[0].content
        assert outcome.get("no such key") is None
