"""A way to train that a service owns: it takes a file, trains, and serves what came of it.

What services want of a job is data: ``api`` of a target. A job is found again by the name of the
file it learns from, so that one which may have begun is never paid twice.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import suppress
from typing import Any

from tuneworthy.errors import CaseError, one_line
from tuneworthy.llm.endpoints import Busy, Doubtful, NotSent, Refused, on_this_machine, reach
from tuneworthy.llm.http import Http, hidden, refusal_of
from tuneworthy.model.base import as_bytes
from tuneworthy.model.case import Model, TokenPrice
from tuneworthy.model.pilot import TrainingQuote, Way
from tuneworthy.model.training import TrainingExample
from tuneworthy.training.export import HostedJobs, Target, filled, refused, target, written
from tuneworthy.training.trainers import (
    Finished,
    Row,
    Step,
    TrainingFailedError,
    TrainingStoppedError,
    TrainingWork,
)
from tuneworthy.words import small_usd

_ID = re.compile(r"\w[\w:-]{0,199}")
PURPOSE, CANCELLED = "fine-tune", "cancelled"
_OK = frozenset({200, 201})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TOKENS_A_MESSAGE = 16  # what a chat template adds, generously
_PAGES, _PAGE = 50, 100  # of a list that is looked through
_PATIENCE = 60  # times in a row that a service may not say how a job is
_LOOKS = 4  # for a job that was asked for, before it surely never began
_TIMEOUT_S = 600.0  # a file takes its time


class HostedTrainer:
    """Trains and serves at the address of a model of the case, with that address's key.

    The ``service`` is whose jobs it takes, ``openai`` or ``together``. Prices are for a million
    tokens: those that are trained on, each epoch counted, and those of the tuned model. ``base`` is
    the base's name where the service trains it under another; ``every_s`` it looks at a job. To a
    host that is neither known nor ``confirmed`` nothing is sent.
    """

    way: Way = "hosted"
    at_once = 1

    def __init__(
        self,
        untuned: Model,
        service: str,
        *,
        usd_per_mtok: float,
        serving: TokenPrice,
        base: str = "",
        every_s: float = 15.0,
        confirmed: Collection[str] = (),
    ) -> None:
        self._untuned, self._service, self._every = untuned, service, every_s
        self._price, self._serving, self._reached = usd_per_mtok, serving, reach(untuned)
        self._base = base or self._reached.name
        self._confirmed = frozenset(confirmed)
        self._http = Http({}, timeout_s=_TIMEOUT_S, confirmed=self._confirmed)
        self._stopped = asyncio.Event()

    async def quote(self, works: Sequence[TrainingWork]) -> TrainingQuote:
        """Its runs; how long they take, services don't say before."""
        for work in works:
            self._lines(work)
        return TrainingQuote(jobs=len(works))

    def usd_most(self, work: TrainingWork) -> float:
        """No token has less than a byte, and every epoch is paid."""
        tokens = 0
        for row in work.rows:
            turns = [len(as_bytes(turn["content"])) + _TOKENS_A_MESSAGE for turn in row["messages"]]
            tokens += sum(turns)
            if worse := row.get("rejected"):  # both answers stand behind the whole prompt
                tokens += sum(turns[:-1]) + len(as_bytes(worse)) + _TOKENS_A_MESSAGE
        return tokens * work.recipe.epochs * self._price / 1e6

    async def begin(self, work: TrainingWork) -> str:
        """Send the file, then ask for the job, each once.

        Raises Doubtful only where the job may have begun, which no error of a server between rules
        out: a file alone is never paid.
        """
        (_, api), recipe = self._jobs(work), work.recipe
        try:
            file = await self._upload(work, api)
        except Doubtful as caught:
            raise Busy(str(caught)) from None
        values = {
            **recipe.model_dump(include={"epochs", "rank", "alpha", "dropout", "rate", "clip"}),
            "model": self._base,
            "file": file,
            "name": _name(work),
            "seed": work.job.seed,
        }
        try:
            return _id(await self._ask("POST", api.jobs, body=filled(api.body, values)))
        except Busy as caught:
            raise Doubtful(str(caught)) from None

    async def find(self, work: TrainingWork, over: Collection[str], *, patient: bool) -> str | None:
        """The job that learns from the file of this run, if there is one that didn't fail."""
        for looks in range(_LOOKS if patient else 1):
            if looks and await self._paused():
                raise Doubtful("stopped while it was looked for")
            if (id_ := await self._seen(work, over)) is not None:
                return id_
        return None

    async def _seen(self, work: TrainingWork, over: Collection[str]) -> str | None:
        _, api = self._jobs(work)
        name, failed = f"{_name(work)}.jsonl", {*api.failed} - {CANCELLED}
        listed = self._listed(f"files?purpose={PURPOSE}&")
        files = {_id(file) async for file in listed if file.get("filename") == name}
        if not files:
            return None
        async for job in self._listed(f"{api.jobs}?"):
            mine = str(job.get("training_file")) in files and str(job.get("id")) not in over
            if mine and str(job.get("status")) not in failed:
                return _id(job)
        return None

    async def finish(self, work: TrainingWork, id: str, step: Step) -> Finished:
        """Look at the job until it ends; one that is left alone goes on at its service."""
        (_, api), lost = self._jobs(work), 0
        while True:
            job: Row = {}
            try:
                job, lost = await self._ask("GET", f"{api.jobs}/{id}"), 0
            except (Busy, NotSent, Doubtful) as caught:
                lost += 1
                if lost > _PATIENCE:
                    raise TrainingStoppedError(f"the job can't be looked at: {caught}") from None
            status = str(job.get("status") or "unknown")[:40]
            if status in api.done:
                return self._finished(work, job, api.model, api.tokens)
            if status == CANCELLED:
                usd = self.usd_most(work)
                what = f"job {id} was cancelled at its service; the most it may have cost counts"
                raise TrainingFailedError(f"{what} as paid, {small_usd(usd)}", usd)
            if status in api.failed:
                raise TrainingFailedError(f"{status}: {hidden(_why(job), self._reached.key)}")
            step(f"{status} at the service")
            if await self._paused():
                raise TrainingStoppedError("stopped; the job goes on at its service")

    async def _paused(self) -> bool:
        """Wait a while; whether it was stopped meanwhile."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._every):
                await self._stopped.wait()
        return self._stopped.is_set()

    def served(self, model: str) -> Model:
        """Under its name at the address of the base, for the price that was given."""
        fields = {"id": model, "kind": "tuned", "usd_per_mtok": self._serving}
        return self._untuned.model_copy(update=fields)

    def stop(self) -> None:
        self._stopped.set()

    async def close(self) -> None:
        self._stopped = asyncio.Event()
        await self._http.close()
        self._http = Http({}, timeout_s=_TIMEOUT_S, confirmed=self._confirmed)

    def _finished(self, work: TrainingWork, job: Row, model: str, tokens: str) -> Finished:
        name, counted = job.get(model), job.get(tokens) if tokens else None
        if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= 200:
            raise TrainingStoppedError("the service doesn't name the model that it trained")
        usd = self.usd_most(work)
        if isinstance(counted, int) and counted > 0:
            usd = counted * self._price / 1e6
        provider, _, named = self._untuned.id.partition(":")
        return Finished(f"{provider if named else 'tuned'}:{name}", usd)

    def _jobs(self, work: TrainingWork) -> tuple[Target, HostedJobs]:
        """The target of a run, and its jobs; a CaseError where nothing is known of them."""
        to = target(f"{self._service}-{work.recipe.method}")
        if to.api is None:
            fix = "name one of openai and together, or train elsewhere: tuneworthy export"
            raise CaseError(f"no jobs of {to.title} are known", where="--service", fix=fix)
        return to, to.api

    # The wire.

    def _lines(self, work: TrainingWork) -> bytes:
        (to, _), lines = self._jobs(work), []
        for row in work.rows:
            fields = {"id": "row", "messages": row["messages"], "rejected": row.get("rejected", "")}
            example = TrainingExample.model_validate(fields)
            if why := next(refused(example, to), ""):
                raise TrainingFailedError(f"{to.title} would refuse an example: it {why}")
            lines.append(json.dumps(written(example, to), ensure_ascii=False) + "\n")
        if len(lines) < to.least:
            raise TrainingFailedError(f"{to.title} takes {to.least} examples or more")
        return as_bytes("".join(lines))

    async def _upload(self, work: TrainingWork, api: HostedJobs) -> str:
        text, name = self._lines(work), f"{_name(work)}.jsonl"
        if api.upload == "form":
            return _id(await self._ask("POST", "files", {"purpose": PURPOSE, "file": (name, text)}))
        form = {"purpose": PURPOSE, "file_name": name, "file_type": "jsonl"}
        form["checksum"] = hashlib.sha256(text).hexdigest()
        key = self._reached.key
        url = f"{self._reached.base_url}/files"
        status, headers, raw = await self._http.exchange("POST", url, key, data=form)
        place, file = headers.get("Location", ""), headers.get("X-Together-File-Id", "")
        if status not in _REDIRECTS:
            raise self._refusal(status, headers.get("Retry-After", ""), raw)
        here = _own(self._reached.base_url) and _own(place)
        if not _ID.fullmatch(file) or not (place.startswith("https://") or here):
            raise Refused("it names no safe place to put the file")
        status, _, raw = await self._http.exchange("PUT", place, None, data=text, vouched=True)
        if status not in _OK:
            raise self._refusal(status, "", raw)
        await self._ask("POST", f"files/{file}/preprocess")
        return file

    async def _listed(self, path: str) -> AsyncIterator[Row]:
        """Everything of a list, page by page."""
        after = ""
        for _ in range(_PAGES):
            page = await self._ask("GET", f"{path}limit={_PAGE}{after}")
            data = page.get("data")
            listed = data if isinstance(data, list) else []
            rows = [row for row in listed if isinstance(row, dict)]
            for row in rows:
                yield row
            if not rows or page.get("has_more") is not True:
                return
            after = f"&after={_id(rows[-1])}"
        raise Doubtful("it lists too much to look through")

    async def _ask(
        self, method: str, path: str, data: Any = None, *, body: Row | None = None
    ) -> Row:
        """An answer that is a JSON object."""
        key, headers = self._reached.key, {}
        if body is not None:
            data, headers = json.dumps(body).encode(), {"Content-Type": "application/json"}
        url = f"{self._reached.base_url}/{path}"
        status, said, raw = await self._http.exchange(method, url, key, data=data, headers=headers)
        if status not in _OK:
            raise self._refusal(status, said.get("Retry-After", ""), raw)
        try:
            answer = json.loads(raw)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise Doubtful("the answer can't be read")
        return answer

    def _refusal(self, status: int, retry_after: str, raw: bytes) -> Exception:
        text = hidden(raw.decode("utf-8", "replace"), self._reached.key)
        return refusal_of(status, retry_after, text, known=True)


def _name(work: TrainingWork) -> str:
    return f"tuneworthy-{work.job.key[:20]}"


def _own(place: str) -> bool:
    try:
        return on_this_machine(place)
    except CaseError:
        return False


def _id(answer: Any) -> str:
    id_ = answer.get("id") if isinstance(answer, dict) else None
    if not isinstance(id_, str) or not _ID.fullmatch(id_):
        raise Doubtful("the answer has no id")
    return id_


def _why(job: Row) -> str:
    error = job.get("error")
    text = error.get("message") if isinstance(error, dict) else error
    return one_line(text[:2000], limit=200) if isinstance(text, str) and text else "no reason given"
