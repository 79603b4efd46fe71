"""What the page costs: CPU seconds, bytes and memory, with the budget of each beside it.

Run ``python benchmarks/report.py`` in an environment where Tuneworthy is installed with the extra
``report``. Whole processes are measured, in turns with a bare Python, as in ``road.py``.
"""

from __future__ import annotations

import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from road import COMMAND, PROJECT, Line, processes_cpu_s, table

BYTES_PER_MB = 1_000_000
HEAVIEST = "travel-concierge"
"""The gallery case with the most that doesn't fit together."""
FEWEST_CHARTS = 4
"""A page with fewer was made without the drawing that is timed."""

PEAK = """
import resource, sys
from tuneworthy.cli import run
assert run(sys.argv[1:]) == 0
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(peak / (1024 * 1024 if sys.platform == "darwin" else 1024))
"""


def arguments(case: str, output: Path, *more: str) -> list[str]:
    """What makes the page of a gallery case, or its PDF, by the name of the file."""
    return [
        "decide",
        f"examples/{case}",
        "--format",
        output.suffix[1:],
        *more,
        "--force",
        "--output",
        str(output),
    ]


def peak_mib(case: str, output: Path) -> float:
    """The most memory a process held that made a page, in MiB."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK, *arguments(case, output)],
        cwd=PROJECT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return float(done.stdout)


def count_charts(page: Path) -> int:
    """The charts of a page; each is drawn twice, for a desktop and for a phone."""
    drawn = page.read_text("utf-8").count("<svg")
    assert drawn >= FEWEST_CHARTS, f"{page.name} holds {drawn} charts"
    return drawn


def count_pages(pdf: Path) -> int:
    """The pages of a PDF, by what its table of pages says."""
    content = pdf.read_bytes()
    assert content.startswith(b"%PDF"), f"{pdf.name} is no PDF"
    pages = [int(many) for many in re.findall(rb"/Count (\d+)", content)]
    assert pages, f"{pdf.name} holds no page"
    return max(pages)


def lines(folder: Path) -> list[Line]:
    """The lines of the table; the first is a bare Python."""
    first, heavy = folder / "task-api.html", folder / "heaviest.html"
    pdf, memo = folder / "task-api.pdf", folder / "memo.pdf"
    took = processes_cpu_s(
        {
            "bare": [sys.executable, "-c", "pass"],
            "text": [str(COMMAND), "decide", "examples/task-api"],
            "page": [str(COMMAND), *arguments("task-api", first)],
            "heaviest": [str(COMMAND), *arguments(HEAVIEST, heavy)],
            "pdf": [str(COMMAND), *arguments("task-api", pdf)],
            "memo": [str(COMMAND), *arguments("task-api", memo, "--short")],
        },
        {"text": "Task API"},
    )
    sizes = {path: path.stat().st_size / BYTES_PER_MB for path in (first, heavy)}
    charts = {path: count_charts(path) for path in (first, heavy)}
    return [
        Line("`python -c pass`", took["bare"], "s", seconds=took["bare"]),
        Line("the Task API case, as text", took["text"], "s", 0.5, took["text"]),
        Line("the same, as a page", took["page"], "s", 3, took["page"]),
        Line("its size", sizes[first], "MB", 1.5),
        Line("its charts", charts[first], ""),
        Line("its peak of memory", peak_mib("task-api", first), "MiB"),
        Line(
            f"`examples/{HEAVIEST}`, as a page",
            took["heaviest"],
            "s",
            3,
            took["heaviest"],
        ),
        Line("its size", sizes[heavy], "MB", 1.5),
        Line("its charts", charts[heavy], ""),
        Line("the Task API case, as a PDF", took["pdf"], "s", 4, took["pdf"]),
        Line("its size", pdf.stat().st_size / BYTES_PER_MB, "MB", 1.5),
        Line("its pages", count_pages(pdf), ""),
        Line("its memo, as a PDF", took["memo"], "s", 2, took["memo"]),
        Line("its pages", count_pages(memo), ""),
    ]


def main() -> int:
    """Measure and print.

    Returns:
        0 when every budget is kept, 1 when one is not, 2 when there is nothing to measure.
    """
    if not COMMAND.exists():
        print(
            "tuneworthy is not installed beside this Python: run make bench",
            file=sys.stderr,
        )
        return 2
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = lines(Path(folder))
        except subprocess.CalledProcessError as failed:
            print(failed, failed.stderr, sep="\n", file=sys.stderr)
            return 2
    print(
        f"Python {platform.python_version()} on {platform.system()} {platform.machine()}.\n"
    )
    print(table(found))
    return int(
        any(line.budget is not None and line.value > line.budget for line in found)
    )


if __name__ == "__main__":
    sys.exit(main())
