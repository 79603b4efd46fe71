"""Whom the server answers, what it takes, and what a stop at any moment leaves behind."""

from __future__ import annotations

import multiprocessing
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.testclient import TestClient

from tuneworthy.cases.workspace import Workspace, open_directory
from tuneworthy.cli import run
from tuneworthy.web import app as web_app
from tuneworthy.web import guard as web_guard
from tuneworthy.web.app import make_app
from web_world import (
    DAY,
    HOME,
    OPEN_CASE,
    Seen,
    a_client,
    a_shelf,
    a_site,
    all_routes,
)

TOKEN = "t" * 43


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, a part of a list ends when it is full."""
    monkeypatch.setattr("tuneworthy.cases.workspace._MOMENT_S", 60.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return a_shelf(tmp_path / "shelf", one=OPEN_CASE)


@pytest.fixture
def client(folder: Path) -> TestClient:
    return a_client(a_site(folder))


def untouched(folder: Path) -> bool:
    return (folder / "one" / "case.yaml").read_text("utf-8") == OPEN_CASE


def a_change(client: httpx.Client | TestClient) -> dict[str, str]:
    """A form that would change a case."""
    seen = Seen(client.get("/cases/one/answers").text)
    kept = {name: seen.hidden(name) for name in ("csrf", "digest", "seen")}
    return {**kept, "ceiling.few_shot": "yes"}


# Whom it answers -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["evil.test", "evil.test:8765", "127.0.0.1.evil.test", "localhost.evil.test", "",
             "10.0.0.1:8765", "[::2]:8765", "127.0.0.1@evil.test", "169.254.169.254",
             "localhost:@evil.test", "[::1]evil.test", "localhost:80.evil.test", "localhost.",
             ":1"],
)  # fmt: skip
def test_a_name_that_is_not_ours_gets_nothing(client: TestClient, host: str) -> None:
    answer = client.get("/", headers={"Host": host})
    assert answer.status_code == 421
    assert "Warehouse" not in answer.text


@pytest.mark.slow
@pytest.mark.parametrize(
    "host", ["127.0.0.1:8765", "localhost:1", "LOCALHOST", "[::1]:8765"]
)
def test_the_names_of_the_loopback_are_ours(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.test"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:1"},
     {"Origin": "http://localhost:8765"}, {"Sec-Fetch-Site": "cross-site"},
     {"Sec-Fetch-Site": "same-site"}, {"Origin": HOME, "Sec-Fetch-Site": "cross-site"},
     {"Origin": "http://["}, {"Origin": ""}, {"Origin": f"{HOME}/"}, {"Origin": HOME[5:]},
     {"Origin": f"ftp{HOME[4:]}"}, {"Origin": f"{HOME}, https://evil.test"}],
)  # fmt: skip
def test_a_change_from_another_site_is_refused(
    client: TestClient, folder: Path, headers: dict[str, str]
) -> None:
    form = a_change(client)
    assert (
        client.post("/cases/one/answers", data=form, headers=headers).status_code == 403
    )
    assert untouched(folder)


@pytest.mark.slow
def test_a_second_origin_does_not_hide_behind_ours(
    client: TestClient, folder: Path
) -> None:
    for other in ("https://evil.test", "null"):
        for headers in (
            [("Origin", HOME), ("Origin", other)],
            [("Origin", other), ("Origin", HOME)],
        ):
            answer = client.post(
                "/cases/one/answers", data=a_change(client), headers=headers
            )
            assert answer.status_code == 403
    assert untouched(folder)


@pytest.mark.slow
def test_another_site_may_link_here_and_load_nothing_from_here(
    client: TestClient,
) -> None:
    link = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    for site in ("cross-site", "same-site"):
        assert (
            client.get(
                "/cases/one", headers={"Sec-Fetch-Site": site, **link}
            ).status_code
            == 200
        )
        for mode, dest in (
            ("no-cors", "image"),
            ("navigate", "iframe"),
            ("cors", "empty"),
        ):
            headers = {
                "Sec-Fetch-Site": site,
                "Sec-Fetch-Mode": mode,
                "Sec-Fetch-Dest": dest,
            }
            for path in ("/", "/cases/one/report/view", "/static/page.css"):
                assert client.get(path, headers=headers).status_code == 403, (
                    path,
                    mode,
                )
    for site in ("same-origin", "none"):
        assert client.get("/", headers={"Sec-Fetch-Site": site}).status_code == 200


def test_a_change_from_our_own_page_is_taken(client: TestClient, folder: Path) -> None:
    headers = {"Origin": HOME, "Sec-Fetch-Site": "same-origin"}
    done = client.post("/cases/one/answers", data=a_change(client), headers=headers)
    assert done.status_code == 303
    assert not untouched(folder)


@pytest.mark.slow
def test_no_form_is_taken_without_its_secret(client: TestClient, folder: Path) -> None:
    site = client.app.state.site  # type: ignore[attr-defined]  # FastAPI's own
    routes = [
        route
        for route in all_routes(client)
        if set(route.methods or ()) - {"GET", "HEAD"}
    ]
    paths = {re.sub(r"\{\w+\}", "one", route.path) for route in routes}
    assert {"/new", "/cases/one/answers", "/cases/one/label/said", "/login"} <= paths
    form = a_change(client)
    for path in paths:
        for csrf in ("", "x", site.session, "0" * 64):
            for answer in (
                client.post(path, data={**form, "csrf": csrf}),
                client.post(path, json={}),
                client.post(path, content=b"\xff"),
                client.post(path, data={}, headers={"X-CSRF": csrf}),
            ):
                assert answer.status_code in (403, 405), (path, csrf)
    assert untouched(folder)
    assert {path.name for path in folder.iterdir()} == {"one"}


def test_there_are_no_routes_but_those_of_the_page(client: TestClient) -> None:
    for path in (
        "/api/v1/cases",
        "/api/v1/openapi.json",
        "/openapi.json",
        "/docs",
        "/redoc",
    ):
        assert client.get(path).status_code == 404, path
    form = a_change(client)
    del form["csrf"]
    answer = client.post("/cases/one/answers", data=form, headers={"X-Tuneworthy": "1"})
    assert answer.status_code == 403, "a header of its own choosing is no secret"


# The token -------------------------------------------------------------------------------------


def test_with_a_token_nothing_is_told_without_it(folder: Path) -> None:
    client = a_client(a_site(folder, token=TOKEN))
    for path in ("/", "/cases/one", "/cases/one/report/json", "/nowhere"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert client.post("/new", data={"name": "x", "title": "x"}).status_code == 401
    for wrong in ("", TOKEN[:-1], TOKEN + "t", "Ü" * 43):
        headers = {b"Authorization": f"Bearer {wrong}".encode()}
        assert client.get("/cases/one", headers=headers).status_code == 303
        client.cookies.set("tuneworthy", wrong.encode().hex())
        assert client.get("/").status_code == 303
        client.cookies.clear()
    assert client.get("/static/page.css").status_code == 200


@pytest.mark.slow
def test_the_token_opens_by_a_header_and_by_a_cookie_that_no_script_reads(
    folder: Path,
) -> None:
    client = a_client(a_site(folder, token=TOKEN))
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    found = client.get("/cases/one/answers", headers=bearer)
    assert found.status_code == 200
    seen = Seen(found.text)
    form = {
        "digest": seen.hidden("digest"),
        "seen": seen.hidden("seen"),
        "ceiling.few_shot": "no",
    }
    assert client.post("/cases/one/answers", data=form).status_code == 401
    assert (
        client.post("/cases/one/answers", data=form, headers=bearer).status_code == 303
    )
    csrf = Seen(client.get("/login").text).hidden("csrf")
    refused = client.post("/login", data={"csrf": csrf, "token": "guess"})
    assert refused.status_code == 401
    assert "set-cookie" not in refused.headers
    assert client.post("/login", data={"token": TOKEN}).status_code == 403
    entered = client.post("/login", data={"csrf": csrf, "token": f" {TOKEN}\n"})
    assert entered.status_code == 303
    cookie = entered.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert TOKEN not in cookie
    assert client.get("/").status_code == 200


def test_every_address_has_a_token_the_loopback_too(folder: Path) -> None:
    """Another process of this machine could start a paid lab without."""
    board = Workspace(open_directory(folder), DAY)
    near = [
        web_app.make_site(board, host)
        for host in ("127.0.0.1", "localhost", "::1", "127.3.2.1")
    ]
    assert all(
        "encrypted" not in "".join(web_app.start_lines("http://x/", site))
        for site in near
    )
    assert len({site.token for site in near} - {None}) == len(near)
    sites = [
        web_app.make_site(board, host)
        for host in ("0.0.0.0", "::", "192.168.0.7", "box.test")
    ]
    tokens = {site.token for site in sites}
    assert len(tokens) == len(sites)
    for site in sites:
        assert site.token is not None
        assert len(site.token) >= 40
        said = "\n".join(web_app.start_lines("http://x/", site))
        assert said.count(site.token) == 1
        assert "isn't encrypted" in said
        assert site.token not in repr(site)


def test_the_link_of_the_terminal_lets_its_reader_in_and_nobody_else(
    folder: Path,
) -> None:
    site = web_app.make_site(Workspace(open_directory(folder), DAY), "127.0.0.1")
    for reader in ("/?token=", "/?token=x", "/cases/one"):
        assert a_client(site).get(reader).headers["location"] == "/login"
    client = a_client(site)
    entered = client.get(f"/?token={site.token}")
    assert (entered.status_code, entered.headers["location"]) == (303, "/")
    assert client.get("/").status_code == 200


def test_a_server_for_all_addresses_answers_to_numbers_and_not_to_strange_names(
    folder: Path,
) -> None:
    client = a_client(
        web_app.make_site(Workspace(open_directory(folder), DAY), "0.0.0.0")
    )
    assert client.get("/", headers={"Host": "192.168.0.7:8765"}).status_code == 303
    assert client.get("/", headers={"Host": "[fe80::1]:8765"}).status_code == 303
    assert client.get("/", headers={"Host": "evil.test"}).status_code == 421


# What it takes ---------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["%2e%2e", "..%2fone", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "%00", "one%00",
             "..%5cone", "one%2f..%2fone", "%2fetc", "~", ".hidden", "x" * 300, "%ff", "one%20"],
)  # fmt: skip
def test_no_name_leads_out_of_the_folder(
    client: TestClient, folder: Path, name: str
) -> None:
    (folder.parent / "case.yaml").write_text("name: Secret\n", "utf-8")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "case.yaml").write_text("name: Secret\n", "utf-8")
    for path in (f"/cases/{name}", f"/cases/{name}/report/json",
                 f"/static/{name}", f"/static/..%2f{name}"):  # fmt: skip
        answer = client.get(path)
        assert answer.status_code in (307, 404, 422), path
        assert "Secret" not in answer.text
        assert str(folder.parent) not in answer.text


def test_a_link_out_of_the_folder_is_no_case(client: TestClient, folder: Path) -> None:
    outside = folder.parent / "outside"
    outside.mkdir()
    (outside / "case.yaml").write_text("name: Secret\n", "utf-8")
    (folder / "link").symlink_to(outside)
    assert "Secret" not in client.get("/").text
    assert client.get("/cases/link").status_code == 404


@pytest.mark.slow
def test_a_body_ends_at_its_limit_told_or_not(client: TestClient, folder: Path) -> None:
    for path in ("/cases/one/answers", "/new", "/login"):
        for body in (b"x" * (web_guard.BODY_LIMIT + 1), iter([b"x" * 70_000] * 16)):
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = client.post(path, content=body, headers=headers)
            assert answer.status_code == 413, path
            assert answer.text.count("MiB") == 1
    big = {"said": b"[" + b"1," * (9 * 2**20)}
    csrf = Seen(client.get("/new").text).hidden("csrf")
    answer = client.post("/cases/one/label/said", data={"csrf": csrf}, files=big)
    assert answer.status_code == 413
    assert untouched(folder)
    for length in ("-1", "x", "1e3", "9" * 5000):
        odd = client.get("/", headers={"Content-Length": length})
        assert odd.status_code == 413


@pytest.mark.slow
def test_every_answer_carries_the_headers_of_safety(client: TestClient) -> None:
    for path in (
        "/",
        "/cases/one",
        "/cases/none",
        "/new",
        "/nowhere",
        "/cases/one/report/json",
    ):
        answer = client.get(path)
        for name, value in web_guard.HEADERS.items():
            assert answer.headers[name] == value, (path, name)
    refused = client.get("/", headers={"Host": "evil.test"})
    assert (
        refused.headers["Content-Security-Policy"]
        == web_guard.HEADERS["Content-Security-Policy"]
    )
    policy = web_guard.HEADERS["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "http" not in policy
    asset = re.findall(r"/static/[^\"]+", client.get("/").text)
    for path in asset:
        kept = client.get(path)
        assert "immutable" in kept.headers["Cache-Control"]
        assert kept.headers["X-Content-Type-Options"] == "nosniff"
    assert client.get("/static/page.css").headers["Cache-Control"] == "no-cache"


def test_a_fault_of_ours_shows_nothing_of_our_code(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = a_site(folder)
    client = TestClient(make_app(site), base_url=HOME, raise_server_exceptions=False)

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(f"secret {folder}")

    monkeypatch.setattr("tuneworthy.web.cases._list_address", broken)
    monkeypatch.setattr(site.workspace.__class__, "evaluated", broken)
    for path in ("/", "/cases/one"):
        answer = client.get(path)
        assert answer.status_code == 500
        assert "secret" not in answer.text
        assert "Traceback" not in answer.text
        assert str(folder) not in answer.text
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_htmx_is_what_its_note_says(package: Path) -> None:
    import hashlib

    static = package / "web" / "static"
    note = (static / "README.md").read_text("utf-8")
    digest = hashlib.sha256((static / "htmx.min.js").read_bytes()).hexdigest()
    assert digest in note
    version = re.search(
        r'version:"([\d.]+)"', (static / "htmx.min.js").read_text("utf-8")
    )
    assert version is not None
    assert f"htmx {version.group(1)}" in note
    assert "Zero-Clause BSD" in (static / "htmx.LICENSE.txt").read_text("utf-8")


# A real server ---------------------------------------------------------------------------------


def serve(folder: str, sock: socket.socket) -> None:
    """Serve in a process of its own."""
    app = make_app(a_site(Path(folder)))
    uvicorn.Server(uvicorn.Config(app, log_level="critical")).run(sockets=[sock])


@pytest.fixture
def served(folder: Path) -> Iterator[tuple[multiprocessing.process.BaseProcess, str]]:
    """A server that may be killed, and its address."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        process = multiprocessing.get_context("fork").Process(
            target=serve, args=(folder, sock)
        )
        process.start()
        try:
            yield process, f"http://127.0.0.1:{sock.getsockname()[1]}"
        finally:
            process.kill()
            process.join()


@pytest.mark.slow
def test_a_real_server_takes_one_of_two_answers_and_tells_the_other(
    served: tuple[multiprocessing.process.BaseProcess, str], folder: Path
) -> None:
    _, home = served
    with httpx.Client(base_url=home, timeout=30) as client:
        form = a_change(client)
        forms = [{**form, "ceiling.few_shot": state} for state in ("yes", "no")]
        codes: list[int] = []

        def post(form: dict[str, str]) -> None:
            codes.append(client.post("/cases/one/answers", data=form).status_code)

        threads = [threading.Thread(target=post, args=(form,)) for form in forms]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(codes) == [303, 409]


@pytest.mark.slow
def test_a_server_that_is_killed_at_any_moment_leaves_the_case_whole(
    tmp_path: Path,
) -> None:
    folder = a_shelf(tmp_path / "shelf", one=OPEN_CASE)
    path, chance = folder / "one" / "case.yaml", random.Random(7)
    whole = {OPEN_CASE + f"ceiling:\n  few_shot: {state}\n" for state in ("yes", "no")}
    for _ in range(8):
        with socket.create_server(("127.0.0.1", 0)) as sock:
            home = f"http://127.0.0.1:{sock.getsockname()[1]}"
            process = multiprocessing.get_context("fork").Process(
                target=serve, args=(str(folder), sock)
            )
            process.start()
            stop = threading.Event()
            thread = threading.Thread(target=toggle, args=(home, stop))
            thread.start()
            while path.read_text("utf-8") == OPEN_CASE:
                time.sleep(0.01)
            time.sleep(chance.uniform(0, 0.1))
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            stop.set()
        thread.join()
        assert path.read_text("utf-8") in whole
    assert [one.name for one in folder.iterdir()] == ["one"]


def toggle(home: str, stop: threading.Event) -> None:
    """Answer yes and no in turn until the server is gone."""
    states = ["yes", "no"]
    with httpx.Client(base_url=home, timeout=30) as client:
        while not stop.is_set():
            states.reverse()
            try:
                form = {**a_change(client), "ceiling.few_shot": states[0]}
                client.post("/cases/one/answers", data=form)
            except httpx.HTTPError:
                if stop.is_set():
                    return


@pytest.mark.slow
def test_the_command_tells_its_address_and_ends_with_an_interrupt(folder: Path) -> None:
    command = [sys.executable, "-m", "tuneworthy", "serve", str(folder), "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as it:
        try:
            assert it.stdout is not None
            said = it.stdout.readline()
            home = re.search(r"http://127\.0\.0\.1:\d+/\S+", said)
            assert home is not None, said
            with httpx.Client(timeout=30, follow_redirects=True) as client:
                assert client.get(home.group()).status_code == 200
            it.send_signal(signal.SIGINT)
            _, wrong = it.communicate(timeout=60)
        finally:
            it.kill()
    assert (it.returncode, wrong) == (0, "")


_BROKEN = """
import sys
from tuneworthy.cases.workspace import Workspace
from tuneworthy.cli import run

def broken(*_, **__):
    raise RuntimeError("red \\x1b[31m \\x9b2J \\u202e" + "x" * 9999)

Workspace.evaluated = broken
Workspace.warm = lambda self, within_s=0.0, **_: within_s or broken()  # beside
sys.exit(run(["serve", sys.argv[1], "--port", "0"]))
"""


@pytest.mark.slow
def test_a_fault_of_ours_steers_no_terminal(folder: Path) -> None:
    command = [sys.executable, "-c", _BROKEN, str(folder)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as it:
        try:
            assert it.stdout is not None
            home = re.search(rb"(http://\S+)\?token=(\S+)", it.stdout.readline())
            assert home is not None
            shown = {"Authorization": f"Bearer {home[2].decode()}"}
            asked = httpx.get(f"{home[1].decode()}cases/one", headers=shown, timeout=30)
            assert asked.status_code == 500
            it.send_signal(signal.SIGINT)
            said = it.communicate(timeout=60)[1].decode()
        finally:
            it.kill()
    assert said.count("RuntimeError: red \\x1b[31m \\x9b2J \\u202ex") >= 2
    assert said.count("Traceback") >= 2
    assert all(line.isprintable() and len(line) <= 1000 for line in said.split("\n"))


def test_what_can_not_be_served_is_said_in_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for asked, said in (
            (["serve", str(folder / "none")], "is not a folder"),
            (["serve", str(folder), "--port", port], "can't be listened on"),
            (["serve", str(folder), "--host", "no such host"], "can't be listened on"),
            (["serve", str(folder), "--as-of", "soon"], "is not a date"),
        ):
            assert run(asked) == 2
            out, wrong = capsys.readouterr()
            assert (out, wrong.count("\n")) == ("", 1)
            assert said in wrong
    monkeypatch.setattr("tuneworthy.cli.servers.find_spec", lambda name: None)
    assert run(["serve", str(folder)]) == 2
    assert 'pip install ".[serve]"' in capsys.readouterr().err
