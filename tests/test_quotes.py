"""Quotes: what a lab is said to cost, on every surface, and what is paid in the end."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import pytest

from internals import (
    Fake,
    Labs,
    LabSettings,
    Reply,
    Request,
    Usage,
    Workspace,
    mcp_tools,
    open_directory,
    prepare,
    quoted,
)
from internals import lab_ceiling as api
from internals import run as command
from worlds_search import World, chance

AS_OF = date(2026, 12, 1)
GALLERY = Path(__file__).resolve().parents[1] / "examples"
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


def test_every_surface_quotes_the_same_for_the_same_lab(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World.drawn(3)
    folder = world.folder(tmp_path / "case", "http://127.0.0.1:9/v1", 0.9)
    mine = quoted(api.with_search(prepare(folder)))
    assert command(["ceiling", str(folder), "--dry-run", "--format", "json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    offered = Labs().offer(folder, LabSettings()).quote
    desk = mcp_tools.Desk(Workspace(open_directory(tmp_path)))
    said = desk.quote_ceiling("case").structured_content
    assert said is not None
    for name in ("calls", "usd_likely", "usd_most"):
        expected = getattr(mine, name)
        assert printed[name] == pytest.approx(expected)
        assert getattr(offered, name) == pytest.approx(expected)
        assert said[name] == pytest.approx(expected)


def test_where_a_lab_can_be_quoted_no_other_command_names_a_price_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = priced_copy("bank-call-routing", tmp_path / "case")
    for section in ("money", "plan"):
        assert command(["show", str(folder), section, "--all", "--format", "json"]) == 0
        page = json.loads(capsys.readouterr().out)
        items = page.get("items", page.get("investment", {}).get("items", []))
        lab = [item for item in items if item["what"] == "calls of a lab"]
        assert all("--dry-run" in json.dumps(item["usd"]) for item in lab)
