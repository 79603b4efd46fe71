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
_CONNECT_S = 10
_PAGE = 1000
_BROKEN_KEY = re.compile("[^!-~]")
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
            entries = page.get("Contents", ())
            if not all(entry.keys() >= {"Key", "Size", "ETag"} for entry in entries):
                what = "is listed without a size or a version"
                raise InputError(
                    what, where=f"s3://{self._bucket}", fix="copy it to this machine"
                )
            yield [
                StoredObject(entry["Key"], entry["Size"], entry["ETag"])
                for entry in entries
            ]

    def piece(self, key: str, version: str, start: int, stop: int) -> bytes | None:
        span = f"bytes={start}-{stop - 1}"
        data = self._client.get_object(
            Bucket=self._bucket, Key=key, Range=span, IfMatch=version
        )
        content_range = data.get("ContentRange", "" if start else "bytes 0-")
        if not content_range.startswith(f"bytes {start}-"):
            return None
        return bytes(data["Body"].read(stop - start))


def _s3_client() -> Any:
    env = os.environ
    endpoint = next((env[name] for name in ENDPOINTS if env.get(name)), None)
    region = env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or "us-east-1"
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    values = [env.get(name, "").strip() for name in names]
    for name, value in zip(names, values, strict=True):
        if _BROKEN_KEY.search(value):
            what = "is not a key: it has more than letters, digits and signs"
            raise InputError(what, where=name)
    return _made_s3_client(endpoint, region, *values)


@lru_cache(maxsize=4)  # making one takes a tenth of a second
def _made_s3_client(
    endpoint: str | None, region: str, key: str, secret: str, token: str
) -> Any:
    """A client for S3; without keys it reads public objects unsigned."""
    from botocore import UNSIGNED
    from botocore.config import Config
    from botocore.session import Session

    session = Session()
    signed = {}
    if key and secret:
        session.set_credentials(key, secret, token or None)
    else:
        signed = {"signature_version": UNSIGNED}
    waits = {
        "connect_timeout": _CONNECT_S,
        "read_timeout": WAIT_S,
        "retries": {"max_attempts": 2},
    }
    style = {"addressing_style": "path" if endpoint else "auto"}
    # A server that a file of somebody's names gets no keys: the environment alone names one.
    config = Config(**waits, **signed, s3=style, ignore_configured_endpoint_urls=True)
    return session.create_client("s3", region, endpoint_url=endpoint, config=config)


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

    google = scheme == "gs"
    signed = any(
        os.environ.get(name) for name in (_GOOGLE_KEYS if google else _AZURE_KEYS)
    )
    server = os.environ.get(
        "GOOGLE_BASE_URL" if google else "AZURE_STORAGE_ENDPOINT", ""
    )
    return (GCSStore if google else AzureStore)(
        bucket,
        skip_signature=not signed,
        client_options={
            "allow_http": server.startswith("http://"),
            "connect_timeout": timedelta(seconds=_CONNECT_S),
            "timeout": timedelta(seconds=WAIT_S),
        },
        retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=WAIT_S)},
    )


def store_of(scheme: str, bucket: str) -> ObjectStore:
    """The store of an address that begins with ``s3``, ``gs`` or ``az``."""
    return S3Store(bucket) if scheme == "s3" else CloudStore(scheme, bucket)
