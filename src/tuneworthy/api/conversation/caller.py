"""Asks a model one thing after the other: through the ledger, under a cap, nothing paid twice."""

from __future__ import annotations

import asyncio
import re
from datetime import date
from types import TracebackType
from typing import Self

from tuneworthy.api.interrupt import stopped_by_user
from tuneworthy.api.lab import ledger_of, ledger_or_none
from tuneworthy.calls.choose import prices_of, transport_for
from tuneworthy.calls.endpoints import reach
from tuneworthy.calls.money import most_usd
from tuneworthy.calls.run import Job, Outcome, Runner
from tuneworthy.calls.transport import Transport
from tuneworthy.domain.calls import Request, Settled
from tuneworthy.domain.case import Case, Model
from tuneworthy.domain.conversation import ModelAnswer
from tuneworthy.domain.errors import InputError
from tuneworthy.gather.personal.mask import without_secrets
from tuneworthy.report.words import small_usd

RUN = "interview"
"""Name of the run in the ledger: all conversations about a case share one cap."""
_TIMEOUT_S = 90.0
_MOST_LOST = 2
_NO_SCHEMA = re.compile(r"HTTP 4(00|04|15|22)\b")


def model_named(case: Case, model_id: str) -> Model:
    """One of the case's models, or any other at its list price."""
    listed = (one for one in case.callable_models if one.id == model_id)
    return next(listed, None) or Model(id=model_id)


class Caller:
    """Keeps the line to a model open while a person talks; a context manager.

    Args:
        case: Whose ledger keeps the calls.
        model: Who is asked.
        cap_usd: The most that all conversations about the case may cost.
        as_of: The day, for the price.
        transport: What sends, in place of the model's own endpoint.

    Raises:
        InputError: If the model can't be reached.
    """

    def __init__(
        self, case: Case, model: Model, *, cap_usd: float, as_of: date,
        transport: Transport | None = None,
    ) -> None:  # fmt: skip
        self._case, self._model, self._cap = case, model, cap_usd
        self._price_of = prices_of((*case.models, model), as_of)
        self.place = reach(model)
        self._sends = transport or transport_for((self.place,), timeout_s=_TIMEOUT_S, at_once=1)
        self._loop = asyncio.Runner()
        self._lost = 0
        self.takes_schema = True
        """Whether the endpoint takes a schema, as far as is known."""
        self.over = ""
        """Why no more can be asked; empty while it can."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._loop.run(self._sends.close())
        finally:
            self._loop.close()

    def check(self, request: Request) -> None:
        """Refuse before the talk begins what could never be sent.

        Raises:
            InputError: If the model has no price, or one message may cost more than the cap.
        """
        price, name = self._price_of(request), self._model.id[:80]
        if price is None:
            fix = "list it under models with its usd_per_mtok; 0 is a price"
            raise InputError(f'"{name}" has no price', where="--model", fix=fix)
        most = most_usd(request, price) or 0.0
        if most > self._cap:
            what = f'one message to "{name}" may cost up to {small_usd(most)}'
            raise InputError(what, where="--budget", fix="give what all may cost, as --budget 1")

    def without_secrets(self, words: str) -> str:
        """What a person wrote, without keys, tokens and addresses: it is sent to somebody."""
        key = self.place.key
        if key is not None:
            words = key.hide(words)
        return without_secrets(words)

    def ask(self, request: Request) -> ModelAnswer:
        """Ask once; an answer that was paid for is taken from the ledger.

        Returns:
            The answer, or why there is none. After two in a row without, it is over.

        Raises:
            KeyboardInterrupt: If the user stopped it; what was on the wire was waited for and kept.
        """
        try:
            with ledger_of(self._case) as ledger:
                runner = Runner(
                    ledger, self._sends, self._price_of, run=RUN, cap_usd=self._cap, at_once=1
                )
                outcome = self._loop.run(_stoppable(runner, Job(request)))
        except InputError as caught:
            return self._none(str(caught))
        if outcome.stopped == "user":
            raise KeyboardInterrupt
        found = next(iter(outcome.settled.values()), None)
        if found is not None and found.status == "settled" and found.reply is not None:
            self._lost = 0
            return ModelAnswer(text=found.reply.text)
        if found is not None and self._without_schema(request, found):
            return self.ask(request.model_copy(update={"response_schema": None}))
        if outcome.stopped:
            self.over = outcome.why
            return ModelAnswer(over=outcome.why)
        return self._none(_why(found))

    def spent_usd(self) -> float:
        """What was paid and is held for conversations about the case."""
        try:
            with ledger_or_none(self._case) as ledger:
                spend = None if ledger is None else ledger.spend(RUN, self._cap)
        except InputError:  # it can't be read just now; what was asked is in it all the same
            return 0.0
        return 0.0 if spend is None else spend.paid + spend.held

    def _none(self, why: str) -> ModelAnswer:
        self._lost += 1
        if self._lost < _MOST_LOST:
            return ModelAnswer(lost=why)
        self.over = why
        return ModelAnswer(over=why)

    def _without_schema(self, request: Request, found: Settled) -> bool:
        """Whether to ask again without a schema, since the endpoint may know none."""
        refused = found.status == "failed" and _NO_SCHEMA.match(found.why) is not None
        if not refused or request.response_schema is None:
            return False
        self.takes_schema = False
        return True


async def _stoppable(runner: Runner, job: Job) -> Outcome:
    with stopped_by_user() as on_interrupt:
        on_interrupt(runner.stop)
        return await runner.all([job])


def _why(found: Settled | None) -> str:
    if found is None:
        return "it was not sent"
    if found.status == "in_doubt":
        return f"{found.why}; whether it was paid nobody knows, and it isn't sent again"
    return found.why
