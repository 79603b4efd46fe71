"""Proposing: the prompt to begin from, the draws, and what one more of them would add."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from tuneworthy.calls.ledger import Ledger
from tuneworthy.calls.run import Job
from tuneworthy.domain.calls import Settled
from tuneworthy.domain.lab import Arm
from tuneworthy.domain.prompts import PromptVariant
from tuneworthy.domain.proposing import Draw, Gain, Proposed, Proposing
from tuneworthy.domain.record import Unknown
from tuneworthy.files.evidence import FOLDER
from tuneworthy.files.labs import PROPOSED
from tuneworthy.labs.arms import with_proposals
from tuneworthy.labs.ceiling import Plan
from tuneworthy.labs.proposing.generator import Ask, Bench, CutShortError, Drawing, Drawn
from tuneworthy.labs.proposing.wish import Wish, as_written, names_for
from tuneworthy.labs.scores import Scores, clusters_of, share_of
from tuneworthy.stats.plateau import ENOUGH_DRAWS, expected_gain

_TOGETHER = 8
"""Draws at a time."""


@dataclass(frozen=True, slots=True)
class Drawings:
    """How far proposing has come; a draw that isn't whole in the ledger is None."""

    parent: Arm | None
    """What all draws begin from; None while that isn't known."""
    draws: tuple[Drawn | None, ...]


def propose(bench: Bench) -> Drawings:
    """All draws, several at a time. It blocks: run it in a thread.

    Raises:
        CutShortError: If calls weren't made.
        InputError: If gepa isn't there, or the ledger can't be used.
    """
    parent = parent_of(bench)
    with ThreadPoolExecutor(min(_TOGETHER, bench.wish.draws)) as pool:
        begun = [pool.submit(Drawing(bench, parent, number).drawn)
                 for number in range(bench.wish.draws)]  # fmt: skip
    # a fault in one draw cuts the others short: it is the one to tell
    faults = [fault for one in begun if (fault := one.exception()) is not None]
    if faults:
        raise min(faults, key=lambda fault: isinstance(fault, CutShortError))
    return Drawings(parent, tuple(one.result() for one in begun))


def replayed(bench: Bench) -> Drawings:
    """What the ledger holds of it already; the bench asks it alone (``kept_in``)."""

    def one(parent: Arm, number: int) -> Drawn | None:
        try:
            return Drawing(bench, parent, number).drawn()
        except CutShortError:
            return None

    try:
        parent = parent_of(bench)
    except CutShortError:
        return Drawings(None, (None,) * bench.wish.draws)
    return Drawings(parent, tuple(one(parent, number) for number in range(bench.wish.draws)))


def kept_in(ledger: Ledger | None) -> Ask:
    """Answers that were paid for before, and no others."""

    def ask(jobs: Sequence[Job]) -> Mapping[str, Settled]:
        found = {job.key: ledger.find(job.key) if ledger else None for job in jobs}
        known = {key: one for key, one in found.items() if one is not None}
        if len(known) < len(found):
            raise CutShortError("it wasn't asked before")
        return known

    return ask


def parent_of(bench: Bench) -> Arm:
    """The arm that is best as written on the cases to learn from; of equals the first."""
    prompts, cases = bench.plan.setting.prompts, bench.wish.taught
    arms = as_written(bench.plan.arms)
    means = [sum(s for s, _, _ in bench.tried(arm, prompts[arm.prompt], cases)) for arm in arms]
    return arms[int(np.argmax(np.round(means, 9)))]


@dataclass(frozen=True, slots=True)
class Extended:
    """A plan with the prompts that were proposed."""

    plan: Plan
    arms: tuple[Arm, ...]
    """The arm of each draw, as written: of a proposed prompt, or the parent itself."""
    prompts: tuple[PromptVariant, ...]
    """Proposed ones, each text once."""


def extended(plan: Plan, parent: Arm, drawn: Sequence[Drawn]) -> Extended:
    """Proposed prompts as arms like any other. A text that is there already gets no second name."""
    setting = plan.setting
    base = setting.prompts[parent.prompt]
    known = {base.system: parent.prompt}
    free = iter(names_for(len(drawn), setting.prompts))
    fresh: dict[str, PromptVariant] = {}
    for one in drawn:
        if one.prompt.system not in known:
            name = known[one.prompt.system] = next(free)
            told = {"name": name, "model": parent.model, "structured": None}
            fresh[name] = one.prompt.model_copy(update=told)
    arms = with_proposals(plan.arms, parent, tuple(fresh))
    of_prompt = {arm.prompt: arm for arm in reversed(arms) if arm.prompt in fresh}
    own = tuple(of_prompt.get(known[one.prompt.system], parent) for one in drawn)
    prompts = replace(setting, prompts={**setting.prompts, **fresh})
    return Extended(replace(plan, arms=arms, setting=prompts), own, tuple(fresh.values()))


def told_of(
    wish: Wish, parent: Arm, drawn: Sequence[Drawn], found: Extended, scores: Scores
) -> Proposing:
    """What was asked for and what came, for the result."""
    pairs = zip(drawn, found.arms, strict=True)
    draws = (_draw(one, arm, found.plan, scores) for one, arm in pairs)
    prompts = (
        Proposed(name=one.name, text=one.system, file=f"{FOLDER}/{PROPOSED}/{one.name}.md")
        for one in found.prompts
    )
    return Proposing(
        model=wish.model.id, parent=parent.id, shown=len(wish.taught), draws=tuple(draws),
        prompts=tuple(prompts),
    )  # fmt: skip


def _draw(one: Drawn, arm: Arm, plan: Plan, scores: Scores) -> Draw:
    found = share_of(scores, arm, plan.select)
    told = {"prompt": arm.prompt, "asked": one.asked, "unusable": one.unusable, "whole": one.whole}
    if isinstance(found, Unknown):
        return Draw.model_validate({**told, "value": found})
    return Draw.model_validate({**told, "value": found.value, "low": found.low, "high": found.high})


def plateau(drawn: Sequence[Drawn], found: Extended, scores: Scores) -> Gain | Unknown:
    """What one more draw would add, by the draws that are whole, on the cases all were scored on.

    Draws begin apart from the same prompt, learn from the same cases by chance of their own, and
    are scored on others: any order of them is as likely as any other (docs/decisions/0012).
    """
    pairs = zip(drawn, found.arms, strict=True)
    arms = [arm for one, arm in pairs if one.whole]
    if not any(one.asked for one in drawn):
        return Unknown(ask="give the generator cases that the prompt gets wrong")
    if len(arms) < ENOUGH_DRAWS:
        return Unknown(ask=f"let a generator propose prompts: --propose {ENOUGH_DRAWS} or more")
    cases = found.plan.select
    rows = np.array([scores.row(arm.id, cases) for arm in arms])
    shared = ~np.isnan(rows).any(axis=0)
    gain = expected_gain(rows[:, shared].mean(axis=1)) if shared.any() else None
    if gain is None:
        return Unknown(ask="run it again: no case was answered in every draw")
    value, low, high = gain
    apart = len(set(clusters_of(cases)[shared].tolist()))
    return Gain(value=value, low=low, high=high, draws=len(arms), n=int(shared.sum()),
                clusters=apart)  # fmt: skip
