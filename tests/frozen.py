"""Today's answers and screens, as somebody last read them.

    python tests/frozen.py --check                  everything, with the first difference of each
    python tests/frozen.py --check --only dossiers  seconds: the gate for each step of a rebuild
    python tests/frozen.py --write                  renew the goldens, once the difference is read

``frozen/law`` holds six dossiers whole, the options of every command and the exit codes: they may
change only on purpose. ``frozen/looks`` holds one screen of every command, its help, and what is
said of wrong input: words, which somebody reads when they change. What is not in here is held by
laws: the JSON of a command by the schema, pages by the tests of the page, tools by those of the
assistant.
"""

from __future__ import annotations

import argparse
import csv
import gc
import io
import json
import math
import os
import re
import runpy
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import date, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

ROOT = Path(__file__).resolve().parents[1]
GOLDENS = Path(__file__).with_name("frozen")
LAW, LOOKS = "law", "looks"
DAY = "2026-11-24"

Goldens = dict[str, str]
"""Text by its path in the folder of goldens."""

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


# What is frozen -----------------------------------------------------------------------------------


DOSSIERS = (
    "task-api",  # the lesson's example: the count, no target stated
    "ecommerce-returns",  # no: met
    "hospital-letters",  # not yet: simpler ways are untried
    "logistics-dispatch",  # pilot
    "bank-call-routing",  # open
)
"""One case of the gallery for each answer but *yes*, which the laws of ways hold."""


def dossiers() -> Goldens:
    """Five cases of the gallery as they stand, and one whose labs have run."""
    goldens = {name: Path("examples", name) for name in DOSSIERS}
    run("verify", "library", "--as-of", DAY)
    goldens["library"] = Path("library")
    return {
        f"{LAW}/dossiers/{name}.json": _dossier(folder)
        for name, folder in goldens.items()
    }


def _dossier(folder: Path) -> str:
    from tuneworthy import decide, load_case, load_framework

    own = folder / "framework.yaml"
    framework = load_framework(str(own) if own.is_file() else "lesson")
    dossier = decide(load_case(folder), framework, as_of=date.fromisoformat(DAY))
    return lay_out(json.loads(steady(dossier.to_json()))) + "\n"


def lay_out(value: Any, indent: int = 0) -> str:
    """JSON that a person reads: what fits on a line of 100 stands on one."""
    line = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or len(line) + indent <= 100:
        return line
    inner = " " * (indent + 1)
    if isinstance(value, list):
        parts = [inner + lay_out(each, indent + 1) for each in value]
        return "[\n" + ",\n".join(parts) + f"\n{' ' * indent}]"
    parts = [
        f"{inner}{json.dumps(key)}: {lay_out(each, indent + 1)}"
        for key, each in value.items()
    ]
    return "{\n" + ",\n".join(parts) + f"\n{' ' * indent}}}"


STEPS = """
decide examples/task-api --as-of DAY
decide examples/task-api --format markdown --as-of DAY
show examples/task-api options --as-of DAY
show examples/task-api money --as-of DAY
show examples/task-api plan --as-of DAY
show examples/task-api why --as-of DAY
show examples/task-api why brand_voice --as-of DAY
list examples --as-of DAY
framework show lesson
framework show lesson voice_drift
framework check lesson
models --as-of DAY
init started --name "A new case"
decide started --as-of DAY
answer started few_shot=no brand_voice=yes
interview talked --answers examples/task-api/answers.yaml --as-of DAY
interview asked --as-of DAY <<< Asked one|knowledge|why|no|yes|s|q
measure --from traces/chat.jsonl
measure shop
decide shop --as-of DAY
evalset build shop --n 30 --output shop/eval.jsonl
ceiling library --dry-run --as-of DAY
ceiling library --as-of DAY
verify library --dry-run --as-of DAY
verify library --as-of DAY
decide library --as-of DAY
evalset export annex --labeller ada --output ada.csv
evalset import ada.csv annex <<< shelf 1|shelf 2
evalset export annex --labeller ben --output ben.csv
evalset import ben.csv annex <<< shelf 1|shelf 9|shelf 3
evalset agreement annex
"""
"""Commands that follow each other in one folder; a later one may use what an earlier one wrote.
What stands behind ``<<<`` is typed, a line at a time; of an import it is filled in as labels."""

WRITTEN = ("started/case.yaml", "talked/case.yaml", "chat-case/case.yaml")
"""Commented case files that these commands leave behind."""

WRONG = """
decid examples/task-api
decide nowhere
decide examples/task-api --set bogus=1
decide examples/task-api --set brand_voice
decide examples/task-api --set economics.upfront.hours=-3
decide examples/task-api --as-of yesterday
decide examples/task-api --format pdf
decide examples/task-api --require proceed --as-of DAY
decide examples/task-api --require yes --as-of DAY
decide broken
decide misspelt
show examples/task-api option
show examples/task-api why low_volum
show examples/task-api money --months 0
framework show nowhere.yaml
framework schema nothing
answer started few_shot=
answer started few_shot=yes few_shot=no
answer started data.examples=many
measure
measure examples/first-idea
measure --from nowhere.jsonl
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

    def run(self, command: str, name: str) -> Ran:
        """Run a command and keep its output under a name, and its exit code."""
        row, _, typed = command.replace("DAY", DAY).partition(" <<< ")
        words = next(csv.reader([row], delimiter=" "))
        if typed and words[:2] == ["evalset", "import"]:
            fill_in(Path(words[2]), typed.split("|"))
        found = run(*words, typed=typed.replace("|", "\n"))
        self.codes[command] = found.code
        text = steady(found.out + (f"--- on stderr\n{found.err}" if found.err else ""))
        path = f"{LOOKS}/commands/{name}.text"
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
    """One screen of every command, its help, and what is said of wrong input."""
    book = Book()
    for command in STEPS.split("\n")[1:-1]:
        book.run(command, f"steps/{_slug(command)}")
    for path in WRITTEN:
        text = steady(Path(path).read_text("utf-8"))
        book.goldens[f"{LOOKS}/commands/written/{path}"] = text
    _helps(book, [])
    _wrong(book)
    book.goldens[f"{LAW}/commands/exits.json"] = data(book.codes)
    return book.goldens


def _slug(command: str) -> str:
    command = command.partition(" <<< ")[0]
    return re.sub(
        r"[^\w.=]+", "-", re.sub(r"--as-of DAY|--format|examples/", "", command)
    ).strip("-")


def _helps(book: Book, words: list[str]) -> None:
    """The help of a command and of those below it; the names of its options are law."""
    name = " ".join(words) or "tuneworthy"
    book.run(" ".join([*words, "--help"]), f"help/{name}")
    text = run(*words, "--help-all").out
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


KINDS: dict[str, Callable[[], Goldens]] = {
    "dossiers": dossiers,
    "commands": commands,
}


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
                found[path.relative_to(GOLDENS).as_posix()] = path.read_text("utf-8")
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
            path.write_text(text, "utf-8")


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
