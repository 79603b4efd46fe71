"""What stands beside a backtest: another framework, cases that don't count."""

from __future__ import annotations

from collections.abc import Sequence

from tuneworthy.domain.history import Fitted, Gap, RuleGap
from tuneworthy.domain.precedent import Interval, RuleId
from tuneworthy.domain.record import Unknown
from tuneworthy.report.layout import wrapped
from tuneworthy.report.precedents.words import NO_CHANCE

_RULES: dict[RuleId, str] = {
    "tree_recorded": "its tree with the checks as recorded",
    "tree_granted": "its tree with the ceiling granted",
    "score": "its score at moderate or above",
    "difference": "its difference at moderate or above",
}


def fitted(record: Fitted, form: str) -> str:
    """What a framework's record on the cases it was fitted to is worth: nothing."""
    lines = [
        f'"{record.framework}" was fitted to these {record.cases} cases from {record.clusters} '
        f"papers and companies on {record.dated.isoformat()}, so how often it is right about them "
        "says nothing. It describes them.",
        NO_CHANCE,
    ]
    closing = [
        "To judge its rules by cases of your own: tuneworthy backtest --cases FILE --framework "
        f"{record.framework}"
    ]
    title = f"What {record.framework} was fitted to"
    return _laid_out(title, lines, (), closing, form)


def more(left_out: Sequence[str], gap: Gap | None, form: str) -> str:
    """What comes after the record of the rules; nothing where there is nothing to add."""
    blocks = []
    if left_out:
        blocks.append(
            _laid_out(
                "Cases that don't count",
                [
                    f"{_cases(len(left_out))} in the file stood among those that the fit "
                    "was made from, and were left out."
                ],
                (), (), form,
            )
        )  # fmt: skip
    if gap is not None:
        title = f"{gap.framework} against {gap.other}"
        blocks.append(
            _laid_out(title, _summary(gap), [_gap(one, gap) for one in gap.rules], (), form)
        )
    return "".join("\n" + block for block in blocks)


def _summary(gap: Gap) -> list[str]:
    where = f"On the same {_cases(gap.n)} from {_cases(gap.clusters, 'source')}"
    states = [one.excludes_zero for one in gap.rules]
    if "unknown" in states:
        return [f"{where}. Too few sources to tell a difference from noise."]
    if "yes" not in states:
        return [f"{where}. No rule is told apart: every difference may be noise."]
    return [f"{where}, case by case."]


def _gap(one: RuleGap, gap: Gap) -> str:
    counts = f"{_RULES[one.rule]}: {one.agreed} right against {one.other_agreed} of {gap.n}"
    if not one.apart:
        return f"{counts}; they agree in every case"
    apart = f"they part in {_cases(one.apart)}"
    if isinstance(one.interval, Unknown):
        return f"{counts}; {apart}; whether that is noise is unknown"
    told = "may be noise" if one.excludes_zero == "no" else "is more than noise"
    return f"{counts}; {apart}; {_points(one.difference, one.interval)}, which {told}"


def _cases(number: int, one: str = "case") -> str:
    return f"{number} {one}{'' if number == 1 else 's'}"


def _points(value: float, interval: Interval) -> str:
    low, middle, high = (round(100 * number) for number in (interval.low, value, interval.high))
    return f"{middle:+d} points ({low} to {high})" if middle else f"0 points ({low} to {high})"


def _laid_out(
    title: str, lines: Sequence[str], points: Sequence[str], closing: Sequence[str], form: str
) -> str:
    """A titled block, wrapped for a terminal or as Markdown; ends with a line break."""
    if form == "markdown":
        parts = [f"## {title}", " ".join(lines)]
        parts += ["\n".join(f"* {point}" for point in points)] if points else []
        parts += [" ".join(closing)] if closing else []
        return "\n\n".join(parts) + "\n"
    told = [title, *wrapped(" ".join(lines))]
    for point in points:
        told += wrapped(point, first="* ")
    if closing:
        told += ["", *wrapped(" ".join(closing))]
    return "\n".join(told) + "\n"
