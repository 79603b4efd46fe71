"""A real pilot: ten intents of BANKING77, and the embedded model.

    python evidence/accuracy/pilot_banking77.py DATA/banking77 FOLDER [EXAMPLES CASES]
    tuneworthy pilot FOLDER

Makes a case folder: the ten intents that come first by name, examples from the training file, cases
from the test file, and a training set that passed the gates. The pilot itself is the command.
"""

from __future__ import annotations

import csv
import json
import random
import sys
from pathlib import Path

from tuneworthy import load_case
from tuneworthy.files.stores import write_training
from tuneworthy.model.training import (
    ChatTurn,
    TrainingExample,
    TrainingSet,
    content_id,
    set_digest,
)

INTENTS = 10
CASE = """name: Ten intents of a bank
targets: {quality: {metric: match, at_least: 0.9}}
models: [{id: "local:smollm2"}]
data: {evaluation: eval.jsonl, prompts: prompts}
decision: {approver: head of support}
"""
PROMPT = (
    "---\nconstrained: grammar\n---\nName the intent of the bank customer's message.\n"
)


def main() -> None:
    """Write the folder."""
    source, folder = Path(sys.argv[1]), Path(sys.argv[2])
    many, cases = (
        int(sys.argv[at]) if len(sys.argv) > at else n for at, n in ((3, 400), (4, 200))
    )
    parts = ("train", "test")
    rows = {
        name: list(csv.DictReader((source / f"{name}.csv").open())) for name in parts
    }
    names = sorted({row["category"] for row in rows["train"]})[:INTENTS]
    chance = random.Random(0)  # noqa: S311  # hides nothing
    picked = {}
    for part, count in (("train", many), ("test", cases)):
        kept = [row for row in rows[part] if row["category"] in names]
        picked[part] = chance.sample(kept, count)
    (folder / "prompts").mkdir(parents=True)
    (folder / "case.yaml").write_text(CASE)
    (folder / "prompts" / "plain.md").write_text(PROMPT)
    lines = [
        {"id": str(at), "input": row["text"], "reference": row["category"]}
        for at, row in enumerate(picked["test"])
    ]
    (folder / "eval.jsonl").write_text(
        "".join(f"{json.dumps(line)}\n" for line in lines)
    )
    examples = []
    for row in picked["train"]:
        turns = (
            ChatTurn(role="user", content=row["text"]),
            ChatTurn(role="assistant", content=row["category"]),
        )
        examples.append(
            TrainingExample(id=content_id(turns), messages=turns, source="train.csv")
        )
    made = TrainingSet(
        digest=set_digest(examples),
        train=len(examples),
        validation=0,
        accepted=0,
        edited=0,
        stated=len(examples),
        rejected=0,
    )
    write_training(load_case(folder), made, examples)
    print(f"{folder}: {many} examples, {cases} cases. Now: tuneworthy pilot {folder}")


if __name__ == "__main__":
    main()
