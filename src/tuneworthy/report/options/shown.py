"""The options on a page: five rows for a terminal, the whole matrix for Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.outlook import Number, OptionResult, Recommendation
from tuneworthy.domain.record import Range, Unknown
from tuneworthy.report.layout import Paint, safe, table, wrapped
from tuneworthy.report.options.advice import CHOICES
from tuneworthy.report.words import count, few, listing, number, plain, quality, usd, usd_range

FIVE = 5


_ASKED = ("better_retrieval", "other_model", "decomposition", "hybrid")
"""What everybody asks about; shown before others that are unknown or don't help."""


def matter(options: Sequence[OptionResult]) -> list[OptionResult]:
    """The five to look at first: what helps, by rank, then what everybody asks about.

    Of the variants of one option, and of the kinds of tuning, the best goes first, and the others
    stand there only where they help and there is room.
    """
    best: dict[str, OptionResult] = {}
    for one in options:
        best.setdefault(_family(one), one)

    def helps(one: OptionResult) -> bool:
        return one.helps in ("yes", "partly")

    def order(one: OptionResult) -> tuple[bool, bool, int]:
        first = best[_family(one)] is one if helps(one) else _family(one) in _ASKED
        return not helps(one), not first, one.rank

    there = [one for one in options if helps(one) or best[_family(one)] is one]
    shown = sorted(there, key=order)[:FIVE]
    return sorted(shown, key=lambda one: (not helps(one), one.rank if helps(one) else 0))


def _family(option: OptionResult) -> str:
    if option.kind == "tuning" and option.id != "hybrid":
        return "tuning"
    return option.id if option.variant_of == "none" else option.variant_of


def instead(dossier: Dossier, paint: Paint, case_path: str) -> list[str]:
    """The section of the terminal's report, with the way to all of them.

    Empty without options, and while nothing is known of any: the open questions come first.
    """
    if isinstance(dossier.options, Unknown):
        return []
    if all(one.helps == "unknown" for one in dossier.options):
        return []
    lines = [paint("strong", "Instead, or as well"), *rows(matter(dossier.options))]
    command = f"tuneworthy options {safe(case_path)}".rstrip()
    return [*lines, *wrapped(f"All {few(len(dossier.options))} of them: {command} --all")]


def rows(options: Sequence[OptionResult], titles: dict[str, str] | None = None) -> list[str]:
    """Aligned rows: what, whether it helps, why. With titles, also what beats it."""
    told = []
    for one in options:
        why = one.because.removesuffix(".")
        if titles and one.dominated_by != "none":
            why += f"; {titles[one.dominated_by]} is no worse in anything known, and better in one"
        told.append((safe(one.title), one.helps, safe(why)))
    return table(told)


def says(found: Recommendation, options: Sequence[OptionResult]) -> str:
    """The recommendation as a paragraph, with what to begin with."""
    titles = {one.id: one.title for one in options}
    begin = listing([safe(titles.get(name, plain(name))) for name in found.options])
    named = found.choice in ("both", "fine_tune")  # the sentence has named them
    start = f" Begin with: {begin}." if begin and not named else ""
    return f"{CHOICES[found.choice].capitalize()}. {safe(found.says)}{start}"


def amount(value: Number, unit: str = "") -> str:
    """A number of a column, its ends, or that it isn't known."""
    if isinstance(value, Unknown):
        return "unknown"
    if isinstance(value, Range):
        high = value.high
        return (
            f"{number(value.low)} or more{unit}"
            if high == "open"
            else f"{number(value.low)}–{number(high)}{unit}"
        )
    return f"{number(value)}{unit}"


def money(value: Number) -> str:
    """USD of a column, its ends, or that it isn't known."""
    if isinstance(value, Unknown):
        return "unknown"
    if isinstance(value, Range):
        return usd(value.low) if value.high == "open" else usd_range(value.low, value.high)
    return usd(value)


def cells(option: OptionResult) -> tuple[str, ...]:
    """The columns of the matrix, but for title, reason and what beats it."""
    right = option.quality
    return (
        option.helps,
        plain(option.grade),
        "unknown" if isinstance(right, Unknown) else quality(right) if isinstance(right, float)
        else amount(right),
        money(option.usd_per_month),
        amount(option.latency_p95_s, " s"),
        amount(option.effort_hours),
        amount(option.weeks),
        option.risk,
    )  # fmt: skip


HEAD = ("helps", "evidence", "quality", "USD a month", "latency (p95)", "hours", "weeks", "risk")
"""Heads of ``cells``."""


def asks(options: Sequence[OptionResult]) -> list[str]:
    """What would fill the unknown columns, each once, with how many cells it would fill."""
    found: dict[str, int] = {}
    for one in options:
        for value in (
            one.quality,
            one.usd_per_month,
            one.latency_p95_s,
            one.effort_hours,
            one.weeks,
        ):
            if isinstance(value, Unknown):
                found[value.ask] = found.get(value.ask, 0) + 1
    return [f"{ask} ({count(many)} unknown)" for ask, many in found.items()]
