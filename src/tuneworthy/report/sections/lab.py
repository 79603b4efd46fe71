"""Results of labs: ceiling, quote, progress, proposals, judge, verification, retrieval, pilot."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from tuneworthy.answers.facts import TARGETS
from tuneworthy.errors import argument
from tuneworthy.llm.endpoints import STATE_PRICE
from tuneworthy.model.base import Record, Unknown, json_text
from tuneworthy.model.dossier import Dossier
from tuneworthy.model.evidence import PilotCard
from tuneworthy.model.framework import TargetId
from tuneworthy.model.lab import (
    Arm,
    ArmResult,
    CeilingResult,
    Contrast,
    Headroom,
    JudgedArm,
    JudgeOf,
    JudgePlan,
    PromptSearch,
    Proposing,
    Quote,
    RetrievalResult,
    RewardSignal,
    RoutedWay,
    RubricGain,
    ShareOf,
    Spend,
    Stand,
    StopKind,
    VerifyPlan,
    VerifyResult,
)
from tuneworthy.model.pilot import LearningCurve, PilotPlan, PilotResult, TrainingQuote
from tuneworthy.model.ways import HeldTarget
from tuneworthy.money.worth import cases_note, cases_worth
from tuneworthy.report import blocks as b
from tuneworthy.report import charts
from tuneworthy.report.named import named
from tuneworthy.report.sections.common import Rows, captioned, moved
from tuneworthy.report.sections.evalset import coefficient_text
from tuneworthy.verdict.headline import ANSWER_WORDS
from tuneworthy.words import (
    capital,
    count,
    counted,
    cut,
    day,
    few,
    listing,
    number,
    plain,
    points,
    quality,
    quality_interval,
    sentence,
    several,
    share,
    signed,
    small_usd,
    usd,
)

_MEASURED = "#Quality | #No answer | #USD a case | #p95"
_MOST_ARMS = 50
_MOST_QUOTED = 12

CORRECT = (
    "correct that, or take the arm out of the case. Then run it again, with --ask-again if calls "
    "are in doubt. Nothing else is paid twice"
)
"""The fix for an arm that got too few answers."""

LOOK_AT_WORDS = (
    "check whether the model wrote this or a proxy in front of it. After the fix, another "
    "--max-tokens asks again. Or take the arm out of the case"
)
"""The fix for an arm that gave one wrong answer to every case."""

UNWRAP = (
    "ask for the bare answer in the prompt, or take a scorer that reads what is around it. Or take "
    "the arm out of the case"
)
"""The fix for an arm whose answers are wrapped in text that hides them from the scorer."""

WHAT_TO_DO = {"unanswered": CORRECT, "same_words": LOOK_AT_WORDS, "wrapped": UNWRAP}
"""The fix for each reason why an arm isn't measured."""

_AGAIN = "then run it again: nothing is paid twice"


def lab_dict(name: str, result: Record) -> str:
    """The result of a lab, as JSON."""
    return json_text(
        {"schema": f"tuneworthy/{name}/1", **result.model_dump(mode="json")}
    )


def text_or_unknown(
    value: float | Unknown, words: Callable[[float], str], unknown: str = ""
) -> str:
    """A number in words, or the text for an unknown one."""
    return unknown if isinstance(value, Unknown) else words(value)


def _seconds(value: float) -> str:
    return f"{number(round(value, 2))} s"


def share_text(value: ShareOf | Unknown, unknown: str = "not run") -> str:
    """A share with its interval: ``0.81 (0.77–0.85)``."""
    if isinstance(value, Unknown):
        return unknown
    return quality_interval(value.value, value.low, value.high)


def difference_text(contrast: Contrast) -> str:
    """A difference with its interval: ``+0.12 (+0.03 to +0.21)``."""
    if isinstance(contrast.difference, Unknown):
        return f"unknown: {contrast.difference.ask}"
    return _signed(contrast.difference, contrast.low, contrast.high)


def _signed(value: float, low: float, high: float) -> str:
    return f"{signed(value)} ({signed(low)} to {signed(high)})"


def spent_rows(spend: Spend, saved: int = 0, stopped: str = "") -> Rows:
    """Rows with the cost of all calls of a lab so far, and the reason if it stopped early."""
    paid = small_usd(spend.paid)
    calls = counted(spend.calls, "call")
    text = f"{paid} of {small_usd(spend.cap)} so far, for {calls}"
    if spend.failed:
        text += f". {count(spend.failed)} more failed"
    if spend.in_doubt:
        text += f". {count(spend.in_doubt)} in doubt may have cost {small_usd(spend.held)} more"
    if spend.miscounted:
        answers = counted(spend.miscounted, "answer")
        text += f". {answers} came with an impossible count of tokens: each counts at its most"
    if spend.brought:
        text += f". {counted(spend.brought, 'answer')} came with the folder, not checked here"
    if spend.paid > spend.cap:
        text += ". If your bill says less, correct it: --billed USD"
    if saved:
        text += f". The race saved {counted(saved, 'call')}"
    if spend.hosts:
        text += f". Calls went to {listing(spend.hosts)}"
    yield "Spent", text
    if stopped:
        yield "Stopped", f"{stopped}. Paid answers are kept: run it again to continue"


def _cut_off_text(spend: Spend | None, stopped_by: StopKind) -> str:
    """Say that a killed run left calls in doubt, which the lab waits for; empty without any."""
    if spend is None or stopped_by != "unanswered" or not spend.cut_off:
        return ""
    calls = counted(spend.cut_off, "call")
    were = "was" if spend.cut_off == 1 else "were"
    return f"{calls} {were} in flight when a run was killed. Nobody knows whether they were paid"


def _ask_again_text(spend: Spend, command: str) -> str:
    """Say how to send calls in doubt again, and its cost at most; ``command`` is empty on the page."""
    twice = f"at most {small_usd(spend.held)} is paid twice"
    if not command:
        return f"start it again with calls in doubt asked again: {twice}"
    return f"{command} --budget {spend.cap:.15g} --ask-again ({twice})"


ALONE = "by the judge's word alone"

UNUSABLE = "nothing the judge said could be used: try another --judge-model"
"""The advice where every answer of the grader is unreadable, refused or in doubt."""


def judge_text(plan: JudgePlan, named: str, own: int) -> str:
    text = f"{named} by {plan.file}. Its word alone reports nothing"
    if own:
        text += f". It wrote the outputs of {several(own, 'arm')} itself, and may favour them"
    return text


def _judge_section(judge: JudgeOf | None) -> Iterator[b.Section]:
    if judge is not None:
        items = [
            _judged_arm(arm) for arm in judge.arms if arm.part == "report" or arm.labels
        ]
        if judge.own:
            items.append(
                f"It wrote the outputs of {several(len(judge.own), 'arm')} itself."
            )
        title = "The judge (the model that grades) against people"
        yield b.section("lab-judge", title, b.bullets(items))


def _judged_arm(judged: JudgedArm) -> str:
    """An arm: the grader's score alone, its bias, and the agreement of people."""
    part = "" if judged.part == "report" else ", on the cases for selecting"
    text = f"{judged.arm}{part}: {text_or_unknown(judged.judge, quality, 'not run')} {ALONE}, "
    if isinstance(judged.bias, Unknown):
        return f"{text}no output of {count(judged.missing)} is labelled"
    bias = _signed(judged.bias.value, judged.bias.low, judged.bias.high)
    text += f"that is {bias} off on {count(judged.labels)} labelled outputs, "
    text += f"kappa {coefficient_text(judged.kappa)}"
    if judged.missing:
        text += f". {count(judged.missing)} are left to label"
    return text


def _open_text(judge: JudgeOf | None, best: str) -> str:
    """Say which labels a lab with a judge still lacks for an answer; empty where it lacks none."""
    if judge is None:
        return ""
    if not best:
        return f"unknown: {UNUSABLE}"
    held_out = judge.missing("report")
    if held_out:
        return f"unknown: people have to label {several(held_out, 'output')} more"
    selection = judge.missing("select")
    if selection:
        return (
            f"unknown: only the grader has scored the other arms. People have to label "
            f"{several(selection, 'output')} to bound them"
        )
    return ""


def _label_command(
    judge: JudgeOf, folder: str, rubric: str, lab: str, *, choose: bool
) -> str:
    """The command to label missing outputs, or "" for none; ``choose`` adds those for selecting."""
    missing = judge.missing("report")
    what = lab if missing else "choose"
    if choose:
        missing = missing or judge.missing("select")
    file = argument(rubric or judge.plan.file)
    command = f"tuneworthy evalset export {folder} --labeller NAME --rubric {file} --for {what}"
    text = f"label {several(missing, 'output')}, not knowing whose: {command}, {_AGAIN}"
    return text if missing else ""


BEST_OF_MANY = "The best of many looks too good here: only held-out cases count."
_SAME = 1e-9  # a rounding error apart
_REACHED = named("reached")
_MENDS = named("mends")


def ceiling_dict(result: CeilingResult, dossier: Dossier) -> str:
    record = result.model_dump(mode="json")
    verdict = {
        name: getattr(dossier.verdict, name) for name in ("outcome", "answer", "rule")
    }
    return json_text({"schema": "tuneworthy/ceiling/1", **record, "verdict": verdict})


def ceiling_document(
    result: CeilingResult,
    dossier: Dossier,
    before: Dossier,
    *,
    folder: str,
    rubric: str = "",
) -> b.Document:
    """The document of a ceiling lab; ``folder`` and ``rubric`` are as the user wrote them."""
    sections = ceiling_sections(result, dossier, before)
    rows = spent_rows(result.spend, result.calls_saved, result.stopped)
    spent = [sentence(f"{label}: {text}") for label, text in rows]
    now = f"Now: {_next(result, dossier, argument(folder), rubric)}"
    note = cases_note(dossier.investment)
    after = [note] if note else []
    answer = ceiling_answer(result)
    return b.Document("", answer, sections, byline=spent, after=after, lead=now)


def ceiling_answer(result: CeilingResult) -> str:
    """Say in a sentence which arm a ceiling lab found best, and whether it meets the target."""
    if isinstance(result.reported, Unknown):
        why = _cut_off_text(result.spend, result.stopped_by) or _best(result)
        return sentence(f"no result yet: {why}")
    held = f"{share_text(result.reported)} on {count(result.report)} held-out cases"
    best = f"{result.best} is the best prompt: {held}"
    baselines = list(_baselines_ahead(result))
    if baselines:
        best = f"{baselines[0]}. The best prompt: {held}"
    if isinstance(result.target, Unknown):
        return f"{best}."
    wanted = quality(result.target)
    if result.reported.low >= result.target:
        return f"{best}. It meets the target of {wanted}."
    if result.reported.high < result.target:
        return f"{best}. It misses the target of {wanted}."
    return f"{best}. Too few cases tell whether it meets the target of {wanted}."


def ceiling_sections(
    result: CeilingResult, dossier: Dossier, before: Dossier
) -> tuple[b.Section, ...]:
    """The sections of a ceiling lab: result, arms, checks, proposals, judge, parts, and failures."""
    by = f", {ALONE}" if result.judge else ""
    board = f"Arms (a prompt with a model), on the {count(result.select)} cases for selecting{by}"
    of = f"On {count(result.report)} held-out cases"
    checks = _checks(result, dossier, before)
    sections = [
        b.section("lab-result", of, b.facts(ceiling_rows(result))),
        b.section("lab-arms", board, _board(result, board), board_note(result)),
        b.section("lab-checks", "What it says about the case", checks),
    ]
    made = result.proposing
    if not isinstance(made, Unknown):
        shown = counted(made.shown, "case")
        title = f"Searched with {made.model}, from {listing(made.parents)} on {shown} of its own"
        sections.append(
            b.section("lab-proposals", title, b.facts(_proposed(made, result)))
        )
    sections += _judge_section(result.judge)
    if result.reward is not None:
        title = "What reinforcement tuning would learn from, on held-out cases"
        sections.append(
            b.section("lab-reward", title, b.facts(reward_rows(result.reward)))
        )
    if result.parts:
        title = "The best prompt, part by part, on held-out cases"
        shares = ((row.part, share_text(row), count(row.n)) for row in result.parts)
        table = b.table(title, "Field or class | #Right | #Cases", shares, quiet=True)
        sections.append(b.section("lab-parts", title, table))
    if result.failures:
        sections.append(
            b.section("lab-failures", "Where the best prompt fails", _failures(result))
        )
    return tuple(sections)


_REWARD = {
    "signal": "there is one: its tries differ, so better ones can be preferred",
    "none": (
        "none: next to no case has tries that differ. Tune on examples first, or set a "
        "temperature in the prompt's front matter"
    ),
    "nothing_to_gain": "nothing to gain: nearly every try is right",
    "unclear": "too few cases tell: add some, or more --repeats",
}


def reward_rows(reward: RewardSignal) -> Iterator[tuple[str, str]]:
    """The entry test of reinforcement tuning: whether scores vary enough to learn from."""
    tries = f"in {count(reward.repeats)} tries"
    gap = reward.headroom
    yield "Signal", _REWARD[reward.state]
    yield "Now right, now wrong", f"{share_text(reward.mixed)} of cases, {tries}"
    yield "Never right", share_text(reward.never)
    yield "Always right", share_text(reward.always)
    yield "Headroom", quality_interval(gap.value, gap.low, gap.high)


def ended(result: CeilingResult, dossier: Dossier) -> b.Facts:
    """The cost of a lab and the next step; ``dossier`` is the case as it is now."""
    spent = spent_rows(result.spend, result.calls_saved, result.stopped)
    return b.facts([*spent, ("Next", sentence(_next(result, dossier)))])


def board_row(row: ArmResult) -> tuple[str, ...]:
    """The arm, its quality with its interval, cases without an answer, cost, and latency."""
    notes = []
    if row.dropped_after is not None:
        notes.append(f"left behind after {count(row.dropped_after)}")
    if isinstance(row.quality, Unknown) and "(it takes no " in row.quality.ask:
        # the ask says in brackets which parameter the model takes none of, then what to do
        _, _, about = row.quality.ask.partition("(it ")
        refusal, _, _ = about.partition(":")
        notes.append(refusal)
    if not isinstance(row.thinking, Unknown):
        notes.append(f"{share(row.thinking)} of its output is thinking")
    if row.aloud:
        notes.append("thinks in the open")
    if row.unjudged:
        notes.append(f"{count(row.unjudged)} not judged")
    beside = f" ({', '.join(notes)})" if notes else ""
    missing = "" if row.arm.kind == "baseline" else count(row.failed + row.in_doubt)
    score = share_text(row.quality, "not measured" if _was_asked(row) else "not run")
    cost = text_or_unknown(row.usd_per_case, small_usd)
    time = text_or_unknown(row.latency_p95_s, _seconds)
    return f"{row.arm.id}{beside}", score, missing, cost, time


def _was_asked(row: ArmResult) -> bool:
    """Whether any call of an arm was made, with or without an answer."""
    return bool(row.failed + row.in_doubt) or not isinstance(row.latency_p95_s, Unknown)


def board_note(result: CeilingResult) -> str:
    """How to read the leaderboard, with a warning if a baseline leads."""
    note = BEST_OF_MANY
    if not isinstance(result.tied, Unknown):
        note += f" {_order_text(result.tied)}"
    if not result.arms:
        return note
    first = result.arms[0]
    if first.arm.kind != "baseline" or isinstance(first.quality, Unknown):
        return note
    return f"{note} Ahead here is {first.arm.id}, which calls no model."


def _order_text(tied: Sequence[str]) -> str:
    """Say whether the best prompt leads clearly; ``tied`` are arms that may be as good."""
    if not tied:
        return (
            "The first place is decided: the best prompt is clear of every other here."
        )
    which = listing(tied)
    if len(tied) > _MOST_TIED:
        named_arms = ", ".join(tied[:_MOST_TIED])
        which = f"{named_arms} and {few(len(tied) - _MOST_TIED)} more"
    return (
        f"The order is not decisive: {which} can't be distinguished from the best "
        "prompt."
    )


_MOST_TIED = 3  #: Arms that are named as no worse than the best prompt.


def _board(result: CeilingResult, title: str) -> Iterator[b.Parts]:
    """The arms, the best first."""
    rows = [board_row(arm) for arm in result.arms[:_MOST_ARMS]]
    table = b.table(title, f"Arm | {_MEASURED}", rows, quiet=True)
    target = None if isinstance(result.target, Unknown) else result.target
    board = charts.board(result.arms, target)
    some = ""
    if len(result.arms) > charts.MOST_ROWS:
        some = f" The first {few(charts.MOST_ROWS)} of {few(len(result.arms))} arms."
    says = f"{{says}} On the cases for selecting.{some}"
    yield captioned(board, table, id="lab-board", table_is="open", says=says) or table
    more = len(result.arms) - _MOST_ARMS
    if more > 0:
        yield b.Prose(f"and {few(more)} more", "small")


def _tried_rows(result: CeilingResult) -> Rows:
    """How far prompts were searched, and how much was tried."""
    if result.prompts:
        yield "Grade", _grade_text(result.search)
    differ = "differs" if result.prompts == 1 else "differ"
    prompts = f"{several(result.prompts, 'prompt')} that {differ}"
    tried = f"{prompts}, {several(result.models, 'model')}: {counted(result.effort, 'pair')}"
    efforts = dict.fromkeys(row.arm.effort for row in result.arms if row.arm.effort)
    if efforts:
        tried += f", at efforts {listing(tuple(efforts))}"
    yield "Tried", tried
    if result.search.ended == "none" and result.search.why:
        yield "No search", result.search.why


def ceiling_rows(result: CeilingResult) -> Rows:
    """The chosen arm, its comparisons, the ceiling, and how far prompts were searched."""
    judge = result.judge
    for text in _baselines_ahead(result):
        yield "No model", text
    yield "Best prompt", _best(result)
    if judge is not None and judge.chosen_by == "people":
        yield "Chosen", "by people's labels on the cases for selecting"
    elif judge is not None and judge.chosen_by == "judge":
        yield (
            "Chosen",
            f"{ALONE}, so it may have chosen badly. To check: label with --for choose",
        )
    yield from (("Against", _contrast(contrast)) for contrast in result.contrasts)
    for row in result.rivals:
        cost = text_or_unknown(row.usd_per_case, small_usd)
        time = text_or_unknown(row.latency_p95_s, _seconds)
        yield (
            "Enough?",
            f"{share_text(row.quality)}: {row.arm.id}, {cost} a case, {time} at p95",
        )
    yield "Ceiling", _ceiling(result)
    yield from _tried_rows(result)
    for row in result.arms:
        if row.steps:
            costs = [
                f"{step.prompt} {small_usd(step.usd_per_case)}, {_seconds(step.latency_p95_s)}"
                for step in row.steps
            ]
            yield "Steps", f"of {row.arm.id}: {listing(costs)} at p95"
    yield from _oddities(result)
    if len(result.curve) > 1 and judge is None:
        yield "Best so far", _curve_text(result)


def _baselines_ahead(result: CeilingResult) -> Iterator[str]:
    """A sentence for each way without a model that the best prompt isn't better than."""
    free = {row.arm.id for row in result.arms if row.arm.kind == "baseline"}
    for contrast in result.contrasts:
        if contrast.second not in free or not contrast.n:
            continue
        # the difference is the best prompt's less the other's
        ahead = not isinstance(contrast.difference, Unknown) and contrast.high < 0
        if ahead or contrast.told_apart == "no":
            is_ = "is better than" if ahead else "can't be distinguished from"
            yield f"{contrast.second} {is_} the best prompt, costs nothing and is instant"


#: Models that answered in place of others, of which a line is written.
_MOST_OTHERS = 3


def _oddities(result: CeilingResult) -> Rows:
    """Rows with what models did unasked.

    They thought in the open, refused parameters, or another model answered.
    """
    aloud = sum(row.aloud for row in result.arms)
    if aloud:
        models = listing(
            tuple(dict.fromkeys(row.arm.model for row in result.arms if row.aloud))
        )
        yield (
            "Thinking",
            f"in the open, by {models}: cut from {several(aloud, 'answer')}",
        )
    yield from _answered_by_others(result.arms)
    changed = {
        row.arm.model: ", ".join(row.changed) for row in result.arms if row.changed
    }
    if changed:
        yield "Sent", "; ".join(f"{model}: {text}" for model, text in changed.items())


def _answered_by_others(rows: Iterable[ArmResult]) -> Rows:
    """Models that answered instead of those that were asked."""
    others = Counter[tuple[str, str]]()
    for row in rows:
        others.update({(row.arm.model, name): n for name, n in row.others.items()})
    for (asked, name), n in others.most_common(_MOST_OTHERS):
        yield "Answered", f"{several(n, 'answer')} of {asked} came from {name}"


def _best(result: CeilingResult) -> str:
    """The best prompt with its share right, and its whole answers where the score counts parts.

    For an unfinished lab, the arm that leads so far.
    """
    if isinstance(result.reported, Unknown):
        if result.judge is not None and result.best:
            return f"unknown until people label: {result.best}"
        return f"not run. Ahead so far: {result.best or 'none'}"
    best = f"{share_text(result.reported)} by {result.scorer}: {result.best}"
    if not result.failures:
        return best
    of = result.failures[0].of
    right = of - sum(failure.n for failure in result.failures)
    if abs(right / of - result.reported.value) < _SAME:
        return best
    return f"{best}. Every part is right in {count(right)} of {count(of)} cases"


def lacks_answers(result: CeilingResult) -> bool:
    """Whether a prompt arm isn't judged because too few of its calls have an answer."""
    return any(
        row.arm.kind == "prompt"
        and isinstance(row.quality, Unknown)
        and row.failed + row.in_doubt
        for row in result.arms
    )


def _same_words(result: CeilingResult) -> bool:
    """Whether a prompt arm isn't judged because it gave one answer to every case."""
    return any(
        row.arm.kind == "prompt"
        and isinstance(row.quality, Unknown)
        and _was_asked(row)
        for row in result.arms
    )


def _why_stopped(result: CeilingResult) -> str:
    """The reason why a ceiling lab stopped, in words."""
    if result.stopped_by == "user":
        return result.stopped
    if lacks_answers(result):
        return "too many calls got no answer"
    if result.stopped_by == "unanswered" and _same_words(result):
        return result.stopped
    return "it was cut short"


def _ceiling(result: CeilingResult) -> str:
    """The ceiling that a lab found, in one line."""
    if result.stopped:
        return f"not judged: {_why_stopped(result)}"
    if isinstance(result.target, Unknown):
        return f"not judged: {result.target.ask}"
    upper = text_or_unknown(result.upper, lambda at: f", upper bound {quality(at)}")
    ends = f" (target {quality(result.target)}{upper})"
    reached = _REACHED.get(result.reached) or _open_text(result.judge, result.best)
    needed = result.cases_needed
    if result.reached == "too_few_cases" and result.judge is None:
        ask = needed.ask if isinstance(needed, Unknown) else ""
        ends += f"; {text_or_unknown(needed, lambda n: f'about {count(n)} are needed', ask)}"
    return (reached or "not judged: no prompt was scored") + ends


def _grade_text(search: PromptSearch) -> str:
    """Say how the ceiling is known: how far better prompts were searched for."""
    drawn = counted(search.draws, "draw")
    if search.ended == "plateau":
        return (
            f"searched: after {drawn} another adds less than {quality(search.margin)}"
        )
    tried = named("ceiling_grade")["tried"]
    if search.ended == "short":
        margin = f" another may still add {quality(search.margin)} or more"
        return f"{tried} to the end: after {drawn}{margin}"
    if search.ended == "stopped":
        return f"{tried} to the end: the search was cut short"
    return tried


def _curve_text(result: CeilingResult) -> str:
    """The ceiling curve: when the best score rose, and how many arms came since."""
    reached_after: dict[float, int] = {}  # arms that it took to get to each best value
    for point in result.curve:
        reached_after.setdefault(point.best, point.arms)
    values = sorted(reached_after)
    text = ", ".join(
        f"{quality(value)} after {count(reached_after[value])}" for value in values[-6:]
    )
    since = result.curve[-1].arms - reached_after[values[-1]]
    if since:
        return f"{text}, and no better in the {few(since)} since"
    return f"{text} arms"


def _contrast(contrast: Contrast) -> str:
    text = f"{contrast.second}: {difference_text(contrast)}"
    if isinstance(contrast.difference, Unknown):
        return text
    if contrast.told_apart == "yes":
        return f"{text}, a clear difference (95%)"
    if isinstance(contrast.cases_needed, Unknown):
        return f"{text}, can't be distinguished: {contrast.cases_needed.ask}"
    needed = count(contrast.cases_needed)
    return f"{text}, can't be distinguished. About {needed} held-out cases are needed"


def _failures(result: CeilingResult) -> Iterator[b.Parts]:
    """How many wrong answers tuning could change, and each kind of them with two examples."""
    kinds = result.failures
    tuned = result.tuned
    if tuned is not None:
        lost = ""
        if tuned.broken:
            lost = f", and gets {several(tuned.broken, 'case')} wrong that the prompt has right"
        yield (
            f"{tuned.arm} (tuned) is right on {count(tuned.fixed)} of the {count(tuned.of)} cases "
            f"that the best prompt gets wrong{lost}."
        )
    counts = Counter[str]()
    for kind in kinds:
        counts[kind.mends] += kind.n
    could = counts["yes"]
    cannot = counts["no"]
    if could + cannot:
        yield (
            f"By their form, tuning could change {count(could)} of "
            f"{count(counts.total())}, and can't change {count(cannot)}."
        )
    elif tuned is None:
        yield (
            "The answers alone don't show what tuning would change. Add a tuned model to this lab, "
            "or run a pilot."
        )
    for kind in kinds:
        title = f"{plain(kind.signal)}: {count(kind.n)} of {count(kind.of)}; {_MENDS[kind.mends]}"
        yield b.part(title, b.bullets(kind.examples[:2]))


def answered_rows(result: CeilingResult, dossier: Dossier, before: Dossier) -> Rows:
    """The checks that the run answered, and the verdict before and now; none if it stopped."""
    if result.stopped:
        return
    checks = dossier.ceiling.checks
    shown = [
        checks[name].title for name, state in result.checks.items() if state == "yes"
    ]
    unknown = [check.title for check in checks.values() if check.state == "unknown"]
    still = f". Still open: {listing(unknown)}" if unknown else ""
    yield "Checks", f"shown: {listing(shown) or 'none'}{still}"
    was = ANSWER_WORDS[before.verdict.answer]
    now = ANSWER_WORDS[dossier.verdict.answer]
    yield "Answer", moved(was, now)


def _checks(result: CeilingResult, dossier: Dossier, before: Dossier) -> b.Parts:
    """The checks of the ceiling test that a lab has shown."""
    if result.stopped:
        return f"No conclusion: {_why_stopped(result)}. Run it again to finish."
    rows = [
        (
            check.title,
            "yes" if result.checks.get(name) == "yes" else "unknown",
            check.state,
        )
        for name, check in dossier.ceiling.checks.items()
    ]
    title = f"The {few(len(rows))} checks of the ceiling test"
    titles = "Check | Shown by this lab"
    table = b.table(title, f"{titles} | In the case", rows, detail=True)
    return b.facts(answered_rows(result, dossier, before)), table


def _next(
    result: CeilingResult, dossier: Dossier, folder: str | None = None, rubric: str = ""
) -> str:
    """The next step: a command where the folder is known, an instruction for the page otherwise."""
    judge = result.judge
    target = result.target
    needed = result.cases_needed
    if result.stopped:
        return _next_of_stopped(result, folder)
    if judge is not None and not result.best:
        return UNUSABLE
    if judge is not None:
        choose = result.reached == "unknown" and not isinstance(target, Unknown)
        where = folder or "."
        label = _label_command(judge, where, rubric, "report", choose=choose)
        if label:
            return label
    if isinstance(target, Unknown):
        return f"state targets.quality.at_least in the case file, {_AGAIN}"
    worth = cases_worth(dossier.investment)
    enough = worth is not None and not worth.usd
    final = judge is None and (isinstance(needed, Unknown) or enough)
    if result.reached != "too_few_cases" or final:
        if folder is None:
            return "added to the evidence, and the verdict is updated"
        return f"tuneworthy decide {folder}"
    if judge is not None or isinstance(needed, Unknown):
        return f"let people label more, with a larger --labels, {_AGAIN}"
    more = count(needed - result.select - result.report)
    return f"add {more} labelled cases to the evaluation set, {_AGAIN}"


def _next_of_stopped(result: CeilingResult, folder: str | None) -> str:
    """How to continue a lab that ended early."""
    command = "" if folder is None else f"tuneworthy ceiling {folder}"
    if _cut_off_text(result.spend, result.stopped_by):
        return _ask_again_text(result.spend, command)
    if result.stopped_by != "user" and lacks_answers(result):
        return CORRECT
    unanswered = result.stopped_by == "unanswered"
    if (
        unanswered
        and result.judge is not None
        and any(row.unjudged for row in result.arms)
    ):
        return UNUSABLE
    if unanswered and _same_words(result):
        if any(row.wrapped for row in result.arms):
            return UNWRAP
        return LOOK_AT_WORDS
    if command:
        return _again(result, command)
    if result.stopped_by == "cap":
        return "raise the cap, and start it again to continue"
    return "start it again to go on"


def _again(result: CeilingResult | RetrievalResult, command: str) -> str:
    """How to continue a run that ended early. If its cap ended it, ask the price of the rest first."""
    if result.stopped_by == "cap":
        return f"see what the rest costs: {command} --dry-run"
    cap = result.spend.cap if result.spend else 0
    if not cap:
        return command
    return f"{command} --budget {cap:.15g}"


def quote_dict(
    arms: Sequence[Arm],
    select: int,
    report: int,
    quote: Quote,
    proposing: Mapping[str, object] | None = None,
    general: int = 0,
    judge: JudgePlan | None = None,
    hosts: Sequence[str] = (),
    proxies: Sequence[str] = (),
    unconfirmed: Sequence[str] = (),
) -> str:
    """The plan and its price as JSON, with the arms that are known before a search.

    ``hosts`` are those other than the vendors' own, ``unconfirmed`` names the hosts that nobody
    confirmed, and calls go through ``proxies``.
    """
    judged = judge and judge.model_dump(mode="json")
    more = {
        "proposing": proposing,
        "general": general,
        "judge": judged,
        "hosts": hosts,
        "proxies": proxies,
        "unconfirmed": unconfirmed,
    }
    plan: dict[str, object] = {
        "schema": "tuneworthy/quote/1",
        "arms": [arm.model_dump(mode="json") for arm in arms],
        "select": select,
        "report": report,
    }
    plan.update(quote.model_dump(mode="json"))
    plan.update({name: value for name, value in more.items() if value})
    return json_text(plan)


def quote_blocks(
    arms: Sequence[Arm],
    select: int,
    report: int,
    quote: Quote,
    *,
    more: Iterable[tuple[str, str]],
) -> tuple[b.Block, ...]:
    """The plan and its price: cases, calls, price, further rows, and the arms."""
    price = "nothing"
    if quote.usd_most > 0:
        price = (
            f"about {small_usd(quote.usd_likely)}, {small_usd(quote.usd_most)} at most"
        )
    if quote.unpriced:
        beside = f". Everything else: {price}" if quote.usd_most > 0 else ""
        price = f"not known for {listing(quote.unpriced)}, so nothing is sent: {STATE_PRICE}{beside}"
    rows = [
        ("Cases", f"{count(select)} selection cases, {count(report)} held-out cases"),
        (
            "Calls",
            f"at most {count(quote.calls)}, {counted(quote.reused, 'answer')} kept from before",
        ),
        ("Price", price),
    ]
    names = [f"{arm.id} ({arm.kind})" for arm in arms[:_MOST_QUOTED]]
    rest = len(arms) - _MOST_QUOTED
    if rest > 0:
        names.append(f"and {few(rest)} more")
    title = several(len(arms), "arm").capitalize()
    folds = [b.fold(title, b.bullets(names))] if arms else []
    return b.facts([*rows, *more]), *folds


def quote_document(
    arms: Sequence[Arm],
    select: int,
    report: int,
    quote: Quote,
    *,
    cap_usd: float | None,
    more: Sequence[tuple[str, str]] = (),
) -> b.Document:
    """The plan of a lab and its price."""
    rows = list(more)
    if cap_usd is not None and not quote.unpriced:  # else no budget is enough
        rows.append(("Budget", _budget(cap_usd, quote)))
    section = b.section(
        "quote", "", quote_blocks(arms, select, report, quote, more=rows)
    )
    return b.Document("", "What the lab would do and cost (a quote)", [section])


def general_row(tasks: int) -> tuple[str, str]:
    return "In general", f"{count(tasks)} general tasks for each of the two models"


def proposals_row(draws: int, model: str, shown: int) -> tuple[str, str]:
    text = (
        f"for better prompts, at most {counted(draws, 'draw')}, written by {model}, on "
    )
    text += f"{counted(shown, 'more case')} used for nothing else"
    return "Search", f"{text}. It has a cap of its own (--search-budget)"


def _budget(cap_usd: float, quote: Quote) -> str:
    """The budget in words, with the amount that would be enough."""
    if quote.usd_most <= 0:
        return f"{small_usd(cap_usd)} is enough"
    enough = max(0.01, math.ceil(100 * (quote.usd_spent + quote.usd_most)) / 100)
    if cap_usd <= 0:
        if quote.usd_spent:
            before = f", {small_usd(quote.usd_spent)} of it is spent"
        else:
            before = ""
        return f"none: give one, as --budget {enough:.2f}{before}"
    more = f". For all of it: --budget {enough:.2f}" if enough > cap_usd else ""
    return f"{small_usd(cap_usd)}: nothing is sent that could pass it{more}"


STATES = named("states")
"""The state of a run in a sentence."""


def left_s(stand: Stand, passed_s: float) -> float | None:
    """Seconds to go at the pace so far, if no further arm is dropped; None before 1% is done."""
    if not stand.done or stand.done < stand.of / 100:
        return None
    return passed_s * (stand.of - stand.done) / stand.done


def duration(seconds: float) -> str:
    """A time in the unit that fits: ``40 s``, ``3 min``, ``2 h``."""
    for limit, unit, length in ((100, "s", 1), (100 * 60, "min", 60)):
        if seconds < limit:
            return f"{count(round(seconds / length))} {unit}"
    return f"{count(round(seconds / 3600))} h"


def progress_blocks(stand: Stand, passed_s: float) -> tuple[b.Block, ...]:
    """The state of a running lab, and the arms so far."""
    done = share(stand.done / stand.of) if stand.of else "nothing to ask"
    left = left_s(stand, passed_s)
    to_go = "" if left is None else f", about {duration(left)} to go"
    rows = [("Waiting", stand.waiting)] if stand.waiting else []
    answered = f"{count(stand.done)} of at most {counted(stand.of, 'call')} ({done})"
    rows.append(("Answered", answered))
    ahead = f"{share_text(stand.quality)} {stand.arm}" if stand.arm else "–"
    rows.append(("Ahead", ahead))
    rows.append(("In the race", counted(stand.running, "arm")))
    rows += spent_rows(stand.spend)
    rows.append(("Time", f"{duration(passed_s)} so far{to_go}"))
    if not stand.board:
        says = "The leaderboard comes with the first round."
        return b.facts(rows), b.Prose(says, "small")
    board = []
    for row in stand.board[:_MOST_ARMS]:
        state = "in the race" if row.running else "left behind"
        board.append((row.arm, share_text(row.quality), state))
    title = "Arms so far, on the cases for selecting"
    return b.facts(rows), b.table(title, "Arm | #Quality | State", board)


#: Characters of a proposed prompt that are shown; its file has the rest.
_LONGEST_PROMPT = 240


def _proposed(proposing: Proposing, result: CeilingResult) -> Rows:
    """Each prompt with its length and text, the results of draws, and the gain from another one."""
    draws = proposing.draws
    many = counted(len(draws), "draw")
    rows = {row.arm.prompt: row for row in result.arms if row.arm.kind == "prompt"}
    for prompt in proposing.prompts:
        row = rows.get(prompt.name)
        size = f"{count(len(prompt.text))} characters"
        if row is not None and not isinstance(row.usd_per_case, Unknown):
            size += f", {small_usd(row.usd_per_case)} a case"
        text = cut(prompt.text, _LONGEST_PROMPT)
        yield prompt.name, f"{size}: {text} ({prompt.file})"
    if not isinstance(result.headroom, Unknown):
        yield "Foretold", headroom_text(result.headroom)
    if result.gained is not None:
        says = difference_text(result.gained)
        yield "Gained", f"{says} on held-out cases, against {result.gained.second}"
    if result.rubric is not None:
        yield "Rubric", rubric_text(result.rubric)
    started = {draw.parent for draw in draws}
    none = sum(not draw.arm or draw.arm in started for draw in draws)
    yield (
        "Draws",
        f"{many} in {several(result.search.rounds, 'round')}, {count(none)} without a finalist",
    )
    unusable = sum(draw.unusable for draw in draws)
    if unusable:
        texts = counted(sum(draw.asked for draw in draws), "written text")
        yield "Unusable", f"{count(unusable)} of {texts}"
    short = sum(not draw.whole for draw in draws)
    if short:
        yield "Cut short", f"{counted(short, 'draw')}, for want of an answer"
    yield "Search", _search_text(result)
    if not isinstance(result.plateau, Unknown):
        plateau = result.plateau
        ends = f"{plateau.value:+.3f} ({quality(plateau.low)} to {plateau.high:+.3f})"
        yield (
            "One more",
            f"would add {ends} to the best of {several(plateau.draws, 'draw')}",
        )


def rubric_text(rubric: RubricGain) -> str:
    """The gain of a search by the judge's word, and the part won by breaking the rubric."""
    judged = rubric.judged
    if isinstance(judged, Unknown):
        return f"not known: {judged.ask}"
    gain = f"{_signed(judged.value, judged.low, judged.high)} {ALONE}"
    broken = rubric.broken
    if isinstance(broken, Unknown):
        return f"{gain}. How much of it people don't see is not known: {broken.ask}"
    ends = _signed(broken.value, broken.low, broken.high)
    if broken.low > 0:
        return f"{gain}, {ends} of it won by breaking the rubric: people don't see it"
    return f"{gain}, none of it beyond chance by breaking the rubric: {ends}"


def headroom_text(headroom: Headroom) -> str:
    """Say how much a search may gain, and whether that is worth its price."""
    ends = (
        f"{signed(headroom.value)} ({signed(headroom.low)} to {signed(headroom.high)})"
    )
    advice = "search" if headroom.advice == "search" else "a search is hardly worth it"
    rescued = f"{count(headroom.rescued)} of {count(headroom.n)} cases come right asked another way"
    return f"{ends} by {count(headroom.calls)} calls, as {rescued}: {advice}"


def headroom_document(
    headroom: Headroom | Unknown, spend: Spend, *, folder: str
) -> b.Document:
    """The document about how much a search may gain, with the command to run next."""
    if isinstance(headroom, Unknown):
        says = sentence(f"nobody can say what a search may gain: {headroom.ask}")
        return b.Document(
            "", says, [b.section("headroom", "", b.facts(spent_rows(spend)))]
        )
    search = headroom.advice == "search"
    gain = (
        f"{signed(headroom.value)} ({signed(headroom.low)} to {signed(headroom.high)})"
    )
    says = (
        f"A search may gain {gain}: {'search' if search else 'it is hardly worth it'}."
    )
    best = f"{share(headroom.best)} of {count(headroom.n)} cases of the search"
    other = f"{count(headroom.rescued)} come right asked another way"
    if headroom.form:
        other += f", {count(headroom.form)} of them in another form"
    rows = [
        ("Best prompt", f"right on {best}"),
        ("Wrong cases", other),
        *spent_rows(spend),
    ]
    command = f"tuneworthy ceiling {argument(folder)}" + (
        "" if search else " --propose 0"
    )
    return b.Document(
        "", says, [b.section("headroom", "", b.facts(rows))], lead=f"Now: {command}"
    )


def headroom_dict(headroom: Headroom | Unknown, spend: Spend) -> str:
    record = {
        "headroom": headroom.model_dump(mode="json"),
        "spend": spend.model_dump(mode="json"),
    }
    return json_text({"schema": "tuneworthy/headroom/1", **record})


def _search_text(result: CeilingResult) -> str:
    """How a search ended, and the next step if it ended before its plateau."""
    search = result.search
    paid = f", for {small_usd(search.usd)}" if search.usd else ""
    if search.ended == "plateau":
        return f"at its plateau: the last round added less than {share(search.margin)} of cases{paid}"
    why = f": {search.why}" if search.why else ""
    capped = ""
    if search.cap_usd:
        capped = f", or give it more than {small_usd(search.cap_usd)} (--search-budget)"
    return (
        f"ended before its plateau{paid}{why}. Let it draw more: --propose 40{capped}"
    )


_OUTCOMES = named("outcomes")
_PRIVATE = named("private")


def outcome_text(result: VerifyResult) -> str:
    """Say the outcome of a comparison in one sentence."""
    says = _OUTCOMES.get(f"{result.outcome} {result.why}", plain(result.outcome))
    if result.outcome == "meets":
        met = _targets_in(result, "met")
        return f"the tuned model meets every target ({met}), and no untuned way does as well"
    if result.outcome == "not_needed":
        return f"no tuning is needed: {result.enough} already meets every target"
    if result.outcome == "misses":
        missed = _targets_in(result, "missed")
        kept = "" if missed else ": it lost what it knew before"
        return f"the tuned model misses {missed or 'what it has to keep'}{kept}"
    if result.outcome == "open" and result.may_be_enough:
        return f"open: {result.may_be_enough}"
    if result.outcome == "open":
        settles = [held.settles for held in result.targets.values() if held.settles]
        return f"open: {_targets_in(result, 'unknown')}. What would settle it: {listing(settles)}"
    if result.outcome == "no_gain":
        none = "no gain" if result.why == "task" else "no gain shown"
        gained = _most_gained(result.contrast.high)
        return f"{none}: the tuned model is {gained}. {result.plan.untuned} is kept"
    return says


def _floor_text(result: VerifyResult) -> str:
    """Why a narrow interval doesn't show that general skills held; empty where it isn't needed."""
    is_open = (result.outcome, result.why) == ("too_few_cases", "general")
    if not is_open or result.general.low < -result.plan.general_margin:
        return ""
    return ". The untuned model has too few of them right to lose any"


def _most_gained(high: float) -> str:
    """The upper end of a difference in whole points, rounded up."""
    ends = math.ceil(round(100 * high, 6)) / 100
    if ends < 0:
        return f"at least {points(-ends)} points worse"
    if ends == 0:
        return "no better"
    return f"at most {points(ends)} points better"


def _targets_in(result: VerifyResult, state: str) -> str:
    held = result.targets.items()
    return listing(
        [TARGETS[target].name for target, each in held if each.state == state]
    )


def verify_document(
    result: VerifyResult, *, folder: str = ".", rubric: str = ""
) -> b.Document:
    """The report on a comparison of a tuned model with its best untuned arm."""
    cut_off = _cut_off_text(result.spend, result.stopped_by)
    outcome = f"no result yet: {cut_off}" if cut_off else outcome_text(result)
    sections = (
        b.section("verify", "", b.facts(_verified(result))),
        *_judge_section(result.judge),
        *after_no_gain(result, argument(folder)),
    )
    now = ""
    if result.judge is not None and not result.stopped:
        choose = result.why == "choice"
        where = argument(folder)
        label = _label_command(result.judge, where, rubric, "verify", choose=choose)
        if label:
            now = f"Now: {label}"
    elif cut_off:
        command = f"tuneworthy verify {argument(folder)}"
        now = f"Now: {_ask_again_text(result.spend, command)}"
    elif not result.stopped:
        now = f"Now: tuneworthy decide {argument(folder)}"
    return b.Document("", sentence(outcome), sections, lead=now)


NO_GAIN = frozenset({"no_gain", "regressed", "misses"})
"""Outcomes after which the report lists the errors and the next steps."""


def after_no_gain(
    result: VerifyResult,
    folder: str,
    curve: LearningCurve | None = None,
    trained: str = "",
) -> Iterator[b.Section]:
    """The section after a comparison without a gain; nothing after a gain or a stopped run.

    It shows the kinds of errors, how many ways were tried, and the steps that would settle it.
    """
    if result.outcome not in NO_GAIN or result.stopped:
        return
    rows = [("Errors", text) for text in _errors(result)]
    tried = counted(result.tried, "untuned way")
    rows.append(("Tried", f"{tried} against it{trained}"))
    rows += [("To tell", text) for text in _to_tell(result, folder, curve)]
    kinds = [
        b.part(
            f"{plain(kind.signal)}: {count(kind.n)} of {count(kind.of)}",
            b.bullets(kind.examples),
        )
        for kind in result.failures
    ]
    shown = b.fold("Wrong answers of the tuned model", kinds) if kinds else ()
    yield b.section("after", "After no gain", b.facts(rows), shown)


def _errors(result: VerifyResult) -> Iterator[str]:
    """The arm with the errors, and the kinds of errors."""
    change = result.change
    if change is not None:
        both = change.of - change.fixed
        yield (
            f"of {counted(change.of, 'case')} that the untuned way answers wrong the tuned model "
            f"mends {count(change.fixed)}, and it breaks {count(change.broken)} others. "
            f"Both answer {count(both)} wrong"
        )
        if both > change.fixed + change.broken:
            yield "most errors are the same: these examples don't teach what is missing there"
    kinds = [f"{plain(kind.signal)} {count(kind.n)}" for kind in result.failures]
    if kinds:
        yield f"by form: {listing(kinds)}"


def _to_tell(
    result: VerifyResult, folder: str, curve: LearningCurve | None
) -> Iterator[str]:
    """The next things to look at, the cheapest first."""
    if result.failures:
        yield f"give forty wrong answers a cause: tuneworthy evalset failures {folder}"
    needed = result.contrast.cases_needed
    if result.why == "interval" and not isinstance(needed, Unknown):
        yield f"about {count(needed)} held-out cases are needed to distinguish the two"
    elif result.why == "interval":
        yield "more cases: no number that is worth its labels would distinguish the two"
    if curve is None or isinstance(curve.needed, Unknown):
        return
    if curve.needed.low == "never":
        yield "more examples like these: no number of them reaches the target by the curve"
    elif curve.outlook == "flat":
        yield "more examples like these: the curve is flat, so they would hardly tell"
    else:
        yield f"more examples: the target takes {needed_text(curve)}"


_FIGURES: Mapping[TargetId, tuple[Callable[[float], str], str]] = {
    "quality": (quality, "at least"),
    "latency": (lambda s: f"{s:.2g} s", "at most"),
    "cost": (usd, "at most"),
}


def held_text(target: TargetId, held: HeldTarget) -> str:
    """A way compared with a target: the state, the figure and the limit."""
    if target == "privacy":
        return _PRIVATE[held.state]
    write, bound = _FIGURES[target]
    wanted = "no worse than what is untuned is wanted"
    if not isinstance(held.limit, Unknown):
        wanted = f"{bound} {write(held.limit)} wanted"
    figure = held.figure
    if isinstance(figure, Unknown):
        return f"{held.state}: {figure.ask}; {wanted}"
    ends = ""
    low, high = figure.interval or (figure.value, figure.value)
    if low < high:
        ends = f" ({write(low)} to {write(high)})"
    return f"{held.state}: {write(figure.value)}{ends}, {wanted}"


def _cost_and_time(row: ArmResult) -> str:
    """The cost and the latency of a case with an arm, after a comma; empty where both are unknown."""
    text = ""
    if not isinstance(row.usd_per_case, Unknown):
        text += f", {small_usd(row.usd_per_case)} a case"
    if not isinstance(row.latency_p95_s, Unknown):
        text += f", {_seconds(row.latency_p95_s)} at p95"
    return text


def plan_text(plan: VerifyPlan | PilotPlan, when: str) -> str:
    """When a plan was written down; of one that came with the folder that nobody knows it here."""
    text = f"written down on {day(plan.written_on)}, {when}"
    return (
        f"{text}. It came with the folder, not checked here" if plan.brought else text
    )


def _verified(result: VerifyResult) -> Rows:
    """The rows of a comparison: both arms, their difference and the plan."""
    plan = result.plan
    contrast = result.contrast
    none = "not run" if result.judge is None else "unknown"
    general = (
        f"{difference_text(result.general)} on {count(plan.general)} general tasks"
    )
    costs = {row.arm.id: _cost_and_time(row) for row in result.sides}
    tuned = f"{share_text(result.tuned, none)}{costs.get(plan.tuned, '')}"
    yield "Tuned", f"{tuned}: {plan.tuned}"
    untuned = f"{share_text(result.untuned, none)}{costs.get(plan.untuned, '')}"
    yield "Untuned", f"{untuned}: {plan.untuned}"
    yield "Difference", f"{difference_text(contrast)}, margin {share(plan.margin)}"
    yield (
        "In general",
        f"{general}, and may fall by {share(plan.general_margin)}{_floor_text(result)}",
    )
    for target, held in result.targets.items():
        yield capital(TARGETS[target].name), held_text(target, held)
    if result.aloud:
        yield "Thinking", f"in the open: cut from {several(result.aloud, 'answer')}"
    yield from _answered_by_others(result.sides)
    needed = result.cases_needed
    if not isinstance(needed, Unknown) and needed > contrast.n:
        more = (
            f"about {count(needed)} held-out cases tell that difference from the margin"
        )
        yield "Needed", f"{more}, and {count(contrast.n)} count here"
    elif (
        isinstance(needed, Unknown)
        and result.why == "interval"
        and result.judge is None
    ):
        yield "Needed", needed.ask
    held_out = f"{count(plan.cases)} held-out cases were run. All of them count"
    when = f"before {held_out}"
    if plan.after_results:
        when = f"after results of an earlier plan were seen and {held_out}"
    yield "Plan", plan_text(plan, when)
    yield from spent_rows(result.spend, stopped=result.stopped)


# What finds the known passage, and what answers lose.

_WHY = named("why")
_OWN = (
    "the passages of the evaluation set itself. Among all your documents less is found: name them "
    "under data.documents. Until then recall is not evidence of the case"
)


def retrieval_document(result: RetrievalResult, *, folder: str) -> b.Document:
    """The document of a retrieval lab; ``folder`` is the case as the user named it."""
    title = f"On {counted(result.report, 'held-out question')}"
    board = f"Ways, on the {counted(result.select, 'question')} for selecting"
    head = f"Way | #Recall at {result.k} | #MRR | #Of all passages | #Words"
    rows = [
        (
            row.way,
            share_text(row.recall),
            share_text(row.mrr),
            quality(row.passages),
            count(row.words),
        )
        for row in result.ways
    ]
    note = (
        "The best of many looks too good here: only held-out questions count. Words are "
        f"those of {result.k} pieces: longer pieces hold more, and cost more to read."
    )
    sections = [
        b.section("retrieval", title, b.facts(_retrieval_rows(result))),
        b.section(
            "retrieval-ways", board, b.table(board, head, rows, quiet=True), note
        ),
    ]
    if not isinstance(result.answers, Unknown):
        gaps = b.facts(_gaps(result))
        sections.insert(1, b.section("retrieval-gaps", "What answers lose", gaps))
    if result.spend:
        spent = b.facts(spent_rows(result.spend, stopped=result.stopped))
        sections.append(b.section("retrieval-spent", "", spent))
    now = f"Now: {_next_of_retrieval(result, argument(folder))}"
    best = result.best
    recall = (
        f"{share_text(best.recall)} of {counted(result.report, 'held-out question')}"
    )
    finds = f"it finds a known passage among the first {result.k} pieces for {recall}"
    return b.Document("", f"Best is {best.way}: {finds}.", sections, lead=now)


def _retrieval_rows(result: RetrievalResult) -> Rows:
    """The rows of a comparison of ways to retrieve."""
    best = result.best
    yield "Best way", best.way
    first = f"a known passage among the first {counted(result.k, 'piece')}"
    yield (
        f"Recall at {result.k}",
        f"{share_text(best.recall)}: {first}, {count(best.words)} words",
    )
    yield (
        "MRR",
        f"{share_text(best.mrr)}. It finds {quality(best.passages)} of all known passages",
    )
    for contrast in result.contrasts:
        how = "" if contrast.told_apart == "yes" else "can't be distinguished: "
        how += difference_text(contrast)
        yield "Against", f"{how} less {contrast.second}{_needed(contrast)}"
    pieces = listing([f"{count(n)} {name}" for name, n in result.pieces.items()])
    where = result.source or _OWN
    yield "Searched", f"{counted(result.documents, 'document')} in {where}"
    yield "Pieces", f"{pieces}, of at most {count(result.words)} words"
    left = [f"{count(n)} {_WHY[why]}" for why, n in result.left_out.items()]
    if left:
        yield "Left out", listing(left)
    if result.other_files:
        yield "Not read", f"{counted(result.other_files, 'file')} of other kinds"


def _needed(contrast: Contrast) -> str:
    if contrast.told_apart == "yes" or isinstance(contrast.cases_needed, Unknown):
        return ""
    return f". About {count(contrast.cases_needed)} questions are needed"


def _gaps(result: RetrievalResult) -> Rows:
    """The rows on what answers lose by retrieving and by reading."""
    answers = result.answers
    assert not isinstance(answers, Unknown)  # only shown then
    yield "Answered by", answers.arm
    retrieved = share_text(answers.retrieved, "not measured")
    known = share_text(answers.known, "not measured")
    none = share_text(answers.none, "not measured")
    which = f"{retrieved} with retrieved passages, {known} with the known ones, {none} with none"
    yield "Quality", which
    contrasts = {"Retrieval gap": answers.retrieval_gap, "Retrieval adds": answers.gain}
    for name, contrast in contrasts.items():
        gained = difference_text(contrast)
        measured = not isinstance(contrast.difference, Unknown)
        if measured and contrast.told_apart == "no":
            gained += ", can't be distinguished from zero"
        yield name, gained
    gap = answers.synthesis_gap
    if isinstance(gap, Unknown):
        yield "Synthesis gap", f"unknown: {gap.ask}"
    else:
        yield (
            "Synthesis gap",
            f"{share_text(gap)}: wrong although the known passages were there",
        )


def _next_of_retrieval(result: RetrievalResult, folder: str) -> str:
    if result.spend and _cut_off_text(result.spend, result.stopped_by):
        command = f"tuneworthy retrieve {folder} --answers"
        return _ask_again_text(result.spend, command)
    if result.stopped:
        return _again(result, f"tuneworthy retrieve {folder} --answers")
    if isinstance(result.answers, Unknown):
        return f"if a prompt shows contexts: tuneworthy retrieve {folder} --answers --dry-run"
    if isinstance(result.answers.synthesis_gap, Unknown):
        return CORRECT
    return f"tuneworthy decide {folder}"


# What a pilot would take, and its go/no-go card.

ANSWERS = named("card_answers")
_OUTLOOKS = named("outlooks")


def pilot_document(result: PilotResult, name: str = "", folder: str = "") -> b.Document:
    """The card first, then the ways, the curve and the cost."""
    now = ""
    if folder and result.stopped:
        now = f"Now: tuneworthy pilot {argument(folder)} --resume"
    elif folder:
        now = f"Now: tuneworthy decide {argument(folder)}"
    card = result.card
    quality_target = result.verify.targets.get("quality")
    limit: float | Unknown = Unknown(ask="")
    if quality_target is not None:
        limit = quality_target.limit
    where = argument(folder or "CASE")
    trained = f"; {_trained(result)}"
    sections = (
        card_section(card),
        b.section("ways", "The ways on the held-out cases", _pilot_arms(result)),
        b.section(
            "curve", "What more examples would bring", curve_blocks(result.curve, limit)
        ),
        *after_no_gain(result.verify, where, result.curve, trained),
        b.section("pilot", "The pilot", b.facts(_pilot_rows(result))),
    )
    key = [
        ("Because", card.because),
        ("Curve", outlook_text(result.curve)),
        ("Signs", card.signs),
    ]
    if card.unsearched:
        key.insert(1, ("Cheaper check", sentence(card.unsearched)))
    facts = b.facts(key, "key")
    headline = sentence(_card_headline(card))
    return b.Document(name, headline, sections, facts=facts, lead=now)


def _pilot_arms(result: PilotResult) -> b.Table:
    rows = []
    for arm in result.arms:
        # the race left some behind, but all of them met the held-out cases
        in_race = arm.model_copy(update={"dropped_after": None})
        rows.append(board_row(in_race))
    title = "Every way on the same cases"
    return b.table(title, f"Way | {_MEASURED}", rows, quiet=True)


def _card_headline(card: PilotCard) -> str:
    """The answer of a card, with the number of targets in each state."""
    states = Counter[str](row.state for row in card.rows)
    order = ("met", "missed", "unknown")
    counts = [f"{few(states[state])} {state}" for state in order if states[state]]
    targets = few(len(card.rows))
    return f"{ANSWERS[card.answer]}: of {targets} targets, {listing(counts)}"


def card_section(card: PilotCard, *before: str) -> b.Section:
    """The card: each target with its state and grounds, below the sentences of ``before``."""
    cells = "{title} | {state} | {says:sentence} | {rests_on:sentence}"
    titles = "Target | ?State | Found | Rests on"
    table = b.records("The card", titles, cells, card.rows, quiet=True)
    return b.section("card", "Go or no-go", *before, table)


def card_text(card: PilotCard) -> str:
    return f"{ANSWERS[card.answer]}, by the pilot of {day(card.on)}: {card.because}"


def curve_blocks(curve: LearningCurve, target: float | Unknown) -> tuple[b.Block, ...]:
    """Each size with its interval, as a picture and a table, and the examples the target needs."""
    rows = (
        (
            count(p.examples),
            quality_interval(p.value, p.low, p.high),
            "by the curve" if p.ahead else "trained",
        )
        for p in curve.points
    )
    title = "Quality by number of examples, on the cases for selecting"
    says = [("Outlook", outlook_text(curve))]
    if not isinstance(curve.gain, Unknown):
        low, high = map(signed, curve.gain)
        says.append(("One more doubling", f"adds {low} to {high}"))
    says.append(("For the target", needed_text(curve)))
    sizes = b.table(title, "#Examples | #Quality | How", rows)
    wanted = None if isinstance(target, Unknown) else target
    drawn = captioned(
        charts.learning(curve.points, wanted), sizes, title=outlook_title(curve)
    )
    return drawn or sizes, b.facts(says)


def curve_drawing(result: PilotResult) -> charts.Drawing | None:
    """The learning curve of the judged way with the target; None for a single size."""
    held = result.verify.targets.get("quality")
    limit = None if held is None or isinstance(held.limit, Unknown) else held.limit
    return charts.learning(result.curve.points, limit)


def outlook_title(curve: LearningCurve) -> str:
    """The finding that the picture of the learning curve shows, as its title."""
    return capital(outlook_text(curve))


def outlook_text(curve: LearningCurve) -> str:
    """The outlook of the curve; unknown where no size got any case right."""
    right = any(point.value for point in curve.points if not point.ahead)
    if right or curve.outlook == "unknown":
        return _OUTLOOKS[curve.outlook]
    return _OUTLOOKS["nothing"]


def needed_text(curve: LearningCurve) -> str:
    """The number of examples that would reach the target, as an interval."""
    needed = curve.needed
    if isinstance(needed, Unknown):
        return needed.ask
    if needed.high == needed.low == "never":
        return "never by this curve: no number of such examples reaches it"
    if needed.low in ("more", "never"):
        return f"more than {count(needed.limit)} examples, if any number does"
    low = float(needed.low)
    if needed.high in ("more", "never"):
        return f"{counted(low, 'example')} or more, and it may take more than {count(needed.limit)}"
    return f"{count(low)} to {count(float(needed.high))} examples"


def _trained(result: PilotResult) -> str:
    """The numbers of examples that were actually trained on."""
    sizes = [count(point.examples) for point in result.curve.points if not point.ahead]
    return (
        f"tuned on {listing(sizes)} examples, {counted(result.plan.seeds, 'seed')} each"
    )


def _sizes(plan: PilotPlan) -> str:
    return f"{listing([count(n) for n in plan.sizes])} examples, {counted(plan.seeds, 'seed')}"


def routed_text(routed: RoutedWay) -> str:
    """A head that answers where it is sure, a model for the rest, and the gain of both together."""
    cost = text_or_unknown(
        routed.usd_per_case, lambda usd: f", {small_usd(usd)} a case"
    )
    return (
        f"{share_text(routed.quality)}{cost}: {routed.head} answers from a chance of "
        f"{quality(routed.sure_from)} on, and {routed.model} the other {share(routed.to_model)}"
    )


def _pilot_rows(result: PilotResult) -> Rows:
    """The rows of a pilot's result."""
    plan = result.plan
    seeds = result.seeds_apart
    yield from _tuned_rows(result)
    if result.bases:
        tried = [f"{each.base} {quality(each.right)}" for each in result.bases]
        yield "Bases tried", f"{listing(tried)}, on the cases for selecting"
    if plan.rates:
        rates = listing([f"{rate:g}" for rate in plan.rates])
        yield "Rates tried", f"{rates}, on the cases for selecting"
    if not isinstance(seeds, Unknown):
        yield (
            "Seeds",
            f"{quality(seeds.low)} to {quality(seeds.high)} at the largest size",
        )
    if not isinstance(result.routed, Unknown):
        yield "Routed", routed_text(result.routed)
    if not isinstance(result.routed_tuned, Unknown):
        yield "Routed, tuned", routed_text(result.routed_tuned)
    if result.ended_by_rule:
        yield "Ended early", plan.stop
    if result.stopped:
        yield "Stopped", sentence(result.stopped)
    when = "after results of an earlier plan were seen"
    if not plan.after_results:
        when = "before the first run"
    yield "Plan", plan_text(plan, when)
    yield "Spent", _pilot_spent(result.spend)


def _tuned_rows(result: PilotResult) -> Rows:
    """What was tuned, how, and in how many runs; also how many of them came with the folder."""
    plan = result.plan
    epochs = counted(plan.recipe.epochs, "epoch")
    if plan.way != "hosted":
        epochs += f", {counted(plan.recipe.least_steps, 'step')} at least"
        epochs += f", rate {plan.recipe.rate:g}, rank {count(plan.recipe.rank)}"
    yield (
        "Tuned",
        f"{plan.base}, {plan.way} way, {plan.recipe.method.upper()}, {epochs}",
    )
    trained = [run for run in result.trained if run.state == "trained"]
    took = duration(sum(run.seconds for run in trained))
    text = f"{counted(len(trained), 'run')}: {_sizes(plan)}, {took} in sum"
    if result.brought_models:
        models = counted(result.brought_models, "trained model")
        text += f". {models} came with the folder, not checked here"
    yield "Trained", text


def _pilot_spent(spend: Spend) -> str:
    """The cost of a pilot, the answers that came with the folder, and where calls went."""
    text = f"{small_usd(spend.paid)} of {small_usd(spend.cap)}"
    if spend.brought:
        answers = counted(spend.brought, "answer")
        text += f". {answers} came with the folder, not checked here"
    if spend.hosts:
        text += f". Calls went to {listing(spend.hosts)}"
    return text


def pilot_quote_document(
    plan: PilotPlan,
    training: TrainingQuote,
    calls: Quote,
    cap_usd: float,
    name: str = "",
    more: Iterable[tuple[str, str]] = (),
) -> b.Document:
    """The document with the runs and calls of a pilot, their price, and the rows of ``more``."""
    rows = [*_pilot_quote(plan, training, calls, cap_usd), *more]
    return b.Document(name, "What the pilot would take", (), facts=b.facts(rows))


def _pilot_quote(
    plan: PilotPlan, training: TrainingQuote, calls: Quote, cap_usd: float
) -> Rows:
    """The rows of a pilot's quote."""
    time = training.seconds
    memory = training.memory_mib
    replay = count(plan.replay)
    cases = counted(plan.cases, "held-out case")
    runs = f"{counted(training.jobs, 'run')} to train, {count(training.reused)} already trained"
    more = f"{replay} general ones and {count(plan.canaries)} planted secrets in the largest"
    yield "Base", f"{listing(plan.bases) or plan.base}, {plan.way} way"
    yield "Runs", runs
    yield "Sizes", f"{_sizes(plan)}; {more}"
    ask = time.ask if isinstance(time, Unknown) else ""
    took = text_or_unknown(
        time, lambda s: f"about {duration(s)}, from a few measured steps", ask
    )
    yield "Time to train", took
    if not isinstance(memory, Unknown):
        yield "Memory", f"about {memory:,.0f} MiB"
    yield (
        "Calls",
        f"{counted(calls.calls, 'call')} at most, on {cases} and the cases for selecting",
    )
    if not isinstance(training.seconds_a_call, Unknown):
        asked = duration(training.seconds_a_call * calls.calls)
        yield "Time to ask", f"about {asked}, from a few calls of the base"
    yield "Price", f"{small_usd(calls.usd_most)} at most, training among it"
    yield "Margin", share(plan.margin)
    yield "Ends early", plan.stop
    yield "Budget", _budget(cap_usd, calls)
