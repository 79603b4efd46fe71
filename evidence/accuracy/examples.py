r"""How many planted faults the count of usable examples leaves out, and what it costs clean ones.

    python evidence/accuracy/examples.py ../shared/real/tau_bench/gpt-4o-airline.json \
        ../shared/real/banking77/train.csv ../shared/real/clinc_oos/data_oos_plus.json

Faults are refusals, missing answers, errors and copies with one word changed, a quarter each.
"""

from __future__ import annotations

import csv
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from made import names

from tuneworthy.measure.engine import measure
from tuneworthy.measure.evalset import build_evalset
from tuneworthy.measure.signals.examples import REASONS
from tuneworthy.measure.signals.examples import ExamplesSignal as Examples
from tuneworthy.model.case import Materials
from tuneworthy.model.evidence import Batch, Evidence, TextColumn, ToolCall

if TYPE_CHECKING:
    from numpy.typing import NDArray

REFUSAL = "I'm sorry, but I can't help with that."
SETS = 10


def traces(rng: np.random.Generator, at_fault: NDArray[np.bool_]) -> Batch:
    """Answers of 30 words drawn from a thousand, some of them spoilt."""
    size = at_fault.size
    words = np.array([f"word{n}" for n in range(1000)])[
        rng.integers(0, 1000, (size, 30))
    ]
    outputs: TextColumn = [" ".join(row) for row in words]
    error: TextColumn = [None] * size
    for row in np.flatnonzero(at_fault.ravel()).tolist():
        kind = rng.integers(0, 4)
        if kind == 3:
            error[row] = "timeout"
            continue
        copy = f"{' '.join(words[0][:-1])} another"
        outputs[row] = (REFUSAL, None, copy)[kind]
    return Batch(output=outputs, error=error, conversation=names(at_fault))


def counted(batch: Batch, materials: Materials) -> Evidence:
    """The evidence, by the engine that finds near copies at speed."""
    with tempfile.TemporaryDirectory() as folder:
        (found,) = measure([batch], [Examples(materials)], folder=Path(folder))
    return found.evidence[0]


def labelled(path: Path) -> list[tuple[str, str]]:
    """Messages of people with their labels: rows of Banking77 or CLINC."""
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            return [(row["text"], row["category"]) for row in csv.DictReader(file)]
    return [
        (text, label) for text, label in json.loads(path.read_text("utf-8"))["train"]
    ]


def instructed(path: Path) -> None:
    """Print what is left of real labelled rows with the instruction at four places."""
    rows = labelled(path)
    labels = ", ".join(sorted({label for _, label in rows}))
    order = f"Sort the customer's message into one of these, and write its name alone: {labels}."
    bare: TextColumn = [text for text, _ in rows]
    outputs: TextColumn = [label for _, label in rows]
    whole: TextColumn = [f"{order}\n\nMessage: {text}" for text in bare]
    forms = {
        "bare": Batch(output=outputs, input=bare),
        "system": Batch(output=outputs, input=bare, system=[order] * len(rows)),
        "user": Batch(output=outputs, input=whole),
        "results": Batch(
            output=outputs,
            input=whole,
            reference=outputs,
            case=[str(n) for n in range(len(rows))],
            model=["m"] * len(rows),
        ),
    }
    for form, batch in forms.items():
        usable, drawn = counted(batch, Materials()).value, build_evalset([batch], n=200)
        print(f"{path.parent.name} {form}: {usable:,.0f} of {len(rows):,} usable; "
              f"evaluation set: {drawn.folded:,} of {drawn.framed:,} folded")  # fmt: skip


def main() -> None:
    """Print the count on real runs, and on planted faults."""
    from planted import faults

    rng = np.random.default_rng(1)
    print(f"planted, {SETS} data sets of 900 answers each")
    for rate in (0.0, 0.01, 0.05, 0.2):
        wrong, missed = [], []
        for _ in range(SETS):
            at_fault = faults(rng, rate)
            at_fault[0, 0] = False  # what the copies are copies of
            usable = counted(traces(rng, at_fault), Materials()).value
            assert isinstance(usable, float)
            good = int((~at_fault).sum())
            missed.append(max(0.0, usable - good) / max(1, int(at_fault.sum())))
            wrong.append(max(0.0, good - usable) / good)
        print(f"  {rate:4.0%} planted: {np.mean(missed):.2%} of the faults counted as usable, "
              f"{np.mean(wrong):.2%} of the clean thrown out")  # fmt: skip
    if len(sys.argv) < 2:
        return
    for name in sys.argv[2:]:
        instructed(Path(name))
    runs = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    batch = Batch()
    for run in runs:
        asked = None
        for message in run["traj"]:
            if message["role"] != "assistant":
                asked = message.get("content")
                continue
            calls = message.get("tool_calls") or []
            batch.output.append(message.get("content"))
            batch.input.append(asked)
            batch.tool_calls.append(
                [
                    ToolCall(c["function"]["name"], c["function"]["arguments"])
                    for c in calls
                ]
                or None
            )
            batch.conversation.append(f"{run['task_id']} {run['trial']}")
            batch.score.append(run["reward"])
    found = counted(batch, Materials(examples_need=1000))
    print(f"real agent runs: {len(batch)} answers, {found.value:.0f} usable "
          f"({found.low:.0f} to {found.high})")  # fmt: skip
    print("  " + ", ".join(f"{name} {found.details[name]}" for name in REASONS))


if __name__ == "__main__":
    main()
