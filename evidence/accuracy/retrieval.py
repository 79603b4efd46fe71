"""The retrieval lab on mtrag, and its recall counted again by other code.

    python evidence/accuracy/retrieval.py

507 tasks of real conversations (IBM/mt-rag-benchmark, Apache-2.0), each with the passages that
people found to answer it. What is searched are all those passages. The second count cuts, ranks and
compares by itself: BM25 from its formula, cosines of the same vectors, fusion from its definition.
"""

from __future__ import annotations

import json
import math
import re
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "src")]

from tuneworthy.files.evalset import named_evalset, parted  # noqa: E402  # from this checkout
from tuneworthy.lab import retrieve  # noqa: E402  # from this checkout
from tuneworthy.lab.plan import joined  # noqa: E402  # from this checkout
from tuneworthy.text.embedding import embed  # noqa: E402  # from this checkout

MTRAG = ROOT.parent / "shared" / "real" / "mtrag" / "reference.jsonl"
SPEAKERS = {"user": "user", "agent": "assistant"}


def as_case(folder: Path) -> Path:
    """The tasks as a case folder."""
    rows = []
    for task in map(json.loads, MTRAG.read_text("utf-8").splitlines()):
        messages = [
            {"role": SPEAKERS[m["speaker"]], "content": m["text"]}
            for m in task["input"]
        ]
        passages = [
            {"id": one["document_id"], "text": one["text"]} for one in task["contexts"]
        ]
        row = {"id": task["task_id"], "messages": messages, "contexts": passages}
        row |= {
            "reference": task["targets"][0]["text"],
            "tags": [task["answerability"][0].lower()],
        }
        rows.append(row | {"conversation_id": task["conversation_id"]})
    (folder / "eval.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in rows), "utf-8"
    )
    (folder / "case.yaml").write_text(
        "name: mtrag\ndata: {evaluation: eval.jsonl}\n", "utf-8"
    )
    return folder


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def ranked_by_words(texts: list[str], questions: list[str]) -> list[list[int]]:
    """BM25 with Lucene's idf, k1 1.5 and b 0.75, term by term."""
    counts = [Counter(words(text)) for text in texts]
    lengths = [sum(count.values()) for count in counts]
    mean, postings = sum(lengths) / len(lengths), defaultdict(list)
    for place, count in enumerate(counts):
        for term, n in count.items():
            postings[term].append((place, n))
    orders = []
    for question in questions:
        scores: defaultdict[int, float] = defaultdict(float)
        for term in words(question):
            holding = len(postings.get(term, ()))
            idf = math.log(1 + (len(texts) - holding + 0.5) / (holding + 0.5))
            for place, n in postings.get(term, ()):
                scores[place] += (
                    idf * n / (n + 1.5 * (0.25 + 0.75 * lengths[place] / mean))
                )
        orders.append(sorted(scores, key=lambda at: (-scores[at], at))[:100])
    return orders


def ranked_by_meaning(texts: list[str], questions: list[str]) -> list[list[int]]:
    vectors, asked = (
        embed([" ".join(one.split()) for one in each]) for each in (texts, questions)
    )
    assert vectors is not None
    assert asked is not None
    return [np.argsort(-(vectors @ one), kind="stable")[:100].tolist() for one in asked]


def fused(one: list[int], other: list[int]) -> list[int]:
    worth: defaultdict[int, float] = defaultdict(float)
    for order in (one, other):
        for rank, place in enumerate(order, 1):
            worth[place] += 1 / (60 + rank)
    return sorted(worth, key=lambda at: (-worth[at], at))


def cut(passages: list[str]) -> tuple[list[str], list[int]]:
    """Passages in runs of 200 words, each with 40 of the one before, and whose each is."""
    texts, of = [], []
    for place, passage in enumerate(passages):
        spans = [found.span() for found in re.finditer(r"\S+", passage)]
        for first in range(0, max(1, len(spans) - 40), 160):
            some = spans[first : first + 200]
            texts.append(passage[some[0][0] : some[-1][1]])
            of.append(place)
    return texts, of


def again() -> None:
    """Recall and MRR at 5 of three ways, on both parts of the questions, by both codes."""
    with tempfile.TemporaryDirectory() as made:
        folder = as_case(Path(made))
        prepared = retrieve.prepare(folder)
        cases = joined(named_evalset(prepared.case) or ())
    print(retrieve.render(prepared.result))
    passages = sorted(
        {p.text for case in cases for p in case.contexts if p.text.strip()}
    )
    texts, of = cut(passages)
    usable = [c for c in cases if c.contexts and "unanswerable" not in c.tags]
    rows = [*prepared.result.ways, prepared.result.best]
    for asked in parted(usable):
        questions = [case.text for case in asked]
        by_words, dense = (
            ranked_by_words(texts, questions),
            ranked_by_meaning(texts, questions),
        )
        hybrid = list(map(fused, by_words, dense))
        for name, orders in (("BM25", by_words), ("dense", dense), ("hybrid", hybrid)):
            worths = []
            for case, order in zip(asked, orders, strict=True):
                known = {passage.text for passage in case.contexts}
                ranks = (
                    n for n, at in enumerate(order[:5], 1) if passages[of[at]] in known
                )
                worths.append(1 / next(ranks, math.inf))
            found = (
                f"{np.mean([worth > 0 for worth in worths]):.4f} {np.mean(worths):.4f}"
            )
            lab = [
                f"{row.recall.value:.4f} {row.mrr.value:.4f}"
                for row in rows
                if (row.way, row.recall.n) == (f"fixed · {name}", len(asked))
            ]
            print(f"{len(asked)} questions, fixed · {name:7}: {found}; the lab {lab}")


if __name__ == "__main__":
    again()
