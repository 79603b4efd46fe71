"""Today's behaviour, byte by byte: what a rebuild of the code may not change, and what it shows.

    python tests/frozen.py --check                  everything, with the first difference of each
    python tests/frozen.py --check --only dossiers  the gate for each step of a rebuild: seconds
    python tests/frozen.py --check --only law       all that may never change
    python tests/frozen.py --write                  renew the goldens, once the difference is read

Goldens in ``frozen/law`` may never change: dossiers, JSON of commands, exit codes, options, data of
the assistant's tools, the structure of every schema. Those in ``frozen/looks`` are words and pages:
they may change on purpose, and somebody reads the difference then.

The product is reached only through its public API, ``python -m tuneworthy``, HTTP and MCP. All of
that is in the part "How the product is reached".
"""

from __future__ import annotations

import argparse
import csv
import gc
import gzip
import io
import json
import math
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import date, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import httpx
from mcp.client.stdio import StdioServerParameters

from mcp_world import Assistant, connected

ROOT = Path(__file__).resolve().parents[1]
GOLDENS = Path(__file__).with_name("frozen")
LAW, LOOKS = "law", "looks"
DAY = "2026-11-24"
Goldens = dict[str, str]
"""Text by its path in the folder of goldens; a path that ends with ``.gz`` is kept compressed."""

# How the product is reached -----------------------------------------------------------------------

PROGRAM = (sys.executable, "-m", "tuneworthy")
SOURCE = str(ROOT / "src")  # this tree is judged, wherever another one is installed
if sys.path[0] != SOURCE:
    sys.path.insert(0, SOURCE)


class Ran(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str


def run(*arguments: str, typed: str = "") -> Ran:
    """``python -m tuneworthy`` in this process: starting Python 200 times would take a minute."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", newline="") for _ in range(2))
    threshold, code = gc.get_threshold(), 0
    with (
        patch.object(sys, "argv", ["tuneworthy", *arguments]),
        patch.object(sys, "stdin", io.StringIO(typed)),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            runpy.run_module("tuneworthy", run_name="__main__")
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 0
        finally:  # the program tunes the collector for a process of its own
            gc.unfreeze()
            gc.set_threshold(*threshold)
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode("utf-8"))
    return Ran(code, *texts)


@contextmanager
def web(folder: str) -> Iterator[httpx.Client]:
    """A client of ``tuneworthy serve`` on a free port."""
    command = [*PROGRAM, "serve", folder, "--port", "0", "--as-of", DAY]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            link = re.search(
                r"(http://\S+)\?token=\S+", line := process.stdout.readline()
            )
            assert link, line
            with httpx.Client(base_url=link[1], timeout=60, trust_env=False) as client:
                client.get(link[0])  # it brings the session
                yield client
        finally:
            process.send_signal(signal.SIGINT)


@contextmanager
def assistant(folder: str) -> Iterator[Assistant]:
    """A client of ``tuneworthy mcp`` over the standard streams."""
    command, *arguments = (*PROGRAM, "mcp", folder, "--as-of", DAY)
    target = StdioServerParameters(
        command=command, args=arguments, env=dict(os.environ)
    )
    with connected(target) as found:
        yield found


# A place that is the same on every machine --------------------------------------------------------


@contextmanager
def workplace() -> Iterator[None]:
    """A new folder with copies of all that goldens speak of, as the present one."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="frozen-") as name:
        place = Path(name).resolve()
        shutil.copytree(ROOT / "examples", place / "examples")
        shutil.copytree(ROOT / "tests" / "fixtures" / "traces", place / "traces")
        make_shop(place / "shop")
        make_library(place / "library", "eval.jsonl")
        make_library(place / "annex", "open.jsonl")
        plain = {
            "PATH": os.environ.get("PATH", ""), "HOME": str(place / "home"), "TZ": "UTC",
            "XDG_CACHE_HOME": str(place / "home"),
            "XDG_STATE_HOME": str(place / "state"), "LANG": "C.UTF-8", "COLUMNS": "80",
            "NO_COLOR": "1", "PYTHONPATH": SOURCE, "PYTHONDONTWRITEBYTECODE": "1",
        }  # fmt: skip
        try:
            with (
                patch.dict(os.environ, plain, clear=True),
                patch.object(time, "time", noon),
            ):
                time.tzset()
                os.chdir(place)
                yield
        finally:
            os.chdir(before)
            time.tzset()


def noon() -> float:
    """The clock of commands that take no day: ``date.today`` asks ``time.time``."""
    return datetime.fromisoformat(f"{DAY}T12:00:00+00:00").timestamp()


def lines(path: Path, rows: list[dict[str, Any]]) -> None:
    """Records as JSON lines."""
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")


def make_shop(folder: Path) -> None:
    """A case with traffic enough that much of it can be measured."""
    (folder / "prompts").mkdir(parents=True)
    for name, text in (
        ("first", "Answer briefly."),
        ("second", "You help the shop's guests."),
    ):
        (folder / "prompts" / f"{name}.md").write_text(
            f"{text}\n\n{{input}}\n", "utf-8"
        )
    things = (
        "apple",
        "river",
        "stone",
        "candle",
        "window",
        "garden",
        "mirror",
        "ladder",
    )
    traces = [
        {
            "timestamp": f"2026-{9 + n // 84:02d}-{1 + n % 28:02d}T{8 + n % 9:02d}:00:00Z",
            "conversation_id": f"talk {n // 2}", "model": "openai/gpt-4o-mini",
            "system": "You help the shop's guests.", "score": int(n % 7 > 1),
            "input": f"Where is the {things[n % 8]} number {n} of {things[n // 8 % 8]} street?",
            "output": f"The {things[n % 8]} is in row {n % 13}, beside the {things[n // 5 % 8]}.",
            "input_tokens": 900 + n, "output_tokens": 60 + n % 50, "latency_s": 1 + n % 11 / 4,
            "usd": 0.002 + n / 1e5,
        }
        for n in range(168)
    ]  # fmt: skip
    lines(folder / "log.jsonl", traces)
    (folder / "glossary.yaml").write_text(
        "terms: [apple, candle, ladder, lantern]\n", "utf-8"
    )
    (folder / "case.yaml").write_text(
        "name: Shop guide\n"
        "factors: {brand_voice: unknown}  # ask marketing\n"
        "targets: {latency_p95_s: 3, quality: {metric: match, at_least: 0.9}}\n"
        'models: [{id: "openai:gpt-4o-mini", usd_per_mtok: {input: 0.15, output: 0.6}}]\n'
        "data: {traces: [log.jsonl], prompts: prompts}\n",
        "utf-8",
    )


def make_library(folder: Path, evaluation: str) -> None:
    """A case that labs can run: one model echoes, the tuned one repeats the last example.

    The set ``eval.jsonl`` has its right answers, ``open.jsonl`` none.
    """
    (folder / "prompts").mkdir(parents=True)
    (folder / "prompts" / "plain.md").write_text("Answer the question.\n", "utf-8")
    (folder / "prompts" / "careful.md").write_text(
        "Think of every shelf first.\n", "utf-8"
    )
    asked = [
        {
            "id": f"c{n}",
            "input": f"Where is book {n % 30} of room {n}?",
            "reference": f"{n % 3}",
        }
        for n in range(60)
    ]
    lines(folder / "eval.jsonl", asked)
    lines(
        folder / "open.jsonl",
        [{k: row[k] for k in ("id", "input")} for row in asked[:3]],
    )
    (folder / "rubric.md").write_text("The place is right.\n", "utf-8")
    (folder / "case.yaml").write_text(
        "name: Library\n"
        "targets: {quality: {metric: match, at_least: 0.8}}\n"
        "models: [{id: 'fake:echo'}, {id: 'fake:parrot', kind: tuned}]\n"
        f"data: {{evaluation: {evaluation}, prompts: prompts}}\n",
        "utf-8",
    )


def steady(text: str) -> str:
    """A text without what differs from machine to machine and run to run."""
    for path, name in ((str(Path.cwd()), "<here>"), (str(ROOT), "<root>")):
        text = text.replace(path, name)
    text = re.sub(r"(127\.0\.0\.1|localhost):\d{4,5}", r"\1:<port>", text)
    text = re.sub(r'("modified_ns":)\d+', r"\1<time>", text)
    # A digest changes with every word of a framework, so it would hide what else has changed.
    text = re.sub(r"\b[0-9a-f]{64}\b", "<digest>", text)
    # Half of a seal is by a secret of the machine.
    text = re.sub(r"\b[0-9a-f]{128}\b", "<seal>", text)
    text = re.sub(r"\([0-9a-f]{12}\)", "(<digest>)", text)
    text = re.sub(r'("seed": )\d+', r'\1"<seed>"', text)
    text = re.sub(r"-?\d+\.\d{9,}(?:e[-+]?\d+)?", _rounded, text)
    # Whether the embedded model is ready depends on what is installed.
    text = re.sub(
        r"(local:smollm2 +)not ready:.*?(?=\n\n)", r"\1<state>", text, flags=re.DOTALL
    )
    text = re.sub(r'("why": )"[^"]*smollm2[^"]*"', r'\1"<state>"', text)
    return re.sub(rf"\b{re.escape(_version())}\b", "<version>", text)


def _rounded(number: re.Match[str]) -> str:
    """A long number with nine digits: the last ones differ from processor to processor."""
    return f"{float(number[0]):.9g}"


def _version() -> str:
    from tuneworthy import __version__

    return __version__


def data(value: Any) -> str:
    """Plain data as text, in the order in which it came."""
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


# Schemas: their structure is law, their words and the names of their parts are looks --------------

_PARTS = "#/$defs/"
_WORDS = frozenset({"title", "description", "examples"})


def structure(schema: Mapping[str, Any]) -> Any:
    """A schema without words, its parts numbered in the order in which they are first needed."""
    parts = schema.get("$defs", {})
    numbers: dict[str, int] = {}

    def plain(node: Any, *, named: bool = False) -> Any:
        if isinstance(node, str) and node.startswith(_PARTS):
            return f"part {numbers.setdefault(node.rpartition('/')[2], len(numbers))}"
        if isinstance(node, list):
            return [plain(each) for each in node]
        if not isinstance(node, dict):
            return node
        return {
            key: plain(each, named=key in ("properties", "mapping") and not named)
            for key, each in node.items()
            if named or not (key in _WORDS and isinstance(each, str | list))
        }

    found = {"root": plain({k: v for k, v in schema.items() if k != "$defs"})}
    done = 0
    while done < len(numbers):  # a part may need further ones
        name = list(numbers)[done]
        found[f"part {done}"] = plain(parts.get(name, "is not there"))
        done += 1
    return found


# What is frozen -----------------------------------------------------------------------------------


def dossiers() -> Goldens:
    """Every case of the gallery by one framework, and one case by another beside it.

    A case is judged by the framework that it names, or by the lesson.
    """
    cases = sorted(path.parent.name for path in Path("examples").glob("*/case.yaml"))
    goldens: Goldens = {}
    for name in cases:
        own = Path("examples", name, "framework.yaml")
        goldens[f"{LAW}/dossiers/{name}.json"] = _dossier(
            name, str(own) if own.is_file() else ""
        )
    goldens[f"{LAW}/dossiers/task-api-by-another-framework.json"] = _dossier(
        "task-api", "examples/subtitles/framework.yaml"
    )
    return goldens


def _dossier(name: str, framework: str) -> str:
    from tuneworthy import TuneworthyError, decide, load_case, load_framework

    case = load_case(Path("examples", name))
    try:
        loaded = load_framework(framework or "lesson")
        return steady(decide(case, loaded, as_of=date.fromisoformat(DAY)).to_json())
    except TuneworthyError as refused:
        return data({"refused": type(refused).__name__})


CASES = {
    "task-api": "brand_voice",
    "energy-supplier": "low_volume",
    "broadband-helpdesk": "consistent_behavior",
    "first-idea": "latency",
}
"""A candidate, one that is undecided, one that is measured and one of which only the name is known;
each with an answer to explain."""

OF_A_CASE = {
    "decide": "text markdown json record html", "show options": "text markdown json",
    "show money": "text markdown json",
    "show plan": "text markdown json", "show why": "text markdown json",
    "show history": "text json",
    "decide --seed 7": "json", "show options --all": "text",
    "show money --months 12": "text json", "decide --set brand_voice=no": "text json",
    "show options --set few_shot=no": "json",
}  # fmt: skip
"""Commands of a case that take ``--as-of``, with their formats; the case is their first word."""

STEPS = """
framework list
framework show lesson
framework show examples/subtitles/framework.yaml
framework show lesson --format yaml
framework check lesson
framework check lesson --format json
framework check lesson --strict
framework check examples/credit-memos/framework.yaml
framework show lesson voice_drift
framework show lesson low_volume
models --as-of DAY
models list examples/task-api --as-of DAY --format json
init started --name "A new case"
decide started --as-of DAY --format json --output before.json
answer started few_shot=no brand_voice=yes
show started history --since before.json --as-of DAY
show started history --since before.json --as-of DAY --format json
decide started --as-of DAY --format json --output later.json
interview talked --answers examples/task-api/answers.yaml --as-of DAY
decide talked --as-of DAY --format json
measure --from traces/chat.jsonl
measure --from traces/inspect.json
measure --from traces/langfuse.json
measure --from traces/otel.jsonl
measure --from traces/otlp.json
measure --from traces/promptfoo-v2.json
measure --from traces/promptfoo-v3.json --format json
decide promptfoo-v3-case --as-of DAY --format json
decide otel-case --as-of DAY --format text
measure shop
measure shop --examples
measure shop --format json
decide shop --as-of DAY --format json
decide shop --as-of DAY --format markdown
evalset build shop --n 30 --output shop/eval.jsonl
evalset shop --n 12 --seed 3 --output shop/eval-2.jsonl
evalset export library
evalset export library --format jsonl
evalset export library --output library.csv
evalset import library.csv --output again.jsonl
ceiling library --dry-run --as-of DAY
ceiling library --as-of DAY
ceiling library --as-of DAY --format json
verify library --dry-run --as-of DAY
verify library --as-of DAY
verify library --as-of DAY --format json
decide library --as-of DAY --format json
decide library --as-of DAY --format markdown
ceiling shop --dry-run --as-of DAY
evalset export library --labeller ada --rubric library/rubric.md
evalset export annex --labeller ada --output ada.csv
evalset import ada.csv annex <<< shelf 1|shelf 2
evalset export annex --labeller ben --output ben.csv
evalset import ben.csv annex <<< shelf 1|shelf 9|shelf 3
evalset agreement annex
evalset export annex --settle --output settle.csv
evalset import settle.csv annex <<< shelf 2
evalset export annex
interview asked --as-of DAY <<< Asked one|knowledge|why|no|yes|s|q
"""
"""Commands that follow each other in one folder; a later one may use what an earlier one wrote.
What stands behind ``<<<`` is typed, a line at a time; of an import it is filled in as labels."""

WRITTEN = (
    "before.json", "started/case.yaml", "talked/case.yaml", "chat-case/case.yaml",
    "otel-case/case.yaml",
    "promptfoo-v3-case/.tuneworthy/evidence.jsonl", "otel-case/.tuneworthy/evidence.jsonl",
    "shop/.tuneworthy/evidence.jsonl", "shop/eval.jsonl", "shop/eval-2.jsonl", "again.jsonl",
    "library/.tuneworthy/evidence.jsonl", "annex/.tuneworthy/labels/ada.jsonl",
    "annex/.tuneworthy/labels/adjudicated.jsonl", "asked/case.yaml",
)  # fmt: skip
"""What these commands leave behind; data is law, a commented case file is looks."""

WRONG = """
decid examples/task-api
decide nowhere
decide examples/task-api --set bogus=1
decide examples/task-api --set brand_voice
decide examples/task-api --set economics.upfront.hours=-3
decide examples/task-api --as-of yesterday
decide examples/task-api --format pdf
decide examples/task-api --framework lesso
decide examples/task-api --require proceed --as-of DAY
decide examples/task-api --require yes --as-of DAY
decide examples/task-api --json
decide examples/task-api --require pilot --as-of DAY
decide examples/credit-memos --framework lesson
decide examples/task-api --output later.json
decide broken
decide misspelt
options examples/task-api
show examples/task-api option
show examples/task-api options --al
show examples/task-api why low_volum
show examples/task-api money --months 0
show examples/task-api plan --as-of soon
show started history --since nowhere.json
show started history --since 2026-11-01
framework show lesson nothing
init started
answer started few_shot=
answer started few_shot=yes few_shot=no
answer started data.examples=many
framework show nowhere.yaml
framework check lesso
framework schema nothing
measure
measure examples/first-idea
measure --from nowhere.jsonl
evalset edit library nothing
evalset agreement library
evalset build examples/first-idea
evalset import nowhere.csv
ceiling examples/first-idea --dry-run
ceiling examples/task-api --budget -1
verify shop --dry-run
models pull local:nothing
interview other --answers nowhere.yaml
serve nowhere
mcp nowhere
"""


class Book:
    """Collects what commands come to."""

    def __init__(self) -> None:
        self.goldens: Goldens = {}
        self.codes: dict[str, int] = {}

    def run(self, command: str, name: str, ending: str = "text") -> Ran:
        """Run a command and keep its output under a name, and its exit code."""
        row, _, typed = command.replace("DAY", DAY).partition(" <<< ")
        words = next(csv.reader([row], delimiter=" "))
        if typed and words[:2] == ["evalset", "import"]:
            fill_in(Path(words[2]), typed.split("|"))
        found = run(*words, typed=typed.replace("|", "\n"))
        self.codes[command] = found.code
        text = steady(found.out + (f"--- on stderr\n{found.err}" if found.err else ""))
        kind = LAW if ending in ("json", "jsonl", "csv") else LOOKS
        zipped = ".gz" if ending == "html" else ""
        path = f"{kind}/commands/{name}.{ending}{zipped}"
        assert path not in self.goldens, f"two commands are kept as {path}"
        self.goldens[path] = text
        return found


def fill_in(path: Path, labels: list[str]) -> None:
    """Fill in the labels of the first rows of a file, as somebody does in a spreadsheet."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row, label in zip(rows, labels, strict=False):
        row["label"] = label
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0]])
        writer.writeheader()
        writer.writerows(rows)


def commands() -> Goldens:
    """Every command in every format, with its exit code; and what is said of wrong input."""
    book = Book()
    for case, factor in CASES.items():
        _commands_of(book, case, factor)
    for command in STEPS.split("\n")[1:-1]:
        ending = re.search(r"--format (json|jsonl|yaml|markdown)", command)
        default = "csv" if command.startswith("evalset export") else "text"
        book.run(command, f"steps/{_slug(command)}", ending[1] if ending else default)
    for path in WRITTEN:
        kind = LOOKS if path.endswith(".yaml") else LAW
        text = steady(Path(path).read_text("utf-8"))
        book.goldens[f"{kind}/commands/written/{path.replace('/.tuneworthy', '')}"] = (
            text
        )
    for what in ("case", "framework", "dossier", "ceiling", "verify"):
        _schema(book, f"framework schema {what}", what)
    own = "framework schema case --framework examples/credit-memos/framework.yaml"
    _schema(book, own, "case-own")
    _schema(book, "framework schema", "framework-2")
    _helps(book, [])
    _wrong(book)
    book.goldens[f"{LAW}/commands/exits.json"] = data(book.codes)
    return book.goldens


def _slug(command: str) -> str:
    command = command.partition(" <<< ")[0]
    return re.sub(
        r"[^\w.=]+", "-", re.sub(r"--as-of DAY|--format|examples/", "", command)
    ).strip("-")


def _commands_of(book: Book, case: str, factor: str) -> None:
    for command, forms in OF_A_CASE.items():
        name, *more = command.split(" ", 1)
        for form in forms.split():
            line = f"{name} examples/{case} {' '.join([*more, ''])}--as-of DAY --format {form}"
            book.run(line, f"{case}/{_slug(command)}", form)
    for form in ("text", "json"):
        line = f"show examples/{case} why {factor} --as-of DAY --format {form}"
        book.run(line, f"{case}/why-{factor}", form)
    what_if = "--set brand_voice=no --set few_shot=no"
    line = f"decide examples/{case} {what_if} --as-of DAY --format json --output {case}-b.json"
    book.run(line, f"{case}/output-b")
    for form in ("text", "json"):
        line = f"show examples/{case} history --since {case}-b.json --as-of DAY --format {form}"
        book.run(line, f"{case}/since", form)


def _schema(book: Book, command: str, name: str) -> None:
    found = book.run(command, f"schemas/{name}")
    book.goldens[f"{LAW}/commands/schemas/{name}.json"] = data(
        structure(json.loads(found.out))
    )


def _helps(book: Book, words: list[str]) -> None:
    """The help of a command and of those below it; the names of its options are law."""
    name = " ".join(words) or "tuneworthy"
    book.run(" ".join([*words, "--help"]), f"help/{name}")
    text = book.run(" ".join([*words, "--help-all"]), f"help-all/{name}").out
    options = re.findall(
        r"^ +(?:-\w, )?(--[\w-]+)(?:, (-\w|--[\w-]+))?", text, re.MULTILINE
    )
    choices = re.findall(r"\[([\w-]+(?:\|[\w-]+)+)\]", text)
    groups = re.findall(r"^[A-Z][\w ]+:\n(?:(?:  .*)?\n)+", text, re.MULTILINE)
    listed = "".join(group for group in groups if not group.startswith("Options:"))
    below = re.findall(r"^  (\w+)  ", listed.partition("  Examples:")[0], re.MULTILINE)
    told = {"options": sorted({each for pair in options for each in pair if each}),
            "choices": choices, "commands": below}  # fmt: skip
    name = f"{LAW}/commands/options.json"
    before = json.loads(book.goldens.get(name, "{}"))
    book.goldens[name] = data(before | {" ".join(["tuneworthy", *words]): told})
    for each in below:
        _helps(book, [*words, each])


def _wrong(book: Book) -> None:
    Path("broken").mkdir()
    Path("broken/case.yaml").write_text("name: [\n", "utf-8")
    Path("misspelt").mkdir()
    Path("misspelt/case.yaml").write_text(
        "name: x\nfactors: {brand_voise: maybe}\n", "utf-8"
    )
    told = []
    for command in WRONG.split("\n")[1:-1]:
        found = book.run(command, "wrong")
        del book.goldens[f"{LOOKS}/commands/wrong.text"]
        told.append(
            f"$ tuneworthy {command}\n{steady(found.err)}{steady(found.out[:2000])}"
        )
    book.goldens[f"{LOOKS}/commands/errors.text"] = "\n".join(told)


PAGES = {
    "task-api": ("", "/answers", "/interview", "/evidence", "/options", "/money", "/plan",
                 "/lab", "/lab/offer", "/label", "/report"),
    "energy-supplier": ("", "/answers", "/interview"),
    "broadband-helpdesk": ("/evidence", "/money"),
    "first-idea": ("", "/money", "/plan"),
}  # fmt: skip


def pages() -> Goldens:
    """What the browser gets: the pages, and the charts that they name."""
    found: Goldens = {}
    codes: dict[str, int] = {}

    def get(client: httpx.Client, address: str, name: str) -> str:
        answer = client.get(address)
        codes[address] = answer.status_code
        found[f"{LOOKS}/pages/{name}.gz"] = text = steady(answer.text)
        return text

    with web("examples") as client:
        for case, tabs in PAGES.items():
            charts: set[str] = set()
            for tab in tabs:
                name = f"{case}{tab.replace('/', '-') or '-overview'}.html"
                text = get(client, f"/cases/{case}{tab}", name)
                charts |= set(re.findall(rf"/cases/{case}/charts/[\w-]+\.svg", text))
            for chart in sorted(charts):
                name = chart.replace(".svg", ".json")
                get(client, name, f"{case}-{name.rpartition('/')[2]}")
        for name in ("new", "login"):
            get(client, f"/{name}", f"{name}.html")
        for name in sorted(path.name for path in Path("examples").iterdir()):
            client.get(f"/cases/{name}")  # judged now, so that the list is whole
        get(client, "/", "list.html")
    found[f"{LAW}/pages/statuses.json"] = data(codes)
    return found


TOOL_CALLS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("decide-whole", "decide", {"case": "task-api", "whole": True}),
    (
        "decide-what-if",
        "decide",
        {"case": "task-api", "what_if": {"brand_voice": False}},
    ),
    ("plan-later", "plan", {"case": "task-api", "as_of": "2027-01-04"}),
    ("explain-factor", "explain", {"case": "task-api", "factor": "low_volume"}),
    ("open-question", "next_question", {"case": "energy-supplier"}),
    ("list_cases-after", "list_cases", {"after": "task-api"}),
    ("refused-case", "decide", {"case": "nowhere"}),
    ("refused-word", "decide", {"case": "task-api", "how": "fast"}),
    ("refused-factor", "explain", {"case": "task-api", "factor": "low_volum"}),
    ("refused-quote", "quote_ceiling", {"case": "first-idea"}),
    ("refused-tool", "judge", {"case": "task-api"}),
    ("new_case", "new_case", {"case": "lent", "title": "Lent one"}),
)


def mcp() -> Goldens:
    """The assistant's tools: what they take and give, and the texts beside."""
    found: Goldens = {}

    def keep(client: Assistant, name: str, tool: str, asked: Mapping[str, Any]) -> Any:
        answer = client.ask("call_tool", tool, asked)
        told = {"is_error": bool(answer.is_error), "data": answer.structured_content}
        found[f"{LAW}/mcp/{name}.json"] = steady(data(told))
        found[f"{LOOKS}/mcp/{name}.text"] = steady(
            "\n".join(one.text for one in answer.content)
        )
        return answer.structured_content

    shutil.copytree("library", "examples/library")
    with assistant("examples") as client:
        tools = [
            tool.model_dump(mode="json") for tool in client.ask("list_tools").tools
        ]
        plain = [
            {"name": tool["name"], "annotations": {**tool["annotations"], "title": None},
             "takes": structure(tool["input_schema"])}
            for tool in tools
        ]  # fmt: skip
        found[f"{LAW}/mcp/tools.json"] = data(plain)
        found[f"{LOOKS}/mcp/tools.json"] = steady(data(tools))
        for tool in tools:
            if tool["annotations"]["read_only_hint"]:
                whole = {"list_cases": {}, "quote_ceiling": {"case": "library"}}
                keep(
                    client,
                    name := tool["name"],
                    name,
                    whole.get(name, {"case": "task-api"}),
                )
        for name, called, asked in TOOL_CALLS:
            keep(client, name, called, asked)
        digest = keep(client, "lent", "read_case", {"case": "lent"})["file_digest"]
        said = [{"key": "few_shot", "value": "no", "quote": "we never did"}]
        asked = {"case": "lent", "file_digest": digest, "answers": said}
        for name in ("answer", "refused-late"):
            keep(client, name, "answer", asked)
        _around(client, found)
    return found


def _around(client: Assistant, found: Goldens) -> None:
    """Instructions, prompts and resources."""
    looks: dict[str, Any] = {"instructions": client.client.instructions}
    for method, part in (("list_prompts", "prompts"), ("list_resources", "resources"),
                         ("list_resource_templates", "resource_templates")):  # fmt: skip
        rows = [
            one.model_dump(mode="json") for one in getattr(client.ask(method), part)
        ]
        looks[part] = rows
        names = [
            row.get("uri") or row.get("uri_template") or row["name"] for row in rows
        ]
        found[f"{LAW}/mcp/{part}.json"] = data(names)
    looks["said"] = [
        client.ask("get_prompt", row["name"], {}).model_dump(mode="json")
        for row in looks["prompts"]
    ]
    report = client.ask("read_resource", "tuneworthy://case/task-api").model_dump(
        mode="json"
    )
    found[f"{LOOKS}/mcp/around.json"] = steady(data({**looks, "report": report}))


KINDS: dict[str, Callable[[], Goldens]] = {
    "dossiers": dossiers, "commands": commands, "mcp": mcp, "pages": pages,
}  # fmt: skip


# Writing and checking -----------------------------------------------------------------------------


def made(kind: str) -> Goldens:
    """The goldens of a kind as the code makes them now."""
    with workplace():
        return KINDS[kind]()


def kept(kind: str) -> Goldens:
    """The goldens of a kind as they are on disk."""
    found = {}
    for part in (LAW, LOOKS):
        for path in sorted((GOLDENS / part / kind).rglob("*")):
            if path.is_file():
                raw = path.read_bytes()
                text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode(
                    "utf-8"
                )
                found[path.relative_to(GOLDENS).as_posix()] = text
    return found


def write(kind: str) -> None:
    """Renew the goldens of a kind; a file that says the same is left as it is."""
    new, old = made(kind), kept(kind)
    for name in old.keys() - new.keys():
        (GOLDENS / name).unlink()
    for name, text in new.items():
        if not alike(old.get(name), text):
            path = GOLDENS / name
            path.parent.mkdir(parents=True, exist_ok=True)
            raw = text.encode("utf-8")
            path.write_bytes(
                gzip.compress(raw, mtime=0) if path.suffix == ".gz" else raw
            )


def differences(kind: str, part: str = "") -> list[str]:
    """Where the code says something else than the goldens: a line each, with the first place."""
    return compared(made(kind), kept(kind), part)


_NUMBER = re.compile(r"-?\d+\.\d+(?:e[-+]?\d+)?")
_CLOSE = 1e-8  #: Share by which a long number differs from processor to processor, with room.


def alike(one: str | None, other: str | None) -> bool:
    """Whether two goldens are the same but for the last digits of long numbers."""
    if one is None or other is None or one == other:
        return one == other
    if _NUMBER.sub("", one) != _NUMBER.sub("", other):
        return False
    pairs = zip(_NUMBER.findall(one), _NUMBER.findall(other), strict=True)
    return all(
        was == now or (_is_long(was, now) and _are_close(float(was), float(now)))
        for was, now in pairs
    )


def _is_long(*numbers: str) -> bool:
    return any(len(number.partition(".")[2]) >= 5 for number in numbers)


def _are_close(was: float, now: float) -> bool:
    return math.isclose(was, now, rel_tol=_CLOSE, abs_tol=1e-12)


def compared(new: Goldens, old: Goldens, part: str = "") -> list[str]:
    """How goldens differ: a line each, with the first place.

    Args:
        new: What the code makes now.
        old: What is on disk.
        part: ``law`` or ``looks``; both where it is empty.
    """
    found = []
    for name in sorted(new.keys() | old.keys()):
        if not name.startswith(part) or alike(new.get(name), old.get(name)):
            continue
        if name not in new or name not in old:
            found.append(
                f"{name}: {'is no longer made' if name in old else 'has no golden'}"
            )
            continue
        pairs = zip_longest(
            old[name].split("\n"), new[name].split("\n"), fillvalue="<the end>"
        )
        at, (was, now) = next(
            (n, pair) for n, pair in enumerate(pairs, 1) if not alike(*pair)
        )
        found.append(f"{name}:{at}:\n    was {was[:200]!r}\n    now {now[:200]!r}")
    return found


def main() -> int:
    """The command line; 0 where all is as it was."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0] if __doc__ else None
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--check", action="store_true", help="compare with the goldens")
    what.add_argument("--write", action="store_true", help="renew the goldens")
    parser.add_argument(
        "--only", action="append", default=[], choices=[*KINDS, LAW, LOOKS]
    )
    asked = parser.parse_args()
    kinds = [kind for kind in KINDS if kind in asked.only] or list(KINDS)
    part = next((each for each in (LAW, LOOKS) if each in asked.only), "")
    wrong = 0
    for kind in kinds:
        begun = time.perf_counter()
        if asked.write:
            write(kind)
        found = [] if asked.write else differences(kind, part)
        wrong += len(found)
        result = (
            "written"
            if asked.write
            else f"{len(found)} differ"
            if found
            else "as frozen"
        )
        took = f"{kind}: {result} ({time.perf_counter() - begun:.1f} s)"
        sys.stdout.write("\n".join([*found, took, ""]))
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
