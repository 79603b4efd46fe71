"""What the road costs: CPU seconds and memory, with the budget of each beside it.

Run ``python benchmarks/road.py`` in an environment where Tuneworthy is installed. Everything is
measured in child processes, in one run, and also as a multiple of what a bare Python takes on the
same machine at the same time, which is what compares between machines.

``python benchmarks/road.py --former FOLDER`` measures another checkout (its ``src``) in turn with
this one, in the same environment, and gives what this one takes as a multiple of the other.
"""

from __future__ import annotations

import json
import os
import platform
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
COMMAND = Path(sys.executable).with_name("tuneworthy")
PROCESS_RUNS = 15
STEP_RUNS = 5
DECISIONS = 50
CASES = 10_000
FOR, AGAINST = 12, 8  # factors of the own framework; together 20, so 2**20 completions
ANSWERS = ("yes", "no", "unknown")
SECTIONS = ("verdict", "distribution", "bounds", "flips", "next_questions")

# ru_maxrss is kibibytes on Linux and bytes on macOS.
MAXRSS_PER_MIB = 1024 * 1024 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the table."""

    what: str
    value: float
    unit: str
    budget: float | None = None
    seconds: float | None = None
    """CPU seconds to compare with a bare Python; None for what is no time."""


def child_cpu_s(
    command: list[str], says: str = "", env: Mapping[str, str] | None = None
) -> float:
    """CPU seconds, user and system, that a command takes from start to end; it has to say that."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        command, cwd=PROJECT, check=True, capture_output=True, text=True, env=env
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert says in done.stdout, f"{command} didn't say {says!r}"
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def processes_cpu_s(
    commands: Mapping[str, list[str]], says: Mapping[str, str]
) -> dict[str, float]:
    """Median CPU seconds of whole processes, in turns, so that a busy moment hits all alike.

    ``says`` is what each has to print, by name; a bare Python prints nothing.
    """
    for name, command in commands.items():
        # the first run compiles and warms the disk cache
        child_cpu_s(command, says.get(name, ""))
    runs = [
        {
            name: child_cpu_s(command, says.get(name, ""))
            for name, command in commands.items()
        }
        for _ in range(PROCESS_RUNS)
    ]
    return {name: median(run[name] for run in runs) for name in commands}


def step(name: str, seed: int = 0) -> dict[str, float]:
    """Figures of one in-process step, measured in a fresh process."""
    done = subprocess.run(
        [sys.executable, __file__, "--step", name, str(seed)],
        cwd=PROJECT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def steps(name: str) -> list[dict[str, float]]:
    """The same step several times, each with a seed of its own."""
    return [step(name, seed) for seed in range(STEP_RUNS)]


def peak_mib() -> float:
    """The most memory this process has held so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MAXRSS_PER_MIB


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of a piece of work, all threads together, and what it gave."""
    before = time.process_time()
    result = work()
    return time.process_time() - before, result


def own_framework(
    rng: random.Random, pro: int = FOR, con: int = AGAINST
) -> dict[str, Any]:
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

    reasons, against = factors("reason", pro), factors("obstacle", con)
    for_weight = sum(factor["weight"] for factor in reasons.values())
    against_weight = sum(factor["weight"] for factor in against.values())
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
            {
                "when": {"indicator_weight": {"less_than": round(for_weight / 2, 3)}},
                "outcome": "improve_rag_or_switch_model",
            },
            {
                "when": {
                    "anti_indicator_weight": {"at_least": round(against_weight / 2, 3)}
                },
                "outcome": "address_anti_indicators",
            },
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


def look_ahead(case: Any, framework: Any) -> Any:
    """A decision with what open answers would make of it, which a former version may not have."""
    return getattr(decide_all(case, framework), "reach", None)


def measure_eleven(_: random.Random) -> dict[str, float]:
    """Decide a case of which only the ceiling is known: eleven open factors."""
    from tuneworthy import load_case, load_framework

    lesson = load_framework("lesson")
    ceiling = dict.fromkeys(lesson.ceiling, "yes")
    cases = [
        load_case({"name": f"case {n}", "ceiling": ceiling})
        for n in range(DECISIONS + 1)
    ]
    first, dossier = timed(partial(decide_all, cases[0], lesson))
    assert dossier.counts.unknown == 11
    times, ahead = list[float](), list[float]()
    for case in cases[1:]:
        seconds, dossier = timed(partial(decide_all, case, lesson))
        assert dossier.counts.unknown == 11
        times.append(seconds)
    for case in cases[1:]:
        seconds, reach = timed(partial(look_ahead, case, lesson))
        assert reach is None or reach.answers  # a former version may have none
        ahead.append(seconds)
    assert len(times) == len(ahead) == DECISIONS
    return {"first": first, "later": median(times), "ahead": median(ahead)}


def measure_own(rng: random.Random) -> dict[str, float]:
    """Decide a case with twenty open weighted factors, the first thing a process does."""
    from tuneworthy import load_case, load_framework

    framework = load_framework(own_framework(rng))
    case = load_case({"name": "all open", "ceiling": {"tried": "yes"}})
    before = peak_mib()
    seconds, dossier = timed(partial(decide_all, case, framework))
    assert dossier.counts.unknown == FOR + AGAINST
    return {"seconds": seconds, "peak": peak_mib(), "above": peak_mib() - before}


def measure_many(rng: random.Random) -> dict[str, float]:
    """Decide a case with twenty-five open weighted factors, the first thing a process does."""
    from tuneworthy import load_case, load_framework

    framework = load_framework(own_framework(rng, 15, 10))
    case = load_case({"name": "all open", "ceiling": {"tried": "yes"}})
    seconds, dossier = timed(partial(decide_all, case, framework))
    assert dossier.counts.unknown == 25
    return {"seconds": seconds}


def measure_batch(rng: random.Random) -> dict[str, float]:
    """Load ten thousand random cases and give the verdicts on all of them."""
    from tuneworthy import load_case, load_framework, verdicts

    lesson = load_framework("lesson")
    told = [
        {
            "name": f"case {n}",
            "ceiling": {check: rng.choice(ANSWERS) for check in lesson.ceiling},
            "factors": {factor: rng.choice(ANSWERS) for factor in lesson.factors},
        }
        for n in range(CASES)
    ]
    loading, cases = timed(lambda: [load_case(case) for case in told])
    seconds, results = timed(lambda: list(verdicts(cases, lesson)))
    assert len(results) == CASES
    assert len({verdict.outcome for verdict in results}) > 1
    return {"loading": loading, "seconds": seconds}


STEPS: dict[str, Callable[[random.Random], dict[str, float]]] = {
    "eleven": measure_eleven,
    "own": measure_own,
    "many": measure_many,
    "batch": measure_batch,
}


def process_lines() -> list[Line]:
    """Lines about whole processes; the first is a bare Python."""
    took = processes_cpu_s(
        {
            "bare": [sys.executable, "-c", "pass"],
            "help": [str(COMMAND), "--help"],
            "decide": [str(COMMAND), "decide", "examples/task-api"],
        },
        {"help": "Usage: tuneworthy", "decide": "Task API"},
    )
    bare = took["bare"]
    return [
        Line("`python -c pass`", bare, "s", seconds=bare),
        Line("`tuneworthy --help`", took["help"], "s", seconds=took["help"]),
        Line("`tuneworthy --help`, over bare Python", took["help"] - bare, "s", 0.25),
        Line(
            "`tuneworthy decide examples/task-api`",
            took["decide"],
            "s",
            0.5,
            took["decide"],
        ),
    ]


def step_lines() -> list[Line]:
    """Lines about single steps inside a process."""
    eleven, own, batch = steps("eleven"), steps("own"), steps("batch")
    later = median(run["later"] for run in eleven)
    first = median(run["first"] for run in eleven)
    ahead = median(run["ahead"] for run in eleven)
    weighted = median(run["seconds"] for run in own)
    verdicts = median(run["seconds"] for run in batch)
    loading = median(run["loading"] for run in batch)
    return [
        Line("eleven open factors, decided", later * 1e3, "ms", 5, later),
        Line(
            "the same, and what open answers would make of it",
            ahead * 1e3,
            "ms",
            None,
            ahead,
        ),
        Line(
            "eleven open factors, first decision of a process",
            first * 1e3,
            "ms",
            None,
            first,
        ),
        Line(
            "twenty open weighted factors, an own framework", weighted, "s", 1, weighted
        ),
        Line(
            "the same, peak of the whole process",
            max(r["peak"] for r in own),
            "MiB",
            300,
        ),
        Line(
            "the same, above what was held before", max(r["above"] for r in own), "MiB"
        ),
        Line("`verdicts` on 10,000 random cases", verdicts, "s", 2, verdicts),
        Line("`load_case` on the same 10,000 mappings", loading, "s", None, loading),
    ]


def compared(former: Path) -> str:
    """What this checkout takes beside another one, each run in turn, as a Markdown table."""
    python, road = sys.executable, str(Path(__file__).resolve())
    decide = [python, "-m", "tuneworthy", "decide", str(PROJECT / "examples/task-api")]
    commands = {
        "`tuneworthy --help`": [python, "-m", "tuneworthy", "--help"],
        "`tuneworthy decide examples/task-api`": decide,
    }
    figures = {
        "eleven": "eleven open factors, decided",
        "own": "twenty open weighted factors, an own framework",
        "many": "twenty-five",
        "batch": "`verdicts` on 10,000 random cases",
    }
    took: dict[str, list[list[float]]] = {}
    for run in range(STEP_RUNS):
        for which, source in enumerate((former, PROJECT)):
            there = {**os.environ, "PYTHONPATH": str(source / "src")}
            for what, command in commands.items():
                took.setdefault(what, [[], []])[which].append(
                    child_cpu_s(command, env=there)
                )
            for name, what in figures.items():
                done = subprocess.run(
                    [python, road, "--step", name, str(run)],
                    cwd=PROJECT, capture_output=True, text=True, check=True, env=there,
                )  # fmt: skip
                found = json.loads(done.stdout)
                seconds = found.get("later", found.get("seconds"))
                took.setdefault(what, [[], []])[which].append(seconds)
    rows = ["| what | former | this | this / former |", "|---|---:|---:|---:|"]
    for what, (before, now) in took.items():
        one, two = median(before), median(now)
        rows.append(f"| {what} | {one:.3g} s | {two:.3g} s | {two / one:.2f} |")
    return "\n".join(rows)


def table(lines: list[Line]) -> str:
    """The lines as a Markdown table; the first one is what the others are compared with."""
    bare = lines[0].value
    rows = ["| what | measured | budget | × bare Python |", "|---|---:|---:|---:|"]
    for line in lines:
        budget = "" if line.budget is None else f"≤ {line.budget:g} {line.unit}"
        if line.budget is not None and line.value > line.budget:
            budget += " **over**"
        ratio = "" if line.seconds is None else f"{line.seconds / bare:.2f}"
        rows.append(
            f"| {line.what} | {line.value:.3g} {line.unit} | {budget} | {ratio} |"
        )
    return "\n".join(rows)


def main() -> int:
    """Measure one step for a parent process, or everything for a person.

    Returns:
        0 when every budget is kept, 1 when one is not, 2 when there is nothing to measure.
    """
    if sys.argv[1:2] == ["--step"]:
        name, seed = sys.argv[2:4]
        print(json.dumps(STEPS[name](random.Random(int(seed)))))
        return 0
    if sys.argv[1:2] == ["--former"]:
        former = Path(sys.argv[2]).resolve()
        print(
            f"Python {platform.python_version()}; former: {former.name}\n\n{compared(former)}"
        )
        return 0
    if not COMMAND.exists():
        print(
            "tuneworthy is not installed beside this Python: run make bench",
            file=sys.stderr,
        )
        return 2
    try:
        lines = [*process_lines(), *step_lines()]
    except subprocess.CalledProcessError as failed:
        print(failed, failed.stderr, sep="\n", file=sys.stderr)
        return 2
    print(
        f"Python {platform.python_version()} on {platform.system()} {platform.machine()}.\n"
    )
    print(table(lines))
    return int(
        any(line.budget is not None and line.value > line.budget for line in lines)
    )


if __name__ == "__main__":
    sys.exit(main())
