"""Labs on real data, and each page's first sentence recomputed.

    python evidence/accuracy/real_labs.py DATA FOLDER [NAME ...]

Five with the embedded model, and six on more cases of bfcl and sql_eval, in which a server on this
machine gives made answers: a stated share of them right, the others slips.

DATA holds clinc_oos, banking77, pubmedqa, bfcl and sql_eval; FOLDER gets a case for each. A lab
runs by the command line; then the answers are read from its ledger as they came and scored anew, by
rules written here and nowhere else: a label by its letters, a call by its accepted values, a query
by the rows SQLite gives. Share, interval (Clopper and Pearson, by bisection) and answer are worked
out from them and held against the page. What was run before isn't run again.
"""

from __future__ import annotations

import csv
import json
import math
import random
import re
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from test_scoring_real import tables_for

from tuneworthy.lab.prepare import prepare
from tuneworthy.llm.ledger import ReadOnlyLedger

SEED, CASES, FEW = 7, 60, 24
HEAD = "---\nname: bare\nMORE---\n# system\nSYSTEM\n# user\n{{ input }}\n"
HEADS = {"label": "constrained: grammar\n", "tool_call": "constrained: schema\n",
         "sql": "few_shot: {k: 5, from: nearest}\n"}  # fmt: skip
"""What keeps answers short, by metric: the labels, a schema, or answers to go by."""
Row = dict[str, Any]


def labelled(rows: list[tuple[str, str]], n: int, at: int) -> list[Row]:
    """Rows of a text and its label as cases."""
    return [
        {"id": f"{at}-{place}", "input": text, "reference": label}
        for place, (text, label) in enumerate(rows[:n])
    ]


def clinc(data: Path) -> tuple[list[Row], list[Row]]:
    """Ten intents of clinc_oos: cases and examples."""
    told = json.loads((data / "clinc_oos/data_oos_plus.json").read_text("utf-8"))
    return _ten([(a, b) for a, b in told["test"]], [(a, b) for a, b in told["train"]])


def banking(data: Path) -> tuple[list[Row], list[Row]]:
    """Ten intents of banking77."""
    parts = []
    for part in ("test", "train"):
        with (data / f"banking77/{part}.csv").open(
            encoding="utf-8", newline=""
        ) as file:
            parts.append(
                [(row["text"], row["category"]) for row in csv.DictReader(file)]
            )
    return _ten(*parts)


def _ten(
    test: list[tuple[str, str]], train: list[tuple[str, str]]
) -> tuple[list[Row], list[Row]]:
    chance = random.Random(SEED)  # noqa: S311  # draws cases, hides nothing  # a draw of cases is no secret
    names = sorted({label for _, label in train} - {"oos"})
    kept = set(chance.sample(names, 10))
    rows = [[row for row in part if row[1] in kept] for part in (test, train)]
    for part in rows:
        chance.shuffle(part)
    return labelled(rows[0], CASES, 0), labelled(rows[1], 100, 1)


def pubmed(data: Path) -> tuple[list[Row], list[Row]]:
    """Yes, no or maybe, by the question alone."""
    told = json.loads((data / "pubmedqa/ori_pqal.json").read_text("utf-8"))
    rows = [(one["QUESTION"], one["final_decision"]) for one in told.values()]
    random.Random(SEED).shuffle(rows)  # noqa: S311  # draws cases, hides nothing
    return labelled(rows, CASES, 0), labelled(rows[CASES:], 100, 1)


KINDS = {
    "integer": "integer",
    "float": "number",
    "boolean": "boolean",
    "string": "string",
}


def bounded(tool: Row) -> Row | None:
    """A JSON Schema of a call of a tool that bounds its length; None where it has many arguments.

    Only what has to be given may be given.
    """
    told = tool["parameters"]
    kinds = {
        name: told["properties"][name]["type"] for name in told.get("required", ())
    }
    if not 0 < len(kinds) < 4 or not KINDS.keys() >= set(kinds.values()):
        return None
    of: dict[str, Row] = {name: {"type": KINDS[kind]} for name, kind in kinds.items()}
    of = {
        k: v | ({"maxLength": 24} if v["type"] == "string" else {})
        for k, v in of.items()
    }
    given = {
        "type": "object",
        "properties": of,
        "required": [*of],
        "additionalProperties": False,
    }
    whole = {"name": {"const": tool["name"]}, "arguments": given}
    return {"type": "object", "properties": whole, "required": [*whole],
            "additionalProperties": False}  # fmt: skip


def bfcl(data: Path) -> list[Row]:
    """Calls of one tool, written as JSON."""

    def lines(name: str) -> list[Row]:
        text = (data / "bfcl" / name).read_text("utf-8")
        return [json.loads(line) for line in text.splitlines()]

    pairs = zip(
        lines("BFCL_v4_simple_python.json"),
        lines("ans_simple_python.json"),
        strict=True,
    )
    rows = [
        {
            "id": asked["id"],
            "input": json.dumps(asked["function"][0])
            + "\n"
            + asked["question"][0][0]["content"],
            "reference": {"calls": answer["ground_truth"]},
        }
        for asked, answer in pairs
    ]
    random.Random(SEED).shuffle(rows)  # noqa: S311  # draws cases, hides nothing
    return rows


def few_calls(data: Path) -> tuple[list[Row], list[Row]]:
    """Those of short tools with few and plain arguments."""
    tools = ((row["input"].partition("\n")[0], row) for row in bfcl(data))
    return [
        row for tool, row in tools if len(tool) < 500 and bounded(json.loads(tool))
    ][:FEW], []


def sql(data: Path) -> list[Row]:
    """Queries on tables that lie beside each question."""
    text = (data / "sql_eval/questions_gen_sqlite.csv").read_text("utf-8")
    rows = []
    for place, row in enumerate(csv.DictReader(text.splitlines())):
        query = re.sub(r"\{([^}]*)\}", r"\1", row["query"].split(";")[0])
        script, runs = tables_for([query])
        if query in runs:
            tables = "\n".join(
                line for line in script.splitlines() if line.startswith("CREATE")
            )
            check = {"scorer": "sql", "of": {"schema": script}}
            rows.append({"id": f"s{place}", "input": f"{tables}\n{row['question']}",
                         "reference": query, "checks": [check]})  # fmt: skip
    random.Random(SEED).shuffle(rows)  # noqa: S311  # draws cases, hides nothing
    return rows


def few_queries(data: Path) -> tuple[list[Row], list[Row]]:
    """Short ones on one table, and the others as examples."""
    short = [row for row in sql(data) if row["input"].count("CREATE") == 1
             and len(row["reference"]) < 120]  # fmt: skip
    return short[:FEW], [{**row, "checks": []} for row in short[FEW:]]


def all_of(
    rows: Callable[[Path], list[Row]], data: Path
) -> tuple[list[Row], list[Row]]:
    """All that a server can answer, and none as examples."""
    return [row for row in rows(data) if plain(row["reference"])], []


def plain(reference: Any) -> bool:
    """Whether no accepted argument is made of parts."""
    told = [] if isinstance(reference, str) else reference["calls"]
    values = (
        value for call in told for args in call.values() for value in args.values()
    )
    return not any(
        isinstance(one, dict | list) for accepted in values for one in accepted
    )


MADE = {"bfcl": (bfcl, "tool_call"), "sql_eval": (sql, "sql")}
SHARES = (0.3, 0.5, 0.8)
LABS: dict[str, tuple[Any, str, float, int, str]] = {
    "clinc_oos": (clinc, "label", 0.9, 12, "Name the intent of the message."),
    "banking77": (
        banking,
        "label",
        0.6,
        32,
        "Name the intent of the customer's message.",
    ),
    "pubmedqa": (pubmed, "label", 0.9, 8, "Answer yes, no or maybe."),
    "bfcl": (
        few_calls,
        "tool_call",
        0.5,
        160,
        'Write the call as JSON: {"name": ..., "arguments": ...}.',
    ),
    "sql_eval": (
        few_queries,
        "sql",
        0.5,
        160,
        "Write one SQLite query, and nothing else.",
    ),
}
LABS |= {
    f"{name}, made, {share}": (partial(all_of, rows), metric, 0.5, 160, "Answer.")
    for name, (rows, metric) in MADE.items()
    for share in SHARES
}


# Made answers -------------------------------------------------------------------------------------


def made(case: Row, others: list[Row], share: float, shown: int) -> str:
    """An answer that is right in about a ``share``; with examples ``shown``, in a little more."""
    chance = random.Random(f"{case['id']} {shown}")  # noqa: S311  # makes answers, hides nothing
    right_one, slip = chance.random() < share + 0.05 * (shown > 0), chance.randrange(4)
    told = case if right_one or slip > 1 else chance.choice(others)
    if isinstance(case["reference"], str):
        query = told["reference"]
        if not right_one and slip > 1:
            query = ("I don't know.", f"SELECT 1 -- {query}")[slip - 2]
        return chance.choice((query, f"{query};", f"```sql\n{query}\n```"))
    ((tool, accepted),) = told["reference"]["calls"][0].items()
    given = {name: values[0] for name, values in accepted.items() if "" not in values}
    if not right_one and slip == 2 and given:
        given.pop(chance.choice(sorted(given)))
    elif not right_one and slip == 3:
        given |= {"and_one_more": True}
    return json.dumps({"name": tool, "arguments": given})


@contextmanager
def answering(folder: Path, share: float) -> Iterator[None]:
    """A server of made answers at the address that the case of a folder names."""
    rows = [
        json.loads(line)
        for line in (folder / "eval.jsonl").read_text("utf-8").splitlines()
    ]
    by_input = {row["input"]: row for row in rows}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))[
                "messages"
            ]
            text = made(by_input[asked[-1]["content"]], rows, share, len(asked) - 2)
            choice = {"message": {"content": text}, "finish_reason": "stop"}
            usage = {"prompt_tokens": 9, "completion_tokens": 9}
            raw = json.dumps({"choices": [choice], "usage": usage}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    file = folder / "case.yaml"
    told = file.read_text("utf-8")
    port = int(found[1]) if (found := re.search(r"127\.0\.0\.1:(\d+)", told)) else 0
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    free = "usd_per_mtok: {input: 0, output: 0}"
    model = f"{{id: 'made:m', base_url: 'http://127.0.0.1:{server.server_port}/v1', {free}}}"
    file.write_text(told.replace("{id: 'local:smollm2'}", model), "utf-8")
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def write(name: str, data: Path, folder: Path) -> None:
    """The case of a lab."""
    make, metric, target, _, system = LABS[name]
    cases, examples = make(data)
    (folder / "prompts").mkdir(parents=True)
    embedded = " made, " not in name
    head = HEAD.replace("SYSTEM", system).replace("MORE", HEADS[metric] * embedded)
    (folder / "prompts" / "bare.md").write_text(head, "utf-8")
    more = ""
    for file, rows in (("eval.jsonl", cases), ("examples.jsonl", examples)):
        if rows:
            text = "".join(json.dumps(row) + "\n" for row in rows)
            (folder / file).write_text(text, "utf-8")
    if examples:
        more = ", examples: examples.jsonl"
    if metric == "tool_call" and embedded:
        tools = (json.loads(row["input"].split("\n")[0]) for row in cases)
        schema = json.dumps({"anyOf": [bounded(tool) for tool in tools]})
        (folder / "schema.json").write_text(schema, "utf-8")
        more = ", output_schema: schema.json"
    metrics = "" if metric == "sql" else f"metric: {metric}, "
    (folder / "case.yaml").write_text(
        f"name: {name}\ntargets: {{quality: {{{metrics}at_least: {target}}}}}\n"
        f"models: [{{id: 'local:smollm2'}}]\n"
        f"data: {{evaluation: eval.jsonl, prompts: prompts{more}}}\n",
        "utf-8",
    )


# The recomputation --------------------------------------------------------------------------------


def right(metric: str, case: Row, text: str) -> bool:
    """Whether an answer is right, by rules of this file alone."""
    if metric == "label":
        return text.strip().strip('"').casefold() == str(case["reference"]).casefold()
    if metric == "sql":
        return _rows(case, text) == _rows(case, case["reference"])
    found = re.search(r"\{.*\}", text, re.DOTALL)
    if not found:
        return False
    try:
        call = json.loads(found[0])
        name, given = call["name"], call["arguments"]
    except (ValueError, TypeError, KeyError):
        return False
    for wanted in case["reference"]["calls"]:
        for tool, accepted in wanted.items():
            if tool == name and isinstance(given, dict):
                missing = [key for key in accepted if key not in given]
                good = all(
                    key in accepted and given[key] in accepted[key] for key in given
                )
                if good and all("" in accepted[key] for key in missing):
                    return True
    return False


def _rows(case: Row, text: str) -> object:
    query = re.sub(r"^```\w*|```$", "", text.strip()).strip().rstrip(";")
    base = sqlite3.connect(":memory:")
    try:
        base.executescript(case["checks"][0]["of"]["schema"])
        rows = base.execute(query).fetchall()
    except (sqlite3.Error, sqlite3.Warning):
        return object()
    finally:
        base.close()
    return rows if "order by" in case["reference"].casefold() else Counter(rows)


def clopper(hits: int, n: int) -> tuple[float, float]:
    """The exact 95% interval of a share, by bisection of the binomial sums."""

    def below(p: float, most: int) -> float:
        return sum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(most + 1))

    def root(wanted: float, most: int) -> float:
        low, high = 0.0, 1.0
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (
                (middle, high) if below(middle, most) > wanted else (low, middle)
            )
        return low

    low = 0.0 if hits == 0 else root(0.975, hits - 1)
    return low, 1.0 if hits == n else root(0.025, hits)


def recomputed(name: str, folder: Path, result: Row) -> tuple[str, str]:
    """What the page's first sentences have to be: the best prompt's share, and the ceiling."""
    _, metric, target, most, _ = LABS[name]
    lab = prepare(folder, max_tokens=most)
    texts = (folder / "eval.jsonl").read_text("utf-8").splitlines()
    cases = {row["id"]: row for row in map(json.loads, texts)}
    scores: dict[tuple[str, str], list[bool]] = {}
    with ReadOnlyLedger(folder / ".tuneworthy" / "calls.sqlite3") as ledger:
        for part, rows in (("select", lab.plan.select), ("report", lab.plan.report)):
            for job, arm, case in lab.plan.calls(lab.plan.called, rows):
                call = ledger.find(job.key)
                if call is not None and call.reply is not None:
                    ok = right(metric, cases[case.id], call.reply.text)
                    scores.setdefault((arm.id, part), []).append(ok)
    stayed = [row["arm"]["id"] for row in result["arms"]
              if row["arm"]["kind"] == "prompt" and row["dropped_after"] is None]  # fmt: skip
    means = {
        arm: sum(scores[arm, "select"]) / len(scores[arm, "select"]) for arm in stayed
    }
    best = max(means, key=lambda arm: means[arm])
    best = result["best"] if means[best] == means[result["best"]] else best
    held = scores[best, "report"]
    low, high = clopper(sum(held), len(held))
    tops = [
        high,
        *(
            clopper(sum(scores[a, "select"]), len(scores[a, "select"]))[1]
            for a in stayed
        ),
    ]
    answer = "no" if low >= target else "yes" if max(tops) < target else "too_few_cases"
    return f"{sum(held) / len(held):.2f} ({low:.2f}-{high:.2f}) {best}", answer


def cut_off(name: str, folder: Path) -> list[tuple[int, int]]:
    """Answers that ended at their most tokens, and all, of each arm on each part."""
    lab, found = prepare(folder, max_tokens=LABS[name][3]), []
    with ReadOnlyLedger(folder / ".tuneworthy" / "calls.sqlite3") as ledger:
        for arm in lab.plan.called:
            for part in (lab.plan.select, lab.plan.report):
                calls = ledger.find_all(
                    [job.key for job, *_ in lab.plan.calls([arm], part)]
                ).values()
                replies = [call.reply for call in calls if call.reply is not None]
                found.append((sum(r.finish == "length" for r in replies), len(replies)))
    return found


def main() -> None:
    """Make, run and recompute, and print a line for each lab."""
    data, place = Path(sys.argv[1]), Path(sys.argv[2])
    print(
        "| lab | the page | recomputed | ceiling: page, recomputed | same |\n|---|---|---|---|---|"
    )
    for name in sys.argv[3:] or LABS:
        folder = place / name
        if not folder.exists():
            write(name, data, folder)
        most = str(LABS[name][3])
        told = [sys.executable, "-m", "tuneworthy", "ceiling", str(folder), "--max-tokens", most,
                "--at-once", "2", "--format", "json"]  # fmt: skip
        share = name.partition(" made, ")[2]
        with answering(folder, float(share)) if share else nullcontext():
            done = subprocess.run(told, capture_output=True, text=True, check=False)
        if done.returncode not in (0, 3):
            print(f"| {name} | {done.stderr.strip()[:200]} | | | |", flush=True)
            continue
        result = json.loads(done.stdout)
        said = result["reported"]
        if "value" not in said:
            stopped = result["stopped"]
            many = [
                (cut, calls)
                for cut, calls in cut_off(name, folder)
                if cut > 0.02 * calls
            ]
            lost = [f"{cut} of {calls}" for cut, calls in many]
            told_so = any(stopped.startswith(f"{each} calls") for each in lost)
            same = told_so and result["reached"] == "unknown"
            row = (name, f"not judged: {stopped[:60]}…", f"cut off: {'; '.join(lost)}",
                   "unknown, unknown", "yes" if same else "NO")  # fmt: skip
            print(f"| {' | '.join(row)} |", flush=True)
            continue
        page = f"{said['value']:.2f} ({said['low']:.2f}-{said['high']:.2f}) {result['best']}"
        anew, answer = recomputed(name, folder, result)
        alike = page.partition(" (")[0] == anew.partition(" (")[0]
        same = alike and result["reached"] == answer
        row = (
            name,
            page,
            anew,
            f"{result['reached']}, {answer}",
            "yes" if same else "NO",
        )
        print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
