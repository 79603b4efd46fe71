"""The tools: what each is asked, what it gives, what it writes.

Every tool is a function of what it is asked; none runs a model, sends anything or spends money, so
no text in a case can make it do so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, NamedTuple

from tuneworthy.api import assistant as api
from tuneworthy.api.board import Board
from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.errors import InputError
from tuneworthy.domain.record import FileRecord, Record
from tuneworthy.report import assistant as report
from tuneworthy.surfaces.mcp_server import asks, gives

_PAGE = 50
_HEAD = ("case", "framework", "as_of", "verdict")
_BRIEF = (*_HEAD, "seed", "counts", "strength", "distribution", "flips", "next_questions")
_ALL = tuple(Dossier.model_fields)


@dataclass(frozen=True, slots=True)
class Desk:
    """The cases that are served, and who may write."""

    board: Board
    writing: Lock = field(default_factory=Lock)
    """Held while a case file is written."""
    measuring: Lock = field(default_factory=Lock)
    """Held while traces are read: once at a time."""


class Result(NamedTuple):
    """What a tool came to."""

    data: dict[str, Any]
    text: str


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool."""

    name: str
    title: str
    says: str
    """What it does, and exactly what it writes, for whoever decides whether it may."""
    asks: type[FileRecord]
    gives: type[Record]
    run: Callable[[Desk, Any], Result]
    writes: bool = False
    repeatable: bool = True
    """Whether asking the same again changes nothing more."""


def _list(desk: Desk, asked: asks.List) -> Result:
    rest = [name for name in desk.board.shelf.names() if name > asked.after]
    found, more = api.listed(desk.board, rest[:_PAGE]), len(rest) > _PAGE
    lines = [one.model_dump(mode="json", exclude_defaults=True) for one in found]
    data = {"untrusted": report.DATA, "cases": lines, "more": more}
    return Result(gives.plain_data(data), report.list_text(found, more))


def _read(desk: Desk, asked: asks.Read) -> Result:
    found = api.read_told(desk.board.shelf.path(asked.case))
    told = found.case.model_dump(mode="json", exclude_defaults=True)
    data = gives.CaseTold(case_name=asked.case, file_digest=found.digest, told=told)
    return Result(gives.plain_data(data.model_dump(mode="json")), found.text)


def _new(desk: Desk, asked: asks.New) -> Result:
    with desk.writing:
        made = api.new_case(desk.board, asked.case, asked.title)
        files = api.files_of(desk.board, asked.case)
    data = gives.taken(made.dossier, _HEAD, file_digest=made.digest, files=files)
    return Result(data, report.made_text(asked.case, files))


def _answer(desk: Desk, asked: asks.Answer) -> Result:
    answers = {one.key: one.value for one in asked.answers}
    if len(answers) < len(asked.answers):
        raise InputError("answers a key twice", where="answer", fix="give each key once")
    with desk.writing:
        before = desk.board.judged(asked.case).dossier
        now = desk.board.answer(asked.case, answers, asked.file_digest)
    wrote = [one.model_dump(mode="json") for one in asked.answers]
    data = gives.taken(
        now.dossier, _BRIEF, file_digest=now.digest, wrote=wrote, before=_was(before)
    )
    return Result(data, report.written_text(before, now.dossier, answers))


def _measure(desk: Desk, asked: asks.Measure) -> Result:
    from tuneworthy.api.measure import measure_case

    path = desk.board.shelf.path(asked.case)
    files = api.inside(path, asked.files)
    if not desk.measuring.acquire(blocking=False):
        raise InputError("is reading traces already", where="measure", fix="wait for its answer")
    try:
        run = measure_case(path, files, chosen=desk.board.chosen)
    finally:
        desk.measuring.release()
    now = desk.board.judged(asked.case)
    before = _was(run.before or now.dossier)
    names = (*_HEAD, "evidence")
    data = gives.taken(now.dossier, names, file_digest=now.digest, added=run.added, before=before)
    traces = sum(one.traces for one in run.measured.readings)
    return Result(data, report.measured_text(now.dossier, run.added, traces))


def _quote(desk: Desk, asked: asks.QuoteCeiling) -> Result:
    from tuneworthy.api.ceiling import prepare, quoted

    path = desk.board.shelf.path(asked.case)
    ready = prepare(
        path, chosen=desk.board.chosen, repeats=asked.repeats, max_tokens=asked.max_tokens
    )
    told, plan = quoted(ready), ready.plan
    data = gives.LabQuote(
        arms=tuple(arm.id for arm in plan.arms),
        select=len(plan.select),
        report=len(plan.report),
        **told.model_dump(),
    )
    text = report.quote_text(len(plan.arms), told)
    return Result(gives.plain_data(data.model_dump(mode="json")), text)


def _was(dossier: Dossier) -> dict[str, str]:
    return {"outcome": dossier.verdict.outcome, "action": dossier.verdict.action}


def _judging(
    names: tuple[str, ...], text: Callable[[api.Judged], str]
) -> Callable[[Desk, asks.Suppose], Result]:
    """A tool that judges a case, perhaps with other answers, and gives some sections."""

    def run(desk: Desk, asked: asks.Suppose) -> Result:
        found = api.supposed(desk.board, asked.case, asked.what_if, asked.as_of)
        return Result(gives.taken(found.dossier, names, file_digest=found.digest), text(found))

    return run


def _decide(desk: Desk, asked: asks.Decide) -> Result:
    found = api.supposed(desk.board, asked.case, asked.what_if, asked.as_of)
    if not asked.whole:
        data = gives.taken(found.dossier, _BRIEF, file_digest=found.digest)
        return Result(data, report.brief(found.dossier))
    from tuneworthy.report.text import text

    data = gives.taken(found.dossier, ("schema", *_ALL), file_digest=found.digest)
    return Result(data, text(found.dossier))


def _options(found: api.Judged) -> str:
    from tuneworthy.report.options.page import options_text

    return options_text(
        found.dossier, found.framework, case_path="CASE", everything=False, colour=False
    )


def _money(found: api.Judged) -> str:
    from tuneworthy.report.money.text import money_text

    return report.opening(money_text(found.dossier))


def _plan(found: api.Judged) -> str:
    from tuneworthy.report.plan.text import plan_text

    return report.opening(plan_text(found.dossier))


def _precedents(found: api.Judged) -> str:
    from tuneworthy.report.precedents.text import precedents_text

    return report.opening(precedents_text(found.dossier))


def _explain(desk: Desk, asked: asks.Explain) -> Result:
    from tuneworthy.api.reports import explain

    found = api.supposed(desk.board, asked.case, asked.what_if, asked.as_of)
    told = explain(
        desk.board.shelf.path(asked.case), asked.factor, desk.board.chosen,
        answers=asked.what_if, as_of=found.dossier.as_of,
    )  # fmt: skip
    return Result(gives.taken(found.dossier, _WALK, file_digest=found.digest), told)


_WALK = (*_HEAD, "ceiling", "signals", "factors", "counts", "rules", "strength")


def _judges(
    name: str, title: str, says: str, names: tuple[str, ...], text: Callable[[api.Judged], str]
) -> Tool:
    """A tool that reads, and gives some sections of the dossier."""
    names = (*_HEAD, *names)
    told = f"{says} Writes nothing; what_if only supposes."
    return Tool(name, title, told, asks.Suppose, gives.sections(names), _judging(names, text))


TOOLS = (
    Tool(
        "list_cases", "List the cases",
        "The cases in the folder that is served, each with its verdict in a sentence and the next "
        "step; 50 at a time. Writes nothing.",
        asks.List, gives.CaseList, _list,
    ),
    Tool(
        "read_case", "Read a case",
        "The case file as the team wrote it, and its digest, which answer asks for. Writes "
        "nothing.",
        asks.Read, gives.CaseTold, _read,
    ),
    Tool(
        "new_case", "Start a case",
        "Writes a new folder with a commented case.yaml, nothing answered yet, and "
        "case.schema.json. Nothing that is there is replaced. Ask the person first.",
        asks.New, gives.sections(_HEAD, "new"), _new, writes=True, repeatable=False,
    ),
    Tool(
        "answer", "Write answers",
        "Writes answers into case.yaml: the values of the keys you name change, every other byte "
        "stays. Nothing is written if the file has changed since file_digest, or an answer is "
        "wrong. Only what the person said, with their words as quote; ask before you write.",
        asks.Answer, gives.sections(_BRIEF, "written"), _answer, writes=True,
    ),
    Tool(
        "decide", "Judge a case",
        "The verdict by the rules: outcome, action, gates, what would change it, what is open. "
        "Writes nothing; what_if only supposes. The rules decide: report this, and add no verdict "
        "of your own.",
        asks.Decide, gives.sections(_BRIEF, base=gives.Open), _decide,
    ),
    _judges(
        "next_question", "What to ask next",
        "Open answers by doubt removed for a minute of asking; empty when none can change the "
        "verdict.",
        ("next_questions",), lambda found: report.questions_text(found.dossier),
    ),
    _judges(
        "challenges", "What doesn't fit together",
        "Statements of the case that contradict each other, and what would settle each.",
        ("challenges",), lambda found: report.challenges_text(found.dossier),
    ),
    _judges(
        "options", "Compare the options",
        "What could be done instead of tuning, or beside it: whether each helps here, why, what it "
        "takes; and the recommendation.",
        ("options", "recommendation"), _options,
    ),
    _judges(
        "invest", "Compute the investment",
        "Cost and return: break-even as stated and as computed, and how sure that is.",
        ("investment",), _money,
    ),
    _judges(
        "plan", "Plan the work",
        "Phases with hours, cost, dates and when each is done, up to a tuned model or the next "
        "decision; what data the approach needs.",
        ("plan", "approaches"), _plan,
    ),
    _judges(
        "precedents", "What happened to others",
        "The published cases most like this one, with links, and how often tuning won.",
        ("precedents",), _precedents,
    ),
    Tool(
        "explain", "Explain a verdict",
        "The walk through the rules with this case's answers, or one factor of it: what it asks, "
        "why, and what another answer would do. Writes nothing; what_if only supposes.",
        asks.Explain, gives.sections(_WALK), _explain,
    ),
    Tool(
        "measure", "Measure traces",
        "Reads traces or results in the case folder, and appends what they show to "
        ".tuneworthy/evidence.jsonl there; a verdict may move. Measuring the same again adds "
        "nothing. Nothing else is written, and nothing leaves this machine.",
        asks.Measure, gives.sections((*_HEAD, "evidence"), "measured"), _measure, writes=True,
    ),
    Tool(
        "quote_ceiling", "Price the ceiling lab",
        "What it would cost to run every prompt and model of the case on its evaluation set. Sends "
        "nothing and writes nothing; only a person can start that run, on the command line.",
        asks.QuoteCeiling, gives.LabQuote, _quote,
    ),
)  # fmt: skip
"""All tools, in the order they are listed."""
