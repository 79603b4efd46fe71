"""The releases that `make` and CI install, each with its hashes: requirements/*.txt.

    make lock        the newest releases within the ranges of pyproject.toml

Each file holds what its extra adds to those before it, so that nothing is listed twice. pip
installs them with --no-deps --require-hashes: nothing else comes along, and nothing that was
replaced. No file names an index or a host. torch is in none of them: pip brings the build that
fits the machine.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
FOLDER = PROJECT / "requirements"
LAYERS = {"core": (), "report": ("report",), "dev": ("dev",), "local": ("dev", "local"),
          "browser": ("dev", "browser"), "ray": ("dev", "ray")}  # fmt: skip
"""What each file is for, and with which extras; a later one builds on core, report and dev."""
BELOW = {"core": (), "report": ("core",), "dev": ("core", "report"),
         "local": ("core", "report", "dev"), "browser": ("core", "report", "dev"),
         "ray": ("core", "report", "dev")}  # fmt: skip
HEAD = "# Written by `make lock`: don't edit it here.\n"


def compiled(uv: str, extras: tuple[str, ...], within: Path | None) -> dict[str, str]:
    """Each release that some extras take, with markers and hashes, by its name and markers."""
    command = [
        uv,
        "pip",
        "compile",
        "--quiet",
        "--universal",
        "--generate-hashes",
        "--upgrade",
    ]
    command += [
        "--python-version",
        "3.11",
        "--no-annotate",
        "--no-header",
        "--no-emit-index-url",
    ]
    command += [word for extra in extras for word in ("--extra", extra)]
    command += ["--constraint", str(within)] if within else []
    command += ["pyproject.toml", "requirements/build.in"]
    done = subprocess.run(
        command, cwd=PROJECT, capture_output=True, text=True, check=True
    )
    blocks = re.findall(r"^\S.*(?:\n    .*)*", done.stdout, re.MULTILINE)
    return {block.partition(" \\")[0]: block for block in blocks}


def main() -> None:
    """Write every file anew."""
    uv = sys.argv[1]
    with tempfile.TemporaryDirectory() as place:
        # all layers take the releases that fit all of them
        whole = Path(place) / "all.txt"
        every = tuple(sorted({extra for extras in LAYERS.values() for extra in extras}))
        whole.write_text("\n".join(compiled(uv, every, None).values()) + "\n", "utf-8")
        made = {name: compiled(uv, extras, whole) for name, extras in LAYERS.items()}
    for name, blocks in made.items():
        there = {key for below in BELOW[name] for key in made[below]}
        own = [block for key, block in sorted(blocks.items()) if key not in there]
        (FOLDER / f"{name}.txt").write_text(HEAD + "\n".join(own) + "\n", "utf-8")
        print(f"{name}: {len(own)} releases")


if __name__ == "__main__":
    main()
