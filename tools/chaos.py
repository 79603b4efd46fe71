"""The long form of what the tests try in small: broken inputs, and kill -9 at random moments.

    nice -n 19 python tools/chaos.py --inputs 100000 --kills 1000 --minutes 50

Both in turn until they are through or the time is. Every line that begins with WRONG is a law that
was broken, with what it takes to see it again; the figures stand in docs/evidence/reliability.md.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "src")]

import httpx  # noqa: E402  # after the path

import pilot_world  # noqa: E402  # after the path
import test_bad_input as inputs  # noqa: E402  # after the path
from internals import Fake, Ledger, Request, run  # noqa: E402  # after the path
from internals import training_pilot as api  # noqa: E402  # after the path
from lab_world import folder_of  # noqa: E402  # after the path
from test_calls_wire import statuses  # noqa: E402  # after the path
from test_chaos import endpoint  # noqa: E402  # after the path
from test_web_safety import a_change, serve  # noqa: E402  # after the path
from tuneworthy import load_framework  # noqa: E402  # after the path
from web_world import OPEN_CASE, a_shelf  # noqa: E402  # after the path

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
    lines = [["show", inputs.TASK_API, "history", "--since", "HERE"]]
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


KILLED = {
    each.__name__: each for each in (labs, pages, measurements, interviews, pilots)
}


def tried(name: str, trials: dict[str, Iterator[None]], root: Path) -> int:
    """How many of a kind held; 0 where a law was broken, which begins its kind anew."""
    try:
        if name == "inputs":
            return broken(root, 50)
        next(trials.setdefault(name, KILLED[name](root)))
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for option, most in (
        ("inputs", 100_000),
        ("kills", 1_000),
        ("minutes", 600),
        ("seed", 1),
    ):
        parser.add_argument(f"--{option}", type=int, default=most)
    asked = parser.parse_args()
    chance.seed(asked.seed)
    until, wrong, done = time.monotonic() + 60 * asked.minutes, 0, Counter[str]()
    trials: dict[str, Iterator[None]] = {}
    with tempfile.TemporaryDirectory() as root:
        while time.monotonic() < until:
            kills = done.total() - done["inputs"]
            if kills >= asked.kills and done["inputs"] >= asked.inputs:
                break
            behind = done["inputs"] * asked.kills <= kills * asked.inputs
            name = "inputs" if behind else chance.choice([*KILLED])
            held = tried(name, trials, Path(root))
            done[name] += held
            wrong += not held
            if chance.random() < 0.02:
                print(
                    f"{time.strftime('%H:%M')}  {dict(done)}, {wrong} wrong", flush=True
                )
    print(f"{dict(done)}, {wrong} wrong")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
