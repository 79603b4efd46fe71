"""The test before a search, held against what the search then gained, on real tasks.

    nice python evidence/accuracy/headroom.py DATA FOLDER [TASK ...]

Six tasks of labels, answered by ``local:smollm2`` with two prompts as a team would write them.
The model can't write prompts, so the search moves examples alone. The best that it came to races on
the selection cases with the prompts as written, and the winner and the best of these meet the
held-out cases. DATA holds
clinc_oos, banking77, pubmedqa, mtrag, presidio_synth and sql_eval; FOLDER gets a case for each.
Prints a row a task, and what they come to. Nothing that was asked is asked again.
"""

from __future__ import annotations

import asyncio
import csv
import json
import random
import resource
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from searches import rank_correlation

from tuneworthy.lab.ceiling import evaluator_for
from tuneworthy.lab.headroom import WORTH, foretell
from tuneworthy.lab.pool import Cases
from tuneworthy.lab.prepare import PreparedLab, paid, prepare
from tuneworthy.lab.propose import (
    CandidateEvaluator,
    PromptCandidate,
    ProposalRequest,
    parted_for,
)
from tuneworthy.lab.quote import price
from tuneworthy.lab.search import Search
from tuneworthy.lab.session import CEILING_RUN, PaidCalls
from tuneworthy.llm.endpoints import reach
from tuneworthy.model.base import Unknown
from tuneworthy.model.lab import Headroom, Quote
from tuneworthy.stats.compare import paired_difference

AS_OF = date(2026, 12, 1)
MODEL = "local:smollm2"
SELECT, REPORT, EXAMPLES = 42, 60, 100  #: Cases of each part of a task, at most.
TENTHS = {"select": 0.3, "report": 0.45}  #: Parts of a task that has fewer rows.
DRAWS = 5  #: Draws of a search, at most: there are few other settings, and two cores.
SEED = 7
HEAD = "---\nconstrained: grammar\n---\n"
Rows = list[tuple[str, str]]


def read_clinc(data: Path) -> Rows:
    """Messages and intents of clinc_oos; those out of scope have none."""
    parts = json.loads((data / "clinc_oos/data_oos_plus.json").read_text("utf-8"))
    return _with_ten_labels([(text, label) for text, label in parts["train"]])


def read_banking(data: Path) -> Rows:
    """Messages and intents of banking77."""
    with (data / "banking77/train.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["text"], row["category"]) for row in csv.DictReader(file)]
    return _with_ten_labels(rows)


def _with_ten_labels(rows: Rows) -> Rows:
    names = sorted({label for _, label in rows})
    kept = set(random.Random(SEED).sample(names, 10))  # noqa: S311  # a draw of cases is no secret
    return [row for row in rows if row[1] in kept]


def read_pubmed(data: Path) -> Rows:
    """Questions of papers, and yes, no or maybe."""
    rows = json.loads((data / "pubmedqa/ori_pqal.json").read_text("utf-8"))
    return [(row["QUESTION"], row["final_decision"]) for row in rows.values()]


def read_collections(data: Path) -> Rows:
    """The last questions of conversations, and the collection that each was asked about."""
    text = (data / "mtrag/reference.jsonl").read_text("utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    return [(row["input"][-1]["text"], row["Collection"]) for row in rows]


def read_personal(data: Path) -> Rows:
    """Sentences with personal data of one kind, and that kind; the five most frequent."""
    file = data / "presidio_synth/synth_dataset_v2.json"
    rows = []
    for row in json.loads(file.read_text("utf-8")):
        kinds = {span["entity_type"] for span in row["spans"]}
        if len(kinds) == 1:
            rows.append((row["full_text"], kinds.pop().lower()))
    frequent = {kind for kind, _ in Counter(kind for _, kind in rows).most_common(5)}
    return [row for row in rows if row[1] in frequent]


def read_databases(data: Path) -> Rows:
    """Questions and the database that each is about; of those that many are about."""
    with (data / "sql_eval/questions_gen_sqlite.csv").open(encoding="utf-8") as file:
        rows = [(row["question"], row["db_name"]) for row in csv.DictReader(file)]
    often = Counter(name for _, name in rows)
    return [row for row in rows if often[row[1]] >= 20]


TASKS: dict[str, tuple[Callable[[Path], Rows], str]] = {
    "clinc_oos": (read_clinc, "Name the intent of the message."),
    "banking77": (read_banking, "Name the intent of the customer's message."),
    "pubmedqa": (read_pubmed, "Answer the question: yes, no or maybe."),
    "mtrag": (read_collections, "Name the collection that answers the question."),
    "presidio_synth": (read_personal, "Name the personal data in the sentence."),
    "sql_eval": (read_databases, "Name the database that answers the question."),
}


def write_case(folder: Path, data: Path, task: str) -> None:
    """The case of a task."""
    read, asks = TASKS[task]
    rows = list(dict(read(data)).items())  # a text that comes twice is one case
    random.Random(SEED).shuffle(rows)  # noqa: S311  # a draw of cases is no secret
    select = min(SELECT, int(TENTHS["select"] * len(rows)))
    report = min(REPORT, int(TENTHS["report"] * len(rows)))
    cases = []
    for place, (text, label) in enumerate(rows[: select + report]):
        split = "select" if place < select else "report"
        case = {"id": f"{task} {place}", "input": text, "reference": label}
        cases.append({**case, "split": split})
    rest = rows[select + report :][:EXAMPLES]
    examples = [{"input": text, "reference": label} for text, label in rest]
    labels = ", ".join(sorted({label for _, label in rows}))
    (folder / "prompts").mkdir(parents=True)
    prompts = {"bare": asks, "listed": f"{asks} It is one of: {labels}."}
    for name, text in prompts.items():
        (folder / "prompts" / f"{name}.md").write_text(f"{HEAD}{text}\n", "utf-8")
    for name, lines in (("eval", cases), ("examples", examples)):
        text = "".join(f"{json.dumps(line)}\n" for line in lines)
        (folder / f"{name}.jsonl").write_text(text, "utf-8")
    (folder / "case.yaml").write_text(
        f"name: {task}\ntargets: {{quality: {{metric: label, at_least: 0.9}}}}\n"
        f"models: [{{id: '{MODEL}'}}]\n"
        "data: {evaluation: eval.jsonl, prompts: prompts, examples: examples.jsonl}\n",
        "utf-8",
    )


@dataclass(frozen=True)
class SearchedTask:
    """What the test foretold of a task, and what the search gained."""

    task: str
    foretold: Headroom
    ended: str
    draws: int
    chosen: str  #: The examples of the winner of the race.
    written: float  #: Share right of the best prompt as written, on held-out cases.
    gained: tuple[float, float, float]  #: What the winner has more, with its interval.
    cases: int  #: Held-out cases.

    @property
    def row(self) -> str:
        """Its row of the table."""
        headroom = self.foretold
        gain, low, high = self.gained
        cells = (
            self.task,
            f"{headroom.value:+.2f} ({headroom.low:.2f} to {headroom.high:.2f})",
            headroom.advice,
            f"{self.written:.2f}",
            f"{gain:+.2f} ({low:+.2f} to {high:+.2f})",
            self.chosen,
            f"{self.ended}, {self.draws}",
            f"{headroom.calls}, {self.cases}",
        )
        return f"| {' | '.join(cells)} |"


def run_task(folder: Path, task: str) -> SearchedTask | None:
    """Test, search, race and report; None where the test said nothing."""
    lab = prepare(folder, max_tokens=32, as_of=AS_OF)
    plan, taught = parted_for(lab.plan)
    writer = lab.case.models[0]
    request = ProposalRequest(DRAWS, writer, reach(writer), taught, writes=False)
    lab = replace(lab, plan=plan, request=request)

    async def work(calls: PaidCalls, _: Quote) -> SearchedTask | None:
        evaluator = evaluator_for(lab, calls)
        return await asyncio.to_thread(search_task, lab, evaluator, task)

    return paid(lab, CEILING_RUN, price, work, cap_usd=0.0, at_once=4)


def search_task(
    lab: PreparedLab, evaluator: CandidateEvaluator, task: str
) -> SearchedTask | None:
    """The same with calls that can be asked for."""
    headroom = foretell(evaluator)
    if isinstance(headroom, Unknown):
        return None
    search = Search(evaluator).run()
    written = evaluator.written()
    best = best_on(evaluator, written, lab.plan.select)
    winner = best_on(evaluator, [*written, *search.finalists[:1]], lab.plan.select)
    report = lab.plan.report
    before = scores_of(evaluator, best, report)
    after = scores_of(evaluator, winner, report)
    gained = paired_difference(after, before, range(len(report)))
    assert gained is not None  # there are held-out cases
    return SearchedTask(
        task=task,
        foretold=headroom,
        ended=search.ended,
        draws=len(search.draws),
        chosen=f"{winner.arm.few_shot_from} {winner.arm.few_shot}",
        written=float(np.mean(before)),
        gained=(gained.value, gained.low, gained.high),
        cases=len(report),
    )


def best_on(
    evaluator: CandidateEvaluator, candidates: Sequence[PromptCandidate], cases: Cases
) -> PromptCandidate:
    """The candidate with the most right on some cases; of equals the first."""
    return max(candidates, key=lambda each: evaluator.score(each, cases))


def scores_of(
    evaluator: CandidateEvaluator, candidate: PromptCandidate, cases: Cases
) -> list[float]:
    """The score of each case."""
    return [score for score, *_ in evaluator.try_on(candidate, cases)]


def summary_of(tasks: Sequence[SearchedTask]) -> dict[str, Any]:
    """What the rows come to."""
    foretold = np.array([each.foretold.value for each in tasks])
    gains = np.array([each.gained[0] for each in tasks])
    vain = [each for each in tasks if each.foretold.advice != "search"]
    inside = 0
    for each in tasks:
        inside += each.foretold.low <= each.gained[0] <= each.foretold.high
    return {
        "searches": len(tasks),
        "rank correlation": round(rank_correlation(foretold, gains), 2),
        "mean foretold, mean gain": [
            round(float(foretold.mean()), 3),
            round(float(gains.mean()), 3),
        ],
        "gain within the interval foretold": inside,
        "unclear": len(vain),
        "of them wrong": sum(each.gained[0] >= WORTH for each in vain),
        "search": len(tasks) - len(vain),
        "of them in vain": sum(
            each.gained[0] < WORTH for each in tasks if each not in vain
        ),
    }


def main() -> None:
    """Make what lacks, run all, and print the table."""
    data = Path(sys.argv[1])
    place = Path(sys.argv[2])
    print(
        "| task | foretold | advice | as written | gained | winner | ended, draws "
        "| calls of the test, held-out cases |"
    )
    print(f"|{'---|' * 8}")
    tasks = []
    for task in sys.argv[3:] or TASKS:
        folder = place / task
        if not folder.exists():
            write_case(folder, data, task)
        searched = run_task(folder, task)
        if searched is None:
            print(f"| {task} | unknown |", flush=True)
            continue
        tasks.append(searched)
        print(searched.row, flush=True)
    print(json.dumps(summary_of(tasks), indent=2))
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        used = resource.getrusage(who)
        print(f"CPU: {used.ru_utime + used.ru_stime:.0f} s")


if __name__ == "__main__":
    main()
