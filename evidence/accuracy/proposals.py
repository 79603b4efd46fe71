"""What a very small model writes when prompts are to be proposed: the lab refuses it by this.

python evidence/accuracy/proposals.py DATA FOLDER

DATA holds banking77/test.csv. FOLDER is made: 60 messages of five intents and one bare prompt. It
takes the embedded model (``tuneworthy models pull local:smollm2``) for answers and for writing,
which the command doesn't allow, and minutes.
"""

from __future__ import annotations

import csv
import json
import random
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

from tuneworthy.lab import ceiling
from tuneworthy.lab.prepare import prepare
from tuneworthy.lab.propose import ProposalRequest, parted_for
from tuneworthy.llm.endpoints import reach

INTENTS = (
    "lost_or_stolen_card",
    "exchange_rate",
    "age_limit",
    "card_arrival",
    "terminate_account",
)
CASES, DRAWS, TOKENS, SEED = 60, 3, 16, 1
_PROMPT = "Name the intent of the customer's message. Answer with the name alone.\n"
_CASE = """\
name: Five intents of a bank's customers
targets: {quality: {metric: label, at_least: 0.8}}
models: [{id: "local:smollm2"}]
data: {evaluation: eval.jsonl, prompts: prompts}
"""


def make(data: Path, folder: Path) -> None:
    """Write the case."""
    with (data / "banking77" / "test.csv").open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["category"] in INTENTS]
    random.Random(SEED).shuffle(rows)  # noqa: S311  # a sample is no secret
    told = ({"id": str(number), "input": row["text"], "reference": row["category"]}
            for number, row in enumerate(rows[:CASES]))  # fmt: skip
    (folder / "prompts").mkdir(parents=True)
    (folder / "eval.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in told))
    (folder / "prompts" / "bare.md").write_text(_PROMPT)
    (folder / "case.yaml").write_text(_CASE)


def main() -> None:
    """Make the case, run the lab, and print its page and what was written."""
    folder = Path(sys.argv[2])
    if not folder.exists():
        make(Path(sys.argv[1]), folder)
    ready = prepare(folder, max_tokens=TOKENS, as_of=date.today())
    plan, taught = parted_for(ready.plan)
    writer = ready.case.models[0]
    ready = replace(
        ready, plan=plan, request=ProposalRequest(DRAWS, writer, reach(writer), taught)
    )
    done = ceiling.run(ready, cap_usd=0.0, at_once=4)
    print(ceiling.render(done))
    print(done.result.model_dump_json(indent=2, include={"proposing", "plateau"}))


if __name__ == "__main__":
    main()
