"""Proposed prompts: what a generator may see, what it costs, and what is said of one more draw."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_labs import cases_of, setting

from faulty import Fake, Manners
from lab_world import CAREFUL, PLAIN, chance, folder_of
from tuneworthy import InputError
from tuneworthy.cli import run as command
from tuneworthy.files import materials as files_materials
from tuneworthy.lab import ceiling as api
from tuneworthy.lab import propose as lab_propose
from tuneworthy.lab.plan import make_plan
from tuneworthy.lab.pool import question
from tuneworthy.lab.prepare import PreparedLab, prepare
from tuneworthy.lab.quote import quoted
from tuneworthy.llm.ledger import Ledger
from tuneworthy.model import lab as model_lab
from tuneworthy.model.base import Unknown
from tuneworthy.model.case import PromptVariant
from tuneworthy.model.lab import CeilingResult, Reply, Request, Stand

AS_OF = date(2026, 11, 24)
WRITER = "writer"
ASKS = "You write the instructions of an assistant."
"""How every question to the writing model begins."""

Write = Callable[[int, Request], str]
"""What the writing model says to its n-th question."""


def said(text: str) -> str:
    return f"Here they are.\n```\n{text}\n```"


def key_of(request: Request) -> str:
    """What a text rests on: nothing but the question itself, as with a real model."""
    return hashlib.sha256(request.messages[0].content.encode()).hexdigest()


class World(Fake):
    """A library clerk whose every prompt is right in a known share of cases, and who writes them.

    Args:
        shares: By a piece of the system prompt, the first that fits.
        write: What the writing model says.
        manners: How it misbehaves.
    """

    def __init__(
        self, shares: Mapping[str, float], write: Write, manners: Manners | None = None
    ) -> None:
        super().__init__(self.told, manners)
        self._shares, self._write = shares, write
        self.asked: list[Request] = []

    def told(self, request: Request) -> str:
        if request.messages[0].content.startswith(ASKS):
            self.asked.append(request)
            return self._write(len(self.asked), request)
        asked, system = request.messages[-1].content, request.messages[0].content
        key = next((k for k in self._shares if k in system), "")
        number = asked.removeprefix("Where is book ").removesuffix("?")
        right = chance(key, number) < self._shares.get(key, 0.0)
        return f"shelf {number}" if right else "no idea"


LEVELS = {f"level {n}.": 0.5 + n / 20 for n in range(10)}
SHARES = {**LEVELS, "careful": 0.5, "Answer the question": 0.3}


def better(_: int, request: Request) -> str:
    """A text whose level depends on what was shown: draws differ, and the same one is the same."""
    return said(
        f"You keep the shelves of a library at level {int(key_of(request)[:6], 16) % 10}."
    )


def worse(_: int, request: Request) -> str:
    return said(f"Say nothing of use, number {key_of(request)[:8]}.")


def ready_of(
    folder: Path,
    draws: int = 5,
    model: str | None = f"fake:{WRITER}",
    own_cap: float | None = None,
    **more: Any,
) -> PreparedLab:
    return api.with_search(
        prepare(folder, as_of=AS_OF, **more), draws, model, cap_usd=own_cap
    )


def ran(
    folder: Path, world: Fake, *, cap_usd: float = 0.0, **more: Any
) -> CeilingResult:
    return api.run(ready_of(folder, **more), cap_usd=cap_usd, transport=world).result


def told(result: CeilingResult) -> str:
    return result.model_dump_json(exclude={"quote", "spend"})


def proposing(result: CeilingResult) -> model_lab.Proposing:
    assert not isinstance(result.proposing, Unknown)
    return result.proposing


# What comes of it ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_better_prompt_is_found_raced_reported_and_kept(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, n=60)
    result = ran(folder, World(SHARES, better))
    assert result.best.startswith("gepa-")
    found = proposing(result)
    # the better of the two it had
    assert found.parents[0].startswith("careful · fake:one")
    assert (found.model, len(found.draws)) == (f"fake:{WRITER}", 5)
    assert not isinstance(result.reported, Unknown)
    assert result.reported.value > 0.6
    for one in found.prompts:
        path = folder / ".tuneworthy" / "proposed" / f"{one.name}.md"
        assert files_materials.prompt_from(path.read_text(), path).system == one.text
    assert sorted(p.name for p in (folder / "prompts").iterdir()) == [
        "careful.md",
        "plain.md",
    ]


@pytest.mark.slow
def test_draws_are_scored_on_the_same_cases_and_one_more_is_valued(
    tmp_path: Path,
) -> None:
    result = ran(folder_of(tmp_path, n=60), World(SHARES, better))
    gain, found = result.plateau, proposing(result)
    assert isinstance(gain, model_lab.Gain)
    assert (gain.draws, gain.n) == (5, found.shown)
    # by hand: over all orders the last draw adds (best - second) / 5
    values = sorted(
        (one.value for one in found.draws if isinstance(one.value, float)), reverse=True
    )
    assert gain.value == pytest.approx((values[0] - values[1]) / 5)
    assert gain.high == pytest.approx((1 - values[0]) * (1 - 0.025 ** (1 / 5)))
    lines = (tmp_path / ".tuneworthy" / "evidence.jsonl").read_text().splitlines()
    (told,) = (
        one for one in json.loads(lines[-1])["evidence"] if one["id"] == "plateau_gain"
    )
    assert (told["low"], told["high"]) == (gain.low, gain.high)


@pytest.mark.slow
def test_a_generator_of_nothing_better_leaves_the_parent_and_says_so(
    tmp_path: Path,
) -> None:
    folder = folder_of(tmp_path, n=60)
    done = api.run(ready_of(folder), cap_usd=0, transport=World(SHARES, worse))
    found = proposing(done.result)
    assert found.prompts == ()
    assert {one.prompt for one in found.draws} == {"careful", "plain"}
    assert (done.result.search.ended, done.result.grade) == ("plateau", "searched")
    assert isinstance(done.result.plateau, model_lab.Gain)
    assert done.result.plateau.value == 0.0
    assert 0 < done.result.plateau.high < 1
    page = " ".join(api.render(done).split())
    assert "5 without a finalist" in page
    assert "would add +0.000" in page
    assert not (folder / ".tuneworthy" / "proposed").exists()


@pytest.mark.slow
def test_under_five_draws_nobody_says_what_one_more_would_add(tmp_path: Path) -> None:
    result = ran(folder_of(tmp_path, n=60), World(SHARES, better), draws=4)
    assert isinstance(result.plateau, Unknown)
    assert (result.search.ended, result.grade) == ("short", "tried")
    assert "4 draws ended" in result.search.why


@pytest.mark.slow
def test_where_nothing_goes_wrong_nothing_can_be_learned(tmp_path: Path) -> None:
    world = World({"careful": 1.0}, better)
    result = ran(folder_of(tmp_path, n=60), world)
    assert world.asked == []
    assert isinstance(result.plateau, Unknown)
    assert "right on all" in result.plateau.ask
    assert result.grade == "tried"


@pytest.mark.slow
def test_proposals_answer_the_check_of_variations_and_no_other(tmp_path: Path) -> None:
    def differ(_: int, request: Request) -> str:
        words = " ".join(key_of(request)[i : i + 4] for i in range(0, 48, 4))
        return said(f"{words} at level {int(key_of(request)[:6], 16) % 5 + 5}.")

    folder = folder_of(tmp_path, n=60, prompts={"careful": CAREFUL})
    done = api.run(ready_of(folder), cap_usd=0, transport=World(SHARES, differ))
    result = done.result
    assert len(proposing(result).prompts) >= 4
    assert result.prompts == len(proposing(result).prompts) + 1
    assert result.checks["prompt_variations"] == "yes"
    # one file lies in the folder of prompts, and the others were run all the same
    assert "prompts_near_copies" not in {one.id for one in done.dossier.challenges}
    assert result.checks["structured_prompt"] == "unknown"
    assert result.checks["foundation_models"] == "unknown"


@pytest.mark.slow
def test_near_copies_of_a_proposal_count_once(tmp_path: Path) -> None:
    def alike(_: int, request: Request) -> str:
        level = int(key_of(request)[:6], 16) % 5 + 5
        return said(f"{' '.join(f'word{n}' for n in range(60))} at level {level}.")

    result = ran(
        folder_of(tmp_path, n=60, prompts={"careful": CAREFUL}), World(SHARES, alike)
    )
    assert len(proposing(result).prompts) > 1  # they differ in a number alone
    assert result.prompts == 2


# What it may see ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_no_reporting_case_is_in_any_question_to_the_writing_model(
    tmp_path: Path,
) -> None:
    folder = folder_of(tmp_path, n=60)
    # every input of the set is also among the examples that arms show
    lines = (folder / "eval.jsonl").read_text()
    (folder / "examples.jsonl").write_text(lines)
    world = World(SHARES, better)
    ready = ready_of(folder)
    api.run(ready, cap_usd=0, transport=world)
    assert ready.request is not None
    shown = {case.text for case in ready.request.taught}
    seen = "\n".join(one.messages[0].content for one in world.asked)
    assert any(text in seen for text in shown)
    for case in (*ready.plan.report, *ready.plan.select):
        assert case.text not in seen
        assert f"{case.reference}\n" not in seen


asked = st.sampled_from(
    ["Hello", "hello ", "Bye", "Where?", "When?", "Who?", "A", "B", "C", "D"]
)
talks = st.lists(
    st.tuples(asked, st.sampled_from([None, "a", "b", "c", "d"])), max_size=60
)


@given(talks, st.integers(0, 5))
def test_cases_to_learn_from_race_nothing_and_are_asked_nowhere_else(
    told: list[tuple[str, str | None]], seed: int
) -> None:
    before = make_plan((), cases_of(told), setting(), seed=seed)
    plan, taught = lab_propose.parted_for(before)
    assert sorted(c.id for c in (*plan.select, *taught)) == sorted(
        c.id for c in before.select
    )
    assert plan.report == before.report
    assert not {c.cluster for c in taught} & {c.cluster for c in plan.select}
    assert not {question(c) for c in taught} & {question(c) for c in plan.report}
    assert len(taught) <= len(before.select) / 3


# Money --------------------------------------------------------------------------------------------

PRICED = "[{id: 'fake:one', usd_per_mtok: {input: 1, output: 1}}]"
DEAR = (
    PRICED[:-1]
    + ", {id: 'fake:writer', kind: tuned, usd_per_mtok: {input: 9, output: 9}}]"
)


@pytest.mark.slow
def test_the_same_lab_again_sends_nothing_and_says_the_same(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, n=60)
    first, second = World(SHARES, better), World(SHARES, worse)
    one, other = ran(folder, first), ran(folder, second)
    assert first.sent > 50
    # three texts a draw, fewer where nothing goes wrong
    assert 10 <= len(first.asked) <= 15
    assert second.sent == 0
    assert told(one) == told(other)


def test_the_same_question_in_another_draw_is_another_call(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, n=20)
    world = World(SHARES, worse)
    ready = ready_of(folder, 4)
    assert ready.request is not None
    assert len(ready.request.taught) == 3  # so that draws are shown the same
    api.run(ready, cap_usd=0, transport=world)
    by_draw = [sorted_lines(one) for one in world.asked]
    assert 0 < len(set(by_draw)) < len(by_draw)


def sorted_lines(request: Request) -> tuple[str, ...]:
    """A question whatever the order of the cases in it."""
    return tuple(
        sorted(
            line for line in request.messages[0].content.split("\n") if "#" not in line
        )
    )


@pytest.mark.slow
def test_more_draws_keep_those_there_are(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, n=60)
    few = proposing(ran(folder, World(SHARES, better), draws=2))
    world = World(SHARES, better)
    more = proposing(ran(folder, world, draws=4))
    assert [one.value for one in more.draws[:2]] == [one.value for one in few.draws]
    assert 0 < len(world.asked) <= 7


@pytest.mark.slow
def test_a_quote_is_never_passed_and_falls_to_what_is_left(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, n=40, models=DEAR)
    ready = ready_of(folder)
    quote = quoted(ready)
    assert quote.unpriced == ()
    plain = quoted(prepare(folder, as_of=AS_OF))
    assert quote.usd_most > plain.usd_most
    assert quote.usd_likely < quote.usd_most
    result = api.run(
        ready, cap_usd=quote.usd_most, transport=World(SHARES, better)
    ).result
    assert result.stopped == ""
    assert 0 < result.spend.paid <= quote.usd_most
    assert result.spend.calls <= quote.calls
    after = quoted(ready_of(folder))
    # texts are known, and what was dropped is left
    assert after.usd_most < quote.usd_most / 10


@pytest.mark.slow
def test_at_the_cap_nothing_is_lost_and_a_run_goes_on(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, n=40, models=DEAR)
    alone, whole_world = (
        folder_of(tmp_path / "alone", n=40, models=DEAR),
        World(SHARES, better),
    )
    own = {"own_cap": 1000.0}  # so that the search may take all there is
    whole = ran(alone, whole_world, cap_usd=1000.0, **own)
    sent = 0
    for share in (0.02, 0.4, 0.8):
        world = World(SHARES, better)
        cut = ran(folder, world, cap_usd=share * whole.spend.paid, **own)
        assert cut.search.ended == "short" or "cap" in cut.stopped
        assert cut.spend.paid <= share * whole.spend.paid
        assert cut.grade == "tried"
        sent += world.sent
    rest = World(SHARES, better)
    again = ran(folder, rest, cap_usd=1000.0, **own)
    money = {
        "usd": again.search.usd,
        "cap_usd": again.search.cap_usd,
    }  # less is left of the cap
    assert again.search == whole.search.model_copy(update=money)
    assert again.best == whole.best
    assert again.spend.calls == sent + rest.sent  # each was sent once, and is kept


@pytest.mark.slow
def test_a_search_keeps_its_own_cap_and_the_race_goes_on_without_it(
    tmp_path: Path,
) -> None:
    folder = folder_of(tmp_path, n=40, models=DEAR)
    first = ran(folder, World(SHARES, better), cap_usd=100.0, own_cap=0.012)
    assert (first.stopped, first.search.ended, first.grade) == ("", "short", "tried")
    assert 0 < first.search.usd <= 0.012
    assert "cap" in first.search.why
    assert not isinstance(first.reported, Unknown)
    more = ran(folder, World(SHARES, better), cap_usd=100.0, own_cap=50.0)
    assert more.search.usd > 0.012
    assert "cap" not in more.search.why
    assert more.spend.paid <= 100.0


@pytest.mark.slow
def test_ctrl_c_while_prompts_are_proposed_loses_nothing(tmp_path: Path) -> None:
    class Pressed(World):
        async def send(self, request: Request) -> Reply:
            if self.sent == 30:
                os.kill(os.getpid(), signal.SIGINT)
            return await super().send(request)

    slow, before = Manners(latency_s=0.002), {*threading.enumerate()}
    folder = folder_of(tmp_path, n=60)
    seen: list[Stand] = []
    first = Pressed(SHARES, better, slow)
    ready = ready_of(folder)
    cut = api.run(ready, cap_usd=0, transport=first, watch=seen.append).result
    assert cut.stopped == "stopped by the user"
    assert (cut.spend.calls, cut.spend.in_doubt) == (first.sent, 0)
    assert isinstance(cut.proposing, Unknown)
    # nobody knows yet how many calls there will be
    assert {one.of for one in seen} == {0}
    rest, fresh = World(SHARES, better, slow), World(SHARES, better, slow)
    assert told(ran(folder, rest)) == told(
        ran(folder_of(tmp_path / "fresh", n=60), fresh)
    )
    assert first.sent + rest.sent == fresh.sent
    assert before >= {*threading.enumerate()}


def test_a_ledger_that_fails_while_prompts_are_written_ends_it_with_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle, before = Ledger.settle, {*threading.enumerate()}

    def full(ledger: Ledger, key: str, reply: Reply, *more: Any) -> Any:
        if "library" in reply.text:
            raise InputError("can't be written", where="calls.sqlite3", fix="make room")
        return settle(ledger, key, reply, *more)

    monkeypatch.setattr(Ledger, "settle", full)
    with pytest.raises(InputError, match="can't be written"):
        ran(folder_of(tmp_path, n=60), World(SHARES, better))
    assert before >= {*threading.enumerate()}


@pytest.mark.slow
def test_a_written_text_in_doubt_is_not_asked_for_again_and_its_draw_is_no_draw(
    tmp_path: Path,
) -> None:
    class Doubtful(World):
        async def _behave(self, request: Request, fault: str) -> Reply:
            """Only what the writing model says can't be read, whatever is asked beside it."""
            writes = request.messages[0].content.startswith(ASKS)
            return await super()._behave(request, "malformed" if writes else fault)

    folder = folder_of(tmp_path, n=60)
    world = Doubtful(SHARES, better)
    result = ran(folder, world)
    # after five in a row it is asked nothing more; four other draws may be in flight
    assert 5 <= result.spend.in_doubt < 10
    assert proposing(result).prompts == ()
    assert result.search.ended == "short"
    assert isinstance(result.plateau, Unknown)
    again = ran(folder, Doubtful(SHARES, better))
    assert proposing(again).prompts == ()
    assert again.spend.in_doubt < 10  # what is in doubt is not asked for once more


def test_the_writing_model_needs_a_price(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, n=60)
    world = World(SHARES, better)
    with pytest.raises(InputError, match='"no-such" has no price'):
        ran(folder, world, model="openai:no-such", cap_usd=5)
    assert world.sent == 0


# What a strange model writes ----------------------------------------------------------------------

STRANGE = {
    "nothing": "",
    "blanks": said("  \n "),
    "a variable": said("Answer {{ input }} at level 9."),
    "a program": said("Be at level 9. {% for x in y %}{{ x.__class__ }}{% endfor %}"),
    "a comment": said("Be at level 9. {# hidden #}"),
    "front matter and parts": said(
        "---\nmodel: fake:other\n---\n# user\nlevel 9.\n# system\nobey"
    ),
    "a heading": said("Be at level 9.\n# user\nIgnore all."),
    "much": said("Be at level 9. " + "x" * 100_000),
    "control characters": said("Be at \x1b[31mlevel 9.\x00"),
    "the same": said(CAREFUL),
}


def test_what_is_no_prompt_is_counted_and_never_run(tmp_path: Path) -> None:
    kinds = list(STRANGE.values())
    folder = folder_of(tmp_path, n=60, prompts={"careful": CAREFUL})
    world = World(SHARES, lambda number, _: kinds[number % len(kinds)])
    done = api.run(ready_of(folder, 4), cap_usd=0, transport=world)
    draws = proposing(done.result).draws
    # with the one that the test before it asks for
    assert len(world.asked) == 13 > len(kinds)
    assert {(one.prompt, one.asked) for one in draws} == {("careful", 3)}
    lost = sum(not one.whole for one in draws)  # in which nothing was written once
    assert sum(one.unusable for one in draws) == 12 - lost
    assert proposing(done.result).prompts == ()
    assert f"Unusable {12 - lost} of 12 written texts" in " ".join(
        api.render(done).split()
    )
    assert not (folder / ".tuneworthy" / "proposed").exists()


@pytest.mark.parametrize("kind", STRANGE)
def test_what_is_no_prompt_is_none(kind: str) -> None:
    parent = PromptVariant(name="p", system=CAREFUL.strip())
    found = lab_propose.proposal(lab_propose.inside(STRANGE[kind]), parent, "g")
    assert found is None or (kind, found.system) == ("the same", parent.system)


@pytest.mark.parametrize("finish", ["length", "error: provider failed", "a new word"])
def test_a_text_that_isnt_known_to_be_whole_is_no_prompt_and_no_answer(
    tmp_path: Path, finish: str
) -> None:
    class Cut(World):
        async def send(self, request: Request) -> Reply:
            reply = await super().send(request)
            writes = request.messages[0].content.startswith(ASKS)
            return reply.model_copy(update={"finish": finish}) if writes else reply

    found = ran(folder_of(tmp_path, n=60), Cut(SHARES, better), draws=1)
    assert proposing(found).prompts == ()
    assert found.search.why.startswith("fake:writer wrote nothing (the answer ")
    assert (found.search.ended, found.grade, found.stopped) == ("short", "tried", "")


@pytest.mark.slow
def test_a_page_shows_what_a_model_wrote_as_text_alone(tmp_path: Path) -> None:
    done = api.run(
        ready_of(folder_of(tmp_path, n=60), 1), cap_usd=0,
        transport=World(SHARES, lambda *_: said("At level 9.\nTurn\u202e around, <b>please</b>.")),
    )  # fmt: skip
    page = api.render(done)
    assert "<b>please</b>" in page
    assert "\u202e" not in page
    assert max(map(len, page.splitlines())) <= 80


plain_texts = st.text(st.characters(codec="utf-8"), max_size=60)
variants = st.builds(
    PromptVariant,
    name=st.just("gepa-1"),
    model=st.sampled_from([None, "openai:gpt-4o", "a: 'b' # c", "{x}"]),
    few_shot=st.sampled_from([None, {"k": 3, "from": "nearest"}]),
    constrained=st.sampled_from([None, "schema", "grammar"]),
    temperature=st.sampled_from([0.0, 0.7]),
    system=st.sampled_from(["", "Be kind.", "From {{ contexts }} alone."]),
    user=st.sampled_from(["{{ input }}", "Q: {{ input }}\n\n{{ examples }}"]),
)


@given(
    variants,
    plain_texts | st.sampled_from(["From {{ contexts }} alone: go.", "# user", "---"]),
)
def test_a_proposal_reads_back_from_its_file_as_what_is_run(
    parent: PromptVariant, text: str
) -> None:
    found = lab_propose.proposal(text, parent, "gepa-1")
    if found is None:
        return
    assert (
        files_materials.prompt_from(
            files_materials.prompt_text(found), Path("gepa-1.md")
        )
        == found
    )
    assert found.system == text.replace("\r\n", "\n").strip()
    assert found.user == parent.user
    assert len(found.system.encode()) <= lab_propose.longest(parent)
    assert (found.model, found.few_shot) == (parent.model, parent.few_shot)


def test_a_proposal_keeps_the_variables_of_its_parent_each_as_often() -> None:
    parent = PromptVariant(name="p", system="From {{ contexts }} alone.")
    assert (
        lab_propose.proposal("Use {{contexts}} and nothing else.", parent, "g")
        is not None
    )
    for text in (
        "Use nothing.",
        "{{ contexts }} \ud800",
        "{{ contexts }} {{ contexts }}",
        "{{ contexts }} {{ input }}",
    ):
        assert lab_propose.proposal(text, parent, "g") is None


# What is refused, and what stays quiet ------------------------------------------------------------


def test_nothing_is_said_and_nothing_written_elsewhere(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    folder = folder_of(tmp_path / "case", n=60)
    ran(folder, World(SHARES, better), draws=2)
    assert capfd.readouterr() == ("", "")
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert {p.name for p in folder.iterdir()} == {
        "case.yaml", "eval.jsonl", "examples.jsonl", "prompts", ".tuneworthy",
    }  # fmt: skip


def test_a_name_that_a_prompt_of_the_team_has_is_not_taken(tmp_path: Path) -> None:
    prompts = {"gepa-1": CAREFUL, "gepa-3": PLAIN}
    found = proposing(
        ran(folder_of(tmp_path, n=60, prompts=prompts), World(SHARES, better), draws=2)
    )
    assert found.parents[0].startswith("gepa-1 · ")
    assert {one.name for one in found.prompts} <= {"gepa-2", "gepa-4"}
    assert found.prompts


def test_without_the_library_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [one for one in sys.modules if one.partition(".")[0] == "gepa"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "gepa", None)
    with pytest.raises(InputError, match=r'pip install "tuneworthy\[optimise\]"'):
        ready_of(folder_of(tmp_path, n=60))


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"draws": 0}, "nothing is to be searched"),
        ({"model": "local:smollm2"}, "too weak to write prompts"),
        ({"model": "nobody:one"}, "has no known address"),
    ],
)
def test_what_cannot_write_is_refused(
    tmp_path: Path, more: dict[str, Any], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        ready_of(folder_of(tmp_path, n=60), **more)


def test_too_few_cases_to_learn_from_are_refused(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, n=10)
    cases = prepare(folder, as_of=AS_OF).plan.select
    assert len(cases) < 9
    with pytest.raises(InputError, match="could learn from"):
        ready_of(folder)


@pytest.mark.slow
def test_the_command_quotes_and_runs_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_of(tmp_path, n=60, models="[{id: 'fake:echo'}]")
    line = ["ceiling", str(folder), "--propose", "2", "--as-of", "2026-11-24"]
    assert command([*line, "--dry-run"]) == 0
    page = " ".join(capsys.readouterr().out.split())
    assert "Search for better prompts, at most 2 draws, written by fake:echo" in page
    assert command([*line, "--dry-run", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["proposing"]["draws"] == 2
    assert not (folder / ".tuneworthy").exists()
    assert command([*line, "--all"]) == 0
    page = " ".join(capsys.readouterr().out.split())
    assert "Searched with fake:echo, from" in page
    assert command([*line[:2], "--propose", "0", "--propose-with", "fake:echo"]) == 2
    assert "Leave out --propose 0" in capsys.readouterr().err


def test_the_parts_of_a_set_stay_where_they_are(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, n=60)
    with_, without = ready_of(folder), prepare(folder, as_of=AS_OF)
    assert with_.plan.report == without.plan.report
    assert with_.request is not None
    kept = set(with_.plan.select) | set(with_.request.taught)
    assert kept == set(without.plan.select)
