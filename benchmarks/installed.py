"""How much an installation with an extra takes on the disk: libraries, megabytes, the largest.

Run ``python benchmarks/installed.py all`` in an environment where Tuneworthy is installed with the
extra ``all``, or with another extra, or without one. What is counted is what the extra asks for and
what that asks for, as it lies here; libraries that nobody asked for don't count, nor does byte code.

A library that the extra asks for and that isn't installed is no figure.
"""

from __future__ import annotations

import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

OURS = "tuneworthy"
BYTES_PER_MB = 1_000_000
MOST_SHOWN = 6
BUDGET_MB = 600  #: Of the extra ``all``.


def needed(extra: str) -> dict[str, Distribution]:
    """What an extra takes, itself included, by name; an AssertionError where one isn't here."""
    libraries: dict[str, Distribution] = {}
    seen = set()
    to_look_at = [(OURS, extra)]
    while to_look_at:
        name, of = to_look_at.pop()
        if (name, of) in seen:
            continue
        seen.add((name, of))
        try:
            library = distribution(name)
        except PackageNotFoundError:
            raise AssertionError(f"{name} isn't installed") from None
        libraries[name] = library
        for line in library.requires or ():
            asked = Requirement(line)
            if asked.marker and not asked.marker.evaluate({"extra": of}):
                continue
            name_asked = canonicalize_name(asked.name)
            to_look_at += [(name_asked, more) for more in ("", *asked.extras)]
    return libraries


def size_mb(library: Distribution) -> float:
    """What the files of a library take, in MB."""
    named = [file for file in library.files or () if file.suffix != ".pyc"]
    paths = [Path(str(file.locate())) for file in named]
    sizes = [path.stat().st_size for path in paths if path.is_file()]
    return sum(sizes) / BYTES_PER_MB


def main() -> int:
    """Measure and print.

    Returns:
        0 when the budget is kept, 1 when it is not.
    """
    extra = sys.argv[1] if len(sys.argv) > 1 else ""
    libraries = needed(extra)
    sizes = {name: size_mb(library) for name, library in libraries.items()}
    assert all(sizes[name] for name in sizes if name != OURS), "a library has no files"
    whole = sum(sizes.values())
    largest = sorted(sizes, key=lambda name: -sizes[name])[:MOST_SHOWN]
    shown = ", ".join(f"{name} {sizes[name]:.0f}" for name in largest)
    what = f"{OURS}[{extra}]" if extra else OURS
    print(f"{what}: {len(sizes)} libraries, {whole:.0f} MB; {shown}")
    return int(extra == "all" and whole > BUDGET_MB)


if __name__ == "__main__":
    sys.exit(main())
