"""What could be done instead of tuning or beside it, and how tuning would be done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import compress
from typing import Any

from tuneworthy.model.base import Unknown
from tuneworthy.model.dossier import Dossier, Helps, OptionResult, OutlookGrade, Recommendation
from tuneworthy.model.framework import Framework, Service, Services, TargetId
from tuneworthy.report import charts
from tuneworthy.report.blocks import (
    Block,
    Bullets,
    Cell,
    Column,
    Document,
    Fold,
    Part,
    Picture,
    Prose,
    Section,
    Table,
    Todo,
    head,
)
from tuneworthy.report.sections.common import (
    NOT_KNOWN,
    byline,
    dollars,
    ranged,
    weeks,
)
from tuneworthy.report.sections.plan import need_text
from tuneworthy.words import count, few, listing, number, plain, sentence, several, share

_TITLE, _SHORT = "What could be done instead, or first", "Instead"
FIVE = 5

GRADES: dict[OutlookGrade, str] = {
    "measured": "measured",
    "published_cases": "published cases",
    "rule_of_thumb": "rule of thumb",
}


def matter(options: Sequence[OptionResult]) -> list[OptionResult]:
    """The five to look at first: what isn't tuning and may help, the best of each family."""
    best: dict[str, OptionResult] = {}
    for option in options:
        if option.kind != "tuning" and option.helps != "no":
            best.setdefault(option.id if option.variant_of == "none" else option.variant_of, option)
    return list(best.values())[:FIVE]


# The section.


def section(dossier: Dossier, *, folded: bool = True) -> Section:
    """The recommendation, the five that matter, and all others folded away, or in parts."""
    options, advice = dossier.options, dossier.recommendation
    if isinstance(options, Unknown):
        todo = Todo(options.ask, "The options weren’t compared.")
        return Section("instead", _TITLE, (todo,), _SHORT)
    blocks: list[Block] = []
    if isinstance(advice, Recommendation):
        blocks.append(Prose(advice.says, "lead"))
    else:
        blocks.append(Todo(advice.ask, "No recommendation was worked out."))
    ranked = sorted(options, key=lambda option: option.rank)
    first = matter(options)
    others = [option for option in ranked if option not in first]
    if first:
        blocks.append(_because("To look at first, the best on top", first, options))
    drawing = charts.options(options)
    if drawing is not None:
        says = (
            "Options that may help, the first to try on top, by the weeks until they are in use: a "
            "line from the fewest to the most. A full circle helps, a ring helps in part, a "
            "diamond is not known."
        )
        title, rows = (
            "How soon each would be in use",
            tuple((o.title, weeks(o.weeks)) for o in ranked),
        )
        table = Table("Weeks until each is in use", head("Option", "#Weeks"), rows)
        blocks.append(Picture("options", title, says, drawing, table, table_is="elsewhere"))
    around = Fold if folded else Part
    if others:
        more = f"{several(len(others), 'other option')}, and why they help or don’t"
        blocks.append(around(sentence(more)[:-1], (_because("Other options", others, options),)))
    table, lacking = _figures(ranked)
    marks = "~ marks a rule of thumb, applied to today’s figure. Score it on your own cases."
    figures: tuple[Block, ...] = (table, Prose(marks, "small"))
    if lacking:
        figures += (Prose(sentence(f"not known of any option: {listing(lacking)}")),)
    if to_fill := tuple(map(sentence, _to_fill(ranked))):
        figures += (Part("To fill what isn’t known", (Bullets(to_fill),)),)
    blocks.append(around("All figures, side by side", figures))
    return Section("instead", _TITLE, tuple(blocks), _SHORT)


def _because(
    caption: str, shown: Sequence[OptionResult], all_of_them: Sequence[OptionResult]
) -> Table:
    """Whether each helps, and why; with what is no worse in anything known and better in one."""
    titles = {option.id: option.title for option in all_of_them}
    rows = tuple(
        (
            Cell(o.title, _kind(o, titles)),
            o.helps,
            Cell(sentence(o.because), o.published),
        )
        for o in shown
    )
    titles_ = head("Option", "?Helps here", "Because")
    return Table(caption, titles_, rows, quiet=caption == "Other options")


def _kind(option: OptionResult, titles: Mapping[str, str]) -> str:
    beaten = titles.get(option.dominated_by)
    return f"{plain(option.kind)}; beaten by {beaten}" if beaten else plain(option.kind)


_FIGURES = head(
    "#USD a month",
    "#Work",
    "#Weeks",
    "#Quality",
    "#Latency (p95)",
    "Risk",
    "Evidence",
)


def _usual(option: OptionResult, target: TargetId) -> str:
    """The mark of a figure that is a rule of thumb; none for today's, or where nothing is known."""
    figures = {"cost": option.usd_per_month, "quality": option.quality}
    move, value = option.moves[target], figures.get(target, option.latency_p95_s)
    usual = move.grade == "rule_of_thumb" and move.effect != "nothing"
    return "~" if usual and not isinstance(value, Unknown) else ""


def _figures(ranked: Sequence[OptionResult]) -> tuple[Table, list[str]]:
    """What is known of each, in the columns where anything is; and the titles of the others."""
    lines = [
        (
            _usual(o, "cost") + dollars(o.usd_per_month),
            ranged(o.effort_hours, count, " hours"),
            weeks(o.weeks),
            _usual(o, "quality") + ranged(o.quality, share),
            _usual(o, "latency") + ranged(o.latency_p95_s, number, " s"),
            o.risk,
            GRADES[o.grade],
        )
        for o in ranked
    ]
    kept = [any(cell != NOT_KNOWN for cell in column) for column in zip(*lines, strict=True)]
    columns = (Column("Option"), *compress(_FIGURES, kept))
    rows = tuple((o.title, *compress(line, kept)) for o, line in zip(ranked, lines, strict=True))
    lacking = [c.title.lower() for c, is_kept in zip(_FIGURES, kept, strict=True) if not is_kept]
    return Table("Cost, work and risk of each option", columns, rows, quiet=True), lacking


def _to_fill(options: Sequence[OptionResult]) -> list[str]:
    """What would fill the unknown columns, each once, with how many cells it would fill."""
    asks = Counter(
        value.ask
        for o in options
        for value in (o.quality, o.usd_per_month, o.latency_p95_s, o.effort_hours, o.weeks)
        if isinstance(value, Unknown)
    )
    return [f"{ask} ({count(many)} unknown)" for ask, many in asks.items()]


def instead(dossier: Dossier, case_path: str) -> Section | None:
    """The five for the short page; None while nothing is known of any: questions come first."""
    options = dossier.options
    if isinstance(options, Unknown) or not any(o.helps in ("yes", "partly") for o in options):
        return None
    command = f"tuneworthy options {case_path}".rstrip()
    rows = tuple((o.title, o.helps, o.because.removesuffix(".")) for o in matter(options))
    table = Table("To look at first", head("Option", "Helps here", "Because"), rows, quiet=True)
    more = Prose(f"All {few(len(options))} of them: {command} --all")
    return Section("instead", _TITLE, (table, more))


def approaches(dossier: Dossier) -> Section:
    """How each goal would be trained for."""
    title = "How it would be fine-tuned"
    if isinstance(dossier.approaches, Unknown):
        return Section("how", title, (Todo(dossier.approaches.ask, "No goal is named."),), "How")
    rows = []
    for approach in dossier.approaches:
        missing = 0 if isinstance(approach.missing, Unknown) else approach.missing
        lacking = f"{count(missing)} more needed" if missing > 0 else ""
        offers = f"offered by {listing(approach.offered_by)}" if approach.offered_by else ""
        goal, way = (
            Cell(plain(approach.goal), f"priority {approach.priority}"),
            Cell(approach.title, offers),
        )
        rows.append(
            (goal, way, need_text(approach), approach.compute, Cell(approach.feasible, lacking))
        )
    titles = head("Goal", "Way of training", "Data needed", "Computing", "?Possible here")
    table = Table("The goals, the first one first", titles, tuple(rows))
    return Section("how", title, (table,), "How")


# The document of ``tuneworthy options``.


def document(
    dossier: Dossier,
    framework: Framework,
    offers: Services | None = None,
    *,
    case_path: str = "",
    more: bool = False,
) -> Document:
    """Every option; with the services that tune, also models and who takes new work.

    With ``more``, the command that shows what a terminal leaves out.
    """
    options = () if isinstance(dossier.options, Unknown) else dossier.options
    sections = [section(dossier)]
    if any(option.id == "decomposition" and option.helps != "no" for option in options):
        sections += _split(framework)
    if offers is not None:
        sections += [*_models(framework, dossier), _offers(framework, offers, dossier.as_of)]
    rest = len(options) - len(matter(options))
    command = f"tuneworthy options {case_path}".rstrip()
    counts = f"of {several(len(options), 'option')} {_counts(options)}."
    return Document(
        name=dossier.case.name,
        headline=counts if options else "no options yet.",
        byline=(byline(dossier),),
        sections=tuple(sections),
        after=(f"{few(rest).capitalize()} more, and all figures: {command} --all",) * more,
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


def _split(framework: Framework) -> Iterator[Section]:
    """How the task would be split, where splitting may help."""
    kinds = framework.options["decomposition"].kinds
    if kinds:
        steps = Bullets(tuple(f"{plain(step)}: {what}" for step, what in kinds.items()), True)
        says = Prose("Score every step by itself; the weakest is where to work.")
        yield Section("split", "How a split would look", (steps, says), detail=True)


def _models(framework: Framework, dossier: Dossier) -> Iterator[Section]:
    """What models are said to be good at, which of it this case asks for, and how to measure."""
    models = framework.models
    if models is None:
        return
    goals = () if isinstance(dossier.approaches, Unknown) else dossier.approaches
    wanted = {approach.goal for approach in goals}
    wanted |= {name for name, answer in dossier.signals.items() if answer.state == "yes"}
    wanted |= {name for name, answer in dossier.factors.items() if answer.state == "yes"}
    rows = tuple(
        (name, strength, listing([plain(s) for s in models.suits.get(name, ()) if s in wanted]))
        for name, strength in models.strengths.items()
    )
    titles = head("Model", "Said to be strong in", "Asked for here")
    says = Prose(f"{models.says} Dated {models.dated}.")
    measure = Prose(f"Measure instead. {models.measure}")
    table = Table("Models and what they are said to be good at", titles, rows, quiet=True)
    yield Section("models", "Which model", (says, table, measure))


def _offers(framework: Framework, services: Services, day: date) -> Section:
    known = framework.approaches
    rows = tuple(
        (
            Cell(service.service, plain(service.kind)),
            listing([known[name].title for name in service.approaches if name in known])
            or "unknown",
            _open(service, day),
            f"{service.says} ({service.dated})".strip(),
        )
        for service in services.services
    )
    titles = head("Service", "Kinds of tuning its pages name", "Takes new work", "What they say")
    table = Table("Services that tune", titles, rows, quiet=True)
    links = tuple(
        (service.service, Cell(str(page), href=str(page)))
        for service in services.services
        for page in service.sources
    )
    pages = Table("Their pages", head("Service", "Page"), links)
    return Section("offers", "Who still tunes", (Prose(sentence(services.says)), table, pages))


def _open(service: Service, day: date) -> str:
    if service.until is None:
        return service.open_to_new
    return (
        f"{service.open_to_new}; {'ended' if service.until <= day else 'ends'} on {service.until}"
    )


def options_dict(dossier: Dossier) -> dict[str, Any]:
    """The parts of the dossier that speak of options, as plain JSON values."""
    whole = dossier.to_dict()
    names = ("case", "framework", "as_of", "options", "recommendation", "approaches")
    return {name: whole[name] for name in names}
