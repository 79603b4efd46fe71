"""How much an answer may hold is taken from what models use, and thinking is paid for and shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from test_labs_unanswered import AS_OF, chat, models, served

from lab_world import folder_of
from tuneworthy.cli import run as command
from tuneworthy.lab import ceiling
from tuneworthy.lab.prepare import prepare
from tuneworthy.lab.quote import quoted
from tuneworthy.model.lab import Request

THOUGHT = 900


def thinks(endpoint: Any, caps: list[int]) -> None:
    """An endpoint that thinks for 900 tokens before each answer, as long as it may."""
    answered = endpoint.says

    def says(request: Request) -> tuple[int, dict[str, Any]]:
        status, body = answered(request)
        most = request.max_tokens or 0
        caps.append(most)
        if most < THOUGHT + 10:
            body = chat("", "length")
        used = min(most, THOUGHT + 2)
        body["usage"] = {
            "prompt_tokens": 9, "completion_tokens": used,
            "completion_tokens_details": {"reasoning_tokens": min(THOUGHT, used)},
        }  # fmt: skip
        return status, body

    endpoint.says = says


@pytest.mark.slow
def test_a_model_that_thinks_first_gets_the_room_it_uses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a cap of 512 it was cut off on every call, and the ceiling was "reached"."""
    caps: list[int] = []
    with served({"careful": 1.0, "Answer": 1.0}) as endpoint:
        thinks(endpoint, caps)
        folder = folder_of(tmp_path, n=120, models=models(endpoint, "a"))
        assert (
            command(["ceiling", str(folder), "--as-of", "2026-11-24", "--dry-run"]) == 0
        )
        said = " ".join(capsys.readouterr().out.split())
        assert "512 tokens an answer; 3 probes, 8,192 each, may show that" in said
        first = quoted(prepare(folder, as_of=AS_OF))
        result = ceiling.run(prepare(folder, as_of=AS_OF), cap_usd=0).result
        assert (result.reached, result.stopped) == ("no", "")
        assert sorted(set(caps)) == [
            2048,
            8192,
        ]  # half as much again as 902, a power of two
        assert caps.count(8192) == 3
        assert len(caps) <= first.calls  # probes are no calls beside the race
        row = next(row for row in result.arms if row.arm.kind == "prompt")
        assert row.thinking == pytest.approx(900 / 902)
        sent = len(caps)
        again = quoted(prepare(folder, as_of=AS_OF))  # what was found is found again
        assert again.calls + again.reused == first.calls
        ceiling.run(prepare(folder, as_of=AS_OF), cap_usd=0)
        assert len(caps) == sent
        page = ceiling.render(ceiling.run(prepare(folder, as_of=AS_OF), cap_usd=0))
        assert "thinking" in page
