"""A search for a better prompt: texts, examples, effort and constraint together, until a plateau.

docs/decisions/0012 says what a draw is, and docs/concepts/ceiling.md what a search may claim.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, Literal, NamedTuple

from tuneworthy.files.materials import variables
from tuneworthy.files.stores import FOLDER, PROPOSED
from tuneworthy.lab.plan import Cases, LabPlan, arms_with
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
    """Changes to the settings of a candidate, one at a time."""
    arm = start.arm
    setting = plan.setting
    moves: list[dict[str, Any]] = []
    for source, most in _EXAMPLES:
        if size := min(most, len(setting.pool)):
            moves.append({"few_shot": size, "few_shot_from": source})
    moves.append({"few_shot": 0, "few_shot_from": "none"})
    efforts = dict.fromkeys(
        other.effort for other in plan.arms if other.model == arm.model
    )
    moves += [{"effort": effort} for effort in efforts]
    if setting.schema is not None and arm.model not in setting.deciders:
        moves += [
            {"constrained": "schema"},
            {"constrained": start.prompt.constrained or "none"},
        ]
    distinct: list[dict[str, Any]] = []
    for move in moves:
        if move not in distinct and arm.model_copy(update=move) != arm:
            distinct.append(move)
    return distinct


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
        #: The best candidate found; the one it began with where nothing is better.
        self.reached = start
        self.value = 0.0  #: The share of right answers of what it came to.
        self.texts: GepaDraw | None = None
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
        """Whether a candidate is better. Half of the cases are enough if it is far behind on them.

        Far means by more than one case of the half.
        """
        evaluator = self._evaluator
        cases = evaluator.request.taught
        half = cases[: -(-len(cases) // 2)]
        if evaluator.score(moved, half) + 1 / len(half) < evaluator.score(
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
            stop = cut.args[0]
            if stop.by in ("user", "fault"):
                raise
            self.why = stop.why
        return self

    def _run(self) -> None:
        """Search in rounds from the best candidates until nothing gets better or the money ends."""
        evaluator = self.evaluator
        cases = evaluator.request.taught
        written = evaluator.written()
        scores = [evaluator.score(candidate) for candidate in written]
        order = sorted(range(len(written)), key=lambda place: -scores[place])
        self.parents = [written[place] for place in order[:PARENTS]]
        if evaluator.score(self.parents[0]) >= 1 - _SAME:
            self.why = f"the best prompt is right on all {len(cases)} cases that it learns from"
            self.over = True
            return
        while not self.over:
            best = self.best(PARENTS)
            before = evaluator.score(best[0])
            self.rounds += 1
            self._draw_round(best)
            if not self.is_spent and self.is_at_plateau(before):
                self.over = True
                self.ended = "plateau"

    @property
    def is_spent(self) -> bool:
        """Whether its draws were used up, or its model wrote nothing, before the plateau."""
        return self.over

    def is_at_plateau(self, before: float) -> bool:
        """Whether a whole round added less than the margin to the best score before it."""
        return max(self.values) < before + SEARCH_MARGIN

    def _draw_round(self, parents: Sequence[PromptCandidate]) -> None:
        """Draw from some parents in turn until the round reaches its plateau, or no draws are left."""
        evaluator = self.evaluator
        seed = evaluator.plan.seed
        queues: list[list[dict[str, Any]]] = []
        for place, parent in enumerate(parents):
            queue = moves_from(parent, evaluator.plan)
            random.Random(f"{seed} {self.rounds} {place}").shuffle(queue)  # noqa: S311  # no secret
            queues.append(queue)
        own = 0
        while own < ENOUGH_DRAWS or self._expects_gain():
            left = evaluator.request.draws - len(self.draws)
            size = min(_AT_A_TIME if own >= ENOUGH_DRAWS else ENOUGH_DRAWS - own, left)
            if size <= 0:
                self.why = f"its {len(self.draws)} draws ended before another was worth too little"
                self.over = True
                self.rounds -= own == 0
                return
            batch: list[SearchDraw] = []
            for place in range(own, own + size):
                turn = place % len(parents)
                moves = queues[turn][:MOVES]
                del queues[turn][:MOVES]
                number = len(self.draws) + len(batch)
                batch.append(SearchDraw(evaluator, parents[turn], number, moves))
            self._have_drawn(batch)
            own += size
            if self.over:
                return

    def _have_drawn(self, batch: Sequence[SearchDraw]) -> None:
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
        """Scores of the complete draws of the last round; none is below its starting score."""
        draws = [
            draw for draw in self.draws if draw.round == self.rounds and draw.whole
        ]
        if not draws:
            return [0.0]
        floor = max(self.evaluator.score(draw.start) for draw in draws)
        return [max(floor, draw.value) for draw in draws]

    def _expects_gain(self) -> bool:
        if self.over:
            return False
        gain = expected_gain(self.values)
        return gain is None or gain.value >= SEARCH_MARGIN

    def best(self, most: int) -> list[PromptCandidate]:
        """The best known candidates, each once; equal ones in their order."""
        distinct: dict[tuple[object, ...], PromptCandidate] = {}
        for candidate in (*self.parents, *(draw.reached for draw in self.draws)):
            distinct.setdefault(candidate.made_of, candidate)
        score = self.evaluator.score
        return sorted(distinct.values(), key=lambda each: -score(each))[:most]

    @property
    def finalists(self) -> list[PromptCandidate]:
        """The candidates that race: the best of those with a lead over every written prompt."""
        if not self.parents:
            return []
        plan = self.evaluator.plan
        least = self.evaluator.score(self.parents[0]) + _SAME
        raced = {
            PromptCandidate(arm, plan.setting.prompts[arm.prompt]).made_of
            for arm in plan.of_kind("prompt")
        }
        finalists = [
            candidate
            for candidate in self.best(len(self.draws))
            if candidate.made_of not in raced
            and self.evaluator.score(candidate) > least
        ]
        return finalists[:FINALISTS]

    @property
    def plateau(self) -> Gain | Unknown:
        """Gain that one more draw of the last round would bring, on the cases of the search."""
        cases = self.evaluator.request.taught
        gain = expected_gain(self.values) if self.draws else None
        if gain is None:
            return Unknown(
                ask=self.why or f"let it draw {ENOUGH_DRAWS} times or more: --propose"
            )
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
    """The plan of a search with its finalists as arms like any other."""
    plan = search.evaluator.plan
    setting = plan.setting
    names = (f"gepa-{number}" for number in count(1))
    free = (name for name in names if name not in setting.prompts)
    fresh: list[PromptVariant] = []
    arms: list[Arm] = []
    finalists = search.finalists
    for candidate in finalists:
        arm = candidate.arm
        if candidate.prompt.system != setting.prompts[arm.prompt].system:
            prompt = _kept_prompt(candidate, next(free))
            fresh.append(prompt)
            arm = arm.model_copy(update={"prompt": prompt.name})
        arms.append(arm)
    named = {arm.model: plan.named(arm.model) for arm in arms}
    every = arms_with(plan.arms, arms, named)
    own = every[len(plan.arms) :]
    setting = replace(
        setting, prompts={**setting.prompts, **{each.name: each for each in fresh}}
    )
    by_candidate = {each.made_of: arm for each, arm in zip(finalists, own, strict=True)}
    return SearchedPlan(
        replace(plan, arms=every, setting=setting), tuple(fresh), by_candidate
    )


def _kept_prompt(candidate: PromptCandidate, name: str) -> PromptVariant:
    """A new text with the settings of its search, so that its file is complete."""
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
    """The request and the outcome of a search, for the result."""
    request = search.evaluator.request
    if not search.parents:
        return Unknown(ask=search.why or "run it to its end")
    return Proposing(
        model=request.named,
        parents=tuple(parent.arm.id for parent in search.parents),
        shown=len(request.taught),
        draws=tuple(_describe_draw(draw, searched) for draw in search.draws),
        prompts=tuple(
            Proposed(
                name=p.name, text=p.system, file=f"{FOLDER}/{PROPOSED}/{p.name}.md"
            )
            for p in searched.prompts
        ),
    )


def _describe_draw(draw: SearchDraw, searched: SearchedPlan) -> Draw:
    """The record of one draw of the search."""
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
    """The cost of a search and of the lab after it, where the search was replayed from the ledger.

    Known calls count at their price. The rest counts at the most it can be, which for the search is
    at most its cap. ``of_plan`` prices a plan once its prompts are known.
    """
    evaluator = search.evaluator
    prices = _Prices(ledger, price_of)
    parts = [of_plan(plan_with(search).plan)]  # probes are among the calls of the race
    searching = [prices.quote(_first_jobs(evaluator, prices))]
    left = 0 if search.over else evaluator.request.draws - len(search.draws)
    if left:
        starts = search.best(PARENTS) if search.parents else evaluator.written()
        racing = [_quote_finalists(search, start, left, prices) for start in starts]
        searching.append(
            _largest([_quote_draws(search, start, left, prices) for start in starts])
        )
        parts.append(_largest(racing))
    whole = total(searching)
    most = min(whole.usd_most, own_cap(evaluator, ledger, price_of))
    parts.append(whole.model_copy(update={"usd_most": max(most, whole.usd_likely)}))
    return total(parts)


def own_cap(
    evaluator: CandidateEvaluator, ledger: Ledger | None, price_of: PriceOf
) -> float:
    """The most that a search may cost: as stated, else a multiple of its likely cost."""
    stated = evaluator.request.cap_usd
    if stated is not None:
        return stated
    prices = _Prices(ledger, price_of, anew=True)
    fresh = Search(evaluator)
    draws = evaluator.request.draws
    drawn = [
        _quote_draws(fresh, start, draws, prices).usd_likely
        for start in evaluator.written()
    ]
    first = prices.quote(_first_jobs(evaluator, prices))
    return CAP_TIMES * (first.usd_likely + max(drawn))


def _first_jobs(evaluator: CandidateEvaluator, prices: _Prices) -> list[Job]:
    """The calls of what is there, which a search begins from."""
    jobs: list[Job] = []
    for candidate in evaluator.written():
        jobs += prices.jobs(evaluator, candidate, evaluator.request.taught)
    return jobs


def _largest(quotes: Sequence[Quote]) -> Quote:
    return max(quotes, key=lambda each: (each.usd_most, each.calls))


def _quote_calls(
    prices: _Prices,
    most: Sequence[Job],
    usual: Sequence[Job],
    *,
    times: float,
    made: float,
) -> Quote:
    """The highest cost, of ``most`` calls ``times`` over, and the likely cost, of a ``made`` share."""
    bound = prices.quote(most)
    update = {
        "calls": round(bound.calls * times),
        "reused": 0,
        "usd_most": bound.usd_most * times,
        "usd_likely": prices.quote(usual).usd_likely * made,
    }
    return bound.model_copy(update=update)


def _quote_draws(
    search: Search, start: PromptCandidate, draws: int, prices: _Prices
) -> Quote:
    """The cost of some draws from a candidate, at most with texts of full length."""
    evaluator = search.evaluator
    request = evaluator.request
    plan = evaluator.plan
    taught = request.taught
    likely_draws = min(draws, max(1, LIKELY_DRAWS - len(search.draws)))
    made = likely_draws * _TRIED_PART
    dearest = PromptCandidate(_settings(start, plan, most=True), start.prompt)
    moved = PromptCandidate(_settings(start, plan, most=False), start.prompt)
    jobs = [prices.jobs(evaluator, each, taught) for each in (dearest, moved)]
    parts = [_quote_calls(prices, *jobs, times=draws * MOVES, made=made * MOVES)]
    if request.writes:
        most, usual = writing_jobs(request, start)
        times = {"times": draws * STEPS, "made": likely_draws * STEPS}
        parts.append(_quote_calls(prices, [most], [usual], **times))
        written = _written(start, plan)
        jobs = [prices.jobs(evaluator, each, taught) for each in written]
        parts.append(
            _quote_calls(prices, *jobs, times=draws * STEPS, made=made * STEPS)
        )
    return total(parts)


def _quote_finalists(
    search: Search, start: PromptCandidate, draws: int, prices: _Prices
) -> Quote:
    """The cost of the race of the best draws, and of the report on its winner."""
    evaluator = search.evaluator
    plan = evaluator.plan
    most = min(FINALISTS, draws) * plan.repeats
    written = _written(start, plan)
    parts = []
    for cases, times, made in (
        (plan.select, most, _LIKELY_FINALISTS * plan.repeats),
        (plan.report, plan.repeats, _LIKELY_GAINS * plan.repeats),
    ):
        jobs = [prices.jobs(evaluator, each, cases) for each in written]
        parts.append(_quote_calls(prices, *jobs, times=times, made=made))
    return total(parts)


_LIKELY_FINALISTS = 2.0  # found arms that stay in the race to its end, roughly
_LIKELY_GAINS = 0.5  # how often one of them is reported on, beside the best prompt of the team's own


def _written(
    start: PromptCandidate, plan: LabPlan
) -> tuple[PromptCandidate, PromptCandidate]:
    """A candidate with the longest text and the most examples, and one with a likely text."""
    base = start.prompt
    most = longest(base)
    likely = min(most, len(base.system.encode()) + _GROWN)
    arm = _settings(start, plan, most=True)
    return PromptCandidate(arm, _prompt_of_size(base, most)), PromptCandidate(
        start.arm, _prompt_of_size(base, likely)
    )


def _prompt_of_size(base: PromptVariant, size: int) -> PromptVariant:
    """A prompt with a text of some size, with the variables of its own text."""
    put_in = " ".join(f"{{{{ {name} }}}}" for name in variables(base.system))
    return base.model_copy(
        update={"name": "proposal", "system": put_in.ljust(size, "x")}
    )


def _settings(start: PromptCandidate, plan: LabPlan, *, most: bool) -> Arm:
    """The settings with the most examples among those to try, or the middle ones."""
    arms = [start.arm.model_copy(update=move) for move in moves_from(start, plan)]
    order = sorted((start.arm, *arms), key=lambda arm: arm.few_shot)
    return order[-1] if most else order[len(order) // 2]
