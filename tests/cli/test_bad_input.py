"""Bad input: whatever somebody hands us, they get an answer or one clear line, never a traceback.

Three kinds of tests. Laws go through thousands of broken files and hostile words. Named cases have
their file, line and words written by hand. Reports are held to what a terminal and a Markdown page
may be made to do by text that a stranger wrote: nothing.
"""

from __future__ import annotations

import io
import json
import os
import random
import re
import subprocess
import sys
import unicodedata
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from datetime import date
from functools import cache, partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import wcwidth
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tuneworthy import (
    Case,
    Dossier,
    Framework,
    InputError,
    decide,
    load_case,
    load_framework,
)
from tuneworthy import cli as root
from tuneworthy import pipeline as pipeline_room
from tuneworthy.cases import judging as cases_judging
from tuneworthy.cases import reports as workspace_reports
from tuneworthy.cases.reports import render
from tuneworthy.cli import run
from tuneworthy.files import disk as files_disk
from tuneworthy.framework.load import catalogue_text
from tuneworthy.model.base import remembered_digest
from tuneworthy.syntax.document import parse

GALLERY = Path(__file__).resolve().parents[2] / "examples"
TASK_API = str(GALLERY / "task-api")
AS_OF = "2026-11-24"
FORMS = ("text", "markdown", "json", "record")
COLUMNS = 80
# CPU seconds for one command on the largest file that is read; all took under two when written.
CPU_SECONDS = 20

# The mutants are as listed, but for a search, which has more of them.
EFFORT = max(1, settings().max_examples // 100)

MOST_KNOWN = 24  # judged cases that are remembered: each law goes back to a few

NO_TEXT = {"Cc", "Cs", "Zl", "Zp"}  # controls, halves of a sign, separators of lines
TURNS = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)

HOSTILE_NUMBERS = (
    "NaN",
    ".nan",
    ".inf",
    "-.inf",
    "Infinity",
    "1e400",
    "-1",
    "-0.001",
    "9" * 400,
)
SIGNS = {
    "an escape sequence": "\x1b[31mred\x1b[0m",
    "a title for the window": "\x1b]0;owned\x07",
    "a C1 control": "\x9b31m",
    "delete": "a\x7fb",
    "a carriage return": "safe\rEVIL",
    "a line break": "one\ntwo",
    "a line separator": "one\u2028two\u0085three",
    "a direction override": "\u202etxt.exe",
    "an isolate": "\u2067x\u2069",
    "a zero width joiner": "a\u200db\u200bc",
    "a byte order mark": "\ufeffname",
    "an emoji": "🙂👩‍👩‍👧‍👦🇦🇹",
    "wide signs": "漢字" * 50,
    "a long word": "w" * 200,
    "long and wide": "界" * 200,
    "marks that combine": "e" + "\u0301" * 150,
    "a script": "<script>alert(1)</script>",
    "an image": "![x](https://evil.example/x.png)",
    "a link": "[press](javascript:alert(1))",
    "an autolink": "<https://evil.example>",
    "a reference": "[x]: https://evil.example 'y'",
    "a table cell": "a | b | c",
    "a heading": "# heading",
    "code": "`x` ``` ~~~ <!-- -->",
    "a format string": "%s {0} {threshold} {x!r} ${HOME}",
}
WORDS = [
    *HOSTILE_NUMBERS, *SIGNS.values(), "", " ", "yes", "no", "~", "null", "unknown", "true", "[]",
    "{}", "{a: b}", "{low: 3, likely: 2, high: 1}", "{value: yes, by_month: 500}", "-0", "0x10",
    "1_000", "1:30", "2026-11-24", "2026-13-01", "1e15", "1e308", "0", "0.5", "999999999999999",
    "../x", "..", ".", "/etc/passwd", "~/x", "c:\\x", "https://user:pw@host", "**", "a/**b", "*?[",
    "x" * 5000, "a/" * 3000, "é", "\x00", "\ud800", "\udc80", "=", "a=b", "a.b.c", "..", "-", "--",
]  # fmt: skip
SYNTAX = [
    b"[", b"]", b"{", b"}", b"&a ", b"*a", b"<<: *a", b"? ", b"- ", b"|", b"> ",
    b"%YAML 1.1\n---\n", b"\n---\n", b"\n...\n", b"\t", b'"', b"'", b"#", b"@", b"`", b": ",
    b"!!python/object:os.system ", b"!!binary aGk=", b"!x ", b"\r\n", b"\xff",
    b"\x00", b"\xc3", b"\xef\xbb\xbf", b"\xff\xfe",
]  # fmt: skip


class Said(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str


def tuneworthy(*arguments: str) -> Said:
    """Run a command in this process; TUNEWORTHY_TRACEBACK lets an internal error through."""
    out, err = (
        io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
        for _ in range(2)
    )
    with redirect_stdout(out), redirect_stderr(err):
        code = run(list(arguments))
    said = [stream.buffer.getvalue().decode() for stream in (out, err)]
    return Said(code, *said)


def process(
    *arguments: str,
    cpu_seconds: int | None = None,
    timeout: float = 300,
    cwd: Path | None = None,
    **env: str,
) -> Said:
    """Run a command in a process of its own.

    The system ends one that uses more than ``cpu_seconds``: time by the clock says little where the
    machine is busy. ``timeout`` is for one that waits for ever.
    """
    limit = ["sh", "-c", 'ulimit -t "$0"; exec "$@"', str(cpu_seconds or "unlimited")]
    done = subprocess.run(
        [*limit, sys.executable, "-m", "tuneworthy", *arguments],
        capture_output=True, timeout=timeout, cwd=cwd, stdin=subprocess.DEVNULL, check=False,
        env={**os.environ, "TUNEWORTHY_TRACEBACK": "", **env},
    )  # fmt: skip
    return Said(done.returncode, done.stdout.decode(), done.stderr.decode())


def picture(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Everything in a folder: mode, and bytes of each plain file."""
    return {
        path.as_posix(): (
            path.lstat().st_mode,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in folder.rglob("*")
    }


def raw(text: str) -> list[str]:
    """Signs that a terminal might obey, that break a line, or that reorder what is read."""
    return sorted(
        c for c in {*text} - {"\n"} if unicodedata.category(c) in NO_TEXT or c in TURNS
    )


def too_wide(text: str) -> list[str]:
    """Lines that don't fit the terminal."""
    return [
        line for line in text.split("\n") if not 0 <= wcwidth.wcswidth(line) <= COLUMNS
    ]


def answered_or_refused(
    *arguments: str, codes: tuple[int, ...] = (0, 2), folder: Path | None = None
) -> Said:
    """The law: an answer, or one line that says what is wrong; nothing written either way."""
    before = picture(folder) if folder else {}
    said = tuneworthy(*arguments)
    # an answer, and not the one required
    unmet = said.code == 1 and "--require" in arguments
    assert said.code in codes or unmet, said
    assert "an internal error" not in said.err
    assert "Traceback" not in said.err
    if said.code == 2:
        assert said.out == ""
        assert said.err.endswith("\n")
        assert said.err.count("\n") == 1
        assert len(said.err) > 10
    else:
        assert said.err == ""
    assert raw(said.out + said.err) == []
    if folder:
        assert picture(folder) == before
    return said


@pytest.fixture(scope="module", autouse=True)
def _loud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An internal error shows where, and a stray file would land in a folder of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNEWORTHY_TRACEBACK", "1")
        patch.setenv("NO_COLOR", "1")
        patch.chdir(tmp_path_factory.mktemp("elsewhere"))
        yield


@pytest.fixture(scope="module", autouse=True)
def _judged_once() -> Iterator[None]:
    """A case that was judged is remembered: most of these commands meet the same ones again."""
    judge = pipeline_room.decide
    known: OrderedDict[object, Dossier] = OrderedDict()

    def remembered(
        case: Case, framework: Framework, *, as_of: date | None = None, seed: int = 0
    ) -> Dossier:
        key = (repr(case), remembered_digest(framework), as_of, seed)
        if key not in known:
            known[key] = judge(case, framework, as_of=as_of, seed=seed)
        known.move_to_end(key)
        if len(known) > MOST_KNOWN:
            known.popitem(last=False)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        for room in (pipeline_room, cases_judging, workspace_reports):
            patch.setattr(room, "decide", remembered)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to put broken files into."""
    return tmp_path_factory.mktemp("case")


@cache
def lesson() -> Any:
    """The lesson as plain values."""
    return parse(catalogue_text("lesson.yaml"), "lesson.yaml", InputError).data


@cache
def dossier() -> str:
    """A dossier as it is written to a file."""
    return tuneworthy("decide", TASK_API, "--as-of", AS_OF, "--format", "json").out


# Laws: broken files.


def mutate(chance: random.Random, data: bytes) -> bytes:
    """A file after one to four accidents."""
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        data = chance.choice(ACCIDENTS)(chance, data)
    return data


def _flip(chance: random.Random, data: bytes) -> bytes:
    place = chance.randrange(len(data) + 1)
    return data[:place] + bytes([chance.randrange(256)]) + data[place + 1 :]


def _insert(chance: random.Random, data: bytes) -> bytes:
    place = chance.randrange(len(data) + 1)
    return data[:place] + chance.choice(SYNTAX) + data[place:]


def _cut(chance: random.Random, data: bytes) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _token(chance: random.Random, data: bytes) -> bytes:
    tokens = list(re.finditer(rb"[\w.-]+", data))
    if not tokens:
        return data
    token = chance.choice(tokens)
    word = chance.choice(WORDS).encode("utf-8", "surrogatepass")
    return data[: token.start()] + word + data[token.end() :]


def _lines(change: Callable[[random.Random, list[bytes]], None]) -> Any:
    def changed(chance: random.Random, data: bytes) -> bytes:
        lines = data.split(b"\n")
        change(chance, lines)
        return b"\n".join(lines)

    return changed


def _drop(chance: random.Random, lines: list[bytes]) -> None:
    del lines[chance.randrange(len(lines))]


def _repeat(chance: random.Random, lines: list[bytes]) -> None:
    lines.insert(chance.randrange(len(lines)), chance.choice(lines))


def _swap(chance: random.Random, lines: list[bytes]) -> None:
    one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]


def _shift(chance: random.Random, lines: list[bytes]) -> None:
    place = chance.randrange(len(lines))
    lines[place] = chance.choice((b" ", b"  ", b"\t", b"- ")) + lines[place]


ACCIDENTS: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    _flip, _insert, _cut, _token, _token, _token,
    _lines(_drop), _lines(_repeat), _lines(_swap), _lines(_shift),
)  # fmt: skip


def try_mutants(
    seed: int,
    many: int,
    sources: list[bytes],
    path: Path,
    commands: Sequence[tuple[str, ...]],
) -> list[int]:
    """Run a command on each of many broken copies; the exit codes that came up."""
    chance = random.Random(seed)
    codes = []
    beside = {each.name for each in path.parent.iterdir()}
    for number in range(many * EFFORT):
        data = mutate(chance, chance.choice(sources))
        command = chance.choice(commands)
        path.write_bytes(data)
        try:
            codes.append(answered_or_refused(*command).code)
        except Exception as caught:
            caught.add_note(f"mutant {number} of seed {seed}, {command}:\n{data!r}")
            raise
        assert path.read_bytes() == data
    assert {each.name for each in path.parent.iterdir()} == {*beside, path.name}
    return codes


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_a_broken_case_file_is_answered_or_refused(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "case.yaml"
    case = str(tmp_path)
    commands = [
        *(("decide", case, "--format", form) for form in FORMS),
        ("decide", str(path), "--set", "brand_voice=no"),
        ("show", case, "why"),
        ("show", case, "why", "low_volume"),
    ]
    sources = [each.read_bytes() for each in sorted(GALLERY.glob("*/case.yaml"))]
    codes = try_mutants(seed, 250, sources, path, commands)
    assert {0, 2} == set(codes)  # the accidents are neither all harmless nor all fatal


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_a_broken_framework_file_is_answered_or_refused(
    seed: int, tmp_path: Path
) -> None:
    path = tmp_path / "ours.yaml"
    ours = str(path)
    case = str(tmp_path / "case.yaml")
    (tmp_path / "case.yaml").write_text("name: x\nframework: ours.yaml\n", "utf-8")
    commands = [
        ("framework", "check", ours),
        ("framework", "check", ours, "--format", "json"),
        ("framework", "show", ours),
        ("framework", "schema", "case", "--framework", ours),
        ("show", case, "why"),
        ("decide", case),
        ("decide", case, "--format", "markdown"),
    ]
    sources = [each.read_bytes() for each in sorted(GALLERY.glob("*/framework.yaml"))]
    assert sources
    sources += [catalogue_text("lesson.yaml").encode()] * len(sources)
    assert {0, 2} == set(try_mutants(seed, 100, sources, path, commands))


@pytest.mark.slow
def test_a_broken_dossier_is_compared_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "before.json"
    since = ("decide", TASK_API, "--format", "markdown", "--since", str(path))
    assert 2 in try_mutants(1, 200, [dossier().encode()], path, [since])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_a_dossier_with_other_values_is_compared_or_refused(
    seed: int, folder: Path
) -> None:
    chance = random.Random(seed)
    before = folder / "before.json"
    places = list(_places(json.loads(dossier())))
    codes = set()
    for _ in range(125 * EFFORT):
        data = _replaced(
            json.loads(dossier()), chance.choice(places), chance.choice(WORDS[:-2])
        )
        before.write_text(json.dumps(data), encoding="utf-8")
        said = answered_or_refused(
            "decide", TASK_API, "--format", "markdown", "--since", str(before)
        )
        codes.add(said.code)
    assert codes == {0, 2}


LAW = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@pytest.mark.slow
@LAW
@given(st.binary(max_size=400))
@example(b"")
@example(b"\x00")
@example(b"\xef\xbb\xbf")
@example(b"name: x\n\xff")
def test_any_bytes_as_a_file_are_answered_or_refused(folder: Path, data: bytes) -> None:
    path = folder / "bytes.yaml"
    path.write_bytes(data)
    given_file = str(path)
    for command in (
        ("decide", given_file), ("framework", "check", given_file),
        ("decide", TASK_API, "--format", "markdown", "--since", given_file),
        ("framework", "schema", "case", "--framework", given_file),
    ):  # fmt: skip
        answered_or_refused(*command, folder=folder)


@pytest.mark.slow
@LAW
@given(st.text(st.characters(codec="utf-8"), max_size=60))
@example("\x9b31m")
@example("\u202e")
def test_any_text_is_a_safe_value(folder: Path, text: str) -> None:
    """Whatever the text of every free field is, the reports are whole and do nothing."""
    path = folder / "text.yaml"
    data = {
        "name": text or "x", "description": text, "factors": {"brand_voice": {"note": text}},
        "ceiling": {"few_shot": {"value": "no", "note": text}},
        "attempts": [{"name": text or "x", "change": text, "result": text}],
        "targets": {"quality": {"metric": text or "x", "at_least": 0.9}},
    }  # fmt: skip
    path.write_text(dumped(data), encoding="utf-8")
    for form in FORMS:
        said = answered_or_refused("decide", str(path), "--format", form)
        assert said.code == 0
        if form == "text":
            assert too_wide(said.out) == []


# Laws: mappings.


def _places(
    data: Any, path: tuple[str | int, ...] = ()
) -> Iterator[tuple[str | int, ...]]:
    """The path of every value inside."""
    items: Any = ()
    if isinstance(data, dict):
        items = data.items()
    elif isinstance(data, list):
        items = enumerate(data)
    for key, inner in items:
        yield (*path, key)
        yield from _places(inner, (*path, key))


def _replaced(data: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """The same with another value at one place; the data given is changed."""
    here = data
    for key in path[:-1]:
        here = here[key]
    here[path[-1]] = value
    return data


def _copy(data: Any) -> Any:
    return json.loads(json.dumps(data))


def dumped(data: Any) -> str:
    """YAML without anchors: nothing in a copy is the same object twice."""
    return str(yaml.safe_dump(_copy(data)))


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**400, -(10**400), 2**64, -1, 0, 1]),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from(WORDS),
    st.text(max_size=20),  # lone surrogates too
)
SECTIONS = [
    "name", "description", "framework", "goals", "ceiling", "signals", "factors", "attempts",
    "targets", "today", "economics", "strategic_value", "data", "models", "tuning", "safety",
]  # fmt: skip
INNER = [
    "value", "note", "now", "by_month", "changes", "count", "few_shot", "prompt_variations",
    "brand_voice", "low_volume", "latency", "quality", "metric", "at_least", "latency_p95_s",
    "usd_per_month", "cases", "api", "hourly_rate_usd", "upfront", "monthly", "traffic", "hours",
    "usd", "training", "api_savings_usd", "ongoing", "requests_per_month", "growth_per_month",
    "low", "likely", "high", "traces", "evaluation", "examples", "prompts", "path", "usable", "id",
    "base_url", "usd_per_mtok", "input", "output", "until", "service", "data_reviewed", "tried",
    "models", "ceiling", "factors", "name",
]  # fmt: skip
KEYS = st.one_of(
    st.sampled_from(SECTIONS + INNER), st.sampled_from(WORDS), st.text(max_size=5)
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)
    ),
    max_leaves=8,
)  # fmt: skip
CASES = st.fixed_dictionaries(
    {"name": st.one_of(st.just("x"), st.just("x"), LEAVES)},
    optional={key: TREES for key in SECTIONS if key != "name"},
)


def read_or_refused(read: Callable[[], Dossier]) -> None:
    """A mapping gives a dossier whose reports are sound, or one error of ours in one line."""
    try:
        found = read()
    except InputError as caught:
        said = str(caught)
    else:
        said = "".join(render(found, form) for form in FORMS).replace("\n", "")
        assert too_wide(render(found, "text")) == []
    assert "\n" not in said
    assert raw(said) == []


def nothing_decided(framework: Any) -> Dossier:
    return decide(
        load_case({"name": "x"}), load_framework(framework), as_of=date(2026, 11, 24)
    )


def lesson_decides(case: Any) -> Dossier:
    return decide(load_case(case), load_framework("lesson"), as_of=date(2026, 11, 24))


@pytest.mark.slow
@LAW
@given(st.one_of(CASES, CASES, st.dictionaries(KEYS, TREES, max_size=5)))
@example({"name": "\ud800"})
@example({"name": "x", "factors": {"brand_voice": "\ud800"}})
@example({"name": "x", "factors": {"\ud800": "yes"}})
@example({"name": "x", "factors": {"brand_voice": {"note": "\udc80"}}})
@example({"name": "x", "data": {"evaluation": "\ud800"}})
@example({"\ud800": 1})
@example({1: 2})
@example({None: None})
def test_any_mapping_is_a_case_or_refused(mapping: Mapping[str, Any]) -> None:
    read_or_refused(lambda: lesson_decides(mapping))


@LAW
@given(st.data())
def test_a_gallery_case_with_another_value_is_a_case_or_refused(
    data: st.DataObject,
) -> None:
    path = data.draw(st.sampled_from(sorted(GALLERY.glob("*/case.yaml"))))
    case = parse(path.read_text("utf-8"), str(path), InputError).data
    places = list(_places(case))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from(places))
        try:
            _replaced(case, place, data.draw(TREES))
        except (TypeError, KeyError, IndexError, AttributeError):
            continue  # an earlier replacement took that place away
    read_or_refused(lambda: lesson_decides(case))


@pytest.mark.slow
@LAW
@given(st.data())
def test_any_mapping_is_a_framework_or_refused(data: st.DataObject) -> None:
    framework = _copy(lesson())
    places = list(_places(framework))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from(places))
        try:
            _replaced(framework, place, data.draw(TREES))
        except (TypeError, KeyError, IndexError, AttributeError):
            continue
    read_or_refused(partial(nothing_decided, framework))


REPLACED = ("tree", "scoring", "indicators", "thresholds", "extends", "costs")


@pytest.mark.slow
@LAW
@given(st.sampled_from(REPLACED), TREES)
@example("tree", "\ud800")
@example("costs", [[]])
def test_any_value_in_place_of_a_mapping_is_refused_or_read(
    section: str, value: Any
) -> None:
    """Also a framework that extends the lesson and gives one section of its own."""
    ours = {"extends": "lesson", "name": "ours", section: value}
    read_or_refused(partial(nothing_decided, ours))


def nested(levels: int, wrap: Callable[[Any], Any]) -> Any:
    """A value inside that many others."""
    value: Any = "yes"
    for _ in range(levels):
        value = wrap(value)
    return value


@pytest.mark.slow
@pytest.mark.parametrize("levels", [50, 2_000, 50_000])
@pytest.mark.parametrize(
    "wrap", [lambda v: [v], lambda v: {"value": v}, lambda v: {"all": [v]}]
)
def test_deep_nesting_in_a_mapping_is_refused(
    levels: int, wrap: Callable[[Any], Any]
) -> None:
    deep = nested(levels, wrap)
    for key in (
        "goals",
        "factors",
        "attempts",
        "data",
        "models",
        "economics",
        "nonsense",
    ):
        with pytest.raises(InputError):
            load_case({"name": "x", key: deep})
    with pytest.raises(InputError):
        load_framework(
            {**lesson(), "tree": [{"when": deep, "outcome": "fine_tune_candidate"}]}
        )


def test_a_mapping_that_holds_itself_is_refused() -> None:
    knot: dict[str, Any] = {"name": "x"}
    knot["factors"] = {"brand_voice": knot}
    with pytest.raises(InputError):
        load_case(knot)
    ring: dict[str, Any] = {}
    ring["all"] = [ring]
    with pytest.raises(InputError):
        load_framework(
            {**lesson(), "tree": [{"when": ring, "outcome": "fine_tune_candidate"}]}
        )


# Laws: the command line.

PLACES: tuple[tuple[str, ...], ...] = (
    ("decide", TASK_API, "--set", "{}"),
    ("decide", TASK_API, "--set", "{}=yes"),
    ("decide", TASK_API, "--set", "brand_voice={}"),
    ("decide", TASK_API, "--set", "name={}"),
    ("decide", TASK_API, "--format", "json", "--set", "factors.brand_voice.note={}"),
    (
        "decide",
        TASK_API,
        "--format",
        "markdown",
        "--set",
        "factors.brand_voice.note={}",
    ),
    ("decide", TASK_API, "--set", "economics.hourly_rate_usd={}"),
    ("decide", TASK_API, "--set", "data.evaluation={}"),
    ("decide", TASK_API, "--set", "data.traces={}"),
    ("decide", TASK_API, "--set", "data.prompts={}"),
    ("decide", TASK_API, "--set", "tuning.until={}"),
    ("decide", TASK_API, "--set", "framework={}"),
    ("decide", TASK_API, "--as-of", "{}"),
    ("decide", TASK_API, "--as-of", "{}", "--format", "record"),
    ("decide", TASK_API, "--require", "{}"),
    ("decide", TASK_API, "--seed", "{}"),
    ("decide", TASK_API, "--format", "{}"),
    ("decide", TASK_API, "--{}"),
    ("decide", "{}"),
    ("show", TASK_API, "{}"),
    ("show", TASK_API, "why", "{}"),
    ("show", "{}", "why", "brand_voice"),
    ("decide", TASK_API, "--format", "markdown", "--since", "{}"),
    ("framework", "check", "{}"),
    ("framework", "show", "{}"),
    ("framework", "show", "lesson", "{}"),
    ("framework", "schema", "{}"),
    ("framework", "schema", "case", "--framework", "{}"),
    ("{}",),
)
SHARES = {
    place: slice(first, None, 3)
    for first, place in enumerate(
        place for place in PLACES if place[-1].endswith(("name={}", "note={}"))
    )
}
"""Almost any text may stand there, and each is a case to judge: a third of the values for each."""
ARGUMENTS = [
    *WORDS, "2026-W01-1", "0001-01-01", "9999-12-31", "9999-10-01", "2026-02-30", "x\ny",
    "\u0662\u0660\u0662\u0666-\u0661\u0661-\u0662\u0664", "name.x=1", ".=x", "a..b=c", "=x",
    "factors.brand_voice.value.x=no", "goals=knowledge", "attempts=1", "attempts.0.name=x",
    "ceiling=yes", "prompt_variations=5", "few_shot=3", "prompt_variations=-5", "name=\x1b[2J",
    "data.traces=**a", "/proc/self/mem", "/dev/null",
]  # fmt: skip


def filled(place: tuple[str, ...], value: str) -> list[str]:
    return [part.replace("{}", value) for part in place]


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES, ids=" ".join)
def test_a_hostile_argument_is_answered_or_refused(
    place: tuple[str, ...], folder: Path
) -> None:
    for value in ARGUMENTS[SHARES.get(place, slice(None))]:
        try:
            said = answered_or_refused(*filled(place, value))
        except Exception as caught:
            caught.add_note(f"with {value!r}"[:200])
            raise
        if (
            said.code == 0
            and place[0] in ("decide", "show")
            and "--format" not in place
        ):
            assert too_wide(said.out) == [], value


@pytest.mark.slow
@LAW
@given(st.sampled_from(PLACES), st.text(st.characters(), max_size=20))
def test_any_argument_is_answered_or_refused(
    place: tuple[str, ...], value: str
) -> None:
    answered_or_refused(*filled(place, value))


ANSWERED = (
    "{}", "{}=yes", "brand_voice={}", "name={}", "prompt_variations={}",
    "factors.brand_voice.note={}", "data.evaluation={}", "tuning.until={}",
    "economics.hourly_rate_usd={}",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(ARGUMENTS)))
def test_a_hostile_answer_is_written_or_refused(number: int, tmp_path: Path) -> None:
    """What ``answer`` writes is a case again; what it refuses, it leaves alone.

    Each value is tried at a third of the places, and each place with a third of the values.
    """
    path = tmp_path / "case.yaml"
    whole = Path(TASK_API, "case.yaml").read_bytes()
    for place in ANSWERED[number % 3 :: 3]:
        argument = place.replace("{}", ARGUMENTS[number])
        path.write_bytes(whole)
        try:
            said = answered_or_refused("answer", str(tmp_path), argument)
        except Exception as caught:
            caught.add_note(f"with {argument!r}"[:200])
            raise
        if said.code == 0:
            assert tuneworthy("decide", str(tmp_path)).code == 0, argument
        else:
            assert path.read_bytes() == whole
        assert [each.name for each in tmp_path.iterdir()] == ["case.yaml"]


def stays(value: str) -> bool:
    """Whether a path can't lead out of the folder a test works in: tests may run as root."""
    return not value.startswith(("/", "~", "\\")) and ".." not in Path(value).parts


@pytest.mark.slow
@pytest.mark.parametrize(
    "value", [v for v in ARGUMENTS if stays(v)], ids=lambda v: repr(v[:20])
)
def test_a_hostile_name_for_an_output_is_written_or_refused(
    value: str, tmp_path: Path
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        before = picture(tmp_path)
        said = answered_or_refused("decide", TASK_API, "--output", value)
        if said.code == 2:
            assert picture(tmp_path) == before
        for arguments in (["init", value], ["init", "one", "--name", value]):
            begun = picture(tmp_path)
            told = tuneworthy(*arguments)
            assert told.code in (0, 2)
            if told.code == 2:
                assert picture(tmp_path) == begun
                assert told.out == ""
                assert told.err.count("\n") == 1
    for path in tmp_path.rglob("case.yaml"):
        assert answered_or_refused("decide", str(path)).code == 0


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_an_output_that_can_not_be_a_file_is_refused(
    force: list[str], tmp_path: Path
) -> None:
    """A folder, a way through a plain file, a pipe: only a plain file is ever replaced.

    The pipe stands for every device. No test may name a real one: whoever runs as root would lose
    it to the very bug that is looked for.
    """
    (tmp_path / "folder").mkdir()
    (tmp_path / "plain").write_text("kept\n", encoding="utf-8")
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "plain/x", "pipe", "."):
        said = answered_or_refused(
            "decide",
            TASK_API,
            "--output",
            str(tmp_path / name),
            *force,
            folder=tmp_path,
        )
        assert said.code == 2, name


@pytest.mark.parametrize("named", [".", "/", ".."])
def test_a_folder_to_import_is_refused(named: str) -> None:
    answered_or_refused("evalset", "import", named, codes=(2,))


@pytest.mark.parametrize(
    "sign", ["a direction override", "an escape sequence", "a C1 control"]
)
def test_a_new_case_is_named_without_its_controls(sign: str, tmp_path: Path) -> None:
    said = tuneworthy("init", str(tmp_path / SIGNS[sign]), "--name", "x")
    assert said.code in (0, 2)
    assert raw(said.out + said.err) == []


def test_a_required_answer_that_is_not_met_is_the_only_way_to_one() -> None:
    said = answered_or_refused("decide", TASK_API, "--require", "yes", codes=(1,))
    assert said.out
    undecided = answered_or_refused(
        "decide", str(GALLERY / "first-idea"), "--require", "pilot", codes=(1,)
    )
    assert undecided.out
    answered_or_refused("framework", "check", "lesson", "--strict", codes=(1,))


def test_a_disk_without_room_for_temporary_files_is_told_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none(*_: object, **__: object) -> None:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.delenv("TUNEWORTHY_TRACEBACK")
    monkeypatch.setattr(root.cli, "main", none)
    said = tuneworthy("measure", TASK_API)
    assert (said.code, said.out) == (2, "")
    assert said.err.count("\n") == 1
    assert "Make some" in said.err


def test_a_fault_of_ours_is_one_line_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The net below everything else; the laws look for what falls into it."""

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("over\nseveral \x1b[31mlines")

    monkeypatch.setattr(root.cli, "main", broken)
    monkeypatch.delenv("TUNEWORTHY_TRACEBACK")
    said = tuneworthy("decide", TASK_API)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(
        "an internal error (RuntimeError: over several \\x1b[31mlines)"
    )
    assert said.err.count("\n") == 1


# Whole processes.


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"name: x\n", 0), (b"", 2), (b"\xff\xfe", 2), (b"name: [", 2), (b"[" * 100_000, 2),
        (b"name: \x1b[31m", 2), (b"nmae: x", 2), ("name: 漢字".encode(), 0),
    ],
    ids=["a case", "nothing", "half a mark", "open", "deep", "an escape", "a typo", "wide signs"],
)  # fmt: skip
def test_a_process_ends_as_the_law_says(data: bytes, code: int, tmp_path: Path) -> None:
    path = tmp_path / "case.yaml"
    path.write_bytes(data)
    before = picture(tmp_path)
    said = process("decide", str(tmp_path), cwd=tmp_path)
    assert said.code == code, said.err
    assert "Traceback" not in said.err
    assert "an internal error" not in said.err
    assert said.err.count("\n") == (1 if code else 0)
    assert bool(said.out) == (code == 0)
    assert picture(tmp_path) == before


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_terminal_that_lacks_a_sign_still_gets_the_text(
    encoding: str, tmp_path: Path
) -> None:
    (tmp_path / "case.yaml").write_text("name: 漢字 🙂\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "tuneworthy", "decide", str(tmp_path)],
        capture_output=True, check=False, env={**os.environ, "PYTHONIOENCODING": encoding},
    )  # fmt: skip
    assert done.returncode == 0
    assert done.stderr == b""
    assert b"By the framework " in done.stdout


@pytest.mark.slow
def test_bytes_that_are_no_text_on_the_command_line_are_refused() -> None:
    done = subprocess.run(
        [sys.executable.encode(), b"-m", b"tuneworthy", b"decide", b"caf\xe9"],
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout == b""
    assert done.stderr.count(b"\n") == 1
    assert b"an internal error" not in done.stderr


@pytest.mark.slow
def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tuneworthy", "framework", "schema", "case"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as running:  # fmt: skip
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        told = running.stderr.read()
    assert running.returncode == 0
    assert told == b""


# Named cases: file, line and words, written by hand.


class Mistake(NamedTuple):
    """A case file with one mistake."""

    data: bytes | str
    line: int | None
    says: str
    fix: str = ""


MISTAKES: dict[str, Mistake] = {
    "an empty file": Mistake("", None, "is empty", "name: …"),
    "only comments": Mistake("# a\n# b\n", None, "is empty"),
    "only a document mark": Mistake("---\n", None, "is empty"),
    "a list at the top": Mistake("- name: x\n", 1, "the file is not a mapping of keys and values"),
    "a word at the top": Mistake("hello\n", 1, "the file is not a mapping of keys and values"),
    "no name": Mistake("goals: [format]\n", 1, "name is missing", "Add it"),
    "an empty name": Mistake("name:\n", 1, "name is missing"),
    "an unknown key": Mistake(
        "name: x\nnmae: y\n", 2, '"nmae" is not a key of this file', 'Did you mean "name"?'
    ),
    "an unknown key inside": Mistake(
        "name: x\neconomics:\n  hourly_rate_usd: 1\n  trafic: {}\n", 4,
        '"trafic" is not a key of economics', 'Did you mean "traffic"?',
    ),
    "an unknown key in a list": Mistake(
        "name: x\nattempts:\n  - name: a\n  - name: b\n    chnage: c\n", 5,
        '"chnage" is not a key of attempts[2]', 'Did you mean "change"?',
    ),
    "an unknown factor": Mistake(
        "name: x\nfactors:\n  brand_voice: yes\n  brand_vioce: no\n", 4,
        'factor "brand_vioce" is not in the lesson framework', 'Did you mean "brand_voice"?',
    ),
    "an unknown check": Mistake(
        "name: x\nceiling:\n  # a comment\n\n  fewshot: no\n", 5, 'check "fewshot"',
        'Did you mean "few_shot"?',
    ),
    "an unknown signal": Mistake(
        "name: x\nsignals: {latency: yes,\n  voice_drfit: no}\n", 3, 'signal "voice_drfit"',
        'Did you mean "voice_drift"?',
    ),
    "an unknown factor of an attempt": Mistake(
        "name: x\nattempts:\n- name: a\n  factors:\n    low_volum: yes\n", 5, 'factor "low_volum"',
        'Did you mean "low_volume"?',
    ),
    "an unknown goal": Mistake("name: x\ngoals:\n- format\n- fromat\n", 4, 'goals[2] is "fromat"'),
    "a goal twice": Mistake("name: x\n\ngoals: [format, format]\n", 3, "names a goal twice"),
    "a word that is no answer": Mistake(
        "name: x\nfactors:\n  brand_voice: maybe\n", 3, 'factors.brand_voice is "maybe"',
        "Use yes, no or unknown",
    ),
    "a number that is no answer": Mistake(
        "name: x\nfactors:\n  brand_voice: 1\n", 3, '"1"', "Use yes, no or unknown"
    ),
    "a list that is no answer": Mistake(
        "name: x\nfactors:\n  brand_voice: [yes]\n", 3, "a list", "Use yes, no or unknown"
    ),
    "a count for a check that does not count": Mistake(
        "name: x\nceiling:\n  few_shot: 3\n", 3, 'check "few_shot" is answered with a count'
    ),
    "a key twice": Mistake(
        "name: x\ngoals: [format]\nname: y\n", 3, 'key "name" appears twice', "Keep one of them"
    ),
    "a factor twice": Mistake(
        "name: x\nfactors:\n  brand_voice: yes\n  low_volume: no\n  brand_voice: no\n", 5,
        'key "brand_voice" appears twice',
    ),
    "a factor twice, once in quotes": Mistake(
        "name: x\nfactors: {brand_voice: yes, 'brand_voice': no}\n", 2, "appears twice"
    ),
    "not a number": Mistake(
        "name: x\neconomics:\n  hourly_rate_usd: about 90\n", 3, '"about 90"',
        "Write a plain number",
    ),
    "a negative amount": Mistake(
        "name: x\neconomics:\n\n  hourly_rate_usd: -1\n", 4, "-1", "Use 0 or more"
    ),
    "a negative amount in a range": Mistake(
        "name: x\neconomics:\n  upfront:\n    hours:\n      low: -5\n      likely: 1\n"
        "      high: 2\n", 5, "economics.upfront.hours.low is -5", "Use 0 or more",
    ),
    "a range out of order": Mistake(
        "name: x\neconomics:\n  hourly_rate_usd: {low: 3, likely: 2, high: 1}\n", 3,
        "is out of order", "Write low ≤ likely ≤ high",
    ),
    "half a range": Mistake(
        "name: x\neconomics:\n  hourly_rate_usd: {low: 3, high: 4}\n", 3, "likely is missing"
    ),
    "totals and categories": Mistake(
        "name: x\neconomics:\n  upfront:\n    hours: 1\n    training: {usd: 2}\n", 3,
        "gives totals and categories", "Keep one of them",
    ),
    "a share above one": Mistake(
        "name: x\ntoday:\n  quality: 90\n", 3, "today.quality is 90", "Use 1 or less"
    ),
    "a whole number with a point": Mistake(
        "name: x\ntoday:\n  cases: 2.5\n", 3, '"2.5"', "Write a whole number"
    ),
    "a count beyond all reason": Mistake(
        "name: x\ntoday:\n  cases: 99999999999999999999\n", 3, "today.cases", "or less"
    ),
    "a day that is none": Mistake("name: x\ntuning:\n  until: 2026-02-30\n", 3, "tuning.until"),
    "a word that is not listed": Mistake(
        "name: x\nstrategic_value: huge\n", 2, 'strategic_value is "huge"', "Use 'low'"
    ),
    "a mapping for a word": Mistake("name: {a: b}\n", 1, "name", "Write text"),
    "a word for a mapping": Mistake(
        "name: x\neconomics: much\n", 2, 'economics is "much", which is not a mapping',
        "Write {hourly_rate_usd: …, ",
    ),
    "a count with a comma": Mistake(
        "name: x\ndata:\n  examples: 10,000\n", 3, 'data.examples is "10,000"',
        "plain number, such as 10000",
    ),
    "a count with a letter": Mistake(
        "name: x\ndata: {documents: {path: ~ 12k}}\n", 2, "data.documents", "plain number",
    ),
    "a share in percent": Mistake(
        "name: x\neconomics:\n  traffic:\n    growth_per_month: 5%\n", 4, "growth_per_month",
        "Write 0.05",
    ),
    "thousands apart": Mistake(
        "name: x\neconomics:\n  hourly_rate_usd: 1,200\n", 3, "hourly_rate_usd", "Write 1200",
    ),
    "a mapping for a list": Mistake("name: x\nattempts:\n  name: a\n", 2, "attempts"),
    "a name too long": Mistake(f"name: {'x' * 201}\n", 1, "200 characters"),
    "an alias": Mistake(
        "name: x\nfactors: &f\n  brand_voice: yes\nceiling: *f\n", 2,
        'anchor "&f" is not supported', "Repeat the value",
    ),
    "an alias of nothing": Mistake("name: x\nfactors: *f\n", 2, 'alias "*f" is not supported'),
    "a merge key": Mistake(
        "name: x\nfactors:\n  <<: {brand_voice: yes}\n", 3, "merge keys are not supported"
    ),
    "a tag that builds an object": Mistake(
        'name: x\ndescription: !!python/object/apply:os.system ["true"]\n', 2,
        'tag "tag:yaml.org,2002:python/object/apply:os.system" is not supported',
    ),
    "a binary tag": Mistake(
        "name: !!binary aGk=\n", 1, "is not supported", "Write the plain value"
    ),
    "a standard tag": Mistake("name: !!str x\n", 1, "is not supported"),
    "a tag of somebody's own": Mistake("name: x\n\ngoals: !ours [format]\n", 3, 'tag "!ours"'),
    "a second document": Mistake(
        "name: x\n---\nname: y\n", 2, "a second document starts here",
        "Keep one file to one document",
    ),
    "a key that is a list": Mistake("name: x\n? [a, b]\n: c\n", 2, "a key has to be plain text"),
    "a key that is a mapping": Mistake("name: x\n{a: b}: c\n", 2, "a key has to be plain text"),
    "a key that is a number": Mistake("name: x\n1: y\n", 2, '"1" is not a key of this file'),
    "another version": Mistake("name: x\nschema: 2\n", 2, "is not a key", "reads one version"),
    "a key that is null": Mistake("name: x\n~: y\n", 2, '"~" is not a key of this file'),
    "a tab for indentation": Mistake("name: x\nfactors:\n\tbrand_voice: yes\n", 3, "is not YAML"),
    "a quote that does not end": Mistake('name: "x\nfactors: {}\n', 3, "is not YAML"),
    "a bracket that does not end": Mistake(
        "name: x\ngoals: [format\nfactors: {}\n", 3, "is not YAML"
    ),
    "an indentation that fits nothing": Mistake(
        "name: x\nfactors:\n    brand_voice: yes\n  low_volume: no\n", 4, "is not YAML"
    ),
    "deep nesting": Mistake("[" * 100_000, 1, "nest"),
    "deep nesting in blocks": Mistake(
        "- " * 100, 1, "is nested deeper than 24 levels", "Flatten it"
    ),
    "UTF-16": Mistake("name: x\n".encode("utf-16"), 1, "is not UTF-8", "Save it as UTF-8"),
    "UTF-16 without its mark": Mistake("name: x\n".encode("utf-16-le"), 1, "U+0000"),
    "UTF-32": Mistake("name: x\n".encode("utf-32"), 1, "is not UTF-8"),
    "Latin-1": Mistake(
        "name: x\n# plain\n# plain\ndescription: für\n".encode("latin-1"), 4, "is not UTF-8",
        "Save it as UTF-8",
    ),
    "a surrogate in bytes": Mistake(b"name: \xed\xa0\x80\n", 1, "is not UTF-8"),
    "a NUL": Mistake("name: x\ndescription: a\0b\n", 2, "U+0000", "Remove it"),
    "an escape sequence": Mistake("name: x\ndescription: \x1b[31m\n", 2, "U+001B"),
    "a picture": Mistake(b"\x89PNG\r\n\x1a\n\x00\x00", 1, "is not UTF-8"),
    "an address without http": Mistake(
        "name: x\nmodels:\n- id: a\n  base_url: file:///etc/passwd\n", 4, "https://"
    ),
    "an address with a user": Mistake(
        "name: x\nmodels:\n- id: a\n  base_url: https://SECRET:x@host/v1\n", 4,
        "carries a user or a key", "Keep keys in the environment",
    ),
    "an address with a key": Mistake(
        "name: x\nmodels:\n- id: a\n  base_url: https://host/v1?api_key=SECRET\n", 4,
        "carries a query", "Keep keys in the environment",
    ),
    "an own framework that is not there": Mistake(
        "name: x\n\nframework: ours.yaml\n", None, "does not exist", "Check the path"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_with_its_line_and_the_fix(
    name: str, tmp_path: Path
) -> None:
    mistake = MISTAKES[name]
    path = tmp_path / "case.yaml"
    data = mistake.data if isinstance(mistake.data, bytes) else mistake.data.encode()
    path.write_bytes(data)
    said = answered_or_refused("decide", str(path), folder=tmp_path)
    assert said.code == 2
    if "there" not in name:
        line = "" if mistake.line is None else f":{mistake.line}"
        assert said.err.startswith(f"{path}{line}: "), said.err
    assert mistake.says in said.err
    assert mistake.fix in said.err
    assert "SECRET" not in said.err


def test_at_least_fifteen_mistakes_are_held_to_a_line_of_their_own() -> None:
    assert sum((mistake.line or 1) > 1 for mistake in MISTAKES.values()) >= 15


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("name: ours\nextends: lessson\n", 2, '"lessson" names no known framework'),
        ("name: ours\nextends: lesson\nindicatorz: {}\n", 3, 'Did you mean "indicators"?'),
        ("name: ours\nextends: lesson\nindicators:\n  a:\n    title: A\n    aks: b\n", 6, '"aks"'),
        ("name: Ours\nextends: lesson\n", 1, '"Ours"'),
        ("extends: lesson\nname: ours\ntree:\n- outcome: tune\n", 4, '"tune"'),
        ("extends: lesson\nname: ours\nscoring: {denominator: 0}\n", 3, "scoring"),
        ("extends: lesson\nname: ours\ncosts: {upfront: {\n training: {usd: {low: 2, high: 1}}}}\n",
         4, "is out of order"),
        ("name: ours\nname: ours\n", 2, "appears twice"),
        ("name: ours\n", 1, "is missing"),
        ("- 1\n", 1, "is not a mapping"),
        ("", 1, "is not a mapping"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_framework_is_named_with_its_line(
    text: str, line: int, says: str, tmp_path: Path
) -> None:
    path = tmp_path / "ours.yaml"
    path.write_text(text, encoding="utf-8")
    said = answered_or_refused("framework", "check", str(path), folder=tmp_path)
    assert said.code == 2
    assert said.err.startswith(f"{path}:{line}: "), said.err
    assert says in said.err


def test_a_mistake_in_a_case_is_not_blamed_on_the_framework(tmp_path: Path) -> None:
    """Sections that come from the lesson have no line in our file."""
    (tmp_path / "ours.yaml").write_text(
        "extends: lesson\nname: ours\nindicators:\n  depth: {title: D, ask: Deep?}\n",
        "utf-8",
    )
    said = answered_or_refused("framework", "check", str(tmp_path / "ours.yaml"))
    assert said.code == 2
    assert "ours.yaml" in said.err


BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]\n"


@pytest.mark.parametrize("command", ["decide", "framework"])
def test_an_alias_never_multiplies(command: str, tmp_path: Path) -> None:
    path = tmp_path / "bomb.yaml"
    path.write_text(BOMB, encoding="utf-8")
    before = ("framework", "check") if command == "framework" else (command,)
    said = answered_or_refused(*before, str(path))
    assert said.code == 2
    assert said.err.startswith(f'{path}:1: anchor "&a" is not supported')


@pytest.mark.parametrize(
    ("command", "limit", "mib"),
    [
        (("decide",), files_disk.CASE_LIMIT, 1),
        (("framework", "check"), files_disk.FRAMEWORK_LIMIT, 2),
        (
            ("decide", TASK_API, "--format", "markdown", "--since"),
            files_disk.CASES_LIMIT,
            16,
        ),
    ],
)
def test_a_file_over_the_stated_size_is_refused(
    command: tuple[str, ...], limit: int, mib: int, tmp_path: Path
) -> None:
    path = tmp_path / "large.yaml"
    path.write_bytes(b"name: x\n" + b"#" * (limit - 7))
    said = answered_or_refused(*command, str(path))
    assert said.code == 2
    assert said.err.startswith(f"{path}: is larger than {mib} MiB. ")


def test_a_file_of_exactly_the_stated_size_is_read(tmp_path: Path) -> None:
    path = tmp_path / "case.yaml"
    path.write_bytes(b"name: x\n" + b"#" * (files_disk.CASE_LIMIT - 8))
    assert answered_or_refused("decide", str(path)).code == 0


def _large(start: str, unit: str) -> str:
    return start + unit * ((files_disk.CASE_LIMIT - len(start)) // len(unit))


LARGE = {
    "goals": _large("name: x\ngoals:\n", "- zzz\n"),
    "keys": "name: x\n" + "".join(f"k{n}: 1\n" for n in range(90_000)),
    "factors": "name: x\nfactors:\n"
    + "".join(f"  k{n}: maybe\n" for n in range(60_000)),
    "attempts": _large("name: x\nattempts:\n", "- {name: a}\n"),
    "traces": _large("name: x\ndata:\n  traces:\n", "  - a\n"),
    "globs": _large("name: x\ndata:\n  traces:\n", "  - '**/**/**/x*'\n"),
    "models": _large("name: x\nattempts:\n- name: a\n  models:\n", "  - m\n"),
    "braces": _large("name: x\nfactors: ", "{"),
    "a long key": "name: x\n" + "k" * 1000 + ": 1\n",
    "a long scalar": _large("name: ", "x"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_the_largest_file_is_dealt_with_in_seconds(name: str, tmp_path: Path) -> None:
    (tmp_path / "case.yaml").write_text(LARGE[name], encoding="utf-8")
    said = process("decide", str(tmp_path), cpu_seconds=CPU_SECONDS)
    assert said.code in (0, 2)
    assert said.err.count("\n") == (said.code == 2)


@pytest.mark.slow
def test_a_list_of_traces_has_an_end(tmp_path: Path) -> None:
    """Each entry is looked up on the disk, so a hundred thousand of them are refused."""
    (tmp_path / "case.yaml").write_text(LARGE["traces"], encoding="utf-8")
    said = answered_or_refused("decide", str(tmp_path))
    assert said.code == 2
    assert "data.traces" in said.err


# Named cases: what isn't a plain file.


def test_a_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "case.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + Path(TASK_API, "case.yaml").read_bytes())
    marked = answered_or_refused("decide", str(path), "--as-of", AS_OF)
    plain = answered_or_refused("decide", TASK_API, "--as-of", AS_OF)
    assert marked.out.split("\n")[0] == plain.out.split("\n")[0]
    path.write_bytes(b"\xef\xbb\xbfname: x\nnmae: y\n")
    assert answered_or_refused("decide", str(path)).err.startswith(f"{path}:2: ")


@pytest.mark.parametrize("ending", ["\r\n", "\r"])
def test_other_line_endings_count_as_lines(ending: str, tmp_path: Path) -> None:
    path = tmp_path / "case.yaml"
    path.write_bytes(
        ending.join(["name: x", "goals: [format]", "nmae: y", ""]).encode()
    )
    assert answered_or_refused("decide", str(path)).err.startswith(f"{path}:3: ")


READERS = [
    ("decide",),
    ("framework", "check"),
    ("decide", TASK_API, "--format", "markdown", "--since"),
]


@pytest.mark.slow
@pytest.mark.parametrize("command", READERS, ids=" ".join)
def test_a_pipe_is_refused_and_not_waited_for(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    said = process(*command, str(pipe))
    assert said.code == 2
    assert said.err == f"{pipe}: is not a file. Name a plain file\n"


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/tty", "/dev/full"])
@pytest.mark.parametrize("command", READERS, ids=" ".join)
def test_a_device_is_refused(device: str, command: tuple[str, ...]) -> None:
    said = answered_or_refused(*command, device)
    assert said.code == 2
    assert said.err.startswith(f"{device}: ")


@pytest.mark.parametrize("command", READERS[1:], ids=" ".join)
def test_a_folder_in_place_of_a_file_is_refused(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    ours = tmp_path / "ours.json"
    ours.mkdir()
    said = answered_or_refused(*command, str(ours))
    assert said.code == 2
    assert said.err == f"{ours}: is not a file. Name a plain file\n"


def test_a_folder_named_like_the_case_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "case.yaml").mkdir()
    said = answered_or_refused("decide", str(tmp_path))
    assert said.code == 2
    assert str(tmp_path / "case.yaml") in said.err


def test_a_folder_without_a_case_says_how_to_begin(tmp_path: Path) -> None:
    said = answered_or_refused("decide", str(tmp_path))
    assert said.err == (
        f'{tmp_path}: holds no case.yaml. Start one with "tuneworthy init {tmp_path}"\n'
    )


def test_a_link_to_nothing_or_to_itself_is_refused(tmp_path: Path) -> None:
    for number, aim in enumerate(("nothing", "case.yaml")):
        inside = tmp_path / str(number)
        inside.mkdir()
        (inside / "case.yaml").symlink_to(aim)
        assert answered_or_refused("decide", str(inside / "case.yaml")).code == 2
        assert answered_or_refused("decide", str(inside)).code == 2


# Named cases: what leaves the case folder.

OUTSIDE = [
    "/etc/passwd", "../x", "a/../../x", "..", "~", "~/x", "~root/x", "C:\\x", "c:x", "C:/x",
    "\\\\host\\share", "\\x", "..\\x", "a\\..\\..\\x", "file:///etc/passwd", "https://host/x",
    "s3://bucket/x",
]  # fmt: skip
ENTRIES = [
    "framework: {}", "data: {{evaluation: {}}}", "data: {{prompts: {}}}", "data: {{glossary: {}}}",
    "data: {{voice: {}}}", "data: {{output_schema: {}}}", "data: {{documents: {}}}",
    "data: {{examples: {{path: {}}}}}", "data: {{preference_pairs: {}}}", "data: {{traces: {}}}",
    "data: {{traces: [a, {}]}}",
]  # fmt: skip


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_path_that_leaves_the_case_folder_is_refused(
    entry: str, folder: Path
) -> None:
    path = folder / "leaves.yaml"
    for value in OUTSIDE:
        path.write_text(
            f"name: x\n\n{entry.format(json.dumps(value))}\n", encoding="utf-8"
        )
        said = answered_or_refused("decide", str(path))
        assert said.code == 2, value
        assert said.err.startswith(f"{path}:3: "), value
        assert "leaves the case folder" in said.err, value


@pytest.mark.parametrize(
    "value", ["...", "..x", "a..b", "a/..b/c", "-", "--help", "漢字", "a b"]
)
def test_an_odd_name_inside_the_case_folder_is_no_way_out(
    value: str, folder: Path
) -> None:
    path = folder / "odd.yaml"
    path.write_text(
        f"name: x\ndata: {{evaluation: {json.dumps(value)}}}\n", encoding="utf-8"
    )
    assert answered_or_refused("decide", str(path)).code == 0


@pytest.mark.parametrize(
    "entry",
    [
        "evaluation: link/secret.jsonl", "evaluation: direct.jsonl", "documents: link",
        "examples: {path: link/secret.jsonl}", "voice: link", "prompts: link", "prompts: prompts",
        "traces: link/secret.jsonl", "traces: [link/*.jsonl]", "traces: ['*/*.jsonl']",
    ],
)  # fmt: skip
def test_a_link_that_leaves_the_case_folder_is_refused(
    entry: str, tmp_path: Path
) -> None:
    inside, outside = tmp_path / "case", tmp_path / "outside"
    (inside / "prompts").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret.jsonl").write_text("{}\n", encoding="utf-8")
    (outside / "secret.txt").write_text("SECRET\n", encoding="utf-8")
    (inside / "link").symlink_to(outside)
    (inside / "direct.jsonl").symlink_to(outside / "secret.jsonl")
    (inside / "prompts" / "one.txt").symlink_to(outside / "secret.txt")
    path = inside / "case.yaml"
    path.write_text(f"name: x\ndata:\n  {entry}\n", encoding="utf-8")
    said = answered_or_refused("decide", str(inside), folder=tmp_path)
    assert said.code == 2
    assert said.err.startswith(f"{path}:3: ")
    assert "leads out of the case folder" in said.err


def test_a_framework_behind_a_link_out_of_the_case_folder_is_refused(
    tmp_path: Path,
) -> None:
    inside = tmp_path / "case"
    inside.mkdir()
    (tmp_path / "ours.yaml").write_text(
        "name: ours\nextends: lesson\n", encoding="utf-8"
    )
    (inside / "ours.yaml").symlink_to(tmp_path / "ours.yaml")
    (inside / "case.yaml").write_text(
        "name: x\nframework: ours.yaml\n", encoding="utf-8"
    )
    said = answered_or_refused("decide", str(inside))
    assert said.code == 2
    assert "leads out of the case folder" in said.err


def test_a_link_inside_the_case_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "eval.jsonl").write_text("{}\n", encoding="utf-8")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "case.yaml").write_text(
        "name: x\ndata: {evaluation: link/eval.jsonl}\n", "utf-8"
    )
    assert answered_or_refused("decide", str(tmp_path)).code == 0


# Named cases: numbers and words.

AMOUNTS = [
    "economics.hourly_rate_usd", "economics.upfront.hours", "economics.upfront.usd",
    "economics.upfront.training.usd", "economics.monthly.api_savings_usd",
    "economics.monthly.quality_value_usd", "economics.monthly.ongoing_usd",
    "economics.monthly.ongoing.inference_usd", "economics.traffic.requests_per_month",
    "economics.traffic.input_tokens", "economics.traffic.cached_share",
    "economics.hourly_rate_usd.low", "targets.latency_p95_s", "targets.usd_per_month",
    "targets.quality.at_least", "today.quality", "today.cases", "today.latency_p95_s",
    "today.usd_per_month", "today.retrieval_recall", "data.examples.count", "data.examples.usable",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("path", AMOUNTS)
def test_no_amount_is_negative_endless_or_no_number(path: str, folder: Path) -> None:
    file = folder / "amount.yaml"
    for number in (
        *HOSTILE_NUMBERS,
        "one",
        "1,000",
        "1 000",
        "$5",
        "[1]",
        "0x10",
        "1e16",
    ):
        text, keys = "name: x\n", path.split(".")
        for depth, key in enumerate(keys):
            text += f"{'  ' * depth}{key}:" + (
                "\n" if key != keys[-1] else f" {number}\n"
            )
        file.write_text(text, encoding="utf-8")
        said = answered_or_refused("decide", str(file))
        assert said.code == 2, (number, said.out)
        assert re.match(rf"{re.escape(str(file))}:{len(keys) + 1}: ", said.err), (
            said.err
        )
        if number not in (
            "1,000",
            "$5",
            "[1]",
        ):  # a file has plain numbers; by hand it is as people write
            assert (
                answered_or_refused(
                    "decide", TASK_API, "--set", f"{path}={number}"
                ).code
                == 2
            )


@pytest.mark.parametrize(
    "number", [float("nan"), float("inf"), float("-inf"), -1, 10**400, -0.5]
)
def test_no_amount_of_a_mapping_is_negative_endless_or_no_number(number: float) -> None:
    for path in AMOUNTS:
        mapping: Any = number
        for key in reversed(path.split(".")):
            mapping = {key: mapping}
        with pytest.raises(InputError):
            load_case({"name": "x", **mapping})


def test_growth_may_be_negative_but_not_below_nothing(folder: Path) -> None:
    file = folder / "growth.yaml"
    for growth, code in (
        ("-0.2", 0),
        ("-1", 0),
        ("-1.1", 2),
        ("10", 0),
        ("11", 2),
        (".nan", 2),
    ):
        file.write_text(
            f"name: x\neconomics: {{traffic: {{growth_per_month: {growth}}}}}\n",
            encoding="utf-8",
        )
        assert answered_or_refused("decide", str(file)).code == code


SAID = {
    "yes": ["yes", "Yes", "YES", "yEs", "y", "Y", "true", "True", "TRUE", "on", "On", "ON",
            "'yes'", '"Yes"', "' yes '"],
    "no": ["no", "No", "NO", "nO", "n", "N", "false", "False", "FALSE", "off", "Off", "OFF",
           "'no'", '"Off"'],
    "unknown": ["unknown", "Unknown", "UNKNOWN", "", "~", "null", "Null", "NULL", "''", "'?'",
                "'null'", "don't know", "Don't Know"],
}  # fmt: skip
NOT_SAID = [
    "maybe",
    "1",
    "0",
    "yes!",
    "yes no",
    "ja",
    "nope",
    "not",
    "none",
    "tru",
    "[]",
    "[no]",
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("means", "word"), [(m, w) for m, words in SAID.items() for w in words]
)
def test_a_word_means_what_a_person_means(means: str, word: str, folder: Path) -> None:
    path = folder / "words.yaml"
    path.write_text(
        f"name: x\nceiling:\n  few_shot: {word}\n  prompt_variations: {word}\n"
        f"signals:\n  latency: {word}\nfactors:\n  brand_voice: {word}\n"
        f"  low_volume: {{value: {word}, note: n}}\n",
        encoding="utf-8",
    )
    found = json.loads(answered_or_refused("decide", str(path), "--format", "json").out)
    assert found["ceiling"]["checks"]["few_shot"]["state"] == means
    assert found["ceiling"]["checks"]["prompt_variations"]["state"] == means
    assert found["signals"]["latency"]["state"] == means
    assert found["factors"]["brand_voice"]["state"] == means
    assert found["factors"]["low_volume"]["state"] == means


@pytest.mark.slow
@pytest.mark.parametrize(
    ("means", "word"), [(m, w) for m, words in SAID.items() for w in words]
)
def test_a_word_means_the_same_on_the_command_line(means: str, word: str) -> None:
    plain = word.strip("'\"") if word[:1] in "'\"" else word
    said = answered_or_refused(
        "decide", TASK_API, "--set", f"brand_voice={plain}", "--format", "json"
    )
    assert json.loads(said.out)["factors"]["brand_voice"]["state"] == means


@pytest.mark.parametrize("word", NOT_SAID)
def test_a_word_that_says_nothing_is_refused(word: str, folder: Path) -> None:
    path = folder / "nothing.yaml"
    path.write_text(f"name: x\nfactors:\n  brand_voice: {word}\n", encoding="utf-8")
    said = answered_or_refused("decide", str(path))
    assert said.code == 2
    assert said.err.startswith(f"{path}:3: ")
    assert "se yes, no or unknown" in said.err


@pytest.mark.parametrize(
    ("value", "means"), [(True, "yes"), (False, "no"), (None, "unknown")]
)
def test_python_says_it_too(value: object, means: str) -> None:
    case = load_case({"name": "x", "factors": {"brand_voice": value}})
    assert case.factors["brand_voice"].value == means


@pytest.mark.slow
@pytest.mark.parametrize("name", ["no", "No", "off", "yes", "on", "true", "60", "1.0", "2026-11-24",
                                  "0x10", "1e3", ".inf", "='x'", "1_000"])  # fmt: skip
def test_a_name_is_the_text_that_stands_there(name: str, folder: Path) -> None:
    path = folder / "name.yaml"
    path.write_text(f"name: {name}\n", encoding="utf-8")
    found = json.loads(answered_or_refused("decide", str(path), "--format", "json").out)
    assert found["case"]["name"] == name
    assert (
        f"\n{name}: By the framework “lesson”"
        in answered_or_refused("decide", str(path)).out
    )


# Reports: what a stranger's text can do to a terminal or a page, which is nothing.


ROUNDS = 8


def signs_of(turn: int) -> Iterator[str]:
    """Hostile texts without an end, each time another one.

    The first place of a file gets another text in every round, and so does each later one: what is
    written there meets a third of them, and every text a third of the places.
    """
    return islice(cycle(SIGNS.values()), 3 * turn, None)


def hostile_case(texts: Iterator[str]) -> dict[str, Any]:
    """A case whose every free text is hostile, and which fires as many challenges as it can."""

    def short() -> str:
        return next(texts)[:200]

    def notes(names: Iterable[str]) -> dict[str, Any]:
        return {name: {"value": "yes", "note": next(texts)} for name in names}

    model = short()
    attempts = [
        {"name": short(), "change": next(texts), "result": next(texts), "models": [model]}
        for _ in range(2)
    ]  # fmt: skip
    reasons = notes((*lesson()["indicators"], *lesson()["anti_indicators"]))
    return {
        "name": short(),
        "description": next(texts),
        "goals": ["safety", "format", "domain_expertise", "persona"],
        "ceiling": notes(lesson()["ceiling"]),
        "signals": notes(lesson()["signals"]),
        "factors": {name: {**reason, "now": "no"} for name, reason in reasons.items()},
        "attempts": attempts,
        "targets": {"quality": {"metric": short(), "at_least": 0.9}},
        "today": {"quality": 0.89, "cases": 20, "api": "third_party"},
        "economics": {
            "hourly_rate_usd": 1, "upfront": {"hours": 10},
            "monthly": {"api_savings_usd": 1e15, "ongoing_usd": 1}, "traffic": {
                "requests_per_month": 1e15, "growth_per_month": 10, "input_tokens": 1e15,
                "output_tokens": 1e15,
            },
        },
        "data": {"examples": {"count": 10**15, "usable": 1}, "evaluation": "漢" * 60},
        "models": [{"id": model, "usd_per_mtok": {"input": 1e15, "output": 1e15}}],
        "tuning": {"service": "hosted", "model_switch": "yes", "pilot": "no"},
    }  # fmt: skip


# Texts of a framework that are no id, no day and no word of a closed list.
FREE = {
    "title", "ask", "why", "example", "means", "settle", "says", "source", "need", "helps_when",
    "not_when", "unit", "compute", "pays_for", "data_reviewed", "process_named", "ongoing_also",
}  # fmt: skip


def hostile_framework(texts: Iterator[str]) -> Any:
    """The lesson with every free text hostile."""
    framework = _copy(lesson())
    framework["name"] = "hostile"
    for place in list(_places(framework)):
        free = place[-1] in FREE or {"strengths", "kinds", "also"} & set(place[:-1])
        if free and not (place[-1] == "unit" and "data" in place):
            here = framework
            for key in place:
                here = here[key]
            if isinstance(here, str):
                _replaced(framework, place, next(texts)[:200])
    return framework


def active(page: str) -> list[str]:
    """What a Markdown page would do: tags, links, images and link definitions.

    Code spans show what they hold, and a backslash takes the next sign's power away.
    """
    shown = re.sub(r"\\[!-/:-@\[-`{-~]", "", page)
    shown = re.sub(r"(?<!`)(`+)(?!`)[^\n]*?(?<!`)\1(?!`)", "", shown)
    return re.findall(
        r"<[A-Za-z/!?][^\n]*|\]\([^\n]*|\]\[[^\n]*|^ {0,3}\[[^\n]*\]:[^\n]*",
        shown,
        re.MULTILINE,
    )


@pytest.fixture(scope="module", params=range(ROUNDS))
def hostile(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A case and a framework full of hostile texts."""
    inside = tmp_path_factory.mktemp("hostile")
    case = hostile_case(signs_of(request.param))
    framework = hostile_framework(signs_of(request.param))
    (inside / "case.yaml").write_text(dumped(case), encoding="utf-8")
    (inside / "ours.yaml").write_text(dumped(framework), encoding="utf-8")
    own = {**case, "framework": "ours.yaml"}
    (inside / "own.yaml").write_text(dumped(own), encoding="utf-8")
    (inside / "plain.yaml").write_text("name: x\nframework: ours.yaml\n", "utf-8")
    return inside


@cache
def texts(inside: Path, form: str = "") -> tuple[Said, ...]:
    """Every report on the hostile case, and on a plain case by the hostile framework.

    Several laws read the same reports, so they are made once.
    """
    return tuple(_reports_of(inside, form))


def _reports_of(inside: Path, form: str) -> Iterator[Said]:
    ours = str(inside / "ours.yaml")
    options = ("--format", form) if form else ()
    for file in ("case.yaml", "own.yaml", "plain.yaml"):
        common = (str(inside / file), "--as-of", AS_OF)
        yield answered_or_refused("decide", *common, *options)
        if not form:
            yield answered_or_refused("show", *common)
            for name in ("brand_voice", "few_shot", "latency"):
                yield answered_or_refused("show", common[0], "why", name, *common[1:])
    if not form:
        yield answered_or_refused("framework", "show", ours)
        yield answered_or_refused("framework", "check", ours)
        yield answered_or_refused("framework", "show", ours, "low_volume")


@pytest.mark.slow
def test_hostile_text_stays_text_in_every_report(hostile: Path) -> None:
    """In one test, as its reports are dear to make and a process makes them once."""
    for form in ("", "json", "markdown", "record"):
        for said in texts(hostile, form):
            assert said.code == 0, said.err
            assert raw(said.out) == [], "a terminal is never told what to do"
    for said in texts(hostile):
        assert too_wide(said.out) == [], "no line is wider than a terminal"
    for form in ("markdown", "record"):
        for said in texts(hostile, form):
            shows_and_does_nothing(said.out)
    for said in texts(hostile, "markdown"):
        keeps_its_columns(said.out)


def shows_and_does_nothing(page: str) -> None:
    """Refuse a page on which hostile text is more than text."""
    assert "<script" not in page.lower()
    opened = page.count("<details>\n<summary>")
    assert opened == page.count("</summary>\n")
    assert opened == page.count("</details>\n")
    folds = r"^</?details>$|^<summary>|</summary>$"
    rest = re.sub(folds, "", page, flags=re.MULTILINE)
    assert active(rest) == []


def keeps_its_columns(page: str) -> None:
    """Refuse a page where a text makes a cell of its own, or a line of its own."""
    width = 0
    for line in page.split("\n"):
        bars = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
        assert width in (0, bars) or not bars
        width = bars


def test_the_watch_over_a_page_sees_what_is_active() -> None:
    for text in (
        "<script>",
        "[a](b)",
        "![a](b)",
        "<https://x>",
        "[a]: b",
        "[a][b]",
        "x <!-- y",
    ):
        assert active(text)
    for text in (r"\<script", r"\[a\](b)", "`<b>`", "a < b", r"\[a\]: b", "&lt;b&gt;"):
        assert not active(text)


@pytest.mark.slow
def test_a_comparison_is_as_safe_as_a_report(hostile: Path) -> None:
    before, own = hostile / "before.json", str(hostile / "own.yaml")
    said = answered_or_refused(
        "decide", own, "--format", "json", "--as-of", AS_OF,
        *(part for name in lesson()["indicators"]
          for part in ("--set", f"factors.{name}.value=no")),
    )  # fmt: skip
    before.write_text(said.out, encoding="utf-8")
    since = (
        "decide",
        own,
        "--format",
        "markdown",
        "--since",
        str(before),
        "--as-of",
        AS_OF,
    )
    assert answered_or_refused(*since).code == 0


@pytest.mark.slow
def test_colour_is_ours_and_never_the_text_s(hostile: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("NO_COLOR")
        patch.setenv("FORCE_COLOR", "1")
        said = tuneworthy("decide", str(hostile), "--as-of", AS_OF)
    assert "\x1b[0m" in said.out
    assert raw(re.sub(r"\x1b\[(?:0|1|2|31|32|33)m", "", said.out)) == []


@pytest.mark.slow
def test_an_error_is_as_safe_as_a_report(folder: Path) -> None:
    path = folder / "error.yaml"
    for text in SIGNS.values():
        for data in ({"name": "x", text: 1}, {"name": "x", "factors": {text: "yes"}},
                     {"name": "x", "factors": {"brand_voice": text}}, {"name": text * 40},
                     {"name": "x", "strategic_value": text}, {"name": "x", "goals": [text]},
                     {"name": "x", "models": [{"id": "a", "base_url": text}]},
                     {"name": "x", "framework": text}):  # fmt: skip
            path.write_text(dumped(data), encoding="utf-8")
            answered_or_refused("decide", str(path))
        odd = folder / text[:40].replace("/", "_")
        assert answered_or_refused("decide", str(odd)).code == 2
