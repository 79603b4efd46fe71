"""The page of a ceiling lab: the board, the ceiling, failures, and what was searched."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from tuneworthy.errors import argument
from tuneworthy.model.base import Unknown, json_text
from tuneworthy.model.dossier import Dossier
from tuneworthy.model.lab import (
    ArmResult,
    CeilingResult,
    JudgedArm,
    JudgeOf,
    PromptSearch,
    Proposing,
    RewardSignal,
    RubricGain,
    TunedChange,
)
from tuneworthy.money.worth import cases_note, cases_worth
from tuneworthy.report import blocks as b
from tuneworthy.report import charts
from tuneworthy.report.named import named
from tuneworthy.report.sections.common import Rows, captioned, moved
from tuneworthy.report.sections.evalset import coefficient_text
from tuneworthy.report.sections.lab import (
    CORRECT,
    LOOK_AT_WORDS,
    MEASURED,
    MOST_ARMS,
    UNWRAP,
    ask_again_text,
    contrast_text,
    cut_off_text,
    difference_text,
    rerun_text,
    seconds_text,
    share_text,
    signed_interval,
    spent_rows,
    text_or_unknown,
)
from tuneworthy.report.sections.lab_headroom import headroom_text
from tuneworthy.verdict.headline import ANSWER_WORDS
from tuneworthy.words import (
    count,
    counted,
    cut,
    few,
    listing,
    plain,
    quality,
    quality_interval,
    sentence,
    several,
    share,
    small_usd,
    unique,
)

_AGAIN = "then run it again: nothing is paid twice"


ALONE = "by the judge's word alone"

UNUSABLE = "nothing the judge said could be used: try another --judge-model"
"""The advice where every answer of the grader is unreadable, refused or in doubt."""


def judge_section(judge: JudgeOf | None) -> Iterator[b.Section]:
    """The section on a grader compared with people; none where rules scored."""
    if judge is None:
        return
    # without labels, the grader's word on the cases for selecting is on the board
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
    score = text_or_unknown(judged.judge, quality, "not run")
    text = f"{judged.arm}{part}: {score} {ALONE}, "
    if isinstance(judged.bias, Unknown):
        return f"{text}no output of {count(judged.missing)} is labelled"
    bias = signed_interval(judged.bias.value, judged.bias.low, judged.bias.high)
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


def label_command(
    judge: JudgeOf, folder: str, rubric: str, lab: str, *, choose: bool
) -> str:
    """The command to label missing outputs, or "" where no label is missing.

    ``lab`` names the labels that a result needs. ``choose`` also asks for labels on the cases for
    selecting, once none of the others is missing.
    """
    missing = judge.missing("report")
    labels_for = lab
    if not missing:
        labels_for = "choose"
        if choose:
            missing = judge.missing("select")
    if not missing:
        return ""
    file = argument(rubric or judge.plan.file)
    command = (
        f"tuneworthy evalset export {folder} --labeller NAME --rubric {file} "
        f"--for {labels_for}"
    )
    return f"label {several(missing, 'output')}, not knowing whose: {command}, {_AGAIN}"


BEST_OF_MANY = "The best of many looks too good here: only held-out cases count."
_SAME = 1e-9  # a rounding error apart
_REACHED = named("reached")
_MENDS = named("mends")


def ceiling_dict(result: CeilingResult, dossier: Dossier) -> str:
    """The result of a ceiling lab as JSON, with the verdict on its case."""
    verdict = {
        "outcome": dossier.verdict.outcome,
        "answer": dossier.verdict.answer,
        "rule": dossier.verdict.rule,
    }
    record = result.model_dump(mode="json")
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
    rows = spent_rows(result.spend, result.calls_saved, result.stopped)
    note = cases_note(dossier.investment)
    return b.Document(
        "",
        ceiling_answer(result),
        ceiling_sections(result, dossier, before),
        byline=[sentence(f"{label}: {text}") for label, text in rows],
        after=[note] if note else [],
        lead=f"Now: {_next(result, dossier, argument(folder), rubric)}",
    )


def ceiling_answer(result: CeilingResult) -> str:
    """Say in a sentence which arm a ceiling lab found best, and whether it meets the target."""
    if isinstance(result.reported, Unknown):
        why = cut_off_text(result.spend, result.stopped_by) or _best(result)
        return sentence(f"no result yet: {why}")
    score = f"{share_text(result.reported)} on {count(result.report)} held-out cases"
    best = f"{result.best} is the best prompt: {score}"
    baselines = list(_baselines_ahead(result))
    if baselines:
        no_model, *_ = baselines  # one of them says enough for a headline
        best = f"{no_model}. The best prompt: {score}"
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
    title = f"On {count(result.report)} held-out cases"
    checks = _checks(result, dossier, before)
    sections = [
        b.section("lab-result", title, b.facts(ceiling_rows(result))),
        b.section("lab-arms", board, _board(result, board), board_note(result)),
        b.section("lab-checks", "What it says about the case", checks),
    ]
    if not isinstance(result.proposing, Unknown):
        sections.append(_proposals_section(result.proposing, result))
    sections += judge_section(result.judge)
    if result.reward is not None:
        title = "What reinforcement tuning would learn from, on held-out cases"
        rows = b.facts(reward_rows(result.reward))
        sections.append(b.section("lab-reward", title, rows))
    if result.parts:
        title = "The best prompt, part by part, on held-out cases"
        shares = ((row.part, share_text(row), count(row.n)) for row in result.parts)
        table = b.table(title, "Field or class | #Right | #Cases", shares, quiet=True)
        sections.append(b.section("lab-parts", title, table))
    if result.failures:
        title = "Where the best prompt fails"
        sections.append(b.section("lab-failures", title, _failures(result)))
    return tuple(sections)


def _proposals_section(proposing: Proposing, result: CeilingResult) -> b.Section:
    shown = counted(proposing.shown, "case")
    title = f"Searched with {proposing.model}, from {listing(proposing.parents)} on {shown} of its own"
    return b.section("lab-proposals", title, b.facts(_proposed(proposing, result)))


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


def board_row(row: ArmResult) -> tuple[str, ...]:
    """The arm, its quality with its interval, cases without an answer, cost, and latency."""
    notes = list(_arm_notes(row))
    beside = f" ({', '.join(notes)})" if notes else ""
    score = share_text(row.quality, "not measured" if _was_asked(row) else "not run")
    # a baseline calls no model, so no answer can be missing
    missing = "" if row.arm.kind == "baseline" else count(row.failed + row.in_doubt)
    cost = text_or_unknown(row.usd_per_case, small_usd)
    time = text_or_unknown(row.latency_p95_s, seconds_text)
    return f"{row.arm.id}{beside}", score, missing, cost, time


def _arm_notes(row: ArmResult) -> Iterator[str]:
    """The notes beside an arm's name, without which its figures would mislead."""
    if row.dropped_after is not None:
        yield f"left behind after {count(row.dropped_after)}"
    if isinstance(row.quality, Unknown) and "(it takes no " in row.quality.ask:
        # the ask says in brackets which parameter the model takes none of, then what to do
        _, _, about = row.quality.ask.partition("(it ")
        refusal, _, _ = about.partition(":")
        yield refusal
    if not isinstance(row.thinking, Unknown):
        yield f"{share(row.thinking)} of its output is thinking"
    if row.aloud:
        yield "thinks in the open"
    if row.unjudged:
        yield f"{count(row.unjudged)} not judged"


def _was_asked(row: ArmResult) -> bool:
    """Whether any call of an arm was made, with or without an answer."""
    return bool(row.failed + row.in_doubt) or not isinstance(row.latency_p95_s, Unknown)


def board_note(result: CeilingResult) -> str:
    """How to read the leaderboard, with a warning if a baseline leads."""
    note = BEST_OF_MANY
    if not isinstance(result.tied, Unknown):
        note += f" {_order_text(result.tied)}"
    if result.arms:
        first, *_ = result.arms
        if first.arm.kind == "baseline" and not isinstance(first.quality, Unknown):
            note += f" Ahead here is {first.arm.id}, which calls no model."
    return note


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
    rows = [board_row(arm) for arm in result.arms[:MOST_ARMS]]
    table = b.table(title, f"Arm | {MEASURED}", rows, quiet=True)
    target = None if isinstance(result.target, Unknown) else result.target
    picture = captioned(
        charts.board(result.arms, target),
        table,
        id="lab-board",
        title="Arms side by side, on the cases for selecting",
        is_open=True,
    )
    yield picture or table
    left_out = len(result.arms) - MOST_ARMS
    if left_out > 0:
        yield b.Prose(f"and {few(left_out)} more", "small")


def _tried_rows(result: CeilingResult) -> Rows:
    """How far prompts were searched, and how much was tried."""
    if result.prompts:
        yield "Grade", _grade_text(result.search)
    differ = "differs" if result.prompts == 1 else "differ"
    prompts = f"{several(result.prompts, 'prompt')} that {differ}"
    tried = f"{prompts}, {several(result.models, 'model')}: {counted(result.effort, 'pair')}"
    efforts = unique(row.arm.effort for row in result.arms if row.arm.effort)
    if efforts:
        tried += f", at efforts {listing(efforts)}"
    yield "Tried", tried
    if result.search.ended == "none" and result.search.why:
        yield "No search", result.search.why


def ceiling_rows(result: CeilingResult) -> Rows:
    """The chosen arm, its comparisons, the ceiling, and how far prompts were searched."""
    for text in _baselines_ahead(result):
        yield "No model", text
    yield "Best prompt", _best(result)
    if result.judge is not None:
        yield from _chosen_rows(result.judge)
    for contrast in result.contrasts:
        yield "Against", contrast_text(contrast)
    for row in result.rivals:
        cost = text_or_unknown(row.usd_per_case, small_usd)
        time = text_or_unknown(row.latency_p95_s, seconds_text)
        score = share_text(row.quality)
        yield "Enough?", f"{score}: {row.arm.id}, {cost} a case, {time} at p95"
    yield "Ceiling", _ceiling(result)
    yield from _tried_rows(result)
    for row in result.arms:
        if row.steps:
            costs = [
                f"{step.prompt} {small_usd(step.usd_per_case)}, {seconds_text(step.latency_p95_s)}"
                for step in row.steps
            ]
            yield "Steps", f"of {row.arm.id}: {listing(costs)} at p95"
    yield from _oddities(result)
    # the curve of a grader's scores would be its word alone
    if len(result.curve) > 1 and result.judge is None:
        yield "Best so far", _curve_text(result)


def _chosen_rows(judge: JudgeOf) -> Rows:
    """Who chose the best arm where a grader scored; none while nobody has."""
    if judge.chosen_by == "people":
        yield "Chosen", "by people's labels on the cases for selecting"
    elif judge.chosen_by == "judge":
        check = "To check: label with --for choose"
        yield "Chosen", f"{ALONE}, so it may have chosen badly. {check}"


def _baselines_ahead(result: CeilingResult) -> Iterator[str]:
    """A sentence for each way without a model that the best prompt isn't better than."""
    baselines = {row.arm.id for row in result.arms if row.arm.kind == "baseline"}
    for contrast in result.contrasts:
        if contrast.second not in baselines or not contrast.n:
            continue
        # the difference is the best prompt's less the other's
        ahead = not isinstance(contrast.difference, Unknown) and contrast.high < 0
        if ahead or contrast.told_apart == "no":
            compares = "is better than" if ahead else "can't be distinguished from"
            yield (
                f"{contrast.second} {compares} the best prompt, costs nothing and is "
                "instant"
            )


#: Models that answered in place of others, of which a line is written.
_MOST_OTHERS = 3


def _oddities(result: CeilingResult) -> Rows:
    """Rows with what models did unasked.

    They thought in the open, refused parameters, or another model answered.
    """
    aloud = sum(row.aloud for row in result.arms)  # answers
    if aloud:
        models = unique(row.arm.model for row in result.arms if row.aloud)
        cut_from = several(aloud, "answer")
        yield "Thinking", f"in the open, by {listing(models)}: cut from {cut_from}"
    yield from answered_by_others(result.arms)
    # two arms of one model may differ in the parameters they send, such as an effort
    changed = defaultdict[str, list[str]](list)
    for row in result.arms:
        changed[row.arm.model] += row.changed
    texts = [
        f"{model}: {', '.join(unique(sent))}" for model, sent in changed.items() if sent
    ]
    if texts:
        yield "Sent", "; ".join(texts)


def answered_by_others(rows: Iterable[ArmResult]) -> Rows:
    """Models that answered instead of those that were asked."""
    others = Counter[tuple[str, str]]()  # answers by the models asked and answering
    for row in rows:
        for name, n in row.others.items():
            others[row.arm.model, name] += n
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
    first, *_ = result.failures
    cases = first.of  # every kind of failure counts in the same cases
    right = cases - sum(failure.n for failure in result.failures)
    if abs(right / cases - result.reported.value) < _SAME:
        return best  # the score counts whole answers already
    return f"{best}. Every part is right in {count(right)} of {count(cases)} cases"


def lacks_answers(result: CeilingResult) -> bool:
    """Whether a prompt arm isn't judged because too few of its calls have an answer."""
    return any(row.failed + row.in_doubt for row in _unjudged_prompts(result))


def _same_words(result: CeilingResult) -> bool:
    """Whether a prompt arm isn't judged because it gave one answer to every case."""
    return any(_was_asked(row) for row in _unjudged_prompts(result))


def _unjudged_prompts(result: CeilingResult) -> list[ArmResult]:
    return [
        row
        for row in result.arms
        if row.arm.kind == "prompt" and isinstance(row.quality, Unknown)
    ]


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
    reached = _REACHED.get(result.reached) or _open_text(result.judge, result.best)
    text = reached or "not judged: no prompt was scored"
    upper = ""
    if not isinstance(result.upper, Unknown):
        upper = f", upper bound {quality(result.upper)}"
    text += f" (target {quality(result.target)}{upper})"
    # with a grader, labels are lacking and not cases
    if result.reached == "too_few_cases" and result.judge is None:
        needed = result.cases_needed
        if isinstance(needed, Unknown):
            settles = needed.ask
        else:
            settles = f"about {count(needed)} are needed"
        text += f"; {settles}"
    return text


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
    rises = sorted(reached_after)  # the best so far never falls
    text = ", ".join(
        f"{quality(value)} after {count(reached_after[value])}"
        for value in rises[-_LAST_RISES:]
    )
    since = result.curve[-1].arms - reached_after[rises[-1]]
    if since:
        return f"{text}, and no better in the {few(since)} since"
    return f"{text} arms"


#: Of the best score: earlier ones say little about what is left to gain.
_LAST_RISES = 6


def _failures(result: CeilingResult) -> Iterator[b.Parts]:
    """How many wrong answers tuning could change, and each kind of them with two examples."""
    kinds = result.failures
    if result.tuned is not None:
        yield _tuned_text(result.tuned)
    failures = Counter[str]()
    for kind in kinds:
        failures[kind.mends] += kind.n
    could = failures["yes"]
    cannot = failures["no"]
    if could or cannot:
        yield (
            f"By their form, tuning could change {count(could)} of "
            f"{count(failures.total())}, and can't change {count(cannot)}."
        )
    elif result.tuned is None:
        yield (
            "The answers alone don't show what tuning would change. Add a tuned model to this lab, "
            "or run a pilot."
        )
    for kind in kinds:
        title = f"{plain(kind.signal)}: {count(kind.n)} of {count(kind.of)}; {_MENDS[kind.mends]}"
        yield b.part(title, b.bullets(kind.examples[:2]))


def _tuned_text(tuned: TunedChange) -> str:
    """Say how many wrong answers of the best prompt a tuned model has right, and the reverse."""
    lost = ""
    if tuned.broken:
        lost = f", and gets {several(tuned.broken, 'case')} wrong that the prompt has right"
    return (
        f"{tuned.arm} (tuned) is right on {count(tuned.fixed)} of the {count(tuned.of)} cases "
        f"that the best prompt gets wrong{lost}."
    )


def answered_rows(result: CeilingResult, dossier: Dossier, before: Dossier) -> Rows:
    """The checks that the run answered, and the verdict before and now; none if it stopped."""
    if result.stopped:
        return
    checks = dossier.ceiling.checks
    shown = [
        checks[name].title for name, state in result.checks.items() if state == "yes"
    ]
    text = f"shown: {listing(shown) or 'none'}"
    unknown = [check.title for check in checks.values() if check.state == "unknown"]
    if unknown:
        text += f". Still open: {listing(unknown)}"
    yield "Checks", text
    was = ANSWER_WORDS[before.verdict.answer]
    now = ANSWER_WORDS[dossier.verdict.answer]
    yield "Answer", moved(was, now)


def _checks(result: CeilingResult, dossier: Dossier, before: Dossier) -> b.Parts:
    """The checks of the ceiling test that a lab has shown."""
    if result.stopped:
        return f"No conclusion: {_why_stopped(result)}. Run it again to finish."
    rows = []
    for name, check in dossier.ceiling.checks.items():
        shown = "yes" if result.checks.get(name) == "yes" else "unknown"
        rows.append((check.title, shown, check.state))
    title = f"The {few(len(rows))} checks of the ceiling test"
    titles = "Check | Shown by this lab | In the case"
    table = b.table(title, titles, rows, detail=True)
    return b.facts(answered_rows(result, dossier, before)), table


def _next(result: CeilingResult, dossier: Dossier, folder: str, rubric: str) -> str:
    """The next step: a command, or what to change before it."""
    if result.stopped:
        return _next_of_stopped(result, folder)
    if result.judge is not None:
        next_of_judge = _next_of_judge(result, result.judge, folder, rubric)
        if next_of_judge:
            return next_of_judge
    if isinstance(result.target, Unknown):
        return f"state targets.quality.at_least in the case file, {_AGAIN}"
    if result.reached == "too_few_cases":
        if result.judge is not None:
            return f"let people label more, with a larger --labels, {_AGAIN}"
        needed = result.cases_needed
        worth = cases_worth(dossier.investment)
        is_worth_it = worth is None or worth.usd
        if not isinstance(needed, Unknown) and is_worth_it:
            more = count(needed - result.select - result.report)
            return f"add {more} labelled cases to the evaluation set, {_AGAIN}"
    return f"tuneworthy decide {folder}"


def _next_of_judge(
    result: CeilingResult, judge: JudgeOf, folder: str, rubric: str
) -> str:
    """The next step where a grader scored; empty where no label is missing."""
    if not result.best:
        return UNUSABLE
    # without a target nothing has to be bounded, so labels on the others settle nothing
    choose = result.reached == "unknown" and not isinstance(result.target, Unknown)
    return label_command(judge, folder, rubric, "report", choose=choose)


def _next_of_stopped(result: CeilingResult, folder: str) -> str:
    """How to continue a lab that ended early."""
    command = f"tuneworthy ceiling {folder}"
    if cut_off_text(result.spend, result.stopped_by):
        return ask_again_text(result.spend, command)
    if result.stopped_by != "user" and lacks_answers(result):
        return CORRECT
    if result.stopped_by == "unanswered":
        was_unjudged = any(row.unjudged for row in result.arms)
        if result.judge is not None and was_unjudged:
            return UNUSABLE
        if _same_words(result):
            was_wrapped = any(row.wrapped for row in result.arms)
            return UNWRAP if was_wrapped else LOOK_AT_WORDS
    return rerun_text(result, command)


#: Characters of a proposed prompt that are shown; its file has the rest.
_LONGEST_PROMPT = 240


def _proposed(proposing: Proposing, result: CeilingResult) -> Rows:
    """Each prompt with its length and text, the gain, the results of draws, and how it ended."""
    yield from _prompt_rows(proposing, result)
    if not isinstance(result.headroom, Unknown):
        yield "Foretold", headroom_text(result.headroom)
    if result.gained is not None:
        yield (
            "Gained",
            f"{difference_text(result.gained)} on held-out cases, against {result.gained.second}",
        )
    if result.rubric is not None:
        yield "Rubric", rubric_text(result.rubric)
    yield from _draw_rows(proposing, result.search.rounds)
    yield "Search", _search_text(result)
    if not isinstance(result.plateau, Unknown):
        plateau = result.plateau
        ends = f"{plateau.value:+.3f} ({quality(plateau.low)} to {plateau.high:+.3f})"
        draws = several(plateau.draws, "draw")
        yield "One more", f"would add {ends} to the best of {draws}"


def _prompt_rows(proposing: Proposing, result: CeilingResult) -> Rows:
    """Each prompt that was found, with its length, its cost, its text and its file."""
    arms = {row.arm.prompt: row for row in result.arms if row.arm.kind == "prompt"}
    for prompt in proposing.prompts:
        size = f"{count(len(prompt.text))} characters"
        arm = arms.get(prompt.name)
        if arm is not None and not isinstance(arm.usd_per_case, Unknown):
            size += f", {small_usd(arm.usd_per_case)} a case"
        text = cut(prompt.text, _LONGEST_PROMPT)
        yield prompt.name, f"{size}: {text} ({prompt.file})"


def _draw_rows(proposing: Proposing, rounds: int) -> Rows:
    """How many draws there were, and how many brought nothing."""
    draws = proposing.draws
    started_from = {draw.parent for draw in draws}
    # a draw that ends with what another began with has won nothing
    in_vain = [draw for draw in draws if not draw.arm or draw.arm in started_from]
    yield (
        "Draws",
        f"{counted(len(draws), 'draw')} in {several(rounds, 'round')}, "
        f"{count(len(in_vain))} without a finalist",
    )
    unusable = sum(draw.unusable for draw in draws)  # texts
    if unusable:
        texts = counted(sum(draw.asked for draw in draws), "written text")
        yield "Unusable", f"{count(unusable)} of {texts}"
    short = [draw for draw in draws if not draw.whole]
    if short:
        yield "Cut short", f"{counted(len(short), 'draw')}, for want of an answer"


def rubric_text(rubric: RubricGain) -> str:
    """The gain of a search by the judge's word, and the part won by breaking the rubric."""
    judged = rubric.judged
    if isinstance(judged, Unknown):
        return f"not known: {judged.ask}"
    gain = f"{signed_interval(judged.value, judged.low, judged.high)} {ALONE}"
    broken = rubric.broken
    if isinstance(broken, Unknown):
        return f"{gain}. How much of it people don't see is not known: {broken.ask}"
    ends = signed_interval(broken.value, broken.low, broken.high)
    if broken.low > 0:
        return f"{gain}, {ends} of it won by breaking the rubric: people don't see it"
    return f"{gain}, none of it beyond chance by breaking the rubric: {ends}"


def _search_text(result: CeilingResult) -> str:
    """How a search ended, and the next step if it ended before its plateau."""
    search = result.search
    paid = f", for {small_usd(search.usd)}" if search.usd else ""
    if search.ended == "plateau":
        return f"at its plateau: the last round added less than {share(search.margin)} of cases{paid}"
    why = f": {search.why}" if search.why else ""
    more = "Let it draw more: --propose 40"
    if search.cap_usd:
        more += f", or give it more than {small_usd(search.cap_usd)} (--search-budget)"
    return f"ended before its plateau{paid}{why}. {more}"
