"""Bring the makers' own checks and loaders of training files, for tests/traces/test_makers.py.

    python tools/makers.py

Their packages are downloaded from the registry without what they depend on (torch and the like),
and unpacked under build/makers. The tests load single modules, with stand-ins for the rest.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "build" / "makers"
MAKERS = {
    "together": "3.1.1",
    "trl": "1.16.0",
    "axolotl": "0.21.0",
    "llamafactory": "0.9.5",
    "mlx-lm": "0.32.2",
}
"""Package and the version that the targets' files were held against."""


def main() -> None:
    """Download and unpack those that aren't there."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, version in MAKERS.items():
        place = FOLDER / name.replace("-", "_")
        if place.is_dir():
            continue
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            f"{name}=={version}",
            "-q",
            "--no-deps",
        ]
        command += [
            "--only-binary=:all:",
            "--python-version",
            "3.12",
            "-d",
            str(FOLDER),
        ]
        subprocess.run(command, check=True)
        (wheel,) = FOLDER.glob(f"{place.name}-{version}-*.whl")
        with zipfile.ZipFile(wheel) as packed:
            packed.extractall(place)
        print(f"unpacked {name} {version}")


if __name__ == "__main__":
    main()
