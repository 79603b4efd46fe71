"""When a model or a service ends, as stated or as looked up."""

from __future__ import annotations

from datetime import date

from tuneworthy.framework.load import services
from tuneworthy.model.case import Case, Model


def looked_up_end(model: Model) -> date | None:
    """The day a model ends, as looked up; a tuned one may end with its base."""
    end = services().end_of(model.id, model.base_url)
    if end is None:
        return None
    return end.tunes_end if model.kind == "tuned" else end.ends


def logged_end(name: str) -> date | None:
    """The day a model ends by the name in a log, which rarely says whose it is.

    Of a bare name the maker's own date counts; other hosts may keep others.
    """
    facts = services()
    end = facts.end_of(name.replace("/", ":", 1))
    if end is None and ":" not in name:
        bare = name.rpartition("/")[2]
        ends = (e for e in facts.models if any(m.endswith(f":{bare}") for m in e.models))
        end = next(ends, None)
    return end.ends if end else None


def end_day(model: Model) -> date | None:
    """The day a model ends, as stated or else as looked up."""
    return model.ends or looked_up_end(model)


def serves_until(case: Case) -> date | None:
    """The day from which the tuned model is no longer served, where one is known."""
    days = (case.tuning.until, *(end_day(model) for model in case.models if model.kind == "tuned"))
    return min(filter(None, days), default=None)
