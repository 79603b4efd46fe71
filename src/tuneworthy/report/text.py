"""The dossier for a terminal: the verdict in the first line, nothing lost without colour."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.outlook import Duration, InvestmentResult
from tuneworthy.domain.record import Range, Unknown
from tuneworthy.domain.rules import Band
from tuneworthy.domain.sections import BandRange, ChallengeResult, FactorResult
from tuneworthy.report.evidence.rows import measured_text
from tuneworthy.report.flips import flip_lines
from tuneworthy.report.layout import Paint, Style, row, safe, table, wrapped
from tuneworthy.report.money.rows import assumed_text, drawn_text
from tuneworthy.report.options.shown import instead
from tuneworthy.report.precedents.text import others_row
from tuneworthy.report.verdicts import OUTCOME_WORDS
from tuneworthy.report.words import bits, few, listing, months, months_range, number, share

_STYLE: dict[str, Style] = {
    "fine_tune_candidate": "good",
    "undecided": "warn",
}
_MOST_QUESTIONS = 3
_ROWS = {
    "Ceiling": ("ceiling", "today.quality"),
    "Pays back": ("economics", "today.usd_per_month"),
    "Data": ("data",),
}


def text(dossier: Dossier, *, case_path: str = "", colour: bool = False) -> str:
    """The report.

    Args:
        dossier: What to report.
        case_path: How the user named the case, for commands to go on with.
        colour: Whether the terminal takes colour.

    Returns:
        Lines of at most 80 columns, the last one ended.
    """
    paint = Paint(colour)
    if dossier.quick is not None:
        return "\n".join(_quick(dossier, paint, case_path)) + "\n"
    blocks = [
        _head(dossier, paint),
        _rows(dossier),
        measured_text(dossier, paint),
        challenge_lines(dossier.challenges, paint),
        _flips(dossier, paint),
        _questions(dossier, paint),
        _stages(dossier, paint),
        _caveats(dossier, paint),
        instead(dossier, paint, case_path),
        [*_next(dossier, case_path), *_more(case_path)],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _next(dossier: Dossier, case_path: str) -> list[str]:
    """The next step; for a question, with the command that answers it."""
    lines = wrapped(safe(dossier.verdict.next), first="Next: ")
    asked = dossier.next_questions
    if case_path and asked and dossier.verdict.action == "answer_questions":
        said = f"tuneworthy answer {safe(case_path)} {safe(asked[0].factor)}=yes (or no)"
        lines += wrapped(said, first="      ")
    return lines


def _more(case_path: str) -> list[str]:
    """Where to go on from here."""
    if not case_path:
        return []
    return wrapped(
        f"tuneworthy explain|options|invest|plan|precedents {safe(case_path)}", first="More: "
    )


def headline(dossier: Dossier) -> str:
    """The case and its verdict in one sentence, safe for a line of a terminal."""
    return f"{safe(dossier.case.name)}: {safe(dossier.verdict.summary)}"


def finality(dossier: Dossier) -> str:
    """Whether the verdict can still move."""
    asked = [one.state for one in dossier.factors.values()]
    asked += [one.state for one in dossier.ceiling.checks.values()]
    open_answers = asked.count("unknown")
    if not dossier.verdict.final:
        if open_answers == len(asked):
            return "Not final: nothing is answered yet."
        return f"Not final; leaning to {OUTCOME_WORDS[dossier.verdict.leaning]}."
    return "Final: no open answer changes it." if open_answers else "Final: every answer is in."


def _head(dossier: Dossier, paint: Paint) -> list[str]:
    style = _STYLE.get(dossier.verdict.outcome, "strong")
    lines = [paint(style, line) for line in wrapped(headline(dossier), rest="  ")]
    by = f"By the {dossier.framework.name} framework, as of {dossier.as_of}. {finality(dossier)}"
    return [*lines, *(paint("dim", line) for line in wrapped(by))]


def _rows(dossier: Dossier) -> list[str]:
    lines = [
        *row("Ceiling", ceiling_text(dossier), mark=_marks("Ceiling", dossier)),
        *row("For", _factors(dossier, "indicator"), mark=_marks("For", dossier)),
        *row("Against", _factors(dossier, "anti_indicator"), mark=_marks("Against", dossier)),
        *row("Strength", strength_text(dossier)),
        *row("Pays back", pays_back_text(dossier), mark=_marks("Pays back", dossier)),
        *others_row(dossier),
    ]
    if any(f.source == "assumed" and f.state == "yes" for f in dossier.factors.values()):
        lines += row("", "* inferred from a stated number")
    if not dossier.verdict.final:
        lines += row("Possible", possible_text(dossier))
    gates = [
        gate for gate in dossier.verdict.gates if gate.state != "yes" and gate.id != "strength"
    ]
    if dossier.verdict.outcome == "fine_tune_candidate" and gates:
        for index, gate in enumerate(gates):
            lines += row("Gates" if index == 0 else "", f"{gate.id} {gate.state}: {safe(gate.why)}")
    return lines


def ceiling_text(dossier: Dossier) -> str:
    """Whether the ceiling is reached, with the checks that lack."""
    checks = dossier.ceiling.checks
    if not checks:
        return "not asked by this framework"
    done = sum(check.state == "yes" for check in checks.values())
    reached = {"yes": "reached", "no": "not reached", "unknown": "unknown"}[dossier.ceiling.reached]
    said = f"{reached}, {done} of {len(checks)} checks"
    lacking = [safe(c.title) for c in checks.values() if c.state == "no"]
    still_open = [safe(c.title) for c in checks.values() if c.state == "unknown"]
    if lacking:
        said += f"; not done: {listing(lacking)}"
    if still_open:
        said += f"; open: {listing(still_open)}"
    return said


def _factors(dossier: Dossier, kind: str) -> str:
    """How many hold, which, and which are open."""
    factors = [f for f in dossier.factors.values() if f.kind == kind]
    held = [f for f in factors if f.state == "yes"]
    still_open = [safe(f.title) for f in factors if f.state == "unknown"]
    said = f"{len(held)} of {len(factors)}"
    if held:
        said += f"  {_titles(held)}"
    return f"{said}; open: {listing(still_open)}" if still_open else said


def _titles(factors: Iterable[FactorResult]) -> str:
    return listing([safe(f.title) + ("*" if f.source == "assumed" else "") for f in factors])


def strength_text(dossier: Dossier) -> str:
    """Both bands with their values."""
    score, difference = dossier.rules.score, dossier.rules.difference
    return (
        f"{_band(score.band)} (score {_value(score.value)}), "
        f"{_band(difference.band)} (difference {_value(difference.value)})"
    )


def _band(band: Band | BandRange) -> str:
    return f"{band.low} to {band.high}" if isinstance(band, BandRange) else band


def _value(value: float | Range) -> str:
    if isinstance(value, Range):
        return f"{number(value.low)} to {number(float(value.high))}"
    return number(value)


def duration(value: Duration) -> str:
    """Months in words; ``unknown`` where nothing is known."""
    if isinstance(value, Unknown):
        return "unknown"
    if isinstance(value, Range):
        return months_range(value.low, float("inf") if value.high == "open" else value.high)
    return value if isinstance(value, str) else months(value)


def pays_back_text(dossier: Dossier) -> str:
    """Break-even as stated, and by the framework's own table."""
    money = dossier.investment
    if not isinstance(money, InvestmentResult):
        return f"unknown: {safe(money.ask)}"
    point = duration(money.break_even_months.point)
    if isinstance(money.break_even_months.point, Unknown):
        return f"unknown: {safe(money.break_even_months.point.ask)}"
    if money.assumed:
        return f"{point} ({assumed_text(money)}){drawn_text(money)}"
    table_says = money.by_table.break_even_months
    if point == table_says == "never":
        said = "never, as stated and with the running costs of the framework's own table"
        return said + drawn_text(money)
    beside = (
        ""
        if isinstance(table_says, Unknown)
        else (f"; {duration(table_says)} with the running costs of the framework's own table")
    )
    return f"{point} as stated{beside}{drawn_text(money)}"


def possible_text(dossier: Dossier) -> str:
    """Outcomes still possible with their shares at even odds."""
    shares = sorted(dossier.distribution.items(), key=lambda item: -item[1])
    said = [f"{OUTCOME_WORDS[o]} {share(s)}" for o, s in shares if s > 0]
    return f"{listing(said)} of the ways to answer what is open (a count, not a forecast)"


def _marks(label: str, dossier: Dossier) -> str:
    """Numbers of the challenges that concern a row."""
    found = []
    for position, challenge in enumerate(dossier.challenges, start=1):
        if any(_row_of(path, dossier) == label for path in challenge.between):
            found.append(f"[{position}]")
    return " " + "".join(found[:4]) if found else ""


def _row_of(path: str, dossier: Dossier) -> str:
    parts = path.split(".")
    if parts[0] == "factors" and len(parts) > 1 and parts[1] in dossier.factors:
        return "For" if dossier.factors[parts[1]].kind == "indicator" else "Against"
    return next((label for label, starts in _ROWS.items() if path.startswith(starts)), "")


def challenge_lines(found: Sequence[ChallengeResult], paint: Paint) -> list[str]:
    """Challenges, numbered, each with what settles it; [] for none."""
    if not found:
        return []
    lines = [paint("strong", "What doesn't fit together")]
    for position, one in enumerate(found, start=1):
        lines += wrapped(safe(one.says), first=f"  [{position}] ")
        settle = wrapped(f"To settle: {safe(one.settle)}", first="      ")
        lines += [paint("dim", line) for line in settle]
    return lines


def _flips(dossier: Dossier, paint: Paint) -> list[str]:
    lines = [paint("strong", "What would change the verdict")]
    pairs = flip_lines(dossier)
    if not pairs:
        tried = dossier.flips_searched_to
        none = (
            "no set of answers"
            if tried >= len(dossier.factors) + len(dossier.ceiling.checks)
            else (f"no set of up to {few(tried)} answers; larger sets were not searched")
        )
        return [*lines, *wrapped(none, first="  ")]
    for what, outcome in pairs:
        lines += wrapped(f"{safe(what)}: {outcome}", first="  ", rest="      ")
    return lines


def _questions(dossier: Dossier, paint: Paint) -> list[str]:
    asked = dossier.next_questions[:_MOST_QUESTIONS]
    if not asked:
        return []
    rows = [(f"{bits(q.gain_bits)} bits", f"{q.minutes} min", safe(q.ask)) for q in asked]
    more = len(dossier.next_questions) - len(asked)
    lines = [paint("strong", "What to find out next, by doubt removed for a minute"), *table(rows)]
    return [*lines, f"  and {few(more)} more"] if more else lines


def _stages(dossier: Dossier, paint: Paint) -> list[str]:
    if not dossier.stages:
        return []
    rows = [(safe(s.name), OUTCOME_WORDS[s.outcome]) for s in dossier.stages]
    return [paint("strong", "Attempts, each with its own verdict"), *table(rows)]


def _caveats(dossier: Dossier, paint: Paint) -> list[str]:
    shown = [c for c in dossier.verdict.caveats if not c.id.startswith("gate_")]
    if not shown:
        return []
    lines = [paint("strong", "Keep in mind")]
    for caveat in shown:
        lines += wrapped(safe(caveat.says), first="  ")
    return lines


def _quick(dossier: Dossier, paint: Paint, case_path: str) -> list[str]:
    assert dossier.quick is not None  # the caller looked
    style: Style = "bad" if dossier.quick.ruled_out else "warn"
    said = f"{safe(dossier.case.name)}: {safe(dossier.quick.says)}"
    lines = [paint(style, line) for line in wrapped(said, rest="  ")]
    lines += ["", *row("Asked", ", ".join(
        f"{safe(dossier.factors[name].title)} {dossier.factors[name].state}"
        for name in dossier.quick.asked
    ))]  # fmt: skip
    lines += row("Possible", possible_text(dossier))
    full = f"The full look: tuneworthy decide {safe(case_path)}".rstrip()
    return [*lines, "", *wrapped(full)]
