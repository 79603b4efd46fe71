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

ANSWERS = named("card_answers")
_OUTLOOKS = named("outlooks")


def pilot_document(result: PilotResult, name: str = "", folder: str = "") -> b.Document:
    """The card first, then the ways, the curve and the cost.

    ``folder`` is the case as the user named it; empty on the page, which shows no command.
    """
    card = result.card
    where = argument(folder or "CASE")
    trained = f"; {_trained(result)}"
    curve = curve_blocks(result.curve, _quality_limit(result))
    sections = (
        card_section(card),
        b.section("ways", "The ways on the held-out cases", _pilot_arms(result)),
        b.section("curve", "What more examples would bring", curve),
        *after_no_gain(result.verify, where, result.curve, trained),
        b.section("pilot", "The pilot", b.facts(_pilot_rows(result))),
    )
    lead = ""
    if folder and result.stopped:
        lead = f"Now: tuneworthy pilot {argument(folder)} --resume"
    elif folder:
        lead = f"Now: tuneworthy decide {argument(folder)}"
    facts = b.facts(_key_facts(result), "key")
    headline = sentence(_card_headline(card))
    return b.Document(name, headline, sections, facts=facts, lead=lead)


def _key_facts(result: PilotResult) -> Rows:
    """The first things to know about a pilot: the reason, a cheaper check, the curve, the signs."""
    card = result.card
    yield "Because", card.because
    if card.unsearched:
        yield "Cheaper check", sentence(card.unsearched)
    yield "Curve", outlook_text(result.curve)
    yield "Signs", card.signs


def _quality_limit(result: PilotResult) -> float | None:
    """The target for quality; None where none is stated."""
    target = result.verify.targets.get("quality")
    if target is None or isinstance(target.limit, Unknown):
        return None
    return target.limit


def _pilot_arms(result: PilotResult) -> b.Table:
    """The ways of a pilot on the held-out cases."""
    rows = []
    for arm in result.arms:
        # the race left some behind, but all of them met the held-out cases
        in_race = arm.model_copy(update={"dropped_after": None})
        rows.append(board_row(in_race))
    title = "Every way on the same cases"
    return b.table(title, f"Way | {MEASURED}", rows, quiet=True)


def _card_headline(card: PilotCard) -> str:
    """The answer of a card, with the number of targets in each state."""
    targets = Counter[str](row.state for row in card.rows)
    counts = [
        f"{few(targets[state])} {state}"
        for state in ("met", "missed", "unknown")
        if targets[state]
    ]
    answer = ANSWERS[card.answer]
    return f"{answer}: of {few(len(card.rows))} targets, {listing(counts)}"


def card_section(card: PilotCard, *before: str) -> b.Section:
    """The card: each target with its state and grounds, below the sentences of ``before``."""
    cells = "{title} | {state} | {says:sentence} | {rests_on:sentence}"
    titles = "Target | ?State | Found | Rests on"
    table = b.records("The card", titles, cells, card.rows, quiet=True)
    return b.section("card", "Go or no-go", *before, table)


def card_text(card: PilotCard) -> str:
    return f"{ANSWERS[card.answer]}, by the pilot of {day(card.on)}: {card.because}"


def curve_blocks(curve: LearningCurve, target: float | None) -> tuple[b.Block, ...]:
    """Each size with its interval, as a picture and a table, and the examples the target needs."""
    rows = [
        (
            count(point.examples),
            quality_interval(point.value, point.low, point.high),
            "by the curve" if point.ahead else "trained",
        )
        for point in curve.points
    ]
    title = "Quality by number of examples, on the cases for selecting"
    sizes = b.table(title, "#Examples | #Quality | How", rows)
    drawing = charts.learning(curve.points, target)
    picture = captioned(drawing, sizes, title=outlook_title(curve))
    says = [("Outlook", outlook_text(curve))]
    if not isinstance(curve.gain, Unknown):
        low, high = curve.gain
        says.append(("One more doubling", f"adds {signed(low)} to {signed(high)}"))
    says.append(("For the target", needed_text(curve)))
    return picture or sizes, b.facts(says)


def curve_drawing(result: PilotResult) -> charts.Drawing | None:
    """The learning curve of the judged way with the target; None for a single size."""
    return charts.learning(result.curve.points, _quality_limit(result))


def outlook_title(curve: LearningCurve) -> str:
    """The finding that the picture of the learning curve shows, as its title."""
    return capital(outlook_text(curve))


def outlook_text(curve: LearningCurve) -> str:
    """The outlook of the curve; another text where no size got any case right."""
    trained = [point for point in curve.points if not point.ahead]
    is_ever_right = any(point.value > 0 for point in trained)
    if is_ever_right or curve.outlook == "unknown":
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
    text = share_text(routed.quality)
    if not isinstance(routed.usd_per_case, Unknown):
        text += f", {small_usd(routed.usd_per_case)} a case"
    return (
        f"{text}: {routed.head} answers from a chance of "
        f"{quality(routed.sure_from)} on, and {routed.model} the other {share(routed.to_model)}"
    )


def _pilot_rows(result: PilotResult) -> Rows:
    """The rows of a pilot's result."""
    plan = result.plan
    yield from _tuned_rows(result)
    if result.bases:
        tried = [f"{each.base} {quality(each.right)}" for each in result.bases]
        yield "Bases tried", f"{listing(tried)}, on the cases for selecting"
    if plan.rates:
        rates = listing([f"{rate:g}" for rate in plan.rates])
        yield "Rates tried", f"{rates}, on the cases for selecting"
    seeds = result.seeds_apart
    if not isinstance(seeds, Unknown):
        ends = f"{quality(seeds.low)} to {quality(seeds.high)}"
        yield "Seeds", f"{ends} at the largest size"
    if not isinstance(result.routed, Unknown):
        yield "Routed", routed_text(result.routed)
    if not isinstance(result.routed_tuned, Unknown):
        yield "Routed, tuned", routed_text(result.routed_tuned)
    if result.ended_by_rule:
        yield "Ended early", plan.stop
    if result.stopped:
        yield "Stopped", sentence(result.stopped)
    when = "before the first run"
    if plan.after_results:
        when = "after results of an earlier plan were seen"
    yield "Plan", plan_text(plan, when)
    yield "Spent", _pilot_spent(result.spend)


def _tuned_rows(result: PilotResult) -> Rows:
    """The tuned model, its recipe, its runs, and how many of them came with the folder."""
    plan = result.plan
    recipe = plan.recipe
    how = counted(recipe.epochs, "epoch")
    if plan.way != "hosted":  # a service doesn't say the rest of its recipe
        how += f", {counted(recipe.least_steps, 'step')} at least"
        how += f", rate {recipe.rate:g}, rank {count(recipe.rank)}"
    yield "Tuned", f"{plan.base}, {plan.way} way, {recipe.method.upper()}, {how}"
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
    yield "Base", f"{listing(plan.bases) or plan.base}, {plan.way} way"
    jobs = counted(training.jobs, "run")
    yield "Runs", f"{jobs} to train, {count(training.reused)} already trained"
    secrets = f"{count(plan.canaries)} planted secrets in the largest"
    more = f"{count(plan.replay)} general ones and {secrets}"
    yield "Sizes", f"{_sizes(plan)}; {more}"
    seconds = training.seconds
    if isinstance(seconds, Unknown):
        yield "Time to train", seconds.ask
    else:
        yield "Time to train", f"about {duration(seconds)}, from a few measured steps"
    if not isinstance(training.memory_mib, Unknown):
        yield "Memory", f"about {training.memory_mib:,.0f} MiB"
    yield (
        "Calls",
        f"{counted(calls.calls, 'call')} at most, on {counted(plan.cases, 'held-out case')} "
        "and the cases for selecting",
    )
    if not isinstance(training.seconds_a_call, Unknown):
        took = duration(training.seconds_a_call * calls.calls)
        yield "Time to ask", f"about {took}, from a few calls of the base"
    yield "Price", f"{small_usd(calls.usd_most)} at most, training among it"
    yield "Margin", share(plan.margin)
    yield "Ends early", plan.stop
    yield "Budget", budget(cap_usd, calls)
