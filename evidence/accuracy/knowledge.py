"""How well sufficient passages are told from others on mtrag.

    python evidence/accuracy/knowledge.py ../shared/real/mtrag/reference.jsonl

Half of the questions, drawn by a hash, chose the threshold that ships; the other half is reported.
Passages of answerable questions are sufficient. Those of unanswerable and partly answerable ones
aren't. mtrag's unanswerable questions come without a passage, so answerable ones are also paired
with the five passages of other questions that share most rare words with the question alone, or
with question and answer together.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from tuneworthy.measure.signals.knowledge import THRESHOLD, coverage, stems
from tuneworthy.stats.clustered import share

Task = dict[str, Any]
Passages = list[str]
WANTED = 5  #: Passages a question, as mtrag gives.


def is_reported(task: Task) -> bool:
    """Whether the question lies in the half that chose nothing."""
    return hashlib.sha256(task["task_id"].encode()).digest()[-1] % 2 == 1


def reference(task: Task) -> str:
    return str(task["targets"][0]["text"])


def given_passages(task: Task) -> Passages:
    return [each["text"] for each in task["contexts"]]


def runs_of_five(text: str) -> set[tuple[str, ...]]:
    """Five stems in a row, each place of the text; empty for a shorter text."""
    found = stems(text)
    return {tuple(found[place : place + 5]) for place in range(len(found) - 4)}


class Collections:
    """All passages of the tasks, to find the nearest ones of other questions."""

    def __init__(self, tasks: list[Task]) -> None:
        self.text: dict[str, str] = {}
        self.collection: dict[str, str] = {}
        for task in tasks:
            for each in task["contexts"]:
                self.text[each["document_id"]] = each["text"]
                self.collection[each["document_id"]] = task["Collection"]
        self.words = {name: set(stems(text)) for name, text in self.text.items()}
        self.runs = {name: runs_of_five(text) for name, text in self.text.items()}
        seen = Counter(word for words in self.words.values() for word in words)
        self.rarity = {
            word: math.log(len(self.text) / count) for word, count in seen.items()
        }

    def _nearness(self, name: str, wanted: set[str]) -> float:
        shared = wanted & self.words[name]
        length = len(self.words[name]) ** 0.3
        return float(sum(self.rarity[word] for word in shared) / length)

    def nearest_of_others(self, task: Task, query: str) -> Passages:
        """The nearest passages that don't overlap with the task's own by a fifth of their runs."""
        own = {each["document_id"] for each in task["contexts"]}
        held = {run for name in own for run in self.runs[name]}
        wanted = set(stems(query))
        others = [
            name
            for name in self.text
            if name not in own and self.collection[name] == task["Collection"]
        ]
        others.sort(key=lambda name: self._nearness(name, wanted), reverse=True)
        apart = [
            name
            for name in others[: 8 * WANTED]
            if len(self.runs[name] & held) <= len(self.runs[name]) / 5
        ]
        return [self.text[name] for name in apart[:WANTED]]


def print_share(
    label: str, pairs: list[tuple[Task, Passages]], *, enough: bool
) -> None:
    """Print how many passages the detector tells rightly, with a 95% interval."""
    covered = [coverage(reference(task), passages) for task, passages in pairs]
    right = np.array(
        [(each >= THRESHOLD) == enough for each in covered if each is not None]
    )
    found = share(right * 1.0, np.arange(len(right)))
    if found is not None:
        figures = f"{found.value:.3f} | {found.low:.3f} to {found.high:.3f}"
        print(f"| {label} | {figures} | {found.n} |")


def main() -> None:
    lines = Path(sys.argv[1]).read_text("utf-8").splitlines()
    tasks: list[Task] = [json.loads(line) for line in lines]
    collections = Collections(tasks)
    by_kind: dict[str, list[Task]] = {}
    for task in filter(is_reported, tasks):
        by_kind.setdefault(task["answerability"][0], []).append(task)
    answerable = by_kind["ANSWERABLE"]
    for kind in ("ANSWERABLE", "UNANSWERABLE", "PARTIAL"):
        pairs = [(task, given_passages(task)) for task in by_kind[kind]]
        print_share(kind.lower(), pairs, enough=kind == "ANSWERABLE")
    for label in ("nearest to the question", "nearest to question and answer"):
        pairs = []
        for task in answerable:
            query = task["input"][-1]["text"]
            if "answer" in label:
                query += " " + reference(task)
            pairs.append((task, collections.nearest_of_others(task, query)))
        print_share(label, pairs, enough=False)


if __name__ == "__main__":
    main()
