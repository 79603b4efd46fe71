"""Causes of failures as people name them: the failures to read, the labels, and the evidence."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from tuneworthy.errors import CaseError, argument
from tuneworthy.files import stores
from tuneworthy.framework.failures import FAILURE_CAUSES, QUALITY_DETAILS
from tuneworthy.model.base import Unknown, as_bytes
from tuneworthy.model.case import Case
from tuneworthy.model.evalset import FailureDraw, ItemKey, Label, SaidCauses, digest_of
from tuneworthy.model.evidence import Evidence, Measured, Scalar
from tuneworthy.model.framework import CAUSES
from tuneworthy.pipeline import framework_of, load_case, today
from tuneworthy.report.sections.evalset import Item

RECORD_EVERY = 10  #: Failures after which the page adds what was said to the evidence.


def kept_draw(case: Case) -> FailureDraw:
    """The last draw of failures of a case.

    Raises:
        CaseError: If none were drawn.
    """
    draw = stores.written_draw(case)
    if draw is None:
        fix = f"draw some: tuneworthy evalset failures {argument(case.folder)}"
        raise CaseError(
            "has no failures that were drawn", where=str(case.folder), fix=fix
        )
    return draw


def failure_items(case: Case, draw: FailureDraw) -> list[Item]:
    """Each drawn failure, with the causes to choose from, in the order of the draw."""
    causes = framework_of(case).causes
    titles = tuple(rule.title for rule in causes.values())
    return [
        Item(
            task="failure",
            case=failure.case,
            arms=(draw.way,),
            outputs=(failure.output,),
            choices=tuple(causes),
            titles=titles,
        )
        for failure in draw.drawn
    ]


def causes_text(case: Case) -> str:
    """The meaning of each cause, a line each, for people who read failures."""
    rules = framework_of(case).causes.values()
    return "\n".join(f"{rule.title}: {rule.means}" for rule in rules)


def proposals(
    draw: FailureDraw, items: Iterable[Item]
) -> dict[ItemKey, tuple[str, ...]]:
    """The cause that a model proposed for each failure, as a note for its reader.

    ``items`` are those of ``failure_items`` for the same draw.
    """
    notes: dict[ItemKey, tuple[str, ...]] = {}
    for item, failure in zip(items, draw.drawn, strict=True):
        if failure.proposed:
            notes[item.key] = (f"a model proposes: {failure.proposed}",)
    return notes


def said_causes(case: Case, draw: FailureDraw) -> SaidCauses:
    """Count the causes of the drawn failures: the settled one, else the one all readers name.

    A failure on whose cause readers differ counts for no cause until somebody settles it.
    """
    labels = {
        name: stores.latest_labels(own)
        for name, own in stores.read_labels(case).items()
    }
    settled = labels.pop(stores.ADJUDICATED, {})
    causes = Counter[str]()
    not_read = 0
    differ = 0
    for item in failure_items(case, draw):
        settled_cause = _said_of(item, settled)
        if settled_cause:
            causes[settled_cause] += 1
            continue
        named = {_said_of(item, own) for own in labels.values()}
        named.discard("")  # this person hasn't read it
        if not named:
            not_read += 1
        elif len(named) > 1:
            differ += 1
        else:
            causes.update(named)
    # a framework that changed since may no longer know a cause that was named
    counts = {cause: causes[cause] for cause in CAUSES if cause in causes}
    return SaidCauses(draw, counts, not_read, differ)


def _said_of(item: Item, labels: Mapping[ItemKey, Label]) -> str:
    """The cause that one person named for exactly this output; empty for none."""
    label = labels.get(item.key)
    if label is None or label.output != digest_of(*item.outputs):
        return ""
    return label.value


def said_so_far(source: str | Path) -> SaidCauses:
    """The causes of the failures that were drawn last."""
    case = load_case(source)
    return said_causes(case, kept_draw(case))


def record_causes(case: Case) -> bool:
    """Add the labels so far to the evidence of the case. Returns whether any was new."""
    draw = kept_draw(case)
    said = said_causes(case, draw)
    total = sum(said.counts.values())
    if total == 0:
        return False
    details = _cause_details(said)
    evidence = Evidence(
        id=FAILURE_CAUSES,
        factor="failures",
        value=total,
        low=total,
        high=total,
        unit="failures",
        n=total,
        clusters=total,
        method=f"causes by people, of {draw.failures} failures; kinds of cases drawn alike",
        source=draw.way,
        observed_on=today(),
        details=details,
    )
    # equal labels of an equal draw give an equal digest, and the store keeps that once
    rests_on = f"{FAILURE_CAUSES} {sorted(details.items())} {draw.model_dump_json()}"
    inputs = hashlib.sha256(as_bytes(rests_on)).hexdigest()
    return stores.append_evidence(case, Measured(inputs=inputs, evidence=(evidence,)))


def _cause_details(said: SaidCauses) -> dict[str, Scalar]:
    """The failures of each cause, with the quality of the way and the cases they were drawn from."""
    draw = said.draw
    details = dict[str, Scalar]()
    for cause, count in said.counts.items():
        details[cause] = count
    ends = (draw.quality, draw.quality_low, draw.quality_high)
    for name, end in zip(QUALITY_DETAILS, ends, strict=True):
        if not isinstance(end, Unknown):
            details[name] = end
    if draw.cases:
        details["cases"] = draw.cases
    return details


def record_now_and_then(case: Case, done: int, of: int) -> None:
    """Record the page's labels after every ``RECORD_EVERY`` failures, and after the last one.

    Each recording rereads all labels, so not every single label is recorded at once.
    """
    if done == of or done % RECORD_EVERY == 0:
        record_causes(case)
