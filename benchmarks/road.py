"""What the commands, a decision, the draws and a report cost, with the budget of each beside it.

Run ``python benchmarks/road.py`` in an environment where Tuneworthy is installed with the extra
``report``. Seconds are CPU seconds. Whole processes run in turns with a bare Python, and the last
column says how many times as long they take: that compares between machines. Steps inside a process
are measured in fresh processes, each with its own seed.
"""

from __future__ import annotations

import json
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
COMMAND = str(Path(sys.executable).with_name("tuneworthy"))
PROCESS_RUNS = 15
STEP_RUNS = 5
DECISIONS = 50
CASES = 10_000
FOR, AGAINST = 12, 8  # factors of the own framework; together 20, so 2**20 completions
DRAWS, MONTHS = 100_000, 36
ANSWERS = ("yes", "no", "unknown")
SECTIONS = ("verdict", "distribution", "bounds", "flips", "next_questions")
FEWEST_CHARTS = 4  # a page with fewer was made without the drawing that is timed
BYTES_PER_MB = 1_000_000

# ru_maxrss is kibibytes on Linux and bytes on macOS.
MAXRSS_PER_MIB = 1024 * 1024 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the table."""

    what: str
    value: float
    unit: str
    budget: float | None = None


def child_cpu_s(command: list[str]) -> float:
    """CPU seconds, user and system, that a command takes from start to end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def processes_cpu_s(commands: Mapping[str, list[str]]) -> dict[str, float]:
    """Median CPU seconds of whole processes, in turns, so that a busy moment hits all alike."""
    for command in commands.values():
        child_cpu_s(command)  # the first run compiles and warms the disk cache
    runs: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(PROCESS_RUNS):
        for name, command in commands.items():
            runs[name].append(child_cpu_s(command))
    return {name: median(seconds) for name, seconds in runs.items()}


def steps(name: str) -> dict[str, float]:
    """Median figures of one step in fresh processes, each with a seed of its own."""
    runs = []
    for seed in range(STEP_RUNS):
        command = [sys.executable, __file__, "--step", name, str(seed)]
        done = subprocess.run(
            command, cwd=PROJECT, capture_output=True, text=True, check=True
        )
        runs.append(json.loads(done.stdout))
    return {figure: median(run[figure] for run in runs) for figure in runs[0]}


def peak_mib() -> float:
    """The most memory this process has held so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MAXRSS_PER_MIB


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of a piece of work, all threads together, and what it gave."""
    before = time.process_time()
    result = work()
    return time.process_time() - before, result


def own_framework(rng: random.Random) -> dict[str, Any]:
    """A framework of many factors whose weights have three decimals and count."""

    def factors(kind: str, many: int) -> dict[str, Any]:
        return {
            f"{kind}_{n}": {
                "title": f"{kind} {n}",
                "ask": f"Does {kind} {n} hold?",
                "weight": round(rng.uniform(0.001, 5), 3),
            }
            for n in range(many)
        }

    reasons = factors("reason", FOR)
    against = factors("obstacle", AGAINST)
    half_for = round(sum(factor["weight"] for factor in reasons.values()) / 2, 3)
    half_against = round(sum(factor["weight"] for factor in against.values()) / 2, 3)
    few_for = {"indicator_weight": {"less_than": half_for}}
    many_against = {"anti_indicator_weight": {"at_least": half_against}}
    return {
        "name": "own",
        "ceiling": {"tried": {"title": "tried", "ask": "Was everything else tried?"}},
        "indicators": reasons,
        "anti_indicators": against,
        "scoring": {
            "weights": "counted",
            "denominator": "weight",
            "score": {"strong": {"more_than": 0.25}, "moderate": {"at_least": 0.1}},
            "difference": {"strong": {"more_than": 10}, "moderate": {"at_least": 4}},
        },
        "tree": [
            {"when": {"ceiling": "no"}, "outcome": "keep_optimizing_prompts"},
            {"when": few_for, "outcome": "improve_rag_or_switch_model"},
            {"when": many_against, "outcome": "address_anti_indicators"},
            {"outcome": "fine_tune_candidate"},
        ],
    }


def decide_all(case: Any, framework: Any) -> Any:
    """A decision with the sections that enumeration is for, also where they wait to be asked."""
    from tuneworthy import decide

    dossier = decide(case, framework)
    for section in SECTIONS:
        getattr(dossier, section)
    return dossier


def measure_eleven(_: random.Random) -> dict[str, float]:
    """Decide a case of which only the ceiling is known: eleven open factors."""
    from tuneworthy import load_case, load_framework

    lesson = load_framework("lesson")
    ceiling = dict.fromkeys(lesson.ceiling, "yes")
    times = []
    for number in range(DECISIONS + 1):
        case = load_case({"name": f"case {number}", "ceiling": ceiling})
        seconds, dossier = timed(partial(decide_all, case, lesson))
        assert dossier.counts.unknown == 11
        times.append(seconds)
    return {"first": times[0], "later": median(times[1:])}


def measure_own(rng: random.Random) -> dict[str, float]:
    """Decide a case with twenty open weighted factors, the first thing a process does."""
    from tuneworthy import load_case, load_framework

    framework = load_framework(own_framework(rng))
    case = load_case({"name": "all open", "ceiling": {"tried": "yes"}})
    seconds, dossier = timed(partial(decide_all, case, framework))
    assert dossier.counts.unknown == FOR + AGAINST
    return {"seconds": seconds, "peak": peak_mib()}


def measure_batch(rng: random.Random) -> dict[str, float]:
    """Give the verdicts on ten thousand random cases."""
    from tuneworthy import load_case, load_framework, verdicts

    lesson = load_framework("lesson")
    cases = []
    for number in range(CASES):
        ceiling = {check: rng.choice(ANSWERS) for check in lesson.ceiling}
        factors = {factor: rng.choice(ANSWERS) for factor in lesson.factors}
        told = {"name": f"case {number}", "ceiling": ceiling, "factors": factors}
        cases.append(load_case(told))
    seconds, results = timed(lambda: list(verdicts(cases, lesson)))
    assert len(results) == CASES
    assert len({verdict.outcome for verdict in results}) > 1
    return {"seconds": seconds}


def uncertain() -> dict[str, Any]:
    """A case in which everything that may be a range is one, priced on both sides."""

    def around(likely: float) -> dict[str, float]:
        return {"low": likely * 0.6, "likely": likely, "high": likely * 1.5}

    hours = {name: {"hours": around(20)} for name in ("evaluation", "deployment")}
    prepared = {"hours": around(40)}
    trained = {"usd": around(300)}
    ongoing = {
        "monitoring_hours": around(6),
        "retraining_hours_per_quarter": around(12),
        "other_usd": around(100),
    }
    traffic = {
        "requests_per_month": around(300_000),
        "input_tokens": around(3000),
        "output_tokens": around(200),
        "tuned_input_tokens": around(600),
        "growth_per_month": {"low": -0.01, "likely": 0.02, "high": 0.05},
        "cacheable_share": 0.5,
    }
    serving = {
        "gpu_usd_per_hour": around(2),
        "requests_per_gpu_hour": around(1500),
        "utilisation": {"low": 0.2, "likely": 0.4, "high": 0.7},
        "always_on_gpus": 1,
    }
    assumptions = {
        "discount_per_year": around(0.1),
        "failure_chance": around(0.15),
        "model_life_months": around(14),
    }
    economics = {
        "hourly_rate_usd": around(100),
        "upfront": {"data_preparation": prepared, "training": trained, **hours},
        "monthly": {"quality_value_usd": around(500), "ongoing": ongoing},
        "traffic": traffic,
        "serving": serving,
        "assumptions": assumptions,
    }
    price = {"input": 2.5, "output": 10, "cached_input": 1.25}
    models = [
        {"id": "hosted", "usd_per_mtok": price},
        {"id": "tuned", "kind": "tuned", "runs": "own"},
    ]
    return {
        "name": "all ranges",
        "strategic_value": "high",
        "economics": economics,
        "models": models,
    }


def measure_draws(rng: random.Random) -> dict[str, float]:
    """Draw the case above; the libraries are loaded, and the memory is the whole process's."""
    from tuneworthy import load_case, load_framework
    from tuneworthy.model.case import NO_PRICES
    from tuneworthy.money.investment import MoneyContext, reckon_amounts, stakes_of
    from tuneworthy.money.simulate import simulate

    case, lesson = load_case(uncertain()), load_framework("lesson")
    context = MoneyContext(case, lesson, NO_PRICES)
    stakes = stakes_of(context, reckon_amounts(context))
    seed = rng.randrange(1000)
    seconds, drawn = timed(lambda: simulate(stakes, seed, DRAWS))
    assert drawn is not None
    found = drawn.simulation
    assert (found.draws, found.horizon_months) == (DRAWS, MONTHS)
    return {"seconds": seconds, "peak": peak_mib()}


STEPS: dict[str, Callable[[random.Random], dict[str, float]]] = {
    "eleven": measure_eleven,
    "own": measure_own,
    "batch": measure_batch,
    "draws": measure_draws,
}


def written(output: Path, *more: str) -> list[str]:
    """The command that writes the Task API case as a page or a PDF, by the name of the file."""
    asked = ["--format", output.suffix[1:], "--force", "--output", str(output)]
    return [COMMAND, "decide", "examples/task-api", *asked, *more]


def process_lines(folder: Path) -> list[Line]:
    """Lines about whole processes; the first is a bare Python."""
    page = folder / "page.html"
    pdf = folder / "page.pdf"
    memo = folder / "memo.pdf"
    took = processes_cpu_s(
        {
            "bare": [sys.executable, "-c", "pass"],
            "help": [COMMAND, "--help"],
            "decide": [COMMAND, "decide", "examples/task-api"],
            "page": written(page),
            "pdf": written(pdf),
            "memo": written(memo, "--short"),
        }
    )
    charts = page.read_text("utf-8").count("<svg")
    assert charts >= FEWEST_CHARTS, f"the page holds {charts} charts"
    assert b"/Count" in pdf.read_bytes()
    bare = took["bare"]
    return [
        Line("`python -c pass`", bare, "s"),
        Line("`tuneworthy --help`, over bare Python", took["help"] - bare, "s", 0.25),
        Line("`tuneworthy decide examples/task-api`", took["decide"], "s", 0.5),
        Line("the same as a page", took["page"], "s", 3),
        Line("its size", page.stat().st_size / BYTES_PER_MB, "MB", 1.5),
        Line("the same as a PDF", took["pdf"], "s", 4),
        Line("its memo as a PDF", took["memo"], "s", 2),
    ]


def step_lines() -> list[Line]:
    """Lines about single steps inside a process."""
    eleven = steps("eleven")
    own = steps("own")
    draws = steps("draws")
    drawn = f"{DRAWS:,} draws of {MONTHS} months, everything a range"
    return [
        Line("eleven open factors, decided", eleven["later"], "s", 0.005),
        Line("the same, first decision of a process", eleven["first"], "s"),
        Line("twenty open weighted factors, an own framework", own["seconds"], "s", 1),
        Line("the same, peak of the whole process", own["peak"], "MiB", 300),
        Line("`verdicts` on 10,000 cases", steps("batch")["seconds"], "s", 2),
        Line(drawn, draws["seconds"], "s", 0.5),
        Line("the same, peak of the whole process", draws["peak"], "MiB", 400),
    ]


def table(lines: list[Line]) -> str:
    """The lines as a Markdown table; the first one is what the others are compared with."""
    bare = lines[0].value
    rows = ["| what | measured | budget | × bare Python |", "|---|---:|---:|---:|"]
    for line in lines:
        budget = ""
        if line.budget is not None:
            budget = f"≤ {line.budget:g} {line.unit}"
            budget += " **over**" if line.value > line.budget else ""
        ratio = f"{line.value / bare:.2f}" if line.unit == "s" else ""
        rows.append(
            f"| {line.what} | {line.value:.3g} {line.unit} | {budget} | {ratio} |"
        )
    return "\n".join(rows)


def printed(lines: list[Line]) -> int:
    """Print the table; 0 when every budget is kept, 1 when one is not."""
    machine = f"{platform.system()} {platform.machine()}"
    print(f"Python {platform.python_version()} on {machine}.\n")
    print(table(lines))
    budgets = [line for line in lines if line.budget is not None]
    return int(any(line.value > (line.budget or 0) for line in budgets))


def main() -> int:
    """Measure one step for a parent process, or everything for a person."""
    if sys.argv[1:2] == ["--step"]:
        name, seed = sys.argv[2:4]
        print(json.dumps(STEPS[name](random.Random(int(seed)))))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        lines = [*process_lines(Path(folder)), *step_lines()]
    return printed(lines)


if __name__ == "__main__":
    sys.exit(main())
