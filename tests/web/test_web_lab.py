"""Labs on the page: quoted and confirmed, followed by many, stopped, resumed, never paid twice."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import sqlite3
import threading
import time
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

import hostile
from faulty import Fake, Manners
from lab_world import CAREFUL, LOUD, PLAIN, folder_of, known, lines
from live import LONGEST_S, events, served
from tuneworthy import InputError, load_case
from tuneworthy.cases.workspace import Workspace, open_directory
from tuneworthy.lab import ceiling
from tuneworthy.lab.prepare import CEILING_RUN as RUN
from tuneworthy.lab.prepare import prepare, quoted
from tuneworthy.lab.session import StopHandle, ledger_of
from tuneworthy.llm.ledger import ReadOnlyLedger
from tuneworthy.model import lab as model_lab
from tuneworthy.model.lab import Stand
from tuneworthy.report.sections import lab_ceiling as section_lab_ceiling
from tuneworthy.report.sections import lab_quote as section_lab_quote
from tuneworthy.report.sections.lab_ceiling import ceiling_rows
from tuneworthy.runs import labs as runs_labs
from tuneworthy.runs.labs import Labs, LabSettings
from tuneworthy.web import lab as web_lab
from tuneworthy.web.guard import Site
from web_world import DAY, Seen, a_client
from worlds_search import World

PROMPTS = {"plain": PLAIN, "careful": CAREFUL, "loud": LOUD}
RIGHT = {"careful": 0.9, "SHOUT": 0.3, "Answer": 0.6}
PRICED = "[{id: 'fake:one', usd_per_mtok: {input: 1, output: 2}}]"
LAB = "/cases/library/lab"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return folder_of(tmp_path / "library", n=60, prompts=PROMPTS, models=PRICED)


def site_of(folder: Path, fake: Fake) -> Site:
    board = Workspace(open_directory(folder.parent), None, DAY)
    return Site(board, labs=Labs(lambda ready: fake))


def offer_of(client: TestClient) -> dict[str, str]:
    """The form that starts a lab, as a browser would send it once a cap is typed."""
    seen = Seen(client.get(f"{LAB}/offer").text)
    names = ("csrf", "calls", "usd", "max_tokens", "seed", "at_once")
    fields = {
        one["name"] or "": one["value"] or ""
        for one in seen.all("input")
        if "value" in one
    }
    return {name: fields[name] for name in names}


def client_csrf(client: TestClient) -> str:
    return Seen(client.get(LAB).text).hidden("csrf")


def started(
    client: TestClient, site: Site, folder: Path, cap: str = "5"
) -> runs_labs.LabRun:
    answer = client.post(LAB, data={**offer_of(client), "cap_usd": cap})
    assert answer.status_code == 303, answer.text
    running = site.labs.last(folder)
    assert running is not None
    return running


def over(running: runs_labs.LabRun) -> runs_labs.LabRun:
    assert running.wait(LONGEST_S)
    return running


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + LONGEST_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def spent(folder: Path) -> Any:
    with ledger_of(load_case(folder)) as ledger:
        return ledger.spend(RUN)


@pytest.mark.slow
@pytest.mark.parametrize("labs_paid", [0.0, 1.5])
def test_the_page_as_a_whole_spends_no_more_than_it_was_started_with(
    folder: Path, labs_paid: float
) -> None:
    other = folder_of(folder.parent / "other", n=60, prompts=PROMPTS, models=PRICED)
    fake = known(RIGHT)
    settings = LabSettings(max_tokens=9, as_of=DAY)
    budget = labs_paid * Labs(lambda _: fake).offer(folder, settings).most_usd
    labs = Labs(lambda _: fake, budget_usd=budget)
    ran = refused = 0
    for place in (folder, other, folder, other):
        offer = labs.offer(place, settings)
        try:
            run = labs.start(place, settings, cap_usd=1e9, calls=offer.most_calls,
                             usd=offer.most_usd)  # fmt: skip
        except InputError as caught:
            refused += "--lab-budget" in str(caught)
        else:
            ran += over(run).done is not None
    assert (ran > 0) is (budget > 0)
    assert refused > 0 or ran == 4
    assert spent(folder).paid + spent(other).paid <= budget
    assert fake.sent == 0 or budget


# Before it starts -----------------------------------------------------------------------------


def test_looking_at_a_lab_and_its_price_sends_nothing_and_writes_nothing(
    folder: Path,
) -> None:
    fake = known(RIGHT)
    client = a_client(site_of(folder, fake))
    before = sorted(path for path in folder.rglob("*"))
    assert client.get(LAB).status_code == client.get(f"{LAB}/offer").status_code == 200
    assert int(offer_of(client)["calls"]) > 0
    assert fake.sent == 0
    assert sorted(path for path in folder.rglob("*")) == before


def test_a_price_is_worked_out_once_until_a_file_of_the_case_changes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labs, asked = Labs(lambda ready: known(RIGHT)), LabSettings(as_of=DAY)
    first = labs.offer(folder, asked)
    monkeypatch.setattr(Labs, "_worked_out", lambda *_: None)
    assert labs.offer(folder, asked) is first
    with (folder / "eval.jsonl").open("a") as more:
        more.write('{"id": "one more", "input": "a", "reference": "b"}\n')
    assert labs.offer(folder, asked) is not first
    assert labs.offer(folder, LabSettings(as_of=DAY, seed=1)) is None


def test_the_price_on_the_page_is_that_of_a_dry_run(folder: Path) -> None:
    ready = prepare(folder, as_of=DAY)
    said = ceiling.render_quote(ready, quoted(ready))
    seen = Seen(a_client(site_of(folder, known(RIGHT))).get(f"{LAB}/offer").text)
    for label in ("Cases", "Calls", "Price", "Time"):
        (told,) = re.findall(rf"^  {label} +(.*)$", said, re.MULTILINE)
        assert f"{label} {told}" in seen.text
    assert "Sent to fake" in seen.text


@pytest.mark.slow
def test_the_search_is_switched_on_and_off_on_the_page_and_the_price_follows(
    tmp_path: Path,
) -> None:
    world = World.drawn(3)
    folder = world.folder(tmp_path / "library", "http://127.0.0.1:9/v1", 0.9)
    with a_client(site_of(folder, Fake(world.answer))) as client:
        page = client.get(f"{LAB}/offer").text
        (without,) = re.findall(r'href="([^"]*search=[^"]*)"', page)
        other = client.get(without.replace("&amp;", "&")).text
        assert "Quote it with a search" in other
        assert 'name="search" value="false"' in other
    for text, draws in ((page, None), (other, 0)):
        quote = quoted(ceiling.with_search(prepare(folder, as_of=DAY), draws))
        assert Seen(text).hidden("calls") == str(quote.calls)
        assert ("for better prompts, at most 20 draws" in text) is (draws is None)


@pytest.mark.slow
@pytest.mark.parametrize("cap", ["", "nan", "inf", "-1", "much", "1e400"])
def test_without_a_cap_that_is_an_amount_nothing_is_sent(
    folder: Path, cap: str
) -> None:
    fake = known(RIGHT)
    site = site_of(folder, fake)
    client = a_client(site)
    fields = offer_of(client)
    assert client.post(LAB, data={**fields, "cap_usd": cap}).status_code == 422
    assert client.post(LAB, data=fields).status_code == 422
    assert site.labs.last(folder) is None
    assert fake.sent == 0


@pytest.mark.slow
def test_more_than_was_confirmed_is_shown_and_asked_again(folder: Path) -> None:
    fake = known(RIGHT)
    site = site_of(folder, fake)
    client = a_client(site)
    fields = {**offer_of(client), "cap_usd": "5"}
    lines(folder, 80)
    answer = client.post(LAB, data=fields)
    assert answer.status_code == 409
    assert "Nothing was sent" in answer.text
    assert int(Seen(answer.text).hidden("calls")) > int(fields["calls"])
    assert (fake.sent, site.labs.last(folder)) == (0, None)


@pytest.mark.slow
def test_a_larger_price_alone_is_asked_again(folder: Path) -> None:
    labs = Labs(lambda ready: known(RIGHT))
    told = labs.offer(folder, LabSettings())
    with pytest.raises(runs_labs.QuoteExceededError):
        labs.start(
            folder,
            LabSettings(),
            cap_usd=5,
            calls=told.most_calls,
            usd=told.most_usd * 0.99,
        )
    with pytest.raises(runs_labs.QuoteExceededError):
        labs.start(
            folder,
            LabSettings(),
            cap_usd=5,
            calls=told.most_calls - 1,
            usd=told.most_usd,
        )
    over(
        labs.start(
            folder, LabSettings(), cap_usd=5, calls=told.most_calls, usd=told.most_usd
        )
    )


@pytest.mark.slow
def test_calls_that_would_be_asked_again_are_part_of_the_price(folder: Path) -> None:
    labs = Labs(lambda ready: known(RIGHT, manners=Manners(malformed=0.2)))
    told = labs.offer(folder, LabSettings())
    over(
        labs.start(
            folder, LabSettings(), cap_usd=5, calls=told.most_calls, usd=told.most_usd
        )
    )
    doubtful = spent(folder).in_doubt
    assert doubtful > 0
    plain, again = (
        labs.offer(folder, LabSettings(ask_again=flag)) for flag in (False, True)
    )
    assert plain.doubtful == again.doubtful == doubtful
    assert again.most_calls == plain.most_calls + doubtful
    assert again.most_usd == pytest.approx(plain.most_usd + spent(folder).held)


@pytest.mark.slow
def test_a_model_without_a_price_is_refused_before_anything_is_sent(
    tmp_path: Path,
) -> None:
    place = "[{id: 'openai:nobody-knows', base_url: 'http://127.0.0.1:9/v1'}]"
    folder = folder_of(tmp_path / "library", models=place)
    fake = known(RIGHT)
    client = a_client(site_of(folder, fake))
    text = Seen(client.get(f"{LAB}/offer").text).text
    assert (
        "Price not known for nobody-knows, so nothing is sent: state usd_per_mtok"
        in text
    )
    assert "Sent to http://127.0.0.1:9/v1" in text
    assert "Start the lab" not in text
    sent = {
        "csrf": client_csrf(client),
        "cap_usd": "5",
        "calls": "1000000",
        "usd": "1000000",
    }
    answer = client.post(LAB, data=sent)
    assert answer.status_code == 422
    assert "has no price" in answer.text
    assert fake.sent == 0


@pytest.mark.slow
@pytest.mark.parametrize("key", [None, "sk-0123456789"])
def test_a_key_that_lacks_is_said_with_the_price_and_not_after_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    monkeypatch.delenv("MISTRAL_API_KEY", raising=False)
    if key is not None:
        monkeypatch.setenv("MISTRAL_API_KEY", key)
    place = "[{id: 'mistral:small', usd_per_mtok: {input: 1, output: 1}}]"
    folder = folder_of(tmp_path / "library", models=place)
    site = Site(Workspace(open_directory(folder.parent), None, DAY), labs=Labs())
    page = a_client(site).get(f"{LAB}/offer").text
    assert ("MISTRAL_API_KEY" in page) is (key is None)
    assert key is None or key not in page


def test_code_beside_a_case_never_runs_from_the_page(folder: Path) -> None:
    (folder / "own.py").write_text("open('ran', 'w')\ndef score(*a):\n    return 1\n")
    lines(folder, 60, scorers=[{"id": "python", "function": "own.py:score"}])
    client = a_client(site_of(folder, known(RIGHT)))
    assert "The lab can’t run yet." in Seen(client.get(f"{LAB}/offer").text).text
    assert not (folder / "ran").exists()


# While it runs --------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_lab_followed_to_its_end_says_what_the_command_line_says(
    folder: Path,
) -> None:
    fake = known(RIGHT, manners=Manners(latency_s=0.05))
    site = site_of(folder, fake)
    client = a_client(site)
    with served(site) as port:
        running = started(client, site, folder)
        told = events(port, f"{LAB}/events?run={running.id}")
        again = events(port, f"{LAB}/events?run={running.id}")
    assert [one.name for one in told[-1:]] == ["over"]
    stands = [one for one in told if one.name == "stand"]
    assert len(stands) >= 3
    answered = [
        int(n)
        for one in stands
        for n in re.findall(r'progress value="(\d+)"', one.data)
    ]
    assert answered == sorted(answered)
    assert "in the race" in stands[-1].data
    assert [one.name for one in again] == ["stand", "over"]

    dead = Fake(lambda request: pytest.fail("it was paid for already"))
    done = ceiling.run(prepare(folder, as_of=DAY), cap_usd=5, transport=dead)
    assert dead.sent == 0
    text = Seen(client.get(LAB).text).text
    for row in done.result.arms:
        arm, share, missing, cost, wait = section_lab_ceiling.board_row(row)
        assert (
            " ".join(
                f"{arm} {share} {missing or '–'} {cost or '–'} {wait or '–'}".split()
            )
            in text
        )
    for label, said in ceiling_rows(done.result):
        assert f"{label} {said}" in text
    for kind in done.result.failures:
        assert f"{kind.signal.replace('_', ' ')}: {kind.n} of {kind.of}" in text
        assert all(example in text for example in kind.examples[:2])
    first = running.done
    assert first is not None
    for label, said in section_lab_ceiling.answered_rows(
        first.result, first.dossier, first.before
    ):
        assert f"{label} {said}" in text


@pytest.mark.slow
def test_what_a_lab_shows_becomes_evidence_and_moves_the_verdict_line(
    folder: Path,
) -> None:
    site = site_of(folder, known(RIGHT))
    client = a_client(site)
    before = Seen(client.get(LAB).text)
    over(started(client, site, folder))
    after = Seen(client.get(LAB).text)
    told = client.get("/cases/library/report/json").json()
    assert {one["id"] for one in told["evidence"]} >= {
        "best_prompt_share",
        "distinct_prompts",
    }
    shown = [
        name
        for name, check in told["ceiling"]["checks"].items()
        if check["state"] == "yes"
    ]
    assert shown
    assert "Rests on no statements and" not in before.text
    assert "Rests on no statements and nine measurements" in after.text


@pytest.mark.slow
def test_a_lab_goes_by_the_day_and_the_framework_of_the_page(folder: Path) -> None:
    site = Site(
        Workspace(
            open_directory(folder.parent),
            "evidence/published/precedent.yaml",
            date(2026, 3, 4),
        ),
        labs=Labs(lambda ready: known(RIGHT)),
    )
    done = over(started(a_client(site), site, folder)).done
    assert done is not None
    assert (done.dossier.framework.name, done.dossier.as_of) == (
        "precedent",
        date(2026, 3, 4),
    )
    line = (folder / ".tuneworthy" / "evidence.jsonl").read_text()
    assert "2026-03-04" in line


@pytest.mark.slow
def test_a_follower_who_comes_again_gets_only_what_is_new(folder: Path) -> None:
    site = site_of(folder, known(RIGHT))
    running = over(started(a_client(site), site, folder))

    async def all_of(last: str) -> list[str]:
        return [
            part async for part in web_lab.followed(running, lambda: "<p>x</p>", last)
        ]

    whole = asyncio.run(all_of(""))
    mark = f"{running.id}-{running.progress.number}"
    assert [part for part in whole if "event: stand" in part]
    rest = asyncio.run(all_of(mark))
    assert not [part for part in rest if "event: stand" in part]
    assert "event: over" in rest[-1]


def test_an_event_keeps_every_line_of_its_data_inside_itself() -> None:
    told = web_lab.event("stand", "a\n\nevent: over\r\ndata: b\rid: 7", "x-1")
    assert told == (
        "id: x-1\nevent: stand\ndata: a\ndata: \ndata: event: over\ndata: data: b\ndata: id: 7\n\n"
    )


@pytest.mark.slow
def test_a_dead_follower_holds_nothing_up(folder: Path) -> None:
    site = site_of(folder, known(RIGHT, manners=Manners(latency_s=0.01)))
    with served(site) as port:
        running = started(a_client(site), site, folder)
        deaf = [socket.create_connection(("127.0.0.1", port)) for _ in range(5)]
        for one in deaf:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            path = f"{LAB}/events?run={running.id}"
            one.sendall(
                f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
            )
        deaf[0].close()
        over(running)
        assert running.progress.state == "done"
        assert events(port, f"{LAB}/events?run={running.id}")[-1].data == "done"
        for one in deaf[1:]:
            one.close()


def test_events_of_a_run_that_is_not_there_end_for_good(folder: Path) -> None:
    client = a_client(site_of(folder, known(RIGHT)))
    assert client.get(f"{LAB}/events?run=none").status_code == 204


def test_a_pilot_says_that_measuring_takes_minutes_before_it_does(folder: Path) -> None:
    shown = Seen(a_client(site_of(folder, known({}))).get(f"{LAB}?kind=pilot").text)
    assert "It may take minutes, in which this page says nothing" in shown.text


@pytest.mark.slow
def test_a_page_without_scripts_loads_itself_while_a_lab_runs(folder: Path) -> None:
    site = site_of(folder, known(RIGHT, manners=Manners(latency_s=0.02)))
    client = a_client(site)
    running = started(client, site, folder)
    assert '<noscript><meta http-equiv="refresh"' in client.get(LAB).text
    over(running)
    assert 'http-equiv="refresh"' not in client.get(LAB).text


# Stopped, and on again ------------------------------------------------------------------------


@pytest.mark.slow
def test_a_lab_that_is_stopped_and_started_again_pays_nothing_twice(
    folder: Path,
) -> None:
    fake = known(RIGHT, manners=Manners(latency_s=0.02))
    site = site_of(folder, fake)
    client = a_client(site)
    running = started(client, site, folder)
    until(lambda: running.progress.stand is not None)
    form = {"csrf": site.csrf, "run": running.id}
    assert client.post(f"{LAB}/stop", data=form).status_code == 303
    assert over(running).progress.state == "stopped"
    assert "start it again to continue" in Seen(client.get(LAB).text).text
    paid = fake.sent
    assert 0 < paid < int(offer_of(client)["calls"]) + paid
    assert (spent(folder).calls, spent(folder).in_doubt) == (paid, 0)

    second = over(started(client, site, folder))
    assert second.progress.state == "done"
    assert fake.sent == fake.answered == spent(folder).calls
    third = over(started(client, site, folder))
    assert third.progress.state == "done"
    assert fake.sent == spent(folder).calls


@pytest.mark.slow
def test_a_form_of_an_earlier_run_does_not_stop_a_later_one(folder: Path) -> None:
    site = site_of(folder, known(RIGHT, manners=Manners(latency_s=0.01)))
    client = a_client(site)
    first = started(client, site, folder)
    first.stop()
    over(first)
    second = started(client, site, folder)
    client.post(f"{LAB}/stop", data={"csrf": site.csrf, "run": first.id})
    assert over(second).progress.state == "done"


@pytest.mark.slow
def test_two_starts_at_a_time_are_one_lab(folder: Path) -> None:
    fake = known(RIGHT, manners=Manners(latency_s=0.01))
    site = site_of(folder, fake)
    client = a_client(site)
    fields = {**offer_of(client), "cap_usd": "5"}
    codes: list[int] = []
    threads = [
        threading.Thread(
            target=lambda: codes.append(client.post(LAB, data=fields).status_code)
        )
        for _ in range(4)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join(LONGEST_S)
    assert codes == [303] * 4
    running = site.labs.last(folder)
    assert running is not None
    over(running)
    assert fake.sent == spent(folder).calls


@pytest.mark.slow
def test_a_ledger_that_another_process_writes_is_told_and_nothing_is_sent(
    folder: Path,
) -> None:
    fake = known(RIGHT)
    site = site_of(folder, fake)
    client = a_client(site)
    fields = {**offer_of(client), "cap_usd": "5"}
    with ledger_of(load_case(folder)):
        assert client.get(f"{LAB}/offer").status_code == 200  # a price takes no lock
        client.post(LAB, data=fields)
        running = site.labs.last(folder)
        assert running is not None
        assert over(running).progress.state == "failed"
    assert "is in use by another run" in Seen(client.get(LAB).text).text
    assert str(folder.parent) not in client.get(LAB).text
    assert fake.sent == 0


@pytest.mark.slow
def test_a_fault_ends_a_run_with_a_line_and_not_in_silence(folder: Path) -> None:
    def broken(request: object) -> str:
        raise ZeroDivisionError("<b>boom</b>")

    site = site_of(folder, Fake(broken))
    client = a_client(site)
    assert over(started(client, site, folder)).progress.state == "failed"
    answer = client.get(LAB)
    assert "ZeroDivisionError" in answer.text
    assert "<b>boom" not in answer.text


@pytest.mark.slow
def test_the_end_of_the_server_stops_its_labs_in_order(folder: Path) -> None:
    fake = known(RIGHT, manners=Manners(latency_s=0.3))
    site = site_of(folder, fake)
    with served(site):
        running = started(a_client(site), site, folder)
        until(lambda: fake.sent > 0)
    assert running.progress.state == "stopped"
    assert (spent(folder).in_doubt, spent(folder).calls) == (0, fake.sent)


@pytest.mark.slow
def test_a_stop_that_comes_before_the_first_call_sends_nothing(folder: Path) -> None:
    fake, handle = known(RIGHT), StopHandle()
    handle.stop()
    done = ceiling.run(
        prepare(folder, as_of=DAY), cap_usd=5, transport=fake, handle=handle
    )
    assert done.result.stopped
    assert fake.sent == 0
    handle.stop()  # after its end it stops nothing


@pytest.mark.slow
def test_labs_of_many_cases_have_a_limit(tmp_path: Path) -> None:
    labs = Labs(lambda ready: known(RIGHT, manners=Manners(latency_s=0.5)))
    folders = [folder_of(tmp_path / f"case{i}", n=40, models=PRICED) for i in range(5)]
    told = labs.offer(folders[0], LabSettings())
    begin = partial(
        labs.start,
        settings=LabSettings(),
        cap_usd=5.0,
        calls=told.most_calls,
        usd=told.most_usd,
    )
    for one in folders[:4]:
        begin(one)
    with pytest.raises(InputError, match="4 labs are running"):
        begin(folders[4])
    with pytest.raises(InputError, match="is running"):
        begin(folders[0])
    assert labs.close(LONGEST_S)


# What others wrote ----------------------------------------------------------------------------


@pytest.mark.slow
def test_hostile_outputs_and_names_are_text_on_every_page_of_a_lab(
    tmp_path: Path,
) -> None:
    prompts = {"plain": PLAIN, "x'><img src=x onerror=alert(1)>": LOUD}
    folder = folder_of(tmp_path / "library", n=48, prompts=prompts, models=PRICED)
    outputs = iter(hostile.PAYLOADS * 1000)
    site = site_of(folder, Fake(lambda request: f"{next(outputs)} {hostile.HIDDEN}"))
    client = a_client(site)
    with served(site) as port:
        running = started(client, site, folder)
        told = events(port, f"{LAB}/events?run={running.id}")
    pages = [
        client.get(LAB).text,
        client.get(f"{LAB}/offer").text,
        *(one.data for one in told),
    ]
    for page in pages:
        seen = Seen(page)
        assert all(
            (one["src"] or "").startswith("/cases/library/runs/")
            for one in seen.all("img")
        )
        assert not [
            one
            for one in seen.all("script")
            if not (one.get("src") or "").startswith("/")
        ]
        assert not [
            a for _, a in seen.elements if any(key.startswith("on") for key in a)
        ]
        assert "\u202e" not in page
    assert "alert(" in Seen(pages[0]).text


# Words and numbers of the way -----------------------------------------------------------------


def stand(done: int, of: int) -> Stand:
    spend = {
        "cap": 1,
        "paid": 0,
        "held": 0,
        "calls": 0,
        "reused": 0,
        "in_doubt": 0,
        "failed": 0,
    }
    told = {
        "arm": "",
        "quality": {"unknown": True, "ask": "wait"},
        "done": done,
        "of": of,
    }
    return Stand.model_validate({**told, "running": 1, "spend": spend})


def test_the_time_to_go_is_what_is_left_at_the_pace_so_far() -> None:
    assert section_lab_quote.left_s(stand(0, 10), 5.0) is None
    # it was said that days were left
    assert section_lab_quote.left_s(stand(16, 100_000), 80.0) is None
    assert section_lab_quote.left_s(stand(4, 10), 8.0) == pytest.approx(12.0)
    assert section_lab_quote.left_s(stand(10, 10), 8.0) == 0
    assert [section_lab_quote.duration(s) for s in (0, 59.6, 99, 180, 7200)] == [
        "0 s",
        "60 s",
        "99 s",
        "3 min",
        "2 h",
    ]


@pytest.mark.slow
def test_the_board_lists_every_arm_those_that_run_first_and_the_best_of_them_first(
    folder: Path,
) -> None:
    stands: list[Stand] = []
    ready = prepare(folder, as_of=DAY)
    ceiling.run(ready, cap_usd=5, transport=known(RIGHT), watch=stands.append)
    boards = [one.board for one in stands if one.board]
    assert boards

    def rank(one: model_lab.Placed) -> tuple[bool, float]:
        return one.running, one.quality.value if isinstance(
            one.quality, model_lab.ShareOf
        ) else -1.0

    for board in boards:
        assert {one.arm for one in board} == {arm.id for arm in ready.plan.arms}
        assert [rank(one) for one in board] == sorted(map(rank, board), reverse=True)
    assert any(not one.running for one in boards[-1])
    assert [s.done for s in stands] == sorted(s.done for s in stands)


@pytest.mark.slow
def test_a_ledger_is_read_beside_the_run_that_writes_it_and_never_written(
    folder: Path,
) -> None:
    over(a_lab(folder))
    path = folder / ".tuneworthy" / "calls.sqlite3"
    with (
        ledger_of(load_case(folder)) as writer,
        ReadOnlyLedger(path) as first,
        ReadOnlyLedger(path) as second,
    ):
        assert writer.reserve("k", run=RUN, model="m", usd=0.1, cap_usd=9) == "go"
        assert first.spend(RUN) == second.spend(RUN) == writer.spend(RUN)
        # on the wire: nobody knows yet
        assert [one.key for one in first.doubtful(RUN)] == ["k"]
        assert writer.doubtful(RUN) == ()
        with pytest.raises(InputError, match="can't be written"):
            first.fail("k", "no")
        assert [one.key for one in second.doubtful(RUN)] == ["k"]
        writer.fail("k", "no")
    with pytest.raises(InputError, match="is not a ledger"):
        ReadOnlyLedger(folder / "case.yaml")


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        "calls SET reply = CAST(x'ff' AS TEXT)",
        "runs SET paid = 'x'",
        "runs SET paid = -1",
    ],
)
def test_a_ledger_that_somebody_spoilt_is_told_on_the_page(
    folder: Path, change: str
) -> None:
    over(a_lab(folder))
    client = a_client(site_of(folder, known(RIGHT)))
    assert "calls.sqlite3" not in client.get(f"{LAB}/offer").text
    base = sqlite3.connect(folder / ".tuneworthy" / "calls.sqlite3")
    base.execute(f"UPDATE {change}")
    base.commit()
    base.close()
    for at in (f"{LAB}/offer", "/cases/library/label"):
        told = client.get(at)
        assert told.status_code == 200
        assert re.search(r"calls\.sqlite3: (can.+t be read|was changed)", told.text), at


def a_lab(folder: Path) -> runs_labs.LabRun:
    labs = Labs(lambda ready: known(RIGHT))
    told = labs.offer(folder, LabSettings())
    return labs.start(
        folder, LabSettings(), cap_usd=5, calls=told.most_calls, usd=told.most_usd
    )


@pytest.mark.slow
def test_a_lab_on_the_page_finds_what_the_command_line_finds(folder: Path) -> None:
    site = site_of(folder, known(RIGHT))
    running = over(started(a_client(site), site, folder))
    assert running.done is not None
    done = ceiling.run(prepare(folder, as_of=DAY), cap_usd=5, transport=known(RIGHT))
    mine, its = (
        json.loads(one.result.model_dump_json()) for one in (running.done, done)
    )
    for name in ("quote", "spend"):
        del mine[name], its[name]
    for result in (mine, its):
        # only who asked for a search is told why there was none
        del result["search"]["why"]
    assert mine == its
