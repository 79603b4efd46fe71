"""Logs in a store that speaks S3's protocol, and behind an address, say what they say on a disk."""

from __future__ import annotations

import gzip
import json
import logging
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import duckdb
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.session import Session
from moto.server import ThreadedMotoServer
from test_spread import put_ray_in_this_process

from loopback import LoopbackServer
from tuneworthy.cli import run
from tuneworthy.errors import InputError
from tuneworthy.traces import mapping as traces_mapping
from tuneworthy.traces.read import TraceFiles
from tuneworthy.traces.remote import listed
from tuneworthy.traces.stream import Limits

SECRET = "the-secret-of-the-key"


@pytest.fixture(autouse=True)
def _no_other_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def client(server: str) -> Any:
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": SECRET}
    return Session().create_client("s3", "us-east-1", endpoint_url=server, **keys)


@pytest.fixture
def store(server: str, client: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A bucket ``logs`` on loopback, named and opened by the environment."""
    for name, value in {
        "AWS_ENDPOINT_URL": server, "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": SECRET
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    client.create_bucket(Bucket="logs")
    yield client
    for one in client.list_objects_v2(Bucket="logs").get("Contents", ()):
        client.delete_object(Bucket="logs", Key=one["Key"])
    client.delete_bucket(Bucket="logs")


def rows(day: int, n: int = 60) -> list[dict[str, Any]]:
    return [
        {"input": f"what is {i} of day {day}?", "output": f'{{"n": {i}}}', "latency_s": 1.5 + day,
         "timestamp": 1785000000 + 86400 * day + i}
        for i in range(n)
    ]  # fmt: skip


def logs(folder: Path) -> Path:
    """The same kind of traces in every packing, in a layout of Hive's."""
    made = folder / "disk" / "app"
    texts = [
        "".join(json.dumps(row) + "\n" for row in rows(day)).encode()
        for day in range(4)
    ]
    for day, (name, data) in enumerate((
        ("a b.jsonl", texts[0]),
        ("b.jsonl.gz", gzip.compress(texts[1])),
        ("c.json", json.dumps(rows(2)).encode()),
        ("d.parquet", b""),
    )):  # fmt: skip
        path = made / f"date=2026-11-0{day + 1}" / "model=gpt%20x" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
        if name.endswith("parquet"):
            (folder / "d.jsonl").write_bytes(texts[3])
            with duckdb.connect() as connection:
                connection.execute(f"COPY (FROM '{folder / 'd.jsonl'}') TO '{path}'")
    (made / "_SUCCESS").write_bytes(b"")
    return made


def put(client: Any, disk: Path) -> None:
    for path in disk.rglob("*"):
        if path.is_file():
            key = f"app/{path.relative_to(disk).as_posix()}"
            client.put_object(Bucket="logs", Key=key, Body=path.read_bytes())


def told(folder: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    folder.mkdir()
    (folder / "case.yaml").write_text("name: x\ngoals: [format]\n")
    assert run(["measure", str(folder), "--format", "json", *arguments]) == 0
    said = capsys.readouterr()
    assert SECRET not in said.out + said.err
    found = json.loads(said.out)
    return [found[key] for key in ("inputs", "readings", "evidence", "series")]


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(["measure", *arguments]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert SECRET not in said
    return said


@pytest.mark.slow
@pytest.mark.parametrize("more", [(), ("--on", "ray")])
def test_a_store_says_what_the_disk_says(
    store: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    more: tuple[str, ...],
) -> None:
    if more:
        put_ray_in_this_process(monkeypatch)
    disk = logs(tmp_path)
    put(store, disk)
    (tmp_path / "map.yaml").write_text(
        "output: output\ninput: input\nmodel: model\ntimestamp: date\nlatency_s: latency_s\n"
    )
    mapped = () if more else ("--map", str(tmp_path / "map.yaml"))
    for name, extra in {"plain": (), "mapped": mapped}.items():
        there = told(tmp_path / f"{name}-disk", capsys, "--from", str(disk), *extra)
        far = told(
            tmp_path / f"{name}-far", capsys, "--from", "s3://logs/app", *extra, *more
        )
        assert far == there
        assert [one["traces"] for one in far[1]] == [0, 60, 60, 60, 60]
        assert "model by its folder" in far[1][1]["format"]
        assert far[1][1]["name"] == "date=2026-11-01/model=gpt%20x/a b.jsonl"
        seen = next(one for one in far[2] if one["id"] == "models_seen")
        assert seen["examples"][0].startswith("gpt x")


@pytest.mark.slow
def test_scores_in_a_store_are_joined_to_their_log(store: Any) -> None:
    for name, made in (
        ("a.jsonl", {"prompt": "q", "reply": "a"}),
        ("b.jsonl", {"score": 1}),
    ):
        lines = "".join(json.dumps({"id": n, **made}) + "\n" for n in range(3))
        store.put_object(Bucket="logs", Key=f"app/{name}", Body=lines.encode())
    (chunk,) = TraceFiles(["s3://logs/app/"])
    assert chunk.batch.score == [1, 1, 1]


@pytest.mark.slow
def test_a_log_of_columns_is_copied_once_and_its_scores_are_joined(
    store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = "SELECT i AS id, 'q' AS prompt, 'a' AS reply FROM range(9) r(i)"
    for name, query in (
        ("a", log),
        ("b", log),
        ("c", "SELECT i AS id, 1 AS score FROM range(5) r(i)"),
    ):
        path = tmp_path / name
        duckdb.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
        store.put_object(
            Bucket="logs", Key=f"app/{name}.parquet", Body=path.read_bytes()
        )
    copied, usage = list[str](), shutil.disk_usage

    def counted(at: str) -> Any:
        copied.append(at)
        return usage(at)

    monkeypatch.setattr(shutil, "disk_usage", counted)
    joined = [
        each for chunk in TraceFiles(["s3://logs/app/"]) for each in chunk.batch.score
    ]
    assert joined == ([1] * 5 + [None] * 4) * 2
    assert len(set(copied)) == 3, copied


def test_a_days_folder_is_the_time_where_a_mapping_says_so(tmp_path: Path) -> None:
    disk = logs(tmp_path)
    map_file = tmp_path / "map.yaml"
    map_file.write_text("output: output\ntimestamp: date\n")
    for chunk in TraceFiles(
        [disk / "date=2026-11-02"], mapping=traces_mapping.read_mapping(map_file)
    ):
        assert set(chunk.batch.timestamp) == {1793577600.0}


PATTERNS = ("app/*/*/*.jsonl", "app/**/*.jsonl*", "**/b.jsonl.gz", "app/date=2026-11-0?/**/*.json",
            "app/date=2026-11-02/*/b.jsonl.gz", "app/*.jsonl")  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_finds_what_it_finds_on_a_disk(
    store: Any, tmp_path: Path, pattern: str
) -> None:
    disk = logs(tmp_path).parent
    put(store, disk / "app")
    found = sorted(
        one.relative_to(disk).as_posix() for one in disk.glob(pattern) if one.is_file()
    )
    try:
        there = [
            one.address.removeprefix("s3://logs/")
            for one in listed(f"s3://logs/{pattern}", Limits())
        ]
    except InputError:
        there = []
    assert sorted(there) == found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("s3://nothing/x.jsonl", "there is no such bucket"),
        ("s3://logs/gone/", "holds no file"),
        ("s3://logs", "holds no file"),
        ("s3://UP_PER/x", "can't be read from here"),
        ("s3://logs.evil.test@/x", "can't be read from here"),
        ("r2://bucket/x", "AWS_ENDPOINT_URL"),
        ("gs://UP?PER/x", "can't be read from here"),
        ("http://[1/x", "check the address"),
        (f"http://u:{SECRET}@127.0.0.1:9/x?sig={SECRET}", "a password stands in it"),
        (f"http://ada:{SECRET}pw@example.invalid/x", "a password stands in it"),
        (f"HTTPS://ada:a?b#{SECRET}@example.invalid/x", "HTTPS://example.invalid/x"),
        (f"http://127.0.0.1:9/x y?X-Amz-Signature={SECRET}", "it is not an address"),
    ],
)
def test_what_is_wrong_is_one_line(
    store: Any, capsys: pytest.CaptureFixture[str], address: str, said: str
) -> None:
    assert said.casefold() in refused(capsys, "--from", address).casefold()


@pytest.mark.slow
@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", "nonsense"])
def test_a_server_that_is_not_there_is_one_line(
    store: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    endpoint: str,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    assert "AWS_ENDPOINT_URL" in refused(capsys, "--from", "s3://logs/x.jsonl")


def test_without_the_library_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("botocore", "botocore.config", "botocore.session"):
        monkeypatch.setitem(sys.modules, name, None)
    assert "needs the extra s3" in refused(capsys, "--from", "s3://logs/x.jsonl")


def test_what_was_written_anew_meanwhile_is_not_mixed(store: Any) -> None:
    store.put_object(Bucket="logs", Key="a.jsonl", Body=b'{"output": "x"}\n')
    files = TraceFiles(["s3://logs/a.jsonl"])
    store.put_object(Bucket="logs", Key="a.jsonl", Body=b'{"output": "y"}\n')
    with pytest.raises(InputError, match="written anew"):
        list(files)


class Recorder(BaseHTTPRequestHandler):
    """Says nothing, or where else to ask; keeps what it was sent."""

    seen: list[dict[str, str]]
    elsewhere = ""

    def do_GET(self) -> None:
        self.seen.append({key.casefold(): value for key, value in self.headers.items()})
        self.send_response(307 if self.elsewhere else 404)
        self.send_header("Location", self.elsewhere)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def loopback() -> Iterator[Any]:
    """Starts servers on loopback; gives their addresses."""
    started: list[LoopbackServer] = []

    def start(handler: Any) -> str:
        started.append(LoopbackServer(("127.0.0.1", 0), handler))
        Thread(target=started[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{started[-1].server_port}"

    yield start
    for one in started:
        one.shutdown()
        one.server_close()


@pytest.mark.slow
@pytest.mark.parametrize("signed", [True, False])
def test_keys_go_to_the_server_that_is_named_and_nowhere_else(
    loopback: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    signed: bool,
) -> None:
    class Other(Recorder):
        seen = []

    class First(Recorder):
        seen = []
        elsewhere = loopback(Other)

    monkeypatch.setenv("AWS_ENDPOINT_URL", loopback(First))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        if signed:
            monkeypatch.setenv(name, SECRET)
        else:
            monkeypatch.delenv(name, raising=False)
    refused(capsys, "--from", "s3://logs/x.jsonl")
    assert First.seen
    assert not Other.seen
    assert all(("authorization" in one) is signed for one in First.seen)


@pytest.mark.slow
def test_an_address_of_the_web_is_read_and_what_is_secret_in_it_is_not_shown(
    loopback: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    disk = logs(tmp_path)
    quiet = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    base = loopback(partial(quiet, directory=str(disk)))
    for number, path in enumerate(
        sorted(one for one in disk.rglob("*.*") if one.is_file())
    ):
        place = (
            path.relative_to(disk).as_posix().replace("%", "%25").replace(" ", "%20")
        )
        far = told(
            tmp_path / f"far{number}", capsys, "--from", f"{base}/{place}?sig={SECRET}"
        )
        here = told(tmp_path / f"here{number}", capsys, "--from", str(path))
        assert [one["digest"] for one in far[1]] == [one["digest"] for one in here[1]]
        assert [one["traces"] for one in far[1]] == [60]
    said = refused(capsys, "--from", f"{base}/gone.jsonl?sig={SECRET}")
    assert "404" in said


@pytest.mark.slow
def test_a_signature_is_in_no_name_and_in_no_file(
    loopback: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    disk, here = logs(tmp_path) / "date=2026-11-01/model=gpt%20x", tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    quiet = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    address = (
        f"{loopback(partial(quiet, directory=str(disk)))}/a%20b.jsonl?X-Amz-Signature="
    )
    assert run(["measure", "--from", address + SECRET]) == 0
    said = capsys.readouterr()
    assert SECRET not in said.out + said.err
    assert "holds a case already" in refused(capsys, "--from", address + SECRET)
    assert [one.name for one in here.iterdir()] == ["a-20b-case"]
    for path in here.rglob("*"):
        assert SECRET not in str(path)
        assert path.is_dir() or SECRET.encode() not in path.read_bytes()


class Store(BaseHTTPRequestHandler):
    """Lists one file again and again, without its version where told so; knows no ranges."""

    protocol_version = "HTTP/1.1"
    version, more, data = "<ETag>1</ETag>", False, b""

    def do_GET(self) -> None:
        data = self.data
        if "list-type" in self.path:
            size = f"<Size>{len(data)}</Size>"
            text = f"<Contents><Key>a.jsonl</Key>{size}{self.version}</Contents>"
            if self.more:
                text = (
                    f"<NextContinuationToken>{hash(self.path)}</NextContinuationToken>"
                )
                text += "<IsTruncated>true</IsTruncated>"
            data = f"<ListBucketResult>{text}</ListBucketResult>".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def handle(self) -> None:
        with suppress(OSError):  # the other side has heard enough
            super().handle()

    def log_message(self, *arguments: Any) -> None:
        pass


def test_a_file_of_the_web_that_ends_early_is_not_half_read(
    loopback: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    class Half(Store):
        def do_GET(self) -> None:
            data = b'{"output": "a"}\n' * 100
            self.send_response(200)
            self.send_header("Content-Length", str(2 * len(data)))
            self.end_headers()
            self.wfile.write(data)

    assert "it ends early" in refused(capsys, "--from", f"{loopback(Half)}/a.jsonl")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("other", "said"),
    [
        (
            {"data": (json.dumps({"output": "x" * 2**20}) + "\n").encode() * 9},
            "other bytes",
        ),
        ({"data": b"x", "version": ""}, "without a size or a version"),
        ({"data": b"x", "more": True}, "lists more than"),
    ],
)
def test_a_store_that_is_not_quite_one_is_one_line(
    loopback: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    other: dict[str, Any],
    said: str,
) -> None:
    monkeypatch.setattr("tuneworthy.traces.remote.MOST_PAGES", 5)
    monkeypatch.setenv("AWS_ENDPOINT_URL", loopback(type("Other", (Store,), other)))
    assert said in refused(capsys, "--from", "s3://logs/a.jsonl")


@pytest.mark.slow
def test_a_small_file_of_a_store_without_ranges_is_read(
    loopback: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = {"data": b'{"output": "x"}\n' * 3}
    monkeypatch.setenv("AWS_ENDPOINT_URL", loopback(type("Other", (Store,), data)))
    assert [len(chunk.batch) for chunk in TraceFiles(["s3://logs/a.jsonl"])] == [3]


@pytest.mark.slow
def test_a_server_that_a_file_of_settings_names_gets_no_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "config"
    settings.write_text("[default]\nendpoint_url = http://elsewhere.invalid\n")
    asked = []

    def send(_: Any, request: Any) -> Any:
        asked.append(request.url)
        raise EndpointConnectionError(endpoint_url=request.url)

    monkeypatch.setattr("botocore.httpsession.URLLib3Session.send", send)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(settings))
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another key")
    assert "AWS_ACCESS_KEY_ID: is not a key" in refused(
        capsys, "--from", "s3://logs/x.jsonl"
    )
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another-key\n")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    refused(capsys, "--from", "s3://logs/x.jsonl")
    assert asked
    assert all(".amazonaws.com/" in url for url in asked)


@pytest.fixture
def google(server: str, client: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A bucket ``logs`` of Google's, whose protocol is near enough to that of S3."""
    monkeypatch.setenv("GOOGLE_BASE_URL", server)
    client.create_bucket(Bucket="google")
    yield client
    for one in client.list_objects_v2(Bucket="google").get("Contents", ()):
        client.delete_object(Bucket="google", Key=one["Key"])
    client.delete_bucket(Bucket="google")


@pytest.mark.slow
def test_a_store_of_googles_says_what_the_disk_says(
    google: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    disk = logs(tmp_path)
    for path in (one for one in disk.rglob("*") if one.is_file()):
        key = f"app/{path.relative_to(disk).as_posix()}"
        data = path.read_bytes()
        google.put_object(Bucket="google", Key=key, Body=data, ACL="public-read")
    there = told(tmp_path / "disk-case", capsys, "--from", str(disk))
    far = told(tmp_path / "far-case", capsys, "--from", "gs://google/app")
    assert far == there
    assert "there is no such bucket" in refused(
        capsys, "--from", "gs://no-such-bucket/x"
    )
    assert "holds no file" in refused(capsys, "--from", "gs://google/ap")
    found = listed("gs://google/app/*/*/*.jsonl", Limits())
    assert [one.name for one in found] == ["a b.jsonl"]


def test_what_a_store_of_googles_refuses_or_changed_is_one_line(
    google: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    google.put_object(Bucket="google", Key="a.jsonl", Body=b'{"output": "x"}\n')
    assert "GOOGLE_APPLICATION_CREDENTIALS" in refused(
        capsys, "--from", "gs://google/a.jsonl"
    )
    line = b'{"output": "x"}\n'
    google.put_object(Bucket="google", Key="a.jsonl", Body=line, ACL="public-read")
    files = TraceFiles(["gs://google/a.jsonl"])
    google.put_object(
        Bucket="google", Key="a.jsonl", Body=line.upper(), ACL="public-read"
    )
    with pytest.raises(InputError, match="written anew"):
        list(files)


class Container(BaseHTTPRequestHandler):
    """A container of Microsoft's with one file; it lets in whoever brings the signature."""

    data = b'{"output": "x"}\n' * 40

    def do_GET(self) -> None:
        place = urlsplit(self.path)
        asked = parse_qs(place.query)
        status, data = 200, self.data
        if SECRET not in asked.get("sig", ()):
            status, data = 403, b""
        elif "list" in asked.get("comp", ()):
            data = (
                "<EnumerationResults><Blobs><Blob><Name>app/a.jsonl</Name><Properties>"
                "<Last-Modified>Mon, 23 Nov 2026 09:00:00 GMT</Last-Modified><Etag>1</Etag>"
                f"<Content-Length>{len(self.data)}</Content-Length><Content-Type>text/plain</Content-Type>"
                "</Properties></Blob></Blobs><NextMarker/></EnumerationResults>"
            ).encode()
        elif span := re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")):
            status, whole = 206, data
            data = whole[int(span[1]) : int(span[2]) + 1]
            self.whole = f"bytes {span[1]}-{span[2]}/{len(whole)}"
        self.send_response(status)
        if status == 206:
            self.send_header("Content-Range", self.whole)
        self.send_header("ETag", "1")
        self.send_header("Last-Modified", "Mon, 23 Nov 2026 09:00:00 GMT")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments: Any) -> None:
        pass


def test_a_container_of_microsofts_is_read_and_its_signature_is_not_shown(
    loopback: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "AZURE_STORAGE_ACCOUNT_NAME" in refused(capsys, "--from", "az://logs/app")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "ours")
    monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", loopback(Container))
    assert "AZURE_STORAGE_SAS_TOKEN" in refused(capsys, "--from", "az://logs/app")
    monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", f"sv=2024-01-01&sig={SECRET}")
    far = told(tmp_path / "far-case", capsys, "--from", "az://logs/app")
    assert [one["traces"] for one in far[1]] == [40]
    monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", "http://127.0.0.1:9")
    refused(capsys, "--from", "az://logs/app")


@pytest.mark.parametrize("scheme", ["gs", "az"])
def test_without_the_client_of_the_others_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], scheme: str
) -> None:
    for name in ("obstore", "obstore.store"):
        monkeypatch.setitem(sys.modules, name, None)
    assert "needs the extra gcs" in refused(
        capsys, "--from", f"{scheme}://logs/x.jsonl"
    )


def test_a_copy_that_would_fill_the_disk_is_refused(
    loopback: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    disk = logs(tmp_path) / "date=2026-11-04/model=gpt%20x"
    quiet = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    address = f"{loopback(partial(quiet, directory=str(disk)))}/d.parquet"
    full = shutil.disk_usage(tmp_path)._replace(free=0)
    monkeypatch.setattr("shutil.disk_usage", lambda _: full)
    assert "TMPDIR" in refused(capsys, "--from", address)
