"""A lab's own work: what it costs beside the calls, with many cases and with every answer there.

Run ``python benchmarks/labs.py`` in an environment where Tuneworthy is installed with its extra
``lab``. Cases are made up: 77 labels, six prompts with a system prompt of about 1,000 characters,
each as written and with the nearest eight examples, and three baselines; a function answers. All
figures are CPU seconds of whole processes, and their peak of memory.
"""

from __future__ import annotations

import json
import random
import re
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

CALLS, MANY = 39_440, 100_000  #: Calls of the labs that run again, about.
QUOTED = (8_000, 16_000)  #: Cases of the quotes.
CPU_BUDGET_S, MEMORY_BUDGET_MIB, GROWTH_BUDGET = 10.0, 400, 2.2
WORDS = [
    f"{a}{b}{c}" for a in "bcdfgklm" for b in "aeiou" for c in ("rd", "nk", "st", "lt")
]


def write(folder: Path, cases: int, prompts: int = 6) -> Path:
    """A case with so many cases; the word that decides its label stands in each."""
    chance = random.Random(7)  # makes cases, hides nothing
    (folder / "prompts").mkdir(parents=True)
    for number in range(prompts):
        rule = " ".join(chance.choices(WORDS, k=160))
        text = f"Name the intent of the message. Variant {number}: {rule}."
        (folder / "prompts" / f"v{number}.md").write_text(text, "utf-8")
    with (folder / "eval.jsonl").open("w", encoding="utf-8") as file:
        for number in range(cases):
            label = WORDS[number % 77]
            asked = " ".join([*chance.choices(WORDS, k=10), label, str(number)])
            row = {"id": f"c{number}", "input": asked, "reference": f"intent_{label}"}
            file.write(json.dumps(row) + "\n")
    (folder / "case.yaml").write_text(
        "name: Many\ntargets: {quality: {metric: label, at_least: 0.9}}\n"
        "models: [{id: 'fake:parrot'}]\ndata: {evaluation: eval.jsonl, prompts: prompts}\n",
        "utf-8",
    )
    return folder


def run(*told: str) -> tuple[float, float, str]:
    """CPU seconds, peak in MiB and what it printed, of a whole command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    show = "import resource, sys; sys.argv[0] = 'tuneworthy'; from tuneworthy.cli import main\n"
    show += (
        "try: main()\nfinally: print(resource.getrusage(0).ru_maxrss, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", show, *told],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, int(done.stderr.split()[-1]) / 1024, done.stdout


def quoted(text: str) -> int:
    """The calls of a quote; 0 where it names none."""
    named = re.search(r"Calls +at most ([\d,]+)", text)
    return int(named[1].replace(",", "")) if named else 0


def check_lab(result: dict[str, Any], before: int | None) -> int:
    """How many calls a lab rests on; fail where it made none, or any when it ran again."""
    made: int = result["spend"]["calls"]
    assert made > 0
    assert result["spend"]["failed"] == result["spend"]["in_doubt"] == 0
    assert len(result["arms"]) > 1
    if before is None:
        assert result["quote"]["reused"] == 0
    else:
        assert made == before, f"{made - before} calls were made again"
        assert result["quote"]["reused"] > 0
    return made


def quotes(base: Path) -> bool:
    """What a quote takes of a number of cases, and of twice as many."""
    took = []
    for cases in QUOTED:
        folder = write(base / f"q{cases}", cases)
        cpu, peak, text = run("ceiling", str(folder), "--dry-run")
        assert quoted(text) > cases, f"{quoted(text)} calls for {cases} cases"
        took.append(cpu)
        grown = f"× {cpu / took[0]:.2f}"
        print(f"| quote, {cases:,} cases | {cpu:.1f} | {peak:.0f} | {grown} |")
    return took[1] <= GROWTH_BUDGET * took[0]


def labs(base: Path, calls: int) -> bool:
    """A lab of about so many calls, and the same again with every answer there."""
    folder = write(base / f"r{calls}", calls * 10 // 39)
    cpu = peak = 0.0
    made = None
    for what in ("first", "again, nothing sent"):
        asked = ("ceiling", str(folder), "--budget", "1", "--format", "json")
        cpu, peak, text = run(*asked)
        made = check_lab(json.loads(text), made)
        each = f"{cpu / made * 1e3:.2f} ms a call"
        print(f"| a lab of {made:,} calls, {what} | {cpu:.1f} | {peak:.0f} | {each} |")
    return peak <= MEMORY_BUDGET_MIB and (calls > CALLS or cpu <= CPU_BUDGET_S)


def main() -> None:
    """Print the table, and fail where a budget isn't kept."""
    print("| what | CPU s | peak MiB | |\n|---|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as place:
        base = Path(place)
        kept = [quotes(base), labs(base, CALLS), labs(base, MANY)]
    sys.exit(not all(kept))


if __name__ == "__main__":
    main()
