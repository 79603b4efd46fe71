"""Scorers that run something: queries and own functions, and hostile ones of both."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tuneworthy import InputError
from tuneworthy.model.evalset import CheckCall, EvalCase
from tuneworthy.scoring import Marker, scorer_for
from tuneworthy.scoring import base as scoring_base
from tuneworthy.scoring import sql as scoring_sql
from tuneworthy.scoring.base import Kit, Output
from tuneworthy.scoring.worker import Worker

TABLES = "CREATE TABLE t(a, b); INSERT INTO t VALUES (1, 'x'), (2, 'y'), (2, 'y'), (3, NULL);"


@pytest.fixture(scope="module")
def sql() -> scoring_base.Scorer:
    return scorer_for(CheckCall(scorer="sql", of={"schema": TABLES}), Kit())


def asked(
    one: scoring_base.Scorer, text: str, reference: Any = "SELECT a, b FROM t"
) -> scoring_base.Scored:
    return one.score(Output(text), EvalCase(id="c", input="q", reference=reference))


@pytest.mark.parametrize(
    ("gold", "query", "ok"),
    [
        ("SELECT a, b FROM t", "select a, b from t order by b desc;", True),
        ("SELECT a, b FROM t", "SELECT b, a FROM t", False),
        ("SELECT a, b FROM t", "SELECT DISTINCT a, b FROM t", False),
        ("SELECT a FROM t ORDER BY a", "SELECT a FROM t ORDER BY a DESC", False),
        ("SELECT sum(a) FROM t", "SELECT 8.0 AS anything", True),
        ("SELECT 10000000000000000", "SELECT 1e16", True),
        ("SELECT 9007199254740993", "SELECT 9007199254740995", False),
        ("SELECT 1/3.0", "SELECT 0.333333333333", True),
        ("SELECT '1'", "SELECT 1", False),
        ("SELECT NULL", "SELECT 'null'", False),
        ("SELECT a FROM t WHERE a > 9", "SELECT a FROM t WHERE 0", True),
        ("SELECT a FROM t", "Sure:\n```sql\nSELECT a FROM t;\n```\nDone.", True),
        ("SELECT a FROM t", "Sure: SELECT a FROM t", False),
    ],
)
def test_a_query_is_right_when_its_rows_are(
    sql: scoring_base.Scorer, gold: str, query: str, *, ok: bool
) -> None:
    assert asked(sql, query, gold).ok is ok


def test_any_accepted_query_will_do_and_one_that_fails_judges_nothing(
    sql: scoring_base.Scorer,
) -> None:
    assert asked(sql, "SELECT 2", ["SELECT 1", "SELECT 2"]).ok is True
    assert asked(sql, "SELECT 2", ["SELEC 1", "SELECT 2"]).ok is True
    assert asked(sql, "SELECT 2", "SELEC 1").why == "reference_fails"


HOSTILE = {
    "DROP TABLE t": "not_allowed",
    "DELETE FROM t": "not_allowed",
    "INSERT INTO t VALUES (9, 9)": "not_allowed",
    "ATTACH 'x.db' AS y": "not_allowed",
    "PRAGMA query_only = OFF": "not_allowed",
    "SELECT load_extension('x')": "not_allowed",
    "SELECT * FROM pragma_database_list": "not_allowed",
    "SELECT zeroblob(1000000000)": "not_allowed",
    "SELECT random()": "not_allowed",
    "CREATE TEMP TABLE z(a)": "not_allowed",
    "BEGIN": "not_allowed",
    "SELECT a FROM t; DROP TABLE t": "query_fails",
    "VACUUM INTO 'copy.db'": "query_fails",
    "SELECT readfile('/etc/hostname')": "query_fails",
    "SELECT 1 -- " + "x" * 20_000: "query_too_long",
    "-- nothing": "no_result",
}
ENDLESS = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) "


@pytest.mark.parametrize("query", HOSTILE)
def test_a_query_can_only_read(sql: scoring_base.Scorer, query: str) -> None:
    assert asked(sql, query).why == HOSTILE[query]
    assert asked(sql, "SELECT a, b FROM t").ok is True


@pytest.mark.slow
def test_a_query_ends_by_steps_rows_or_memory_and_the_next_one_runs(
    sql: scoring_base.Scorer,
) -> None:
    begun = time.monotonic()
    assert asked(sql, ENDLESS + "SELECT count(*) FROM r").why == "too_much_work"
    assert asked(sql, ENDLESS + "SELECT n FROM r").why == "too_many_rows"
    wide = "substr(replace(hex(printf('%.*c', 200000, 'x')), '7', 'yy'), 1, 400000)"
    heavy = ENDLESS + f"SELECT n, {wide} || n FROM r ORDER BY 2 DESC"
    assert asked(sql, heavy).why in {
        "too_much_memory",
        "ended",
        "query_fails",
        "too_slow",
    }
    assert asked(sql, "SELECT a, b FROM t").ok is True
    assert time.monotonic() - begun < 60


def test_nothing_is_written_where_a_query_runs(
    sql: scoring_base.Scorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fresh = scorer_for(CheckCall(scorer="sql", of={"schema": TABLES}), Kit())
    for query in HOSTILE:
        asked(fresh, query)
    assert list(tmp_path.iterdir()) == []


def test_a_script_is_read_beside_the_case() -> None:
    kit = Kit(read={"db.sql": TABLES}.__getitem__)
    one = scorer_for(CheckCall(scorer="sql", of="db.sql"), kit)
    assert asked(one, "SELECT a, b FROM t").ok is True


@pytest.mark.parametrize(
    "script",
    ["ATTACH 'x' AS y", "PRAGMA journal_mode = WAL", ENDLESS + "SELECT max(n) FROM r"],
)
def test_a_script_can_only_build(script: str) -> None:
    one = scorer_for(CheckCall(scorer="sql", of={"schema": script}), Kit())
    with pytest.raises(InputError, match="doesn't run"):
        one.check()


@pytest.mark.parametrize(
    ("query", "yes"),
    [
        ("SELECT a FROM t ORDER BY a", True),
        ("SELECT a FROM (SELECT a FROM t order  by a LIMIT 2)", False),
        ("SELECT 'order by' FROM t -- order by", False),
        ("SELECT sum(a) OVER (ORDER BY b) FROM t", False),
        ('SELECT "order by" FROM t\nORDER\nBY 1', True),
    ],
)
def test_a_result_is_ordered_by_its_own_query_alone(query: str, *, yes: bool) -> None:
    assert scoring_sql.orders(query) is yes


def test_two_blocks_are_no_query() -> None:
    text = "```sql\nSELECT 1\n```\n```sql\nSELECT 2\n```"
    assert scoring_sql.query_in(text) == text


# Own functions ----------------------------------------------------------------------------------

OWN = """
import os, time, sys
def share(output, case, context): return min(1, len(output) / len(case["reference"]))
def yes(output, case, context): return output == case["reference"]
def told(output, case, context):
    return {"value": 0.5, "ok": True, "why": context["system"] + str(context["tool_calls"])}
def fails(output, case, context): raise ValueError(output)
def slow(output, case, context): time.sleep(60)
def leaves(output, case, context): os._exit(3)
def loud(output, case, context): return {"value": 1, "why": "x" * 20_000_000}
def prints(output, case, context):
    print("loud"); sys.stdout.write("x"); os.write(1, b"{}\\n"); return True
def secrets(output, case, context): return {"value": 0, "why": ",".join(sorted(os.environ))}
def nan(output, case, context): return float("nan")
def two(output, case, context): return 2
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "own.py").write_text(OWN, encoding="utf-8")
    (tmp_path / "broken.py").write_text("1 / 0", encoding="utf-8")
    return tmp_path


def own(
    folder: Path, name: str, *, file: str = "own.py", seconds: float = 20
) -> scoring_base.Scorer:
    of = {"function": f"{file}:{name}", "seconds": seconds}
    return scorer_for(
        CheckCall(scorer="python", of=of), Kit(folder=folder, allow_code=True)
    )


def test_an_own_function_gives_a_share_a_yes_or_more(folder: Path) -> None:
    assert asked(own(folder, "share"), "abcd", "abcdefgh").value == 0.5
    assert asked(own(folder, "yes"), "abc", "abc").ok is True
    assert asked(own(folder, "yes"), "abd", "abc").signal == "wrong_answer"
    output = Output("x", (("f", "{}"),), "sys")
    told = own(folder, "told").score(output, EvalCase(id="c", input="q"))
    assert (told.value, told.ok, told.about) == (0.5, True, "sys[['f', '{}']]")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("fails", "function_raises"),
        ("leaves", "function_ended"),
        ("loud", "function_ended"),  # more than an answer may hold
        ("nan", "function_unreadable"),
        ("two", "function_gives_no_share"),
        ("missing", "function_cannot_load"),
    ],
)
def test_a_function_that_goes_wrong_says_nothing_of_the_output(
    folder: Path, name: str, why: str
) -> None:
    one = asked(own(folder, name), "x", "y")
    assert (one.ok, one.why) == (None, why)


def test_a_bare_name_of_a_file_means_one_beside_the_case(folder: Path) -> None:
    (folder / "known.txt").write_text("x", encoding="utf-8")
    code = "def known(output, case, context): return open('known.txt').read() == output"
    (folder / "reads.py").write_text(code, encoding="utf-8")
    assert asked(own(folder, "known", file="reads.py"), "x", "y").ok is True


def test_a_module_that_fails_says_nothing_of_the_output(folder: Path) -> None:
    one = asked(own(folder, "f", file="broken.py"), "x", "y")
    assert (one.why, one.about) == ("function_cannot_load", "f: ZeroDivisionError")


@pytest.mark.slow
def test_a_function_that_is_too_slow_is_ended_and_asked_anew(folder: Path) -> None:
    one, begun = own(folder, "slow", seconds=1), time.monotonic()
    assert asked(one, "x").why == "function_too_slow"
    assert asked(one, "x").why == "function_too_slow"
    assert time.monotonic() - begun < 20


def test_what_a_function_prints_is_no_answer(folder: Path) -> None:
    assert asked(own(folder, "prints"), "x").ok is True


def test_a_function_sees_no_secret(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    assert "sk-1" in os.environ.values()
    seen = set(asked(own(folder, "secrets"), "x").about.split(","))
    assert seen <= {"PATH", "LC_CTYPE", "LANG"}


@pytest.mark.parametrize(
    ("function", "says"),
    [
        ("../own.py:yes", "not beside"),
        ("/etc/own.py:yes", "not beside"),
        ("gone.py:yes", "not beside"),
        ("link.py:yes", "not beside"),
        ("own.py", "no function"),
        ("own.py:a.b", "no function"),
        ("os:system", "no function"),
    ],
)
def test_a_function_stands_beside_the_case_or_is_refused(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, function: str, says: str
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "own.py"
    elsewhere.write_text(OWN, encoding="utf-8")
    (folder / "link.py").symlink_to(elsewhere)
    check = CheckCall(scorer="python", of=function)
    with pytest.raises(InputError, match=says):
        scorer_for(check, Kit(folder=folder, allow_code=True))


def test_code_is_never_run_by_default(folder: Path) -> None:
    with pytest.raises(InputError, match="allow-code"):
        scorer_for(CheckCall(scorer="python", of="own.py:yes"), Kit(folder=folder))


def test_a_stop_ends_a_function_that_loops_and_no_other_begins(folder: Path) -> None:
    (folder / "loops.py").write_text(
        "from pathlib import Path\n"
        "def loops(*_):\n"
        "    Path('begun').touch()\n"
        "    while True: pass\n"
    )
    scorer, said = (
        own(folder, "loops", file="loops.py", seconds=60),
        list[scoring_base.Scored](),
    )
    asking = Thread(target=lambda: said.append(asked(scorer, "x")))
    asking.start()
    assert comes((folder / "begun").exists)
    scorer.stop()
    asking.join(30)
    assert [one.why for one in said] == [scoring_base.RUN_STOPPED]
    (folder / "begun").unlink()
    assert asked(scorer, "y").why == scoring_base.RUN_STOPPED
    assert not (folder / "begun").exists()


def test_what_was_stopped_leaves_no_verdict_of_the_others(folder: Path) -> None:
    scorer = own(folder, "yes")
    scorer.stop()
    marker = Marker((scorer_for("match", Kit()), scorer), Kit())
    case = EvalCase(id="c", input="q", reference="x")
    assert (marker.score(Output("x"), case).ok, marker.score(Output("x"), case).why) == (
        None, scoring_base.RUN_STOPPED,
    )  # fmt: skip


def test_a_process_ends_with_what_asked_it(folder: Path) -> None:
    worker = Worker("sql", seconds=20, bare=True)
    worker.ask({"key": "k", "query": "SELECT 1"})
    process = worker._process
    assert process is not None
    assert process.poll() is None
    del worker
    assert process.poll() is not None


# How many, and for how long ----------------------------------------------------------------------


def sql_cases(n: int, scripts: int) -> list[EvalCase]:
    return [
        EvalCase(
            id=f"c{i}", input="q", reference="SELECT count(*) FROM t",
            checks=(CheckCall(scorer="sql", of={"schema": f"CREATE TABLE t(a{i % scripts})"}),),
        )
        for i in range(n)
    ]  # fmt: skip


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Ids of the processes that were started."""
    seen: list[int] = []
    begin = Worker._running

    def noted(worker: Worker) -> Any:
        process = begin(worker)
        if process.pid not in seen:
            seen.append(process.pid)
        return process

    monkeypatch.setattr(Worker, "_running", noted)
    scoring_sql.sql_worker.cache_clear()
    yield seen
    scoring_sql.sql_worker.cache_clear()


@pytest.mark.slow
def test_many_cases_share_one_process_that_starts_when_it_is_asked(
    started: list[int],
) -> None:
    cases, marker = sql_cases(1200, scripts=7), Marker((), Kit())
    for case in cases:
        marker.scorers(case)
    assert started == []  # a quote asks nothing
    marker.check()
    for case in cases[:40]:
        assert marker.score(Output("SELECT 0"), case).ok is True
    assert len(started) == 1


def test_a_script_that_fails_is_told_before_anything_is_paid(
    started: list[int],
) -> None:
    (case,) = sql_cases(1, scripts=1)
    bad = case.model_copy(
        update={"checks": (CheckCall(scorer="sql", of={"schema": "nonsense"}),)}
    )
    marker = Marker((), Kit())
    marker.scorers(bad)
    assert started == []
    with pytest.raises(InputError, match="doesn't run"):
        marker.check()


HANGS = {"idle": "pass", "in C": "import re; re.match('(a|a)*b', 'a' * 60)"}
ORPHANED = """
import os, signal, sys, threading, time
from pathlib import Path
from tuneworthy.scoring.worker import Worker
folder, early = Path(sys.argv[1]), sys.argv[2] == "early"
worker = Worker("own", str(folder), str(folder / "own.py"), "f", seconds=60)
asking = threading.Thread(target=worker.ask, args=(["", {}, {}],), daemon=True)
asking.start()
while worker._process is None:
    time.sleep(0.001)
if early:
    os.kill(worker._process.pid, signal.SIGSTOP)
print(worker._process.pid, flush=True)
if not early:
    asking.join()
print("answered", flush=True)
signal.pause()
"""


def comes(true: Callable[[], bool], seconds: float = 60) -> bool:
    """Whether something comes true in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if true():
            return True
        time.sleep(0.05)
    return true()


def is_gone(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def has_ended(pid: int) -> bool:
    """Whether a process is over, be it that nobody has asked for its end yet."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


@pytest.mark.skipif(
    sys.platform != "linux", reason="the system keeps no list of its processes"
)
@pytest.mark.parametrize("how", ["stopped", "let go", "looping"])
def test_what_an_own_function_started_ends_with_it_in_whatever_session(
    folder: Path, how: str
) -> None:
    """Once one to nine processes went on for good."""
    (folder / "starts.py").write_text(
        "import os, subprocess\n"
        "from pathlib import Path\n"
        "def starts(*_):\n"
        "    alone = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        "    if not os.fork():\n"
        "        os.setsid()\n"
        "        if not os.fork():\n"
        "            Path('part').write_text(f'{alone.pid} {os.getpid()}')\n"
        "            Path('part').rename('begun')\n"
        "            os.execvp('sleep', ['sleep', '600'])\n"
        "        os._exit(0)\n"
        "    while not Path('begun').exists(): pass\n"
        f"    while {how == 'looping'}: pass\n"
        "    return True\n"
    )
    worker = Worker(
        "own",
        str(folder),
        str(folder / "starts.py"),
        "starts",
        seconds=60,
        folder=folder,
    )
    asking = Thread(target=worker.ask, args=(["", {}, {}],))
    asking.start()
    assert comes((folder / "begun").exists)
    started = [int(pid) for pid in (folder / "begun").read_text().split()]
    if how != "looping":
        asking.join(30)
    assert not any(map(has_ended, started))
    if how == "let go":
        del worker, asking
    else:
        worker.stop()
    for pid in started:
        assert comes(lambda pid=pid: has_ended(pid)), "it goes on"  # type: ignore[misc] # of this turn


@pytest.mark.slow
@pytest.mark.parametrize("when", ["early", "looping", "in C", "idle"])
def test_an_own_scorer_that_loops_ends_with_who_asked_it(
    tmp_path: Path, when: str
) -> None:
    """Killed without a chance to say so; what the scorer started goes too.

    Early is while the worker starts; idle is after the answer. In C no thread runs and no signal is
    heard.
    """
    begun = tmp_path / "begun"
    (tmp_path / "own.py").write_text(
        "import subprocess\n"
        "from pathlib import Path\n"
        "def f(*_):\n"
        "    subprocess.Popen(['sleep', '600'])\n"
        "    alone = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        f"    Path({str(begun)!r} + '.part').write_text(str(alone.pid))\n"
        f"    Path({str(begun)!r} + '.part').rename({str(begun)!r})\n"
        f"    {HANGS.get(when, 'while True: pass')}\n"
        "    return 1\n"
    )
    asking = subprocess.Popen(
        [sys.executable, "-c", ORPHANED, str(tmp_path), when],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert asking.stdout is not None
    group = int(asking.stdout.readline())
    try:
        if when != "early":
            assert comes(begun.exists)
        if when == "idle":
            assert asking.stdout.readline() == "answered\n"
        asking.kill()
        asking.wait()
        asking.stdout.close()
        if when == "early":
            os.killpg(group, signal.SIGCONT)
        assert comes(lambda: is_gone(group)), "it goes on"
        if begun.exists():  # not where it was killed early
            assert comes(lambda: has_ended(int(begun.read_text()))), "a child goes on"
    finally:
        asking.kill()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
