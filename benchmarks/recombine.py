"""Makes traces out of other people's texts: seeded, of any size, sentences exchanged among them.

The folder holds data sets as their makers publish them: ``banking77/train.csv``,
``mtrag/reference.jsonl``, ``tau_bench/*.json``, ``bfcl/BFCL_v4_*.json``, ``pubmedqa/*.json`` and
``sql_eval/*.csv``. Five products write the log: a classifier whose prompt lists its labels, a
search with passages, an agent with tools and a policy of six thousand characters, a reader of
abstracts and a writer of SQL. A trace is larger than in ``make_traces.py``, mostly by what was said
before.
"""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from make_traces import SPAN_S, START, amounts, write_log

Trace = dict[str, Any]
OPEN = 50  #: Conversations that go on at once.


def jsonl(path: Path) -> Iterator[Any]:
    """Records of a file with one in each line."""
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def table(path: Path) -> list[dict[str, str]]:
    """Rows by the names of their columns."""
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


class RecombinedLog:
    """A log of calls of five products, in the order of time.

    Args:
        folder: Where the data sets are.
        seed: The same seed gives the same log.
    """

    clock = 0.0
    """How much of the time has passed, from 0 to 1."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._rng = random.Random(seed)
        self._sentences: dict[str, list[str]] = {}
        self._banking = table(folder / "banking77/train.csv")
        self._labels = sorted({row["category"] for row in self._banking})
        self._talks = list(jsonl(folder / "mtrag/reference.jsonl"))
        self._trajectories = [
            task["traj"]
            for path in sorted((folder / "tau_bench").glob("*.json"))
            for task in json.loads(path.read_text())
        ]
        self._tools = [
            record["function"]
            for path in sorted((folder / "bfcl").glob("BFCL_v4_*.json"))
            for record in jsonl(path)
        ]
        self._abstracts = list(
            json.loads(
                (folder / "pubmedqa/ori_pqal.json").read_text(encoding="utf-8")
            ).values()
        )
        self._queries = [
            row
            for path in sorted((folder / "sql_eval").glob("*.csv"))
            for row in table(path)
            if row.get("question") and row.get("query")
        ]
        self._numbered = 0

    def traces(self) -> Iterator[Trace]:
        """Traces without an end, the conversations of some moment mixed."""
        products = (self._classify, self._search, self._agent, self._read, self._query)
        going: list[Iterator[Trace]] = []
        while True:
            while len(going) < OPEN:
                going.append(self._rng.choices(products, (3, 3, 1, 2, 1))[0]())
            place = self._rng.randrange(len(going))
            trace = next(going[place], None)
            if trace is None:
                going[place] = going[-1]
                going.pop()
            else:
                yield trace

    def _mixed(self, source: str, text: str) -> str:
        """A text with a sentence of another of its source, so that few are the same."""
        pool = self._sentences.setdefault(source, [])
        parts = text.split(". ")
        if len(pool) < 20_000:
            pool += parts
        parts[self._rng.randrange(len(parts))] = self._rng.choice(pool)
        if len(parts) == 1:
            parts = [text, self._rng.choice(pool)]
        return ". ".join(parts)

    def _common(self, product: str, asked: str, answer: str, context: str) -> Trace:
        rng = self._rng
        tokens, written = (len(context) + len(asked)) // 4 + 20, len(answer) // 4 + 1
        trace: Trace = {
            "timestamp": round(START + SPAN_S * self.clock + rng.random(), 3),
            "model": "large-1" if product in {"agent", "search"} else "small-2",
            "prompt_name": product,
            "prompt_version": f"v{1 + int(3 * self.clock)}",
            **amounts(rng, tokens, written),
        }
        if rng.random() < 0.05:
            trace["feedback"] = {"score": float(rng.random() < 0.85)}
        if rng.random() < 0.002:
            trace["error"] = "timeout"
        return trace

    def _name(self) -> str:
        self._numbered += 1
        return f"conv-{self._numbered:08d}"

    def _classify(self) -> Iterator[Trace]:
        row = self._rng.choice(self._banking)
        asked = self._mixed("banking", row["text"])
        system = "Answer with one of these labels only:\n" + "\n".join(self._labels)
        yield self._common("classify", asked, row["category"], system) | {
            "conversation_id": self._name(), "system": system, "input": asked,
            "output": row["category"],
        }  # fmt: skip

    def _search(self) -> Iterator[Trace]:
        task = self._rng.choice(self._talks)
        passages = [
            {"id": p["document_id"], "text": self._mixed("passage", p["text"])}
            for p in task["contexts"]
        ]
        roles = {"user": "user", "agent": "assistant"}
        said = [
            {"role": roles[t["speaker"]], "content": t["text"]} for t in task["input"]
        ]
        said[-1] = {
            "role": "user",
            "content": self._mixed("asked", said[-1]["content"]),
        }
        answer = self._mixed("answer", task["targets"][0]["text"])
        system = (
            "Answer from the passages alone, and say so if they don't hold the answer."
        )
        context = json.dumps([passages, said])
        yield self._common("search", said[-1]["content"], answer, context) | {
            "conversation_id": self._name(), "contexts": passages, "output": answer,
            "messages": [{"role": "system", "content": system}, *said],
        }  # fmt: skip

    def _agent(self) -> Iterator[Trace]:
        name, turns = self._name(), self._rng.choice(self._trajectories)
        said: list[dict[str, Any]] = []
        for turn in turns:
            content = turn.get("content") or ""
            if turn["role"] == "assistant":
                output = self._mixed("agent", content) if content else None
                calls = [call["function"] for call in turn.get("tool_calls") or ()]
                trace = self._common("agent", "", output or "", json.dumps(said))
                trace |= {
                    "conversation_id": name,
                    "messages": [*said],
                    "output": output,
                }
                yield trace | ({"tool_calls": calls} if calls else {})
                content = output or json.dumps(calls)
            said.append({"role": turn["role"], "content": content})

    def _read(self) -> Iterator[Trace]:
        item = self._rng.choice(self._abstracts)
        system = "Answer the question from the abstract, in two or three sentences."
        abstract = "\n".join(self._mixed("abstract", text) for text in item["CONTEXTS"])
        asked = f"{abstract}\n\n{item['QUESTION']}"
        answer = self._mixed("finding", item["LONG_ANSWER"])
        yield self._common("read", asked, answer, system) | {
            "conversation_id": self._name(), "system": system, "input": asked, "output": answer,
        }  # fmt: skip

    def _query(self) -> Iterator[Trace]:
        row, tools = self._rng.choice(self._queries), self._rng.choice(self._tools)
        system = f"Write one statement of SQL. You may look at the schema:\n{json.dumps(tools)}"
        asked = self._mixed("question", row["question"])
        yield self._common("query", asked, row["query"], system) | {
            "conversation_id": self._name(), "system": system, "input": asked,
            "output": row["query"],
        }  # fmt: skip


def write(path: Path, folder: Path, *, size_bytes: int, seed: int = 20_261_130) -> int:
    """Write a log of about a size, as Python's own ``json`` does it.

    Returns:
        How many traces it holds.
    """
    log = RecombinedLog(folder, seed)
    return write_log(path, log, lambda trace: json.dumps(trace).encode(), size_bytes)
