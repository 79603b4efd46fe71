"""What the arms of a lab answered, read back from the ledger of paid calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tuneworthy.errors import CaseError, InputError
from tuneworthy.files.evalset import named_evalset
from tuneworthy.lab.judge import reply_text
from tuneworthy.lab.prepare import MOST_TOKENS, PreparedLab, prepare
from tuneworthy.lab.session import ledger_or_none
from tuneworthy.model.evalset import EvalCase
from tuneworthy.syntax.document import did_you_mean


@dataclass(frozen=True, slots=True)
class ArmOutputs:
    """Outputs by arm and case."""

    cases: tuple[EvalCase, ...]
    """The evaluation set in the order of its file."""
    outputs: dict[str, dict[str, str]]
    """By arm, then by id of the case; the first answer where there are repeats."""

    def arms(self, wanted: Sequence[str]) -> tuple[str, ...]:
        """Arms by name, all of them where none is named."""
        for name in wanted:
            if name not in self.outputs:
                fix = did_you_mean(name, tuple(self.outputs))
                raise InputError(f'"{name[:80]}" answered nothing', where="ARM", fix=fix)
        return tuple(sorted(wanted or self.outputs))


def arm_outputs(source: str | Path, *, seed: int = 0, max_tokens: int = MOST_TOKENS) -> ArmOutputs:
    """The outputs that are in the ledger of a case; nothing is sent.

    ``seed`` and ``max_tokens`` are those of the lab: others may have shown other examples.
    """
    lab = prepare(source, seed=seed, max_tokens=max_tokens, scored=False)
    outputs = outputs_of(lab)
    if not outputs:
        fix = f"run the lab first: tuneworthy ceiling {source}; give the same --max-tokens here"
        raise CaseError("no arm has answered yet", where=str(source), fix=fix)
    return ArmOutputs(named_evalset(lab.case) or (), outputs)


def outputs_of(lab: PreparedLab) -> dict[str, dict[str, str]]:
    """The answers of a lab's arms so far: by arm, then by id of the case."""
    outputs: dict[str, dict[str, str]] = {}
    with ledger_or_none(lab.case) as ledger:
        if ledger is None:
            return {}
        for job, arm, case in lab.plan.calls(lab.plan.arms, (*lab.plan.select, *lab.plan.report)):
            settled = None if job.repeat else ledger.find(job.key)
            if settled and settled.reply and not settled.reply.lacks:
                outputs.setdefault(arm.id, {})[case.id] = reply_text(settled.reply)
    return outputs
