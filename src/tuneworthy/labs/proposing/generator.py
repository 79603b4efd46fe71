"""One draw of the generator: gepa, begun afresh from the same prompt, with chance of its own.

gepa shows a model what a prompt got wrong, has it write a better one, and keeps that if it does
better on the cases it learns from; a few times over. Everything it asks goes through our requests,
ledger and scorers. It keeps no files and says nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING, Any

from tuneworthy.calls.run import Job
from tuneworthy.domain.calls import Settled
from tuneworthy.domain.errors import InputError
from tuneworthy.domain.evalset import EvalCase
from tuneworthy.domain.lab import Arm
from tuneworthy.domain.prompts import PromptVariant
from tuneworthy.labs.ceiling import Plan, system_of
from tuneworthy.labs.pool import answer_text
from tuneworthy.labs.proposing.wish import Wish, proposal
from tuneworthy.labs.proposing.writing import SHOWN, asks_for, inside, record
from tuneworthy.labs.requests import request_for
from tuneworthy.scoring import Context, Marker, Output

if TYPE_CHECKING:
    from gepa.core.adapter import EvaluationBatch
    from gepa.core.state import GEPAState

STEPS = 3
"""Texts that a draw has written; each is kept only if it does better."""
_LOOKS = 60  # at cases for one that goes wrong; looking again costs nothing
_PART = "system"
_SHELF = 1000  # of repeats a draw has to itself, so that more steps would move no other draw

Ask = Callable[[Sequence[Job]], Mapping[str, Settled]]
"""Has calls made and gives what became of each, by key; raises where some weren't made."""


class CutShortError(Exception):
    """Calls weren't made: at the cap, by the user, or because nothing is sent now."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What candidates are tried on."""

    plan: Plan
    wish: Wish
    marker: Marker
    ask: Ask
    turn: Lock = field(default_factory=Lock)
    """Requests are made and answers judged by one draw at a time."""

    def jobs(
        self, arm: Arm, prompt: PromptVariant, cases: Sequence[EvalCase] | None = None
    ) -> list[Job]:
        """The calls of an arm with some prompt; on all cases to learn from unless some are given.

        Each case is asked once, however often the race will ask.
        """
        prompts = {**self.plan.setting.prompts, arm.prompt: prompt}
        setting = replace(self.plan.setting, prompts=prompts)
        asked = self.wish.taught if cases is None else cases
        with self.turn:
            return [Job(request_for(arm, case, setting)) for case in asked]

    def tried(
        self, arm: Arm, prompt: PromptVariant, cases: Sequence[EvalCase]
    ) -> list[tuple[float, str, str]]:
        """For each case the score of an arm with some prompt, its answer, and what is said of it.

        An answer of which nobody knows how good it is counts as half right.
        """
        jobs = self.jobs(arm, prompt, cases)
        found = self.ask(jobs)
        with self.turn:
            pairs = zip(cases, jobs, strict=True)
            return [self._judged(case, job, found[job.key]) for case, job in pairs]

    def _judged(self, case: EvalCase, job: Job, found: Settled) -> tuple[float, str, str]:
        if found.reply is None:
            doubt = found.status == "in_doubt"
            return (0.5, "", "Nobody knows what came.") if doubt else (0.0, "", "No answer came.")
        output = Output.of(found.reply)
        told = self.marker.score(output, case, Context(system_of(job.request)))
        said = output.text or json.dumps(output.tool_calls, ensure_ascii=False)
        if told.ok is None:
            return 0.5, said, "Nobody judged it."
        if told.ok:
            return told.value, said, "Right."
        right = " or ".join(answer_text(one) for one in case.accepted[:3])
        why = f"Wrong ({told.why.replace('_', ' ')}{f': {told.about}' if told.about else ''})."
        return told.value, said, f"{why} Right is: {right}" if right else why


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a draw came to."""

    prompt: PromptVariant
    """Under the parent's name; the parent itself where nothing better came."""
    asked: int
    unusable: int
    whole: bool


class Drawing:
    """One draw, as gepa's adapter and as its proposer.

    Args:
        bench: What candidates are tried on.
        parent: The arm it begins from.
        number: Of the draw, from 0: the same one asks for the same calls.
    """

    propose_new_texts = None  # gepa asks for it; ``write`` is handed over instead

    def __init__(self, bench: Bench, parent: Arm, number: int) -> None:
        self._bench, self._arm, self._number = bench, parent, number
        self._parent = bench.plan.setting.prompts[parent.prompt]
        self._asked = self._unusable = self._lost = 0
        self._failed: Exception | None = None

    def drawn(self) -> Drawn:
        """Run it to its end.

        Raises:
            CutShortError: If calls weren't made.
            InputError: If gepa isn't there, or the ledger can't be used.
        """
        optimize = gepa()
        found = optimize(
            seed_candidate={_PART: self._parent.system},
            trainset=list(self._bench.wish.taught),
            adapter=self,
            custom_candidate_proposer=self._write,
            reflection_minibatch_size=min(SHOWN, len(self._bench.wish.taught)),
            stop_callbacks=self._over,
            logger=_Quiet(),
            track_best_outputs=False,
            seed=self._bench.plan.seed * _SHELF + self._number,
        )
        if self._failed is not None:  # gepa goes on where writing fails, and ends a step later
            raise self._failed
        prompt = self._prompt(found.best_candidate[_PART])
        return Drawn(prompt, self._asked, self._unusable, self._lost == 0)

    def evaluate(
        self, batch: list[EvalCase], candidate: dict[str, str], capture_traces: bool = False
    ) -> EvaluationBatch[Any, Any]:
        """What a candidate does on some cases, in gepa's form."""
        from gepa.core.adapter import EvaluationBatch

        del capture_traces
        found = self._bench.tried(self._arm, self._prompt(candidate[_PART]), batch)
        told = list(zip(batch, found, strict=True))
        return EvaluationBatch(
            outputs=[said for _, said, _ in found], scores=[score for score, _, _ in found],
            trajectories=[record(self._arm, case, said, why) for case, (_, said, why) in told],
        )  # fmt: skip

    def make_reflective_dataset(
        self, candidate: dict[str, str], eval_batch: EvaluationBatch[Any, Any],
        components_to_update: list[str],
    ) -> Mapping[str, Sequence[Mapping[str, Any]]]:  # fmt: skip
        """What the writing model is shown of them."""
        del candidate
        return dict.fromkeys(components_to_update, eval_batch.trajectories or [])

    def _prompt(self, text: str) -> PromptVariant:
        return self._parent.model_copy(update={"system": text})

    def _over(self, gepa_state: GEPAState[Any, Any]) -> bool:
        return self._failed is not None or self._asked >= STEPS or gepa_state.i >= _LOOKS

    def _write(
        self, candidate: dict[str, str],
        reflective_dataset: Mapping[str, Sequence[Mapping[str, Any]]],
        components_to_update: list[str],
    ) -> dict[str, str]:  # fmt: skip
        """A new text; none where what came is no prompt, or the one there is."""
        del components_to_update
        current, name = candidate[_PART], self._parent.name
        request = asks_for(self._bench.wish, self._parent, current, reflective_dataset[_PART])
        found = self._answer(Job(request, self._number * _SHELF + self._asked))
        self._asked += 1
        if found.reply is None:
            self._lost += 1
            return {}
        whole = found.reply.finish != "length"
        prompt = proposal(inside(found.reply.text), self._parent, name) if whole else None
        if prompt is None or prompt.system == current:
            self._unusable += 1
            return {}
        return {_PART: prompt.system}

    def _answer(self, job: Job) -> Settled:
        if self._failed is not None:
            raise self._failed
        try:
            return self._bench.ask([job])[job.key]
        except Exception as caught:
            self._failed = caught
            raise


class _Quiet:
    def log(self, message: str) -> None:
        """Nothing is written anywhere."""


def gepa() -> Callable[..., Any]:
    """The way into the library.

    Raises:
        InputError: If it isn't installed.
    """
    try:
        from gepa.api import optimize
    except ImportError as lacking:
        fix = 'install it: pip install "tuneworthy[optimise]"'
        raise InputError(f"proposing prompts needs {lacking.name}", fix=fix) from None
    return optimize
