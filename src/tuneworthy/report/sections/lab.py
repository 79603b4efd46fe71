"""What a ceiling lab found, as sections of a page: the words and numbers of the terminal's."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tuneworthy.model.base import Unknown, json_text
from tuneworthy.model.case import PublishedFigure
from tuneworthy.model.dossier import Dossier
from tuneworthy.model.lab import (
    Arm,
    ArmResult,
    CeilingResult,
    Contrast,
    Draw,
    Failures,
    Gain,
    JudgedArm,
    JudgeOf,
    JudgePlan,
    Quote,
    ShareOf,
    Spend,
    Stand,
    VerifyResult,
)
from tuneworthy.report import charts
from tuneworthy.report.blocks import (
    Block,
    Bullets,
    Column,
    Fact,
    Facts,
    Fold,
    Part,
    Picture,
    Prose,
    Section,
    Table,
)
from tuneworthy.report.text import Paint, row, safe, table, wrapped
from tuneworthy.verdict.headline import ACTION_WORDS, OUTCOME_WORDS
from tuneworthy.words import (
    LIMITS,
    count,
    counted,
    few,
    figure_says,
    figure_text,
    listing,
    number,
    plain,
    quality,
    several,
    share,
    small_usd,
)

# A judge in words: who it is, how far people agree with it, and what they still have to label.

ALONE = "by the judge's word alone"


def judge_text(plan: JudgePlan, own: int) -> str:
    """Who judges, and whether it judges its own work."""
    said = f"{safe(plan.model)} by {safe(plan.file)}; its word alone reports nothing"
    if own:
        said += f". It wrote the outputs of {several(own, 'arm')} itself, and may favour them"
    return said


def judge_block(judge: JudgeOf | None, paint: Paint) -> list[str]:
    """The judge held against people, arm by arm; nothing where rules scored."""
    if judge is None:
        return []
    lines = [paint("strong", "The judge against people")]
    for one in judge.arms:
        if one.part == "report" or one.labels:
            lines += wrapped(judged_text(one), first="  ", rest="    ")
    if judge.own:
        said = f"It wrote the outputs of {several(len(judge.own), 'arm')} itself."
        lines += wrapped(said, first="  ", rest="    ")
    return lines


def judged_text(one: JudgedArm) -> str:
    """An arm: what the judge says alone, by how much it is off, and how far people agree."""
    word = "not run" if isinstance(one.judge, Unknown) else quality(one.judge)
    part = "" if one.part == "report" else ", on the cases for selecting"
    said = f"{safe(one.arm)}{part}: {word} {ALONE}; "
    if isinstance(one.bias, Unknown):
        return f"{said}none of {count(one.missing)} outputs is labelled"
    bias = f"{one.bias.value:+.2f} ({one.bias.low:+.2f} to {one.bias.high:+.2f})"
    said += f"that is {bias} off on {count(one.labels)} labelled outputs, "
    kappa = one.kappa
    if isinstance(kappa.value, Unknown):
        said += "kappa unknown"
    elif kappa.low is None or kappa.high is None:
        said += f"kappa {kappa.value:.2f}"
    else:
        said += f"kappa {kappa.value:.2f} ({kappa.low:.2f} to {kappa.high:.2f})"
    return said + (f"; {count(one.missing)} to label" if one.missing else "")


def chosen_text(judge: JudgeOf) -> str:
    """Whose word chose the arms."""
    if judge.chosen_by == "people":
        return "by people's labels on the cases for selecting"
    return f"{ALONE}: it may have chosen badly; labels with --for choose would tell"


UNUSABLE = "nothing the judge said could be used: try another --judge-model"
"""Where every answer of the judge is unreadable, refused or in doubt."""


def open_text(judge: JudgeOf | None, best: str) -> str:
    """What keeps a judged lab from an answer; empty where nothing does.

    Args:
        judge: The judge of the lab.
        best: The arm that was chosen; empty for none.
    """
    if judge is None:
        return ""
    if not best:
        return f"unknown: {UNUSABLE}"
    if missing := judge.missing("report"):
        return f"unknown: people have to label {several(missing, 'output')} more"
    if missing := judge.missing("select"):
        return (
            f"unknown: of the arms that weren't chosen only the judge has spoken; "
            f"{several(missing, 'output')} to label would bound them"
        )
    return ""


def label_command(
    judge: JudgeOf, folder: str, rubric: str, *, lab: str, choose: bool = True
) -> str:
    """The command that labels what is missing; empty where nothing is.

    Args:
        judge: The judge of the lab.
        folder: How the user named the case.
        rubric: How the user named the rubric's file.
        lab: ``report`` or ``verify``.
        choose: Whether labels of every arm on the cases for selecting would tell more.
    """
    what = lab if judge.missing("report") else "choose"
    missing = judge.missing("report") or (judge.missing("select") if choose else 0)
    if not missing:
        return ""
    file = safe(shlex.quote(rubric or judge.plan.file))
    command = f"tuneworthy evalset label {folder} --rubric {file} --for {what}"
    again = "then run this again: nothing is paid twice"
    return f"label {several(missing, 'output')}, not knowing whose: {command}, {again}"


# Words that the pages of all labs share.

LABEL = 13
"""Columns of a label and the gap behind it."""
CORRECT = (
    "correct that, or take the arm out of the case, and run it again, with --ask-again where calls "
    "are in doubt; nothing else is paid twice"
)
"""What to do about an arm that got too few answers."""


def labelled(label: str, text: str) -> list[str]:
    """A row of a lab's page."""
    return row(label, text, label_width=LABEL)


def share_text(value: ShareOf | Unknown, unknown: str = "not run") -> str:
    """A share with its interval: ``0.81 (0.77–0.85)``."""
    if isinstance(value, Unknown):
        return unknown
    return f"{quality(value.value)} ({quality(value.low)}–{quality(value.high)})"


def difference_text(one: Contrast) -> str:
    """A difference with its interval: ``+0.12 (+0.03 to +0.21)``."""
    if isinstance(one.difference, Unknown):
        return f"unknown: {one.difference.ask}"
    return f"{_signed(one.difference)} ({_signed(one.low)} to {_signed(one.high)})"


def _signed(value: float) -> str:
    """Two digits with a sign; what rounds to zero has none."""
    return f"{value:+.2f}" if round(value, 2) else "0.00"


def spent_text(spend: Spend, saved: int = 0) -> str:
    """What all calls of a lab have cost so far."""
    said = f"{small_usd(spend.paid)} of {small_usd(spend.cap)} so far, for "
    said += counted(spend.calls, "call")
    if spend.failed:
        said += f"; {count(spend.failed)} more failed, unpaid"
    if spend.in_doubt:
        said += f"; {count(spend.in_doubt)} in doubt hold {small_usd(spend.held)} more"
    if saved:
        said += f"; the race saved {counted(saved, 'call')}"
    return said


def spent(spend: Spend, saved: int = 0) -> list[str]:
    """The same as a row of a page."""
    return labelled("Spent", spent_text(spend, saved))


def stopped(why: str) -> list[str]:
    """Why a lab ended early; nothing for one that didn't."""
    if not why:
        return []
    return labelled("Stopped", f"{safe(why)}. What was paid for is kept: run it again to go on")


# What a ceiling lab found as rows of words: the same for a terminal and for the page.

Rows = list[tuple[str, str]]
"""Labels, each with what it says."""

BOARD = ("quality", "USD a case", "p95", "arm")
"""Heads of the leaderboard's columns."""
BEST_OF_MANY = "The best of many looks too good here: the next part counts."
_SAME = 1e-9  # a rounding error apart
_REACHED = {
    "yes": "reached: the upper bound of every arm that stayed lies below the target",
    "no": "not reached: the best prompt meets the target on cases that chose nothing",
    "too_few_cases": "too few cases to say",
}
_MENDS = {
    "yes": "tuning could change it",
    "no": "tuning can't change it",
    "unknown": "the answer alone doesn't tell why",
}


def board_title(result: CeilingResult) -> str:
    """What the leaderboard is counted on."""
    by = f", {ALONE}" if result.judge else ""
    return f"Arms, on the {count(result.select)} cases for selecting{by}"


def report_title(result: CeilingResult) -> str:
    """What the numbers to quote are counted on."""
    return f"On {count(result.report)} cases that chose nothing"


def board_row(one: ArmResult) -> tuple[str, str, str, str]:
    """Quality with its interval, cost, waiting time, and the arm with what befell it."""
    cost = "" if isinstance(one.usd_per_case, Unknown) else small_usd(one.usd_per_case)
    seconds = one.latency_p95_s
    time = "" if isinstance(seconds, Unknown) else f"{number(round(seconds, 2))} s"
    notes = []
    if one.dropped_after is not None:
        notes.append(f"left behind after {count(one.dropped_after)}")
    words = ("without an answer", "in doubt", "not judged")
    counts = zip((one.failed, one.in_doubt, one.unjudged), words, strict=True)
    notes += [f"{count(n)} {what}" for n, what in counts if n]
    beside = f" ({', '.join(notes)})" if notes else ""
    unknown = "not judged" if one.failed or one.in_doubt else "not run"
    return share_text(one.quality, unknown), cost, time, f"{safe(one.arm.id)}{beside}"


def lacks_answers(result: CeilingResult) -> bool:
    """Whether a prompt arm isn't judged because too few of its calls were answered."""
    return any(
        one.arm.kind == "prompt" and isinstance(one.quality, Unknown) and one.failed + one.in_doubt
        for one in result.arms
    )


def why_stopped(result: CeilingResult) -> str:
    """Why a lab that stopped says nothing, in a few words."""
    return "too many calls got no answer" if lacks_answers(result) else "it was cut short"


def board_note(result: CeilingResult) -> str:
    """What to know of the leaderboard, and that a baseline is ahead where one is."""
    first = next(iter(result.arms), None)
    if first is None or first.arm.kind != "baseline" or isinstance(first.quality, Unknown):
        return BEST_OF_MANY
    return f"{BEST_OF_MANY} Ahead here is {safe(first.arm.id)}, which calls no model."


def published_row(one: PublishedFigure) -> tuple[str, str, str, str]:
    """A published figure, to stand under the arms: it is none of them."""
    note = f"published, {one.dated}, not measured here"
    return figure_text(one), "", "", f"{safe(one.model)} ({note})"


def ceiling_rows(result: CeilingResult) -> Rows:
    """The chosen arm, what it is held against, the ceiling, and how far was searched."""
    judge = result.judge
    if judge is not None and result.best and isinstance(result.reported, Unknown):
        best = f"unknown until people label: {safe(result.best)}"
    elif isinstance(result.reported, Unknown):
        best = f"not run; ahead so far: {safe(result.best) or 'none'}"
    else:
        best = f"{share_text(result.reported)} by {safe(result.scorer)}: {safe(result.best)}"
        best += _whole(result)
    differ = f"{several(result.prompts, 'prompt')} that differ{'s' * (result.prompts == 1)}"
    tried = f"{differ}, {several(result.models, 'model')}: {count(result.effort)} pairs"
    found = [
        ("Best prompt", best),
        *([("Chosen", chosen_text(judge))] if judge and judge.chosen_by != "nobody" else []),
        *(("Against", _contrast(one)) for one in result.contrasts),
        ("Ceiling", _said(result)),
        *(
            ("Published", safe(f"{figure_says(o)} ({o.source}). {LIMITS}"))
            for o in result.published[:1]
        ),
        ("Searched", tried),
    ]
    return found + (
        [("Best so far", _rows_curve(result))] if len(result.curve) > 1 and not judge else []
    )


def _whole(result: CeilingResult) -> str:
    """How many cases are wholly right, where the score counts parts of one; else nothing."""
    if isinstance(result.reported, Unknown) or not result.failures:
        return ""
    of = result.failures[0].of
    right = of - sum(one.n for one in result.failures)
    if abs(right / of - result.reported.value) < _SAME:
        return ""
    return f"; wholly right in {count(right)} of {count(of)}, as a part of a case counts too"


def _said(result: CeilingResult) -> str:
    if result.stopped:
        return f"not judged: {why_stopped(result)}"
    if isinstance(result.target, Unknown):
        return f"not judged: {result.target.ask}"
    upper = "" if isinstance(result.upper, Unknown) else f", upper bound {quality(result.upper)}"
    ends = f" (target {quality(result.target)}{upper})"
    said = _REACHED.get(result.reached) or open_text(result.judge, result.best)
    said = said or "not judged: no prompt was scored"
    if result.reached == "too_few_cases" and not isinstance(result.cases_needed, Unknown):
        ends += f"; about {count(result.cases_needed)} in all would tell"
    return said + ends


def _rows_curve(result: CeilingResult) -> str:
    """The ceiling curve: where the best got better, and for how long it hasn't since."""
    steps, best = [], -1.0
    for point in result.curve:
        if point.best > best:
            best = point.best
            steps.append((point.arms, point.best))
    said = ", ".join(f"{quality(value)} after {count(arms)}" for arms, value in steps[-6:])
    since = result.curve[-1].arms - steps[-1][0]
    return f"{said}; no better in the {few(since)} since" if since else f"{said} arms"


def _contrast(one: Contrast) -> str:
    if isinstance(one.difference, Unknown):
        return f"{safe(one.second)}: {difference_text(one)}"
    apart = "told apart" if one.told_apart == "yes" else "not told apart"
    needed = ""
    if one.told_apart == "no" and not isinstance(one.cases_needed, Unknown):
        needed = f"; about {count(one.cases_needed)} cases to report on would tell"
    return f"{safe(one.second)}: {difference_text(one)}, {apart}{needed}"


@dataclass(frozen=True, slots=True)
class Kind:
    """Wrong answers of one kind."""

    says: str
    """What they are a sign of, how many there are, and whether tuning could change them."""
    examples: tuple[str, ...]


def failure_kinds(found: Sequence[Failures]) -> tuple[Kind, ...]:
    """Where the chosen arm fails, the commonest first, with two examples of each."""
    return tuple(
        Kind(
            f"{plain(one.signal)}: {count(one.n)} of {count(one.of)}; {_MENDS[one.mends]}",
            tuple(safe(text) for text in one.examples[:2]),
        )
        for one in found
    )


def failures_said(found: Sequence[Failures]) -> str:
    """How many of the wrong answers tuning could change."""
    could, cannot, open_ = (
        sum(one.n for one in found if one.mends == way) for way in ("yes", "no", "unknown")
    )
    wrong = count(could + cannot + open_)
    said = f"Tuning could change {count(could)} of {wrong}, and can't change {count(cannot)}; "
    return f"{said}{count(open_)} don't tell by the answer alone"


def _verdict(dossier: Dossier) -> str:
    """The outcome; for a candidate also what to do, which is what its gates decide."""
    told = OUTCOME_WORDS[dossier.verdict.outcome]
    if dossier.verdict.outcome != "fine_tune_candidate":
        return told
    return f"{told} ({ACTION_WORDS[dossier.verdict.action]})"


def answered_rows(result: CeilingResult, dossier: Dossier, before: Dossier) -> Rows:
    """Which checks the run has answered, and where the verdict went; () for one that stopped."""
    if result.stopped:
        return []
    known = dossier.ceiling.checks
    shown = [safe(known[n].title) for n, state in result.checks.items() if state == "yes"]
    open_ = [safe(check.title) for check in known.values() if check.state == "unknown"]
    said = f"shown: {listing(shown) or 'none'}"
    said += f"; still open: {listing(open_)}" if open_ else ""
    was, now = _verdict(before), _verdict(dossier)
    verdict = f"{now}, as before" if was == now else f"{was} before, {now} now"
    return [("Checks", said), ("Verdict", verdict)]


# What a lab would do and cost, before anything is sent.

_QUOTE_MOST_ARMS = 12


def quote_dict(
    arms: Sequence[Arm],
    select: int,
    report: int,
    told: Quote,
    proposing: Mapping[str, object] | None = None,
    general: int = 0,
    judge: JudgePlan | None = None,
) -> str:
    """The plan and its price as JSON; its arms are those that are known already."""
    return json_text(
        {
            "schema": "tuneworthy/quote/1",
            "arms": [arm.model_dump(mode="json") for arm in arms],
            "select": select,
            "report": report,
            **told.model_dump(mode="json"),
            **({"proposing": dict(proposing)} if proposing else {}),
            **({"general": general} if general else {}),
            **({"judge": judge.model_dump(mode="json")} if judge else {}),
        }
    )


def quote_rows(select: int, report: int, told: Quote) -> tuple[tuple[str, str], ...]:
    """The plan and its price as rows: cases, calls, price, and models without one."""
    likely, most = small_usd(told.usd_likely), small_usd(told.usd_most)
    found = [
        ("Cases", f"{count(select)} to select on, {count(report)} to report on"),
        ("Calls", f"at most {count(told.calls)}; {count(told.reused)} answers are there already"),
        ("Price", "nothing" if told.usd_most == 0 else f"about {likely}, {most} at most"),
    ]
    if told.unpriced:
        names = listing([safe(name) for name in told.unpriced])
        found.append(
            (
                "No price",
                f"{names}: state usd_per_mtok under models; 0 is a price. "
                "Until then nothing is sent",
            )
        )
    return tuple(found)


def general_row(tasks: int) -> tuple[str, str]:
    """The general tasks of a verification."""
    return "In general", f"{count(tasks)} general tasks for each of the two models"


def quote_page(
    arms: Sequence[Arm],
    select: int,
    report: int,
    told: Quote,
    *,
    cap_usd: float | None,
    published: Sequence[str] = (),
    more: Sequence[tuple[str, str]] = (),
    colour: bool = False,
) -> str:
    """The plan and its price for a terminal."""
    rows = [(safe(arm.id), arm.kind) for arm in arms[:_QUOTE_MOST_ARMS]]
    lines = [Paint(colour)("strong", several(len(arms), "arm").capitalize()), *table(rows)]
    if len(arms) > _QUOTE_MOST_ARMS:
        lines.append(f"  and {few(len(arms) - _QUOTE_MOST_ARMS)} more")
    if published:
        names = listing([safe(name) for name in published[:_QUOTE_MOST_ARMS]])
        lines += wrapped(f"Shown beside them as published, and not called: {names}", first="  ")
    lines.append("")
    for name, said in (*more, *quote_rows(select, report, told)):
        lines += labelled(name, said)
    if cap_usd is not None:
        lines += labelled("Budget", _budget(cap_usd, told))
    return "\n".join(lines) + "\n"


def _budget(cap_usd: float, told: Quote) -> str:
    if told.usd_most <= 0:
        return f"{small_usd(cap_usd)} is enough"
    if cap_usd <= 0:
        return f"none: give one, as --budget {max(0.01, round(told.usd_most + 0.005, 2)):.2f}"
    return f"{small_usd(cap_usd)}: nothing is sent that could pass it"


# How a lab stands while it runs, in words.

_LIVE_MOST_ARMS = 50
STATES = {
    "running": "The lab is running.",
    "stopping": "The lab is stopping: nothing more is sent, and what is on the wire is waited for.",
    "done": "The lab has run to its end.",
    "stopped": "The lab was stopped. What was paid for is kept: start it again to go on.",
    "failed": "The lab could not go on. What was paid for is kept.",
}
"""How a run stands, in a sentence."""


def left_s(stand: Stand, passed_s: float) -> float | None:
    """Seconds to go at the pace so far, if no more arms are dropped; None before the first call."""
    return passed_s * (stand.of - stand.done) / stand.done if stand.done else None


def duration(seconds: float) -> str:
    """A time in the unit that fits: ``40 s``, ``3 min``, ``2 h``."""
    for limit, unit, length in ((100, "s", 1), (100 * 60, "min", 60)):
        if seconds < limit:
            return f"{count(round(seconds / length))} {unit}"
    return f"{count(round(seconds / 3600))} h"


def live_rows(stand: Stand, passed_s: float) -> tuple[tuple[str, str], ...]:
    """How far it is, what is ahead, what it has cost, and how long it will take."""
    done = share(stand.done / stand.of) if stand.of else "nothing to ask"
    ahead = f"{share_text(stand.quality)} {safe(stand.arm)}" if stand.arm else "nobody yet"
    left = left_s(stand, passed_s)
    return (
        ("Answered", f"{count(stand.done)} of at most {counted(stand.of, 'call')} ({done})"),
        ("Ahead", ahead),
        ("In the race", counted(stand.running, "arm")),
        ("Spent", spent_text(stand.spend)),
        (
            "Time",
            f"{duration(passed_s)} so far"
            + ("" if left is None else f", about {duration(left)} to go"),
        ),
    )


def live_board(stand: Stand) -> tuple[tuple[str, str, bool], ...]:
    """Arm, quality with its interval, and whether it is still in the race; the best first."""
    return tuple(
        (safe(one.arm), share_text(one.quality), one.running)
        for one in stand.board[:_LIVE_MOST_ARMS]
    )


# What a ceiling lab found, as sections of a page: the words and numbers of the terminal's.

_MOST_ARMS = 50
_HEAD = (
    Column("Arm"),
    Column("Quality", "number"),
    Column("USD a case", "number"),
    Column("p95", "number"),
)


def facts(rows: Rows) -> Facts:
    """Labelled rows as facts."""
    return Facts(tuple(Fact(label, says) for label, says in rows))


def found(result: CeilingResult, dossier: Dossier, before: Dossier) -> tuple[Section, ...]:
    """Everything a lab found: what to quote, the leaderboard, failures, and what it means.

    Args:
        result: What it found.
        dossier: The case as it stands with it.
        before: The case as it stood before.
    """
    blocks: list[Block] = [facts(ceiling_rows(result))]
    if (drawn := _curve(result)) is not None:
        blocks.append(drawn)
    sections = [
        Section("lab-found", report_title(result), tuple(blocks)),
        Section("lab-checks", "What it says about the case", _checks(result, dossier, before)),
        Section("lab-arms", board_title(result), tuple(_board(result))),
    ]
    if result.failures:
        kinds = _failures(result.failures)
        sections.append(Section("lab-failures", "Where the best prompt fails", kinds))
    return tuple(sections)


def ended(result: CeilingResult) -> Facts:
    """What it has cost, why it ended early where it did, and what comes next."""
    rows = [("Spent", spent_text(result.spend, result.calls_saved))]
    if result.stopped:
        rows.append(("Stopped", safe(result.stopped)))
    return facts([*rows, ("Next", _next(result))])


def standing(stand: Stand, passed_s: float) -> tuple[Block, ...]:
    """How a lab stands while it runs, with its leaderboard once there is one."""
    told = facts(list(live_rows(stand, passed_s)))
    rows = tuple(
        (arm, share, "in the race" if running else "left behind")
        for arm, share, running in live_board(stand)
    )
    if not rows:
        return (told, Prose("The leaderboard comes with the first round.", "small"))
    head = (Column("Arm"), Column("Quality", "number"), Column("Stands"))
    return (told, Table("Arms so far, on the cases for selecting", head, rows))


def offered(
    arms: Sequence[Arm], select: int, report: int, told: Quote, places: Sequence[str]
) -> tuple[Block, ...]:
    """What a lab would run, what it would cost, and where it would be sent."""
    names = tuple(safe(arm.id) for arm in arms[:_MOST_ARMS])
    if (more := len(arms) - _MOST_ARMS) > 0:
        names += (f"and {few(more)} more",)
    title = several(len(arms), "arm").capitalize()
    rows = [*quote_rows(select, report, told), ("Sent to", listing([safe(p) for p in places]))]
    return (facts(rows), Fold(title, (Bullets(names),)))


def _board(result: CeilingResult) -> Iterator[Block]:
    yield Prose("The best of many looks too good here: the part above counts.")
    rows = [board_row(one) for one in result.arms[:_MOST_ARMS]]
    rows += [published_row(one) for one in result.published[:_MOST_ARMS]]
    cells = tuple((arm, *numbers) for *numbers, arm in rows)
    table = Table(board_title(result), _HEAD, cells, quiet=True)
    target = None if isinstance(result.target, Unknown) else result.target
    drawing = charts.board(result.arms, target)
    if drawing is None:
        yield table
        return
    key = [("pro", "stayed in the race"), ("open", "left behind, on fewer cases")]
    if target is not None:
        key.append(("con", f"target {quality(target)} (dashed)"))
    says = "The share of cases that is right, with its 95% interval."
    yield Picture("lab-board", "Arms side by side", says, drawing, table, tuple(key), "open")
    if (more := len(result.arms) - _MOST_ARMS) > 0:
        yield Prose(f"and {few(more)} more", "small")


def _curve(result: CeilingResult) -> Picture | None:
    target, upper = (
        None if isinstance(one, Unknown) else one for one in (result.target, result.upper)
    )
    drawing = charts.curve(result.curve, target=target, upper=upper)
    if drawing is None:
        return None
    key = [("pro", "best so far")]
    if target is not None:
        key.append(("con", f"target {quality(target)} (dashed)"))
    if upper is not None:
        key.append(("dot", f"upper bound of all that stayed {quality(upper)} (dashed)"))
    rows = tuple((count(point.arms), quality(point.best)) for point in result.curve)
    title = "The best so far, arm by arm"
    says = "On the cases for selecting, in the order the arms were planned."
    head = (Column("Arms tried", "number"), Column("Best so far", "number"))
    return Picture("lab-curve", title, says, drawing, Table(title, head, rows), tuple(key))


def _checks(result: CeilingResult, dossier: Dossier, before: Dossier) -> tuple[Block, ...]:
    if not (told := answered_rows(result, dossier, before)):
        return (Prose(f"Nothing: {why_stopped(result)}, and part of an answer is none."),)
    rows = tuple(
        (safe(check.title), "yes" if result.checks.get(name) == "yes" else "unknown", check.state)
        for name, check in dossier.ceiling.checks.items()
    )
    head = (Column("Check"), Column("Shown by this lab", "state"), Column("In the case", "state"))
    return (facts(told), Table("The five checks of the ceiling test", head, rows))


def _failures(kinds: Sequence[Failures]) -> tuple[Block, ...]:
    parts = tuple(Part(kind.says, (Bullets(kind.examples),)) for kind in failure_kinds(kinds))
    return (Prose(failures_said(kinds)), *parts)


def _next(result: CeilingResult) -> str:
    if result.stopped and lacks_answers(result):
        return "Correct that, or take the arm out of the case, and start it again"
    if result.stopped:
        return "Start it again to go on; raise the cap where that was in the way"
    again = "then start it again: nothing is paid twice"
    if isinstance(result.target, Unknown):
        return f"State targets.quality.at_least in the case file, {again}"
    if result.reached == "too_few_cases" and not isinstance(result.cases_needed, Unknown):
        return f"Make {count(result.cases_needed)} cases in all, {again}"
    return "The verdict above has it"


# Prompts that a generator proposed, as rows of words.

_TEXT = 240
"""Characters of a proposed prompt that are shown; its file has the rest."""


def asked_row(draws: int, model: str, shown: int) -> tuple[str, str]:
    """What a generator will be asked for, for a quote."""
    said = f"{counted(draws, 'draw')} of a generator, written by {safe(model)}, from "
    said += f"{counted(shown, 'more case')} that nothing is selected or reported on; "
    return "Proposals", f"{said}each text that isn't known yet counts as long as it may be"


def proposed_title(result: CeilingResult) -> str:
    """Who wrote what from what; empty where nothing was asked for."""
    found = result.proposing
    if isinstance(found, Unknown):
        return ""
    said = f"Proposed by {safe(found.model)}, from {safe(found.parent)}"
    return f"{said} and {counted(found.shown, 'case')} shown to it"


def proposed_rows(result: CeilingResult) -> list[tuple[str, str]]:
    """Each prompt with its score and text, what came to nothing, and what one more would add.

    Returns:
        Labels with what they say; none where nothing was asked for.
    """
    found = result.proposing
    if isinstance(found, Unknown):
        return []
    score = {draw.prompt: _score(draw) for draw in found.draws}
    rows = [
        (safe(one.name), f"{score[one.name]}: {_short(one.text)} ({safe(one.file)})")
        for one in found.prompts
    ]
    known = {one.name for one in found.prompts}
    none = sum(draw.prompt not in known for draw in found.draws)
    if none:
        rows.append(("No better", f"in {count(none)} of {counted(len(found.draws), 'draw')}"))
    asked, unusable = (sum(getattr(d, key) for d in found.draws) for key in ("asked", "unusable"))
    if unusable:
        rows.append(("Unusable", f"{count(unusable)} of {counted(asked, 'written text')}"))
    if cut := sum(not draw.whole for draw in found.draws):
        rows.append(("Cut short", f"{counted(cut, 'draw')}, for want of an answer"))
    return [*rows, ("One more", plateau_text(result.plateau))]


def plateau_text(found: Gain | Unknown) -> str:
    """What one more draw would add: the plateau."""
    if isinstance(found, Unknown):
        return f"nobody can say what it would add: {found.ask}"
    ends = f"{found.value:+.3f} ({quality(found.low)} to {found.high:+.3f})"
    return f"would add {ends} to the best of {counted(found.draws, 'draw')} on average"


def _score(draw: Draw) -> str:
    if isinstance(draw.value, Unknown):
        return "not scored"
    return f"{quality(draw.value)} ({quality(draw.low)}–{quality(draw.high)})"


def _short(text: str) -> str:
    told = safe(text)
    return told if len(told) <= _TEXT else f"{told[:_TEXT].rstrip()}…"


# What a ceiling lab found, for a terminal.

_LAB_MOST_ARMS = 12


def ceiling_dict(result: CeilingResult, dossier: Dossier) -> str:
    """The result as JSON, with the verdict as it stands now."""
    told = result.model_dump(mode="json")
    verdict = {"outcome": dossier.verdict.outcome, "action": dossier.verdict.action}
    return json_text({"schema": "tuneworthy/ceiling/1", **told, "verdict": verdict})


def ceiling_page(
    result: CeilingResult,
    dossier: Dossier,
    before: Dossier,
    *,
    folder: str,
    rubric: str = "",
    colour: bool = False,
) -> str:
    """Leaderboard, ceiling, contrasts, failures, what was answered, and the verdict.

    Args:
        result: What was found.
        dossier: The case as it stands now.
        before: The case as it stood before.
        folder: How the user named the case.
        rubric: How the user named a judge's rubric.
        colour: Whether the terminal takes colour.
    """
    paint = Paint(colour)
    blocks = [
        _lab_board(result, paint),
        _labelled(report_title(result), ceiling_rows(result), paint),
        _labelled(proposed_title(result), proposed_rows(result), paint),
        judge_block(result.judge, paint),
        _lab_failures(result.failures, paint),
        _labelled("What it says about the case", answered_rows(result, dossier, before), paint),
        [*spent(result.spend, result.calls_saved), *stopped(result.stopped)],
        wrapped(_lab_next(result, safe(folder), rubric), first="Next: "),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _lab_board(result: CeilingResult, paint: Paint) -> list[str]:
    rows = [board_row(one) for one in result.arms[:_LAB_MOST_ARMS]]
    rows += [published_row(one) for one in result.published[:_LAB_MOST_ARMS]]
    lines = [paint("strong", board_title(result)), *table([BOARD, *rows])]
    if (more := len(result.arms) - _LAB_MOST_ARMS) > 0:
        lines.append(f"  and {few(more)} more")
    return [*lines, *wrapped(board_note(result), first="  ")]


def _labelled(title: str, rows: Rows, paint: Paint) -> list[str]:
    """A titled block of labelled rows; nothing for no row."""
    if not rows:
        return []
    return [paint("strong", title), *(line for row in rows for line in labelled(*row))]


def _lab_failures(found: Sequence[Failures], paint: Paint) -> list[str]:
    if not found:
        return []
    lines = [paint("strong", "Where the best prompt fails")]
    for kind in failure_kinds(found):
        lines += wrapped(kind.says, first="  ")
        for text in kind.examples:
            lines += wrapped(text, first="    · ", rest="      ")
    return [*lines, *wrapped(failures_said(found), first="  ")]


def _lab_next(result: CeilingResult, folder: str, rubric: str) -> str:
    again = "then run this again: nothing is paid twice"
    if result.stopped and lacks_answers(result):
        return CORRECT
    if result.stopped:
        return f"tuneworthy ceiling {folder}, with a larger --budget where that was in the way"
    if result.judge is not None:
        bounds = result.reached == "unknown" and not isinstance(result.target, Unknown)
        if not result.best:
            return UNUSABLE
        told = label_command(result.judge, folder, rubric, lab="report", choose=bounds)
        if told:
            return told
    if isinstance(result.target, Unknown):
        return f"state targets.quality.at_least in the case file, {again}"
    if result.reached == "too_few_cases":
        if result.judge is not None:
            return f"let people label more, with a larger --labels, {again}"
        if isinstance(result.cases_needed, Unknown):
            return f"tuneworthy decide {folder} (no number of cases would tell)"
        return f"tuneworthy evalset {folder} --n {round(result.cases_needed)}, {again}"
    return f"tuneworthy decide {folder}"


# Whether tuning worked, for a terminal.

_SAYS = {
    ("improved", "task"): "improved: the whole interval lies above the margin, and general "
    "skills held",
    ("regressed", "task"): "regressed: the tuned model is worse at the task",
    ("regressed", "general"): "regressed: general skills fell by more than their margin",
    ("no_gain", "task"): "no gain: the whole interval lies below the margin",
    ("too_few_cases", "interval"): "too few cases: the interval holds the margin",
    ("too_few_cases", "general"): "better at the task; whether general skills held is open",
    ("too_few_cases", "stopped"): "not judged: it was cut short",
    ("unknown", "unanswered"): "not judged: too many calls got no answer",
    ("unknown", "labels"): "unknown: a judge's word counts only with people's labels",
    ("unknown", "choice"): "unknown: better than the untuned arm that a judge chose on its word "
    "alone; another untuned one may be better",
}


def verify_dict(result: VerifyResult) -> str:
    """The result as JSON."""
    return json_text({"schema": "tuneworthy/verify/1", **result.model_dump(mode="json")})


def verify_page(
    result: VerifyResult, *, folder: str = ".", rubric: str = "", colour: bool = False
) -> str:
    """The answer, both comparisons, and the plan they were made by.

    Args:
        result: What was found.
        folder: How the user named the case.
        rubric: How the user named a judge's rubric.
        colour: Whether the terminal takes colour.
    """
    paint, plan = Paint(colour), result.plan
    said = _SAYS.get((result.outcome, result.why), result.outcome.replace("_", " "))
    lines = [paint("strong", line) for line in wrapped(f"{said[:1].upper()}{said[1:]}.")]
    lines.append("")
    none = "not run" if result.judge is None else "unknown"
    lines += labelled("Tuned", f"{share_text(result.tuned, none)}: {safe(plan.tuned)}")
    lines += labelled("Untuned", f"{share_text(result.untuned, none)}: {safe(plan.untuned)}")
    margin = f"margin {share(plan.margin)}"
    lines += labelled("Difference", f"{difference_text(result.contrast)}; {margin}")
    lines += labelled(
        "In general",
        f"{difference_text(result.general)} on {count(plan.general)} "
        f"general tasks; may fall by {share(plan.general_margin)}",
    )
    needed = result.contrast.cases_needed
    if result.why == "interval" and not isinstance(needed, Unknown):
        lines += labelled(
            "Needed", f"about {count(needed)} cases would tell that difference from none"
        )
    lines += labelled(
        "Plan",
        f"written down on {plan.written_on}, before {count(plan.cases)} "
        "untouched cases were run; all of them count",
    )
    lines += spent(result.spend)
    lines += stopped(result.stopped)
    if result.judge is not None:
        lines += ["", *judge_block(result.judge, paint)]
        told = label_command(
            result.judge, safe(folder), rubric, lab="verify", choose=result.why == "choice"
        )
        lines += ["", *wrapped(told, first="Next: ")] if told and not result.stopped else []
    return "\n".join(lines) + "\n"
