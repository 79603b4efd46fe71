"""The money as labelled rows, the same for a terminal and for Markdown."""

from __future__ import annotations

from tuneworthy.model.base import Range, Unknown
from tuneworthy.model.dossier import (
    BreakEven,
    ChallengeResult,
    Computed,
    Dossier,
    Duration,
    InvestmentResult,
    Number,
    Simulation,
)
from tuneworthy.money.serving import serving_name
from tuneworthy.money.terms import label
from tuneworthy.words import count, listing, months, months_range, share, usd, usd_range

SAVINGS = "economics.monthly.api_savings_usd"

Rows = list[tuple[str, ...]]


_BILL = ("economics", "today.usd_per_month")
_ABOUT_MONEY = ("factors.cost_optimization", "factors.low_volume")
_ANSWERS = ("factors", "signals", "ceiling")


def doubts(dossier: Dossier) -> list[ChallengeResult]:
    """Challenges about money, in the report's order; [] for none.

    One that names answers is about those: latency with few tokens is no doubt about money.
    """
    found = []
    for one in dossier.challenges:
        answers = [path for path in one.between if path.startswith(_ANSWERS)]
        paths, about = (answers, _ABOUT_MONEY) if answers else (one.between, _BILL)
        if any(path.startswith(about) for path in paths):
            found.append(one)
    return found


def amount(value: Number) -> str:
    """An amount of money, its ends, or what would settle it."""
    if isinstance(value, Unknown):
        return f"unknown: {value.ask}"
    if not isinstance(value, Range):
        return usd(value)
    return f"{usd(value.low)} or more" if value.high == "open" else usd_range(value.low, value.high)


def months_text(value: Duration) -> str:
    """Months in words, or what would settle them."""
    if isinstance(value, Unknown):
        return f"unknown: {value.ask}"
    if isinstance(value, Range):
        return months_range(value.low, float("inf") if value.high == "open" else value.high)
    return value if isinstance(value, str) else months(value)


def drawn_text(found: InvestmentResult) -> str:
    """What the draws say beside the break-even as stated; empty where nothing varies."""
    drawn, half = found.simulation, found.break_even_months.p50
    if isinstance(drawn, Unknown):
        return ""
    if drawn.draws == 1:
        point = found.break_even_months.point
        same = months_text(half) == months_text(point) or isinstance(half, Unknown)
        return "" if same else f"; month by month, with growth and model life, {months_text(half)}"
    within = f"{share(drawn.p_never)} not within {drawn.horizon_months} months"
    if drawn.p_never == 0:
        within = f"all within {drawn.horizon_months} months"
    if drawn.p_never == 1:
        return (
            f"; of {count(drawn.draws)} draws none pays back within {drawn.horizon_months} months"
        )
    middle = (
        "fewer than half pay back"
        if isinstance(half, str)
        else f"half pay back by {months_text(half)}"
    )
    return f"; drawn {count(drawn.draws)} times, {middle} and {within}"


def assumed_text(found: InvestmentResult) -> str:
    """Where amounts come from that nobody stated; empty when all were."""
    costs = [path for path in found.assumed if path != SAVINGS]
    said = ["costs nobody stated are taken from the framework's table"] if costs else []
    if SAVINGS in found.assumed:
        said.append("the saving is computed from traffic and prices")
    return listing(said)


def facts(found: InvestmentResult) -> Rows:
    """The investment as stated."""
    table = found.by_table
    rows: Rows = [
        ("Up front", amount(found.upfront_usd)),
        ("Left a month", amount(found.monthly_net_usd)),
        ("Break-even", months_text(found.break_even_months.point)),
        ("Justified", f"{found.justified}: {found.why}"),
    ]
    if not isinstance(table.ongoing_usd, Unknown):
        back = months_text(table.break_even_months)
        said = f"{amount(table.ongoing_usd)} a month; break-even {back}"
        rows.append(("By the framework's table of running costs", said))
    if found.assumed:
        rows.append(
            ("Not stated", f"{listing([label(p) for p in found.assumed])}: {assumed_text(found)}")
        )
    return rows


def computed_facts(found: Computed) -> Rows:
    """What traffic and prices come to."""
    volume, best = found.pays_from_requests_per_month, ("Best untuned way", found.best_untuned)
    if isinstance(found.savings_usd_per_month, Unknown):
        return [best, ("Saved by tuning", amount(found.savings_usd_per_month))]
    return [
        best,
        ("Saved a month", amount(found.savings_usd_per_month)),
        ("Pays from", "no volume" if isinstance(volume, str) else _calls(volume)),
        ("Volume is there", _month(found.pays_from_month)),
    ]


def servings(found: Computed) -> Rows:
    """Every way to serve: name, USD a month, whether it may be used, and why."""
    return [
        (
            serving_name(one.model, one.how) + (" (tuned)" if one.tuned else ""),
            "unknown" if isinstance(one.usd_per_month, Unknown) else amount(one.usd_per_month),
            one.admissible,
            one.why,
        )
        for one in found.servings
    ]


def chances(found: InvestmentResult, drawn: Simulation) -> Rows:
    """What the draws come to; where nothing varies, the one result without any odds."""
    npv = drawn.npv_usd
    if drawn.draws == 1:
        odds: Rows = []
        worth = usd(npv.p50)
    else:
        in_time = found.p_within_6_months
        odds = [
            ("Draws", f"{count(drawn.draws)} over {drawn.horizon_months} months"),
            ("Break-even", _percentiles(found.break_even_months)),
            ("In time", share(in_time) if isinstance(in_time, float) else amount(in_time)),
            (f"Not within {drawn.horizon_months} months", share(drawn.p_never)),
        ]
        worth = (
            f"{usd(npv.p50)} in the middle; a tenth below {usd(npv.p10)}, a tenth above "
            f"{usd(npv.p90)}"
        )
    waiting = drawn.cost_of_waiting_usd
    rows: Rows = [*odds, (f"Net present value, {drawn.horizon_months} months", worth)]
    if isinstance(waiting, float):
        said = "costs" if waiting >= 0 else "brings"
        rows.append(("To wait a month", f"{said} {usd(abs(waiting))}"))
    return rows


def _percentiles(found: BreakEven) -> str:
    if isinstance(found.p10, str):
        return "never in more than nine draws of ten"
    first = f"a tenth by {months_text(found.p10)}"
    if isinstance(found.p50, str):
        return f"more than half never; {first}"
    last = "more than a tenth never"
    if not isinstance(found.p90, str):
        last = f"nine tenths by {months_text(found.p90)}"
    return f"half by {months_text(found.p50)}; {first}, {last}"


def swings(drawn: Simulation) -> Rows:
    """Each input alone: its name, and the net present value at its low and at its high end."""
    return [(one.input, usd(one.low_usd), usd(one.high_usd)) for one in drawn.tornado]


def _calls(value: Number) -> str:
    if isinstance(value, Unknown):
        return f"unknown: {value.ask}"
    if not isinstance(value, Range):
        return f"{count(value)} calls a month"
    if value.high == "open":
        return f"{count(value.low)} calls a month at best, no volume at worst"
    return f"{count(value.low)} to {count(value.high)} calls a month"


def _month(value: Duration) -> str:
    if isinstance(value, Unknown):
        return f"unknown: {value.ask}"
    if isinstance(value, str):
        return "never at this growth"
    if not isinstance(value, Range):
        return "today" if value == 0 else f"in month {value:g}"
    best = "today" if value.low == 0 else f"in month {value.low:g}"
    return (
        f"{best} at best, "
        + ("never" if value.high == "open" else f"in month {value.high:g}")
        + (" at worst")
    )
