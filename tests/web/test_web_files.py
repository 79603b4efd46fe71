"""Files sent to the page: read by whoever reads them anyway, named in the case, or not kept."""

from __future__ import annotations

import io
import json
import os
import random
import re
import socket
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from live import LONGEST_S, served
from tuneworthy import decide, load_case
from tuneworthy.cases.workspace import Workspace as Board
from tuneworthy.cases.workspace import open_directory
from tuneworthy.files import evalset as files_evalset
from tuneworthy.files.stores import read_versions
from tuneworthy.intake import measure as workspace_measure
from tuneworthy.web import app as web_app
from tuneworthy.web.guard import Site
from web_world import DAY, HOME, OPEN_CASE, Seen, a_client, a_shelf, a_site

FILES = "/cases/one/files"


def logs(n: int = 40, start: int = 0) -> bytes:
    """Plain traces, each another."""
    rows = (
        {"input": f"Where is order {i}?", "output": f"Order {i} left on day {i % 28}.",
         "model": "gpt-4o", "input_tokens": 90 + i % 7, "output_tokens": 20}
        for i in range(start, start + n)
    )  # fmt: skip
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


CASES = b'{"id": "1", "input": "a", "reference": "b"}\n{"id": "2", "input": "c"}\n'
FITS = {
    "traces": ("calls.jsonl", logs(), "40 calls"),
    "evaluation": (
        "cases.csv",
        b"id,input,reference\n1,a,b\n2,c,\n",
        "Read 2 cases, 1 of them",
    ),
    "prompts": ("v1.md", b"Be kind. {{ input }}", "Read 1 prompt: v1"),
    "documents": (
        "terms.html",
        b"<h1>Terms</h1><script>alert(1)</script>",
        "Read 1 document",
    ),
    "training": ("good.jsonl", b'{"input": "a", "output": "b"}\n', "Read 1 example"),
}
MISFITS = {
    "traces": ("calls.jsonl", b"<b>nothing</b>", "isn't recognised"),
    "evaluation": ("cases.jsonl", b'{"id": "1", "inputt": "a"}\n', "inputt"),
    "prompts": ("v1.md", b"{% for x %}", "template language"),
    "documents": ("terms.exe", b"MZ", "holds no document"),
    "training": ("good.jsonl", b"no json", "is not JSON"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return a_shelf(tmp_path / "shelf", one=OPEN_CASE)


@pytest.fixture
def client(folder: Path) -> TestClient:
    return a_client(a_site(folder))


def below(folder: Path) -> dict[str, bytes]:
    """Every file of the case but what is computed for it."""
    place = folder / "one"
    found = (path for path in place.rglob("*") if path.is_file())
    names = {path.relative_to(place).as_posix(): path.read_bytes() for path in found}
    return {
        name: data for name, data in names.items() if not name.startswith(".tuneworthy")
    }


def send(
    client: TestClient, kind: str, *files: tuple[str, bytes], csrf: str | None = None
) -> Seen:
    fields = {"csrf": csrf or Seen(client.get(FILES).text).hidden("csrf"), "kind": kind}
    answer = client.post(FILES, data=fields, files=[("files", file) for file in files])
    seen = Seen(answer.text)
    seen.status = answer.status_code  # type: ignore[attr-defined]  # for the tests of this file
    return seen


@pytest.mark.slow
@pytest.mark.parametrize("kind", FITS)
def test_what_fits_is_read_kept_and_named(
    client: TestClient, folder: Path, kind: str
) -> None:
    name, data, says = FITS[kind]
    seen = send(client, kind, (name, data))
    assert says in seen.text
    assert "What changed" in seen.text
    text = (folder / "one" / "case.yaml").read_text("utf-8")
    assert text.startswith(OPEN_CASE.rstrip("\n").split("\n")[0])
    assert "# asked twice" in text
    new = set(below(folder)) - {"case.yaml"}
    assert len(new) == 1
    case = load_case(folder / "one")
    held = getattr(case.data, kind)
    named = held if isinstance(held, tuple) else (getattr(held, "path", held),)
    assert any(one in (new | {next(iter(new)).partition("/")[0]}) for one in named)
    assert len(read_versions(case)) == 2


@pytest.mark.slow
@pytest.mark.parametrize("kind", MISFITS)
def test_what_does_not_fit_leaves_no_file_and_no_word(
    client: TestClient, folder: Path, kind: str
) -> None:
    name, data, says = MISFITS[kind]
    seen = send(client, kind, (name, data))
    assert seen.status == 422  # type: ignore[attr-defined]  # as above
    assert says in seen.text
    assert below(folder) == {"case.yaml": OPEN_CASE.encode()}
    assert [path.name for path in (folder / "one").iterdir()] == ["case.yaml"]


@pytest.mark.slow
def test_where_the_case_broke_meanwhile_neither_logs_nor_evidence_are_left(
    client: TestClient, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, broken = folder / "one" / "case.yaml", OPEN_CASE + "nope: 1\n"
    seen = send(client, "traces", ("a.jsonl", logs()))
    assert "What was read 40 calls" in seen.text
    path.write_text(OPEN_CASE, "utf-8")
    ledger = (folder / "one" / ".tuneworthy" / "evidence.jsonl").read_bytes()

    def meanwhile(*given: object, **told: object) -> object:
        path.write_text(broken, "utf-8")
        return decide(*given, **told)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr("tuneworthy.intake.measure.decide", meanwhile)
    refused = send(
        client, "traces", ("b.jsonl", logs(start=90)), csrf=seen.hidden("csrf")
    )
    assert refused.status == 422  # type: ignore[attr-defined]  # as above
    assert (folder / "one" / ".tuneworthy" / "evidence.jsonl").read_bytes() == ledger
    assert not (folder / "one" / "traces" / "b.jsonl").exists()


def test_a_save_while_a_file_is_read_stays_that_of_who_saved(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, ben = (
        Board(open_directory(folder), DAY).written_by(by) for by in ("Ada", "Ben")
    )

    def meanwhile(path: Path) -> object:
        ben.set_answers(
            "one", {"factors.low_volume": "no"}, ben.evaluated("one").digest
        )
        return files_evalset.read_csv(path)

    monkeypatch.setattr("tuneworthy.intake.measure.read_csv", meanwhile)
    sent = folder / "cases.csv"
    sent.write_bytes(FITS["evaluation"][1])
    ada.add_files("one", "evaluation", [sent])
    kept = read_versions(load_case(folder / "one"))
    assert [one.by for one in kept] == ["", "Ben", "Ada"]
    assert "low_volume: no" in kept[-1].text


def test_one_file_that_does_not_fit_takes_those_beside_it_along(
    client: TestClient, folder: Path
) -> None:
    seen = send(
        client, "prompts", ("v1.md", b"Hi {{ input }}"), ("v2.md", b"{{ nope }}")
    )
    assert seen.status == 422  # type: ignore[attr-defined]  # as above
    assert below(folder) == {"case.yaml": OPEN_CASE.encode()}


@pytest.mark.slow
def test_nothing_of_the_users_is_replaced_or_read_twice(
    client: TestClient, folder: Path
) -> None:
    mine = folder / "one" / "traces"
    mine.mkdir()
    (mine / "calls.jsonl").write_bytes(b"mine\n")
    send(client, "traces", ("calls.jsonl", logs()))
    send(client, "traces", ("calls.jsonl", logs(30, start=100)))
    assert (mine / "calls.jsonl").read_bytes() == b"mine\n"
    assert load_case(folder / "one").data.traces == (
        "traces/calls-2.jsonl",
        "traces/calls-3.jsonl",
    )
    again = send(client, "traces", ("again.jsonl", logs()))
    assert "already exists" in again.text
    assert len(list(mine.iterdir())) == 3


@pytest.mark.slow
def test_lists_and_patterns_of_the_case_file_stay_as_they_are(
    client: TestClient, folder: Path
) -> None:
    path = folder / "one" / "case.yaml"
    (folder / "one" / "traces").mkdir()
    (folder / "one" / "traces" / "a.jsonl").write_bytes(logs(20, start=500))
    (folder / "one" / "map.yaml").write_text("input: input\noutput: output\n", "utf-8")
    for told, then in (
        ("  traces: traces/*.jsonl # all\n", "  traces: traces/*.jsonl # all\n"),
        ("  traces: {paths: [traces/a.jsonl], map: map.yaml}\n",
         "  traces: {paths: [traces/a.jsonl, traces/new-2.jsonl], map: map.yaml}\n"),
        ("  traces:\n    - traces/a.jsonl # first\n",
         "  traces:\n    - traces/a.jsonl # first\n    - traces/new-3.jsonl\n"),
    ):  # fmt: skip
        path.write_text(f"{OPEN_CASE}data:\n{told}", "utf-8")
        seen = send(
            client, "traces", ("new.jsonl", logs(25, start=random.randrange(10**6)))
        )
        assert "45 calls" in seen.text
        assert path.read_text("utf-8") == f"{OPEN_CASE}data:\n{then}"


def test_a_number_of_documents_stays_beside_their_folder(
    client: TestClient, folder: Path
) -> None:
    path = folder / "one" / "case.yaml"
    path.write_text(f"{OPEN_CASE}data: {{documents: 300}}\n", "utf-8")
    send(client, "documents", ("a.txt", b"hello"))
    held = load_case(folder / "one").data.documents
    assert held is not None
    assert (held.path, held.count) == ("documents", 300)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["../../../etc/cron.d/x.jsonl", "..\\..\\x.jsonl", "/etc/passwd", "C:\\x.jsonl", "case.yaml",
     ".tuneworthy/evidence.jsonl", "a\0b.jsonl", "\u202ex.jsonl", "*.jsonl", "x" * 3000 + ".jsonl",
     "<img src=x onerror=alert(1)>.jsonl", "…/😀.jsonl", "...", "-rf", "a\nb: c.jsonl"],
)  # fmt: skip
def test_a_name_leads_nowhere(client: TestClient, folder: Path, name: str) -> None:
    seen = send(client, "training", (name, FITS["training"][1]))
    assert seen.status == 200, seen.text  # type: ignore[attr-defined]  # as above
    (new,) = set(below(folder)) - {"case.yaml"}
    assert new in seen.text
    assert re.fullmatch(r"training/[\w()+-][\w.()+-]*", new)
    assert load_case(folder / "one").data.training == (new,)
    assert {path.name for path in folder.iterdir()} == {"one"}


@given(st.text(max_size=400))
def test_any_name_is_a_plain_one_that_a_disk_takes(sent: str) -> None:
    name = workspace_measure.clean_name(sent)
    assert (
        re.fullmatch(r"[\w()+][\w.()+-]*", name)
        or name[0] in "+()"
        or name.startswith("file")
    )
    assert len(name.encode()) <= 160
    assert not set(name) & set("/\\\0*?[]<>:\"'")
    assert name not in (".", "..", "")
    assert workspace_measure.clean_name(name) == name


def test_a_link_out_of_the_case_is_not_followed(
    client: TestClient, folder: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (folder / "one" / "traces").symlink_to(outside)
    seen = send(client, "traces", ("calls.jsonl", logs()))
    assert "leads out of the case folder" in seen.text
    assert list(outside.iterdir()) == []


def a_zip(members: dict[str, bytes]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return held.getvalue()


@pytest.mark.slow
def test_zips_of_zips_and_bombs_leave_nothing(client: TestClient, folder: Path) -> None:
    inner = a_zip({"x.jsonl": logs()})
    for data in (
        a_zip({f"{n}.zip": inner for n in range(20)}),
        a_zip({"bomb.jsonl": b'{"input": "' + b"a" * 50_000_000}),
        a_zip({"../../evil.jsonl": b"nothing"}),
        b"PK\x03\x04 broken",
        b"\x1f\x8b broken",
    ):
        seen = send(client, "traces", ("calls.zip", data))
        assert seen.status == 422, seen.text  # type: ignore[attr-defined]  # as above
        assert below(folder) == {"case.yaml": OPEN_CASE.encode()}
    assert {path.name for path in folder.parent.iterdir()} == {"shelf"}


def test_markup_in_a_file_is_text(client: TestClient) -> None:
    evil = "<script>alert(1)</script>"
    prompt = f"---\nname: '{evil}'\n---\n{{{{ input }}}}".encode()
    seen = send(client, "prompts", (f"{evil}.md", prompt))
    assert evil in seen.text or seen.status == 422  # type: ignore[attr-defined]  # as above
    assert not [one for one in seen.all("script") if "src" not in one]


def test_no_file_is_taken_without_the_secret_of_the_page(
    client: TestClient, folder: Path
) -> None:
    for csrf in ("x", "0" * 64, site_of(client).session):
        seen = send(client, "traces", ("calls.jsonl", logs()), csrf=csrf)
        assert seen.status == 403  # type: ignore[attr-defined]  # as above
    assert client.post(FILES, content=logs()).status_code == 403
    assert [path.name for path in (folder / "one").iterdir()] == ["case.yaml"]


def site_of(client: TestClient) -> Site:
    found: Site = client.app.state.site  # type: ignore[attr-defined]  # FastAPI's own
    return found


# A server, and clients that misbehave ----------------------------------------------------------

TOKEN = "t" * 43


@pytest.fixture
def live(folder: Path) -> Iterator[tuple[int, Path]]:
    board = Board(open_directory(folder), DAY)
    with served(Site(board, token=TOKEN, upload_mib=1)) as port:
        yield port, folder / "one"


def form_of(data: bytes) -> tuple[str, bytes]:
    """A form that sends logs, as a browser writes it: its type, and its bytes."""
    kind = b'--b\r\nContent-Disposition: form-data; name="kind"\r\n\r\ntraces\r\n'
    file = b'--b\r\nContent-Disposition: form-data; name="files"; filename="x.jsonl"\r\n\r\n'
    return (
        "Content-Type: multipart/form-data; boundary=b",
        kind + file + data + b"\r\n--b--\r\n",
    )


def spoken(port: int, head: str, *parts: bytes, end: bool = True) -> bytes:
    """What a server says to a request that comes in parts; empty where it said nothing."""
    lines = f"POST {FILES} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
    lines += f"Authorization: Bearer {TOKEN}\r\n{head}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=LONGEST_S) as sock:
        try:
            sock.sendall(lines.encode())
            for part in parts:
                sock.sendall(part)
            return sock.recv(100) if end else b""
        except OSError:  # it hung up while we were still speaking
            return sock.recv(100)


def nothing_kept(place: Path) -> None:
    """Also of what is being sent, once the server has noticed."""
    ended = threading.Event()
    for _ in range(200):
        if [path.name for path in place.iterdir()] == ["case.yaml"]:
            return
        ended.wait(0.05)
    assert [path.name for path in place.iterdir()] == ["case.yaml"]


def test_ten_gigabytes_are_refused_at_the_door(live: tuple[int, Path]) -> None:
    port, place = live
    assert b" 413 " in spoken(port, f"Content-Length: {10 * 2**30}", b"x" * 1000)
    kind, form = form_of(b"x" * 0x10000)
    begun = form.removesuffix(b"\r\n--b--\r\n")
    chunks = [
        b"%x\r\n%b\r\n" % (len(part), part) for part in (begun, *[b"x" * 0x10000] * 40)
    ]
    assert b" 413 " in spoken(port, f"{kind}\r\nTransfer-Encoding: chunked", *chunks)
    nothing_kept(place)


@pytest.mark.slow
def test_a_cut_upload_leaves_nothing_half(live: tuple[int, Path]) -> None:
    port, place = live
    spoken(port, "Content-Length: 1000000", b"x" * 300_000, end=False)
    nothing_kept(place)
    form = b'--b\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n'
    head = (
        f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {len(form)}"
    )
    assert not spoken(port, head, form).startswith(b"HTTP/1.1 20")
    nothing_kept(place)


def test_what_a_killed_server_left_goes_with_the_next_file(
    client: TestClient, folder: Path
) -> None:
    for name, age_s in (
        (".tuneworthy-upload-old", 100_000),
        (".tuneworthy-upload-new", 0),
    ):
        left = folder / "one" / name
        left.mkdir()
        (left / "half.jsonl").write_bytes(b"half")
        os.utime(left, (time.time() - age_s,) * 2)
    send(client, "documents", ("a.txt", b"hello"))
    assert {path.name for path in (folder / "one").glob(".tuneworthy-upload-*")} == {
        ".tuneworthy-upload-new"
    }


@pytest.mark.slow
def test_two_at_once_are_both_kept(live: tuple[int, Path]) -> None:
    port, place = live
    bodies = [logs(40), logs(40, start=1000)]
    answers: list[bytes] = []

    def go(body: bytes) -> None:
        kind, form = form_of(body)
        answers.append(spoken(port, f"{kind}\r\nContent-Length: {len(form)}", form))

    threads = [threading.Thread(target=go, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONGEST_S)
    assert [b" 200 " in answer for answer in answers] == [True, True]
    named = load_case(place).data.traces
    assert sorted(named) == ["traces/x-2.jsonl", "traces/x.jsonl"]
    assert sorted((place / name).read_bytes() for name in named) == sorted(bodies)


def test_the_page_says_how_much_it_takes(folder: Path) -> None:
    site = web_app.make_site(Board(open_directory(folder), DAY), "127.0.0.1")
    assert site.upload_mib == 1024
    client = a_client(a_site(folder))
    assert "1024 MiB" in Seen(client.get(FILES).text).text
    assert HOME
