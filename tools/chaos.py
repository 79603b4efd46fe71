"""The long form of what the tests try in small, run once a round.

    nice -n 19 python tools/chaos.py --minutes 300
    nice -n 19 python tools/chaos.py --inputs 100000 --kills 1000 --endpoints 0 --uploads 0 --texts 0

Broken inputs, kill -9 at random moments, endpoints without an answer, uploads, and reports of hostile
text, in turn until all are through or the time is. Every line that begins with WRONG is a law that
was broken, with what it takes to see it again; the figures stand in docs/evidence/reliability.md.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import re
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import cache, partial
from html.parser import HTMLParser
from itertools import cycle, islice, product, repeat
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "src"), str(ROOT / "tools")]

import bad_endpoints  # noqa: E402  # after the path
import httpx  # noqa: E402  # after the path
import test_bad_input as inputs  # noqa: E402  # after the path
import test_chaos as refusing  # noqa: E402  # after the path
import test_web_files as sent_files  # noqa: E402  # after the path
from test_calls_wire import statuses  # noqa: E402  # after the path
from test_chaos import endpoint  # noqa: E402  # after the path
from test_web_safety import a_change, serve  # noqa: E402  # after the path

import hostile as hostile_texts  # noqa: E402  # after the path
import pilot_world  # noqa: E402  # after the path
from faulty import Fake  # noqa: E402  # after the path
from lab_world import folder_of  # noqa: E402  # after the path
from tuneworthy import load_framework  # noqa: E402  # after the path
from tuneworthy.cli import run  # noqa: E402  # after the path
from tuneworthy.llm import runner as llm_runner  # noqa: E402  # after the path
from tuneworthy.llm.choose import transport_for  # noqa: E402  # after the path
from tuneworthy.llm.ledger import Ledger  # noqa: E402  # after the path
from tuneworthy.model.lab import Request  # noqa: E402  # after the path
from tuneworthy.training import pilot as api  # noqa: E402  # after the path
from web_world import (  # noqa: E402  # after the path
    OPEN_CASE,
    Seen,
    a_client,
    a_shelf,
    a_site,
)

os.environ |= {"TUNEWORTHY_TRACEBACK": "", "NO_COLOR": "1", "OPENBLAS_NUM_THREADS": "1"}
AS_OF = "2026-11-24"
CAP_USD = 0.02
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["__main__"])
chance = random.Random()  # noqa: S311  # nothing is secret here


def law(held: bool, *what: object) -> None:
    if not held:
        raise AssertionError(*what)


# Broken inputs ------------------------------------------------------------------------------------


def broken(root: Path, many: int) -> int:
    """Commands on files after accidents: one of several kinds of files in turn."""
    kind, seed = chance.choice([*KINDS, "beside"]), chance.randrange(2**32)
    folder = Path(tempfile.mkdtemp(dir=root))
    if kind != "beside":
        name, sources, commands = KINDS[kind]()
        path = folder / name
        commands = [
            [word.replace("HERE", str(path)) for word in line] for line in commands
        ]
        inputs.try_mutants(seed, many, sources, path, commands)
        return many
    return beside(folder, many)


def cases() -> Any:
    lines = [["decide", "HERE", "--format", form] for form in (*inputs.FORMS, "html")]
    lines += [
        ["show", "HERE", "why"],
        ["show", "HERE", "plan"],
        ["show", "HERE", "money"],
    ]
    return (
        "case.yaml",
        [each.read_bytes() for each in inputs.GALLERY.glob("*/case.yaml")],
        lines,
    )


def frameworks() -> Any:
    idea = str(inputs.GALLERY / "first-idea")
    lines = [["framework", "check", "HERE"], ["framework", "show", "HERE"]]
    lines.append(["decide", idea, "--framework", "HERE"])
    return (
        "ours.yaml",
        [each.read_bytes() for each in inputs.GALLERY.glob("*/framework.yaml")],
        lines,
    )


def dossiers() -> Any:
    lines = [["decide", inputs.TASK_API, "--format", "markdown", "--since", "HERE"]]
    return "after.json", [inputs.dossier().encode()], lines


DEMOS = [each.parent for each in sorted(inputs.GALLERY.glob("*/logs"))]
NAMES = (*load_framework("lesson").ceiling, *load_framework("lesson").factors)
KINDS: dict[str, Callable[[], Any]] = {
    "case": cases,
    "framework": frameworks,
    "dossier": dossiers,
}


def beside(folder: Path, many: int) -> int:
    """A demo case of which a file beside the case file had an accident."""
    whole = shutil.copytree(chance.choice(DEMOS), folder / "demo")
    files = [
        path
        for path in whole.rglob("*")
        if path.is_file() and path.name != "case.yaml" and path.stat().st_size < 120_000
    ]
    lines = [
        ["decide"],
        ["measure"],
        ["ceiling", "--dry-run"],
        ["evalset", "check"],
        ["data"],
    ]
    for _ in range(many):
        path, line = chance.choice(files), chance.choice(lines)
        kept = path.read_bytes()
        data = inputs.mutate(chance, kept)
        path.write_bytes(data)
        said = inputs.tuneworthy(*line, str(whole))
        told = f"{line} with {path.relative_to(whole)}: {data[:300]!r}: {said}"
        law(said.code in (0, 1, 2, 3) and "internal error" not in said.err, told)
        law("Traceback" not in said.err and not inputs.raw(said.out + said.err), told)
        law(said.code != 2 or (said.out == "" and said.err.count("\n") == 1), told)
        path.write_bytes(kept)
    return many


# Killed at any moment -----------------------------------------------------------------------------


def command(*line: str) -> None:
    with (
        Path(os.devnull).open("w") as nowhere,
        redirect_stdout(nowhere),
        redirect_stderr(nowhere),
    ):
        sys.exit(run(list(line)))


def killed(work: Callable[..., None], *told: Any, longest: float) -> int | None:
    """Exit code of a process, or None where it was killed before its end."""
    process = PROCESSES.Process(target=work, args=told)
    process.start()
    process.join(chance.uniform(0, longest))
    process.kill()  # the one started above
    process.join()
    return None if process.exitcode == -9 else process.exitcode


def counted(asked: Counter[str], request: Request) -> str:
    asked[repr(request.messages)] += 1
    return "shelf 7"


def labs(root: Path) -> Iterator[None]:
    """A lab that is killed and begun again until it is through: each answer is paid once."""
    while True:
        asked = Counter[str]()
        with endpoint(None, model=Fake(partial(counted, asked))) as (address, _):
            priced = f"[{{id: 'my:one', base_url: '{address}', usd_per_mtok: {{input: 9, output: 9}}}}]"
            folder = folder_of(Path(tempfile.mkdtemp(dir=root)), n=150, models=priced)
            line = ["ceiling", str(folder), "--budget", str(CAP_USD), "--as-of", AS_OF]
            ledger, code = folder / ".tuneworthy" / "calls.sqlite3", None
            before: dict[str, str] = {}
            while code is None:
                code = killed(command, *line, longest=4)
                now = statuses(ledger) if ledger.exists() else {}
                law(
                    all(
                        now[key] == was for key, was in before.items() if was != "sent"
                    ),
                    "lost",
                )
                law(
                    max(asked.values(), default=1) == 1,
                    "paid twice",
                    asked.most_common(2),
                )
                if now:
                    with Ledger(ledger) as opened:
                        spend = opened.spend("ceiling")
                    law(spend.paid + spend.held <= CAP_USD, "cap passed", spend)
                    before = statuses(ledger)
                if code is None:
                    yield
            law(code in (0, 3), "a lab that was killed ends with", code)


def pages(root: Path) -> Iterator[None]:
    """A page that answers are given to: a confirmed one is in the file, which is always whole."""
    shelf = a_shelf(Path(tempfile.mkdtemp(dir=root)), one=OPEN_CASE)
    path = shelf / "one" / "case.yaml"
    while True:
        confirmed = meant = path.read_text("utf-8")
        with socket.create_server(("127.0.0.1", 0)) as sock:
            home = f"http://127.0.0.1:{sock.getsockname()[1]}"
            process = PROCESSES.Process(target=serve, args=(str(shelf), sock))
            process.start()
            try:
                with httpx.Client(base_url=home, timeout=60) as client:
                    form = a_change(client)
                    threading.Timer(chance.uniform(0, 0.5), process.kill).start()
                    for state in cycle(("yes", "no")):
                        meant = f"{OPEN_CASE}ceiling:\n  few_shot: {state}\n"
                        sent = client.post(
                            "/cases/one/answers",
                            data={**form, "ceiling.few_shot": state},
                        )
                        law(
                            sent.status_code == 303,
                            "an answer was refused",
                            sent.status_code,
                        )
                        confirmed = meant
                        form = a_change(client)
            except httpx.HTTPError:  # it is gone, or else it hangs
                process.join(10)
                gone = process.exitcode is not None
                process.kill()
                process.join()
                law(gone, "a page never answered")
        law(
            path.read_text("utf-8") in (confirmed, meant),
            "an answer was lost",
            path.read_text(),
        )
        yield


def measurements(root: Path) -> Iterator[None]:
    """Evidence is whole lines, and the same in the end as if nothing had been killed."""

    def decided(folder: Path) -> str:
        said = inputs.tuneworthy(
            "decide", str(folder), "--as-of", AS_OF, "--format", "json"
        )
        law(said.code == 0, said)
        return said.out

    while True:
        demo, place = chance.choice(DEMOS), Path(tempfile.mkdtemp(dir=root))
        folder, other = (
            shutil.copytree(demo, place / side / "x") for side in ("a", "b")
        )
        said = inputs.tuneworthy("measure", str(other))
        law(said.code == 0, said)
        while killed(command, "measure", str(folder), longest=3) is None:
            for line in lines_of(folder / ".tuneworthy" / "evidence.jsonl"):
                json.loads(line)
            decided(folder)
            yield
        law(
            decided(folder) == decided(other), "evidence differs after kills", str(demo)
        )


def lines_of(path: Path) -> list[str]:
    """Whole lines; what follows the last line break was cut by a kill."""
    return path.read_text("utf-8").split("\n")[:-1] if path.exists() else []


def interviews(root: Path) -> Iterator[None]:
    """Answers from a file: the case is one, or isn't there; begun again it holds them all."""
    answers = Path(tempfile.mkdtemp(dir=root)) / "answers.yaml"
    answers.write_text(
        "name: Desk\n"
        + "".join(f"{n}: {chance.choice(['yes', 'no'])}\n" for n in NAMES)
    )
    law(
        inputs.tuneworthy(
            "interview", str(root / "whole"), "--answers", str(answers)
        ).code
        == 0,
        "?",
    )
    want = (root / "whole" / "case.yaml").read_text("utf-8")
    while True:
        folder = Path(tempfile.mkdtemp(dir=root)) / "desk"
        while (
            killed(
                command,
                "interview",
                str(folder),
                "--answers",
                str(answers),
                longest=1.5,
            )
            is None
        ):
            if (folder / "case.yaml").exists():
                law(inputs.tuneworthy("decide", str(folder)).code == 0, "half a case")
            yield
        law((folder / "case.yaml").read_text("utf-8") == want, "an answer was lost")


def pilots(root: Path) -> Iterator[None]:
    """Eight training runs, each begun and paid once whenever it was killed."""
    while True:
        place = Path(tempfile.mkdtemp(dir=root))
        folder, log = pilot_world.case_of(place / "case"), place / "log"
        while killed(trains, str(folder), str(log), longest=4) is None:
            began = pilot_world.FakeTrainer(log).said("began")
            law(len(began) == len(set(began)), "trained twice")
            yield
        trainer = pilot_world.FakeTrainer(log, usd=1.0)
        pilot = pilot_world.pilot_of(folder, trainer)
        model = pilot_world.answers(pilot_world.rising())
        spend = api.run(pilot, cap_usd=100.0, transport=model).spend
        law((spend.paid, spend.held, model.sent) == (8.0, 0, 0), spend, model.sent)


def trains(folder: str, log: str) -> None:
    pilot = pilot_world.pilot_of(
        Path(folder), pilot_world.FakeTrainer(Path(log), usd=1.0)
    )
    api.run(pilot, cap_usd=100.0, transport=pilot_world.answers(pilot_world.rising()))


# Endpoints without an answer ----------------------------------------------------------------------

MOST_CALLS = 18  # of one model in one run


def judged(folder: Path) -> tuple[str, bool]:
    """The dossier, and whether there is evidence."""
    line = ["decide", str(folder), "--format", "json", "--as-of", AS_OF]
    said = inputs.tuneworthy(*line)
    law(said.code == 0, said)
    return said.out, (folder / ".tuneworthy" / "evidence.jsonl").exists()


def endpoints(root: Path) -> Iterator[None]:
    """Every lab at every kind of endpoint that gives no answer: nothing moves, few calls are sent."""
    llm_runner._FIRST_WAIT_S = 0.002  # noqa: SLF001  # as its tests do, to wait less
    assert transport_for.__kwdefaults__ is not None
    pairs = [*product(bad_endpoints.KINDS, refusing.LABS)]
    chance.shuffle(pairs)
    for kind, lab in cycle(pairs):
        transport_for.__kwdefaults__["timeout_s"] = 0.3 if kind == "hang" else 60.0
        with (
            endpoint(None) as (good, _),
            endpoint(bad_endpoints.KINDS[kind], listens=kind != "refuse") as (
                bad,
                seen,
            ),
        ):
            place = Path(tempfile.mkdtemp(dir=root))
            folder, more = refusing.case_of(place, lab, good, bad)
            before = judged(folder)
            name = refusing.COMMANDS.get(lab, "ceiling")
            line = [name, str(folder), "--as-of", AS_OF, "--at-once", "4", *more]
            said = inputs.tuneworthy(*line)
            after = judged(folder)
        law(said.code == 3, lab, kind, said)
        law(
            "Traceback" not in said.err and "internal error" not in said.err, kind, said
        )
        law(len(seen) <= MOST_CALLS * len(set(seen)), lab, kind, len(seen))
        if lab == "proposals":  # the arms of the model that did answer are kept
            law(refusing.judged_of(before) == refusing.judged_of(after), lab, kind)
        else:
            law(before == after, lab, kind, "moved")
        yield


# Uploads ------------------------------------------------------------------------------------------

FILE_NAMES = (
    *(
        "calls.jsonl",
        "cases.csv",
        "v1.md",
        "terms.html",
        "good.jsonl",
        "calls.zip",
        "a.gz",
    ),
    *("../../../etc/cron.d/x.jsonl", "..\\..\\x.jsonl", "/etc/passwd", "C:\\x.jsonl"),
    *(
        "case.yaml",
        ".tuneworthy/evidence.jsonl",
        "a\0b.jsonl",
        "\u202ex.jsonl",
        "*.jsonl",
    ),
    *("<img src=x onerror=alert(1)>.jsonl", "…/😀.jsonl", "...", "-rf"),
)
FILE_KINDS = (*sent_files.FITS, "nothing", "../traces")
FILE_BODIES = (
    sent_files.logs(),
    sent_files.CASES,
    b"",
    b"PK\x03\x04 broken",
    b"\x1f\x8b broken",
    b'{"input": "<script>window.hit=1</script>\\u0000", "output": [[[]]]}\n\xff\xfe',
)


def uploads(root: Path) -> Iterator[None]:
    """Every name, kind and body: a file lands in its case or nowhere, and no fault is ours."""
    tries = [*product(FILE_NAMES, FILE_KINDS, FILE_BODIES)]
    chance.shuffle(tries)
    several = cycle(tries)
    while True:  # a case with many files takes its time, so each has a few
        yield from sent_to_a_new_case(Path(tempfile.mkdtemp(dir=root)), several)


def sent_to_a_new_case(place: Path, tries: Iterator[Any]) -> Iterator[None]:
    shelf = a_shelf(place / "shelf", one=OPEN_CASE)
    client = a_client(a_site(shelf))
    form = Seen(client.get(sent_files.FILES).text).hidden("csrf")
    for name, kind, body in islice(tries, 40):
        answer = client.post(
            sent_files.FILES,
            data={"csrf": form, "kind": kind},
            files=[("files", (name, body))],
        )
        law(answer.status_code < 500, name, kind, body, answer.status_code)
        law("<script>window" not in answer.text, name, kind, body)
        law("onerror=alert(1)>" not in answer.text, name, kind, body)
        law([each.name for each in place.iterdir()] == ["shelf"], name, kind, body)
        law([each.name for each in shelf.iterdir()] == ["one"], name, kind, body)
        text = (shelf / "one" / "case.yaml").read_text("utf-8")
        law(text.startswith("name:") or "# asked twice" in text, name, kind, text)
        yield


# Reports of hostile text --------------------------------------------------------------------------


ADDRESSES = frozenset(
    {"href", "src", "srcset", "srcdoc", "poster", "style", "action", "formaction"}
    | {"xlink:href", "data", "background"}
)
"""Attributes that lead somewhere; any other shows its text, or nothing."""
FOREIGN = re.compile(
    r"\s*(?:javascript|vbscript|data:text)|.*evil\.test", re.IGNORECASE | re.DOTALL
)
PARTS = frozenset({"base", "iframe", "object", "embed", "form"})


class ActiveParts(HTMLParser):
    """What of a page would run or load something that a text brought."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._in_script = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_script = tag == "script"
        if tag in PARTS or ("http-equiv", "refresh") in attrs:
            self.found.append(tag)
        for name, value in attrs:
            leads = name in ADDRESSES and FOREIGN.match(value or "")
            if leads or name.startswith("on"):
                self.found.append(f"{tag} {name}={value}")

    def handle_endtag(self, tag: str) -> None:
        self._in_script = self._in_script and tag != "script"

    def handle_data(self, data: str) -> None:
        if self._in_script and re.search(r"hit=1|alert\(", data):
            self.found.append(f"script {data[:80]}")


@cache
def hostile_signs() -> tuple[str, ...]:
    return (
        *inputs.SIGNS.values(),
        *hostile_texts.PAYLOADS,
        "@everyone #1 GH-2 @us/team",
    )


def texts(root: Path) -> Iterator[None]:
    """Reports in all forms on a case and a framework made of attacks: they show, and do nothing."""
    while True:
        folder = Path(tempfile.mkdtemp(dir=root))
        text = chance.choice(hostile_signs())
        case = inputs.dumped(inputs.hostile_case(repeat(text)))
        (folder / "case.yaml").write_text(case, "utf-8")
        framework = inputs.dumped(inputs.hostile_framework(repeat(text)))
        (folder / "ours.yaml").write_text(framework, "utf-8")
        forms = (*inputs.FORMS, "html")
        for form, chosen in product(forms, ("lesson", str(folder / "ours.yaml"))):
            line = ["decide", str(folder), "--framework", chosen, "--as-of", AS_OF]
            said = inputs.tuneworthy(*line, "--format", form)
            law(said.code == 0, form, repr(text), said.err)
            if form == "html":
                law(not ActiveParts(said.out).found, text, ActiveParts(said.out).found)
            else:
                law(not inputs.raw(said.out), form, repr(text))
            if form in ("markdown", "record"):
                page = re.sub(r"</?(details|summary)>", "", said.out)
                links = inputs.active(page)
                law(not links, form, text, links)
                shown = page.replace("&#8203;", "\u200b")
                law(not re.search(r"@\w|(?<!&)#\d|\bGH-\d", shown), form, text)
            yield


KILLED = {
    each.__name__: each for each in (labs, pages, measurements, interviews, pilots)
}


OTHERS = {each.__name__: each for each in (endpoints, uploads, texts)}
MOST = {"inputs": 10_000, "kills": 239, "endpoints": 354, "uploads": 840, "texts": 550}
"""How many of each are tried where nobody says, as an attack from outside once did."""


SAID_EVERY_S = 60.0


def tried(name: str, trials: dict[str, Iterator[None]], root: Path) -> int:
    """How many of a kind held; 0 where a law was broken, which begins its kind anew."""
    try:
        if name == "inputs":
            return broken(root, 50)
        kind = (KILLED | OTHERS)[name]
        next(trials.setdefault(name, kind(root)))
    except Exception as error:  # noqa: BLE001  # whatever it is, it is printed and the next is tried
        print(
            "WRONG",
            name,
            repr(error)[:3000],
            *getattr(error, "__notes__", ()),
            flush=True,
        )
        trials.pop(name, None)
        return 0
    return 1


def furthest_behind(done: Counter[str], most: dict[str, int]) -> str:
    """The kind of which the smallest share is through; empty where all are."""
    counts = {name: done[name] for name in most}
    counts["kills"] = sum(done[name] for name in KILLED)
    shares = {name: counts[name] / most[name] for name in most if most[name]}
    name = min(shares, key=shares.__getitem__, default="")
    if not name or shares[name] >= 1:
        return ""
    return chance.choice([*KILLED]) if name == "kills" else name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for option, most in {**MOST, "minutes": 600, "seed": 1}.items():
        parser.add_argument(f"--{option}", type=int, default=most)
    asked = vars(parser.parse_args())
    chance.seed(asked["seed"])
    until = time.monotonic() + 60 * asked["minutes"]
    said_at = 0.0
    wrong = 0
    done = Counter[str]()
    trials: dict[str, Iterator[None]] = {}
    with tempfile.TemporaryDirectory() as root:
        while time.monotonic() < until:
            name = furthest_behind(done, {kind: asked[kind] for kind in MOST})
            if not name:
                break
            count = tried(name, trials, Path(root))
            done[name] += count
            wrong += not count
            if time.monotonic() > said_at + SAID_EVERY_S:
                said_at = time.monotonic()
                now = time.strftime("%H:%M")
                print(f"{now}  {dict(done)}, {wrong} wrong", flush=True)
    print(f"{dict(done)}, {wrong} wrong")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
