"""Object stores, by the clients that are installed: listing objects, and reading a piece of one.

Keys come only from the environment. They go to the server that the environment names, else to the
store's own. Without keys, requests aren't signed. No other source of keys is used.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import timedelta
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from tuneworthy.errors import InputError

ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
"""Variables that name another server than Amazon's; the first one with a value counts."""
MOST_PAGES = 1000  #: Of a listing, with a thousand objects each.
WAIT_S = 60  #: The longest that a server may say nothing.
_CONNECT_S = 10  #: The longest that a server may take to answer at all.
_PAGE = 1000  #: Objects of a page.
_BROKEN_KEY = re.compile("[^!-~]")  #: A sign that no key has.
_GOOGLE_KEYS = (
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_BEARER_TOKEN",
    "GOOGLE_SERVICE_ACCOUNT",
    "GOOGLE_SERVICE_ACCOUNT_KEY",
    "GOOGLE_SERVICE_ACCOUNT_PATH",
)
_AZURE_KEYS = (
    "AZURE_CLIENT_SECRET",
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_SAS_TOKEN",
)


class StoredObject(NamedTuple):
    """An object as its store lists it."""

    key: str
    size: int
    version: str  #: The version of this content, as its store names it.


class ObjectStore(Protocol):
    """A bucket that can be listed and read."""

    def objects(self, prefix: str) -> Iterator[list[StoredObject]]:
        """Pages of objects whose keys begin with ``prefix``; others of its folder may be included."""

    def piece(self, key: str, version: str, start: int, stop: int) -> bytes | None:
        """Some bytes of an object; None where the server sends other bytes than requested."""


class S3Store:
    """A bucket of Amazon's, or of another service with its protocol, by Amazon's client.

    That client follows no redirect.
    """

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._client = _s3_client()

    def objects(self, prefix: str) -> Iterator[list[StoredObject]]:
        pages = self._client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self._bucket, Prefix=prefix):
            objects: list[StoredObject] = []
            for entry in page.get("Contents", ()):
                # Other services leave some out, and without them no range can be requested.
                if not entry.keys() >= {"Key", "Size", "ETag"}:
                    where = f"s3://{self._bucket}"
                    what = "is listed without a size or a version"
                    raise InputError(what, where=where, fix="copy it to this machine")
                objects.append(StoredObject(entry["Key"], entry["Size"], entry["ETag"]))
            yield objects

    def piece(self, key: str, version: str, start: int, stop: int) -> bytes | None:
        # HTTP's range includes its end.
        span = f"bytes={start}-{stop - 1}"
        data = self._client.get_object(
            Bucket=self._bucket, Key=key, Range=span, IfMatch=version
        )
        # A server that knows no ranges sends the file from its beginning, and names no range.
        sent = data.get("ContentRange", "bytes 0-")
        if not sent.startswith(f"bytes {start}-"):
            return None
        return bytes(data["Body"].read(stop - start))


def _s3_client() -> Any:
    """A client for S3 with the keys and the server of the environment."""
    env = os.environ
    servers = [env[name] for name in ENDPOINTS if env.get(name)]
    server = servers[0] if servers else None
    region = env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or "us-east-1"
    key = _key_in("AWS_ACCESS_KEY_ID")
    secret = _key_in("AWS_SECRET_ACCESS_KEY")
    token = _key_in("AWS_SESSION_TOKEN")
    return _made_s3_client(server, region, key, secret, token)


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


@lru_cache(maxsize=4)  # making one takes a tenth of a second
def _made_s3_client(
    server: str | None, region: str, key: str, secret: str, token: str
) -> Any:
    """A client for S3; without keys it reads public objects unsigned."""
    from botocore import UNSIGNED
    from botocore.config import Config
    from botocore.session import Session

    session = Session()
    signature: dict[str, Any] = {}
    if key and secret:
        session.set_credentials(key, secret, token or None)
    else:
        signature = {"signature_version": UNSIGNED}
    config = Config(
        connect_timeout=_CONNECT_S,
        read_timeout=WAIT_S,
        retries={"max_attempts": 2},
        # Amazon puts the bucket into the server's name, and other services mostly into the path.
        s3={"addressing_style": "path" if server else "auto"},
        # A server that a file of somebody's names gets no keys: the environment alone names one.
        ignore_configured_endpoint_urls=True,
        **signature,
    )
    return session.create_client("s3", region, endpoint_url=server, config=config)


class CloudStore:
    """A bucket of Google's or a container of Microsoft's, by one client for both.

    That client follows redirects, and drops the header with the key on the way to another host.
    """

    def __init__(self, scheme: str, bucket: str) -> None:
        self._store = _cloud_client(scheme, bucket)

    def objects(self, prefix: str) -> Iterator[list[StoredObject]]:
        import obstore

        # The client lists whole folders alone.
        folder = prefix.rpartition("/")[0]
        for page in obstore.list(self._store, folder or None, chunk_size=_PAGE):
            yield [
                StoredObject(each["path"], each["size"], each["e_tag"] or "")
                for each in page
            ]

    def piece(self, key: str, version: str, start: int, stop: int) -> bytes | None:
        import obstore

        options: Any = {"range": (start, stop), "if_match": version}
        return bytes(obstore.get(self._store, key, options=options).bytes())


def _cloud_client(scheme: str, bucket: str) -> Any:
    """A client for Google's or Azure's store; without keys it reads public objects unsigned."""
    from obstore.store import AzureStore, GCSStore

    make_store: Any = AzureStore
    keys: tuple[str, ...] = _AZURE_KEYS
    server_name = "AZURE_STORAGE_ENDPOINT"
    if scheme == "gs":
        make_store = GCSStore
        keys = _GOOGLE_KEYS
        server_name = "GOOGLE_BASE_URL"
    is_signed = any(os.environ.get(name) for name in keys)
    server = os.environ.get(server_name, "")
    return make_store(
        bucket,
        skip_signature=not is_signed,
        client_options={
            # only for a server that the user names so, as one on this machine
            "allow_http": server.startswith("http://"),
            "connect_timeout": timedelta(seconds=_CONNECT_S),
            "timeout": timedelta(seconds=WAIT_S),
        },
        retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=WAIT_S)},
    )


def store_of(scheme: str, bucket: str) -> ObjectStore:
    """The store of an address that begins with ``s3``, ``gs`` or ``az``."""
    return S3Store(bucket) if scheme == "s3" else CloudStore(scheme, bucket)
