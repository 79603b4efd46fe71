"""Remote files: in an object store of Amazon's, Google's or Microsoft's, or at a web address.

Keys come only from the environment. They go to the server that the environment names, else to the
store's own. Without keys, requests aren't signed. No other source of keys is used.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.client import HTTPException, InvalidURL
from tempfile import NamedTemporaryFile
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from tuneworthy.errors import InputError, one_line
from tuneworthy.files.disk import MIB
from tuneworthy.llm.hosts import except_this_machine
from tuneworthy.traces.stream import Ahead, Limits, Pieces, Raw

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
_OBJECT = re.compile(
    r"(?:s3[an]?|gs|gcs|az|azure)://(?P<bucket>[a-z0-9][a-z0-9._-]{1,61}[a-z0-9])(?:/(?P<key>.*))?",
    re.IGNORECASE | re.DOTALL,
)
"""The address of an object, of all objects below a prefix, or a pattern."""
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
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
"""Variables that name another server than Amazon's; the first one with a value counts."""
MOST_PAGES = 1000  #: Of a listing.
_PAGE = 1000  #: Objects of a page.
_WAIT_S = 60  #: The longest that a server may say nothing.
_CONNECT_S = 10  #: The longest that a server may take to answer at all.
_BROKEN_KEY = re.compile("[^!-~]")  #: A sign that no key has.
_SIGNING = {
    "s3": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    "gs": (
        "GOOGLE_APPLICATION_CREDENTIALS",
        "GOOGLE_BEARER_TOKEN",
        "GOOGLE_SERVICE_ACCOUNT",
        "GOOGLE_SERVICE_ACCOUNT_KEY",
        "GOOGLE_SERVICE_ACCOUNT_PATH",
    ),
    "az": (
        "AZURE_CLIENT_SECRET",
        "AZURE_STORAGE_ACCOUNT_KEY",
        "AZURE_STORAGE_SAS_TOKEN",
    ),
}
"""Environment variables with a key, by store. Amazon's needs both, and the others any."""
_KEYS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of somebody who may read it",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS to a file with a key that may read it",
    "az": "AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN",
}
"""The environment variables with the keys of each store."""
_SERVERS = {
    "s3": ENDPOINTS[-1],
    "gs": "GOOGLE_BASE_URL",
    "az": "AZURE_STORAGE_ACCOUNT_NAME",
}
"""The environment variable with the server of each store."""
_OTHERS = {"r2", "abfss", "hf"}  # which we can't read by their own name
_USER = re.compile(r"(://)[^/]*@")  #: A user or a password in an address.
_SERVER = re.compile(r"https?://[^/?#\s]")  #: How a server's address begins.
_SIGN = re.compile(r"[*?]")  #: Signs that make a key a pattern.
_HIDDEN = re.compile(r"(^|/)\.|/$")  # the last is how some stores write a folder
_PIECE = (
    8 * MIB
)  #: Bytes of a request: each takes its time, and memory holds one piece.


def is_remote(source: object) -> bool:
    """Whether a source is on another machine, by its address."""
    match = _ADDRESS.match(source) if isinstance(source, str) else None
    schemes = {"http", "https", *_SCHEMES, *_OTHERS}
    return match is not None and match[1].casefold() in schemes


def _scheme(address: str) -> str:
    """The beginning of an address, as ``s3``."""
    return address.partition(":")[0].casefold()


def is_stored(address: str) -> bool:
    """Whether an address is in a store that we can read."""
    return _scheme(address) in _SCHEMES


def keys_for(address: str) -> str:
    """The environment variables with the keys of a store."""
    return _KEYS[_SCHEMES[_scheme(address)]]


def server_for(address: str) -> str:
    """The environment variable with the server of a store."""
    return _SERVERS[_SCHEMES[_scheme(address)]]


class RemoteFile(NamedTuple):
    """One remote file, as it was listed."""

    address: str
    size: int = 0  #: 0 where nobody said.
    version: str = ""  #: The version of this content, as its store names it.
    searched: bool = False  #: Whether it was found below a prefix or by a pattern.

    @property
    def where(self) -> str:
        """The address without parts that may be secret."""
        address = _USER.sub(r"\1", self.address)
        # A web address may have a key behind it; in a store's, these signs are part of a name.
        if address.casefold().startswith("http"):
            address, *_ = re.split("[?#]", address)
        return one_line(address, limit=300)

    @property
    def name(self) -> str:
        return self.where.rpartition("/")[2]


def listed(address: str, limits: Limits) -> list[RemoteFile]:
    """The files at an address: a single one, all below a prefix, or those of a pattern.

    Raises:
        InputError: If there are none, or far too many, or nobody answers.
    """
    except_this_machine()
    scheme = _scheme(address)
    if scheme in {"http", "https"}:
        return [_web_file(address, scheme)]
    match = _OBJECT.fullmatch(address)
    # Only Google's buckets may have a low line in their name.
    if match is None or ("_" in match["bucket"] and _SCHEMES[scheme] != "gs"):
        raise _not_ours(address, scheme)
    scheme = _SCHEMES[scheme]
    bucket = match["bucket"]
    key = match["key"] or ""
    with _asked(address):
        kept = _kept(_store_of(scheme, bucket), address, key, limits.files)
    if not kept:
        fix = "check the address; a folder is named whole"
        raise InputError("holds no file", where=address, fix=fix)
    if len(kept) > limits.files:
        what = f"holds more than {limits.files:,} files"
        fix = "name fewer, or put them together"
        raise InputError(what, where=address, fix=fix)
    files: list[RemoteFile] = []
    for item in kept:
        if not item["e_tag"]:
            what = "is listed without a version"
            raise InputError(what, where=address, fix="copy it to this machine")
        path = item["path"]
        own_address = f"{scheme}://{bucket}/{path}"
        files.append(RemoteFile(own_address, item["size"], item["e_tag"], path != key))
    return files


def _web_file(address: str, scheme: str) -> RemoteFile:
    """The file at a web address. A user or a password in it would end up in logs."""
    file = RemoteFile(address)
    if _USER.match(address, len(scheme)):
        what = "can't be read: a user or a password stands in it"
        fix = "name it without, or copy it here"
        raise InputError(what, where=file.where, fix=fix)
    return file


def _not_ours(address: str, scheme: str) -> InputError:
    """The error for an address that we can't read."""
    fix = "write s3://BUCKET/KEY, gs:// or az:// instead, or copy it to this machine"
    if scheme in _OTHERS:
        server = ENDPOINTS[-1]
        fix = f"name it as s3:// where its store speaks S3's protocol ({server}), or copy it"
    where = one_line(address, limit=300)
    return InputError("can't be read from here", where=where, fix=fix)


def _kept(store: Any, address: str, key: str, most: int) -> list[dict[str, Any]]:
    """The objects of a key or a pattern, without hidden ones; some above the limit end the search."""
    import obstore

    sign = _SIGN.search(key)
    if sign is None:
        prefix = key
        wanted = re.escape(key.rstrip("/")) + r"(/.*)?"  # itself, or all in its folder
    else:
        prefix = key[: sign.start()]
        wanted = _signs(key)
    fits = re.compile(wanted, re.DOTALL)
    kept: list[dict[str, Any]] = []
    # The client lists whole folders alone.
    folder = prefix.rpartition("/")[0] or None
    for number, page in enumerate(obstore.list(store, folder, chunk_size=_PAGE)):
        if number == MOST_PAGES:
            what = f"lists more than {MOST_PAGES * _PAGE:,} files"
            fix = "name a folder or a pattern that begins with more of the key"
            raise InputError(what, where=address, fix=fix)
        for item in page:
            path = item["path"]
            is_wanted = not key or fits.fullmatch(path)
            # What was named by its own name may be hidden.
            if is_wanted and not _HIDDEN.search(path[len(prefix) :]):
                kept.append(dict(item))
        if len(kept) > most:
            break
    return kept


def _signs(pattern: str) -> str:
    """A regular expression for a pattern. ``*`` stays in one folder, ``**/`` spans any number."""
    parts = _TOKEN.findall(pattern)
    return "".join(_MEANING.get(part) or re.escape(part) for part in parts)


_TOKEN = re.compile(r"\*\*/|\*|\?|[^*?]+")
_MEANING = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}


class RemoteRaw(Raw):
    """A remote file, read in pieces; memory holds one piece."""

    def __init__(self, file: RemoteFile) -> None:
        self._start(file.where, file.size)
        self._file = file
        # Only a store names a version.
        self._pieces = Pieces(_stored(file) if file.version else _web(file.address))
        self._copy: Any = None

    def _some(self, buffer: memoryview) -> int:
        with _asked(str(self.path)):
            data = self._pieces.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def end(self, size: int) -> bytes:
        """The last bytes; empty for a web address, of which no part can be read alone."""
        if not self._file.version:
            return b""
        with _asked(str(self.path)):
            return b"".join(_stored(self._file, max(0, self.size - size)))

    def on_disk(self, stream: Ahead) -> str:
        """Copy the file to the disk for readers that go back and forth, until this is closed."""
        if self._copy is None:
            self._copy = NamedTemporaryFile()  # noqa: SIM115  # until ``close``
            while data := stream.read(MIB):
                # A web address may not say its size; then at least the next piece has to fit.
                needed = max(self.size - self.done, MIB)
                if shutil.disk_usage(self._copy.name).free < needed:
                    what = "is too large for the temporary folder"
                    fix = "copy it to this machine, or name a larger place by TMPDIR"
                    raise InputError(what, where=str(self.path), fix=fix)
                self._copy.write(data)
            self._copy.flush()
            self.descriptor = self._copy.fileno()
        return str(self._copy.name)

    def digest(self) -> str:
        """SHA-256 of the whole file, whose size is then known, too."""
        digest = super().digest()
        self.size = self.size or self.done
        return digest

    def close(self) -> None:
        if self._copy is not None:
            self._copy.close()


def _stored(file: RemoteFile, start: int = 0) -> Iterator[bytes]:
    """Read a file of a store by ranges, from a place on; a file that changed meanwhile is refused."""
    import obstore

    scheme, _, bucket, key = file.address.split("/", 3)
    store = _store_of(scheme.rstrip(":"), bucket)
    done = start
    while done < file.size:
        # The first piece is short, as many a file is only looked at.
        stop = min(done + (_PIECE if done else MIB), file.size)
        options: Any = {"range": (done, stop), "if_match": file.version}
        piece = bytes(obstore.get(store, key, options=options).bytes())
        if not piece:
            what = "can't be read: it ends early"
            raise InputError(what, where=file.where, fix="run it again")
        yield piece
        done += len(piece)


def _store_of(scheme: str, bucket: str) -> Any:
    """A bucket or container that can be listed and read.

    Its client follows redirects. On the way to another host it drops the header with the key.
    """
    from obstore.store import AzureStore, GCSStore, S3Store

    makers: dict[str, Any] = {"s3": S3Store, "gs": GCSStore, "az": AzureStore}
    servers = {"gs": "GOOGLE_BASE_URL", "az": "AZURE_STORAGE_ENDPOINT"}
    keys = [os.environ.get(name) for name in _SIGNING[scheme]]
    settings: dict[str, Any] = {}
    if scheme == "s3":
        server, settings = _amazons(bucket)
        is_signed = all(keys)
    else:
        server = os.environ.get(servers[scheme], "")
        is_signed = any(keys)
    if server and not _SERVER.match(server):
        fix = f"write {server_for(f'{scheme}://')} as https://HOST"
        raise InputError("can't be read: its server has no address", fix=fix)
    return makers[scheme](
        bucket,
        skip_signature=not is_signed,
        client_options={
            # only for a server that the user names so, as one on this machine
            "allow_http": server.startswith("http://"),
            "connect_timeout": timedelta(seconds=_CONNECT_S),
            "timeout": timedelta(seconds=_WAIT_S),
        },
        retry_config={
            "max_retries": 2,
            "retry_timeout": timedelta(seconds=_WAIT_S),
        },
        **settings,
    )


def _amazons(bucket: str) -> tuple[str, dict[str, Any]]:
    """The server that speaks S3's protocol, empty for Amazon's own, and the client's settings.

    Raises:
        InputError: If a key can't be one, or may reach a server that nobody named.
    """
    env = os.environ
    server = next((env[name] for name in ENDPOINTS if env.get(name)), "")
    region = env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or "us-east-1"
    # Amazon puts the bucket into the server's name, where its certificate allows it.
    in_name = not server and "." not in bucket
    settings: dict[str, Any] = {
        "region": region,
        "virtual_hosted_style_request": in_name,
    }
    if server:
        settings["endpoint"] = server
    names = {
        "access_key_id": "AWS_ACCESS_KEY_ID",
        "secret_access_key": "AWS_SECRET_ACCESS_KEY",
        "session_token": "AWS_SESSION_TOKEN",
    }
    for setting, variable in names.items():
        key = _key_in(variable)
        if key:
            settings[setting] = key
    if ("access_key_id" in settings) != ("secret_access_key" in settings):
        what = "can't be read: only a half of the key is set"
        raise InputError(what, fix=f"set {_KEYS['s3']}")
    host = urlsplit(server).hostname or ""
    is_amazons = not server or host.endswith((".amazonaws.com", ".amazonaws.com.cn"))
    if "session_token" in settings and not is_amazons:
        # Its header would go along with a redirect.
        what = "would follow its server's redirects to others"
        fix = f"use a key without one for {host or 'that server'}"
        raise InputError(what, where="AWS_SESSION_TOKEN", fix=fix)
    return server, settings


def _key_in(variable: str) -> str:
    """The key in an environment variable; empty where it isn't set.

    Raises:
        InputError: If it can't be a key. The client's own error would show it.
    """
    key = os.environ.get(variable, "").strip()
    if _BROKEN_KEY.search(key):
        what = "is not a key: it has more than letters, digits and signs"
        raise InputError(what, where=variable)
    return key


def _web(address: str) -> Iterator[bytes]:
    """Read a web address in pieces; raises an error if it ends early."""
    request = Request(address, headers={"User-Agent": "tuneworthy"})  # noqa: S310  # http or https
    with urlopen(request, timeout=_WAIT_S) as answer:  # noqa: S310  # the same
        while data := answer.read(MIB):
            yield data
        if answer.length:  # a body that is too short raises no error by itself
            what = "can't be read: it ends early"
            raise InputError(what, where=RemoteFile(address).where, fix="run it again")


class _Refusal(NamedTuple):
    """Our words for a store's error."""

    cause: str
    fix: str


_REFUSALS = {
    "NoSuchBucket": _Refusal("there is no such bucket", "check the address"),
    "NoSuchKey": _Refusal("it is gone", "run it again"),
    "PreconditionFailed": _Refusal("it was written anew meanwhile", "run it again"),
    "AccessDenied": _Refusal(
        "its server lets nobody without the right key in", "set {keys}"
    ),
    "InvalidAccessKeyId": _Refusal("its server doesn't know the key", "check {keys}"),
    "SignatureDoesNotMatch": _Refusal(
        "the secret is not that of the key", "check {keys}"
    ),
}
"""By S3's code; ``{keys}`` stands for the environment variables with the keys."""
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
"""Other stores' codes and the client's errors, each with the S3 code of the same meaning."""
_CODE_IN_XML = re.compile(r"<Code>(\w+)</Code>")
_STATUS = re.compile(r"status code: (\d+)")
_QUERY = re.compile(r"\?\S*")


@contextmanager
def _asked(where: str) -> Iterator[None]:
    """Turn an error on the way into one line that says how to fix it."""
    try:
        yield
    except InputError:
        raise
    except Exception as caught:
        is_common = isinstance(caught, OSError | HTTPException | ValueError)
        of_a_client = type(caught).__module__.startswith("obstore")
        if not is_common and not of_a_client:  # a fault of ours
            raise
        refusal = _REFUSALS.get(_code_of(caught)) if is_stored(where) else None
        if refusal is None:
            raise _unreachable(where, caught) from None
        what = f"can't be read: {refusal.cause}"
        fix = refusal.fix.format(keys=keys_for(where))
        raise InputError(what, where=where, fix=fix) from None


def _code_of(caught: Exception) -> str:
    """The S3 code for a store's error; empty for an error of another kind."""
    text = str(caught)
    codes = [
        *_CODE_IN_XML.findall(text),
        type(caught).__name__,
        *_STATUS.findall(text),
    ]
    for code in codes:
        name: str = _CODES.get(code, code)
        if name in _REFUSALS:
            return name
    return ""


def _unreachable(where: str, caught: Exception) -> InputError:
    """An error without secret parts of the address, and without further text of the client."""
    if isinstance(caught, InvalidURL | ValueError):
        # their own error may repeat the address with its keys
        what = "it is not an address"
    else:
        first_line, *_ = str(caught).splitlines() or [type(caught).__name__]
        what = _QUERY.sub("", _USER.sub(r"\1", first_line))
    cause = one_line(what, limit=160).rstrip(" :.")
    fix = "check the address"
    if is_stored(where):
        fix = f"{fix}, and {server_for(where)}"
    return InputError(f"can't be read: {cause}", where=where, fix=fix)
