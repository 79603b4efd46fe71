"""A lab's own work: what it costs beside the calls, with many cases and with every answer there.

Run ``python benchmarks/labs.py [--former FOLDER]`` in an environment where Tuneworthy is installed
with its extra ``lab``. Cases are made up: 77 labels, six prompts with a system prompt of about
1,000 characters, each as written and with the nearest eight examples, and three baselines; a
function answers. ``--former`` names a checkout of another version, which runs in turn with this
one. All figures are CPU seconds of whole processes, and their peak of memory.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

CALLS, MANY = 39_440, 100_000  #: Calls of the labs that run again, about.
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


def run(source: Path, *told: str) -> tuple[float, float, str]:
    """CPU seconds, peak in MiB and what it printed, of a whole command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    show = "import resource, sys; sys.argv[0] = 'tuneworthy'; from tuneworthy.cli import main\n"
    show += (
        "try: main()\nfinally: print(resource.getrusage(0).ru_maxrss, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", show, *told],
        env={**os.environ, "PYTHONPATH": str(source / "src")},
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


def main() -> None:
    """Print the table, and fail where a budget isn't kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--former", type=Path)
    parser.add_argument(
        "--calls", type=int, default=0, help="one lab of about so many calls"
    )
    parser.add_argument("--quote", action="store_true", help="quotes alone")
    told, own = parser.parse_args(), Path(__file__).resolve().parents[1]
    sources = {"": own} | ({"former": told.former} if told.former else {})
    kept = True
    print("| what | version | CPU s | peak MiB | |\n|---|---|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as base:
        if not told.calls:
            took: dict[str, list[float]] = {}
            for cases in (8_000, 16_000):
                folder = write(Path(base) / f"q{cases}", cases)
                for name, source in sources.items():
                    cpu, peak, text = run(source, "ceiling", str(folder), "--dry-run")
                    assert quoted(text) > cases, (
                        f"{quoted(text)} calls for {cases} cases"
                    )
                    took.setdefault(name, []).append(cpu)
                    grown = (
                        f"× {cpu / took[name][0]:.2f}" if len(took[name]) > 1 else ""
                    )
                    print(
                        f"| quote, {cases:,} cases | {name} | {cpu:.1f} | {peak:.0f} | {grown} |"
                    )
            kept &= took[""][1] <= GROWTH_BUDGET * took[""][0]
        for calls in (
            () if told.quote else (told.calls,) if told.calls else (CALLS, MANY)
        ):
            for name, source in sources.items():
                folder = write(Path(base) / f"r{calls}{name}", calls * 10 // 39)
                cpu = peak = 0.0
                made = None
                for what in ("first", "again, nothing sent"):
                    cpu, peak, text = run(source, "ceiling", str(folder), "--budget", "1",
                                          "--format", "json")  # fmt: skip
                    made = check_lab(json.loads(text), made)
                    row = f"| a lab of {made:,} calls, {what} | {name}"
                    print(f"{row} | {cpu:.1f} | {peak:.0f} | {cpu / made * 1e3:.2f} ms a call |",
                          flush=True)  # fmt: skip
                kept &= bool(name) or peak <= MEMORY_BUDGET_MIB
                kept &= bool(name) or calls > CALLS or cpu <= CPU_BUDGET_S
    sys.exit(not kept)


if __name__ == "__main__":
    main()
