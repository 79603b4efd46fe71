"""A model that judges a lab's outputs: which one, by what rubric, and what people have said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from tuneworthy.calls.choose import prices_of
from tuneworthy.calls.endpoints import Reached, reach
from tuneworthy.domain.calls import ChatMessage, Request
from tuneworthy.domain.case import Case, Model, TokenPrice
from tuneworthy.domain.errors import CaseError, InputError
from tuneworthy.domain.evalset import EvalCase
from tuneworthy.domain.judging import JudgePlan
from tuneworthy.domain.labels import digest_of
from tuneworthy.files.disk import MIB, read_text
from tuneworthy.files.labels import ADJUDICATED, read_labels
from tuneworthy.labs.judging import Judging, Said
from tuneworthy.scoring import Kit
from tuneworthy.scoring.judge import make

LABELS = 50
"""Cases of a part that people label where nothing else is said."""
SCALE = "yes-no"
"""What people say of an output for a lab: a target is a share of cases, each a yes or a no."""


@dataclass(frozen=True, slots=True)
class JudgeAsked:
    """The judge that somebody names."""

    rubric: str | Path
    """File with what an output has to meet."""
    model: str
    """One of the case's models, or another."""
    base_url: str = ""
    """Where another is served; empty for its provider's usual address."""
    usd_per_mtok: tuple[float, float] | None = None
    """Price of another for input and output; its list price where it isn't given."""
    labels: int = LABELS
    """Cases of a part on which people's word counts."""


def judging_of(
    case: Case, asked: JudgeAsked, *, seed: int, max_tokens: int, as_of: date
) -> Judging:  # fmt: skip
    """A judge that can be asked, with the labels that are there.

    Raises:
        InputError: If the rubric can't be read, or nobody knows the judge's address or price.
    """
    text = rubric_text(asked.rubric)
    model = _model(case, asked)
    place = reach(model)
    if _price_missing(case, model, place, as_of):
        fix = "give its price in USD for a million tokens: --judge-price IN OUT; 0 is a price"
        raise InputError(f'"{model.id[:80]}" has no price', where="--judge-model", fix=fix)
    plan = JudgePlan(
        model=model.id, base_url=asked.base_url, file=Path(asked.rubric).name,
        rubric=digest_of(text, SCALE), labels=asked.labels, seed=seed, max_tokens=max_tokens,
    )  # fmt: skip
    judge = make({"rubric": text}, Kit())
    said = people_said(case, plan.rubric)
    return Judging(judge, place, model, plan, said, given=str(asked.rubric))


def rubric_text(path: str | Path) -> str:
    """A rubric as it is shown and asked by.

    Raises:
        InputError: If it can't be read, or nothing stands in it.
    """
    text = read_text(Path(path), MIB, CaseError).strip()
    if not text:
        raise CaseError("holds no rubric", where=str(path), fix="write what an output has to meet")
    return text


def people_said(case: Case, rubric: str) -> Said:
    """What people say of outputs: what was settled, else the mean of all who labelled it."""
    given: dict[tuple[str, str], list[float]] = {}
    settled: dict[tuple[str, str], float] = {}
    for name, labels in read_labels(case).items():
        last = {(one.case, one.output, one.rubric): one for one in labels}
        for one in last.values():
            if one.task == "rubric" and one.rubric == rubric and one.value in ("yes", "no"):
                key, value = (one.case, one.output), float(one.value == "yes")
                if name == ADJUDICATED:
                    settled[key] = value
                else:
                    given.setdefault(key, []).append(value)
    return {key: sum(said) / len(said) for key, said in given.items()} | settled


def refuse_judge_checks(cases: Sequence[EvalCase], metric: str) -> None:
    """A judge among the checks of a set would be asked by nobody.

    Raises:
        CaseError: If there is one.
    """
    among = [one.id for one in cases if any(check.scorer == "judge" for check in one.checks)]
    if among or metric.strip().casefold() == "judge":
        where = f"case {among[0][:60]}" if among else "targets.quality.metric"
        fix = "name it for the whole lab: --judge RUBRIC --judge-model MODEL"
        raise CaseError("names a judge, which needs a model and people's labels",
                        where=where, fix=fix)  # fmt: skip


def _model(case: Case, asked: JudgeAsked) -> Model:
    known = next((one for one in case.callable_models if one.id == asked.model), None)
    more = asked.base_url or asked.usd_per_mtok is not None
    if known is not None and more:
        fix = "leave out --judge-url and --judge-price, or name another model"
        what = f'"{asked.model[:80]}" is a model of the case, with its own address and price'
        raise InputError(what, where="--judge-model", fix=fix)
    if known is not None:
        return known
    told: dict[str, object] = {"id": asked.model, "base_url": asked.base_url or None}
    if asked.usd_per_mtok is not None:
        read, wrote = asked.usd_per_mtok
        told["usd_per_mtok"] = TokenPrice(input=read, output=wrote)
    try:
        return Model.model_validate(told)
    except ValueError:
        fix = "give an address that starts with https:// or http://, without a key"
        raise InputError("has an address that is none", where="--judge-url", fix=fix) from None


def _price_missing(case: Case, model: Model, place: Reached, as_of: date) -> bool:
    request = Request(
        provider=place.provider, base_url=place.base_url, model=place.name,
        messages=(ChatMessage(role="user", content=""),),
    )  # fmt: skip
    return prices_of((*case.models, model), as_of)(request) is None
