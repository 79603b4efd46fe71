"""Training by a service, which takes a file, trains, and serves the result.

The interface of a service's jobs is data: ``api`` of a target. A job is recognized by the name of
its file, so that one which may have begun is never paid twice.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from tuneworthy.errors import CaseError, one_line
from tuneworthy.llm.endpoints import (
    Busy,
    CallError,
    Doubtful,
    NotSent,
    Refused,
    on_this_machine,
    reach,
)
from tuneworthy.llm.http import Http, HttpAnswer, hidden, refusal_of
from tuneworthy.model.base import TOKENS_PER_MTOK, as_bytes
from tuneworthy.model.case import Model, TokenPrice
from tuneworthy.model.pilot import TrainingQuote, Way
from tuneworthy.model.training import TrainingExample
from tuneworthy.training.export import (
    TRUTH,
    HostedJobs,
    Target,
    filled,
    refused,
    target,
    written,
)
from tuneworthy.training.lora import WARMUP
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
PURPOSE = "fine-tune"
SERVICES = ("openai", "azure", "together", "fireworks")  #: Whose jobs can be asked for.
_OK = frozenset({200, 201})
_EXISTS = "HTTP 409"  # how the refusal of something that exists already begins
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TOKENS_A_MESSAGE = 16  # what a chat template adds, generously
_PAGES = 50  # pages of a list of jobs that are looked through
_PAGE = 100  # entries of a page
_PATIENCE = 60  # times in a row that a service may fail to report a job
_LOOKS = 4  # looks for a requested job before it counts as never begun
_TIMEOUT_S = 600.0  # a file takes its time
_TRIES = 5  # attempts to send to a service that is broken
# attempts to request a job that failed at the server and isn't listed
_TRIES_IN_DOUBT = 3
# the longest pause before the next attempt, whatever the service asks for
_LONGEST_WAIT_S = 300.0
_FULL = 429  # HTTP's status of too many requests
_SPENT = ("insufficient_quota", "billing_hard_limit")  # a 429 that no waiting cures


class ServiceFull(Busy):
    """The service takes no more for now, and surely began nothing: its jobs or requests are full."""


class HostedTrainer:
    """Trains and serves at the address of a model of the case, with that address's key.

    ``service`` is the service of the jobs, one of ``SERVICES``; one that is compatible with OpenAI
    has a base model with a ``base_url``. Prices are for a million tokens: of trained tokens,
    counted in each epoch, and of the tuned model. ``base`` is the base's name in training if it
    differs, and ``account`` the account's name if addresses hold it. It looks at a job every
    ``every_s`` seconds, and ``at_once`` jobs run in parallel, by default as many as the service is
    known to run. Nothing is sent to a host that is neither known nor ``confirmed``.
    """

    way: Way = "hosted"

    def __init__(
        self,
        untuned: Model,
        service: str,
        *,
        usd_per_mtok: float,
        serving: TokenPrice,
        base: str = "",
        account: str = "",
        at_once: int | None = None,
        every_s: float = 15.0,
        confirmed: Collection[str] = (),
    ) -> None:
        self.usd_per_mtok = usd_per_mtok
        self._untuned = untuned
        self._service = service
        self._every = every_s
        self._serving = serving
        self._reached = reach(untuned)
        self._account = account
        self._base = base or self._reached.name
        # every method of a service has the same interface, and every service has this one
        api = target(f"{service}-sft").api
        if api is None:  # an error when the first job is asked for
            self.at_once = at_once or 1
            self._address = self._reached.base_url
        else:
            self.at_once = at_once or api.at_once
            self._address = self._jobs_address(api)
        self._failed_runs: frozenset[str] = frozenset()  # ids that a job mustn't have
        self._confirmed = frozenset(confirmed)
        self._http = Http({}, timeout_s=_TIMEOUT_S, confirmed=self._confirmed)
        self._stopped = asyncio.Event()

    async def open(self) -> None:
        """Do nothing, as the service serves its models itself."""

    async def quote(self, works: Sequence[TrainingWork]) -> TrainingQuote:
        """The number of runs. Services don't say their duration beforehand."""
        for work in works:
            self._lines(work)
        return TrainingQuote(jobs=len(works))

    def usd_most(self, work: TrainingWork) -> float:
        """Compute the most that a run can cost: each byte counts as a token in every epoch."""
        tokens = sum(_most_tokens(row) for row in work.rows)
        return tokens * work.recipe.epochs * self.usd_per_mtok / TOKENS_PER_MTOK

    async def begin(self, work: TrainingWork) -> str:
        """Send the file, then request the job; both again where the service is full or broken.

        Before another request, it looks for a job that may have begun. Raises Doubtful where no
        answer came and no job is listed. A file without a job costs nothing.
        """
        api = self._jobs(work)
        file = await self._send_file(work, api)
        body = self._job_body(work, api, file)
        tries = 0
        while True:
            try:
                return _id_of(await self._ask("POST", api.jobs, body=body), api.id)
            except (ServiceFull, NotSent) as caught:  # it says that nothing began
                why: CallError = caught
                most_tries = _PATIENCE
            except (Busy, Doubtful) as caught:  # the job may have begun
                job = await self.find(work, self._failed_runs, patient=True)
                if job is not None:
                    return job
                why = Doubtful(str(caught))
                # without an answer, asking again could begin, and cost, a second job
                most_tries = _TRIES_IN_DOUBT if isinstance(caught, Busy) else 1
            tries += 1
            if tries >= most_tries or await self._wait_for_try(why, tries):
                raise why

    def _job_body(self, work: TrainingWork, api: HostedJobs, file: str) -> Any:
        """The body of a request for a job, in the service's form."""
        recipe = work.recipe
        values: dict[str, Any] = {
            "epochs": recipe.epochs,
            "rank": recipe.rank,
            "alpha": recipe.alpha,
            "dropout": recipe.dropout,
            "rate": recipe.rate,
            "clip": recipe.clip,
            "warmup_ratio": WARMUP,
            "model": self._base,
            "file": file,
            "name": _name(work),
            "seed": work.job.seed,
            "dataset": f"accounts/{self._account}/datasets/{file}",
            **TRUTH,
        }
        return filled(api.body, values)

    async def _send_file(self, work: TrainingWork, api: HostedJobs) -> str:
        """Send the file, again if that failed, and return its id. A file alone costs nothing."""
        tries = 0
        while True:
            try:
                file = await self._upload(work, api)
                await self._until_ready(file, api)
            except (Busy, Doubtful, NotSent) as caught:
                tries += 1
                if tries >= _TRIES or await self._wait_for_try(caught, tries):
                    raise Busy(str(caught)) from None
            else:
                return file

    async def _until_ready(self, file: str, api: HostedJobs) -> None:
        """Wait until a file can be used, if the service checks it first."""
        if not api.ready:
            return
        for _ in range(_PATIENCE):
            answer = await self._ask("GET", f"{api.files}/{file}")
            status = str(answer.get(api.status) or "")[:40]
            if status in api.ready:
                return
            if status in ("error", "failed"):
                why = hidden(_why(answer), self._reached.key)
                raise Refused(f"the file isn't taken: {why}")
            if await self._pause():
                raise Busy("stopped while the file was looked at")
        raise Busy("the file isn't ready yet")

    async def _wait_for_try(self, why: CallError, tries: int) -> bool:
        """Wait for the next try, as long as the service asks, or twice as long each time.

        Returns whether it was stopped meanwhile.
        """
        wait_s = why.retry_after_s if isinstance(why, Busy) else None
        if wait_s is None:
            doublings = min(tries - 1, 4)
            wait_s = self._every * 2**doublings
        return await self._pause(min(wait_s, _LONGEST_WAIT_S))

    async def find(
        self, work: TrainingWork, over: Collection[str], *, patient: bool
    ) -> str | None:
        """Find the job with the file of this run that didn't fail; None where there is none."""
        # another request of a job looks past the same failed ones
        self._failed_runs = self._failed_runs | frozenset(over)
        for looks in range(_LOOKS if patient else 1):
            if looks > 0 and await self._pause():
                raise Doubtful("stopped while it was looked for")
            job = await self._find_job(work, over)
            if job is not None:
                return job
        return None

    async def _find_job(self, work: TrainingWork, over: Collection[str]) -> str | None:
        """The job of this run in the service's list, unless it failed or is in ``over``.

        A cancelled job counts: it may have cost something.
        """
        api = self._jobs(work)
        failed = set(api.failed) - set(api.cancelled)
        files = await self._files(work, api)
        if not files:
            return None
        async for job in self._list_all(f"{api.jobs}?", api):
            is_of_run = _last(job.get(api.file)) in files
            is_over = _last(job.get(api.id)) in over
            has_failed = str(job.get(api.status)) in failed
            if is_of_run and not is_over and not has_failed:
                return _id_of(job, api.id)
        return None

    async def _files(self, work: TrainingWork, api: HostedJobs) -> set[str]:
        """Ids of all files that were sent for a run."""
        if api.upload == "dataset":
            return {_name(work)}
        name = f"{_name(work)}.jsonl"
        listed = self._list_all(f"{api.files}?purpose={PURPOSE}&", api)
        return {_id_of(file) async for file in listed if file.get("filename") == name}

    async def finish(self, work: TrainingWork, id: str, step: Step) -> Finished:
        """Look at the job until it ends. Without anybody looking, it continues at its service."""
        api = self._jobs(work)
        lost_in_a_row = 0
        while True:
            job: Row = {}
            try:
                job = await self._ask("GET", f"{api.jobs}/{id}")
                lost_in_a_row = 0
            except (Busy, NotSent, Doubtful) as caught:
                lost_in_a_row += 1
                if lost_in_a_row > _PATIENCE:
                    raise TrainingStoppedError(
                        f"the job can't be looked at: {caught}"
                    ) from None
            status = str(job.get(api.status) or "unknown")[:40]
            if status in api.done:
                return self._finished(work, job, api)
            self._raise_if_over(work, job, api, id, status)
            step(f"{_status_words(status)} at the service")
            if await self._pause():
                raise TrainingStoppedError("stopped; the job goes on at its service")

    def _raise_if_over(
        self, work: TrainingWork, job: Row, api: HostedJobs, id: str, status: str
    ) -> None:
        """Raise TrainingFailedError for a job that was cancelled, or failed."""
        if status in api.cancelled:
            usd = self.usd_most(work)
            what = f"job {id} was cancelled at its service; the most it may have cost counts"
            raise TrainingFailedError(f"{what} as paid, {small_usd(usd)}", usd)
        if status in api.failed:
            why = hidden(_why(job), self._reached.key)
            raise TrainingFailedError(f"{_status_words(status)} at its service: {why}")

    async def _pause(self, seconds: float | None = None) -> bool:
        """Wait some seconds, by default the time between two looks; returns whether it was stopped."""
        wait = self._every if seconds is None else seconds
        with suppress(TimeoutError):  # the time is over, and nobody stopped it
            async with asyncio.timeout(wait):
                await self._stopped.wait()
        return self._stopped.is_set()

    def is_kept(self, *_: Any) -> bool:
        """Whether its service has a trained model: it says so itself when it is called."""
        return True

    def served(self, model: str) -> Model:
        """The trained model at the address of the base, with the given price."""
        fields = {"id": model, "kind": "tuned", "usd_per_mtok": self._serving}
        return self._untuned.model_copy(update=fields)

    def stop(self) -> None:
        self._stopped.set()

    async def close(self) -> None:
        self._stopped = asyncio.Event()
        await self._http.close()
        self._http = Http({}, timeout_s=_TIMEOUT_S, confirmed=self._confirmed)

    def _finished(self, work: TrainingWork, job: Row, api: HostedJobs) -> Finished:
        """The model of a finished job, and its cost: by counted tokens, else the most."""
        name = _name(work) if api.served_as == "job" else job.get(api.model)
        if not isinstance(name, str) or not _is_model_name(name):
            raise TrainingStoppedError(
                "the service doesn't name the model that it trained"
            )
        usd = self.usd_most(work)
        tokens = job.get(api.tokens) if api.tokens else None
        if isinstance(tokens, int) and tokens > 0:
            usd = tokens * self.usd_per_mtok / TOKENS_PER_MTOK
        provider, colon, _ = self._untuned.id.partition(":")
        if not colon:  # an id without a provider, at an address of its own
            provider = "tuned"
        return Finished(f"{provider}:{name}", usd)

    def _target(self, work: TrainingWork) -> Target:
        """The target that learns by the run's method at this service."""
        return target(f"{self._service}-{work.recipe.method}")

    def _jobs(self, work: TrainingWork) -> HostedJobs:
        """The interface of the service's jobs; a CaseError for an unknown one."""
        to = self._target(work)
        if to.api is None:
            names = ", ".join(SERVICES)
            fix = f"name one of {names}, or train elsewhere: tuneworthy export"
            raise CaseError(
                f"no jobs of {to.title} are known", where="--service", fix=fix
            )
        return to.api

    def _jobs_address(self, api: HostedJobs) -> str:
        """The address of jobs, at the host of the models, whose key it takes.

        Raises CaseError where the address needs the account's name and none is given.
        """
        address = self._reached.base_url
        if api.place is None:
            return address
        before, after = api.place
        if "$account" in after and not re.fullmatch(r"[\w-]{1,100}", self._account):
            fix = "name it: --account NAME"
            raise CaseError(
                "needs the name of your account there", where="--service", fix=fix
            )
        return address.removesuffix(before) + after.replace("$account", self._account)

    # The wire.

    def _lines(self, work: TrainingWork) -> bytes:
        """The content of a run's file; TrainingFailedError where the service would refuse it."""
        to = self._target(work)
        lines = []
        for row in work.rows:
            fields = {
                "id": "row",  # the file has no ids
                "messages": row["messages"],
                "rejected": row.get("rejected", ""),
            }
            example = TrainingExample.model_validate(fields)
            reasons = list(refused(example, to))
            if reasons:
                raise TrainingFailedError(
                    f"{to.title} would refuse an example: it {reasons[0]}"
                )
            lines.append(json.dumps(written(example, to), ensure_ascii=False) + "\n")
        if len(lines) < to.least:
            raise TrainingFailedError(f"{to.title} takes {to.least} examples or more")
        return as_bytes("".join(lines))

    async def _upload(self, work: TrainingWork, api: HostedJobs) -> str:
        """Send the file of a run in its service's way, and return its id."""
        text = self._lines(work)
        name = f"{_name(work)}.jsonl"
        if api.upload == "form":
            form = {"purpose": PURPOSE, "file": (name, text)}
            return _id_of(await self._ask("POST", api.files, form))
        if api.upload == "dataset":
            return await self._upload_dataset(_name(work), text, api)
        file, place = await self._place_for_file(name, text, api)
        # without the key: the place is another host, and its address alone lets it in
        answer = await self._http.exchange("PUT", place, None, data=text, vouched=True)
        if answer.status not in _OK:
            raise self._refusal(answer)
        # the service looks at the file only after this
        await self._ask("POST", f"{api.files}/{file}/preprocess")
        return file

    async def _place_for_file(
        self, name: str, text: bytes, api: HostedJobs
    ) -> tuple[str, str]:
        """The id of a new file, and the address to which the service redirects its bytes.

        Raises Refused where that address is neither encrypted nor on this machine, as in a test.
        """
        form = {
            "purpose": PURPOSE,
            "file_name": name,
            "file_type": "jsonl",
            "checksum": hashlib.sha256(text).hexdigest(),
        }
        answer = await self._http.exchange(
            "POST", f"{self._address}/{api.files}", self._reached.key, data=form
        )
        if answer.status not in _REDIRECTS:
            raise self._refusal(answer)
        place = answer.headers.get("Location", "")
        file = answer.headers.get("X-Together-File-Id", "")
        is_local = _is_own_machine(self._reached.base_url) and _is_own_machine(place)
        is_safe = place.startswith("https://") or is_local
        if not is_safe or not _ID.fullmatch(file):
            raise Refused("it names no safe place to put the file")
        return file, place

    async def _upload_dataset(self, name: str, text: bytes, api: HostedJobs) -> str:
        """Make a data set with the lines; an existing one is filled again."""
        dataset = {
            "exampleCount": str(text.count(b"\n")),
            "userUploaded": {},
            "format": "CHAT",
        }
        body = {"datasetId": name, "dataset": dataset}
        try:
            await self._ask("POST", api.files, body=body)
        except (Busy, Refused) as caught:
            if not str(caught).startswith(_EXISTS):
                raise
        form = {"file": (f"{name}.jsonl", text)}
        await self._ask("POST", f"{api.files}/{name}:upload", form)
        return name

    async def _list_all(self, path: str, api: HostedJobs) -> AsyncIterator[Row]:
        """Yield all items of a list, page by page.

        ``path`` ends where a parameter of the address may follow.
        """
        after = ""
        # OpenAI's form of a list is in "data", Google's has page tokens
        size = "limit" if api.listed == "data" else "pageSize"
        for _ in range(_PAGES):
            page = await self._ask("GET", f"{path}{size}={_PAGE}{after}")
            data = page.get(api.listed)
            listed = data if isinstance(data, list) else []
            rows = [row for row in listed if isinstance(row, dict)]
            for row in rows:
                yield row
            token = page.get("nextPageToken")
            if isinstance(token, str) and token:
                after = f"&pageToken={quote(token[:500], safe='')}"
            elif rows and page.get("has_more") is True:
                after = f"&after={_id_of(rows[-1], api.id)}"
            else:
                return
        raise Doubtful("it lists too much to look through")

    async def _ask(
        self, method: str, path: str, data: Any = None, *, body: Row | None = None
    ) -> Row:
        """Send a request, and return the JSON object of the answer.

        ``data`` is a form, ``body`` an object to be sent as JSON.
        """
        headers = {}
        if body is not None:
            data = json.dumps(body).encode()
            headers = {"Content-Type": "application/json"}
        url = f"{self._address}/{path}"
        answer = await self._http.exchange(
            method, url, self._reached.key, data=data, headers=headers
        )
        if answer.status not in _OK:
            raise self._refusal(answer)
        try:
            parsed = json.loads(answer.body)
        except (ValueError, RecursionError):
            parsed = None
        if not isinstance(parsed, dict):
            raise Doubtful("the answer can't be read")
        return parsed

    def _refusal(self, answer: HttpAnswer) -> Exception:
        """The error for a failed answer: a full service frees up, an empty account doesn't."""
        body = answer.body.decode("utf-8", "replace")
        text = hidden(_error_text(body), self._reached.key)
        retry_after = answer.headers.get("Retry-After", "")
        refusal = refusal_of(answer.status, retry_after, text, known=True)
        if answer.status != _FULL:
            return refusal
        if any(word in body for word in _SPENT):
            return Refused(str(refusal), for_all=True)
        wait_s = refusal.retry_after_s if isinstance(refusal, Busy) else None
        return ServiceFull(str(refusal), wait_s)


def takes_rate(service: str, method: str) -> bool:
    """Whether a service takes a learning rate, or sets it itself."""
    api = target(f"{service}-{method}").api
    return api is not None and "$rate" in api.body.values()


def _most_tokens(row: Row) -> int:
    """The most tokens of an example that a service may count in an epoch."""
    *before, answer = [
        len(as_bytes(turn["content"])) + _TOKENS_A_MESSAGE for turn in row["messages"]
    ]
    tokens = sum(before) + answer
    worse = row.get("rejected")
    if worse:  # both answers stand behind the whole prompt
        tokens += sum(before) + len(as_bytes(worse)) + _TOKENS_A_MESSAGE
    return tokens


def _name(work: TrainingWork) -> str:
    """The name by which a run's file and job are recognized."""
    return f"tuneworthy-{work.job.key[:20]}"


def _is_own_machine(place: str) -> bool:
    """Whether an address is on this machine; False for an invalid one."""
    try:
        return on_this_machine(place)
    except CaseError:
        return False


def _last(name: Any) -> str:
    """The last part of a name such as ``accounts/me/datasets/mine``."""
    *_, last = str(name).split("/")
    return last


def _id_of(answer: Any, field: str = "id") -> str:
    """The id in an answer; raises Doubtful without one that is safe in an address."""
    name = answer.get(field) if isinstance(answer, dict) else None
    if not isinstance(name, str) or not _ID.fullmatch(_last(name)):
        raise Doubtful("the answer has no id")
    return _last(name)


def _is_model_name(name: str) -> bool:
    return name.isprintable() and 0 < len(name) <= 200


def _status_words(status: str) -> str:
    """A state in words, such as ``running`` for JOB_STATE_RUNNING."""
    return status.removeprefix("JOB_STATE_").replace("_", " ").lower()


def _error_text(body: str) -> str:
    """The reason in a refusal's JSON; the whole body without one."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return body
    why = _why(answer) if isinstance(answer, dict) else ""
    return body if why in ("", _NO_REASON) else why


_NO_REASON = "no reason given"


def _why(job: Row) -> str:
    """The reason of a job's or an answer's failure, on one line."""
    error = job.get("error") or job.get("status") or job.get("message")
    text = error.get("message") if isinstance(error, dict) else error
    if not isinstance(text, str) or not text.strip():
        return _NO_REASON
    if text == job.get("status"):  # a state such as "failed" gives no reason
        return _NO_REASON
    return one_line(text[:2000], limit=200).rstrip(".")
