"""Causes of failures as people name them: the failures to read, the labels, and the evidence."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from tuneworthy.errors import CaseError, argument
from tuneworthy.files import stores
from tuneworthy.framework.failures import FAILURE_CAUSES, QUALITY_DETAILS
from tuneworthy.model.base import Unknown, as_bytes
from tuneworthy.model.case import Case
from tuneworthy.model.evalset import FailureDraw, ItemKey, Label, SaidCauses, digest_of
from tuneworthy.model.evidence import Evidence, Measured, Scalar
from tuneworthy.model.framework import CAUSES, CauseId
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
    """The cause that a model proposed for each failure, as a note for its reader."""
    pairs = zip(items, draw.drawn, strict=True)
    return {
        item.key: (f"a model proposes: {failure.proposed}",)
        for item, failure in pairs
        if failure.proposed
    }


def said_causes(case: Case, draw: FailureDraw) -> SaidCauses:
    """The cause of each drawn failure: the settled one, else the one that all its readers name."""
    labels = {
        name: stores.latest_labels(own)
        for name, own in stores.read_labels(case).items()
    }
    settled = labels.pop(stores.ADJUDICATED, {})
    counts: dict[CauseId, int] = {}
    not_read = 0
    differ = 0
    for item in failure_items(case, draw):
        cause = _said_of(item, settled)
        if cause:
            values = {cause}
        else:
            values = {_said_of(item, own) for own in labels.values()} - {""}
        if not values:
            not_read += 1
            continue
        if len(values) > 1:
            differ += 1
            continue
        for known in CAUSES:
            if known in values:
                counts[known] = counts.get(known, 0) + 1
    return SaidCauses(draw, counts, not_read, differ)


def _said_of(item: Item, labels: Mapping[ItemKey, Label]) -> str:
    """The cause that one person named for exactly this output; empty for none."""
    label = labels.get(item.key)
    is_of_it = label is not None and label.output == digest_of(*item.outputs)
    return label.value if label is not None and is_of_it else ""


def said_so_far(source: str | Path) -> SaidCauses:
    """The causes of the failures that were drawn last."""
    case = load_case(source)
    return said_causes(case, kept_draw(case))


def record_causes(case: Case) -> bool:
    """Add the labels so far to the evidence of the case. Returns whether any was new."""
    draw = kept_draw(case)
    said = said_causes(case, draw)
    total = sum(said.counts.values())
    if not total:
        return False
    details = dict[str, Scalar]()
    for cause, count in said.counts.items():
        details[cause] = count
    ends = (draw.quality, draw.quality_low, draw.quality_high)
    for name, end in zip(QUALITY_DETAILS, ends, strict=True):
        if not isinstance(end, Unknown):
            details[name] = end
    if draw.cases:
        details["cases"] = draw.cases
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
    rests_on = f"{FAILURE_CAUSES} {sorted(details.items())} {draw.model_dump_json()}"
    inputs = hashlib.sha256(as_bytes(rests_on)).hexdigest()
    return stores.append_evidence(case, Measured(inputs=inputs, evidence=(evidence,)))


def record_now_and_then(case: Case, done: int, of: int) -> None:
    """Record labels from the page: after some failures each, and after the last one."""
    if done == of or done % RECORD_EVERY == 0:
        record_causes(case)
