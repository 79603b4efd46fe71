"""A dossier with every section filled by hand: for what draws and writes, whatever computes it."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

from tuneworthy import Dossier
from tuneworthy.cases.reports import models_of
from tuneworthy.files.case import read_case
from tuneworthy.model import dossier as model_dossier
from tuneworthy.model import ways as model_ways
from tuneworthy.model.base import Range, Unknown
from tuneworthy.model.dossier import Recommendation
from tuneworthy.report import render
from tuneworthy.report.sections.framework import models_dict, models_report

ASK = "ask whoever knows"


def full(dossier: Dossier, say: str = "") -> Dossier:
    """The dossier with ways, a recommendation, money, chances and a plan.

    Args:
        dossier: Any whose money is known.
        say: What every text begins with.
    """
    assert isinstance(dossier.investment, model_dossier.InvestmentResult)
    money = dossier.investment.model_copy(
        update={
            "break_even_months": model_dossier.BreakEven(
                point=dossier.investment.break_even_months.point,
                p10=3.1,
                p50=7.4,
                p90="never",
            ),
            "p_within_6_months": 0.38,
            "computed": computed(say),
            "simulation": simulation(say),
        }
    )
    return dossier.model_copy(
        update={
            "ways": ways(say),
            "recommendation": Recommendation(
                choice="both",
                options=("caching", "hybrid"),
                steps=(
                    model_dossier.Step(
                        option="caching",
                        way="caching",
                        title=f"{say}prompt caching",
                        because=f"{say}it cuts the bill",
                        targets=("cost",),
                        command="tuneworthy show CASE plan",
                        stop_when=f"{say}the bill is met",
                        hours=Range(low=2, high=8),
                        usd=Unknown(ask=ASK),
                    ),
                ),
                says=f"{say}Begin with caching; tune the voice once the volume is there.",
            ),
            "investment": money,
            "plan": plan(say),
        }
    )


def ways(say: str) -> tuple[model_ways.WayResult, ...]:
    """Ways of every state, with what isn't known."""
    told: list[tuple[str, str, Any, float | None, Any]] = [
        ("now", "gpt-4o", "running", 0.84, Range(low=0, high=2)),
        ("model:big", "another model", "stated", 0.93, Range(low=4, high=16)),
        ("lab:best", "the best prompt", "measured", 0.88, Range(low=4, high=16)),
        ("caching", "prompt caching", "untried", None, Range(low=2, high="open")),
        ("hybrid", "tuning and retrieval together", "untried", None, Unknown(ask=ASK)),
        ("batching", "batching", "ruled_out", None, 20.0),
        ("few_shot", "examples in the prompt", "failed", None, 8.0),
    ]
    return tuple(
        model_ways.WayResult(
            id=name,
            title=say + title,
            kind="tuning" if name == "hybrid" else "now" if name == "now" else "option",
            option=name.rpartition(":")[2],
            state=state,
            made_of=(),
            model="",
            figures=figures(say, quality),
            admissible={"quality": "missed" if quality == 0.84 else "unknown"},
            chance=0.6 if state == "untried" else Unknown(ask=ASK),
            chance_word="likely" if state == "untried" else "",
            chances={"quality": "likely"} if state == "untried" else {},
            because=f"{say}most of the 6,000 tokens are the same in every call",
            published="",
            to_try=model_ways.WorkToDo(hours=hours, usd=Unknown(ask=ASK), weeks=1.0),
            to_adopt=model_ways.WorkToDo(hours=hours, usd=Unknown(ask=ASK), weeks=1.0),
            rank=rank,
        )
        for rank, (name, title, state, quality, hours) in enumerate(told, start=1)
    )


def figures(say: str, quality: float | None) -> dict[Any, model_ways.AnyFigure]:
    """What is known of a way: its quality, or nothing."""
    names = ("quality", "latency_p95_s", "usd_per_month", "private", "general_skills")
    known: dict[Any, model_ways.AnyFigure] = dict.fromkeys(names, Unknown(ask=ASK))
    if quality is not None:
        known["quality"] = model_ways.Figure(
            value=quality, low=quality - 0.03, high=quality + 0.03, grade="measured", cases=400,
            source=f"{say}a lab",
        )  # fmt: skip
    return known


def computed(say: str) -> model_dossier.Computed:
    """Ways to serve the traffic, and the calculation."""
    return model_dossier.Computed(
        servings=(
            model_dossier.ServingResult(
                model=f"{say}gpt-4o", how="cached", tuned=False, usd_per_month=18.0,
                admissible="yes", why="",
            ),
            model_dossier.ServingResult(
                model=f"{say}gpt-4o", how="as_is", tuned=True, usd_per_month=14.5,
                admissible="unknown", why="no tuning service is named",
            ),
        ),
        best_untuned=f"{say}gpt-4o, cached",
        savings_usd_per_month=3.5,
        pays_from_requests_per_month=83_400.0,
        pays_from_month=10.0,
        steps=(
            f"{say}2,000 requests × 6,000 input tokens × $2.50 per million = $30",
            f"{say}2,000 requests × 300 output tokens × $10.00 per million = $6",
        ),
    )  # fmt: skip


def simulation(say: str) -> model_dossier.Simulation:
    """Three years that go well, so-so and badly."""
    return model_dossier.Simulation(
        draws=10_000,
        horizon_months=36,
        p_never=0.22,
        likely_usd=14_000.0,
        npv_usd=model_dossier.Percentiles(p10=-9_800, p50=14_200, p90=41_000),
        curve=tuple(
            model_dossier.Month(
                month=m,
                p10=-6_600 - 90 * m,
                p50=-6_100 + 640 * m,
                p90=-5_700 + 1_450 * m,
                if_works=-6_100 + 820 * m,
            )
            for m in range(37)
        ),
        tornado=(
            model_dossier.Swing(
                input=f"{say}saving a month", low_usd=-12_000, high_usd=39_000
            ),
            model_dossier.Swing(
                input=f"{say}running costs", low_usd=22_000, high_usd=3_000
            ),
            model_dossier.Swing(input=f"{say}growth", low_usd=9_000, high_usd=20_500),
        ),
        cost_of_waiting_usd=-340.0,
        assumes=(f"{say}a discount rate of 8% a year",),
    )


def plan(say: str) -> model_dossier.Plan:
    """Four phases, one after the other, the last for a later goal."""
    start = date(2026, 11, 30)
    told: list[tuple[str, str, Any, tuple[str, ...]]] = [
        ("data", "prepare the data", "first_version", ()),
        ("pilot", "pilot", "first_version", ("data",)),
        ("training", "train the whole", "first_version", ("pilot",)),
        ("tools", "the second goal", "later_goals", ("training",)),
    ]
    phases = tuple(
        model_dossier.Phase(
            id=name,
            title=say + title,
            part=part,
            hours=Range(low=10, high=20),
            usd=Range(low=1_000, high="open"),
            needs=needs,
            start=start + timedelta(weeks=2 * n),
            end=start + timedelta(weeks=2 * n + 2, days=-3),
            steps=(f"{say}collect", f"{say}check"),
            done_when=f"{say}it beats the best prompt",
        )
        for n, (name, title, part, needs) in enumerate(told)
    )
    total = model_dossier.PartTotal(
        hours=Range(low=30, high=60), usd=Range(low=3_000, high="open"), end=start
    )
    return model_dossier.Plan(
        aim="tune",
        start=start,
        phases=phases,
        hours=Range(low=40, high=80),
        usd=Range(low=4_000, high="open"),
        weeks=8.0,
        parts={"first_version": total},
        notes=(f"{say}twenty hours a week are given",),
    )


def models_text(
    case: Path | None = None, form: str = "text", *, as_of: date | None = None
) -> str:
    """Which models can be called and what they cost; nothing is sent."""
    rows = models_of(() if case is None else read_case(case).models, as_of)
    return models_dict(*rows) if form == "json" else render(models_report(*rows))
