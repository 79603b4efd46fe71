"""Remote files: in an object store (``stores``), or at a web address."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException, InvalidURL
from tempfile import NamedTemporaryFile
from typing import Any, NamedTuple
from urllib.request import Request, urlopen

from tuneworthy.errors import InputError, one_line
from tuneworthy.files.disk import MIB
from tuneworthy.llm.proxies import except_this_machine
from tuneworthy.traces.stores import (
    ENDPOINTS,
    MOST_PAGES,
    WAIT_S,
    ObjectStore,
    StoredObject,
    store_of,
)
from tuneworthy.traces.stream import Ahead, Limits, Pieces, Raw

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
_OBJECT = re.compile(
    r"(?:s3[an]?|gs|gcs|az|azure)://([a-z0-9][a-z0-9._-]{1,61}[a-z0-9])(?:/(.*))?",
    re.IGNORECASE | re.DOTALL,
)
_SCHEMES = {
    "s3": "s3",
    "s3a": "s3",
    "s3n": "s3",
    "gs": "gs",
    "gcs": "gs",
    "az": "az",
    "azure": "az",
}
"""The beginning of a store's address, and the store that it means."""
_KEYS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of somebody who may read it",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS to a file with a key that may read it",
    "az": "AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN",
}
_SERVERS = {
    "s3": ENDPOINTS[-1],
    "gs": "GOOGLE_BASE_URL",
    "az": "AZURE_STORAGE_ACCOUNT_NAME",
}
_OTHERS = {"r2", "abfss", "hf"}  # which we can't read by their own name
_USER = re.compile(r"(://)[^/]*@")
_SIGN = re.compile(r"[*?]")
_HIDDEN = re.compile(r"(^|/)\.|/$")  # the last is how some stores write a folder
_PIECE = 8 * MIB


def is_remote(source: object) -> bool:
    """Whether a source is on another machine, by its address."""
    match = _ADDRESS.match(source) if isinstance(source, str) else None
    schemes = {"http", "https", *_SCHEMES, *_OTHERS}
    return match is not None and match[1].casefold() in schemes


def is_stored(address: str) -> bool:
    """Whether an address is in a store that we can read."""
    return address.partition(":")[0].casefold() in _SCHEMES


def keys_for(address: str) -> str:
    """The environment variables with the keys of a store."""
    return _KEYS[_SCHEMES[address.partition(":")[0].casefold()]]


def server_for(address: str) -> str:
    """The environment variable with the server of a store."""
    return _SERVERS[_SCHEMES[address.partition(":")[0].casefold()]]


class RemoteFile(NamedTuple):
    """One remote file, as it was listed."""

    address: str
    size: int = 0  #: 0 where nobody said.
    version: str = ""  #: The version of this content, as its store names it.
    searched: bool = False  #: Whether it was found below a prefix or by a pattern.

    @property
    def where(self) -> str:
        """The address without parts that may be secret."""
        plain = _USER.sub(r"\1", self.address)
        web = plain[:4].casefold() == "http"
        return one_line(re.split("[?#]", plain)[0] if web else plain, limit=300)

    @property
    def name(self) -> str:
        return self.where.rpartition("/")[2]


def listed(address: str, limits: Limits) -> list[RemoteFile]:
    """The files at an address: a single one, all below a prefix, or those of a pattern.

    Raises:
        InputError: If there are none, or far too many, or nobody answers.
    """
    except_this_machine()
    if (scheme := address.partition(":")[0].casefold()) in {"http", "https"}:
        file = RemoteFile(address)
        if _USER.match(address, len(scheme)):
            what = "can't be read: a user or a password stands in it"
            raise InputError(
                what, where=file.where, fix="name it without, or copy it here"
            )
        return [file]
    match = _OBJECT.fullmatch(address)
    if match is None or ("_" in match[1] and _SCHEMES[scheme] != "gs"):
        fix = (
            "write s3://BUCKET/KEY, gs:// or az:// instead, or copy it to this machine"
        )
        if scheme in _OTHERS:
            server = ENDPOINTS[-1]
            fix = f"name it as s3:// where its store speaks S3's protocol ({server}), or copy it"
        raise InputError(
            "can't be read from here", where=one_line(address, limit=300), fix=fix
        )
    scheme = _SCHEMES[scheme]
    bucket = match[1]
    key = match[2] or ""
    with _asked(address):
        kept = _kept(store_of(scheme, bucket), address, key, limits.files)
    if not kept:
        fix = "check the address; a folder is named whole"
        raise InputError("holds no file", where=address, fix=fix)
    if len(kept) > limits.files:
        fix = "name fewer, or put them together"
        raise InputError(
            f"holds more than {limits.files:,} files", where=address, fix=fix
        )
    return [
        RemoteFile(
            f"{scheme}://{bucket}/{item.key}", item.size, item.version, item.key != key
        )
        for item in kept
    ]


def _kept(store: ObjectStore, address: str, key: str, most: int) -> list[StoredObject]:
    """The objects of a key or a pattern, without hidden ones; at most one above the limit."""
    sign = _SIGN.search(key)
    prefix = key[: sign.start()] if sign else key
    fits = re.compile(
        _signs(key) if sign else re.escape(key.rstrip("/")) + r"(/.*)?", re.DOTALL
    )
    kept: list[StoredObject] = []
    for number, page in enumerate(store.objects(prefix)):
        if number == MOST_PAGES:
            fix = "name a folder or a pattern that begins with more of the key"
            raise InputError(
                f"lists more than {MOST_PAGES} pages", where=address, fix=fix
            )
        for item in page:
            named = not key or fits.fullmatch(item.key)
            if named and not _HIDDEN.search(item.key[len(prefix) :]):
                kept.append(item)
        if len(kept) > most:
            break
    return kept


def _signs(key: str) -> str:
    """A regular expression for a pattern. ``*`` stays in one folder, ``**`` spans any number."""
    return "".join(
        _MEANING.get(each) or re.escape(each) for each in _TOKEN.findall(key)
    )


_TOKEN = re.compile(r"\*\*/|\*|\?|[^*?]+")
_MEANING = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}


class RemoteRaw(Raw):
    """A remote file, read in pieces; memory holds one piece."""

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
        """Copy the file to the disk for readers that go back and forth, until this is closed."""
        if self._copy is None:
            self._copy = NamedTemporaryFile()  # noqa: SIM115  # until ``close``
            while data := stream.read(MIB):
                if shutil.disk_usage(self._copy.name).free < max(
                    self.size - self.done, MIB
                ):
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
    """Read a file by ranges. A broken range is requested again, and a changed file is refused."""
    scheme, _, bucket, key = file.address.split("/", 3)
    store = store_of(scheme.rstrip(":"), bucket)
    while at < file.size:
        stop = min(at + (_PIECE if at else MIB), file.size)
        piece = store.piece(key, file.version, at, stop)
        if piece is None:
            what = "can't be read: its server gives other bytes than requested"
            raise InputError(what, where=file.where, fix="copy it to this machine")
        if not piece:
            raise InputError(
                "can't be read: it ends early", where=file.where, fix="run it again"
            )
        yield piece
        at += len(piece)


def _web(address: str) -> Iterator[bytes]:
    """Read a web address in pieces; raises an error if it ends early."""
    request = Request(address, headers={"User-Agent": "tuneworthy"})  # noqa: S310  # http or https
    with urlopen(request, timeout=WAIT_S) as answer:  # noqa: S310  # the same
        while data := answer.read(MIB):
            yield data
        if answer.length:  # a body that is too short raises no error by itself
            what = "can't be read: it ends early"
            raise InputError(what, where=RemoteFile(address).where, fix="run it again")


_SAID = {
    "NoSuchBucket": ("there is no such bucket", "check the address"),
    "NoSuchKey": ("it is gone", "run it again"),
    "PreconditionFailed": ("it was written anew meanwhile", "run it again"),
    "AccessDenied": ("its server lets nobody without the right key in", "set {keys}"),
    "InvalidAccessKeyId": ("its server doesn't know the key", "check {keys}"),
    "SignatureDoesNotMatch": ("the secret is not that of the key", "check {keys}"),
}
_CODES = {
    "ContainerNotFound": "NoSuchBucket",
    "403": "AccessDenied",
    "404": "NoSuchKey",
    "412": "PreconditionFailed",
    "FileNotFoundError": "NoSuchKey",
    "PermissionDeniedError": "AccessDenied",
    "UnauthenticatedError": "AccessDenied",
    "PreconditionError": "PreconditionFailed",
}
"""Statuses of S3 and errors of other stores' clients, each with the S3 code of the same meaning."""
_CODE_IN_XML = re.compile(r"<Code>(\w+)</Code>")
_STATUS = re.compile(r"status code: (\d+)")
_QUERY = re.compile(r"\?\S*")
_CLIENTS = ("botocore", "obstore")


@contextmanager
def _asked(where: str) -> Iterator[None]:
    """Turn an error on the way into one line that says how to fix it."""
    try:
        yield
    except InputError:
        raise
    except Exception as caught:
        expected = isinstance(caught, OSError | HTTPException | ValueError)
        if not expected and not type(caught).__module__.startswith(_CLIENTS):
            raise
        known = _SAID.get(_code_of(caught)) if is_stored(where) else None
        if known is None:
            raise _unreachable(where, caught) from None
        fix = known[1].format(keys=keys_for(where))
        raise InputError(f"can't be read: {known[0]}", where=where, fix=fix) from None


def _code_of(caught: Exception) -> str:
    """The S3 code for a store's error; empty for an error of another kind."""
    text = str(caught)
    codes = [
        str(getattr(caught, "response", {}).get("Error", {}).get("Code", "")),
        type(caught).__name__,
        *_CODE_IN_XML.findall(text),
        *_STATUS.findall(text),
    ]
    for code in codes:
        name: str = _CODES.get(code, code)
        if name in _SAID:
            return name
    return ""


def _unreachable(where: str, caught: Exception) -> InputError:
    """An error without secret parts of the address, and without further text of the client."""
    if isinstance(caught, InvalidURL | ValueError):
        # their own error may repeat the address with its keys
        what = "it is not an address"
    else:
        first, *_ = str(caught).splitlines() or [type(caught).__name__]
        what = _QUERY.sub("", _USER.sub(r"\1", first))
    cause = one_line(what, limit=160).rstrip(" :.")
    fix = "check the address"
    if is_stored(where):
        fix = f"{fix}, and {server_for(where)}"
    return InputError(f"can't be read: {cause}", where=where, fix=fix)
