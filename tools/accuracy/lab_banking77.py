"""Makes a case of all 77 intents of BANKING77, for a lab with the embedded model.

python tools/accuracy/lab_banking77.py DATA FOLDER
tuneworthy ceiling FOLDER --max-tokens 24 --at-once 8

DATA holds banking77/train.csv and banking77/test.csv. Nothing that is there is replaced.
"""

from __future__ import annotations

import csv
import json
import random
import sys
from collections import Counter
from pathlib import Path

EXAMPLES_AN_INTENT, CASES, SEED = 13, 160, 7
_CASE = """\
name: Intents of a bank's customers
goals: [classification]
targets: {quality: {metric: label, at_least: 0.90}}
data: {evaluation: eval.jsonl, examples: examples.jsonl, prompts: prompts}
models: [{id: "local:smollm2"}]
"""
_BARE = """\
---
name: bare
constrained: grammar
---
# system
Name the intent of the customer's message.
# user
{{ input }}
"""
_LISTED = """\
---
name: listed
constrained: grammar
structured: {persona: yes, context: yes, task: yes, format: yes}
---
# system
You sort messages to a bank. Answer with one of these intents and nothing else: LABELS.
# user
Message: {{ input }}
"""


def main() -> None:
    """Write the case."""
    data, folder = Path(sys.argv[1]) / "banking77", Path(sys.argv[2])
    train, test = (_rows(data / f"{part}.csv") for part in ("train", "test"))
    labels = sorted({intent for _, intent in train})
    chance = random.Random(SEED)  # noqa: S311  # a draw of cases is no secret
    chance.shuffle(train)
    chance.shuffle(test)
    taken: Counter[str] = Counter()
    shown = []
    for text, intent in train:
        if taken[intent] < EXAMPLES_AN_INTENT:
            taken[intent] += 1
            shown.append((text, intent))
    (folder / "prompts").mkdir(parents=True)
    (folder / "examples.jsonl").write_text(_lines("x", shown), encoding="utf-8")
    (folder / "eval.jsonl").write_text(_lines("t", test[:CASES]), encoding="utf-8")
    (folder / "prompts" / "bare.md").write_text(_BARE, encoding="utf-8")
    listed = _LISTED.replace("LABELS", ", ".join(labels))
    (folder / "prompts" / "listed.md").write_text(listed, encoding="utf-8")
    (folder / "case.yaml").write_text(_CASE, encoding="utf-8")


def _rows(path: Path) -> list[tuple[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [(row["text"], row["category"]) for row in csv.DictReader(file)]


def _lines(prefix: str, rows: list[tuple[str, str]]) -> str:
    return "".join(
        json.dumps({"id": f"{prefix}{place}", "input": text, "reference": intent}) + "\n"
        for place, (text, intent) in enumerate(rows)
    )


if __name__ == "__main__":
    main()
