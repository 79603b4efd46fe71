"""What a pilot would take, and its go/no-go card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tuneworthy.errors import argument
from tuneworthy.model.base import Unknown
from tuneworthy.model.evidence import PilotCard
from tuneworthy.model.lab import (
    Quote,
    RoutedWay,
    Spend,
)
from tuneworthy.model.pilot import LearningCurve, PilotPlan, PilotResult, TrainingQuote
from tuneworthy.report import blocks as b
from tuneworthy.report import charts
from tuneworthy.report.named import named
from tuneworthy.report.sections.common import Rows, captioned
from tuneworthy.report.sections.lab import (
    MEASURED,
    plan_text,
    share_text,
    text_or_unknown,
)
from tuneworthy.report.sections.lab_ceiling import board_row
from tuneworthy.report.sections.lab_quote import budget, duration
from tuneworthy.report.sections.lab_verify import after_no_gain, needed_text
from tuneworthy.words import (
    capital,
    count,
    counted,
    day,
    few,
    listing,
    quality,
    quality_interval,
    sentence,
    share,
    signed,
    small_usd,
)

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
    return b.table(title, f"Way | {MEASURED}", rows, quiet=True)


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
    yield "Budget", budget(cap_usd, calls)
