"""What a pilot would take, and its go/no-go card."""

from __future__ import annotations

from tuneworthy.model.base import Unknown, json_text
from tuneworthy.model.evidence import PilotCard
from tuneworthy.model.lab import Quote
from tuneworthy.model.pilot import LearningCurve, PilotPlan, PilotResult, TrainingQuote
from tuneworthy.report import blocks as b
from tuneworthy.report.sections.lab import duration, share_text
from tuneworthy.words import (
    count,
    counted,
    day,
    listing,
    number,
    quality,
    quality_interval,
    sentence,
    share,
    signed,
    small_usd,
)

ANSWERS = {"go": "Go", "no_go": "No-go", "open": "Not decided"}
_OUTLOOKS = {
    "flat": "flat: even the upper end of what one more doubling adds lies under the margin",
    "rising": "still rising",
    "unclear": "nobody can say: what one more doubling adds may be nothing",
    "unknown": "too few sizes for a curve",
}


def pilot_dict(result: PilotResult) -> str:
    return json_text({"schema": "tuneworthy/pilot/1", **result.model_dump(mode="json")})


def pilot_document(result: PilotResult, name: str = "") -> b.Document:
    """The card first, then the ways, the curve and what it cost."""
    card = result.card
    arms = [
        (
            row.arm.id,
            share_text(row.quality),
            "not known" if isinstance(row.usd_per_case, Unknown) else small_usd(row.usd_per_case),
            "" if isinstance(row.latency_p95_s, Unknown) else number(row.latency_p95_s),
        )
        for row in result.arms
    ]
    sections = (
        card_section(card),
        b.section(
            "ways",
            "The ways on the held-out cases",
            b.table(
                "Every way on the same cases",
                "Way | #Quality | #USD a case | #p95 in s",
                arms,
                quiet=True,
            ),
        ),
        b.section("curve", "What more examples would bring", *curve_blocks(result.curve)),
        b.section("pilot", "The pilot", b.facts(_facts(result))),
    )
    headline = f"{ANSWERS[card.answer]}: {card.because}"
    short = b.facts([("Curve", _OUTLOOKS[result.curve.outlook]), ("Signs", card.signs)], "key")
    return b.Document(name, sentence(headline), sections, facts=short)


def card_section(card: PilotCard) -> b.Section:
    """The card: each target with its state and what it rests on."""
    rows = [(row.title, row.state, sentence(row.says), sentence(row.rests_on)) for row in card.rows]
    table = b.table("The card", "Target | ?State | Found | Rests on", rows, quiet=True)
    return b.section("card", "Go or no-go", f"{card_text(card)}", table, f"Signs: {card.signs}.")


def card_text(card: PilotCard) -> str:
    return f"{ANSWERS[card.answer]}, by the pilot of {day(card.on)}: {card.because}"


def curve_blocks(curve: LearningCurve) -> tuple[b.Block, ...]:
    """Each size with its interval, and what the target takes."""
    rows = [
        (
            count(p.examples),
            quality_interval(p.value, p.low, p.high),
            "by the curve" if p.ahead else "trained",
        )
        for p in curve.points
    ]
    table = b.table(
        "Quality by number of examples, on the cases for selecting",
        "#Examples | #Quality | How",
        rows,
    )
    says = [("Outlook", _OUTLOOKS[curve.outlook])]
    if not isinstance(curve.gain, Unknown):
        says.append(
            ("One more doubling", f"adds {signed(curve.gain[0])} to {signed(curve.gain[1])}")
        )
    says.append(("For the target", needed_text(curve)))
    return table, b.facts(says)


def needed_text(curve: LearningCurve) -> str:
    """Examples that would reach the target, as an interval."""
    needed = curve.needed
    if isinstance(needed, Unknown):
        return needed.ask
    if needed.high == needed.low == "never":
        return "never by this curve: no number of such examples reaches it"
    if needed.low in ("more", "never"):
        return f"more than {count(needed.limit)} examples, if any number does"
    low = count(float(needed.low))
    if needed.high in ("more", "never"):
        return f"{low} examples or more; it may take more than {count(needed.limit)}"
    return f"{low} to {count(float(needed.high))} examples"


def _sizes(plan: PilotPlan) -> str:
    return f"{listing([count(n) for n in plan.sizes])} examples, {counted(plan.seeds, 'seed')}"


def _facts(result: PilotResult) -> list[tuple[str, str]]:
    plan, seeds = result.plan, result.seeds_apart
    trained = [run for run in result.trained if run.state == "trained"]
    took = duration(sum(run.seconds for run in trained))
    epochs = counted(plan.recipe.epochs, "epoch")
    if plan.way != "hosted":
        epochs += f", {counted(plan.recipe.least_steps, 'step')} at least"
    rows = [
        ("Tuned", f"{plan.base}, {plan.way} way, {plan.recipe.method.upper()}, {epochs}"),
        ("Trained", f"{counted(len(trained), 'run')}: {_sizes(plan)}, in {took}"),
    ]
    if not isinstance(seeds, Unknown):
        rows.append(("Seeds", f"{quality(seeds.low)} to {quality(seeds.high)} at the largest size"))
    if result.ended_by_rule:
        rows.append(("Ended early", plan.stop))
    if result.stopped:
        rows.append(("Stopped", sentence(result.stopped)))
    rows += [
        ("Plan", f"written down on {day(plan.written_on)}, before the first run"),
        ("Spent", f"{small_usd(result.spend.paid)} of {small_usd(result.spend.cap)}"),
    ]
    return rows


def pilot_quote_document(
    plan: PilotPlan, training: TrainingQuote, calls: Quote, cap_usd: float, name: str = ""
) -> b.Document:
    """What would be trained and asked, and what it takes."""
    time = training.seconds
    rows = [
        ("Base", f"{plan.base}, {plan.way} way"),
        (
            "Runs",
            f"{counted(training.jobs, 'run')} to train, {count(training.reused)} there already",
        ),
        (
            "Sizes",
            f"{_sizes(plan)}; {count(plan.replay)} general ones and {count(plan.canaries)} planted "
            "secrets in the largest",
        ),
        (
            "Time to train",
            time.ask
            if isinstance(time, Unknown)
            else f"about {duration(time)}, from a few measured steps",
        ),
        (
            "Calls",
            f"{counted(calls.calls, 'call')} at most, on {counted(plan.cases, 'held-out case')} "
            "and the cases for selecting",
        ),
        ("Price", f"{small_usd(calls.usd_most)} at most, training among it"),
        ("Margin", share(plan.margin)),
        ("Ends early", plan.stop),
    ]
    if not isinstance(training.memory_mib, Unknown):
        rows.insert(4, ("Memory", f"about {training.memory_mib:,.0f} MiB"))
    if calls.usd_most > cap_usd:
        rows.append(
            ("Budget", f"{small_usd(cap_usd)} may be too little: --budget {calls.usd_most:.2f}")
        )
    return b.Document(name, "What the pilot would take", (), facts=b.facts(rows))
