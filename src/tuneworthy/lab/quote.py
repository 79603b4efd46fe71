"""What a lab would do and cost, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from statistics import fmean

from tuneworthy.lab.judge import BYTES_A_TOKEN
from tuneworthy.lab.plan import PROBE_TOKENS, Arms, LabPlan, request_to
from tuneworthy.lab.prepare import AT_ONCE, JUDGE, JUDGED, PreparedLab
from tuneworthy.lab.propose import CandidateEvaluator, kept_in
from tuneworthy.lab.result import ENOUGH, own_work
from tuneworthy.lab.search import Search, cost
from tuneworthy.lab.session import CEILING_RUN, ledger_or_none, told_by, with_spent
from tuneworthy.llm.choose import lacking_keys, prices_of
from tuneworthy.llm.hosts import find_strange_hosts
from tuneworthy.llm.ledger import Ledger, UsualCall
from tuneworthy.llm.prices import UNLISTED, price_on
from tuneworthy.llm.runner import Job, quotes, total
from tuneworthy.model.lab import ChatMessage, Quote
from tuneworthy.report import render as render_document
from tuneworthy.report.sections.lab import judge_text
from tuneworthy.report.sections.lab_quote import (
    duration,
    general_row,
    proposals_row,
    quote_document,
    quote_json,
)
from tuneworthy.words import count, listing, share

ASSUMED_S = 2.0  #: Seconds of a call, for the time that a quote says: until one was made, a guess.
RACED_PART = 0.8
"""The share of a race's calls that are made (roughly), as arms that fall behind are dropped."""
_FEW_ARMS = 3  # with so few arms hardly one falls behind
#: Arms of other models beside the best prompt that may meet the held-out cases.
MOST_RIVALS = 2
_RACE = ""  #: The part of a plan in which arms are selected; the others have the ids of their arms.

Rows = Iterator[tuple[str, str]]


def quoted(
    lab: PreparedLab,
    price_of: Callable[..., Quote] | None = None,
    run: str = CEILING_RUN,
) -> Quote:
    """Return the price of a lab, by default the ceiling lab; nothing is sent, and no ledger is made."""
    with ledger_or_none(lab.case) as ledger:
        return with_spent((price_of or price)(lab, ledger), ledger, run)


def price(lab: PreparedLab, ledger: Ledger | None, *, rivals: bool = True) -> Quote:
    """Return the most that a lab can cost: every arm to its end, then the dearest held-out arms.

    ``rivals`` says whether these include other models that may be enough. Prompts that will be
    proposed count at their longest.
    """
    quote_of = partial(_quote_plan, lab, ledger, rivals=rivals)
    if lab.request is None:
        return quote_of(lab.plan)
    evaluator = CandidateEvaluator(
        lab.plan,
        lab.request,
        lab.scores.marker,
        kept_in(ledger),
        judge=lab.scores.judge,
    )
    search = Search(evaluator, side_by_side=False).run()
    return cost(search, ledger, lab.price_of, quote_of)


def _quote_plan(
    lab: PreparedLab, ledger: Ledger | None, plan: LabPlan, *, rivals: bool
) -> Quote:
    """Return the quote of a plan: the race, and the arms that reach the held-out cases."""
    by_part = quotes(_jobs_by_part(lab, ledger, plan), ledger, lab.price_of)
    race = by_part.get(_RACE, total(()))
    raced = 1.0 if len(plan.of_kind("prompt")) < _FEW_ARMS else RACED_PART
    parts = [race.model_copy(update={"usd_likely": race.usd_likely * raced})]
    for kind in ("prompt", "tuned"):
        arms = plan.of_kind(kind)
        candidates = [by_part[arm.id] for arm in arms if arm.id in by_part]
        most = _most_prompts(lab, plan, rivals=rivals) if kind == "prompt" else 1
        # nobody knows yet which arms these are: at most the dearest ones, likely any of them
        for quote in dearest(candidates, most):
            likely = fmean(each.usd_likely for each in candidates)
            parts.append(quote.model_copy(update={"usd_likely": likely}))
    return total(parts)


def _jobs_by_part(
    lab: PreparedLab, ledger: Ledger | None, plan: LabPlan
) -> Iterator[tuple[str, Job]]:
    """Yield every call of a plan with its part: the race, or an arm on the held-out cases."""
    judge = lab.scores.judge
    longest = "x" * (BYTES_A_TOKEN * plan.setting.max_tokens)
    kept_answer = told_by(ledger)

    def answer(job: Job) -> str:
        """Return the kept answer to an earlier step of a chain, else the longest possible."""
        return kept_answer(job) or longest

    for place, case in enumerate((*plan.select, *plan.report)):
        is_held_out = place >= len(plan.select)
        for arm in plan.called:
            part = arm.id if is_held_out else _RACE
            for walk in plan.walks(arm, case, answer):
                for job in walk:
                    yield part, job
                if judge is not None:
                    for job in judge.expected(walk[-1], case, ledger):
                        yield part, job


def _most_prompts(lab: PreparedLab, plan: LabPlan, *, rivals: bool) -> int:
    """Return how many prompt arms may meet the held-out cases."""
    if lab.scores.judge is not None:
        return 2  # a grader's choice is compared with its second one
    # a searched prompt is compared with the best before it
    most = 1 if lab.request is None else 2
    if lab.case.targets.quality is None or not rivals:
        return most
    models = {arm.model for arm in plan.of_kind("prompt")}
    others = max(0, len(models) - 1)  # a plan may have no prompt
    return most + min(MOST_RIVALS, others)


def dearest(quotes: Sequence[Quote], most: int = 1) -> list[Quote]:
    return sorted(quotes, key=lambda each: (each.usd_most, each.calls))[-most:]


# The quote as it is shown.


def render_quote(
    lab: PreparedLab,
    quote: Quote,
    form: str = "text",
    *,
    cap_usd: float | None = None,
    colour: bool = False,
    general: int = 0,
) -> str:
    """Write the plan and its price, as ``text`` or ``json``.

    With ``general`` tasks it is a verification, which calls no baseline and proposes nothing.
    """
    plan = lab.plan
    arms = plan.called if general else plan.arms
    if form == "json":
        return _quote_json(lab, quote, arms, general=general)
    rows = [*price_rows(lab)]
    request = lab.request
    if request is not None:
        rows.append(proposals_row(request.draws, request.named, len(request.taught)))
    if lab.unsearched:
        rows.append(("No search", lab.unsearched))
    scorer = lab.scorer
    judge = lab.scores.judge
    if judge is None and not JUDGED.isdisjoint(lab.case.goals[:1]):
        scorer += f"; where no text is the right one, {JUDGE}"
    rows.append(("Scored by", scorer))
    rows.append(_time_row(lab, quote))
    if judge is not None:
        own = len(own_work(judge, plan.arms))
        rows.append(("Judge", judge_text(judge.plan, judge.named, own)))
    if general:
        rows.append(general_row(general))
    document = quote_document(
        arms, len(plan.select), len(plan.report), quote, more=rows, cap_usd=cap_usd
    )
    return render_document(document, colour=colour, everything=True)


def _quote_json(lab: PreparedLab, quote: Quote, arms: Arms, *, general: int) -> str:
    """Write the plan and its price as JSON."""
    request = lab.request
    proposing = None
    if request is not None:
        proposing = {
            "draws": request.draws,
            "model": request.named,
            "shown": len(request.taught),
        }
    return quote_json(
        arms,
        len(lab.plan.select),
        len(lab.plan.report),
        quote,
        proposing,
        general=general,
        judge=lab.judge,
        hosts=find_strange_hosts(lab.places),
        proxies=lab.proxies,
        unconfirmed=lab.unconfirmed,
    )


def host_rows(lab: PreparedLab) -> Rows:
    """Yield rows on hosts that aren't the vendors' own, proxies and unconfirmed hosts."""
    hosts = find_strange_hosts(lab.places)
    if hosts:
        where = f"{listing(hosts)}, which isn't the host of a model's own vendor"
        yield "Sent to", where
    if lab.proxies:
        sees = "which sees the hosts that are called, and no key and no text"
        yield "Through", f"the proxy {listing(lab.proxies)}, {sees}"
    for sentence in lab.unconfirmed:
        yield "Host", f"{sentence}. Until then nothing is sent"


def price_rows(lab: PreparedLab) -> Rows:
    """Yield rows beside the numbers of a quote: prices, hosts, keys, thinking, too few cases, probes."""
    reached = lab.plan.setting.reached
    yield from _list_price_rows(lab)
    yield from host_rows(lab)
    for key in lacking_keys(reached.values()):
        yield "Key", f"{key}. Until then nothing is sent"
    # thinking is paid for and not shown
    all_usual = _usual_calls(lab)
    for model in lab.case.models:
        usual = all_usual.get(model.id)
        if usual is not None and usual.thought:
            part = share(usual.thought / usual.written)
            size = (
                f"about {count(usual.thought)} tokens an answer so far, {part} of its"
            )
            yield "Thinking", f"{model.id}: {size} output, paid for and not shown"
        elif any(effort != "none" for effort in model.effort):
            text = "paid for as output; how much, it shows when asked"
            yield "Thinking", f"{model.id}: {text}"
    parts = (lab.plan.select, lab.plan.report)
    fewest = min(len({case.cluster for case in part}) for part in parts)
    if fewest < ENOUGH:
        text = f"one part has {fewest} conversations, and {ENOUGH} are the fewest that can tell"
        yield "Too few", text
    probes = len(lab.plan.probe_jobs())
    if probes:
        most = lab.plan.setting.max_tokens
        text = f"{most:,} tokens an answer; {probes} probes, {PROBE_TOKENS:,} each, may show"
        yield "Output", f"{text} that a model takes more (--max-tokens states it)"


def _list_price_rows(lab: PreparedLab) -> Rows:
    """Yield a row for each model whose list price counts, as its stated price is lower."""
    reached = lab.plan.setting.reached
    stated_price_of = prices_of(lab.case.models, lab.as_of, frozenset(reached))
    for name, place in reached.items():
        request = request_to(place, [ChatMessage(role="user", content="")])
        counted_price = lab.price_of(request)
        stated = stated_price_of(request)
        if not counted_price or not stated or counted_price == stated:
            continue
        text = (
            f"{counted_price.input:g} and {counted_price.output:g} USD a million tokens"
        )
        listed_as = f"{place.provider}:{place.name}"
        if price_on(listed_as, lab.as_of, base_url=place.base_url) is None:
            text += f" ({UNLISTED})"
        yield name, f"the list price counts, {text}, as the case states less"


def _usual_calls(lab: PreparedLab) -> dict[str, UsualCall]:
    """Return the average call of each model that was called before, by id."""
    usual = dict[str, UsualCall]()
    with ledger_or_none(lab.case) as ledger:
        if ledger is not None:  # else nothing was ever called
            for name, place in lab.plan.setting.reached.items():
                average = ledger.usual(place.name)
                if average is not None:
                    usual[name] = average
    return usual


def _time_row(lab: PreparedLab, quote: Quote) -> tuple[str, str]:
    """Return a row with the time that the calls of a quote take.

    It goes by the calls that the same models have answered; without any, by an assumed time.
    """
    usual_calls = _usual_calls(lab).values()
    times = [usual.seconds for usual in usual_calls if usual.seconds]
    seconds = fmean(times) if times else ASSUMED_S
    source = "as so far" if times else "assumed"
    took = duration(quote.calls * seconds / AT_ONCE)
    text = f"about {took} at {seconds:.2g} s a call ({source}), {AT_ONCE} at once"
    return "Time", text
