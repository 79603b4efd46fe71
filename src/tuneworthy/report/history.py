"""What stands beside a backtest: another framework, a fitted chance, cases that don't count."""

from __future__ import annotations

from collections.abc import Sequence

from tuneworthy.domain.history import ChanceRecord, Fitted, Gap, RuleGap
from tuneworthy.domain.odds import Estimated, TrackRecord
from tuneworthy.domain.precedent import Interval, RuleId
from tuneworthy.domain.record import Unknown
from tuneworthy.report.layout import wrapped
from tuneworthy.report.words import share

_RULES: dict[RuleId, str] = {
    "tree_recorded": "its tree with the checks as recorded",
    "tree_granted": "its tree with the ceiling granted",
    "score": "its score at moderate or above",
    "difference": "its difference at moderate or above",
}

_CODERS = {"blind1": "the first blind coder", "blind2": "the second blind coder"}


def fitted(record: Fitted, form: str) -> str:
    """What is told of a framework on the cases it was fitted to: its record on unseen ones."""
    lines = [
        f'"{record.framework}" was fitted to these {record.cases} cases on '
        f"{record.dated.isoformat()}, so how often it is right about them says nothing.",
        "What counts is how the same procedure did on cases that it hadn't seen: every choice made "
        f"again without the case's paper or company, {record.clusters} times. With the answers of",
    ]
    points = [f"{_CODERS[coder]}: {_track(one)}" for coder, one in record.records.items()]
    told = (
        "It earned its place: both gains lie above zero over their whole 95% interval, for both "
        "coders."
        if record.earned == "yes"
        else "It didn't earn its place: a gain's 95% interval holds zero, so it gives no chance."
    )
    closing = [
        f"{told} Gains are over the share of wins among all these cases. How the questions and the "
        "cases were found bears on every figure.",
        "To judge it by cases of your own: tuneworthy backtest --cases FILE --framework "
        f"{record.framework}",
    ]
    return _laid_out(
        f"How often the fit of {record.framework} is right", lines, points, closing, form
    )


def more(left_out: Sequence[str], chance: ChanceRecord | None, gap: Gap | None, form: str) -> str:
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
    if chance is not None:
        blocks.append(_laid_out("Its chance", _chance(chance), (), (), form))
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


def _chance(record: ChanceRecord) -> list[str]:
    """The fitted chance in a sentence or two."""
    if isinstance(record.agreement, Unknown):
        return [
            f"No chance was given for any of {_cases(record.abstained)}: too much of what "
            "the fit asks is open."
        ]
    assert not isinstance(record.brier, Unknown)  # they are known together
    assert not isinstance(record.base_brier, Unknown)
    interval = record.agreement.interval
    lines = [
        f"The likelier side won in {record.agreement.agreed} of {_cases(record.n)} "
        f"({share(record.agreement.rate)}, {_span(interval)}). Brier score {record.brier:.3f}; "
        f"the share of wins among these cases, used as a chance, has {record.base_brier:.3f}."
    ]
    if record.abstained:
        lines.append(
            f"For {_cases(record.abstained)} it gave none: too much of what it asks is open."
        )
    said = {
        "yes": "The difference leaves zero out.",
        "no": "The difference may be noise: its 95% interval holds zero.",
        "unknown": "Too few sources to tell the difference from noise.",
    }
    return [*lines, said[record.excludes_zero]]


def _track(record: TrackRecord) -> str:
    return (
        f"right in {share(record.accuracy.value)} of {record.cases} ({_ends(record.accuracy)}), "
        f"{_more(record.accuracy_gain)}; Brier score {record.brier.value:.3f} "
        f"({record.brier.low:.3f} to {record.brier.high:.3f}), better by "
        f"{record.brier_gain.value:.3f} ({record.brier_gain.low:.3f} to "
        f"{record.brier_gain.high:.3f})"
    )


def _more(gain: Estimated) -> str:
    low, middle, high = (round(100 * number) for number in (gain.low, gain.value, gain.high))
    return f"{middle:+d} points ({low} to {high})"


def _ends(value: Estimated) -> str:
    return f"{share(value.low)} to {share(value.high)}"


def _span(interval: Interval) -> str:
    return f"{share(interval.low)} to {share(interval.high)}"


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
