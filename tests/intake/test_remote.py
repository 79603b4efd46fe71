"""Logs in a store of anyone's, and behind an address, say what they say on a disk."""

from __future__ import annotations

import gzip
import json
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
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import duckdb
import pytest
from test_spread import put_ray_in_this_process

from loopback import LoopbackServer
from tuneworthy.cli import run
from tuneworthy.errors import InputError
from tuneworthy.traces import mapping as traces_mapping
from tuneworthy.traces.read import TraceFiles
from tuneworthy.traces.remote import listed
from tuneworthy.traces.stream import Limits

SECRET = "the-secret-of-the-key"
WRITTEN = "Mon, 23 Nov 2026 09:00:00 GMT"


class Quiet(BaseHTTPRequestHandler):
    """A server that logs nothing, and takes it that the other side hangs up."""

    protocol_version = "HTTP/1.1"

    def send(self, status: int, data: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def handle(self) -> None:
        with suppress(OSError):
            super().handle()

    def log_message(self, *arguments: Any) -> None:
        pass


class Bucket(Quiet):
    """A bucket ``logs``, in the protocol of whoever asks: Amazon's, Google's or Microsoft's."""

    files: dict[str, bytes]
    is_locked = False  #: Whether it lets in only who brings a key.
    has_ranges = True
    has_versions = True
    pages = 1

    def do_GET(self) -> None:
        place = urlsplit(self.path)
        bucket, _, key = unquote(place.path).strip("/").partition("/")
        asked = parse_qs(place.query)
        has_key = "Authorization" in self.headers or SECRET in asked.get("sig", ())
        if self.is_locked and not has_key:
            self.send(403, b"<Error><Code>AccessDenied</Code></Error>")
        elif bucket != "logs":
            self.send(404, b"<Error><Code>NoSuchBucket</Code></Error>")
        elif not key:
            prefix = asked.get("prefix", [""])[0]
            is_microsofts = "restype" in asked
            inside = "".join(
                self.entry(name, is_microsofts)
                for name in sorted(self.files)
                if name.startswith(prefix)
            )
            self.send(200, self.listing(inside, is_microsofts).encode())
        else:
            self.send_file(key)

    def entry(self, key: str, is_microsofts: bool) -> str:
        data = self.files[key]
        mark = f'"{abs(hash(data))}"' if self.has_versions else ""
        tag = f"<ETag>{escape(mark)}</ETag>" if mark else ""
        if is_microsofts:
            return (
                f"<Blob><Name>{escape(key)}</Name><Properties><Last-Modified>{WRITTEN}"
                f"</Last-Modified>{tag.replace('ETag', 'Etag')}<Content-Length>{len(data)}"
                "</Content-Length><Content-Type>text/plain</Content-Type></Properties></Blob>"
            )
        return (
            f"<Contents><Key>{escape(key)}</Key><Size>{len(data)}</Size>{tag}"
            "<LastModified>2026-11-23T09:00:00.000Z</LastModified></Contents>"
        )

    def listing(self, inside: str, is_microsofts: bool) -> str:
        if is_microsofts:
            return (
                f"<EnumerationResults><Blobs>{inside}</Blobs><NextMarker/>"
                "</EnumerationResults>"
            )
        more = ""
        if self.pages > 1:
            more = f"<NextContinuationToken>{hash(self.path)}</NextContinuationToken>"
            more += "<IsTruncated>true</IsTruncated>"
        return f"<ListBucketResult>{inside}{more}</ListBucketResult>"

    def send_file(self, key: str) -> None:
        data = self.files.get(key)
        if data is None:
            self.send(404, b"<Error><Code>NoSuchKey</Code></Error>")
            return
        mark = f'"{abs(hash(data))}"'
        if self.headers.get("If-Match", mark) != mark:
            self.send(412, b"")
            return
        about = {"ETag": mark, "Last_Modified": WRITTEN}
        span = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if span is None or not self.has_ranges:
            self.send(200, data, **about)
            return
        part = data[int(span[1]) : int(span[2]) + 1]
        whole = f"bytes {span[1]}-{int(span[1]) + len(part) - 1}/{len(data)}"
        self.send(206, part, Content_Range=whole, **about)


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


@pytest.fixture
def store(loopback: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A bucket ``logs`` on loopback, named and opened by the environment for all three makers."""
    bucket = type("Logs", (Bucket,), {"files": {}})
    name_server(monkeypatch, loopback(bucket))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", f"sv=2024-01-01&sig={SECRET}")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "ours")
    return bucket


def name_server(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Name one server for all three makers."""
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    for name in ("AWS_ENDPOINT_URL", "GOOGLE_BASE_URL", "AZURE_STORAGE_ENDPOINT"):
        monkeypatch.setenv(name, address)


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


def put(store: Any, disk: Path) -> None:
    for path in disk.rglob("*"):
        if path.is_file():
            store.files[f"app/{path.relative_to(disk).as_posix()}"] = path.read_bytes()


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
@pytest.mark.parametrize(
    ("scheme", "more"),
    [("s3", ()), ("s3", ("--on", "ray")), ("gs", ()), ("az", ())],
)
def test_a_store_says_what_the_disk_says(
    store: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    scheme: str,
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
            tmp_path / f"{name}-far",
            capsys,
            "--from",
            f"{scheme}://logs/app",
            *extra,
            *more,
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
        store.files[f"app/{name}"] = lines.encode()
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
        store.files[f"app/{name}.parquet"] = path.read_bytes()
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
        ("gs://nothing/x.jsonl", "there is no such bucket"),
        ("gs://logs/ap", "holds no file"),
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
@pytest.mark.parametrize(
    ("scheme", "variable"),
    [
        ("s3", "AWS_ENDPOINT_URL"),
        ("gs", "GOOGLE_BASE_URL"),
        ("az", "AZURE_STORAGE_ACCOUNT_NAME"),
    ],
)
def test_a_server_that_is_not_there_is_one_line(
    store: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    endpoint: str,
    scheme: str,
    variable: str,
) -> None:
    name_server(monkeypatch, endpoint)
    assert variable in refused(capsys, "--from", f"{scheme}://logs/x.jsonl")


@pytest.mark.parametrize("scheme", ["s3", "gs", "az"])
def test_without_the_library_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], scheme: str
) -> None:
    for name in ("obstore", "obstore.store"):
        monkeypatch.setitem(sys.modules, name, None)
    assert "needs the extra stores" in refused(
        capsys, "--from", f"{scheme}://logs/x.jsonl"
    )


@pytest.mark.parametrize("scheme", ["s3", "gs", "az"])
def test_what_was_written_anew_meanwhile_is_not_mixed(store: Any, scheme: str) -> None:
    store.files["a.jsonl"] = b'{"output": "x"}\n'
    files = TraceFiles([f"{scheme}://logs/a.jsonl"])
    store.files["a.jsonl"] = b'{"output": "y"}\n'
    with pytest.raises(InputError, match="written anew"):
        list(files)


@pytest.mark.parametrize(
    ("scheme", "said"),
    [
        ("s3", "AWS_ACCESS_KEY_ID"),
        ("gs", "GOOGLE_APPLICATION_CREDENTIALS"),
        ("az", "AZURE_STORAGE_SAS_TOKEN"),
    ],
)
def test_who_brings_no_key_is_told_which_one(
    store: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    scheme: str,
    said: str,
) -> None:
    store.files["a.jsonl"] = b'{"output": "x"}\n'
    store.is_locked = True
    if scheme != "gs":  # for which nothing is set
        assert [len(c.batch) for c in TraceFiles([f"{scheme}://logs/a.jsonl"])] == [1]
    for name in ("AWS_SECRET_ACCESS_KEY", "AZURE_STORAGE_SAS_TOKEN"):
        monkeypatch.delenv(name)
    assert said in refused(capsys, "--from", f"{scheme}://logs/a.jsonl")


class Recorder(Quiet):
    """Says nothing, or where else to ask; keeps what it was sent."""

    seen: list[str]
    elsewhere = ""

    def do_GET(self) -> None:
        self.seen.append(str(self.headers))
        self.send(307 if self.elsewhere else 404, b"", Location=self.elsewhere)


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
        # the same machine by another name
        elsewhere = loopback(Other).replace("127.0.0.1", "localhost")

    name_server(monkeypatch, loopback(First))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        if signed:
            monkeypatch.setenv(name, f"{SECRET}-of-{name}")
        else:
            monkeypatch.delenv(name, raising=False)
    refused(capsys, "--from", "s3://logs/x.jsonl")
    assert First.seen
    assert all(("authorization:" in one) is signed for one in First.seen)
    assert all(SECRET not in one for one in Other.seen)
    # A session token would go along with the redirect, so it isn't sent at all.
    First.seen.clear()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", SECRET)
    assert "AWS_SESSION_TOKEN" in refused(capsys, "--from", "s3://logs/x.jsonl")
    assert not First.seen


def test_what_is_no_key_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", f"{SECRET} and more")
    assert "AWS_ACCESS_KEY_ID: is not a key" in refused(
        capsys, "--from", "s3://logs/x.jsonl"
    )


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


def test_a_file_of_the_web_that_ends_early_is_not_half_read(
    loopback: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    class Half(Quiet):
        def do_GET(self) -> None:
            data = b'{"output": "a"}\n' * 100
            self.send_response(200)
            self.send_header("Content-Length", str(2 * len(data)))
            self.end_headers()
            self.wfile.write(data)

    assert "it ends early" in refused(capsys, "--from", f"{loopback(Half)}/a.jsonl")


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["s3", "gs"])
@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"has_ranges": False}, "non-partial response"),
        ({"has_versions": False}, "is listed without a version"),
        ({"pages": 9}, "lists more than"),
    ],
)
def test_a_store_that_is_not_quite_one_is_one_line(
    store: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    other: dict[str, Any],
    said: str,
    scheme: str,
) -> None:
    monkeypatch.setattr("tuneworthy.traces.remote.MOST_PAGES", 1)
    store.files |= dict.fromkeys([f"{n}.jsonl" for n in range(600)], b"x")
    for name, value in other.items():
        setattr(store, name, value)
    address = (
        f"{scheme}://logs/*.csv" if "pages" in other else f"{scheme}://logs/9.jsonl"
    )
    assert said in refused(capsys, "--from", address)


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
