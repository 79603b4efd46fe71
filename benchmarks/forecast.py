"""What the look ahead costs: CPU seconds and memory, with the budget of each beside it.

Run ``python benchmarks/forecast.py`` in an environment where Tuneworthy is installed. Every step is
measured in fresh processes, and whole processes in turns with a bare Python, as in ``road.py``.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from datetime import date
from statistics import median
from typing import Any

from road import (
    COMMAND,
    PROJECT,
    STEP_RUNS,
    Line,
    peak_mib,
    processes_cpu_s,
    table,
    timed,
)

DRAWS, MONTHS = 100_000, 36
DECIDED_DRAWS = 10_000  #: Of a decision, where nobody asks for another number.
DAY = date(2026, 11, 24)


def uncertain() -> dict[str, Any]:
    """A case in which everything that may be a range is one, priced on both sides."""

    def around(likely: float) -> dict[str, float]:
        return {"low": likely * 0.6, "likely": likely, "high": likely * 1.5}

    hours = {name: {"hours": around(20)} for name in ("evaluation", "deployment")}
    ongoing = {
        "monitoring_hours": 6,
        "retraining_hours_per_quarter": 12,
        "other_usd": 100,
    }
    traffic = {"requests_per_month": 300_000, "input_tokens": 3000, "output_tokens": 200,
               "tuned_input_tokens": 600}  # fmt: skip
    price = {"input": 2.5, "output": 10, "cached_input": 1.25}
    return {
        "name": "all ranges",
        "strategic_value": "high",
        "economics": {
            "hourly_rate_usd": around(100),
            "upfront": {"data_preparation": {"hours": around(40)},
                        "training": {"usd": around(300)}, **hours},
            "monthly": {"quality_value_usd": around(500),
                        "ongoing": {name: around(value) for name, value in ongoing.items()}},
            "traffic": {"growth_per_month": {"low": -0.01, "likely": 0.02, "high": 0.05},
                        "cacheable_share": 0.5,
                        **{name: around(value) for name, value in traffic.items()}},
            "serving": {"gpu_usd_per_hour": around(2), "requests_per_gpu_hour": around(1500),
                        "utilisation": {"low": 0.2, "likely": 0.4, "high": 0.7},
                        "always_on_gpus": 1},
            "assumptions": {"discount_per_year": around(0.1), "failure_chance": around(0.15),
                            "model_life_months": around(14)},
        },
        "models": [{"id": "hosted", "usd_per_mtok": price},
                   {"id": "tuned", "kind": "tuned", "runs": "own"}],
    }  # fmt: skip


def measure_draws(seed: int) -> dict[str, float]:
    """Draw the case above; the libraries are loaded, and the memory is the whole process's."""
    from tuneworthy import load_case, load_framework
    from tuneworthy.model.case import NO_PRICES
    from tuneworthy.money.investment import MoneyContext, assess_money
    from tuneworthy.money.savings import Stakes
    from tuneworthy.money.simulate import Draws, simulate

    case, lesson = load_case(uncertain()), load_framework("lesson")
    held: list[Stakes] = []

    def keep(stakes: Stakes, _: int) -> Draws | None:
        held.append(stakes)
        return None

    assess_money(MoneyContext(case, lesson, NO_PRICES, seed=seed, sampler=keep))
    seconds, drawn = timed(lambda: simulate(held[0], seed, DRAWS))
    assert drawn is not None
    found = drawn.simulation
    assert (found.draws, found.horizon_months) == (DRAWS, MONTHS)
    assert len(found.tornado) >= 15
    return {"seconds": seconds, "peak": peak_mib()}


def measure_decide(_: int) -> dict[str, float]:
    """Decide the same case, ten thousand draws in it; numpy is loaded on the way."""
    from tuneworthy import decide, load_case, load_framework

    case, lesson = load_case(uncertain()), load_framework("lesson")
    first, dossier = timed(lambda: decide(case, lesson, as_of=DAY))
    later, again = timed(lambda: decide(case, lesson, as_of=DAY))
    for each in (dossier, again):
        assert each.investment.simulation.draws == DECIDED_DRAWS
    return {"first": first, "later": later}


def measure_price(_: int) -> dict[str, float]:
    """Look a price up: the catalogue is loaded with the first one."""
    from tuneworthy.llm.prices import price_on

    first, price = timed(lambda: price_on("openai:gpt-4o", DAY))
    assert price is not None
    later, cheaper = timed(lambda: price_on("openai:gpt-4o-mini", DAY))
    assert cheaper is not None
    assert 0 < cheaper.input < price.input
    return {"first": first, "later": later}


STEPS = {"draws": measure_draws, "decide": measure_decide, "price": measure_price}


def steps(name: str) -> list[dict[str, float]]:
    """The same step in fresh processes, each with a seed of its own."""
    return [
        json.loads(
            subprocess.run(
                [sys.executable, __file__, "--step", name, str(seed)],
                cwd=PROJECT, capture_output=True, text=True, check=True,
            ).stdout
        )
        for seed in range(STEP_RUNS)
    ]  # fmt: skip


def lines() -> list[Line]:
    """The lines of the table; the first is a bare Python."""
    took = processes_cpu_s(
        {
            "bare": [sys.executable, "-c", "pass"],
            "money": [str(COMMAND), "show", "examples/task-api", "money"],
        },
        {"money": "month"},
    )
    draws, decided, price = steps("draws"), steps("decide"), steps("price")
    seconds = median(run["seconds"] for run in draws)
    first, later = (median(run[name] for run in decided) for name in ("first", "later"))
    loaded, looked = (median(run[name] for run in price) for name in ("first", "later"))
    return [
        Line("`python -c pass`", took["bare"], "s", seconds=took["bare"]),
        Line(
            "`tuneworthy show examples/task-api money`",
            took["money"],
            "s",
            None,
            took["money"],
        ),
        Line(
            f"{DRAWS:,} draws of {MONTHS} months, everything a range",
            seconds,
            "s",
            0.5,
            seconds,
        ),
        Line(
            "the same, peak of the whole process",
            max(r["peak"] for r in draws),
            "MiB",
            400,
        ),
        Line(
            "the same case decided, 10,000 draws, first of a process",
            first,
            "s",
            None,
            first,
        ),
        Line("the same, a later one", later, "s", None, later),
        Line(
            "a price looked up, the catalogue loaded with it", loaded, "s", None, loaded
        ),
        Line("a later one", looked * 1e3, "ms", None, looked),
    ]


def main() -> int:
    """Measure one step for a parent process, or everything for a person.

    Returns:
        0 when every budget is kept, 1 when one is not, 2 when there is nothing to measure.
    """
    if sys.argv[1:2] == ["--step"]:
        name, seed = sys.argv[2:4]
        print(json.dumps(STEPS[name](int(seed))))
        return 0
    if not COMMAND.exists():
        print(
            "tuneworthy is not installed beside this Python: run make bench",
            file=sys.stderr,
        )
        return 2
    try:
        found = lines()
    except subprocess.CalledProcessError as failed:
        print(failed, failed.stderr, sep="\n", file=sys.stderr)
        return 2
    print(
        f"Python {platform.python_version()} on {platform.system()} {platform.machine()}.\n"
    )
    print(table(found))
    return int(
        any(line.budget is not None and line.value > line.budget for line in found)
    )


if __name__ == "__main__":
    sys.exit(main())
