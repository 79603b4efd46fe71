"""What the arms of a lab answered, read back from the ledger of paid calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tuneworthy.api.lab import MOST_TOKENS, Ready, ledger_or_none, prepare
from tuneworthy.domain.errors import CaseError, InputError
from tuneworthy.domain.evalset import EvalCase
from tuneworthy.files.evalset import named_evalset
from tuneworthy.labs.judging import reply_text
from tuneworthy.syntax.build import did_you_mean


@dataclass(frozen=True, slots=True)
class Answered:
    """Answers by arm and case."""

    cases: tuple[EvalCase, ...]
    """The evaluation set in the order of its file."""
    outputs: dict[str, dict[str, str]]
    """By arm, then by id of the case; the first answer where there are repeats."""

    def arms(self, wanted: Sequence[str]) -> tuple[str, ...]:
        """Arms by name, all of them where none is named.

        Raises:
            InputError: If one isn't an arm that answered.
        """
        for name in wanted:
            if name not in self.outputs:
                fix = did_you_mean(name, tuple(self.outputs))
                raise InputError(f'"{name[:80]}" answered nothing', where="ARM", fix=fix)
        return tuple(sorted(wanted or self.outputs))


def answered(source: str | Path, *, seed: int = 0, max_tokens: int = MOST_TOKENS) -> Answered:
    """The answers that are in the ledger of a case; nothing is sent.

    Args:
        source: The case.
        seed: As the lab was given it: another one may have shown other examples.
        max_tokens: As the lab was given it.

    Raises:
        InputError: If the case can't run a lab, or none of its answers are there.
    """
    ready = prepare(source, seed=seed, max_tokens=max_tokens, scored=False)
    outputs = outputs_of(ready)
    if not outputs:
        fix = f"run the lab first: tuneworthy ceiling {source}; give the same --max-tokens here"
        raise CaseError("no arm has answered yet", where=str(source), fix=fix)
    return Answered(named_evalset(ready.case) or (), outputs)


def outputs_of(ready: Ready) -> dict[str, dict[str, str]]:
    """What a lab's arms have answered so far: by arm, then by id of the case.

    Raises:
        InputError: If the ledger can't be read.
    """
    outputs: dict[str, dict[str, str]] = {}
    with ledger_or_none(ready.case) as ledger:
        if ledger is None:
            return {}
        for arm in ready.plan.arms:
            for case in (*ready.plan.select, *ready.plan.report):
                jobs = ready.plan.jobs(arm, case)
                settled = ledger.find(jobs[0].key) if jobs else None
                if settled is not None and settled.reply is not None:
                    outputs.setdefault(arm.id, {})[case.id] = reply_text(settled.reply)
    return outputs
