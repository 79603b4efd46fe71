"""A search for a better prompt: texts, examples, effort and constraint together, until a plateau.

docs/decisions/0012 says what a draw is, and docs/concepts/ceiling.md what a search may claim.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Container, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

from tuneworthy.files.materials import variables
from tuneworthy.files.stores import FOLDER, PROPOSED
from tuneworthy.lab.plan import LabPlan, arms_with
from tuneworthy.lab.pool import Cases
from tuneworthy.lab.propose import (
    STEPS,
    CandidateEvaluator,
    CutShortError,
    GepaDraw,
    PromptCandidate,
    longest,
    writing_jobs,
)
from tuneworthy.llm.ledger import Ledger
from tuneworthy.llm.runner import Job, PriceOf, quote, total
from tuneworthy.model.base import Unknown
from tuneworthy.model.case import FewShot, PromptVariant
from tuneworthy.model.lab import Arm, Draw, Gain, Proposed, Proposing, Quote
from tuneworthy.stats.compare import ENOUGH_DRAWS, expected_gain

MOST_DRAWS = 20  #: Draws of a search where nobody says how many.
PARENTS = 2  #: A round begins from so many of the best that are known.
SEARCH_MARGIN = 0.01
"""The least gain, in share of cases: a search ends where another draw is expected to add less, and
a whole round added less."""
MOVES = 2  #: Other settings that a draw tries before it has texts written.
FINALISTS = 4  #: Candidates of a search that race, at most.
_AT_A_TIME = 2  # draws that are added to a round that isn't at its plateau
#: Examples that a search tries, by where they come from and their number.
_EXAMPLES = (
    ("nearest", 8),
    ("fixed", 8),
    ("nearest", 4),
    ("drawn-1", 8),
    ("nearest", 16),
    ("drawn-2", 8),
    ("drawn-3", 8),
)
_SAME = 1e-9  # a rounding error apart


def moves_from(start: PromptCandidate, plan: LabPlan) -> list[dict[str, Any]]:
    """Return changes to the settings of a candidate, each once; each alone makes another arm."""
    arm = start.arm
    setting = plan.setting
    moves: list[dict[str, Any]] = []
    examples = len(setting.pool)
    if examples:
        for source, most in _EXAMPLES:
            moves.append({"few_shot": min(most, examples), "few_shot_from": source})
    moves.append({"few_shot": 0, "few_shot_from": "none"})
    moves += [{"effort": effort} for effort in efforts_of(plan, arm.model)]
    if setting.schema is not None and arm.model not in setting.deciders:
        moves.append({"constrained": "schema"})
        moves.append({"constrained": start.prompt.constrained or "none"})
    distinct: list[dict[str, Any]] = []
    for move in moves:
        if move not in distinct and arm.model_copy(update=move) != arm:
            distinct.append(move)
    return distinct


def efforts_of(plan: LabPlan, model: str) -> list[str]:
    """Return the efforts that the arms of a model have, each once, in their order."""
    efforts = list[str]()
    for arm in plan.arms:
        if arm.model == model and arm.effort not in efforts:
            efforts.append(arm.effort)
    return efforts


class SearchDraw:
    """One draw: first it changes settings of its start, then it writes texts."""

    def __init__(
        self,
        evaluator: CandidateEvaluator,
        start: PromptCandidate,
        number: int,
        moves: Sequence[dict[str, Any]],
    ) -> None:
        self._evaluator = evaluator
        self._moves = moves
        self._number = number
        self.start = start
        #: The best candidate so far; the one it began with where nothing is better.
        self.reached = start
        self.value = 0.0  #: The share of right answers of ``reached``.
        self.texts: GepaDraw | None = None  #: None where no texts are written.
        #: The round of the search that it counts in; 0 until it has ended.
        self.round = 0

    def run(self) -> SearchDraw:
        """Try each move and keep those that help, then have the prompt rewritten."""
        for move in self._moves:
            arm = self.reached.arm.model_copy(update=move)
            moved = PromptCandidate(arm, self.reached.prompt)
            if self._is_better(moved):
                self.reached = moved
        if self._evaluator.request.writes:
            self.texts = GepaDraw(self._evaluator, self.reached, self._number).run()
            self.reached = PromptCandidate(self.reached.arm, self.texts.prompt)
        self.value = self._evaluator.score(self.reached)
        return self

    @property
    def whole(self) -> bool:
        """Whether every requested text came."""
        return self.texts is None or self.texts.whole

    @property
    def tried(self) -> int:
        """The number of settings that it tried."""
        return len(self._moves)

    def _is_better(self, moved: PromptCandidate) -> bool:
        """Whether a candidate is better than the one reached so far."""
        evaluator = self._evaluator
        cases = evaluator.request.taught
        half = cases[: math.ceil(len(cases) / 2)]
        one_case = 1 / len(half)
        # the other half isn't asked where it is more than a case behind, which saves its calls
        if evaluator.score(moved, half) + one_case < evaluator.score(
            self.reached, half
        ):
            return False
        return evaluator.score(moved) > evaluator.score(self.reached) + _SAME


Ended = Literal["plateau", "short"]


@dataclass
class Search:
    """A search, as far as it got."""

    evaluator: CandidateEvaluator
    side_by_side: bool = True
    """Whether draws run in parallel. A replay of kept answers runs one after the other."""
    parents: list[PromptCandidate] = field(default_factory=list)
    """The arms that the first round began from: the two best as written."""
    draws: list[SearchDraw] = field(default_factory=list)
    rounds: int = 0
    ended: Ended = "short"
    why: str = ""  #: The reason why it didn't reach its plateau; empty where it did.
    #: Whether it is over for another reason than that calls weren't made.
    over: bool = False

    def run(self) -> Search:
        """Draw until another draw is expected to add less than the margin. It blocks."""
        try:
            self._run()
        except CutShortError as cut:
            if cut.stop.by in ("user", "fault"):
                raise
            self.why = cut.stop.why
        return self

    def _run(self) -> None:
        """Search in rounds from the best candidates until nothing gets better or the money ends."""
        evaluator = self.evaluator
        written = sorted(evaluator.written(), key=evaluator.score, reverse=True)
        self.parents = written[:PARENTS]
        best_written = self.parents[0]
        if evaluator.score(best_written) >= 1 - _SAME:
            n = len(evaluator.request.taught)
            self.why = f"the best prompt is right on all {n} cases that it learns from"
            self.over = True
            return
        while not self.over:
            best = self.best(PARENTS)
            before = evaluator.score(best[0])
            self.rounds += 1
            came_to_end = self._draw_round(best)
            if came_to_end and self.is_at_plateau(before):
                self.over = True
                self.ended = "plateau"

    def is_at_plateau(self, before: float) -> bool:
        """Whether a whole round added less than the margin to the best score before it."""
        return max(self.values) < before + SEARCH_MARGIN

    def _draw_round(self, parents: Sequence[PromptCandidate]) -> bool:
        """Draw from some parents in turn until another draw is expected to add too little.

        Return whether the round came to that end; else it lacked draws or texts, which says nothing
        of a plateau.
        """
        queues = self._shuffled_moves(parents)
        drawn = 0  # of this round
        while drawn < ENOUGH_DRAWS or self._expects_gain():
            left = self.evaluator.request.draws - len(self.draws)
            if left <= 0:
                self.why = f"its {len(self.draws)} draws ended before another was worth too little"
                self.over = True
                if drawn == 0:
                    self.rounds -= 1  # the round never began
                return False
            # first as many as can show a plateau, then a few at a time
            wanted = ENOUGH_DRAWS - drawn if drawn < ENOUGH_DRAWS else _AT_A_TIME
            batch: list[SearchDraw] = []
            for place in range(drawn, drawn + min(wanted, left)):
                turn = place % len(parents)
                moves = queues[turn][:MOVES]
                del queues[turn][:MOVES]
                number = len(self.draws) + len(batch)
                batch.append(SearchDraw(self.evaluator, parents[turn], number, moves))
            self._run_batch(batch)
            drawn += len(batch)
            if self.over:
                return False
        return True

    def _shuffled_moves(
        self, parents: Sequence[PromptCandidate]
    ) -> list[list[dict[str, Any]]]:
        """Return the moves of each parent in an order that depends on the round and the seed."""
        plan = self.evaluator.plan
        queues = []
        for place, parent in enumerate(parents):
            queue = moves_from(parent, plan)
            order = random.Random(f"{plan.seed} {self.rounds} {place}")  # noqa: S311  # no secret
            order.shuffle(queue)
            queues.append(queue)
        return queues

    def _run_batch(self, batch: Sequence[SearchDraw]) -> None:
        """Run some draws. Those that finished count, whatever happened to the others."""
        if self.side_by_side:
            self._draw_side_by_side(batch)
        else:
            for draw in batch:
                draw.run()
                self._count_draw(draw)
        self._look_whether_it_writes()

    def _count_draw(self, draw: SearchDraw) -> None:
        draw.round = self.rounds
        self.draws.append(draw)

    def _draw_side_by_side(self, batch: Sequence[SearchDraw]) -> None:
        """Run each draw in a thread of its own, and raise the first error after all have ended.

        If a draw was cut short, the others count before the error is raised. Any other error is a
        defect, and no draw of the batch counts.
        """
        with ThreadPoolExecutor(len(batch)) as threads:
            futures = [threads.submit(draw.run) for draw in batch]
        faults = [future.exception() for future in futures]
        for fault in faults:
            if fault is not None and not isinstance(fault, CutShortError):
                raise fault
        for draw, fault in zip(batch, faults, strict=True):
            if fault is None:
                self._count_draw(draw)
        for fault in faults:
            if fault is not None:
                raise fault

    def _look_whether_it_writes(self) -> None:
        """Stop asking a writing model that has answered no request so far."""
        texts = [draw.texts for draw in self.draws if draw.texts is not None]
        asked = [each for each in texts if each.asked]
        if asked and not any(each.wrote for each in asked):
            self.why = f"{self.evaluator.request.named} wrote nothing ({asked[0].why})"
            self.over = True

    @property
    def values(self) -> list[float]:
        """Scores of the complete draws of the last round; [0] without any."""
        last_round = [draw for draw in self.draws if draw.round == self.rounds]
        draws = [draw for draw in last_round if draw.whole]
        if not draws:
            return [0.0]
        # a draw that comes to less is worth as much as the best start, which stays
        best_start = max(self.evaluator.score(draw.start) for draw in draws)
        return [max(best_start, draw.value) for draw in draws]

    def _expects_gain(self) -> bool:
        """Whether another draw of this round is expected to add as much as the margin."""
        if self.over:
            return False
        gain = expected_gain(self.values)
        # None: too few of the draws are whole to say
        return gain is None or gain.value >= SEARCH_MARGIN

    def best(self, most: int) -> list[PromptCandidate]:
        """Return the best known candidates, each once; equal ones in their order."""
        distinct: dict[tuple[object, ...], PromptCandidate] = {}
        reached = [draw.reached for draw in self.draws]
        for candidate in (*self.parents, *reached):
            distinct.setdefault(candidate.made_of, candidate)
        ordered = sorted(distinct.values(), key=self.evaluator.score, reverse=True)
        return ordered[:most]

    @property
    def finalists(self) -> list[PromptCandidate]:
        """The candidates that race: the best of those with a lead over every written prompt."""
        if not self.parents:
            return []
        best_written = self.evaluator.score(self.parents[0])
        plan = self.evaluator.plan
        raced_anyway = set[tuple[object, ...]]()
        for arm in plan.of_kind("prompt"):
            candidate = PromptCandidate(arm, plan.setting.prompts[arm.prompt])
            raced_anyway.add(candidate.made_of)
        finalists = list[PromptCandidate]()
        for candidate in self.best(len(self.draws)):
            leads = self.evaluator.score(candidate) > best_written + _SAME
            if leads and candidate.made_of not in raced_anyway:
                finalists.append(candidate)
        return finalists[:FINALISTS]

    @property
    def plateau(self) -> Gain | Unknown:
        """Gain that one more draw of the last round would bring, on the cases of the search."""
        cases = self.evaluator.request.taught
        gain = expected_gain(self.values) if self.draws else None
        if gain is None:
            draw_more = f"let it draw {ENOUGH_DRAWS} times or more: --propose"
            return Unknown(ask=self.why or draw_more)
        return Gain(
            value=gain.value,
            low=gain.low,
            high=gain.high,
            draws=len(self.values),
            n=len(cases),
            clusters=len({case.cluster for case in cases}),
        )


class SearchedPlan(NamedTuple):
    """A plan in which the finalists of a search race, too."""

    plan: LabPlan
    #: Texts that are new, with the settings they are best with.
    prompts: tuple[PromptVariant, ...]
    #: The arm of each finalist, by what it is made of.
    arms: dict[tuple[object, ...], Arm]


def plan_with(search: Search) -> SearchedPlan:
    """Return the plan of a search with its finalists as arms like any other."""
    plan = search.evaluator.plan
    prompts = dict(plan.setting.prompts)
    written: list[PromptVariant] = []
    arms: list[Arm] = []
    finalists = search.finalists
    for candidate in finalists:
        arm = candidate.arm
        if candidate.prompt.system != prompts[arm.prompt].system:
            prompt = _kept_prompt(candidate, _free_name(prompts))
            written.append(prompt)
            prompts[prompt.name] = prompt
            arm = arm.model_copy(update={"prompt": prompt.name})
        arms.append(arm)
    models = {arm.model: plan.named(arm.model) for arm in arms}
    all_arms = arms_with(plan.arms, arms, models)
    finalist_arms = all_arms[len(plan.arms) :]
    arm_of = {
        candidate.made_of: arm
        for candidate, arm in zip(finalists, finalist_arms, strict=True)
    }
    setting = replace(plan.setting, prompts=prompts)
    return SearchedPlan(
        replace(plan, arms=all_arms, setting=setting), tuple(written), arm_of
    )


def _free_name(prompts: Container[str]) -> str:
    """Return a name for a written prompt that no prompt has yet."""
    number = 1
    while f"gepa-{number}" in prompts:
        number += 1
    return f"gepa-{number}"


def _kept_prompt(candidate: PromptCandidate, name: str) -> PromptVariant:
    """Return a new text with the settings of its search, so that its file is complete."""
    arm = candidate.arm
    shot = None
    if arm.few_shot:
        shot = FewShot.model_validate({"k": arm.few_shot, "from": arm.few_shot_from})
    update = {
        "name": name,
        "model": arm.model,
        "structured": None,
        "few_shot": shot,
        "constrained": None if arm.constrained == "none" else arm.constrained,
    }
    return candidate.prompt.model_copy(update=update)


def describe(search: Search, searched: SearchedPlan) -> Proposing | Unknown:
    """Return the request and the outcome of a search, for the result."""
    request = search.evaluator.request
    if not search.parents:
        return Unknown(ask=search.why or "run it to its end")
    prompts = []
    for prompt in searched.prompts:
        file = f"{FOLDER}/{PROPOSED}/{prompt.name}.md"
        prompts.append(Proposed(name=prompt.name, text=prompt.system, file=file))
    return Proposing(
        model=request.named,
        parents=tuple(parent.arm.id for parent in search.parents),
        shown=len(request.taught),
        draws=tuple(_describe_draw(draw, searched) for draw in search.draws),
        prompts=tuple(prompts),
    )


def _describe_draw(draw: SearchDraw, searched: SearchedPlan) -> Draw:
    """Return the record of one draw; its arm is empty where the draw came to no finalist."""
    arm = searched.arms.get(draw.reached.made_of)
    texts = draw.texts
    return Draw(
        arm=arm.id if arm else "",
        prompt=arm.prompt if arm else draw.reached.arm.prompt,
        parent=draw.start.arm.id,
        round=draw.round,
        moves=draw.tried,
        asked=texts.asked if texts else 0,
        unusable=texts.unusable if texts else 0,
        whole=draw.whole,
        value=draw.value,
    )


# What a search costs, before anything is sent.

LIKELY_DRAWS = 9  #: Draws of a search that ends at its plateau, about.
_TRIED_PART = 0.28
"""The share of a draw's possible calls that it makes (roughly). A candidate that falls behind isn't
asked the other cases, and calls that draws share are made once."""
_GROWN = 600  # bytes by which a rewritten text grows, roughly


CAP_TIMES = 4.0
"""The cap of a search as a multiple of its likely cost, where nobody states one."""


class _Prices(NamedTuple):
    """Prices of the calls of a search."""

    ledger: Ledger | None
    price_of: PriceOf
    anew: bool = False  #: Whether answers that are there count as well.

    def quote(self, jobs: Sequence[Job]) -> Quote:
        return quote(jobs, self.ledger, self.price_of, anew=self.anew)

    def jobs(
        self, evaluator: CandidateEvaluator, candidate: PromptCandidate, cases: Cases
    ) -> list[Job]:
        """The calls of a candidate, with those of a judge; a cap is the same whatever is known."""
        ledger = None if self.anew else self.ledger
        return evaluator.paid_jobs(candidate, cases, ledger)


def cost(
    search: Search,
    ledger: Ledger | None,
    price_of: PriceOf,
    of_plan: Callable[[LabPlan], Quote],
) -> Quote:
    """Return the cost of a search and of the lab after it.

    ``search`` was replayed from the ledger: its known calls count at their price, and the rest at
    the most it can be. ``of_plan`` prices the lab's own plan.
    """
    prices = _Prices(ledger, price_of)
    evaluator = search.evaluator
    of_lab = of_plan(plan_with(search).plan)  # its race has the probes, too
    of_search = prices.quote(_first_jobs(evaluator, prices))
    of_finalists = total(())
    draws_left = 0 if search.over else evaluator.request.draws - len(search.draws)
    if draws_left:
        # nobody knows yet what it will draw from, so the dearest start counts
        starts = search.best(PARENTS) if search.parents else evaluator.written()
        draws = [_quote_draws(search, start, draws_left, prices) for start in starts]
        races = [
            _quote_finalists(search, start, draws_left, prices) for start in starts
        ]
        of_search = total([of_search, _largest(draws)])
        of_finalists = _largest(races)
    cap = own_cap(evaluator, ledger, price_of)
    return total([of_lab, of_finalists, _capped(of_search, cap)])


def _capped(quote: Quote, cap_usd: float) -> Quote:
    """Return the quote of a search that stops at a cap."""
    # answers that are kept count at their price, even beyond a cap that is lower now
    most = min(quote.usd_most, cap_usd)
    return quote.model_copy(update={"usd_most": max(most, quote.usd_likely)})


def own_cap(
    evaluator: CandidateEvaluator, ledger: Ledger | None, price_of: PriceOf
) -> float:
    """Return the most that a search may cost: as stated, else a multiple of its likely cost."""
    stated = evaluator.request.cap_usd
    if stated is not None:
        return stated
    # kept answers cost nothing again, but the cap is the same whatever is kept
    prices = _Prices(ledger, price_of, anew=True)
    fresh = Search(evaluator)
    draws = evaluator.request.draws
    likely = [
        _quote_draws(fresh, start, draws, prices).usd_likely
        for start in evaluator.written()
    ]
    first = prices.quote(_first_jobs(evaluator, prices))
    return CAP_TIMES * (first.usd_likely + max(likely))


def _first_jobs(evaluator: CandidateEvaluator, prices: _Prices) -> list[Job]:
    """Return the calls of the written prompts, which a search begins from."""
    jobs: list[Job] = []
    for candidate in evaluator.written():
        jobs += prices.jobs(evaluator, candidate, evaluator.request.taught)
    return jobs


def _largest(quotes: Sequence[Quote]) -> Quote:
    return max(quotes, key=lambda each: (each.usd_most, each.calls))


class _QuotedPair(NamedTuple):
    """Two candidates that stand for those of a search, of which nobody knows the texts yet."""

    dearest: PromptCandidate
    likely: PromptCandidate


class _Times(NamedTuple):
    """How often the same calls are made with other candidates."""

    most: float
    likely: float


def _quote_jobs(
    prices: _Prices, dearest: Sequence[Job], likely: Sequence[Job], times: _Times
) -> Quote:
    """Return the highest cost, of the dearest calls, and the likely cost, of likely ones."""
    bound = prices.quote(dearest)
    return bound.model_copy(
        update={
            "calls": round(bound.calls * times.most),
            "reused": 0,  # the candidates are new, so no answer of theirs is kept
            "usd_most": bound.usd_most * times.most,
            "usd_likely": prices.quote(likely).usd_likely * times.likely,
        }
    )


def _quote_candidates(
    prices: _Prices,
    evaluator: CandidateEvaluator,
    pair: _QuotedPair,
    cases: Cases,
    times: _Times,
) -> Quote:
    """Return the cost of asking new candidates about some cases."""
    dearest = prices.jobs(evaluator, pair.dearest, cases)
    likely = prices.jobs(evaluator, pair.likely, cases)
    return _quote_jobs(prices, dearest, likely, times)


def _quote_draws(
    search: Search, start: PromptCandidate, draws: int, prices: _Prices
) -> Quote:
    """Return the cost of some draws from a candidate: its moves, and the texts written for it."""
    evaluator = search.evaluator
    request = evaluator.request
    taught = request.taught
    # a search likely ends at its plateau before its last draw, and a draw skips calls that can't help
    likely_draws = min(draws, max(1, LIKELY_DRAWS - len(search.draws)))
    tried_draws = likely_draws * _TRIED_PART
    moved = _moved_pair(start, evaluator.plan)
    of_moves = _Times(most=draws * MOVES, likely=tried_draws * MOVES)
    parts = [_quote_candidates(prices, evaluator, moved, taught, of_moves)]
    if request.writes:
        dearest, likely = writing_jobs(request, start)
        of_writing = _Times(most=draws * STEPS, likely=likely_draws * STEPS)
        parts.append(_quote_jobs(prices, [dearest], [likely], of_writing))
        rewritten = _rewritten_pair(start, evaluator.plan)
        of_texts = _Times(most=draws * STEPS, likely=tried_draws * STEPS)
        parts.append(_quote_candidates(prices, evaluator, rewritten, taught, of_texts))
    return total(parts)


def _quote_finalists(
    search: Search, start: PromptCandidate, draws: int, prices: _Prices
) -> Quote:
    """Return the cost of the race of the best draws, and of the report on its winner."""
    evaluator = search.evaluator
    plan = evaluator.plan
    rewritten = _rewritten_pair(start, plan)
    of_race = _Times(
        most=min(FINALISTS, draws) * plan.repeats,
        likely=_LIKELY_FINALISTS * plan.repeats,
    )
    of_report = _Times(most=plan.repeats, likely=_LIKELY_GAINS * plan.repeats)
    race = _quote_candidates(prices, evaluator, rewritten, plan.select, of_race)
    report = _quote_candidates(prices, evaluator, rewritten, plan.report, of_report)
    return total([race, report])


_LIKELY_FINALISTS = 2.0  # searched arms that stay in the race to its end, roughly
_LIKELY_GAINS = 0.5  # how often one of them is reported on, beside the best prompt of the team's own


def _moved_pair(start: PromptCandidate, plan: LabPlan) -> _QuotedPair:
    """Return a candidate with the most examples among the settings to try, and with a middle number."""
    arms = _arms_by_examples(start, plan)
    middle = arms[len(arms) // 2]
    return _QuotedPair(
        dearest=PromptCandidate(arms[-1], start.prompt),
        likely=PromptCandidate(middle, start.prompt),
    )


def _rewritten_pair(start: PromptCandidate, plan: LabPlan) -> _QuotedPair:
    """Return a candidate with the longest text and the most examples, and one with a likely text."""
    base = start.prompt
    most = longest(base)
    likely = min(most, len(base.system.encode()) + _GROWN)
    most_examples = _arms_by_examples(start, plan)[-1]
    return _QuotedPair(
        dearest=PromptCandidate(most_examples, _prompt_of_size(base, most)),
        likely=PromptCandidate(start.arm, _prompt_of_size(base, likely)),
    )


def _arms_by_examples(start: PromptCandidate, plan: LabPlan) -> list[Arm]:
    """Return the settings that a draw may try, those with the most examples last."""
    arms = [start.arm.model_copy(update=move) for move in moves_from(start, plan)]
    return sorted((start.arm, *arms), key=lambda arm: arm.few_shot)


def _prompt_of_size(base: PromptVariant, size: int) -> PromptVariant:
    """Return a prompt with a text of some bytes, with the variables of its own text."""
    put_in = " ".join(f"{{{{ {name} }}}}" for name in variables(base.system))
    return base.model_copy(
        update={"name": "proposal", "system": put_in.ljust(size, "x")}
    )
