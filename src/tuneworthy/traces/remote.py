"""Files elsewhere: in a store that speaks S3's protocol, or behind one address of the web.

Keys come from the environment alone (``AWS_ACCESS_KEY_ID`` and its like) and go to the server that
``AWS_ENDPOINT_URL`` names, else to Amazon's; without keys requests are not signed. No other source
of keys is asked, and no redirect is followed with them.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from http.client import HTTPException, InvalidURL
from itertools import islice
from tempfile import NamedTemporaryFile
from typing import Any, NamedTuple
from urllib.request import Request, urlopen

from tuneworthy.errors import InputError, one_line
from tuneworthy.files.disk import MIB
from tuneworthy.traces.stream import Ahead, Limits, Pieces, Raw

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
_S3 = re.compile(
    r"s3[an]?://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?", re.IGNORECASE | re.DOTALL
)
_STORES = {"gs", "gcs", "r2", "az", "azure", "abfss", "hf"}
_USER = re.compile(r"(://)[^/]*@")
_SIGN = re.compile(r"[*?]")
_HIDDEN = re.compile(r"(^|/)\.|/$")  # the last is how some stores write a folder
_PIECE = 8 * MIB
_PAGES = 1000  # of a thousand keys each
_WAIT_S = 60
_ENDPOINT = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


def is_remote(source: object) -> bool:
    """Whether a source lies on another machine, by its address."""
    match = _ADDRESS.match(source) if isinstance(source, str) else None
    schemes = {"s3", "s3a", "s3n", "http", "https", *_STORES}
    return match is not None and match[1].casefold() in schemes


class RemoteFile(NamedTuple):
    """One file elsewhere, as it was listed."""

    address: str
    size: int = 0  #: 0 where nobody said.
    version: str = ""  #: What its store calls this content.
    searched: bool = False  #: Whether it was found below a prefix or by a pattern.

    @property
    def where(self) -> str:
        """Its address without what may be secret in it."""
        plain = _USER.sub(r"\1", self.address)
        web = plain[:4].casefold() == "http"
        return one_line(re.split("[?#]", plain)[0] if web else plain, limit=300)

    @property
    def name(self) -> str:
        return self.where.rpartition("/")[2]


def listed(address: str, limits: Limits) -> list[RemoteFile]:
    """The files that an address stands for: one, all below a prefix, or those of a pattern.

    Raises:
        InputError: If nothing is there, or far too much, or nobody answers.
    """
    if (scheme := address.partition(":")[0].casefold()) in {"http", "https"}:
        file = RemoteFile(address)
        if _USER.match(address, len(scheme)):
            what = "can't be read: a user or a password stands in it"
            raise InputError(what, where=file.where, fix="name it without, or copy it here")
        return [file]
    match = _S3.fullmatch(address)
    if match is None:
        fix = "write s3://BUCKET/KEY, or copy it to this machine"
        if scheme in _STORES:
            fix = f"name it as s3:// where its store speaks S3's protocol ({_ENDPOINT[1]}), or copy"
        raise InputError("can't be read from here", where=one_line(address, limit=300), fix=fix)
    bucket, key = match[1], match[2] or ""
    sign = _SIGN.search(key)
    prefix = key[: sign.start()] if sign else key
    fits = re.compile(_signs(key) if sign else re.escape(key.rstrip("/")) + r"(/.*)?", re.DOTALL)
    with _asked(address):
        pages = _client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        entries = _entries(pages, address)
        fit = (entry for entry in entries if not key or fits.fullmatch(entry["Key"]))
        seen = (entry for entry in fit if not _HIDDEN.search(entry["Key"][len(prefix) :]))
        kept = list(islice(seen, limits.files + 1))
    if not kept:
        fix = "check the address; a folder is named whole"
        raise InputError("holds no file", where=address, fix=fix)
    if len(kept) > limits.files:
        fix = "name fewer, or put them together"
        raise InputError(f"holds more than {limits.files:,} files", where=address, fix=fix)
    return [
        RemoteFile(f"s3://{bucket}/{e['Key']}", e["Size"], e["ETag"], e["Key"] != key) for e in kept
    ]


def _entries(pages: Iterable[Any], where: str) -> Iterator[Any]:
    for number, page in enumerate(pages):
        if number == _PAGES:
            fix = "name a folder or a pattern that begins with more of the key"
            raise InputError(f"lists more than {_PAGES} pages", where=where, fix=fix)
        for entry in page.get("Contents", ()):
            if not entry.keys() >= {"Key", "Size", "ETag"}:
                what, fix = "is listed without a size or a version", "copy it to this machine"
                raise InputError(what, where=where, fix=fix)
            yield entry


def _signs(key: str) -> str:
    """A pattern: a star stays in one folder, two stand for any number of folders."""
    return "".join(_MEANING.get(each) or re.escape(each) for each in _TOKEN.findall(key))


_TOKEN = re.compile(r"\*\*/|\*|\?|[^*?]+")
_MEANING = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}


class RemoteRaw(Raw):
    """A file elsewhere, a piece of it at a time: memory holds one piece."""

    def __init__(self, file: RemoteFile) -> None:
        self._start(file.where, file.size)
        self._file = file
        self._pieces = Pieces(_web(file.address) if not file.version else _stored(file))
        self._copy: Any = None

    def _some(self, buffer: memoryview) -> int:
        with _asked(str(self.path)):
            data = self._pieces.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def end(self, size: int) -> bytes:
        if not self._file.version:
            return b""
        with _asked(str(self.path)):
            return b"".join(_stored(self._file, max(0, self.size - size)))

    def on_disk(self, stream: Ahead) -> str:
        """A copy of the file, for who has to go back and forth in it; gone when this is closed."""
        if self._copy is None:
            self._copy = NamedTemporaryFile()  # noqa: SIM115  # until ``close``
            while data := stream.read(MIB):
                if shutil.disk_usage(self._copy.name).free < max(self.size - self.done, MIB):
                    fix = "copy it to this machine, or name a larger place by TMPDIR"
                    what = "is too large for the temporary folder"
                    raise InputError(what, where=str(self.path), fix=fix)
                self._copy.write(data)
            self._copy.flush()
            self.descriptor = self._copy.fileno()
        return str(self._copy.name)

    def digest(self) -> str:
        digest = super().digest()
        self.size = self.size or self.done
        return digest

    def close(self) -> None:
        if self._copy is not None:
            self._copy.close()


def _stored(file: RemoteFile, at: int = 0) -> Iterator[bytes]:
    """By ranges, each asked again where the line breaks; another version of it is refused."""
    client = _client()
    _, _, bucket, key = file.address.split("/", 3)
    while at < file.size:
        span = f"bytes={at}-{min(at + (_PIECE if at else MIB), file.size) - 1}"
        data = client.get_object(Bucket=bucket, Key=key, Range=span, IfMatch=file.version)
        if not data.get("ContentRange", "" if at else "bytes 0-").startswith(f"bytes {at}-"):
            what = "can't be read: its server gives other bytes than were asked for"
            raise InputError(what, where=file.where, fix="copy it to this machine")
        piece = data["Body"].read(_PIECE)
        if not piece:
            raise InputError("can't be read: it ends early", where=file.where, fix="run it again")
        yield piece
        at += len(piece)


def _web(address: str) -> Iterator[bytes]:
    request = Request(address, headers={"User-Agent": "tuneworthy"})  # noqa: S310  # http or https
    with urlopen(request, timeout=_WAIT_S) as answer:  # noqa: S310  # the same
        while data := answer.read(MIB):
            yield data
        if answer.length:  # a short body is no error of its own
            what = "can't be read: it ends early"
            raise InputError(what, where=RemoteFile(address).where, fix="run it again")


_BROKEN = re.compile("[^!-~]")


def _client() -> Any:
    env = os.environ
    endpoint = next((env[name] for name in _ENDPOINT if env.get(name)), None)
    region = env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or "us-east-1"
    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    values = [env.get(name, "").strip() for name in keys]
    if name := next((n for n, key in zip(keys, values, strict=True) if _BROKEN.search(key)), None):
        raise InputError("is no key: it has more than letters, digits and signs", where=name)
    return _made(endpoint, region, *values)


@lru_cache(maxsize=4)  # making one takes a tenth of a second
def _made(endpoint: str | None, region: str, key: str, secret: str, token: str) -> Any:
    from botocore import UNSIGNED
    from botocore.config import Config
    from botocore.session import Session

    session, signed = Session(), {}
    if key and secret:
        session.set_credentials(key, secret, token or None)
    else:
        signed = {"signature_version": UNSIGNED}
    waits = {"connect_timeout": 10, "read_timeout": _WAIT_S, "retries": {"max_attempts": 2}}
    style = {"addressing_style": "path" if endpoint else "auto"}
    # A server that a file of somebody's names gets no keys: the environment alone names one.
    config = Config(**waits, **signed, s3=style, ignore_configured_endpoint_urls=True)
    return session.create_client("s3", region, endpoint_url=endpoint, config=config)


_SAID = {
    "NoSuchBucket": ("there is no such bucket", "check the address"),
    "NoSuchKey": ("it is gone", "run it again"),
    "PreconditionFailed": ("it was written anew meanwhile", "run it again"),
    "AccessDenied": (
        "its server lets nobody without the right key in",
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of somebody who may read it",
    ),
    "InvalidAccessKeyId": ("its server doesn't know the key", "check AWS_ACCESS_KEY_ID"),
    "SignatureDoesNotMatch": ("the secret is not that of the key", "check AWS_SECRET_ACCESS_KEY"),
}
_CODES = {"403": "AccessDenied", "404": "NoSuchKey", "412": "PreconditionFailed"}


@contextmanager
def _asked(where: str) -> Iterator[None]:
    """What goes wrong on the way is one line that says what to do."""
    try:
        yield
    except (OSError, HTTPException, ValueError) as caught:
        raise _unreachable(where, caught) from None
    except Exception as caught:  # botocore's own have no common base but this
        if not type(caught).__module__.startswith("botocore"):
            raise
        code = str(getattr(caught, "response", {}).get("Error", {}).get("Code", ""))
        known = _SAID.get(_CODES.get(code, code))
        if known is None:
            raise _unreachable(where, caught) from None
        raise InputError(f"can't be read: {known[0]}", where=where, fix=known[1]) from None


def _unreachable(where: str, caught: Exception) -> InputError:
    said = _USER.sub(r"\1", str(caught)) or type(caught).__name__
    if isinstance(caught, InvalidURL | ValueError):  # they tell the address, whatever is in it
        said = "it is no address"
    first = one_line(said, limit=160).rstrip(" :.")
    fix = "check the address" + ("" if where.startswith("http") else f", and {_ENDPOINT[1]}")
    return InputError(f"can't be read: {first}", where=where, fix=fix)
