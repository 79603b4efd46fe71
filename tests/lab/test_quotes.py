"""Quotes: what a lab is said to cost, on every surface, and what is paid in the end."""

from __future__ import annotations

import json
import random
import re
import shutil
from datetime import date
from pathlib import Path

import pytest

from faulty import Fake
from tuneworthy import load_case
from tuneworthy.cases.workspace import Workspace, open_directory
from tuneworthy.cli import run as command
from tuneworthy.lab import ceiling as api
from tuneworthy.lab.prepare import prepare
from tuneworthy.lab.quote import quoted
from tuneworthy.mcp import tools as mcp_tools
from tuneworthy.model.lab import Reply, Request, Usage
from worlds_search import World, chance

AS_OF = date(2026, 12, 1)
GALLERY = Path(__file__).resolve().parents[2] / "examples"
PRICED = (
    'models: [{id: "ours:one", base_url: "http://127.0.0.1:9/v1", '
    "usd_per_mtok: {input: 0.15, output: 0.6}}]"
)
"""In place of the models of a case: one at a list price. Nothing is sent to its address."""
A_MESSAGE = 4  #: Tokens of a message beside its text, as vendors count them.


def tokens(text: str) -> int:
    return len(text.encode()) // 4


class Counting(Fake):
    """A model that counts tokens as vendors do."""

    async def send(self, request: Request) -> Reply:
        reply = await super().send(request)
        read = sum(tokens(message.content) + A_MESSAGE for message in request.messages)
        read += tokens(request.response_schema or "") + tokens(request.grammar or "")
        usage = Usage(input_tokens=read, output_tokens=tokens(reply.text) + 1)
        return reply.model_copy(update={"usage": usage})


def priced_copy(name: str, folder: Path) -> Path:
    """A gallery case whose labs would be paid for."""
    shutil.copytree(GALLERY / name, folder)
    path = folder / "case.yaml"
    lines = path.read_text().splitlines()
    kept = [line for line in lines if not line.startswith("models:")]
    path.write_text("\n".join([*kept, PRICED]) + "\n")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bank-call-routing", "municipal-services"])
def test_a_quote_of_a_gallery_lab_is_near_what_is_paid(
    name: str, tmp_path: Path
) -> None:
    folder = priced_copy(name, tmp_path / name)
    rows = [
        json.loads(line) for line in (folder / "eval.jsonl").read_text().splitlines()
    ]
    right = {
        row["input"]: str(row.get("reference", "yes"))
        for row in rows
        if row.get("input")
    }

    def answer(request: Request) -> str:
        asked = request.messages[-1].content
        known = next((text for text in right if text in asked), "")
        return right[known] if known and chance(known) < 0.7 else "none of these fits"

    lab = api.with_search(prepare(folder, as_of=AS_OF), 0)
    quote = quoted(lab)
    paid = api.run(lab, cap_usd=50.0, transport=Counting(answer)).result.spend.paid
    assert 0.7 <= quote.usd_likely / paid <= 1.5
    assert paid <= quote.usd_most


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 5])
def test_a_quote_of_a_search_is_near_what_is_paid(seed: int, tmp_path: Path) -> None:
    world = World.drawn(seed)
    folder = world.folder(tmp_path / "case", "http://127.0.0.1:9/v1", 0.9)
    lab = api.with_search(prepare(folder, as_of=AS_OF))
    quote = quoted(lab)
    result = api.run(lab, cap_usd=50.0, transport=Counting(world.answer)).result
    assert result.search.ended == "plateau"
    assert 0.5 <= quote.usd_likely / result.spend.paid <= 2.0
    assert result.spend.paid <= quote.usd_most
    assert result.search.usd <= (result.search.cap_usd or 0)


def quotes_of(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> dict[str, dict[str, float]]:
    """What each surface says that the ceiling lab of a case costs."""
    command(["ceiling", str(folder), "--dry-run", "--format", "json"])
    printed = json.loads(capsys.readouterr().out)
    desk = mcp_tools.Desk(Workspace(open_directory(folder.parent)))
    answered = mcp_tools.quote_ceiling(desk, folder.name).structured_content
    mine = quoted(api.with_search(prepare(folder))).model_dump()
    assert answered is not None
    quotes = {"command": printed, "tool": answered, "library": mine}
    return {
        surface: {name: round(said[name], 9) for name in COSTS}
        for surface, said in quotes.items()
    }


COSTS = ("calls", "usd_likely", "usd_most")


def test_every_surface_quotes_the_same_for_the_same_lab(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = World.drawn(3).folder(tmp_path / "case", "http://127.0.0.1:9/v1", 0.9)
    library, *others = quotes_of(folder, capsys).values()
    assert library["usd_likely"] > 0
    assert all(each == library for each in others)


QUOTABLE = sorted(
    path.parent.name
    for path in GALLERY.glob("*/prompts")
    if path.with_name("eval.jsonl").exists()
)


@pytest.mark.slow
@pytest.mark.parametrize("name", QUOTABLE)
def test_every_surface_quotes_the_same_for_every_gallery_lab_and_no_page_another(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = priced_copy(name, tmp_path / name)
    quotes = quotes_of(folder, capsys)
    quote = quotes.pop("library")
    assert set(quotes) == {"command", "tool"}
    assert all(each == quote for each in quotes.values())
    command(["ceiling", str(folder), "--dry-run"])
    page = capsys.readouterr().out
    printed = re.search(r"about \$([\d.]+), \$([\d.]+) at most", page)
    assert printed is not None
    for text, cost in zip(printed.groups(), COSTS[1:], strict=True):
        assert float(text) == pytest.approx(quote[cost], rel=0.05)
    assert f"at most {quote['calls']:,.0f}," in page


# How many cases a set takes.

ADDED = re.compile(r"--n (\d+) --output \S*more\.jsonl")
"""How many cases are drawn beside those that a set holds."""
SIZES = re.compile(
    r"--n ([\d,]+)|set holds ([\d,]+) cases|a set of about ([\d,]+) cases|"
    r"about ([\d,]+) are needed"
)


def sizes_of(text: str, counted: int = 0) -> set[int]:
    """Sizes of an evaluation set that a page names, where ``counted`` cases are there already."""
    text = ADDED.sub(
        lambda more: f"--n {int(more[1]) + counted}", " ".join(text.split())
    )
    matches = SIZES.findall(text)
    return {int("".join(match).replace(",", "")) for match in matches}


def sizes_by_command(
    case: Path, log: Path, capsys: pytest.CaptureFixture[str]
) -> dict[str, set[int]]:
    """Sizes that each command names for the evaluation set of a case."""
    sizes = {}
    counted = load_case(case).today.cases or 0
    drawn = ("evalset", str(case), "--from", str(log), "--output", f"{log}.set")
    for told in (
        ("decide", str(case), "--format", "markdown", "--all"),
        ("show", str(case), "plan", "--all"),
        drawn,
    ):
        command([*told])
        sizes[told[0]] = sizes_of(capsys.readouterr().out, counted)
    Path(f"{log}.set").unlink()
    return sizes


def written_log(path: Path) -> Path:
    """A log of a few requests."""
    rows = [
        json.dumps({"input": f"Where is parcel {number}?", "output": "x"})
        for number in range(30)
    ]
    path.write_text("\n".join(rows) + "\n")
    return path


CLAIMED = """\
name: Parcels
goals: [format]
today: {{quality: {quality}, cases: {cases}}}
targets: {{quality: {{metric: match, at_least: {target}}}}}
ceiling:
  prompt_variations: yes
  foundation_models: yes
  retrieval_optimised: yes
  few_shot: yes
  structured_prompt: yes
"""


@pytest.mark.parametrize("seed", range(4))
def test_plan_and_evaluation_set_and_doubts_take_one_number_of_cases(
    seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw = random.Random(seed)
    target = round(draw.uniform(0.7, 0.98), 2)
    quality = round(target - draw.uniform(0.04, 0.1), 2)
    case = tmp_path / "case.yaml"
    cases = draw.randint(20, 60)
    case.write_text(CLAIMED.format(quality=quality, target=target, cases=cases))
    sizes = sizes_by_command(tmp_path, written_log(tmp_path / "log.jsonl"), capsys)
    assert len(sizes["evalset"]) == 1
    assert sizes["decide"] | sizes["show"] == sizes["evalset"], sizes


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(path.name for path in GALLERY.iterdir()))
def test_every_gallery_case_takes_one_number_of_cases_on_all_pages(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = written_log(tmp_path / "log.jsonl")
    sizes = sizes_by_command(GALLERY / name, log, capsys)
    assert len(sizes["evalset"]) == 1
    assert set().union(*sizes.values()) == sizes["evalset"], sizes
