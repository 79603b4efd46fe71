"""What could be done instead of tuning or beside it, and how tuning would be done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date
from itertools import compress
from typing import Any

from tuneworthy.errors import argument
from tuneworthy.model.base import Unknown
from tuneworthy.model.dossier import Dossier, Helps, OptionResult
from tuneworthy.model.framework import Framework, Services, TargetId
from tuneworthy.report import blocks as b
from tuneworthy.report import charts
from tuneworthy.report.sections.common import (
    NOT_KNOWN,
    a_month,
    about,
    captioned,
    dollars,
    ranged,
    weeks,
)
from tuneworthy.report.sections.plan import need_text
from tuneworthy.words import capital, count, few, listing, number, plain, sentence, several, share
from tuneworthy.words import day as as_day

_TITLE = "What could be done instead, or first"
FIVE = 5


def matter(options: Sequence[OptionResult]) -> list[OptionResult]:
    """The five to look at first: what isn't tuning and may help, the best of each family."""
    best: dict[str, OptionResult] = {}
    for option in options:
        if option.kind != "tuning" and option.helps != "no":
            best.setdefault(option.id if option.variant_of == "none" else option.variant_of, option)
    return list(best.values())[:FIVE]


def section(dossier: Dossier, *, folded: bool = True) -> b.Section:
    """The recommendation, the five that matter, and all others folded away, or in parts."""
    options, advice = dossier.options, dossier.recommendation
    if isinstance(options, Unknown):
        todo = b.Todo(options.ask, "The options weren’t compared.")
        return b.section("instead", _TITLE, todo)
    ranked = sorted(options, key=lambda option: option.rank)
    tuning = [o for o in ranked if o.kind == "tuning" and o.helps in ("yes", "partly")]
    first = matter(options)
    others = [option for option in ranked if option not in (*first, *tuning)]
    around = b.fold if folded else b.part
    more = capital(f"{several(len(others), 'other option')}, and why they help or don’t")
    path = () if isinstance(advice, Unknown) else advice.options
    figures = _figures(ranked, a_month(dossier))
    return b.section(
        "instead",
        _TITLE,
        b.Todo(advice.ask, "No recommendation was worked out.")
        if isinstance(advice, Unknown)
        else b.Prose(advice.says, "lead"),
        _because("To look at first, the best on top", first, options),
        _because("Ways of tuning that may help", tuning, options, detail=True),
        captioned(charts.options(options, path), figures) or around("Figures", figures),
        around(more, _because("Other options", others, options, quiet=True)) if others else None,
    )


def _because(
    caption: str,
    shown: Sequence[OptionResult],
    every: Sequence[OptionResult],
    *,
    quiet: bool = False,
    detail: bool = False,
) -> b.Table | None:
    """Whether each helps, and why; with what is no worse in anything known and better in one."""
    named, rows = {option.id: option.title for option in every}, []
    for o in shown:
        beaten = f"; beaten by {named[o.dominated_by]}" if o.dominated_by in named else ""
        name = b.Cell(o.title, f"{plain(o.kind)}{beaten}", id=f"option-{o.id}")
        rows.append((name, o.helps, b.Cell(sentence(o.because), o.published, aside=True)))
    titles = "Option | ?Helps here | Because"
    return b.table(caption, titles, rows, quiet=quiet, detail=detail) if rows else None


def _usual(option: OptionResult, target: TargetId) -> str:
    """The mark of a figure that is a rule of thumb; none for today's, or where nothing is known."""
    figures = {"cost": option.usd_per_month, "quality": option.quality}
    move, value = option.moves[target], figures.get(target, option.latency_p95_s)
    usual = move.grade == "rule_of_thumb" and move.effect != "nothing"
    return "~" if usual and not isinstance(value, Unknown) else ""


def _figures(ranked: Sequence[OptionResult], every: str) -> b.Table:
    """What is known of each, in the columns where anything is."""
    lines = [
        (
            o.title,
            _usual(o, "cost") + dollars(o.usd_per_month),
            ranged(o.effort_hours, count, " hours"),
            weeks(o.weeks),
            _usual(o, "quality") + ranged(o.quality, share),
            _usual(o, "latency") + ranged(o.latency_p95_s, number, " s"),
            o.risk,
            charts.moves(o),
        )
        for o in ranked
    ]
    titles = f"Option | #Bill, USD{every} | #Work | #Weeks | #Quality | #p95 | Risk | Moves"
    columns = zip(*lines, strict=True)
    filled = [any(cell != NOT_KNOWN for cell in column) for column in columns] or [True]
    rows = (tuple(compress(line, filled)) for line in lines)
    caption = "Figures side by side; ~ marks a rule of thumb, applied to today’s figure"
    return b.table(caption, compress(titles.split(" | "), filled), rows, detail=True)


def instead(dossier: Dossier, case_path: str) -> b.Section | None:
    """The five for the short page; None while nothing is known of any: questions come first."""
    options = dossier.options
    if isinstance(options, Unknown) or not any(o.helps in ("yes", "partly") for o in options):
        return None
    command = f"tuneworthy show {case_path or 'CASE'} options"
    rows = ((o.title, o.helps, o.because.removesuffix(".")) for o in matter(options))
    table = b.table("To look at first", "Option | Helps here | Because", rows, quiet=True)
    return b.section("instead", _TITLE, table, f"All {few(len(options))} of them: {command} --all")


def approaches(dossier: Dossier) -> b.Section:
    """How each goal would be trained for."""
    title, goals = "How it would be fine-tuned", dossier.approaches
    if isinstance(goals, Unknown):
        return b.section("how", title, b.Todo(goals.ask, "No goal is named."))
    rows = []
    for fit in goals:
        missing = 0 if isinstance(fit.missing, Unknown) else fit.missing
        lacking = f"{count(missing)} more needed" if missing > 0 else ""
        offers = f"offered by {listing(fit.offered_by)}" if fit.offered_by else ""
        goal = b.Cell(plain(fit.goal), f"priority {fit.priority}")
        way, possible = b.Cell(fit.title, offers, aside=True), b.Cell(fit.feasible, lacking)
        rows.append((goal, way, need_text(fit), fit.compute, possible))
    titles = "Goal | Way of training | Data needed | Computing | ?Possible here"
    return b.section("how", title, b.table("The goals, the first one first", titles, rows))


def document(
    dossier: Dossier,
    framework: Framework,
    offers: Services | None = None,
    *,
    case_path: str = "",
    more: bool = False,
) -> b.Document:
    """Every option; with the services that tune, also models and who takes new work."""
    options = () if isinstance(dossier.options, Unknown) else dossier.options
    rest = len(options) - len(matter(options))
    command = f"tuneworthy show {argument(case_path) if case_path else 'CASE'} options"
    split = any(option.id == "decomposition" and option.helps != "no" for option in options)
    counts = f"of {several(len(options), 'option')} {_counts(options)}."
    return about(
        dossier,
        section(dossier),
        _split(framework) if split else None,
        _models(framework, offers, dossier) if offers else None,
        _offers(framework, offers, dossier.as_of) if offers else None,
        says=counts if options else "no options yet.",
        after=[f"{few(rest).capitalize()} more, and all figures: {command} --all"] * more,
    )


def _counts(options: Sequence[OptionResult]) -> str:
    """How many help, help in part, don't, and are unknown; kinds that have none are left out."""
    many = Counter(option.helps for option in options)
    words: dict[Helps, str] = {
        "yes": "would help",
        "partly": "would help in part",
        "no": "would not",
        "unknown": "is unknown" if many["unknown"] == 1 else "are unknown",
    }
    if len(many) == 1 and len(options) > 1:
        return f"all {words[options[0].helps]}"
    return listing([f"{few(many[kind])} {text}" for kind, text in words.items() if many[kind]])


def _split(framework: Framework) -> b.Section | None:
    """How the task would be split, where splitting may help."""
    kinds = framework.options["decomposition"].kinds
    steps = (f"{plain(step)}: {what}" for step, what in kinds.items())
    says = "Score every step by itself; the weakest is where to work."
    title, parts = "How a split would look", (b.bullets(steps, ordered=True), says)
    return b.section("split", title, parts, detail=True) if kinds else None


def _end(model: str, services: Services, day: date) -> str:
    """When a model ends, and what is named in its place; empty where no end is known."""
    end = services.end_of(model)
    if end is None:
        return ""
    verb, then = "ended" if end.ends <= day else "ends", listing(end.successors, "or")
    return f"{verb} on {as_day(end.ends)}" + f"; in its place {then}" * bool(then)


def _models(framework: Framework, offers: Services, dossier: Dossier) -> b.Section | None:
    """What models are said to be good at, which of it this case asks for, and how to measure."""
    models = framework.models
    if models is None:
        return None
    goals = () if isinstance(dossier.approaches, Unknown) else dossier.approaches
    needs = {approach.goal for approach in goals}
    for answers in (dossier.signals, dossier.factors):
        needs |= {name for name, answer in answers.items() if answer.state == "yes"}
    rows = (
        (
            b.Cell(name, _end(models.ids.get(name, ""), offers, dossier.as_of)),
            strength,
            listing([plain(s) for s in models.suits.get(name, ()) if s in needs]),
        )
        for name, strength in models.strengths.items()
    )
    caption = "Models and what they are said to be good at"
    table = b.table(caption, "Model | Said to be strong in | Asked for here", rows, quiet=True)
    says = f"{models.says} Dated {as_day(models.dated)}."
    measure = f"Measure instead. {models.measure}"
    return b.section("models", "Which model", says, table, measure)


def _offers(framework: Framework, services: Services, day: date) -> b.Section:
    known, rows = framework.approaches, []
    for service in services.services:
        named = [known[name].title for name in service.approaches if name in known]
        until = service.until
        ends = (
            "" if until is None else f"; {'ended' if until <= day else 'ends'} on {as_day(until)}"
        )
        says = f"{service.says} Read on {as_day(service.dated)}.".strip()
        offer = b.Cell(service.service, plain(service.kind))
        rows.append((offer, listing(named) or "unknown", f"{service.open_to_new}{ends}", says))
    titles = "Service | Kinds of tuning its pages name | Takes new work | What they say"
    pages = (
        (service.service, b.Cell(str(page), href=str(page)))
        for service in services.services
        for page in service.sources
    )
    return b.section(
        "offers",
        "Who still tunes",
        sentence(services.says),
        b.table("Services that tune", titles, rows, quiet=True),
        b.table("Their pages", "Service | Page", pages),
    )


def options_dict(dossier: Dossier) -> dict[str, Any]:
    """The parts of the dossier that speak of options, as plain JSON values."""
    whole = dossier.to_dict()
    names = ("case", "framework", "as_of", "options", "recommendation", "approaches")
    return {name: whole[name] for name in names}
