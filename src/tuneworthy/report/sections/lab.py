"""What labs show: the ceiling, a quote, a run in progress, proposals, a judge, a verification."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence

from tuneworthy.model.base import Unknown, json_text
from tuneworthy.model.case import PublishedFigure
from tuneworthy.model.dossier import Dossier
from tuneworthy.model.lab import (
    Arm,
    ArmResult,
    CeilingResult,
    Contrast,
    Failures,
    Gain,
    JudgedArm,
    JudgeOf,
    JudgePlan,
    Proposing,
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
    Document,
    Fact,
    Facts,
    Fold,
    Part,
    Picture,
    Prose,
    Section,
    Table,
    head,
)
from tuneworthy.report.sections.evalset import coefficient_text
from tuneworthy.verdict.headline import ACTION_WORDS, OUTCOME_WORDS
from tuneworthy.words import (
    LIMITS,
    count,
    counted,
    cut,
    few,
    figure_says,
    figure_text,
    listing,
    number,
    plain,
    quality,
    quality_interval,
    sentence,
    several,
    share,
    signed,
    small_usd,
)

Rows = list[tuple[str, str]]
"""Labels, each with its value."""

_MOST_ARMS = 50
_MOST_QUOTED = 12

CORRECT = (
    "correct that, or take the arm out of the case, and run it again, with --ask-again where calls "
    "are in doubt; nothing else is paid twice"
)
"""What to do about an arm that got too few answers."""

_AGAIN = "then run it again: nothing is paid twice"


def facts(rows: Sequence[tuple[str, str]]) -> Facts:
    """Labelled rows as facts."""
    return Facts(tuple(Fact(label, value) for label, value in rows))


def share_text(value: ShareOf | Unknown, unknown: str = "not run") -> str:
    """A share with its interval: ``0.81 (0.77–0.85)``."""
    if isinstance(value, Unknown):
        return unknown
    return quality_interval(value.value, value.low, value.high)


def difference_text(contrast: Contrast) -> str:
    """A difference with its interval: ``+0.12 (+0.03 to +0.21)``."""
    if isinstance(contrast.difference, Unknown):
        return f"unknown: {contrast.difference.ask}"
    low, high = signed(contrast.low), signed(contrast.high)
    return f"{signed(contrast.difference)} ({low} to {high})"


def _spent(spend: Spend, saved: int = 0, stopped: str = "") -> Rows:
    """What all calls of a lab have cost so far, and why it ended early where it did."""
    parts = [
        f"{small_usd(spend.paid)} of {small_usd(spend.cap)} so far, for "
        f"{counted(spend.calls, 'call')}"
    ]
    if spend.failed:
        parts.append(f"{count(spend.failed)} more failed, unpaid")
    if spend.in_doubt:
        parts.append(f"{count(spend.in_doubt)} in doubt hold {small_usd(spend.held)} more")
    if saved:
        parts.append(f"the race saved {counted(saved, 'call')}")
    why = [("Stopped", f"{stopped}. What was paid for is kept: run it again to go on")]
    return [("Spent", "; ".join(parts)), *(why if stopped else [])]


# A judge: who it is, how far people agree with it, and what they still have to label.

ALONE = "by the judge's word alone"

UNUSABLE = "nothing the judge said could be used: try another --judge-model"
"""Where every answer of the judge is unreadable, refused or in doubt."""


def judge_text(plan: JudgePlan, own: int) -> str:
    """Who judges, and whether it judges its own work."""
    text = f"{plan.model} by {plan.file}; its word alone reports nothing"
    if own:
        text += f". It wrote the outputs of {several(own, 'arm')} itself, and may favour them"
    return text


def _judge_section(judge: JudgeOf | None) -> list[Section]:
    """The judge compared with people, arm by arm; none where rules scored."""
    if judge is None:
        return []
    items = [_judged_arm(one) for one in judge.arms if one.part == "report" or one.labels]
    if judge.own:
        items.append(f"It wrote the outputs of {several(len(judge.own), 'arm')} itself.")
    return [
        Section(
            "lab-judge",
            "The judge (the model that grades) against people",
            (Bullets(tuple(items)),),
        )
    ]


def _judged_arm(one: JudgedArm) -> str:
    """An arm: what the judge says alone, by how much it is off, and how far people agree."""
    word = "not run" if isinstance(one.judge, Unknown) else quality(one.judge)
    part = "" if one.part == "report" else ", on the cases for selecting"
    text = f"{one.arm}{part}: {word} {ALONE}; "
    if isinstance(one.bias, Unknown):
        return f"{text}none of {count(one.missing)} outputs is labelled"
    bias = f"{signed(one.bias.value)} ({signed(one.bias.low)} to {signed(one.bias.high)})"
    text += f"that is {bias} off on {count(one.labels)} labelled outputs, "
    text += f"kappa {coefficient_text(one.kappa)}"
    return text + (f"; {count(one.missing)} to label" if one.missing else "")


def _open_text(judge: JudgeOf | None, best: str) -> str:
    """What keeps a lab with a judge from an answer; empty where nothing does."""
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


def _label_command(
    judge: JudgeOf, folder: str, rubric: str, *, lab: str, choose: bool = True
) -> str:
    """The command that labels what is missing; empty where nothing is.

    ``choose``: whether labels of every arm on the cases for selecting would tell more.
    """
    missing = judge.missing("report")
    what = lab if missing else "choose"
    if not missing and choose:
        missing = judge.missing("select")
    if not missing:
        return ""
    file = shlex.quote(rubric or judge.plan.file)
    command = f"tuneworthy evalset label {folder} --rubric {file} --for {what}"
    return f"label {several(missing, 'output')}, not knowing whose: {command}, {_AGAIN}"


# A ceiling lab.

BEST_OF_MANY = "The best of many looks too good here: only cases that chose nothing count."
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


def ceiling_dict(result: CeilingResult, dossier: Dossier) -> str:
    """The result as JSON, with the verdict of the case as it is now."""
    record = result.model_dump(mode="json")
    verdict = {"outcome": dossier.verdict.outcome, "action": dossier.verdict.action}
    return json_text({"schema": "tuneworthy/ceiling/1", **record, "verdict": verdict})


def ceiling_document(
    result: CeilingResult, dossier: Dossier, before: Dossier, *, folder: str, rubric: str = ""
) -> Document:
    """What a ceiling lab shows; ``folder`` and ``rubric`` as the user named them."""
    spent = facts(_spent(result.spend, result.calls_saved, result.stopped))
    return Document(
        "",
        "What the ceiling lab shows",
        (*ceiling_sections(result, dossier, before), Section("lab-spent", "", (spent,))),
        after=(f"Next: {_next(result, folder, rubric)}",),
    )


def ceiling_sections(
    result: CeilingResult, dossier: Dossier, before: Dossier
) -> tuple[Section, ...]:
    """What to quote, what it means for the case, the leaderboard, proposals, and failures."""
    report = f"On {count(result.report)} cases that chose nothing (held-out)"
    blocks: list[Block] = [facts(ceiling_rows(result))]
    if (curve := _curve_picture(result)) is not None:
        blocks.append(curve)
    sections = [
        Section("lab-result", report, tuple(blocks)),
        Section("lab-checks", "What it says about the case", _checks(result, dossier, before)),
        Section("lab-arms", _board_title(result), tuple(_board(result))),
    ]
    if not isinstance(result.proposing, Unknown):
        rows = _proposed(result.proposing, result.plateau)
        title = (
            f"Proposed by {result.proposing.model}, from {result.proposing.parent} and "
            f"{counted(result.proposing.shown, 'case')} shown to it"
        )
        sections.append(Section("lab-proposals", title, (facts(rows),)))
    sections += _judge_section(result.judge)
    if result.failures:
        failures: list[Block] = [Prose(_failures_text(result.failures))]
        failures += map(_failure, result.failures)
        sections.append(Section("lab-failures", "Where the best prompt fails", tuple(failures)))
    return tuple(sections)


def ended(result: CeilingResult) -> Facts:
    """What it has cost, why it ended early where it did, and what comes next."""
    spent = _spent(result.spend, result.calls_saved, result.stopped)
    return facts([*spent, ("Next", sentence(_next(result)))])


def _board_title(result: CeilingResult) -> str:
    by = f", {ALONE}" if result.judge else ""
    return f"Arms (a prompt with a model), on the {count(result.select)} cases for selecting{by}"


def board_row(one: ArmResult) -> tuple[str, str, str, str]:
    """The arm with its missing answers, quality with its interval, cost, and latency."""
    cost = "" if isinstance(one.usd_per_case, Unknown) else small_usd(one.usd_per_case)
    p95 = one.latency_p95_s
    time = "" if isinstance(p95, Unknown) else f"{number(round(p95, 2))} s"
    notes = []
    if one.dropped_after is not None:
        notes.append(f"left behind after {count(one.dropped_after)}")
    words = ("without an answer", "in doubt", "not judged")
    counts = zip((one.failed, one.in_doubt, one.unjudged), words, strict=True)
    notes += [f"{count(n)} {what}" for n, what in counts if n]
    beside = f" ({', '.join(notes)})" if notes else ""
    unknown = "not judged" if one.failed or one.in_doubt else "not run"
    return f"{one.arm.id}{beside}", share_text(one.quality, unknown), cost, time


def board_note(result: CeilingResult) -> str:
    """How to read the leaderboard, and that a baseline is ahead where it is."""
    first = next(iter(result.arms), None)
    if first is None or first.arm.kind != "baseline" or isinstance(first.quality, Unknown):
        return BEST_OF_MANY
    return f"{BEST_OF_MANY} Ahead here is {first.arm.id}, which calls no model."


def _published_row(one: PublishedFigure) -> tuple[str, str, str, str]:
    """A published figure under the arms: it is none of them."""
    return f"{one.model} (published, {one.dated}, not measured here)", figure_text(one), "", ""


def _board(result: CeilingResult) -> Iterator[Block]:
    yield Prose(board_note(result))
    rows = [board_row(one) for one in result.arms[:_MOST_ARMS]]
    rows += [_published_row(one) for one in result.published[:_MOST_ARMS]]
    columns = head("Arm", "#Quality", "#USD a case", "#p95")
    table = Table(_board_title(result), columns, tuple(rows), quiet=True)
    target = _known(result.target)
    drawing = charts.board(result.arms, target)
    if drawing is None:
        yield table
    else:
        key = [("pro", "stayed in the race"), ("open", "left behind, on fewer cases")]
        if target is not None:
            key.append(("con", f"target {quality(target)} (dashed)"))
        says = "The share of cases that is right, with its 95% interval."
        yield Picture("lab-board", "Arms side by side", says, drawing, table, tuple(key), "open")
    if (more := len(result.arms) - _MOST_ARMS) > 0:
        yield Prose(f"and {few(more)} more", "small")


def ceiling_rows(result: CeilingResult) -> Rows:
    """The chosen arm, what it is compared with, the ceiling, and how far was searched."""
    judge = result.judge
    rows = [("Best prompt", _best(result))]
    if judge is not None and judge.chosen_by != "nobody":
        rows.append(("Chosen", _chosen(judge)))
    rows += [("Against", _contrast(one)) for one in result.contrasts]
    rows.append(("Ceiling", _ceiling(result)))
    rows += [
        ("Published", f"{figure_says(o)} ({o.source}). {LIMITS}") for o in result.published[:1]
    ]
    prompts = f"{several(result.prompts, 'prompt')} that differ{'s' * (result.prompts == 1)}"
    tried = f"{prompts}, {several(result.models, 'model')}: {count(result.effort)} pairs"
    rows.append(("Searched", tried))
    if len(result.curve) > 1 and judge is None:
        rows.append(("Best so far", _curve_text(result)))
    return rows


def _best(result: CeilingResult) -> str:
    if not isinstance(result.reported, Unknown):
        best = f"{share_text(result.reported)} by {result.scorer}: {result.best}"
        return best + _wholly_right(result, result.reported)
    if result.judge is not None and result.best:
        return f"unknown until people label: {result.best}"
    return f"not run; ahead so far: {result.best or 'none'}"


def _wholly_right(result: CeilingResult, reported: ShareOf) -> str:
    """How many cases are wholly right, where the score counts parts of one; else nothing."""
    if not result.failures:
        return ""
    of = result.failures[0].of
    right = of - sum(one.n for one in result.failures)
    if abs(right / of - reported.value) < _SAME:
        return ""
    return f"; wholly right in {count(right)} of {count(of)}, as a part of a case counts too"


def _chosen(judge: JudgeOf) -> str:
    """Whose word chose the arms."""
    if judge.chosen_by == "people":
        return "by people's labels on the cases for selecting"
    return f"{ALONE}: it may have chosen badly; labels with --for choose would tell"


def lacks_answers(result: CeilingResult) -> bool:
    """Whether a prompt arm isn't judged because too few of its calls were answered."""
    return any(
        one.arm.kind == "prompt" and isinstance(one.quality, Unknown) and one.failed + one.in_doubt
        for one in result.arms
    )


def _why_stopped(result: CeilingResult) -> str:
    return "too many calls got no answer" if lacks_answers(result) else "it was cut short"


def _known(value: float | Unknown) -> float | None:
    return None if isinstance(value, Unknown) else value


def _ceiling(result: CeilingResult) -> str:
    if result.stopped:
        return f"not judged: {_why_stopped(result)}"
    if isinstance(result.target, Unknown):
        return f"not judged: {result.target.ask}"
    upper = "" if isinstance(result.upper, Unknown) else f", upper bound {quality(result.upper)}"
    ends = f" (target {quality(result.target)}{upper})"
    reached = _REACHED.get(result.reached) or _open_text(result.judge, result.best)
    if result.reached == "too_few_cases" and not isinstance(result.cases_needed, Unknown):
        ends += f"; about {count(result.cases_needed)} in all would tell"
    return (reached or "not judged: no prompt was scored") + ends


def _steps(result: CeilingResult) -> list[tuple[int, float]]:
    """Where the best got better: arms tried, and the best then."""
    steps: list[tuple[int, float]] = []
    for point in result.curve:
        if not steps or point.best > steps[-1][1]:
            steps.append((point.arms, point.best))
    return steps


def _curve_text(result: CeilingResult) -> str:
    """The ceiling curve: where the best got better, and for how long it hasn't since."""
    steps = _steps(result)
    text = ", ".join(f"{quality(value)} after {count(arms)}" for arms, value in steps[-6:])
    since = result.curve[-1].arms - steps[-1][0]
    return f"{text}; no better in the {few(since)} since" if since else f"{text} arms"


def _curve_picture(result: CeilingResult) -> Picture | None:
    target, upper = _known(result.target), _known(result.upper)
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
    table = Table(title, head("#Arms tried", "#Best so far"), rows)
    return Picture("lab-curve", title, says, drawing, table, tuple(key), "elsewhere")


def _contrast(one: Contrast) -> str:
    if isinstance(one.difference, Unknown):
        return f"{one.second}: {difference_text(one)}"
    if one.told_apart == "yes":
        return f"{one.second}: {difference_text(one)}, distinguished"
    needed = ""
    if not isinstance(one.cases_needed, Unknown):
        needed = f"; about {count(one.cases_needed)} cases to report on would tell"
    return f"{one.second}: {difference_text(one)}, can't be distinguished{needed}"


def _failure(kind: Failures) -> Part:
    """Wrong answers of one kind: whether tuning could change them, with two examples."""
    title = f"{plain(kind.signal)}: {count(kind.n)} of {count(kind.of)}; {_MENDS[kind.mends]}"
    return Part(title, (Bullets(kind.examples[:2]),))


def _failures_text(kinds: Sequence[Failures]) -> str:
    """How many of the wrong answers tuning could change."""
    could, cannot, unknown = (
        sum(one.n for one in kinds if one.mends == way) for way in ("yes", "no", "unknown")
    )
    return (
        f"Tuning could change {count(could)} of {count(could + cannot + unknown)}, and can't "
        f"change {count(cannot)}; {count(unknown)} don't tell by the answer alone"
    )


def _verdict(dossier: Dossier) -> str:
    """The outcome; for a candidate also the action, which its gates decide."""
    outcome = OUTCOME_WORDS[dossier.verdict.outcome]
    if dossier.verdict.outcome != "fine_tune_candidate":
        return outcome
    return f"{outcome} ({ACTION_WORDS[dossier.verdict.action]})"


def answered_rows(result: CeilingResult, dossier: Dossier, before: Dossier) -> Rows:
    """Which checks the run has answered, and the verdict before and now; none if it stopped."""
    if result.stopped:
        return []
    checks = dossier.ceiling.checks
    shown = [checks[name].title for name, state in result.checks.items() if state == "yes"]
    unknown = [check.title for check in checks.values() if check.state == "unknown"]
    text = f"shown: {listing(shown) or 'none'}"
    text += f"; still open: {listing(unknown)}" if unknown else ""
    was, now = _verdict(before), _verdict(dossier)
    verdict = f"{now}, as before" if was == now else f"{was} before, {now} now"
    return [("Checks", text), ("Verdict", verdict)]


def _checks(result: CeilingResult, dossier: Dossier, before: Dossier) -> tuple[Block, ...]:
    answered = answered_rows(result, dossier, before)
    if not answered:
        return (Prose(f"Nothing: {_why_stopped(result)}, and part of an answer is none."),)
    rows = tuple(
        (check.title, "yes" if result.checks.get(name) == "yes" else "unknown", check.state)
        for name, check in dossier.ceiling.checks.items()
    )
    columns = head("Check", "Shown by this lab", "In the case")
    title = f"The {few(len(rows))} checks of the ceiling test"
    return (facts(answered), Table(title, columns, rows, detail=True))


def _next(result: CeilingResult, folder: str | None = None, rubric: str = "") -> str:
    """What to do next: a command where a folder is known, else an instruction for the page."""
    if result.stopped:
        return CORRECT if lacks_answers(result) else _go_on(folder)
    if result.judge is not None and (labels := _labels_first(result, result.judge, folder, rubric)):
        return labels
    if isinstance(result.target, Unknown):
        return f"state targets.quality.at_least in the case file, {_AGAIN}"
    if result.reached == "too_few_cases" and (more := _more_cases(result, folder)):
        return more
    return "the verdict above has it" if folder is None else f"tuneworthy decide {folder}"


def _go_on(folder: str | None) -> str:
    if folder is None:
        return "start it again to go on; raise the cap where that was in the way"
    return f"tuneworthy ceiling {folder}, with a larger --budget where that was in the way"


def _labels_first(result: CeilingResult, judge: JudgeOf, folder: str | None, rubric: str) -> str:
    if not result.best:
        return UNUSABLE
    bounds = result.reached == "unknown" and not isinstance(result.target, Unknown)
    return _label_command(judge, folder or ".", rubric, lab="report", choose=bounds)


def _more_cases(result: CeilingResult, folder: str | None) -> str:
    if result.judge is not None:
        return f"let people label more, with a larger --labels, {_AGAIN}"
    if isinstance(result.cases_needed, Unknown):
        return (
            "" if folder is None else f"tuneworthy decide {folder} (no number of cases would tell)"
        )
    n = round(result.cases_needed)
    make = f"make {n} cases in all" if folder is None else f"tuneworthy evalset {folder} --n {n}"
    return f"{make}, {_AGAIN}"


# What a lab would do and cost, before anything is sent.


def quote_dict(
    arms: Sequence[Arm],
    select: int,
    report: int,
    quote: Quote,
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
            **quote.model_dump(mode="json"),
            **({"proposing": dict(proposing)} if proposing else {}),
            **({"general": general} if general else {}),
            **({"judge": judge.model_dump(mode="json")} if judge else {}),
        }
    )


def quote_blocks(
    arms: Sequence[Arm], select: int, report: int, quote: Quote, *, more: Sequence[tuple[str, str]]
) -> tuple[Block, ...]:
    """The plan and its price: cases, calls, price, models without one, further rows, the arms."""
    likely, most = small_usd(quote.usd_likely), small_usd(quote.usd_most)
    rows = [
        ("Cases", f"{count(select)} to select on, {count(report)} to report on"),
        ("Calls", f"at most {count(quote.calls)}; {count(quote.reused)} answers are there already"),
        ("Price", "nothing" if quote.usd_most == 0 else f"about {likely}, {most} at most"),
    ]
    if quote.unpriced:
        state = "state usd_per_mtok under models; 0 is a price. Until then nothing is sent"
        rows.append(("No price", f"{listing(quote.unpriced)}: {state}"))
    names = tuple(f"{arm.id} ({arm.kind})" for arm in arms[:_MOST_QUOTED])
    if (rest := len(arms) - _MOST_QUOTED) > 0:
        names += (f"and {few(rest)} more",)
    title = several(len(arms), "arm").capitalize()
    return facts([*rows, *more]), Fold(title, (Bullets(names),))


def quote_document(
    arms: Sequence[Arm],
    select: int,
    report: int,
    quote: Quote,
    *,
    cap_usd: float | None,
    published: Sequence[str] = (),
    more: Sequence[tuple[str, str]] = (),
) -> Document:
    """The plan and its price; ``published``: models with figures, which are not called."""
    rows = list(more)
    if cap_usd is not None:
        rows.append(("Budget", _budget(cap_usd, quote)))
    blocks = list(quote_blocks(arms, select, report, quote, more=rows))
    if published:
        names = listing(published[:_MOST_QUOTED])
        blocks.append(Prose(f"Shown beside them as published, and not called: {names}"))
    return Document(
        "", "What the lab would do and cost (a quote)", (Section("quote", "", tuple(blocks)),)
    )


def general_row(tasks: int) -> tuple[str, str]:
    """The general tasks of a verification."""
    return "In general", f"{count(tasks)} general tasks for each of the two models"


def proposals_row(draws: int, model: str, shown: int) -> tuple[str, str]:
    """What a generator will be called for, for a quote."""
    text = f"{counted(draws, 'draw')} of a generator, written by {model}, from "
    text += f"{counted(shown, 'more case')} that nothing is selected or reported on; "
    return "Proposals", f"{text}each text that isn't known yet counts as long as it may be"


def _budget(cap_usd: float, quote: Quote) -> str:
    if quote.usd_most <= 0:
        return f"{small_usd(cap_usd)} is enough"
    if cap_usd <= 0:
        return f"none: give one, as --budget {max(0.01, round(quote.usd_most + 0.005, 2)):.2f}"
    return f"{small_usd(cap_usd)}: nothing is sent that could pass it"


# A lab while it runs.

STATES = {
    "running": "The lab is running.",
    "stopping": "The lab is stopping: nothing more is sent, and what is on the wire is waited for.",
    "done": "The lab has run to its end.",
    "stopped": "The lab was stopped. What was paid for is kept: start it again to go on.",
    "failed": "The lab could not go on. What was paid for is kept.",
}
"""The state of a run in a sentence."""


def left_s(stand: Stand, passed_s: float) -> float | None:
    """Seconds to go at the pace so far, if no more arms are dropped; None before the first call."""
    return passed_s * (stand.of - stand.done) / stand.done if stand.done else None


def duration(seconds: float) -> str:
    """A time in the unit that fits: ``40 s``, ``3 min``, ``2 h``."""
    for limit, unit, length in ((100, "s", 1), (100 * 60, "min", 60)):
        if seconds < limit:
            return f"{count(round(seconds / length))} {unit}"
    return f"{count(round(seconds / 3600))} h"


def progress_blocks(stand: Stand, passed_s: float) -> tuple[Block, ...]:
    """How far a lab is, which arm is ahead, what it has cost, and its leaderboard."""
    done = share(stand.done / stand.of) if stand.of else "nothing to ask"
    ahead = f"{share_text(stand.quality)} {stand.arm}" if stand.arm else "nobody yet"
    left = left_s(stand, passed_s)
    to_go = "" if left is None else f", about {duration(left)} to go"
    rows = [
        ("Answered", f"{count(stand.done)} of at most {counted(stand.of, 'call')} ({done})"),
        ("Ahead", ahead),
        ("In the race", counted(stand.running, "arm")),
        *_spent(stand.spend),
        ("Time", f"{duration(passed_s)} so far{to_go}"),
    ]
    board = tuple(
        (one.arm, share_text(one.quality), "in the race" if one.running else "left behind")
        for one in stand.board[:_MOST_ARMS]
    )
    if not board:
        return facts(rows), Prose("The leaderboard comes with the first round.", "small")
    columns = head("Arm", "#Quality", "State")
    return facts(rows), Table("Arms so far, on the cases for selecting", columns, board)


# Prompts that a generator proposed.

_LONGEST_PROMPT = 240
"""Characters of a proposed prompt that are shown; its file has the rest."""


def _proposed(proposing: Proposing, plateau: Gain | Unknown) -> Rows:
    """Each prompt with its score and text, draws without one, and what one more would add."""
    scores = {
        draw.prompt: "not scored"
        if isinstance(draw.value, Unknown)
        else quality_interval(draw.value, draw.low, draw.high)
        for draw in proposing.draws
    }
    rows = [
        (one.name, f"{scores[one.name]}: {cut(one.text, _LONGEST_PROMPT)} ({one.file})")
        for one in proposing.prompts
    ]
    names, draws = {one.name for one in proposing.prompts}, len(proposing.draws)
    if none := sum(draw.prompt not in names for draw in proposing.draws):
        rows.append(("No better", f"in {count(none)} of {counted(draws, 'draw')}"))
    if unusable := sum(draw.unusable for draw in proposing.draws):
        texts = counted(sum(draw.asked for draw in proposing.draws), "written text")
        rows.append(("Unusable", f"{count(unusable)} of {texts}"))
    if short := sum(not draw.whole for draw in proposing.draws):
        rows.append(("Cut short", f"{counted(short, 'draw')}, for want of an answer"))
    return [*rows, ("One more", _plateau(plateau))]


def _plateau(gain: Gain | Unknown) -> str:
    """What one more draw would add."""
    if isinstance(gain, Unknown):
        return f"nobody can say what it would add: {gain.ask}"
    ends = f"{gain.value:+.3f} ({quality(gain.low)} to {gain.high:+.3f})"
    return f"would add {ends} to the best of {counted(gain.draws, 'draw')} on average"


# Whether tuning worked.

_OUTCOMES = {
    ("improved", "task"): "improved: the whole interval lies above the margin, and general "
    "skills held",
    ("regressed", "task"): "regressed: the tuned model is worse at the task",
    ("regressed", "general"): "regressed: general skills fell by more than their margin",
    ("no_gain", "task"): "no gain: the whole interval lies below the margin",
    ("too_few_cases", "interval"): "too few cases: the interval includes the margin",
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


def verify_document(result: VerifyResult, *, folder: str = ".", rubric: str = "") -> Document:
    """The answer, both comparisons, and the plan they were made by."""
    plan, contrast = result.plan, result.contrast
    outcome = _OUTCOMES.get((result.outcome, result.why), plain(result.outcome))
    none = "not run" if result.judge is None else "unknown"
    rows = [
        ("Tuned", f"{share_text(result.tuned, none)}: {plan.tuned}"),
        ("Untuned", f"{share_text(result.untuned, none)}: {plan.untuned}"),
        ("Difference", f"{difference_text(contrast)}; margin {share(plan.margin)}"),
        (
            "In general",
            f"{difference_text(result.general)} on {count(plan.general)} general tasks; may fall "
            f"by {share(plan.general_margin)}",
        ),
    ]
    if result.why == "interval" and not isinstance(contrast.cases_needed, Unknown):
        needed = count(contrast.cases_needed)
        rows.append(("Needed", f"about {needed} cases would tell that difference from none"))
    held_out = f"{count(plan.cases)} held-out cases were run; all of them count"
    rows.append(("Plan", f"written down on {plan.written_on}, before {held_out}"))
    rows += _spent(result.spend, stopped=result.stopped)
    after: tuple[str, ...] = ()
    if result.judge is not None and not result.stopped:
        choose = result.why == "choice"
        label = _label_command(result.judge, folder, rubric, lab="verify", choose=choose)
        after = (f"Next: {label}",) if label else ()
    sections = (Section("verify", "", (facts(rows),)), *_judge_section(result.judge))
    return Document("", sentence(outcome), sections, after=after)
