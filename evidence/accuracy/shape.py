"""Are sets of facts and sets of form told apart by their answers alone?

    python evidence/accuracy/shape.py FOLDER

Measures every ``*.jsonl`` below FOLDER by itself and prints what its answers show; no goal is
named. The figures of docs/evidence/accuracy.md are of the 17 sets in the source package of
trainjudge 0.3.1.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from tuneworthy.intake.measure import measure_new

SHARES = (
    "fixed_form_share",
    "own_facts_share",
    "repeated_answer_share",
    "copied_share",
)


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    files = sorted(folder.rglob("*.jsonl"))
    if not files:
        sys.exit(f"{folder}: holds no *.jsonl")
    for path in files:
        with tempfile.TemporaryDirectory() as place:
            os.chdir(place)
            report = measure_new([str(path)])
            found = {each.id: each for each in report.measured.evidence}
            cells = [
                f"{found[name].number:.2f}" if found[name].is_known else "-"
                for name in SHARES
            ]
            print(f"{path.relative_to(folder).as_posix():<60}", *cells)
            os.chdir(folder)


if __name__ == "__main__":
    main()
