"""How well sufficient passages are told from others on mtrag.

    python evidence/accuracy/knowledge.py ../shared/real/mtrag/reference.jsonl

The threshold is chosen on one half of the questions, drawn by a hash, and reported on the other.
Insufficient are: questions its annotators call unanswerable or partly answerable; and, since all
its unanswerable ones come without a passage, answerable questions with the five passages of other
questions of the collection that are nearest to the question in words; with the word `knowing`
after the file, nearest to question and answer.
"""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import made
import numpy as np
from binary import auc, balanced, best_threshold, half_of
from made import names

from tuneworthy.measure.signals import knowledge as sufficiency
from tuneworthy.measure.signals.knowledge import KnowledgeSignal as Knowledge
from tuneworthy.measure.signals.knowledge import stems
from tuneworthy.measure.signals.success import refuses
from tuneworthy.model.evidence import Batch
from tuneworthy.stats.clustered import share

if TYPE_CHECKING:
    from numpy.typing import NDArray

Task = dict[str, Any]


def passages(task: Task) -> list[str]:
    """The passages that were given."""
    return [each["text"] for each in task["contexts"]]


def answer(task: Task) -> str:
    """The reference."""
    return str(task["targets"][0]["text"])


def runs_of(text: str) -> set[tuple[str, ...]]:
    """Runs of five stems."""
    found = stems(text)
    return set(zip(found, found[1:], found[2:], found[3:], found[4:], strict=False))


def near_misses(
    tasks: list[Task], *, knowing: bool, wanted: int = 5
) -> dict[str, list[str]]:
    """For each task the passages of others that share most of the rare words of its question.

    Passages that overlap with its own are left out: a fifth of their words in a row or more.

    Args:
        tasks: All tasks.
        knowing: Whether the words of the answer are looked for too, as no retriever could.
        wanted: Passages a task.
    """
    place = {each["document_id"]: (task["Collection"], each["text"])
             for task in tasks for each in task["contexts"]}  # fmt: skip
    roots = {name: set(stems(text)) for name, (_, text) in place.items()}
    seen = Counter(each for found in roots.values() for each in found)
    rarity = {each: math.log(len(roots) / n) for each, n in seen.items()}
    runs = {name: runs_of(text) for name, (_, text) in place.items()}
    result = {}
    for task in tasks:
        said = set(stems(task["input"][-1]["text"])) | set(
            stems(answer(task)) if knowing else ()
        )
        own = {each["document_id"] for each in task["contexts"]}
        scored = [
            (
                sum(rarity[each] for each in said & roots[name])
                / len(roots[name]) ** 0.3,
                name,
            )
            for name, (collection, _) in place.items()
            if name not in own and collection == task["Collection"]
        ]
        held = {run for name in own for run in runs[name]}
        ranked = [name for _, name in sorted(scored, reverse=True)[: wanted * 8]]
        apart = [
            name for name in ranked if len(runs[name] & held) <= len(runs[name]) / 5
        ]
        result[task["task_id"]] = [place[name][1] for name in apart[:wanted]]
    return result


def shown(label: str, hits: list[bool]) -> None:
    """Print a share with its interval."""
    found = share(np.array(hits) * 1.0, np.arange(len(hits)))
    if found:
        print(
            f"  {label}: {found.value:.3f} ({found.low:.3f} to {found.high:.3f}), n {found.n}"
        )


def told(yes: list[float], no: list[float], cut: float, label: str) -> None:
    """Print AUC and balanced accuracy of a score."""
    scores, truth = np.array(yes + no), np.array([1.0] * len(yes) + [0.0] * len(no))
    ones = np.ones(len(scores))
    right = balanced((scores >= cut).astype(np.float64), truth, ones)
    print(
        f"  {label}: AUC {auc(scores, truth, ones):.3f}, balanced accuracy {right:.3f}"
    )


def fires(at_fault: NDArray[np.bool_]) -> bool:
    """Whether wrong answers before the right passage are called too many (over one in ten)."""
    scores: list[float | None] = [
        0.0 if bad else 1.0 for bad in at_fault.ravel().tolist()
    ]
    batch = Batch(
        output=[""] * len(scores),
        score=scores,
        answerable=[True] * len(scores),
        conversation=names(at_fault),
    )
    low = made.told(Knowledge(), "synthesis_failure_share", batch).low
    return low is not None and low > 0.1


def by_coverage(
    sides: list[dict[str, list[Task]]], others: dict[str, list[str]]
) -> None:
    """Print how well the passages' words tell sufficient ones, on each half."""

    def cover(group: list[Task], *, missed: bool = False) -> list[float]:
        given = [
            others[each["task_id"]] if missed else passages(each) for each in group
        ]
        found = [
            sufficiency.coverage(answer(t), g)
            for t, g in zip(group, given, strict=True)
        ]
        return [each for each in found if each is not None]

    yes, no = cover(sides[0]["ANSWERABLE"]), cover(sides[0]["ANSWERABLE"], missed=True)
    best = best_threshold(
        np.array(yes + no), np.array([1.0] * len(yes) + [0.0] * len(no))
    )
    print(f"threshold on the one half {best:.3f}, shipped {sufficiency.THRESHOLD}")
    cut = sufficiency.THRESHOLD
    for label, side in zip(
        ("the half it was chosen on", "the other half"), sides, strict=True
    ):
        print(label)
        yes, miss = cover(side["ANSWERABLE"]), cover(side["ANSWERABLE"], missed=True)
        none, part = cover(side["UNANSWERABLE"]), cover(side["PARTIAL"])
        shown("answerable found", [each >= cut for each in yes])
        shown("near misses left alone", [each < cut for each in miss])
        shown("unanswerable (no passage) left alone", [each < cut for each in none])
        shown("partly answerable left alone", [each < cut for each in part])
        told(
            yes,
            none + part,
            cut,
            "answerable against unanswerable and partly answerable",
        )
        told(yes, part, cut, "answerable against partly answerable")
        told(yes, miss, cut, "answerable against near misses")


def by_refusals(sides: list[dict[str, list[Task]]]) -> None:
    """Print what the list of refusals says of references."""
    print("all questions: the list of refusals on references")
    for kind in ("UNANSWERABLE", "ANSWERABLE"):
        texts = [answer(each) for side in sides for each in side[kind]]
        shown(
            f"references of {kind.lower()} that read as refusals",
            [refuses(t) for t in texts],
        )


def main() -> None:
    """Choose on one half, report on the other."""
    lines = Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()
    tasks: list[Task] = [json.loads(line) for line in lines]
    others = near_misses(tasks, knowing="knowing" in sys.argv)
    sides: list[dict[str, list[Task]]] = [{}, {}]
    for task in tasks:
        side = sides[half_of(task["task_id"])]
        side.setdefault(task["answerability"][0], []).append(task)
    by_coverage(sides, others)
    by_refusals(sides)
    print("planted: wrong answers before the right passage, both labelled")
    made.table("synthesis_failure_share wholly above 0.1", fires)


if __name__ == "__main__":
    main()
